"""Dense layers, to be used alone or inside a `NeuralNetwork`.

A layer is the owner of its weights: inside a network they are views into the network's one flat
parameter vector, which changes nothing for whoever reads or assigns them.
"""

from __future__ import annotations

import itertools
import os
import threading
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from .._core.arrays import Array, convert, count, float_dtype, number
from .._core.live_models import outdate
from .._core.random import RNG
from ..activations import Activation, Activator
from ..activations import classes as activations
from ..initializers import Init, get_init, truncated_normal
from ..kernels.codegen import run

__all__ = [
    "DenseLayer",
    "Layer",
    "LinearLayer",
    "ReLULayer",
    "SigmoidLayer",
    "TanhLayer",
]


_numbers = itertools.count(1)
_changes = 0

# Held while storage or activation of a layer is replaced, and while a network is looked at: what
# several attributes say together is then from one instant, whatever other threads assign.
_structure = threading.RLock()

# Held while samples go through layers that remember them, and back: those of another thread, in
# another network with the same layers, do not come in between.
_passing = threading.RLock()


def changes() -> int:
    """Another number whenever the compiled form of a network, with any layer, is out of date."""
    return _changes


def count_change() -> None:
    """To be called where a layer gets other storage or another activation."""
    global _changes
    _changes = next(_numbers)  # never one that there has been: two threads may come here at once


def structure() -> threading.RLock:
    """The lock of all layers' storage and activations."""
    return _structure


def passing() -> threading.RLock:
    """The lock of what all layers remember of samples."""
    return _passing


def _renew() -> None:
    """In a forked child: a thread of the parent may have held the locks, and is not here."""
    global _structure, _passing
    _structure, _passing = threading.RLock(), threading.RLock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew)


def is_trainable(layer: Any) -> bool:
    """Whether trainings change it; a layer that knows nothing of freezing is never frozen."""
    return bool(getattr(layer, "trainable", True))


def check_trainable(layers: Sequence[Any]) -> None:
    """Refuse to train nothing."""
    if not any(map(is_trainable, layers)):
        raise ValueError("all layers have trainable=False, expected at least one that is trained")


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
        found = self.forward_propagation(x)
        self.output = found  # which another thread may replace at once by its own
        return found

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
                    raise ValueError(_CHANGED)
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
            raise ValueError(_CHANGED)
        error = delta * slope
        return np.asarray(error @ w.T), X.T @ error, error.sum(axis=0)

    def _assign(self, name: str, value: npt.ArrayLike, ndim: int) -> None:
        """Give a parameter values: in its present storage, where the shape allows."""
        if value is not None and value is getattr(self, f"_{name}"):
            return  # layer.w -= …: already done, in place
        found = convert(name, value, self._dtype)
        if found.ndim != ndim or not found.size:
            raise ValueError(
                f"{name} must be a non-empty {ndim}-dimensional array, not {found.shape}"
            )
        with structure():
            present = getattr(self, f"_{name}")
            if present is not None and (present.shape, present.dtype) == (found.shape, found.dtype):
                count_change()
                present[...] = found
            else:
                self._changed()
                setattr(self, f"_{name}", found.copy())

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
        found = vars(self).copy()  # at once, whatever other threads assign
        for name in _OF_DATA:
            found.pop(name, None)
        return found

    def __repr__(self) -> str:
        kind = type(self).__name__
        frozen = "" if self.trainable else "trainable=False, "
        return f"{kind}({self.dim_input}, {self.dim_output}, {frozen}dtype={self._dtype.name})"


_CHANGED = "the layer has changed since the forward pass: call layer(X) again"

_OF_DATA = "input", "output", "_slope"  # attributes of a layer that hold what went through it


