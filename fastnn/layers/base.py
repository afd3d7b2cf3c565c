"""What every layer has: weights, biases and their backpropagation, alone or in a network.

A layer is the owner of its weights: inside a network they are views into the network's one flat
parameter vector, which changes nothing for whoever reads or assigns them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from .._core.arrays import Array, convert, count, float_dtype, number
from .._core.live_models import outdate
from .._core.random import RNG
from ..initializers import Init, get_init, truncated_normal
from .changes import count_change, passing, structure

__all__ = ["CHANGED", "Layer", "check_finite", "check_trainable", "forget", "is_trainable"]

CHANGED = "the layer has changed since the forward pass: call layer(X) again"

_OF_DATA = "_calls", "_passed"  # attributes of a layer that hold what went through it


def is_trainable(layer: Any) -> bool:
    """Whether trainings change it; a layer that knows nothing of freezing is never frozen."""
    return bool(getattr(layer, "trainable", True))


def check_trainable(layers: Sequence[Any]) -> None:
    """Refuse to train nothing."""
    if not any(map(is_trainable, layers)):
        raise ValueError("all layers have trainable=False, expected at least one that is trained")


def check_finite(layer: Any, k: int) -> None:
    """Refuse parameters that are not finite, of the k-th layer of a network."""
    for part in layer.trained:
        if not np.isfinite(getattr(layer, part)).all():
            raise ValueError(f"layers[{k}].{part} has numbers that are not finite")


def forget(layers: Iterable[Any]) -> None:
    """Let layers forget the samples that passed, not in the middle of a pass by another thread."""
    remembering = [layer for layer in layers if getattr(layer, "remembers", True)]
    if remembering:
        with passing().held():
            for layer in remembering:
                if isinstance(layer, Layer):
                    vars(layer).pop("_passed", None)
                else:
                    layer.input = layer.output = None


class Layer:
    """A dense layer without an activation: the base of all layers, and of your own.

    A subclass needs two methods in plain NumPy: ``forward_propagation(X)``, which returns the
    output for the samples X, and ``activation_derivative()``, which returns the derivative of the
    activation at the samples of the last forward pass (of the shape of the output, or 1).

    Parameters
    ----------
    dim_input, dim_output : int
        Number of features of a sample and of the output, at least one each.
    std : float
        Scale of the initial weights: normal, cut off at two standard deviations.
    bias : float
        Initial value of the biases.
    init : str, Initializer, matrix or callable, optional
        Initial weights instead, see `fastnn.get_init`: ``"he_normal"``, ``"orthogonal"`` …
    dtype : float64 or float32
        Of the weights, and of everything computed with them.
    rng : None, int, numpy.random.Generator or RandomState
        Source of the initial weights; None takes the global ``np.random``.
    trainable : bool
        False freezes the layer: no training changes its parameters, nor what an optimizer remembers
        of them. It takes part in everything else: its dropout acts, and its penalties count in the
        cost, where they are a constant.

    Attributes
    ----------
    w : array (dim_input, dim_output)
        Weights. Assigning copies the values, and may change the shape outside a network.
    b : array (dim_output,)
        Biases, likewise.
    trainable : bool
        As given; may be assigned at any time, and counts from the next training on.
    input, output : array (rows, dim_input) and (rows, dim_output)
        Of the last forward pass through this layer; None before it, and after the layer's network
        was trained in compiled code.

    Examples
    --------
    >>> class SineLayer(Layer):
    ...     def forward_propagation(self, X):
    ...         self.activity = X @ self.w + self.b
    ...         return np.sin(self.activity)
    ...
    ...     def activation_derivative(self):
    ...         return np.cos(self.activity)
    >>> SineLayer(3, 2)(np.zeros((5, 3))).shape
    (5, 2)

    """

    def __init__(
        self,
        dim_input: int,
        dim_output: int,
        std: float = 1.0,
        bias: float = 0.0,
        *,
        init: Init | None = None,
        dtype: npt.DTypeLike = np.float64,
        rng: RNG = None,
        trainable: bool = True,
    ) -> None:
        self.trainable = trainable
        shape = (count("dim_input", dim_input, least=1), count("dim_output", dim_output, least=1))
        scale, level = number("std", std, least=0.0), number("bias", bias)
        self._dtype = float_dtype(dtype)
        shape = shape[0], shape[1] * self._columns
        self.w = truncated_normal(shape, scale, rng) if init is None else get_init(init)(shape, rng)
        self.b = np.full(shape[1], level)

    # Names of the parameters, in the order of the network's vector.
    trained: tuple[str, ...] = ("w", "b")

    _columns: int = 1  # of w, for an output
    _dtype: np.dtype[Any] = np.dtype(np.float64)
    _w: Array | None = None
    _b: Array | None = None
    _trainable: bool = True

    # What the last forward pass has left: input, output and the activation's derivative (or the
    # memory of a vector activation), or the prepared call of a network that has them.
    _passed: Any = (None, None, None)

    @property
    def input(self) -> Any:
        """Samples of the last forward pass; None before it."""
        return self._remembered()[0]

    @input.setter
    def input(self, value: Any) -> None:
        self.remember(value, *self._remembered()[1:])

    @property
    def output(self) -> Any:
        """What the layer made of them."""
        return self._remembered()[1]

    @output.setter
    def output(self, value: Any) -> None:
        x, _, slope = self._remembered()
        self.remember(x, value, slope)

    @property
    def _slope(self) -> Any:
        return self._remembered()[2]

    @_slope.setter
    def _slope(self, value: Any) -> None:
        self.remember(*self._remembered()[:2], value)

    def _remembered(self) -> tuple[Any, Any, Any]:
        while type(self._passed) is not tuple:
            self._passed.unpack()
        passed: tuple[Any, Any, Any] = self._passed
        return passed

    def remember(self, X: Any, output: Any, slope: Any) -> None:
        """Keep what a forward pass has left."""
        self.__dict__["_passed"] = X, output, slope

    @property
    def remembers(self) -> bool:
        """Whether there is anything to forget."""
        return self._passed is not Layer._passed

    @property
    def dtype(self) -> np.dtype[Any]:
        """Of weights, biases and outputs."""
        return self._dtype

    @property
    def w(self) -> Array:
        """Weights (dim_input, dim_output)."""
        if self._w is None:
            raise AttributeError(f"{type(self).__name__} has no weights yet: assign layer.w")
        return self._w

    @w.setter
    def w(self, value: npt.ArrayLike) -> None:
        self._assign("w", value, 2)

    @property
    def b(self) -> Array:
        """Biases (dim_output,)."""
        if self._b is None:
            raise AttributeError(f"{type(self).__name__} has no biases yet: assign layer.b")
        return self._b

    @b.setter
    def b(self, value: npt.ArrayLike) -> None:
        self._assign("b", value, 1)

    @property
    def trainable(self) -> bool:
        """Whether trainings change the parameters; False: the layer is frozen."""
        return self._trainable

    @trainable.setter
    def trainable(self, value: bool) -> None:
        if not isinstance(value, (bool, np.bool_)):
            raise TypeError(f"trainable must be True or False, not {value!r}")
        self._trainable = bool(value)
        self._changed()

    @property
    def dim_input(self) -> int:
        """Number of features of a sample."""
        return int(self.w.shape[0])

    @property
    def dim_output(self) -> int:
        """Number of features of the output."""
        return int(self.w.shape[1]) // self._columns

    def check_shapes(self, prefix: str = "") -> None:
        """Refuse parameters that do not fit one another; prefix: of their names."""
        for name in self.trained:
            array = getattr(self, name)
            if array.dtype != self._dtype:  # an array's dtype can be assigned
                raise TypeError(f"{prefix}{name} has dtype {array.dtype}, expected {self._dtype}")
            if not array.flags.carray:
                raise ValueError(f"{prefix}{name} is not C-contiguous, aligned and writable")
        columns = self.w.shape[1] if self.w.ndim == 2 else 0
        if not columns:
            raise ValueError(
                f"{prefix}w has shape {self.w.shape}, expected (dim_input, dim_output)"
            )
        if columns % self._columns:
            raise ValueError(
                f"{prefix}w has shape {self.w.shape}, expected a multiple of {self._columns} "
                "columns, as the activation has it"
            )
        if self.b.shape != (columns,):
            raise ValueError(f"{prefix}b has shape {self.b.shape}, expected ({columns},) as w has")
        for name in self.trained[2:]:
            shape = getattr(self, name).shape
            if shape != (self.dim_output,):
                raise ValueError(
                    f"{prefix}{name} has shape {shape}, expected ({self.dim_output},): one for "
                    "each output"
                )

    def __call__(self, X: npt.ArrayLike) -> Array:
        """Output for the samples X, one a row; remembers them for `back_propagation`."""
        x = convert("X", X, self._dtype)
        if x.ndim == 0 or x.shape[-1] != self.dim_input:
            raise ValueError(f"X has shape {x.shape}, expected (rows, {self.dim_input})")
        self.check_shapes()
        self.input = x
        output = self.forward_propagation(x)
        self.output = output  # which another thread may replace at once by its own
        return output

    def forward_propagation(self, X: Array) -> Array:
        """Output for the samples X."""
        raise NotImplementedError(f"{type(self).__name__} must define forward_propagation")

    def activation_derivative(self) -> Any:
        """Derivative of the activation at the last samples."""
        raise NotImplementedError(f"{type(self).__name__} must define activation_derivative")

    def back_propagation(self, delta: npt.ArrayLike, learning_rate: float) -> Array:
        """One gradient step on this layer.

        Parameters
        ----------
        delta : array (rows, dim_output)
            Gradient of the cost with respect to the output of the last forward pass.
        learning_rate : float
            ``w -= learning_rate * gradient``; with 0, or of a frozen layer, nothing changes.

        Returns
        -------
        array (rows, dim_input)
            Gradient of the cost with respect to the input, at the weights before the step.

        """
        if self.input is None:
            raise ValueError("back_propagation needs a forward pass first: call layer(X)")
        if self.input.ndim != 2:
            raise ValueError(
                f"X of the forward pass had shape {self.input.shape}, expected (rows, "
                f"{self.dim_input}) for back_propagation"
            )
        rate = number("learning_rate", learning_rate)
        error = convert("delta", delta, self._dtype)
        expected = (self.input.shape[0], self.dim_output)
        if error.shape != expected:
            raise ValueError(f"delta has shape {error.shape}, expected {expected}")
        below, *parts = self.gradients(error)
        if rate and self.trainable:
            for name, part in zip(self.trained, parts, strict=True):
                values = getattr(self, name)
                if values.shape != part.shape:
                    raise ValueError(CHANGED)
                values -= rate * part
        return below

    def gradients(self, delta: Array) -> tuple[Array, ...]:
        """Gradients by the input, by w, by b and by what else is trained.

        Parameters
        ----------
        delta : array (rows, dim_output)
            Gradient of the cost with respect to the output of the last forward pass.

        """
        slope, X, w = self.activation_derivative(), self.input, self.w
        assert X is not None
        fits = w.shape == (X.shape[-1], delta.shape[-1]) and delta.shape[0] == X.shape[0]
        if not fits or (np.ndim(slope) and np.shape(slope) != delta.shape):
            raise ValueError(CHANGED)
        error = delta * slope
        return np.asarray(error @ w.T), X.T @ error, error.sum(axis=0)

    def _assign(self, name: str, value: npt.ArrayLike, ndim: int) -> None:
        """Give a parameter values: in its present storage, where the shape allows."""
        if value is not None and value is getattr(self, f"_{name}"):
            return  # layer.w -= …: already done, in place
        array = convert(name, value, self._dtype)
        if array.ndim != ndim or not array.size:
            raise ValueError(
                f"{name} must be a non-empty {ndim}-dimensional array, not {array.shape}"
            )
        with structure():
            present = getattr(self, f"_{name}")
            if present is not None and (present.shape, present.dtype) == (array.shape, array.dtype):
                count_change()
                present[...] = array
            else:
                self._changed()
                setattr(self, f"_{name}", array.copy())

    def _changed(self) -> None:
        """To be called where compiled forms of this layer go out of date."""
        count_change()
        outdate(self)

    def detached(self) -> Any:
        """A copy that shares the parameters, and remembers nothing of the data."""
        twin = object.__new__(type(self))
        with structure():
            vars(twin).update(Layer.__getstate__(self))
        return twin

    def __getstate__(self) -> dict[str, Any]:
        """Copies and pickles carry no data: neither samples nor what was computed from them."""
        state = vars(self).copy()  # at once, whatever other threads assign
        for name in _OF_DATA:
            state.pop(name, None)
        return state

    def __repr__(self) -> str:
        kind = type(self).__name__
        frozen = "" if self.trainable else "trainable=False, "
        return f"{kind}({self.dim_input}, {self.dim_output}, {frozen}dtype={self._dtype.name})"
