"""What `update` makes of its arguments, which are the article's."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .._core.arrays import Array, convert
from .._core.prepared import DTYPES, never
from ..kernels.calls import optimizer as calls
from .spec import Rule

__all__ = [
    "by_name", "checked_nargs", "decayed", "grads_ahead", "of_one_dtype", "point",
    "prepared",
]  # fmt: skip


_MOST = 1 << 18  # parameters: more are worth several threads
_DIMENSIONS = 4  # of gradients that a call is worked out for, at most


def _unfit(*arguments: Any) -> None:
    """The call for gradients that the careful way is for; others may do."""


def prepared(optimizer: Any, *grads: Any) -> Callable[..., Any]:
    """A call for gradients like these, ``(grad_w, grad_b, rate, step)``; None: it does not fit."""
    if optimizer.needs_more:
        return never
    arrays = [g for g in grads if type(g) is np.ndarray]
    dtype = arrays[0].dtype if arrays else np.dtype(np.float64)
    if dtype not in DTYPES or not all(0 < a.ndim <= _DIMENSIONS for a in arrays):
        return _unfit
    rule, shapes = optimizer.rule, tuple(np.shape(g) for g in grads)
    try:
        state = optimizer.state_for(np.empty(sum(map(np.size, grads)), dtype), shapes)
    except (TypeError, ValueError):  # the careful way says so
        return _unfit
    known = [g.shape if type(g) is np.ndarray else None for g in grads] if rule.states else None
    hyper = optimizer.numbers()
    memory = hyper.size - 1 if rule.memory else 0
    call: Callable[..., Any] = calls.update(
        rule.address(dtype), state.reshape(-1), hyper, optimizer.counter, known, memory, _MOST
    )
    return call


def by_name(rule: Rule, given: Sequence[Any]) -> dict[str, Any]:
    """What is given by place after the gradients, by name."""
    places = rule.places_of_update
    if len(given) > len(places):
        raise TypeError(
            f"update of {rule.name} takes grad_w, grad_b, {', '.join(places)} by "
            f"place, not {2 + len(given)} arguments"
        )
    return dict(zip(places, given, strict=False))


def of_one_dtype(names: tuple[str, ...], values: tuple[Any, ...]) -> list[Array]:
    """Arrays of one dtype, where Python's own numbers have no say, as in NumPy."""
    arrays = [convert(name, value) for name, value in zip(names, values, strict=True)]
    own = (bool, int, float)
    said = [a.dtype for a, value in zip(arrays, values, strict=True) if type(value) not in own]
    dtype = np.result_type(*said) if said else np.dtype(np.float64)
    return [convert(name, a, dtype) for name, a in zip(names, arrays, strict=True)]


def checked_nargs(nargs: Any, has_callables: bool) -> int | None:
    """How many arguments NAG's callables take."""
    if nargs is None and has_callables:
        return 2
    if nargs is not None and (type(nargs) is not int or nargs not in (0, 1, 2)):
        raise ValueError(f"nargs must be 0, 1 or 2, not {nargs!r}")
    return nargs


def point(w: Any, b: Any, dfw: Any, dfb: Any, nargs: int) -> list[Array]:
    """Weights and biases that NAG looks ahead from."""
    needed = {"w": w, "dfw": dfw, **({"b": b, "dfb": dfb} if nargs == 2 else {})}
    missing = [name for name, value in needed.items() if value is None]
    if missing:
        raise TypeError(f"NAG with nargs={nargs} and callables needs {', '.join(missing)} too")
    return of_one_dtype(("w", "b"), (w, 0.0 if b is None else b))


def grads_ahead(
    here: list[Array], velocity: Array, mu: float, functions: tuple[Callable[..., Any], ...]
) -> list[Array]:
    """Gradients at the place that NAG looks ahead to, mu times the velocity from here."""
    nargs = len(functions)
    parts = velocity[: here[0].size], velocity[here[0].size :]
    there = [p + mu * v.reshape(p.shape) for p, v in zip(here, parts, strict=True)][:nargs]
    grads = []
    for name, function, p in zip(("dfw", "dfb"), functions, here, strict=False):
        called = f"{name}({', '.join('wb'[:nargs])})"
        g = convert(called, function(*(array.copy() for array in there)), p.dtype)
        if g.shape != p.shape:
            raise ValueError(f"{called} has shape {g.shape}, expected {p.shape}")
        grads.append(g)
    return grads if nargs == 2 else [*grads, np.zeros_like(here[1])]


def decayed(w: Any, b: Any, grads: list[Array]) -> Array:
    """The parameters that a weight decay shrinks, as a vector."""
    if w is None or b is None:
        raise TypeError("update with a weight_decay needs w and b")
    parameters = [convert("w", w, grads[0].dtype), convert("b", b, grads[0].dtype)]
    for name, given, g in zip(("w", "b"), parameters, grads, strict=True):
        if given.shape != g.shape:
            raise ValueError(f"{name} has shape {given.shape}, expected {g.shape}")
    return np.concatenate([p.reshape(-1) for p in parameters])
