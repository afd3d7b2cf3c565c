"""Loops over whole vectors: sums of gradients, penalties, norms."""

import numpy as np

from ..codegen.declare import scalar
from ..codegen.intrinsics import cast_like, wide


@scalar
def add(a, b, count):
    """a = a + b."""
    wide()
    for i in range(count):
        a[i] += b[i]


@scalar
def penalise(w, g, l1, l2, moved, count):
    """Add the gradient of l1 Σ|w| + l2/2 Σ w², times `moved`, to g; returns that penalty."""
    absolute, square, zero = (
        cast_like(w[0], moved * l1),
        cast_like(w[0], moved * l2),
        cast_like(w[0], 0),
    )
    total = 0.0
    for i in range(count):
        x = w[i]
        sign = absolute if x > zero else (-absolute if x < zero else zero)
        g[i] += sign + square * x
        total += l1 * abs(x) + 0.5 * l2 * x * x
    return total


@scalar
def sum_of_squares(g, count):
    """Σ g²: in the dtype where that is finite, else in float64; NaN stays."""
    total = _squares(g, count)
    if total - total == cast_like(g[0], 0):
        return np.float64(total)
    exact = 0.0
    for i in range(count):
        exact += np.float64(g[i]) * np.float64(g[i])
    return exact


@scalar
def sum_of_scaled_squares(g, count, factor):
    """Σ (factor · g)², in float64, for gradients whose plain squares overflow or vanish."""
    total = 0.0
    for i in range(count):
        x = factor * np.float64(g[i])
        total += x * x
    return total


@scalar(reassoc=True)
def _squares(g, count):
    wide()
    total = cast_like(g[0], 0)
    for i in range(count):
        total += g[i] * g[i]
    return total


@scalar(reassoc=True)
def total_of(x, count):
    """Σ x, in float64."""
    wide()
    total = 0.0
    for i in range(count):
        total += np.float64(x[i])
    return total
