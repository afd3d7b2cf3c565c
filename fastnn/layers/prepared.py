"""Calls of a dense layer that are worked out once."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

from .._core.arrays import Array
from .._core.prepared import never
from ..kernels.calls import layer as calls
from ..kernels.codegen import headers

__all__ = ["LayerCalls", "goes_own_way", "prepare"]

# Multiplications and additions of such a call at most: NumPy's products pay from there on.
_WORK = 1 << 20


class LayerCalls(NamedTuple):
    """The calls, and what they are for.

    ``forward(X)`` gives the output and the derivative there, ``back(delta, rate, X, derivative)``
    the error of the input; both None where something does not fit.
    """

    w: Array | None
    b: Array | None
    activation: Any
    parameters: dict[str, float]
    trainable: bool
    forward: Callable[..., Any] = never
    back: Callable[..., Any] = never

    def fit(self, layer: Any) -> bool:
        """Whether the layer is still the one that these were made for."""
        return (
            self.w is layer._w
            and self.b is layer._b
            and self.activation is layer._activation
            and self.parameters is layer._parameters
            and self.trainable is layer._trainable
        )


def prepare(layer: Any) -> LayerCalls:
    """The calls of a layer as it stands."""
    w, b, spec, values = layer._w, layer._b, layer._activation, layer._parameters
    no_calls = LayerCalls(w, b, spec, values, layer._trainable)
    if w is None or b is None or spec.kind or goes_own_way(layer):
        return no_calls
    try:
        layer.check_shapes()
    except (TypeError, ValueError):  # the careful way says so
        return no_calls
    kernel = 0 if spec.is_identity else spec.training_address(w.dtype)
    most, known = _WORK // w.size, headers.table([w, b])
    forward, back = calls.layer(
        w, b, kernel, spec.numbers(values), layer._trainable, most, known
    )  # fmt: skip
    return no_calls._replace(forward=forward, back=back)


def goes_own_way(layer: Any) -> bool:
    """Whether a method of a dense layer is one of the caller's."""
    kind: Any = type(layer)
    return _differs(kind) or not layer.OWN_WAY.isdisjoint(vars(layer))


@functools.cache
def _differs(kind: Any) -> bool:
    """Whether a subclass of `DenseLayer` has another of the methods that it stands for."""
    base = next(one for one in kind.__mro__ if "OWN_WAY" in vars(one))
    return any(getattr(kind, name) is not getattr(base, name) for name in base.OWN_WAY)
