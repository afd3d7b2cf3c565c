"""A step in place: checks of arrays, what compiled code wants of them, and the call."""

from __future__ import annotations

import itertools
import operator
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from .._core.arrays import Array, convert
from .._core.foreign import item, shown
from .._core.threads import together
from ..kernels.codegen import barrier, headers
from ..kernels.codegen.cache_lines import LINE_WORDS
from ..kernels.optimizers import apply
from ..kernels.ufuncs.arguments import refuse_masked

__all__ = ["PreparedStep", "checked_arrays", "not_finite", "run_together", "same_arrays"]

_PRIVATE = headers.table([])  # of arrays that nobody else has


class PreparedStep(NamedTuple):
    """Arrays that a step has seen before, and what compiled code wants of them."""

    params: list[Array]
    grads: list[Array]
    places: npt.NDArray[np.int64]  # a row an array: addresses of both, size, first parameter
    headers: npt.NDArray[np.int64]
    state: Array  # a vector
    target: int  # address of the kernel
    sums: npt.NDArray[np.float64]
    counter: npt.NDArray[np.int64]

    @classmethod
    def of(
        cls,
        params: list[Array],
        grads: list[Array],
        state: Array,
        target: int,
        threads: int = 1,
        known: npt.NDArray[np.int64] = _PRIVATE,
    ) -> PreparedStep:
        """A step of these arrays, by at most so many threads; known: their headers."""
        places = np.empty((len(params), 4), np.int64)
        first = 0
        for k, (p, g) in enumerate(zip(params, grads, strict=True)):
            places[k] = p.ctypes.data, g.ctypes.data, p.size, first
            first += p.size
        sums, counter = np.zeros((threads, LINE_WORDS)), np.zeros(LINE_WORDS, np.int64)
        return cls(params, grads, places, known, state.reshape(-1), target, sums, counter)


def same_arrays(prepared: PreparedStep, params: Any, grads: Any) -> bool:
    """Whether these are the arrays of that step; compiled code looks at their headers."""
    if isinstance(params, np.ndarray):
        return params is prepared.params[0] and grads is prepared.grads[0]
    return (
        type(params) is list
        and type(grads) is list
        and len(params) == len(grads) == len(prepared.params)
        and all(map(operator.is_, params, prepared.params))
        and all(map(operator.is_, grads, prepared.grads))
    )


def checked_arrays(params: Any, grads: Any) -> tuple[list[Array], list[Array], bool]:
    """Parameters, gradients of their dtype, and whether the latter are the caller's own arrays."""
    single = isinstance(params, np.ndarray)
    for name, value in (("params", params), ("grads", grads)):
        if not (single or isinstance(value, (list, tuple))):
            expected = "an array or a list of arrays" if name == "params" else "a list, as params"
            raise TypeError(f"{name} must be {expected}, not {shown(value)}")
    targets = [params] if single else list(params)
    given = [grads] if single else list(grads)
    names = ["params" if single else f"params[{k}]" for k in range(len(targets))]
    if len(given) != len(targets):
        raise ValueError(f"grads has {len(given)} arrays, expected {len(targets)}, as params")
    if not targets:
        raise ValueError("params is empty, expected at least one array")
    for name, p in zip(names, targets, strict=True):
        _check_parameters(name, p, getattr(targets[0], "dtype", None))
    converted = [_gradient_of(*each) for each in zip(names, targets, given, strict=True)]
    _check_apart(names, targets, converted)
    return targets, converted, all(map(operator.is_, converted, given))


def _gradient_of(name: str, p: Array, g: npt.ArrayLike) -> Array:
    """The gradient of that parameter, of its dtype and shape."""
    other = name.replace("params", "grads")
    array = convert(other, g, p.dtype)
    if array.shape != p.shape:
        raise ValueError(f"{other} has shape {array.shape}, expected that of {name}, {p.shape}")
    return array


def _check_parameters(name: str, p: Any, dtype: np.dtype[Any] | None) -> None:
    if not isinstance(p, np.ndarray) or p.dtype not in (np.float32, np.float64):
        kind = p.dtype if isinstance(p, np.ndarray) else type(p).__name__
        raise TypeError(f"{name} must be an array of float32 or float64, not {kind}")
    if p.dtype != dtype:
        raise TypeError(f"{name} is of {p.dtype}, expected that of params[0], {dtype}")
    refuse_masked(name, p)
    if not p.flags.writeable:
        raise ValueError(f"{name} is read-only, but it is changed in place")
    if not (p.flags.c_contiguous and p.flags.aligned and p.dtype.isnative):
        raise ValueError(f"{name} must be C-contiguous: it is changed in place")


def _check_apart(names: list[str], params: list[Array], grads: list[Array]) -> None:
    """Refuse arrays that overlap: a step would read what it wrote."""
    spans = sorted(
        (p.ctypes.data, p.ctypes.data + p.nbytes, name)
        for name, p in zip(names, params, strict=True)
        if p.size
    )
    for (_, end, name), (begin, _, other) in itertools.pairwise(spans):
        if begin < end:
            raise ValueError(f"{name} and {other} share memory")
    for name, p in zip(names, params, strict=True):
        for k, g in enumerate(grads):
            if np.may_share_memory(p, g):
                raise ValueError(
                    f"{name} and {'grads' if len(grads) == 1 else f'grads[{k}]'} share memory"
                )


def run_together(prepared: PreparedStep, arguments: tuple[Any, ...], threads: int) -> int:
    """The step by several threads, or by one where others are at work; the kernel's code."""
    if not headers.unchanged(prepared.headers):  # a thread that found that would leave the others
        return int(apply.CHANGED)
    codes: list[int] = [apply.REFUSED] * threads
    prepared.counter[...] = 0
    system = barrier.system()

    def part(thread: int) -> None:
        codes[thread] = int(apply.take_step(*arguments, thread, threads, system))

    if together(threads, part):
        return codes[0]
    alone: int = apply.take_step(*arguments, 0, 1, 0)
    return alone


def not_finite(grads: list[Array], names: tuple[str, ...]) -> ValueError | None:
    """The error for the first gradient that is not finite; names: of each, or of their list."""
    single, named = len(grads) == 1, len(names) == len(grads)
    each = names if single or named else [f"{names[0]}[{k}]" for k in range(len(grads))]
    for name, g in zip(each, grads, strict=True):
        bad = np.argwhere(~np.isfinite(g))
        if len(bad):
            index = tuple(int(k) for k in bad[0])
            return ValueError(
                f"{item(name, index)} is {g[index]}, expected a finite number; nothing was changed"
            )
    return None
