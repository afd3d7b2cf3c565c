"""One less the cosine of two vectors. Tile kernels as in `tile_kernels`."""

import functools

from ..codegen.declare import carray, scalar
from ..codegen.intrinsics import cast_like, sqrt, wide
from ..vecmath.reductions import total_of
from .elementwise import weighted


@functools.cache
def cosine(step):
    """Tile kernel: Σ w (1 - â·t̂) = Σ w |â - t̂|²/2, of unit vectors; 1 where one is zero.

    step: a = w (â (â·t̂) - t̂) / |a|, in place; 0 where one is zero.
    """

    def cosine_kernel(a, b, c, hyper, n_features, n_lanes, n_targets, flag):
        wide()
        x, t = carray(a, (n_features, n_lanes)), carray(b, (n_features + 1, n_lanes))
        work = carray(c, (4, n_lanes))
        size, scale, norm, cost = work[0], work[1], work[2], work[3]
        one, half = cast_like(size[0], 1), cast_like(size[0], 0.5)
        _largest(x, size, n_features, n_lanes)
        _norm(x, size, norm, n_features, n_lanes)
        for j in range(n_features):
            for r in range(n_lanes):
                x[j, r] = (x[j, r] / size[r]) / norm[r]
        for r in range(n_lanes):
            size[r] = (one / size[r]) / norm[r]
        _largest(t, scale, n_features, n_lanes)
        _norm(t, scale, norm, n_features, n_lanes)
        for r in range(n_lanes):
            cost[r] = cast_like(one, 0)
        for j in range(n_features):
            for r in range(n_lanes):
                d = x[j, r] - (t[j, r] / scale[r]) / norm[r]
                cost[r] += half * d * d
        for r in range(n_lanes):
            # of a zero vector nothing was divided, and its norm is infinite
            cost[r] = (
                one
                if (size[r] == cast_like(one, 0)) | (norm[r] == cast_like(one, _INFINITY))
                else cost[r]
            )
        if step:
            for j in range(n_features):
                for r in range(n_lanes):
                    unit = (t[j, r] / scale[r]) / norm[r]
                    d = (x[j, r] - unit) - cost[r] * x[j, r]
                    empty = norm[r] == cast_like(one, _INFINITY)
                    x[j, r] = weighted(
                        t[n_features, r], cast_like(one, 0) if empty else d * size[r]
                    )
        for r in range(n_lanes):
            cost[r] = weighted(t[n_features, r], cost[r])
        return total_of(cost, n_lanes)

    return cosine_kernel


_INFINITY = float("inf")


@scalar
def _largest(x, size, n_features, n_lanes):
    """size[r] = max |x| over the features, or 1 where that is 0."""
    for r in range(n_lanes):
        size[r] = cast_like(size[0], 0)
    for j in range(n_features):
        for r in range(n_lanes):
            found = abs(x[j, r])
            size[r] = found if found > size[r] else size[r]
    for r in range(n_lanes):
        size[r] = cast_like(size[0], 1) if size[r] == cast_like(size[0], 0) else size[r]


@scalar
def _norm(x, size, norm, n_features, n_lanes):
    """norm[r] = |x / size|, or infinite where that is 0."""
    for r in range(n_lanes):
        norm[r] = cast_like(norm[0], 0)
    for j in range(n_features):
        for r in range(n_lanes):
            part = x[j, r] / size[r]
            norm[r] += part * part
    for r in range(n_lanes):
        zero = norm[r] == cast_like(norm[0], 0)
        norm[r] = cast_like(norm[0], _INFINITY) if zero else sqrt(norm[r])
