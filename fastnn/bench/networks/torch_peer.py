"""PyTorch: eager trainings with its three kinds of optimizers; predictions eager and frozen."""

from __future__ import annotations

import warnings
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from itertools import pairwise

import numpy as np
import torch
from torch.nn import functional

from ..timing import Calls, Competitor
from . import data
from .tasks import Inference, Task, Training

__all__ = ["MORE", "competitors"]

_ACTIVATIONS = {"tanh": torch.nn.Tanh, "ReLU": torch.nn.ReLU, "Swish": torch.nn.SiLU}
_KINDS = {"fused": {"fused": True}, "foreach": {"foreach": True}, "default": {}}
# Small models may be faster on one thread, on a busy machine by far.
_MOST = torch.get_num_threads()
_THREADS = sorted({1, _MOST})

MORE = {
    *(f"PyTorch {kind}, {_MOST} thread{'s' * (_MOST > 1)}" for kind in ("foreach", "default")),
    *(f"PyTorch{kind}, {n} thread{'s' * (n > 1)}" for kind in ("", " addmm") for n in _THREADS),
}
"""Forms that a quick look leaves out: others are as fast or faster."""


def competitors(task: Task) -> list[Competitor]:
    """Trainings with three kinds of optimizers, predictions in three forms."""
    if isinstance(task, Training):
        if task.networks > 1:
            return []
        kinds = [(kind, _MOST) for kind in _KINDS] + [("fused", n) for n in _THREADS if n < _MOST]
        return [_Trainer(task, *one) for one in kinds]
    return [] if task.inside_njit else _predictions(task)


def _model(task: Task) -> torch.nn.Sequential:
    modules: OrderedDict[str, torch.nn.Module] = OrderedDict()
    shapes = list(pairwise(task.sizes))
    for k, (n, m) in enumerate(shapes):
        modules[f"layer{k}"] = torch.nn.Linear(n, m, dtype=getattr(torch, task.dtype))
        if k < len(shapes) - 1:
            modules[f"activation{k}"] = _ACTIVATIONS[task.activation]()
            if isinstance(task, Training) and task.dropout:
                modules[f"dropout{k}"] = torch.nn.Dropout(task.dropout)
    model = torch.nn.Sequential(modules)
    _fill(model, task)
    return model


def _linear(model: torch.nn.Sequential) -> list[torch.nn.Linear]:
    return [module for module in model if isinstance(module, torch.nn.Linear)]


def _fill(model: torch.nn.Sequential, task: Task) -> None:
    with torch.no_grad():
        for layer, (w, b) in zip(_linear(model), data.weights(task), strict=True):
            layer.weight.copy_(torch.from_numpy(w.T))
            layer.bias.copy_(torch.from_numpy(b))


class _Trainer:
    def __init__(self, task: Training, kind: str, threads: int) -> None:
        self.name, self.steps = f"PyTorch {kind}, {_said(threads)}", task.steps
        self._task, self._kind, self._threads = task, kind, threads
        self._model = _model(task)
        x = torch.from_numpy(data.samples(task)).split(task.batch)
        # Classes as whole numbers are faster than one-hot.
        t = data.labels(task) if task.cost == "softmax" else data.targets(task)
        self._batches = list(zip(x, torch.from_numpy(t).split(task.batch), strict=True))

    def start(self) -> None:
        torch.set_num_threads(self._threads)
        task = self._task
        _fill(self._model, task)
        more = {"weight_decay": task.weight_decay} if task.weight_decay else {}
        self._optimizer = getattr(torch.optim, task.optimizer)(
            self._model.parameters(), lr=task.learning_rate, **more, **_KINDS[self._kind]
        )

    def run(self) -> None:
        model, optimizer, cost = self._model, self._optimizer, _COSTS[self._task.cost]
        for _ in range(self._task.epochs):
            for x, t in self._batches:
                optimizer.zero_grad()
                cost(model(x), t).backward()
                optimizer.step()

    def result(self) -> np.ndarray:
        layers = _linear(self._model)
        return data.flat([(p.weight.detach().numpy().T, p.bias.detach().numpy()) for p in layers])


def _sigmoid_cross_entropy(logits, targets):
    return functional.binary_cross_entropy_with_logits(logits, targets, reduction="sum")


_COSTS = {
    "sigmoid": _sigmoid_cross_entropy,
    "softmax": functional.cross_entropy,
    # Without the factor one half: Adam does not see it, and it would cost an operation.
    "squares": functional.mse_loss,
}


def _predictions(task: Inference) -> list[Competitor]:
    """From tensor to tensor: the conversion from and to NumPy is not counted."""
    model = _model(task).eval()
    x = torch.from_numpy(data.samples(task))
    pairs = [(layer.weight.detach().T, layer.bias.detach()) for layer in _linear(model)]

    def functions():
        y = x
        for w, b in pairs[:-1]:
            y = torch.addmm(b, y, w).tanh_()
        w, b = pairs[-1]
        return torch.addmm(b, y, w)

    with warnings.catch_warnings():
        # Deprecated, but the fastest way without a C++ compiler.
        warnings.simplefilter("ignore", DeprecationWarning)
        frozen = torch.jit.optimize_for_inference(torch.jit.freeze(torch.jit.trace(model, x)))
    calls = {
        "PyTorch": lambda: model(x),
        "PyTorch addmm": functions,
        "PyTorch frozen": lambda: frozen(x),
    }
    return [
        Calls(f"{name}, {_said(threads)}", call, inside=partial(_inference, threads))
        for name, call in calls.items()
        for threads in _THREADS
    ]


@contextmanager
def _inference(threads: int) -> Iterator[None]:
    torch.set_num_threads(threads)
    with torch.inference_mode():
        yield


def _said(threads: int) -> str:
    return f"{threads} thread{'s' * (threads > 1)}"
