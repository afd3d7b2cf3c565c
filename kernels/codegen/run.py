"""Tile kernels called from Python, and the checks that walk over whole arrays."""

import numpy as np

from .declare import kernel, scalar
from .intrinsics import pointer
from .signature import call_tile_kernel


@kernel
def run(target, a, b, c, parameters, m, n, k):
    """Call the tile kernel at the address `target` on contiguous arrays."""
    p = pointer(parameters, 0)
    return call_tile_kernel(target, pointer(a, 0), pointer(b, 0), pointer(c, 0), p, m, n, k, 0)


_LANES, _NUMBERS = 1 << 10, 1 << 13  # samples, and numbers, at most: they stay in the caches
_LEAST = 16  # samples all the same
_SCRATCH = 4  # rows of a cost's scratch, see `losses.tile_kernels`


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
    width = features + columns + 1 + _SCRATCH
    lanes = min(samples, max(_LEAST, min(_LANES, _NUMBERS // width)))
    work = np.empty(width * lanes, x.dtype)
    total = 0.0
    for start in range(0, samples, lanes):
        rows = min(lanes, samples - start)
        a, b = pointer(work, 0), pointer(work, features * rows)
        weights = pointer(b, columns * rows)
        gather_columns(pointer(x, start * features), a, rows, features)
        gather_columns(pointer(t, start * columns), b, rows, columns)
        if w.size == 1:
            for r in range(rows):
                weights[r] = w[0]
        else:
            for r in range(rows):
                weights[r] = w[(start + r) // repeated]
        c = pointer(weights, rows)
        total += call_tile_kernel(
            target, a, b, c, pointer(parameters, 0), features, rows, columns, 0
        )
        if writes:
            scatter_columns(a, pointer(out, start * features), rows, features)
    return total


@scalar
def gather_columns(samples, columns, rows, features):
    """Some samples as columns."""
    for j in range(features):
        for r in range(rows):
            columns[j * rows + r] = samples[r * features + j]


@scalar
def scatter_columns(columns, samples, rows, features):
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
        gather_columns(pointer(x, r * features), a, 1, features)
        gather_columns(pointer(t, r * columns), b, 1, columns)
        weight[0] = w[0] if w.size == 1 else w[r]
        out[r] = call_tile_kernel(target, a, b, c, p, features, 1, columns, 0)


@kernel(reassoc=True)
def all_finite(x):
    """Whether a one-dimensional array holds neither NaN nor infinity."""
    total = x.dtype.type(0)
    for i in range(x.size):
        total += x[i] * x.dtype.type(0)  # 0 for every finite number, else NaN
    return total == 0
