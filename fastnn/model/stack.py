"""What a network is, whatever is done with it: layers, a cost and one vector of parameters."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterable
from typing import Any

import numpy as np
import numpy.typing as npt

from .._core.arrays import Array, convert, read
from .._core.live_models import outdate_all
from .._core.locks import Lock
from ..layers import DenseLayer, Layer
from ..losses.base import CostFunction, check_total, cost_of
from ..losses.targets import as_column
from ..optimizers import Optimizer
from . import evaluation
from .data import finite_samples
from .draws import Draws
from .flat_parameters import FlatParameters, check_neighbours
from .posterior import Posterior
from .prepared import ask
from .snapshot import logits, snapshot

__all__ = ["Stack"]


class Stack:
    """Layers with the cost function of their output: the base of `fastnn.NeuralNetwork`.

    Trainings, predictions and callbacks take any stack. See `fastnn.NeuralNetwork` for what its
    attributes are.
    """

    _data_names = "X", "t"  # of samples and targets, in messages

    def __init__(self, layers: Iterable[Any], cost_function: Any) -> None:
        self.layers = list(layers)
        self.cost_function = cost_function
        for name, value in [("cost_function", cost_function), *_named(self.layers)]:
            if isinstance(value, (type, str)):
                raise TypeError(f"{name} is {value!r}, expected an object of such a class")
        check_total(cost_function)
        if not self.layers:
            raise ValueError("layers is empty, expected at least one layer")
        for k in range(1, len(self.layers)):
            if all(isinstance(layer, Layer) for layer in self.layers[k - 1 : k + 1]):
                check_neighbours(self.layers, k)
        _warn_of_repetition(self.layers[-1], cost_function)

    def __setattr__(self, name: str, value: Any) -> None:
        """Assign; other layers or another cost make compiled models out of date."""
        if name in ("layers", "cost_function") and self._flat_parameters is not None:
            theta = self._flat_parameters.theta
            if theta is not None:
                outdate_all(theta)
        super().__setattr__(name, value)

    def cost(self, X: npt.ArrayLike, t: npt.ArrayLike) -> float:
        """Cost of the samples X against the targets t, with the penalties of the layers."""
        found = self._ask("cost", X, t)
        if found is None and np.ndim(t) == 1 and np.ndim(X) == 2:
            t = self._column(t)
            found = self._ask("cost", X, t)
        if found is None:
            found = evaluation.cost_of_many(self, X, t)
        if found is not None:
            return float(found)
        cost, layers = self.cost_function, list(self.layers)
        check_total(cost)
        penalties = sum(getattr(layer, "penalty", float)() for layer in layers)
        return cost_of(cost, logits(layers, X), t) + float(penalties)

    def gradient(self, X: npt.ArrayLike, t: npt.ArrayLike) -> tuple[Array, Array]:
        """Gradient of the cost with respect to `parameters` and to X.

        Computed by the same compiled code that `fit` uses, without dropout. That of the parameters
        of frozen layers is zero.

        Returns
        -------
        array (parameters,), array (rows, dim_input)

        """
        with self._lock.held():
            now = snapshot(self)
            x, targets = finite_samples(now.layers, now.cost_function, X, t)
            if now.compiled:
                return evaluation.gradient(now, x, targets)
            return evaluation.gradient_layer_by_layer(now, x, targets)

    optimizer: Optimizer | None = None
    draws: Draws | None = None
    posterior: Posterior | None = None
    _plain_descent: Optimizer | None = None
    _trainer: tuple[Any, Any] | None = None

    @property
    def _prepared(self) -> dict[str, Any]:
        """Calls that are worked out once, see `prepared`."""
        return self.__dict__.setdefault("_calls", {})  # type: ignore[no-any-return]

    @property
    def parameters(self) -> Array:
        """All weights and biases in one flat vector, of which the layers hold views."""
        return self._flat.vector(self.layers)

    @parameters.setter
    def parameters(self, value: npt.ArrayLike) -> None:
        theta = self.parameters
        found = convert("parameters", value, theta.dtype)
        if found.shape != theta.shape:
            raise ValueError(f"parameters have shape {found.shape}, expected {theta.shape}")
        theta[...] = found

    @property
    def dtype(self) -> np.dtype[Any]:
        """Of parameters and outputs."""
        return self.parameters.dtype

    def _ask(self, what: str, *given: npt.ArrayLike) -> Any:
        """The answer of a call that is worked out once, also to arrays of other layouts; or None.

        So the same numbers give the same answer, to the last bit, however they are given.
        """
        found = ask(self, what, *given)
        if found is not None or not self.layers:
            return found
        dtype = getattr(self.layers[0], "dtype", None)
        try:
            arrays = [np.ascontiguousarray(convert("X", value, dtype)) for value in given]
        except (TypeError, ValueError):  # the careful way says so
            return None
        if all(array is value for array, value in zip(arrays, given, strict=True)):
            return None
        return ask(self, what, *arrays)

    def _column(self, t: npt.ArrayLike) -> npt.ArrayLike:
        """Targets (rows,) as the only column, where there is one; labels as they are."""
        last, cost = self.layers[-1], self.cost_function
        width = last.dim_output if isinstance(last, Layer) else last.w.shape[1]
        if isinstance(cost, CostFunction):
            width = 0 if cost.spec.form.labels else cost.targets_for(width)
        return as_column(read("t", t), width)

    def _logits(self, X: npt.ArrayLike) -> Any:
        """Activity of the last layer."""
        found: Any = X
        for layer in self.layers:
            found = layer(found)
        return found

    _flat_parameters: FlatParameters | None = None

    @property
    def _flat(self) -> FlatParameters:
        if self._flat_parameters is None:
            self._flat_parameters = FlatParameters()
        return self._flat_parameters

    @property
    def _lock(self) -> Lock:
        # One a process: a child forked in the middle of a training must not wait for the parent's.
        locks: dict[int, Lock] = self.__dict__.setdefault("_locks", {})
        return locks.get(os.getpid()) or locks.setdefault(os.getpid(), Lock("the network"))

    def __getstate__(self) -> dict[str, Any]:
        """Copies and pickles own their parameters; they gather them again when they are used."""
        dropped = ("_calls", "_flat_parameters", "_locks", "_trainer")
        return {key: value for key, value in self.__dict__.items() if key not in dropped}

    def __repr__(self) -> str:
        stack = ", ".join(repr(layer) for layer in self.layers)
        return f"{type(self).__name__}([{stack}], {self.cost_function!r})"


def _warn_of_repetition(last: Any, cost: Any) -> None:
    """Warn of an activation that the cost brings with it: it would act on its own output."""
    if (
        isinstance(last, DenseLayer)
        and isinstance(cost, CostFunction)
        and last.activation.kernel == cost.spec.activation != "identity"
    ):
        warnings.warn(
            f"layers[-1] has the activation {last.activation.name!r}, which "
            f"{type(cost).__name__} applies to the output of the last layer a second time, in "
            "training and predictions: make that layer a LinearLayer",
            UserWarning,
            stacklevel=3,
        )


def _named(layers: list[Any]) -> list[tuple[str, Any]]:
    return [(f"layers[{k}]", layer) for k, layer in enumerate(layers)]
