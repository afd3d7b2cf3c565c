"""Softmax of the features of many samples, which stand side by side in rows."""

from ..codegen.declare import scalar
from ..codegen.intrinsics import cast_like
from .exponential import exp


@scalar
def row_maxima(x, top, n_features, n_lanes):
    """top[r] = max over the features; a NaN may be passed over, exp() brings it back."""
    for r in range(n_lanes):
        top[r] = x[0, r]
    for j in range(1, n_features):
        for r in range(n_lanes):
            top[r] = x[j, r] if x[j, r] > top[r] else top[r]


@scalar
def shifted_exp(x, top):
    """exp(x - top) for x <= top, with what the difference lost to rounding; exactly 1 at the top.

    Without it the error would grow with the size of the difference.
    """
    below = x - top
    part = below - x
    lost = (x - (below - part)) - (top + part)
    lost = lost if abs(below) < cast_like(x, float("inf")) else cast_like(x, 0.0)
    e = exp(below)
    return e + e * lost


@scalar
def add_exactly(total, low, e):
    """The pair total + low, plus e."""
    new = total + e
    part = new - total
    return new, low + ((total - (new - part)) + (e - part))


@scalar
def exponentials(x, work, n_features, n_lanes, keep):
    """work[0] = max x, work[1] = Σ exp(x - max) - 1, by one term of those that are 1.

    keep: exp(x - max) takes the place of x. All as pairs, so that many samples of small sums and
    sums of many features are as accurate as few. A row with NaN, with ∞ or of -∞ only has NaN.
    """
    row_maxima(x, work[0], n_features, n_lanes)
    for r in range(n_lanes):
        work[1, r] = cast_like(work[0, r], -1.0)
        work[2, r] = cast_like(work[0, r], 0.0)
    for j in range(n_features):
        for r in range(n_lanes):
            e = shifted_exp(x[j, r], work[0, r])
            work[1, r], work[2, r] = add_exactly(work[1, r], work[2, r], e)
            if keep:
                x[j, r] = e
    for r in range(n_lanes):
        work[1, r] += work[2, r]


SOFTMAX_ROWS = 3  # of scratch


@scalar
def softmax(x, work, n_features, n_lanes):
    """x = exp(x - max) / Σ exp(x - max) over the features of each sample.

    Accuracy: 3.0 ULP in float32 and float64, of up to 1000 features.
    """
    exponentials(x, work, n_features, n_lanes, True)
    for r in range(n_lanes):
        work[1, r] += cast_like(work[1, r], 1.0)
    for j in range(n_features):
        for r in range(n_lanes):
            x[j, r] = x[j, r] / work[1, r]


@scalar
def softmax_vjp(g, y, total, out, n_features, n_lanes, minus):
    """out = y (g - Σ g y), or its negative; out may be g or y."""
    for r in range(n_lanes):
        total[r] = cast_like(total[r], 0.0)
    for j in range(n_features):
        for r in range(n_lanes):
            total[r] += g[j, r] * y[j, r]
    for j in range(n_features):
        for r in range(n_lanes):
            d = total[r] - g[j, r] if minus else g[j, r] - total[r]
            out[j, r] = y[j, r] * d
