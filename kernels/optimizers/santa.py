"""Santa: annealed noise, with a preconditioner."""

import numpy as np

from ..codegen.declare import carray, scalar
from ..codegen.intrinsics import cast_like, sqrt
from ..vecmath.exponential import exp
from ..vecmath.random import mix, normal
from .layout import OWN, RATE


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


def normals(parameters, gradients, states, hyper, count, step, stride, flag):
    """Update kernel: parameters = the noise of this step; the seed is the first hyperparameter."""
    key = mix(np.uint64(np.int64(hyper[0])) + np.uint64(step) * np.uint64(0x9E3779B97F4A7C15))
    x = carray(parameters, (count,))
    for i in range(count):
        x[i] = normal(x[i], key, i)
    return 0.0
