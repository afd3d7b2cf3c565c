"""Dense layers with an activation of the table, computed by compiled kernels."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from .._core.arrays import Array, convert, number
from .._core.random import RNG
from ..activations import Activation, Activator
from ..activations import classes as activations
from ..initializers import Init
from ..kernels.codegen import run
from .base import CHANGED, Layer
from .changes import structure
from .prepared import LayerCalls, prepare

__all__ = ["DenseLayer"]


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
        spec, chosen = activations.choose(
            self._activation_name if activation is None else activation, parameters
        )
        self.dropout, self.l1, self.l2 = dropout, l1, l2
        self._columns = spec.columns(chosen)
        super().__init__(
            dim_input, dim_output, std, bias, init=init, dtype=dtype, rng=rng, trainable=trainable
        )
        self._set_activation(spec, chosen)

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
            if self.remembers:
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
        probability = number("dropout", value, least=0.0)
        if probability >= 1.0:
            raise ValueError(f"dropout must be below 1, but is {probability!r}")
        self._dropout = probability
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
        absolute = self.l1 * np.abs(w).sum(dtype=np.float64) if self.l1 else 0.0
        return float(absolute + (0.5 * self.l2 * np.vdot(w, w) if self.l2 else 0.0))

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

    def __call__(self, X: npt.ArrayLike) -> Array:
        """Output for the samples X, one a row; remembers them for `back_propagation`."""
        calls = self._prepared()
        result = calls.forward(X)
        if result is None:
            result = calls.forward(X := np.ascontiguousarray(convert("X", X, self._dtype)))
        if result is None:
            return super().__call__(X)
        self.remember(X, *result)
        return result[0]  # type: ignore[no-any-return]

    def back_propagation(self, delta: npt.ArrayLike, learning_rate: float) -> Array:
        """See `Layer.back_propagation`."""
        X, _, slope = self._remembered()
        error = self._prepared().back(delta, learning_rate, X, slope)
        return super().back_propagation(delta, learning_rate) if error is None else error

    _calls: LayerCalls | None = None

    def _prepared(self) -> LayerCalls:
        """The calls of the layer as it stands."""
        calls = self._calls
        if calls is None or not calls.fit(self):
            calls = self.__dict__["_calls"] = prepare(self)
        return calls

    def _changed(self) -> None:
        super()._changed()
        self.__dict__["_calls"] = None

    def forward_propagation(self, X: Array) -> Array:
        """Output f(X w + b)."""
        spec = self.activation
        if spec.kind:
            twin: DenseLayer = self.detached()
            if twin.activation is not spec:  # another thread's doing
                raise ValueError("activation was changed while the layer was computed")
            self.output, self._slope = passed = twin._forward_kind(X)
            return passed[0]
        with structure():  # together, whatever other threads assign
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
            raise ValueError(CHANGED)
        given = np.array(delta.T, self._dtype, order="C")
        if given.shape != (outputs, memory.shape[1]):
            expected = memory.shape[1], outputs
            raise ValueError(f"delta has shape {np.shape(delta)}, expected {expected}")
        if given.size:
            twin._run(spec.vjp_address(self._dtype), given, memory, outputs)
        error = np.ascontiguousarray(memory[: w.shape[1]].T)
        gradients = error @ w.T, X.T @ error, error.sum(axis=0)
        return (*gradients, given.sum(axis=1)) if spec.trained else gradients

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
