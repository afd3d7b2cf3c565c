"""Update rules: a scalar formula each, and the maker that turns it into a row kernel.

A rule is two functions. ``constants(x, numbers, step)`` computes, once a step and in the dtype of
x, what all parameters share; numbers[0] is the learning rate, the rule's own numbers begin at
``numbers[OWN]``. ``update(p, g, s, c)`` takes one parameter, its gradient, its states and those
constants, and returns the new parameter and the new states.
"""

import functools

from .jit import carray, like, scalar, sqrt, wide

# Places of the numbers of a rule. LOOK: whether even a small gradient may end in infinity or NaN,
# so that every step must be tried before it is taken.
RATE, SCALE, LIMIT, DECAY, CLIP, LOOK, OWN = 0, 1, 2, 3, 4, 5, 6


@scalar
def sgd_constants(x, numbers, step):
    """The learning rate η."""
    return (like(x, numbers[RATE]),)


@scalar
def sgd(p, g, s, c):
    """p - η g."""
    return (p - c[0] * g,)


@scalar
def adam_constants(x, numbers, step):
    """Step sizes of both forms, 1 - β₁, 1 - β₂, and ε in both places.

    With ε inside the root, η √(1 - β₂ᵗ) / (1 - β₁ᵗ) · m / √(v + ε). With ε outside it,
    η m̂ / (√v̂ + ε), which is η √(1 - β₂ᵗ) / (1 - β₁ᵗ) · m / (√v + ε √(1 - β₂ᵗ)).
    """
    beta1, beta2, eps = numbers[OWN], numbers[OWN + 1], numbers[OWN + 2]
    root = (1.0 - beta2**step) ** 0.5
    rate = numbers[RATE] * root / (1.0 - beta1**step)
    outside = numbers[OWN + 3] != 0.0
    return (
        like(x, rate),
        like(x, 1.0 - beta1),
        like(x, 1.0 - beta2),
        like(x, 0.0 if outside else eps),
        like(x, eps * root if outside else 0.0),
    )


@scalar
def adam(p, g, s, c):
    """Adam: p - η' m / (√(v + ε₁) + ε₂); Kingma and Ba (2015), arXiv:1412.6980."""
    m = s[0] + c[1] * (g - s[0])
    v = s[1] + c[2] * (g * g - s[1])
    return p - c[0] * m / (sqrt(v + c[3]) + c[4]), m, v


@scalar
def _load_0(state, i):
    return ()


@scalar
def _store_0(state, i, new):
    pass


@scalar
def _load_1(state, i):
    return (state[0, i],)


@scalar
def _store_1(state, i, new):
    state[0, i] = new[1]


@scalar
def _load_2(state, i):
    return state[0, i], state[1, i]


@scalar
def _store_2(state, i, new):
    state[0, i], state[1, i] = new[1], new[2]


_STATES = ((_load_0, _store_0), (_load_1, _store_1), (_load_2, _store_2))


@scalar
def _clipped(g, scale, limit):
    """g · scale, held within ± limit; NaN stays NaN."""
    g = g * scale
    g = limit if g > limit else g
    return -limit if g < -limit else g


@functools.cache
def updating(update, constants, states):
    """Row kernel: one step of a rule on `count` parameters, in one pass over memory.

    a: parameters, b: gradients, c: states, `stride` apart. The gradient is scaled and clipped and
    the parameter decayed on the way. flag: only look, change nothing, and return whether any
    result would not be finite.
    """
    load, store = _STATES[states]
    size = max(states, 1)

    def update_kernel(a, b, c, parameters, count, step, stride, flag):
        wide()
        p = carray(a, (count,))
        g = carray(b, (count,))
        state = carray(c, (size, stride))
        one = like(a[0], 1)
        shared = constants(one, parameters, step)
        scale = like(one, parameters[SCALE])
        limit = like(one, parameters[LIMIT])
        kept = like(one, 1.0 - parameters[RATE] * parameters[DECAY])
        if flag:
            bad = 0
            for i in range(count):
                new = update(p[i] * kept, _clipped(g[i], scale, limit), load(state, i), shared)
                for value in new:
                    bad += (value - value) != (value - value)  # NaN if value is not finite
            return 1.0 if bad else 0.0
        for i in range(count):
            new = update(p[i] * kept, _clipped(g[i], scale, limit), load(state, i), shared)
            p[i] = new[0]
            store(state, i, new)
        return 0.0

    return update_kernel
