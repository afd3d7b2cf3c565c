"""Rules that divide by means of squares, without a correction of the first steps."""

from ..codegen.declare import scalar
from ..codegen.intrinsics import cast_like, sqrt
from .layout import (
    OWN,
    RATE,
)


@scalar
def adagrad(g, s, c, i):
    """-η g / √Σ g²; 0 as long as that is 0."""
    total = s[0] + g * g
    return -(c[0] * g) / (sqrt(total) if total > cast_like(g, 0) else cast_like(g, 1)), total


@scalar
def epsilons(hyper, index, corrected, uncorrected):
    """ε inside the root and ε outside of it, by the place of ε that `hyper` names after it.

    Outside it is multiplied: by `corrected`, if it belongs to the root of the corrected mean, by
    `uncorrected`, if to that of the mean itself.
    """
    eps, place = hyper[index], hyper[index + 1]
    if place == 0.0:
        return eps, 0.0
    return 0.0, eps * (corrected if place == 1.0 else uncorrected)


@scalar
def rmsprop_constants(x, hyper, step):
    """η, 1 - ρ, ε in both pointers."""
    inside, outside = epsilons(hyper, OWN + 1, 1.0, 1.0)
    return (
        cast_like(x, hyper[RATE]),
        cast_like(x, 1.0 - hyper[OWN]),
        cast_like(x, inside),
        cast_like(x, outside),
    )


@scalar
def rmsprop(g, s, c, i):
    """-η g / (√(v + ε₁) + ε₂), v the mean of g²."""
    v = s[0] + c[1] * (g * g - s[0])
    return -(c[0] * g) / (sqrt(v + c[2]) + c[3]), v


@scalar
def adadelta_constants(x, hyper, step):
    """η, 1 - ρ, ε."""
    return cast_like(x, hyper[RATE]), cast_like(x, 1.0 - hyper[OWN]), cast_like(x, hyper[OWN + 1])


@scalar
def adadelta(g, s, c, i):
    """-η d, d = g √(u + ε) / √(v + ε), v and u the means of g² and d²."""
    v = s[0] + c[1] * (g * g - s[0])
    d = g * sqrt((s[1] + c[2]) / (v + c[2]))
    return -(c[0] * d), v, s[1] + c[1] * (d * d - s[1])


@scalar
def graves_constants(x, hyper, step):
    """η, 1 - ρ, ε, and the momentum."""
    return (
        cast_like(x, hyper[RATE]), cast_like(x, 1.0 - hyper[OWN]), cast_like(x, hyper[OWN + 1]),
        cast_like(x, hyper[OWN + 2]),
    )  # fmt: skip


@scalar
def graves(g, s, c, i):
    """d = μ d - η g / √(v - m² + ε); the variance is kept from falling below 0 by rounding."""
    m = s[0] + c[1] * (g - s[0])
    v = s[1] + c[1] * (g * g - s[1])
    variance = v - m * m
    variance = cast_like(g, 0) if variance < cast_like(g, 0) else variance
    d = c[3] * s[2] - c[0] * g / sqrt(variance + c[2])
    return d, m, v, d


@scalar
def smorms3_constants(x, hyper, step):
    """η and ε."""
    return cast_like(x, hyper[RATE]), cast_like(x, hyper[OWN])


@scalar
def smorms3(g, s, c, i):
    """-g min(η, ζ) / √(v + ε), ζ = m² / (v + ε); means over a memory s that ζ shortens."""
    one = cast_like(g, 1)
    share = one / (one + s[2])
    m = s[0] + share * (g - s[0])
    v = s[1] + share * (g * g - s[1])
    zeta = m * m / (v + c[1])
    rate = zeta if zeta < c[0] else c[0]
    return -(g * rate) / sqrt(v + c[1]), m, v, one + (one - zeta) * s[2]
