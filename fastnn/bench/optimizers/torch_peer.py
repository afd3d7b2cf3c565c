"""Optimizers of PyTorch, fused and for all tensors at once."""

from __future__ import annotations

from functools import partial
from typing import Any

import torch

from .cases import RATE, Case, Entry

__all__ = ["entries", "prepare"]

_MADE: dict[str, Any] = {
    "SGD": partial(torch.optim.SGD, lr=RATE),
    "momentum": partial(torch.optim.SGD, lr=RATE, momentum=0.9),
    "AdaGrad": partial(torch.optim.Adagrad, lr=RATE),
    "RMSprop": partial(torch.optim.RMSprop, lr=RATE),
    "Adam": partial(torch.optim.Adam, lr=RATE),
    "AdamW": partial(torch.optim.AdamW, lr=RATE),
    "AMSGrad": partial(torch.optim.Adam, lr=RATE, amsgrad=True),
}
_FUSED = _MADE.keys() - {"RMSprop"}  # which PyTorch 2.13 fuses on the CPU


def prepare(threads: int) -> None:
    """So many threads."""
    torch.set_num_threads(threads)


def entries(case: Case) -> list[Entry]:
    """Its forms, fused only where it has that for the CPU."""
    found = [("PyTorch foreach", {"foreach": True})]
    found += [("PyTorch fused", {"fused": True})] if case.name in _FUSED else []
    return [_entry(case, *form) for form in found]


def _entry(case: Case, name: str, form: dict[str, bool]) -> Entry:
    params = [torch.from_numpy(p).requires_grad_() for p in case.params()]
    for p, g in zip(params, case.grads(), strict=True):
        p.grad = torch.from_numpy(g)
    optimizer = _MADE[case.name](params, **form)
    return name, optimizer.step, lambda: [p.detach().numpy() for p in params]
