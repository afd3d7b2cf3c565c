"""Adam and its relatives: means of gradients and squares, corrected for the first steps."""

from ..codegen.declare import scalar
from ..codegen.intrinsics import cast_like, sqrt
from .adaptive import epsilons
from .layout import (
    LOSS,
    OWN,
    RATE,
)


@scalar
def adamax_constants(x, hyper, step):
    """α / (1 - β₁ᵗ), 1 - β₁, β₂."""
    beta1 = hyper[OWN]
    rate = hyper[RATE] / (1.0 - beta1**step)
    return cast_like(x, rate), cast_like(x, 1.0 - beta1), cast_like(x, hyper[OWN + 1])


@scalar
def adamax(g, s, c, i):
    """-α' m / u, u = max(β₂ u, |g|); 0 as long as that is 0."""
    m = s[0] + c[1] * (g - s[0])
    u, size = c[2] * s[1], abs(g)
    u = size if size > u else u
    return -(c[0] * m) / (u if u > cast_like(g, 0) else cast_like(g, 1)), m, u


@scalar
def adam_constants(x, hyper, step):
    """Step size, 1 - β₁, 1 - β₂, and ε in both pointers.

    With ε inside the root, η √(1 - β₂ᵗ) / (1 - β₁ᵗ) · m / √(v + ε). With ε outside it,
    η m̂ / (√v̂ + ε), which is η √(1 - β₂ᵗ) / (1 - β₁ᵗ) · m / (√v + ε √(1 - β₂ᵗ)). Uncorrected,
    η √(1 - β₂ᵗ) / (1 - β₁ᵗ) · m / (√v + ε).
    """
    beta1, beta2 = hyper[OWN], hyper[OWN + 1]
    root = (1.0 - beta2**step) ** 0.5
    rate = hyper[RATE] * root / (1.0 - beta1**step)
    inside, outside = epsilons(hyper, OWN + 2, root, 1.0)
    return (
        cast_like(x, rate),
        cast_like(x, 1.0 - beta1),
        cast_like(x, 1.0 - beta2),
        cast_like(x, inside),
        cast_like(x, outside),
    )


@scalar
def adam(g, s, c, i):
    """-η' m / (√(v + ε₁) + ε₂), m and v the means of g and g²."""
    m = s[0] + c[1] * (g - s[0])
    v = s[1] + c[2] * (g * g - s[1])
    return -(c[0] * m) / (sqrt(v + c[3]) + c[4]), m, v


@scalar
def belief_constants(x, hyper, step):
    """Step size, 1 - β₁, 1 - β₂, ε, and ε outside the root."""
    beta1, beta2, eps = hyper[OWN], hyper[OWN + 1], hyper[OWN + 2]
    root = (1.0 - beta2**step) ** 0.5
    rate = hyper[RATE] * root / (1.0 - beta1**step)
    return (
        cast_like(x, rate), cast_like(x, 1.0 - beta1), cast_like(x, 1.0 - beta2), cast_like(x, eps),
        cast_like(x, eps * root),
    )  # fmt: skip


@scalar
def belief(g, s, c, i):
    """-η' m / (√v + ε'), v the mean of (g - m)², plus ε at each step."""
    m = s[0] + c[1] * (g - s[0])
    away = g - m
    v = s[1] + c[2] * (away * away - s[1]) + c[3]
    return -(c[0] * m) / (sqrt(v) + c[4]), m, v


@scalar
def nadam_constants(x, hyper, step):
    """Factors of m and g, 1 - μ, 1 - ν, the correction of v, and ε in both pointers."""
    mu, nu, rate = hyper[OWN], hyper[OWN + 1], hyper[RATE]
    corrected = 1.0 / (1.0 - nu**step)
    inside, outside = epsilons(hyper, OWN + 2, 1.0, corrected**0.5)
    if hyper[OWN + 3] == 0.0:
        corrected *= nu  # as Dozat's report prints it
    return (
        cast_like(x, rate * mu / (1.0 - mu ** (step + 1))),
        cast_like(x, rate * (1.0 - mu) / (1.0 - mu**step)), cast_like(x, 1.0 - mu),
        cast_like(x, 1.0 - nu), cast_like(x, corrected), cast_like(x, inside),
        cast_like(x, outside),
    )  # fmt: skip


@scalar
def nadam(g, s, c, i):
    """-(a m + b g) / (√(v̂ + ε₁) + ε₂), m and v the means of g and g²."""
    m = s[0] + c[2] * (g - s[0])
    v = s[1] + c[3] * (g * g - s[1])
    return -(c[0] * m + c[1] * g) / (sqrt(c[4] * v + c[5]) + c[6]), m, v


