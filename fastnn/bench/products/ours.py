"""The engine's products on a tile: by its own choice among plain and packed operands."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import cycle, pairwise
from typing import Any

import numpy as np

from ..._core.arrays import aligned
from ...kernels.codegen.cache_lines import LINE_BYTES
from ...kernels.codegen.declare import address, kernel
from ...kernels.codegen.intrinsics import pointer
from ...kernels.engine import layout
from ...kernels.engine.model import Net
from ...kernels.engine.tile import multiply
from ...kernels.gemm import loops, packing
from ...kernels.gemm.product import SET
from ...kernels.gemm.registers import vector_lanes
from ...model.compile import packing_elements
from .cases import Array, Case, operands

__all__ = ["Products"]

_FORWARD, _BACKWARD, _GRADIENT = range(3)
_KINDS = {"forward": _FORWARD, "backward": _BACKWARD, "gradient": _GRADIENT}


def _repeat(
    descriptor: Any, w: Any, x: Any, d: Any, delta_t: Any, out: Any, room: Any, kind: int,
    n_samples: int, first: int, last: int, times: int,
) -> None:  # fmt: skip
    """So many times one product of a tile; of a gradient only rows first … last - 1.

    A gradient is summed along the samples, or from the error one sample a row, which is made here.
    """
    (n_in, n_lanes), (n_out, _), stride = x.shape, d.shape, delta_t.shape[1]
    weights, delta, delta_rows = pointer(w, 0), pointer(d, 0), pointer(delta_t, 0)
    inputs, target = pointer(x, first * n_lanes), pointer(out, first * n_out)
    space = pointer(room, 0)
    net = Net(pointer(descriptor, 0), pointer(descriptor, 0), weights, weights, 1, w.size)
    for _ in range(times):
        if kind == _FORWARD:
            multiply(
                net, weights, inputs, target, 1, n_out, n_lanes, n_lanes, n_out, n_lanes, n_in, SET,
                space, n_lanes,
            )  # fmt: skip
        elif kind == _BACKWARD:
            multiply(
                net, weights, delta, target, n_out, 1, n_lanes, n_lanes, n_in, n_lanes, n_out, SET,
                space, n_lanes,
            )  # fmt: skip
        elif loops.prefers_gemm_nt(n_in, n_out, n_lanes, vector_lanes(weights)):
            loops.call_gemm_nt(
                net.descriptor[layout.GEMM_NT], inputs, delta, target, n_lanes, n_lanes, n_out,
                last - first, n_out, n_lanes, 0,
            )  # fmt: skip
        else:
            loops.call_transpose(
                net.descriptor[layout.TRANSPOSE], delta, net.descriptor, delta_rows, n_lanes,
                n_lanes, -1, n_out - 1, stride, stride,
            )  # fmt: skip
            multiply(
                net, inputs, delta_rows, target, n_lanes, 1, stride, n_out, last - first, n_out,
                n_samples, SET, space, n_lanes,
            )  # fmt: skip


repeat: Any = kernel(_repeat)


@dataclass(frozen=True)
class _Share:
    """What one thread makes: the arguments of `repeat` but the last, and where the result is."""

    arguments: tuple[Any, ...]
    out: Array
    samples: int


class Products:
    """A competitor that makes all its steps in one compiled call for each thread.

    Threads share the samples, each with a tile of its own; of a gradient they share the inputs,
    and each transposes the error for itself. They meet when all steps are done.

    Parameters
    ----------
    case : Case
    threads : int

    """

    name, steps = "fastnn", 1

    def __init__(self, case: Case, threads: int) -> None:
        self._gradient = case.kind == "gradient"
        self._shares = (_by_inputs if self._gradient else _by_samples)(case, threads)
        self._pool = None
        if threads > 1:
            cores = cycle(_usable_cores())
            self._pool = ThreadPoolExecutor(threads, initializer=lambda: _stay_on(next(cores)))

    def start(self) -> None:
        """Nothing changes from step to step."""

    def run(self) -> None:
        """Make the product as many times as there are steps."""
        if self._pool is None:
            self._repeat(self._shares[0])
        else:
            list(self._pool.map(self._repeat, self._shares))

    def _repeat(self, share: _Share) -> None:
        repeat(*share.arguments, self.steps)

    def result(self) -> Array:
        """What the last run made: one sample a row, of a gradient one input."""
        if self._gradient:
            return self._shares[0].out
        return np.concatenate([share.out[:, : share.samples].T for share in self._shares])


def _usable_cores() -> list[int]:
    """Of this process; none where the system has no such thing."""
    return sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else [-1]


def _stay_on(core: int) -> None:
    """Keep this thread on a core: else the system may wake all threads of a short run on one."""
    if core >= 0:
        os.sched_setaffinity(0, {core})


def _by_samples(case: Case, threads: int) -> list[_Share]:
    w, x, d = operands(case)
    made = []
    for rows in np.array_split(np.arange(case.layer.batch), threads):
        tiles = _tile(x[rows]), _tile(d[rows])
        out = np.empty_like(tiles[1 if case.kind == "forward" else 0])
        made.append(_share(case, w, *tiles, out, rows.size, (0, 0)))
    return made


def _by_inputs(case: Case, threads: int) -> list[_Share]:
    w, x, d = operands(case)
    tiles, out = (_tile(x), _tile(d)), np.empty_like(w)
    cuts = [w.shape[0] * k // threads for k in range(threads + 1)]
    return [_share(case, w, *tiles, out, case.layer.batch, ends) for ends in pairwise(cuts)]


def _share(
    case: Case, w: Array, x: Array, d: Array, out: Array, samples: int, ends: tuple[int, int]
) -> _Share:
    line = LINE_BYTES // w.itemsize
    delta_t = _zeros(x.shape[1], -(-w.shape[1] // line) * line, w.dtype)
    space = packing_elements(list(pairwise(case.layer.sizes)), w.dtype)
    room = aligned(max(space, 1), w.dtype)
    descriptor = _descriptor(w.dtype, space)
    kind = _KINDS[case.kind]
    return _Share((descriptor, w, x, d, delta_t, out, room, kind, samples, *ends), out, samples)


def _descriptor(dtype: np.dtype[Any], space: int) -> Array:
    """The part of a model's that products read."""
    found = np.zeros(layout.PLACES, np.int64)
    found[layout.GEMM] = address(loops.gemm, dtype, loops.GEMM)
    found[layout.GEMM_NT] = address(loops.gemm_nt, dtype, loops.GEMM_NT)
    found[layout.TRANSPOSE] = address(loops.transpose, dtype, loops.TRANSPOSE)
    if space:
        found[layout.PACKED_GEMM] = address(packing.packed_gemm, dtype, packing.PACKED_GEMM)
    found[layout.PACKING] = space
    return found


def _tile(rows: Array) -> Array:
    """Features-major, in rows of whole cache lines; zeros beyond the last sample."""
    line = LINE_BYTES // rows.itemsize
    tile = _zeros(rows.shape[1], -(-rows.shape[0] // line) * line, rows.dtype)
    tile[:, : rows.shape[0]] = rows.T
    return tile


def _zeros(height: int, width: int, dtype: np.dtype[Any]) -> Array:
    found = aligned(height * width, dtype).reshape(height, width)
    found[:] = 0
    return found
