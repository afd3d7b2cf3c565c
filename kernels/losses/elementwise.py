"""Costs of each output alone: formulas of the activity a and the target t, and their derivatives.

``name(a, t, …)`` and ``name_delta(a, t, …)``, its derivative by a; parameters follow, at most two.
``name_curvature(a, t, …)``, optional: its second derivative by a.
`tile_kernels` makes tile kernels of them, and has the costs of several outputs together.
"""

from .. import vecmath
from ..codegen.declare import scalar
from ..codegen.intrinsics import cast_like

__all__ = ["find"]


@scalar
def weighted(w, x):
    """w x, where a weight of zero wins over an infinite x."""
    return cast_like(x, 0) if w == cast_like(x, 0) else w * x


@scalar
def product(x, y):
    """x y, where zero wins over infinity; NaN stays."""
    zero = cast_like(x, 0)
    return zero if ((x == zero) | (y == zero)) & (x == x) & (y == y) else x * y


@scalar
def squares(a, t):
    """(a - t)² / 2."""
    return cast_like(a, 0.5) * (a - t) * (a - t)


@scalar
def squares_delta(a, t):
    """a - t."""
    return a - t


@scalar
def squares_curvature(a, t):
    """1."""
    return cast_like(a, 1)


@scalar
def squared(a, t):
    """(a - t)²."""
    return (a - t) * (a - t)


@scalar
def squared_delta(a, t):
    """2 (a - t)."""
    return cast_like(a, 2) * (a - t)


@scalar
def squared_curvature(a, t):
    """2."""
    return cast_like(a, 2)


@scalar
def absolute(a, t):
    """|a - t|."""
    return abs(a - t)


@scalar
def absolute_delta(a, t):
    """The sign of a - t; 0 at 0."""
    d, zero, one = a - t, cast_like(a, 0), cast_like(a, 1)
    return one if d > zero else (-one if d < zero else d)


@scalar
def absolute_curvature(a, t):
    """0, also at the kink."""
    return cast_like(a, 0)


@scalar
def huber(a, t, delta=1.0):
    """d²/2 for |d| <= delta, else delta (|d| - delta/2), d = a - t. Huber (1964)."""
    d, half = abs(a - t), cast_like(a, 0.5)
    return delta * (d - half * delta) if d > delta else half * d * d


@scalar
def huber_delta(a, t, delta):
    """a - t, within -delta and delta."""
    d = a - t
    d = -delta if d < -delta else d
    return delta if d > delta else d


@scalar
def huber_curvature(a, t, delta):
    """1 for |a - t| <= delta, else 0."""
    return cast_like(a, 0) if abs(a - t) > delta else cast_like(a, 1)


@scalar
def log_cosh_error(a, t):
    """log(cosh(a - t))."""
    return vecmath.log_cosh(a - t)


@scalar
def log_cosh_error_delta(a, t):
    """tanh(a - t)."""
    return vecmath.tanh(a - t)


@scalar
def log_cosh_error_curvature(a, t):
    """1 / cosh²(a - t)."""
    return vecmath.sech_squared(cast_like(a, 1), a - t)


@scalar
def pinball(a, t, q=0.5):
    """q (t - a) for t >= a, else (1 - q) (a - t). Koenker and Bassett (1978)."""
    d = a - t
    return (cast_like(a, 1) - q) * d if d > cast_like(a, 0) else -q * d


@scalar
def pinball_delta(a, t, q):
    """1 - q for a > t, -q for a < t; 0 at the kink."""
    d, zero = a - t, cast_like(a, 0)
    return cast_like(a, 1) - q if d > zero else (-q if d < zero else d)


@scalar
def pinball_curvature(a, t, q):
    """0, also at the kink."""
    return cast_like(a, 0)


@scalar
def poisson(a, t):
    """exp(a) - t a: of a count t with the rate exp(a), without log t!; t = 0 wins over -∞."""
    return vecmath.exp(a) - weighted(t, a)


@scalar
def poisson_delta(a, t):
    """exp(a) - t."""
    return vecmath.exp(a) - t


@scalar
def poisson_curvature(a, t):
    """exp(a)."""
    return vecmath.exp(a)


@scalar
def _smoothed(t, label_smoothing):
    """t (1 - s) + s/2; exactly t for s = 0."""
    return t + label_smoothing * (cast_like(t, 0.5) - t)


@scalar
def sigmoid_entropy(a, t, label_smoothing=0.0):
    """-t log σ(a) - (1 - t) log(1 - σ(a)) from the logit, exact in both tails.

    Equal to log(1 + exp(-|a|)) + (a (1 - t) for a > 0, else -a t); a factor of exactly zero wins
    over an infinite logit.
    """
    zero, t = cast_like(a, 0), _smoothed(t, label_smoothing)
    weight = cast_like(a, 1) - t if a > zero else -t
    linear = zero if weight == zero else a * weight
    return linear + vecmath.softplus_tail(-abs(a))


@scalar
def sigmoid_entropy_delta(a, t, label_smoothing):
    """σ(a) - t; for t > 1/2 as (1 - t) - σ(-a), which does not cancel where t = 1."""
    t = _smoothed(t, label_smoothing)
    above = t > cast_like(a, 0.5)
    d = vecmath.sigmoid(-a if above else a) - (cast_like(a, 1) - t if above else t)
    return -d if above else d


@scalar
def sigmoid_entropy_curvature(a, t, label_smoothing):
    """σ(a) σ(-a)."""
    return vecmath.sigmoid_slope(a)


@scalar
def _margin(a, t):
    """1 - a for t > 0, 1 + a for t <= 0."""
    one = cast_like(a, 1)
    side = one if t > cast_like(a, 0) else (-one if t <= cast_like(a, 0) else t)
    return side, one - side * a


@scalar
def hinge(a, t):
    """max(0, 1 - a) for t > 0, max(0, 1 + a) for t <= 0."""
    _, m = _margin(a, t)
    return cast_like(a, 0) if m <= cast_like(a, 0) else m


@scalar
def hinge_delta(a, t):
    """-1 or 1 inside the margin, 0 at its border and beyond."""
    side, m = _margin(a, t)
    zero = cast_like(a, 0)
    return -side if m > zero else (zero if m <= zero else m)


@scalar
def hinge_curvature(a, t):
    """0, also at the kink."""
    return cast_like(a, 0)


@scalar
def squared_hinge(a, t):
    """The square of the hinge."""
    _, m = _margin(a, t)
    return cast_like(a, 0) if m <= cast_like(a, 0) else m * m


@scalar
def squared_hinge_delta(a, t):
    """-2 m or 2 m, m the hinge."""
    side, m = _margin(a, t)
    return cast_like(a, 0) if m <= cast_like(a, 0) else cast_like(a, -2) * side * m


@scalar
def squared_hinge_curvature(a, t):
    """2 inside the margin, 0 beyond."""
    _, m = _margin(a, t)
    return cast_like(a, 0) if m <= cast_like(a, 0) else cast_like(a, 2)


def find(name):
    """The formula of that name, or None."""
    return globals().get(name)