@scalar
def radam_constants(x, hyper, step):
    """Step size, 1 - β₁, 1 - β₂, and the divisor as a √v + b; before rectification it is 1."""
    beta1, beta2, eps = hyper[OWN], hyper[OWN + 1], hyper[OWN + 2]
    rate, decayed = hyper[RATE] / (1.0 - beta1**step), beta2**step
    longest = 2.0 / (1.0 - beta2) - 1.0
    length = longest - 2.0 * step * decayed / (1.0 - decayed)
    of_root, added = 0.0, 1.0
    if length > 5.0:
        of_root, added = 1.0, eps
        up = (length - 4.0) * (length - 2.0) * longest
        down = (longest - 4.0) * (longest - 2.0) * length
        rate *= (up / down * (1.0 - decayed)) ** 0.5
    return (
        cast_like(x, rate),
        cast_like(x, 1.0 - beta1),
        cast_like(x, 1.0 - beta2),
        cast_like(x, of_root),
        cast_like(x, added),
    )


@scalar
def radam(g, s, c, i):
    """-η' m / (a √v + b), m and v the means of g and g²."""
    m = s[0] + c[1] * (g - s[0])
    v = s[1] + c[2] * (g * g - s[1])
    return -(c[0] * m) / (c[3] * sqrt(v) + c[4]), m, v


@scalar
def amsgrad_constants(x, hyper, step):
    """Step size, 1 - β₁, 1 - β₂, ε in both pointers; inside: η / √t and no correction."""
    if hyper[OWN + 3] != 0.0:
        return adam_constants(x, hyper, step)
    return (
        cast_like(x, hyper[RATE] / step**0.5), cast_like(x, 1.0 - hyper[OWN]),
        cast_like(x, 1.0 - hyper[OWN + 1]), cast_like(x, hyper[OWN + 2]), cast_like(x, 0.0),
    )  # fmt: skip


@scalar
def amsgrad(g, s, c, i):
    """-η' m / (√(w + ε₁) + ε₂), w the largest of all means v of g² so far."""
    m = s[0] + c[1] * (g - s[0])
    v = s[1] + c[2] * (g * g - s[1])
    most = v if v > s[2] else s[2]
    return -(c[0] * m) / (sqrt(most + c[3]) + c[4]), m, v, most


@scalar
def adabound_constants(x, hyper, step):
    """Step size, 1 - β₁, 1 - β₂, ε, both bounds, and the factor of the bounded rate."""
    final, beta1, beta2, eps = hyper[OWN], hyper[OWN + 1], hyper[OWN + 2], hyper[OWN + 3]
    grown, rate = (1.0 - beta2) * step, hyper[RATE]
    low = final * (1.0 - 1.0 / (grown + 1.0))
    if hyper[OWN + 4] != 0.0:  # the authors' package
        rate *= (1.0 - beta2**step) ** 0.5 / (1.0 - beta1**step)
        high, added, factor = final * (1.0 + 1.0 / grown), eps, 1.0
    else:
        high, added, factor = final * (1.0 + 1.0 / (grown + eps)), 0.0, 1.0 / step**0.5
    return (
        cast_like(x, rate), cast_like(x, 1.0 - beta1), cast_like(x, 1.0 - beta2),
        cast_like(x, added), cast_like(x, low), cast_like(x, high), cast_like(x, factor),
    )  # fmt: skip


@scalar
def _bounded(root, c):
    """The rate, η' / (√v + ε) within its bounds; a root of 0 gives the upper one."""
    rate = c[0] / (root + c[3])
    rate = rate if rate < c[5] else c[5]  # NaN, 0 / 0, too
    return (rate if rate > c[4] else c[4]) * c[6]


@scalar
def adabound(g, s, c, i):
    """-η'' m, m and v the means of g and g²."""
    m = s[0] + c[1] * (g - s[0])
    v = s[1] + c[2] * (g * g - s[1])
    return -(_bounded(sqrt(v), c) * m), m, v


@scalar
def amsbound(g, s, c, i):
    """The same with the largest v so far."""
    m = s[0] + c[1] * (g - s[0])
    v = s[1] + c[2] * (g * g - s[1])
    most = v if v > s[2] else s[2]
    return -(_bounded(sqrt(most), c) * m), m, v, most


@scalar
def eve_advance(memory, hyper, step):
    """The mean of the relative change of the loss, and the loss."""
    beta3, most, least = hyper[OWN + 2], hyper[OWN + 3], hyper[OWN + 5]
    f, last = hyper[LOSS], memory[1]
    change = memory[0] if step > 1 else 1.0
    if step > 1 and last == last:  # NaN: no loss is known so far
        distance = abs(f - last)
        ratio = distance / (min(f, last) - least) if distance > 0.0 else 0.0
        change = memory[0] + (1.0 - beta3) * (min(max(ratio, 1.0 / most), most) - memory[0])
    memory[2], memory[3] = change, f


@scalar
def eve_constants(x, hyper, step):
    """As of Adam with ε outside the root, the rate divided by the change of the loss."""
    beta1, beta2, eps = hyper[OWN], hyper[OWN + 1], hyper[OWN + 4]
    root = (1.0 - beta2**step) ** 0.5
    rate = hyper[RATE] * root / ((1.0 - beta1**step) * hyper[OWN + 8])
    return (
        cast_like(x, rate), cast_like(x, 1.0 - beta1), cast_like(x, 1.0 - beta2), cast_like(x, 0.0),
        cast_like(x, eps * root),
    )  # fmt: skip
