"""Dense layers, to be used alone or inside a `NeuralNetwork`.

A layer is the owner of its weights: inside a network they are views into the network's one flat
parameter vector, which changes nothing for whoever reads or assigns them.
"""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from . import activations
from ._arrays import Array, convert, count, float_dtype, number
from ._random import RNG, uniform_source
from .activations import Activation
from .kernels import rows

__all__ = [
    "DenseLayer",
    "Layer",
    "LinearLayer",
    "ReLULayer",
    "SigmoidLayer",
    "TanhLayer",
    "truncated_normal",
]


def truncated_normal(shape: tuple[int, ...], std: float, rng: RNG) -> Array:
    """Normal numbers of mean 0 and scale `std`, cut off at two standard deviations.

    Drawn by inversion: one uniform number u gives Φ⁻¹(Φ(-2) + u (Φ(2) - Φ(-2))). Without `rng`
    the uniform numbers are those of ``np.random``, so ``np.random.seed`` fixes them.
    """
    from scipy.special import ndtr, ndtri

    low, high = ndtr(-2.0), ndtr(2.0)
    u = uniform_source(rng).uniform(size=shape)
    return np.asarray(std * ndtri(low + u * (high - low)))


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
    dtype : float64 or float32
        Of the weights, and of everything computed with them.
    rng : None, int or numpy.random.Generator
        Source of the initial weights; None takes the global ``np.random``.

    Attributes
    ----------
    w : array (dim_input, dim_output)
        Weights. Assigning copies the values, and may change the shape outside a network.
    b : array (dim_output,)
        Biases, likewise.
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
        dtype: npt.DTypeLike = np.float64,
        rng: RNG = None,
    ) -> None:
        shape = (count("dim_input", dim_input, least=1), count("dim_output", dim_output, least=1))
        scale, level = number("std", std, least=0.0), number("bias", bias)
        self._dtype = float_dtype(dtype)
        self.w = truncated_normal(shape, scale, rng)
        self.b = np.full(shape[1], level)

    _dtype: np.dtype[Any] = np.dtype(np.float64)
    _w: Array | None = None
    _b: Array | None = None
    input: Array | None = None
    output: Array | None = None

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
        self._w = _assigned("w", value, self._w, 2, self._dtype)

    @property
    def b(self) -> Array:
        """Biases (dim_output,)."""
        if self._b is None:
            raise AttributeError(f"{type(self).__name__} has no biases yet: assign layer.b")
        return self._b

    @b.setter
    def b(self, value: npt.ArrayLike) -> None:
        self._b = _assigned("b", value, self._b, 1, self._dtype)

    @property
    def dim_input(self) -> int:
        """Number of features of a sample."""
        return int(self.w.shape[0])

    @property
    def dim_output(self) -> int:
        """Number of features of the output."""
        return int(self.w.shape[1])

    def __call__(self, X: npt.ArrayLike) -> Array:
        """Output for the samples X, one a row; remembers them for `back_propagation`."""
        x = convert("X", X, self._dtype)
        if x.ndim == 0 or x.shape[-1] != self.dim_input:
            raise ValueError(f"X has shape {x.shape}, expected (rows, {self.dim_input})")
        if self.b.shape[0] != self.dim_output:
            raise ValueError(f"b has shape {self.b.shape}, expected ({self.dim_output},) as w has")
        self.input = x
        self.output = self.forward_propagation(x)
        return self.output

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
            ``w -= learning_rate * gradient``; with 0 nothing changes.

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
        error = error * self.activation_derivative()
        below = error @ self.w.T
        if rate:
            self.w -= rate * (self.input.T @ error)
            self.b -= rate * error.sum(axis=0)
        return np.asarray(below)

    def __repr__(self) -> str:
        kind = type(self).__name__
        return f"{kind}({self.dim_input}, {self.dim_output}, dtype={self._dtype.name})"


def _assigned(
    name: str, value: npt.ArrayLike, present: Array | None, ndim: int, dtype: np.dtype[Any]
) -> Array:
    """The storage of a parameter after an assignment: the present one where the shape allows."""
    if value is present and present is not None:
        return present  # layer.w -= …: already done, in place
    found = convert(name, value, dtype)
    if found.ndim != ndim or not found.size:
        raise ValueError(f"{name} must be a non-empty {ndim}-dimensional array, not {found.shape}")
    if present is not None and present.shape == found.shape:
        present[...] = found
        return present
    return found.copy()


