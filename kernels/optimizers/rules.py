"""Update rules: a scalar formula each, and the maker that turns it into a tile kernel.

A rule is two or three functions.

``constants(x, hyper, step)``
    What all parameters share, computed once a step in the dtype of x; step: 1 for the first.
    hyper[RATE] is the learning rate, the rule's own numbers begin at ``hyper[OWN]``.
``update(g, s, c, i)``
    For one parameter: its gradient, its states, those constants and its place; returns what is to
    be added to it, and the new states.
``advance(memory, hyper, step)``
    Optional: of a rule that remembers numbers of the whole step. memory[k] is what it remembers,
    ``memory[count + k]`` takes what it will remember if the step is taken.

Formulas are those of the articles and papers named in ``fastnn/optimizers/table.py``.
"""

import functools

import numpy as np

from ..codegen.declare import carray, cast_like, pointer, scalar, sqrt
from ..codegen.vector_loops import sweep
from ..vecmath.elementary import exp
from ..vecmath.random import mix, normal

# Places of a rule's hyperparameters. LOOK: whether even a small gradient may end in infinity or
# NaN, so that every step must be tried before it is taken. SKIP: 1 if a step that would is left
# out, and not an error, UNSEEN if nobody looks. LOSS: of this step, before it.
RATE, SCALE, LIMIT, DECAY, CLIP, LOOK, SKIP, LOSS, OWN = range(9)

UNSEEN = 2

# What a tile kernel does, by its flag; from FIRST on it tells the place of its first parameter.
APPLY, DRY_RUN, BEGIN, FIRST = 0, 1, 2, 4


@scalar
def sgd_constants(x, hyper, step):
    """The learning rate η."""
    return (cast_like(x, hyper[RATE]),)


@scalar
def sgd(g, s, c, i):
    """-η g."""
    return (-(c[0] * g),)


@scalar
def momentum_constants(x, hyper, step):
    """(1 - μ) η and μ."""
    mu = hyper[OWN]
    return cast_like(x, (1.0 - mu) * hyper[RATE]), cast_like(x, mu)


@scalar
def momentum(g, s, c, i):
    """v = μ v - (1 - μ) η g."""
    v = c[1] * s[0] - c[0] * g
    return v, v


@scalar
def nesterov(g, s, c, i):
    """(1 + μ) v - μ v', v' that before: momentum for parameters that stand where it looks ahead."""
    v = c[1] * s[0] - c[0] * g
    return v + c[1] * (v - s[0]), v


@scalar
def adagrad(g, s, c, i):
    """-η g / √Σ g²; 0 as long as that is 0."""
    total = s[0] + g * g
    return -(c[0] * g) / (sqrt(total) if total > cast_like(g, 0) else cast_like(g, 1)), total


@scalar
def _epsilons(hyper, index, corrected):
    """ε inside the root and ε outside of it, from two numbers; outside times `corrected`."""
    outside = hyper[index + 1] != 0.0
    return 0.0 if outside else hyper[index], hyper[index] * corrected if outside else 0.0