class DenseLayer(Layer):
    """A dense layer with an activation from the table, computed by compiled kernels.

    Parameters
    ----------
    dim_input, dim_output, std, bias, init, dtype, rng, trainable
        See `Layer`.
    activation : str or Activator
        Name of an entry of ``fastnn.activations.ACTIVATIONS``, or what `get_act` returns.
    dropout : float
        While training, each output is zero with this probability and otherwise divided by one
        minus it; below one. Srivastava et al., JMLR 15 (2014).
    l1, l2 : float
        The cost of all samples of a training has l1 Σ|w| + l2/2 Σ w² added to it, w the weights of
        this layer without its biases. In the step of a mini-batch they are multiplied by its share
        of the samples, or of their weights, where costs are summed; a mean stands for that of all
        samples, and has them whole.
    **parameters : float
        Of the activation, by name; those left out have the defaults of its entry.

    Attributes
    ----------
    w, b : array
        As of `Layer`. An activation that takes k numbers for an output, such as "GLU" (2) and
        "maxout" (k), has k dim_output columns of w, and as many biases; initial weights are drawn
        for that shape.
    alpha : array (dim_output,)
        The slopes of "PReLU" below zero, trained too. The parameter is where they begin; of the
        penalties they are free, as biases are.

    Examples
    --------
    >>> layer = DenseLayer(2, 3, activation="ReLU", rng=0)
    >>> layer.w = [[1, 0, -1], [0, 1, 0]]
    >>> layer([[2.0, -3.0]])
    array([[2., 0., 0.]])
    >>> DenseLayer(2, 3, activation="maxout", k=4, rng=0).w.shape
    (2, 12)

    """

    _activation_name: ClassVar[str] = "identity"

    # A layer that defines one of these itself is not compiled: its network trains in NumPy.
    OWN_WAY: ClassVar[frozenset[str]] = frozenset({
        "__call__", "forward_propagation", "activation_derivative", "back_propagation", "gradients",
    })  # fmt: skip

    def __setattr__(self, name: str, value: Any) -> None:
        """Assign; another method or class makes compiled forms out of date."""
        if name == "__class__" or name in DenseLayer.OWN_WAY:
            self._changed()
        super().__setattr__(name, value)

    def __init__(
        self,
        dim_input: int,
        dim_output: int,
        std: float = 1.0,
        bias: float = 0.0,
        *,
        activation: str | Activation | Activator | None = None,
        init: Init | None = None,
        dropout: float = 0.0,
        l1: float = 0.0,
        l2: float = 0.0,
        dtype: npt.DTypeLike = np.float64,
        rng: RNG = None,
        trainable: bool = True,
        **parameters: float,
    ) -> None:
        spec, found = activations.choose(
            self._activation_name if activation is None else activation, parameters
        )
        self.dropout, self.l1, self.l2 = dropout, l1, l2
        self._columns = spec.columns(found)
        super().__init__(
            dim_input, dim_output, std, bias, init=init, dtype=dtype, rng=rng, trainable=trainable
        )
        self._set_activation(spec, found)

    _alpha: Array | None = None
    _dropout: float = 0.0
    _l1: float = 0.0
    _l2: float = 0.0

    @property
    def activation(self) -> Activation:
        """Its entry of the table; may be assigned a name at any time, for default parameters."""
        return self._activation

    @activation.setter
    def activation(self, name: str | Activation | Activator) -> None:
        self._set_activation(*activations.choose(name, {}))

    @property
    def activation_parameters(self) -> dict[str, float]:
        """All parameters of the activation; may be assigned those that are not the defaults."""
        return dict(self._parameters)

    @activation_parameters.setter
    def activation_parameters(self, given: Mapping[str, float]) -> None:
        self._set_activation(self._activation, self._activation.checked(given))

    def _set_activation(self, spec: Activation, parameters: dict[str, float]) -> None:
        """Use this activation; numbers that it trains begin at the parameter of their name."""
        with structure():
            columns, present = spec.columns(parameters), self.w.shape[1]
            if present % columns:
                raise ValueError(
                    f"activation={spec.name!r} takes a multiple of {columns} columns of w, not "
                    f"{present}"
                )
            self._activation, self._parameters, self._columns = spec, parameters, columns
            self.trained, self._alpha = Layer.trained, None
            if spec.trained:
                self.trained = *Layer.trained, spec.trained
                setattr(self, spec.trained, np.full(present // columns, parameters[spec.trained]))
            self._changed()
            self.output = self._slope = None

    @property
    def alpha(self) -> Array:
        """Slopes of "PReLU" below zero, (dim_output,)."""
        if self._alpha is None:
            raise AttributeError(f"the activation {self._activation.name} has no alpha")
        return self._alpha

    @alpha.setter
    def alpha(self, value: npt.ArrayLike) -> None:
        if "alpha" not in self.trained:
            raise AttributeError(f"the activation {self._activation.name} has no alpha")
        self._assign("alpha", value, 1)

    @property
    def dropout(self) -> float:
        """Probability of an output to be left out while training."""
        return self._dropout

    @dropout.setter
    def dropout(self, value: float) -> None:
        found = number("dropout", value, least=0.0)
        if found >= 1.0:
            raise ValueError(f"dropout must be below 1, but is {found!r}")
        self._dropout = found
        self._changed()

    @property
    def l1(self) -> float:
        """Penalty of the size of the weights."""
        return self._l1

    @l1.setter
    def l1(self, value: float) -> None:
        self._l1 = number("l1", value, least=0.0)
        self._changed()

    @property
    def l2(self) -> float:
        """Penalty of the squares of the weights."""
        return self._l2

    @l2.setter
    def l2(self, value: float) -> None:
        self._l2 = number("l2", value, least=0.0)
        self._changed()

    def penalty(self) -> float:
        """What l1 and l2 add to the cost of a training."""
        w = self.w
        found = self.l1 * np.abs(w).sum(dtype=np.float64) if self.l1 else 0.0
        return float(found + (0.5 * self.l2 * np.vdot(w, w) if self.l2 else 0.0))

    def penalty_gradient(self) -> Array:
        """Its derivative by w, l1 sign(w) + l2 w."""
        w = self.w
        return np.asarray(self.l1 * np.sign(w) + self.l2 * w)

    def __repr__(self) -> str:
        given = (
            [] if type(self)._activation_name == self.activation.name else [self.activation.name]
        )
        more = [f"activation={name!r}" for name in given]
        defaults, values = self.activation.parameters, self._parameters
        more += [f"{name}={values[name]!r}" for name in values if values[name] != defaults[name]]
        extras = {name: getattr(self, name) for name in ("dropout", "l1", "l2")}
        more += [f"{name}={value!r}" for name, value in extras.items() if value]
        return super().__repr__().replace("dtype=", "".join(f"{m}, " for m in more) + "dtype=")

    def forward_propagation(self, X: Array) -> Array:
        """Output f(X w + b)."""
        spec = self.activation
        if spec.kind:
            twin: DenseLayer = self.detached()
            if twin.activation is not spec:  # another thread's doing
                raise ValueError("activation was changed while the layer was computed")
            self.output, self._slope = found = twin._forward_kind(X)
            return found[0]
        with _structure:  # together, whatever other threads assign
            w, b, parameters, now = self._w, self._b, self._parameters, self._activation
        if w is None or b is None:
            raise AttributeError(f"{type(self).__name__} has no weights and biases yet")
        if now is not spec or w.shape != (X.shape[-1], *b.shape):
            raise ValueError(
                f"X of {X.shape[-1]} features, w of shape {w.shape} and b of shape {b.shape} do "
                "not fit one another, or the activation was changed meanwhile"
            )
        z: Array = np.matmul(X, w)
        z += b
        slope = None if spec.is_identity else np.empty_like(z)
        if z.size and slope is not None:
            a, c = z.reshape(-1), slope.reshape(-1)
            kernel = spec.training_address(z.dtype)
            numbers = np.array(spec.numbers(parameters))
            run.run(kernel, a, np.zeros(1, z.dtype), c, numbers, 1, a.size, 0)
        self.output, self._slope = z, slope
        return z

    _slope: Array | None = None  # the derivative, or the memory of the kind

    def _forward_kind(self, X: Array) -> tuple[Array, Array]:
        """The output, by kernels that want the samples in columns, and their memory.

        Called on a detached layer, as `_run` is: what the kernels trust must not change.
        """
        self.check_shapes()
        spec = self.activation
        assert spec.kind
        z: Array = np.matmul(X, self.w)
        samples, width = z.size // z.shape[-1], z.shape[-1]
        memory = np.empty((width + spec.kind.spare, samples), z.dtype)
        memory[:width] = z.reshape(samples, width).T
        y = np.empty((width // self._columns, samples), z.dtype)
        if samples:
            self._run(spec.training_address(self._dtype), memory, y, y.shape[0])
        return np.ascontiguousarray(y.T).reshape(*z.shape[:-1], y.shape[0]), memory

    def _run(self, target: int, a: Array, c: Array, outputs: int) -> None:
        """Run a kernel of the kind, with what stands behind the weights."""
        behind = np.concatenate([getattr(self, name) for name in self.trained[1:]])
        numbers = np.array(self.activation.numbers(self._parameters))
        size = outputs, a.shape[1]
        run.run(target, a.reshape(-1), behind, c.reshape(-1), numbers, *size, 0)

    def gradients(self, delta: Array) -> tuple[Array, ...]:
        """See `Layer.gradients`."""
        spec = self.activation
        if not spec.kind:
            return super().gradients(delta)
        X, slope, twin = self.input, self._slope, self.detached()
        if slope is None or X is None:
            raise ValueError("gradients needs a forward pass first: call layer(X)")
        twin.check_shapes()
        w, memory, outputs = twin.w, slope.copy(), twin.dim_output
        if twin.activation is not spec or memory.shape[0] != w.shape[1] + spec.kind.spare:
            raise ValueError(_CHANGED)
        given = np.array(delta.T, self._dtype, order="C")
        if given.shape != (outputs, memory.shape[1]):
            expected = memory.shape[1], outputs
            raise ValueError(f"delta has shape {np.shape(delta)}, expected {expected}")
        if given.size:
            twin._run(spec.vjp_address(self._dtype), given, memory, outputs)
        error = np.ascontiguousarray(memory[: w.shape[1]].T)
        found = error @ w.T, X.T @ error, error.sum(axis=0)
        return (*found, given.sum(axis=1)) if spec.trained else found

    def activation_derivative(self) -> Any:
        """f'(X w + b) for the last samples; 1 for the identity."""
        if self.activation.kind:
            raise TypeError(
                f"the activation {self.activation.name} acts on all features together: it has no "
                "derivative of each number; see gradients"
            )
        if self.activation.is_identity:
            return 1
        if self.output is None or self._slope is None:
            raise ValueError("activation_derivative needs a forward pass first: call layer(X)")
        return self._slope


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

    _activation_name = "identity"


class SigmoidLayer(DenseLayer):
    """A dense layer with the logistic sigmoid, f(a) = 1 / (1 + exp(-a)).

    Examples
    --------
    >>> layer = SigmoidLayer(1, 1, rng=0)
    >>> layer([[0.0]])
    array([[0.5]])

    """

    _activation_name = "sigmoid"


class TanhLayer(DenseLayer):
    """A dense layer with the hyperbolic tangent.

    Examples
    --------
    >>> layer = TanhLayer(1, 1, rng=0)
    >>> layer([[0.0]])
    array([[0.]])

    """

    _activation_name = "tanh"


class ReLULayer(DenseLayer):
    """A dense layer with f(a) = max(a, 0); the derivative at 0 is 0.

    Examples
    --------
    >>> layer = ReLULayer(1, 2, rng=0)
    >>> layer.w = [[1.0, -1.0]]
    >>> layer([[3.0]])
    array([[3., 0.]])

    """

    _activation_name = "ReLU"
