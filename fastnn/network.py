"""`NeuralNetwork`: a stack of layers with a cost function, trained by the compiled engine."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable
from typing import Any

import numpy as np
import numpy.typing as npt

from . import _training
from ._arrays import Array, as_samples, convert
from ._flat import FlatParameters, check_neighbours
from ._random import RNG
from .gradient_check import in_float64, largest_relative_error
from .layers import Layer

__all__ = ["NeuralNetwork"]


class NeuralNetwork:
    """A stack of layers and the cost function of its output.

    Layers and costs of this library train in one compiled call. With a layer or a cost of your own,
    written in NumPy, the same methods run layer by layer.

    Parameters
    ----------
    layers : sequence of layers
        In the order of the data's way. The cost brings the activation of the output with it, so
        the last layer is usually a `LinearLayer`.
    cost_function : cost
        Of ``fastnn.losses``, or any object with ``activate``, ``__call__`` and ``delta``.

    Attributes
    ----------
    layers, cost_function
        As given; both may be changed at any time.
    parameters : array
        All weights and biases in one flat vector, layer by layer, w before b. Layers hold views of
        it: writing to it changes the network.

    Examples
    --------
    >>> from fastnn import LinearLayer, SumSquaresError, TanhLayer
    >>> x = np.linspace(0, 1, 50)[:, np.newaxis]
    >>> t = np.sin(2 * np.pi * x)
    >>> nn = NeuralNetwork([TanhLayer(1, 6, rng=1), LinearLayer(6, 1, rng=2)], SumSquaresError())
    >>> before = nn.cost(x, t)
    >>> nn.fit(x, t, 0.01, epochs=5000)
    >>> nn.cost(x, t) < 0.1 * before
    True

    """

    def __init__(self, layers: Iterable[Any], cost_function: Any) -> None:
        self.layers = list(layers)
        self.cost_function = cost_function
        for name, value in [("cost_function", cost_function), *_named(self.layers)]:
            if isinstance(value, (type, str)):
                raise TypeError(f"{name} is {value!r}, expected an object of such a class")
        if not self.layers:
            raise ValueError("layers is empty, expected at least one layer")
        for k in range(1, len(self.layers)):
            if all(isinstance(layer, Layer) for layer in self.layers[k - 1 : k + 1]):
                check_neighbours(self.layers, k)

    def __call__(self, X: npt.ArrayLike) -> Array:
        """Output of the network for the samples X, one a row."""
        return np.asarray(self.cost_function.activate(self._logits(X)))

    def cost(self, X: npt.ArrayLike, t: npt.ArrayLike) -> float:
        """Cost of the samples X against the targets t, summed over the samples."""
        return float(self.cost_function(self._logits(X), t))

    def fit(
        self,
        X: npt.ArrayLike,
        t: npt.ArrayLike,
        learning_rate: float,
        *,
        epochs: int = 1,
        batch_size: int | None = None,
        shuffle: bool = True,
        rng: RNG = None,
        verbose: int = 0,
    ) -> None:
        """Train by gradient descent; as it stands, one step on all samples.

        Parameters
        ----------
        X : array (rows, dim_input)
            Samples; any real dtype and layout, converted to the network's dtype.
        t : array (rows, dim_output)
            Targets.
        learning_rate : float
            Factor of the gradient of the summed cost.
        epochs : int
            Passes over the samples.
        batch_size : int, optional
            Samples a step; all of them if left out. The last batch of an epoch may be smaller.
        shuffle : bool
            Whether mini-batches are drawn anew every epoch.
        rng : None, int or numpy.random.Generator
            Source of the shuffling; None takes the global ``np.random``.
        verbose : int
            Print step and cost every so many epochs; 0 prints nothing.

        Raises
        ------
        TypeError, ValueError
            For arguments that do not fit, before anything is changed; and ValueError when a step
            would make a parameter infinite or NaN: the parameters are then those of the last
            complete step.
        KeyboardInterrupt
            Ctrl-C ends the training after the step at hand.

        """
        plan = _training.Plan(self, X, t, learning_rate, epochs, batch_size, shuffle, rng)
        with self._lock:
            _training.run(plan, verbose)

    def gradient(self, X: npt.ArrayLike, t: npt.ArrayLike) -> tuple[Array, Array]:
        """Gradient of the cost with respect to `parameters` and to X.

        Computed by the same compiled code that `fit` uses.

        Returns
        -------
        array (parameters,), array (rows, dim_input)

        """
        with self._lock:
            return _training.gradient(self, X, t)

    def gradient_check(self, X: npt.ArrayLike, t: npt.ArrayLike) -> float:
        """Largest relative error of `gradient` against finite differences.

        Over all parameters and all inputs. The differences are taken in float64, by Richardson
        extrapolation of two central differences; an error is relative to the larger of the two
        values, but at least to a thousandth of the largest gradient.
        """
        return largest_relative_error(self, X, t)

    def _gradient_check(
        self, X: npt.ArrayLike | None = None, t: npt.ArrayLike | None = None, eps: float = 1e-6
    ) -> None:
        """Print one derivative, by a finite difference and by backpropagation, as the article does.

        It is that of the cost with respect to the first feature, of one sample.
        """
        width, outputs = self.layers[0].w.shape[0], self.layers[-1].w.shape[1]
        double = np.dtype(np.float64)
        x = np.full((1, width), 0.5) if X is None else as_samples("X", X, width, double)
        target = np.eye(1, outputs) if t is None else as_samples("t", t, outputs, double)
        # In float64 whatever the network's dtype: rounding to float32 would drown the step.
        twin = in_float64(self)
        step = np.zeros_like(x)
        step[:, 0] += eps
        difference = (twin.cost(x + step, target) - twin.cost(x - step, target)) / (2 * eps)
        delta = twin.cost_function.delta(twin._logits(x), target)
        for layer in reversed(twin.layers):
            delta = layer.back_propagation(delta, 0)
        print("===================================")
        print("checking gradient")
        print("finite difference", difference)
        print(" back propagation", delta[0, 0])
        print("===================================")

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
    def _lock(self) -> Any:
        # One a process: a child forked in the middle of a training must not wait for the parent's.
        return self.__dict__.setdefault("_locks", {}).setdefault(os.getpid(), threading.RLock())

    def __getstate__(self) -> dict[str, Any]:
        """Copies and pickles own their parameters; they gather them again when they are used."""
        dropped = ("_flat_parameters", "_locks")
        return {key: value for key, value in self.__dict__.items() if key not in dropped}

    def __repr__(self) -> str:
        stack = ", ".join(repr(layer) for layer in self.layers)
        return f"NeuralNetwork([{stack}], {self.cost_function!r})"


def _named(layers: list[Any]) -> list[tuple[str, Any]]:
    return [(f"layers[{k}]", layer) for k, layer in enumerate(layers)]
