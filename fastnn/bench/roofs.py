"""The limits of the machine, measured on one core: bandwidth of each memory, and multiply-adds.

The peak is that of chains of fused multiply-adds which do not wait for one another, each in a
vector register of its own. A bandwidth is the largest of a copy's, a triad's
(a = b + s c) and that of scaling in place (a = s a), with all arrays together half as large as the
cache; bytes are those that the loop reads and writes, not those that the hardware fetches besides.
"""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import Any

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.core import cgutils as numba_cgutils
from numba.extending import intrinsic

from ..kernels.codegen.intrinsics import wide
from ..kernels.gemm.registers import Vectors

__all__ = ["caches", "measured"]

cgutils: Any = numba_cgutils  # partly annotated

_SECONDS = 0.004  # of a measurement: short, so that some are not disturbed
_ROUNDS = 30
_USUAL = {"L1": 32 << 10, "L2": 1 << 20, "L3": 16 << 20}  # where the system does not tell
# Two units that take four cycles each need eight; so many still fit in any set of registers.
_CHAINS = 12
_LARGEST = 1 << 30  # bytes of memory for all arrays
_UNITS = {"K": 1 << 10, "M": 1 << 20, "G": 1 << 30}


def measured() -> dict[str, Any]:
    """GB/s of every memory, GFLOP/s of both dtypes: of the best round, which no noise can raise."""
    sizes = caches()
    found: dict[str, Any] = {"caches": sizes, "bandwidth": {}, "peak": {}}
    # In memory the arrays are so large that the caches hold a small part of them.
    memories = {name: size // 2 for name, size in sizes.items()}
    memories["memory"] = min(_LARGEST, 4 * max(sizes.values()))
    for name, size in memories.items():
        found["bandwidth"][name] = {"bytes": size, **_bandwidth(size)}
    for dtype in (np.float32, np.float64):
        found["peak"][np.dtype(dtype).name] = _peak(dtype)
    return found


def caches() -> dict[str, int]:
    """Bytes of the data caches that a core of this machine has, by their levels."""
    found = {}
    for index in sorted(Path("/sys/devices/system/cpu/cpu0/cache").glob("index*")):
        try:
            kind, level, size = (
                (index / name).read_text().strip() for name in ("type", "level", "size")
            )
        except OSError:
            continue
        if kind != "Instruction" and (parts := re.fullmatch(r"(\d+)([KMG])", size)):
            found[f"L{level}"] = int(parts[1]) * _UNITS[parts[2]]
    return found or dict(_USUAL)


def _bandwidth(size: int) -> dict[str, Any]:
    """Of arrays that are so many bytes together."""
    count = size // (3 * 4)
    a, b, c = (np.ones(count, np.float32) for _ in range(3))
    d = np.ones(3 * count, np.float32)
    loops = {
        "copy": (lambda n: _copy(a, b, n), 2),
        "triad": (lambda n: _triad(a, b, c, n), 3),
        "scale": (lambda n: _scale(d, n), 6),
    }
    rates = {}
    for name, (call, arrays) in loops.items():
        rates[name] = [1e-9 * arrays * 4 * count * rate for rate in _rates(call)]
    best = max(rates, key=lambda name: max(rates[name]))
    return {"GB/s": max(rates[best]), "by": best, "rounds": rates}


def _peak(dtype: Any) -> dict[str, Any]:
    one = dtype(1)
    numbers, turns = _chains(one, 0), 1000
    rates = _rates(lambda repeats: _chains(one, turns * repeats))
    rounds = [1e-9 * 2 * numbers * turns * rate for rate in rates]
    return {"GFLOP/s": max(rounds), "rounds": rounds}


def _rates(call: Any) -> list[float]:
    """Repetitions a second, one a round, of a call that takes their number."""
    call(1)
    repeats = 1
    while True:
        begin = time.perf_counter()
        call(repeats)
        spent = time.perf_counter() - begin
        if spent > _SECONDS / 2:
            break
        repeats *= 2
    found = []
    for _ in range(_ROUNDS if spent < 2 * _SECONDS else _ROUNDS // 4):
        begin = time.perf_counter()
        call(repeats)
        found.append(repeats / (time.perf_counter() - begin))
    return found


@njit(nogil=True)
def _copy(a: Any, b: Any, repeats: int) -> None:
    wide()
    for _ in range(repeats):
        for i in range(a.size):
            a[i] = b[i]


@njit(nogil=True, fastmath={"contract"})
def _triad(a: Any, b: Any, c: Any, repeats: int) -> None:
    wide()
    s = b[0]
    for _ in range(repeats):
        for i in range(a.size):
            a[i] = b[i] + s * c[i]
        s += c[0]  # or the compiler might see that every turn does the same


@njit(nogil=True)
def _scale(a: Any, repeats: int) -> None:
    wide()
    s = a[0]
    for _ in range(repeats):
        for i in range(a.size):
            a[i] = s * a[i]


@intrinsic
def _chain(typingctx: Any, one: Any, turns: Any) -> Any:
    """The sum of all chains after so many multiply-adds of each; all begin with 1 everywhere."""
    sig = types.float64(one, types.int64)

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        vectors = Vectors(context, builder, sig.args[0])
        factor = vectors.spread(args[0])
        places = [cgutils.alloca_once_value(builder, factor) for _ in range(_CHAINS)]
        with cgutils.for_range(builder, args[1]):
            for place in places:
                builder.store(vectors.fma(builder.load(place), factor, factor), place)
        total = builder.load(places[0])
        for place in places[1:]:
            total = builder.fadd(total, builder.load(place))
        found = vectors.total(total)
        return builder.fpext(found, ir.DoubleType()) if vectors.single else found

    return sig, codegen


_turn: Any = _chain  # numba gives it the context by itself


@njit(nogil=True)
def _chains(one: Any, turns: int) -> Any:
    return _turn(one, turns)
