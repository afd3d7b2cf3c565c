"""Tile kernels called from Python, and the checks that walk over whole arrays."""

import numpy as np

from .declare import kernel, scalar
from .intrinsics import cast_like, pointer
from .signature import call_tile_kernel


@kernel
def run(target, a, b, c, parameters, m, n, k):
    """Call the tile kernel at the address `target` on contiguous arrays."""
    p = pointer(parameters, 0)
    return call_tile_kernel(target, pointer(a, 0), pointer(b, 0), pointer(c, 0), p, m, n, k, 0)


_LANES, _NUMBERS = 1 << 10, 1 << 13  # samples, and numbers, at most: they stay in the caches
_LEAST = 16  # samples all the same
_SCRATCH = 4  # rows of a cost's scratch, see `losses.tile_kernels`


@scalar
def work_width(features, columns):
    """Numbers that `sum_samples` needs for a sample: logits, targets, a weight and scratch."""
    return features + columns + 1 + _SCRATCH


@scalar
def work_lanes(width):
    """Samples that it works on together, of so many numbers each."""
    return max(_LEAST, min(_LANES, _NUMBERS // width))


@kernel
def run_samples(target, x, t, w, parameters, out, writes, samples, features, columns, repeated):
    """Sum of what the tile kernel of a cost returns for some samples at a time.

    Parameters
    ----------
    target : address of the kernel
    x, t : vectors, samples of so many features, and of so many columns
    w : vector, a weight for each sample, or for `repeated` in turn, or one for all
    parameters : those of the cost
    out, writes : vector that gets what the kernel makes of x, if asked for

    """
    width = work_width(features, columns)
    lanes = min(samples, work_lanes(width))
    work = np.empty(width * lanes, x.dtype)
    return sum_samples(
        target, pointer(x, 0), pointer(t, 0), pointer(w, 0), w.size, repeated,
        pointer(parameters, 0), pointer(out, 0), writes, samples, features, columns,
        pointer(work, 0), lanes,
    )  # fmt: skip


@scalar
def sum_samples(
    target, x, t, w, n_weights, repeated, hyper, out, writes, samples, features, columns, work,
    lanes,
):  # fmt: skip
    """The same on pointers, with memory for the given number of samples; see `work_width`."""
    total = 0.0
    for start in range(0, samples, lanes):
        rows = min(lanes, samples - start)
        a, b = pointer(work, 0), pointer(work, features * rows)
        weights = pointer(b, columns * rows)
        _gather(pointer(x, start * features), a, rows, features)
        _gather(pointer(t, start * columns), b, rows, columns)
        if n_weights == 1:
            for r in range(rows):
                weights[r] = w[0]
        else:
            for r in range(rows):
                weights[r] = w[(start + r) // repeated]
        scratch = pointer(weights, rows)
        total += call_tile_kernel(target, a, b, scratch, hyper, features, rows, columns, 0)
        if writes:
            _scatter(a, pointer(out, start * features), rows, features)
    return total


@scalar
def _gather(samples, columns, rows, features):
    """Some samples as columns."""
    for j in range(features):
        for r in range(rows):
            columns[j * rows + r] = samples[r * features + j]


@scalar
def _scatter(columns, samples, rows, features):
    """Columns as samples again."""
    for j in range(features):
        for r in range(rows):
            samples[r * features + j] = columns[j * rows + r]


@kernel
def run_each(target, x, t, w, parameters, out, features, columns):
    """The same for each sample by itself; sets what the kernel returns for it."""
    work = np.empty(features + columns + 1 + _SCRATCH, x.dtype)
    a, b = pointer(work, 0), pointer(work, features)
    weight = pointer(b, columns)
    c, p = pointer(weight, 1), pointer(parameters, 0)
    for r in range(out.size):
        _gather(pointer(x, r * features), a, 1, features)
        _gather(pointer(t, r * columns), b, 1, columns)
        weight[0] = w[0] if w.size == 1 else w[r]
        out[r] = call_tile_kernel(target, a, b, c, p, features, 1, columns, 0)


@scalar(reassoc=True)
def are_finite(x, count):
    """Whether so many numbers are neither NaN nor infinite."""
    total = cast_like(x[0], 0)
    for i in range(count):
        total += x[i] * cast_like(x[0], 0)  # 0 for every finite number, else NaN
    return total == cast_like(x[0], 0)


@kernel
def all_finite(x):
    """The same of a vector."""
    return are_finite(pointer(x, 0), x.size)
