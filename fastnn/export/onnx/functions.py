"""Which nodes of ONNX a function of NumPy or SciPy is; those without an operator are composed.

A function that is missing here is an error when a network is written; add it here.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.polynomial import Chebyshev
from numpy.polynomial.chebyshev import chebval
from scipy.special import erfc, erfcx, expit

from .tracing import ROWS, Traced, UntraceableError, join, known

_OF_NUMBERS = {
    np.add: "Add",
    np.subtract: "Sub",
    np.multiply: "Mul",
    np.divide: "Div",
    np.negative: "Neg",
    np.absolute: "Abs",
    np.reciprocal: "Reciprocal",
    np.sign: "Sign",
    np.floor: "Floor",
    np.ceil: "Ceil",
    np.sqrt: "Sqrt",
    np.exp: "Exp",
    np.log: "Log",
    np.tanh: "Tanh",
    np.sin: "Sin",
    np.maximum: "Max",
    np.minimum: "Min",
    expit: "Sigmoid",
}
_CONDITIONS = {
    np.greater: "Greater",
    np.greater_equal: "GreaterOrEqual",
    np.less: "Less",
    np.less_equal: "LessOrEqual",
    np.equal: "Equal",
    np.isnan: "IsNaN",
    np.isinf: "IsInf",
    np.logical_and: "And",
    np.bitwise_and: "And",
    np.logical_or: "Or",
    np.bitwise_or: "Or",
    np.logical_not: "Not",
    np.invert: "Not",
}
_REDUCTIONS = {np.sum: "ReduceSum", np.max: "ReduceMax", np.min: "ReduceMin", np.mean: "ReduceMean"}


def _numbers(value: Any) -> Any:
    """True and false as 1 and 0."""
    if not isinstance(value, Traced) or not value.truth:
        return value
    nodes = value.nodes
    return Traced(nodes, nodes.add("Cast", value.name, to=nodes.type), value.shape)


def _operator(name: str, truth: bool) -> Callable[..., Any]:
    def write(*args: Any) -> Any:
        if name in ("And", "Or", "Not"):
            return join(name, *args, truth=True)
        return join(name, *map(_numbers, args), truth=truth)

    return write


for _functions, _truth in ((_OF_NUMBERS, False), (_CONDITIONS, True)):
    for _function, _name in _functions.items():
        known(_function)(_operator(_name, _truth))


def _reduction(name: str) -> Callable[..., Any]:
    def write(x: Traced, axis: Any = None, keepdims: Any = False) -> Any:
        axes = (axis,) if isinstance(axis, int) else axis or ()
        chosen = sorted(a % x.ndim for a in axes)
        if not chosen or any(x.shape[a] is ROWS for a in chosen):
            raise UntraceableError(f"{name} over axis {axis} has no form in ONNX: it joins samples")
        names, more = [x.name], dict[str, Any](axes=chosen)
        if name == "ReduceSum" or x.nodes.opset >= 18:  # an input by then
            names, more = [x.name, x.nodes.constant(np.array(chosen, np.int64))], {}
        kept = [1 if a in chosen else n for a, n in enumerate(x.shape)]
        shape = kept if keepdims else [n for a, n in enumerate(x.shape) if a not in chosen]
        found = x.nodes.add(name, *names, keepdims=int(bool(keepdims)), **more)
        return Traced(x.nodes, found, tuple(shape))

    return write


for _function, _name in _REDUCTIONS.items():
    known(_function)(_reduction(_name))


@known(np.positive)
def _positive(x: Any) -> Any:
    return x


@known(np.shape)
def _shape(x: Traced) -> tuple[int, ...]:
    return x.shape


@known(np.not_equal)
def _not_equal(a: Any, b: Any) -> Any:
    return ~(a == b)


@known(np.square)
def _square(x: Any) -> Any:
    return x * x


@known(np.power, np.float_power)
def _power(x: Any, exponent: Any) -> Any:
    whole = isinstance(exponent, int) and 0 < exponent <= 4
    return math.prod([x] * (exponent - 1), start=x) if whole else join("Pow", x, exponent)


@known(np.where)
def _where(condition: Any, a: Any, b: Any) -> Any:
    return join("Where", condition, _numbers(a), _numbers(b))


@known(np.clip)
def _clip(x: Any, low: Any, high: Any) -> Any:
    return np.minimum(np.maximum(x, low), high)


@known(np.isneginf)
def _isneginf(x: Any) -> Any:
    return x == -np.inf


@known(np.isposinf)
def _isposinf(x: Any) -> Any:
    return x == np.inf


@known(np.isfinite)
def _isfinite(x: Any) -> Any:
    return np.abs(x) < np.inf


@known(np.copysign)
def _copysign(size: Any, sign: Any) -> Any:
    return np.where(sign < 0, -np.abs(size), np.abs(size))


@known(np.hypot)
def _hypot(a: Any, b: Any) -> Any:
    """By the larger of the two, so that no square overflows."""
    large, small = (f(np.abs(a), np.abs(b)) for f in (np.maximum, np.minimum))
    quotient = small / np.where(large == 0, 1.0, large)
    return large * np.sqrt(1 + quotient * quotient)


@known(np.log1p)
def _log1p(x: Any) -> Any:
    """The error of 1 + x by the slope of the logarithm there (Kahan), for x in [-1, inf)."""
    u = 1 + x
    return np.where((u == 1) | (u == np.inf), x, np.log(u) * (x / np.where(u == 1, 1.0, u - 1)))


@known(np.expm1)
def _expm1(x: Any) -> Any:
    """tanh(x/2) (exp(x) + 1), in which nothing cancels."""
    return np.tanh(x / 2) * (np.exp(x) + 1)


@known(np.sinh)
def _sinh(x: Any) -> Any:
    """e (1 + 1/(1 + e)) / 2, e = exp(|x|) - 1."""
    e = np.expm1(np.abs(x))
    return np.copysign((e + np.where(e == np.inf, 1.0, e / (e + 1))) / 2, x)


@known(np.cosh)
def _cosh(x: Any) -> Any:
    return np.exp(x) / 2 + np.exp(-x) / 2


_DEGREE = {"f": 12, "d": 28}  # where the coefficients fall below eps / 8


@known(erfc)
def _erfc(x: Any) -> Any:
    """exp(-x²) t P(t), t = 2 / (2 + |x|), P a polynomial: small ones keep their digits, too."""
    size = np.abs(x)
    t = 2 / (2 + size)
    fit = Chebyshev.interpolate(lambda t: erfcx(2 / t - 2) / t, _DEGREE[x.nodes.dtype.char], (0, 1))
    tail = np.exp(-size * size) * (t * chebval(2 * t - 1, fit.coef))
    return np.where(x < 0, 2 - tail, tail)


@known(np.polyval)
def _polyval(coefficients: Any, x: Any) -> Any:
    result = coefficients[0]
    for c in coefficients[1:]:
        result = result * x + c
    return result


@known(np.reshape)
def _reshape(x: Traced, shape: Any) -> Any:
    wanted = (shape,) if isinstance(shape, int) else tuple(shape)
    if not wanted or wanted[0] is not ROWS or any(n is ROWS for n in x.shape[1:]):
        raise UntraceableError(
            f"a reshape to {wanted} has no form in ONNX: samples must stay the rows"
        )
    total, rest = math.prod(x.shape[1:]), math.prod(n for n in wanted[1:] if n != -1)
    full = ROWS, *(total // rest if n == -1 else n for n in wanted[1:])
    target = x.nodes.constant(np.array(full, np.int64))
    return Traced(x.nodes, x.nodes.add("Reshape", x.name, target), full)


@known(np.concatenate)
def _concatenate(parts: Any, axis: int = 0) -> Any:
    first, axis = parts[0], axis % parts[0].ndim
    shape = list(first.shape)
    shape[axis] = sum(part.shape[axis] for part in parts)
    found = first.nodes.add("Concat", *(part.name for part in parts), axis=axis)
    return Traced(first.nodes, found, tuple(shape))


@known(np.split)
def _split(x: Traced, sections: int, axis: int = 0) -> list[Any]:
    each = x.shape[axis] // sections
    return [_slice(x, axis % x.ndim, k * each, (k + 1) * each) for k in range(sections)]


@known(Traced.__getitem__)
def _getitem(x: Traced, key: Any) -> Any:
    whole = key[:-1] if isinstance(key, tuple) else ()
    part = key[-1] if isinstance(key, tuple) else None
    plain = all(k is Ellipsis or k == slice(None) for k in whole)
    if not isinstance(part, slice) or part.step is not None or not plain:
        raise UntraceableError(f"[{key}] has no form in ONNX here, expected [..., from:to]")
    start, stop, _ = part.indices(x.shape[-1])
    return _slice(x, x.ndim - 1, start, stop)


def _slice(x: Traced, axis: int, start: int, stop: int) -> Any:
    ends = [x.nodes.constant(np.array([n], np.int64)) for n in (start, stop, axis)]
    shape = (*x.shape[:axis], max(stop - start, 0), *x.shape[axis + 1 :])
    return Traced(x.nodes, x.nodes.add("Slice", x.name, *ends), shape)