class DenseLayer(Layer):
    """A dense layer with an activation from the table, computed by compiled kernels.

    Parameters
    ----------
    dim_input, dim_output, std, bias, dtype, rng
        See `Layer`.
    activation : str
        Name of a row of ``fastnn.activations.ACTIVATIONS``.

    Examples
    --------
    >>> layer = DenseLayer(2, 3, activation="ReLU", rng=0)
    >>> layer.w = [[1, 0, -1], [0, 1, 0]]
    >>> layer([[2.0, -3.0]])
    array([[2., 0., 0.]])

    """

    _row: ClassVar[str] = "identity"

    def __init__(
        self,
        dim_input: int,
        dim_output: int,
        std: float = 1.0,
        bias: float = 0.0,
        *,
        activation: str | None = None,
        dtype: npt.DTypeLike = np.float64,
        rng: RNG = None,
    ) -> None:
        super().__init__(dim_input, dim_output, std, bias, dtype=dtype, rng=rng)
        self.activation = activations.find(self._row if activation is None else activation)

    @property
    def activation(self) -> Activation:
        """Its row of the table; may be assigned a name at any time."""
        return self._activation

    @activation.setter
    def activation(self, name: str | Activation) -> None:
        self._activation = activations.find(name)
        self.output = None

    def __repr__(self) -> str:
        given = "" if type(self)._row == self.activation.name else self.activation.name
        more = f"activation={given!r}, " if given else ""
        return super().__repr__().replace("dtype=", f"{more}dtype=")

    def forward_propagation(self, X: Array) -> Array:
        """Output f(X w + b)."""
        z: Array = np.matmul(X, self.w)
        z += self.b
        row = self.activation
        self._stored = np.empty_like(z) if row.stores_derivative else z
        if z.size and row.forward is not activations.ACTIVATIONS["identity"].forward:
            self._run(row.forward_address(self._dtype), z, np.zeros(1, z.dtype), self._stored)
        self.output = z
        return z

    def activation_derivative(self) -> Any:
        """f'(X w + b) for the last samples; 1 for the identity."""
        if self.activation.derivative is None:
            return 1
        if self.output is None:
            raise ValueError("activation_derivative needs a forward pass first: call layer(X)")
        slope = np.ones_like(self.output)
        if slope.size:
            backward = self.activation.backward_address(self._dtype)
            self._run(backward, slope, self._stored, slope)
        return slope

    def _run(self, kernel: int, a: Array, b: Array, c: Array) -> None:
        numbers = np.array(self.activation.numbers())
        rows.run(kernel, a.reshape(-1), b.reshape(-1), c.reshape(-1), numbers, 1, a.size)


class LinearLayer(DenseLayer):
    """A dense layer whose activation is the identity, f(a) = a.

    Examples
    --------
    >>> layer = LinearLayer(1, 1, bias=0.5, rng=0)
    >>> layer.w = [[2.0]]
    >>> layer([[1.0], [2.0]])
    array([[2.5],
           [4.5]])

    """

    _row = "identity"


class SigmoidLayer(DenseLayer):
    """A dense layer with the logistic sigmoid, f(a) = 1 / (1 + exp(-a)).

    Examples
    --------
    >>> layer = SigmoidLayer(1, 1, rng=0)
    >>> layer([[0.0]])
    array([[0.5]])

    """

    _row = "sigmoid"


class TanhLayer(DenseLayer):
    """A dense layer with the hyperbolic tangent.

    Examples
    --------
    >>> layer = TanhLayer(1, 1, rng=0)
    >>> layer([[0.0]])
    array([[0.]])

    """

    _row = "tanh"


class ReLULayer(DenseLayer):
    """A dense layer with f(a) = max(a, 0); the derivative at 0 is 0.

    Examples
    --------
    >>> layer = ReLULayer(1, 2, rng=0)
    >>> layer.w = [[1.0, -1.0]]
    >>> layer([[3.0]])
    array([[3., 0.]])

    """

    _row = "ReLU"