@scalar
def rmsprop_constants(x, hyper, step):
    """η, 1 - ρ, ε in both pointers."""
    inside, outside = _epsilons(hyper, OWN + 1, 1.0)
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
    η m̂ / (√v̂ + ε), which is η √(1 - β₂ᵗ) / (1 - β₁ᵗ) · m / (√v + ε √(1 - β₂ᵗ)).
    """
    beta1, beta2 = hyper[OWN], hyper[OWN + 1]
    root = (1.0 - beta2**step) ** 0.5
    rate = hyper[RATE] * root / (1.0 - beta1**step)
    inside, outside = _epsilons(hyper, OWN + 2, root)
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
    inside, outside = _epsilons(hyper, OWN + 2, 1.0)
    corrected = 1.0 / (1.0 - nu**step)
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


@scalar
def lion_constants(x, hyper, step):
    """η, 1 - β₁, 1 - β₂."""
    return (
        cast_like(x, hyper[RATE]),
        cast_like(x, 1.0 - hyper[OWN]),
        cast_like(x, 1.0 - hyper[OWN + 1]),
    )


@scalar
def _signed(size, x):
    """The size with the sign of x; 0 for 0, NaN for NaN."""
    zero = cast_like(x, 0)
    return size if x > zero else (-size if x < zero else x)


@scalar
def lion(g, s, c, i):
    """-η sign(m + (1 - β₁)(g - m)), then the mean m of g with β₂."""
    return -_signed(c[0], s[0] + c[1] * (g - s[0])), s[0] + c[2] * (g - s[0])


@scalar
def rprop_constants(x, hyper, step):
    """Factors of the step where the gradient changes its sign and where not; its limits."""
    return (
        cast_like(x, hyper[OWN]), cast_like(x, hyper[OWN + 1]), cast_like(x, hyper[OWN + 2]),
        cast_like(x, hyper[OWN + 3]),
    )  # fmt: skip


@scalar
def rprop(g, s, c, i):
    """-sign(g) d; d grows while the sign stays; where it changes d shrinks and nothing moves."""
    zero = cast_like(g, 0)
    turn = _signed(cast_like(g, 1), g) * _signed(cast_like(g, 1), s[0])
    size = s[1] * (c[1] if turn > zero else (c[0] if turn < zero else cast_like(g, 1)))
    size = size if size > c[2] else c[2]
    size = size if size < c[3] else c[3]
    g = zero if turn < zero else g
    return -_signed(size, g), g, size


@scalar
def santa_constants(x, hyper, step):
    """η, η/β, σ, (1 - σ)/N², λ, whether it still explores, and the key of the noise."""
    rate, sigma, damping = hyper[RATE], hyper[OWN], hyper[OWN + 1]
    # β is what a function of the caller gave for this step, or a power of the step
    beta = hyper[OWN + 2] if hyper[OWN + 2] > 0.0 else step ** hyper[OWN + 3]
    warmth, explores = rate / beta, step < hyper[OWN + 4]
    batches, seed = hyper[OWN + 6], hyper[OWN + 7]
    key = mix(np.uint64(np.int64(seed)) + np.uint64(step) * np.uint64(0x9E3779B97F4A7C15))
    return (
        cast_like(x, rate), cast_like(x, warmth), cast_like(x, sigma),
        cast_like(x, (1.0 - sigma) / batches**2), cast_like(x, damping), explores, key,
    )  # fmt: skip


@scalar
def _santa_forces(g, s, c, i):
    """v, its preconditioner, and what temperature and noise add to the momentum."""
    one, zero = cast_like(g, 1), cast_like(g, 0)
    u, before = s[0], s[2]
    v = c[2] * s[1] + c[3] * g * g
    scale = one / sqrt(c[4] + sqrt(v))
    drift = zero if u == zero else c[1] * (one - before / scale) / u
    noise = sqrt(c[1] * (before + before)) * normal(g, c[6], i)
    return v, scale, drift + noise if c[5] else zero


@scalar
def santa_e(g, s, c, i):
    """G u: the Euler scheme of Santa (Chen et al. 2016, algorithm 1), G from the mean v of g²."""
    u, alpha = s[0], s[3]
    v, scale, force = _santa_forces(g, s, c, i)
    alpha = alpha + (u * u - c[1]) if c[5] else alpha
    u = force + ((cast_like(g, 1) - alpha) * u - c[0] * scale * g)
    return scale * u, u, v, scale, alpha


@scalar
def santa_sss(g, s, c, i):
    """G (u + u') / 2: the symmetric splitting scheme, u' before the step."""
    half, u, alpha = cast_like(g, 0.5), s[0], s[3]
    v, scale, force = _santa_forces(g, s, c, i)
    alpha = alpha + (u * u - c[1]) * half if c[5] else alpha
    damped = exp(-half * alpha)
    new = (damped * u + (force - c[0] * scale * g)) * damped
    alpha = alpha + (new * new - c[1]) * half if c[5] else alpha
    return scale * (u + new) * half, new, v, scale, alpha


@scalar
def _clipped(g, scale, limit):
    """g · scale, held within ± limit; NaN stays NaN."""
    g = g * scale
    g = limit if g > limit else g
    return -limit if g < -limit else g


_LARGE_RATE = 1e15


# Powers of two that bring the squares of the largest and of the smallest float64 into range, and
# sums of squares below which those of a dtype are no longer exact.
_DOWN, _UP = 2.0**-600, 2.0**600
_LARGEST = 1.7976931348623157e308
_VAGUE, _VAGUE_SINGLE = 1e-280, 1e-30


@scalar
def rescaling(hyper, squares, itemsize):
    """What gradients must be multiplied by before they are squared, for the norm to be right.

    0 where the plain sum of squares will do: nothing is clipped, or that neither overflows nor is
    too small to be compared with the norm asked for.
    """
    clip, vague = hyper[CLIP], _VAGUE_SINGLE if itemsize == 4 else _VAGUE
    if not clip > 0.0:
        return 0.0
    if squares > _LARGEST:
        return _DOWN
    if squares < vague and clip**2 < 100.0 * vague:
        return 1.0 if itemsize == 4 else _UP
    return 0.0


@scalar
def prepare(hyper, squares, factor, scaled, rate, itemsize):
    """Set the rate, and the scale that the clipping asks for, from the gradient's sum of squares.

    scaled: that of the gradient times a factor, see `rescaling`; looked at unless this is 0.
    Returns whether the step is so large that it must be tried first.
    """
    clip = hyper[CLIP]
    hyper[RATE], hyper[SCALE] = rate, 1.0
    if clip > 0.0:
        norm, most = squares**0.5, clip
        if factor > 0.0:
            norm, most = scaled**0.5, clip * factor
        if norm > most:
            hyper[SCALE] = most / norm
    if hyper[SKIP] == UNSEEN:
        return False
    if hyper[LOOK] != 0.0 or not 0.0 <= rate <= _LARGE_RATE or rate * hyper[DECAY] > 2.0:
        return True
    # A change below half a unit of the largest number can make no finite parameter infinite, and
    # the square of such a gradient is finite too.
    most = 1e30 if itemsize == 4 else 1e280
    return not squares * max(1.0, rate) ** 2 <= most


@scalar
def _nothing(memory, hyper, step):
    pass


@functools.cache
def _pointers(states):
    """Function: pointers to parameters, gradients and so many states."""
    if not states:
        return scalar(lambda a, b, c, stride: (a, b))
    fewer, last = _pointers(states - 1), states - 1

    @scalar
    def pointers(a, b, c, stride):
        return (*fewer(a, b, c, stride), pointer(c, last * stride))

    return pointers


@functools.cache
def updating(update, constants, states, advance=None, memory=0, memory_offset=0):
    """Tile kernel: one step of a rule on `count` parameters, in one pass over memory.

    a: parameters, b: gradients, c: states, `stride` apart. The gradient is scaled and clipped and
    the parameter decayed on the way. flag: APPLY; or DRY_RUN, change nothing and return whether any
    gradient is not finite, or any result of a finite parameter would not be; or BEGIN, which comes
    before both once a step, for what the rule remembers: so many numbers at that place, those that
    the step leaves, and of which step.
    """
    pointers, written = _pointers(states), (1 << (states + 2)) - 3  # all but gradients
    advance = advance or _nothing

    @scalar
    def formula(values, i, shrink, scale, limit, shared, first):
        new = update(_clipped(values[1], scale, limit), values[2:], shared, i + first)
        # a factor 1 - shrink would be rounded at every step alike
        return (values[0] + (new[0] - shrink * values[0]), *new[1:])

    @scalar
    def trial(values, i, shrink, scale, limit, shared, first):
        # The gradient as it came, since clipping hides an infinite one. What was not finite before
        # is not the step's doing.
        zero = cast_like(values[0], 0)
        p = values[0] if values[0] - values[0] == zero else zero
        found = formula((p, *values[1:]), i, shrink, scale, limit, shared, first)
        return (*found, values[1])

    @scalar
    def begin(hyper, step):
        """What the last step left becomes what is remembered, unless this is that step again."""
        if memory:
            known = pointer(hyper, memory_offset)
            if known[2 * memory] != step:
                for k in range(memory):
                    known[k] = known[memory + k]
                known[2 * memory] = step
            advance(known, hyper, step)

    def update_kernel(a, b, c, parameters, count, step, stride, flag):
        if flag == BEGIN:
            begin(parameters, step)
            return 0.0
        one = cast_like(a[0], 1)
        shared = (
            cast_like(one, parameters[RATE] * parameters[DECAY]),
            cast_like(one, parameters[SCALE]), cast_like(one, parameters[LIMIT]),
            constants(one, parameters, step), flag // FIRST,
        )  # fmt: skip
        arrays = pointers(a, b, c, stride)
        if flag % FIRST == DRY_RUN:
            return float(sweep(trial, arrays, 0, count, shared))
        sweep(formula, arrays, written, count, shared)
        return 0.0

    return update_kernel


def normals(a, b, c, parameters, count, step, k, flag):
    """Tile kernel: a = the noise of this step; the seed is the first of the parameters."""
    key = mix(np.uint64(np.int64(parameters[0])) + np.uint64(step) * np.uint64(0x9E3779B97F4A7C15))
    x = carray(a, (count,))
    for i in range(count):
        x[i] = normal(x[i], key, i)
    return 0.0
