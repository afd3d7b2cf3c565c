"""Rules of one rate for all parameters: gradient descent, momentum, and those of the sign."""

from ..codegen.declare import scalar
from ..codegen.intrinsics import cast_like
from .layout import (
    OWN,
    RATE,
)


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
    agreement = _signed(cast_like(g, 1), g) * _signed(cast_like(g, 1), s[0])
    size = s[1] * (c[1] if agreement > zero else (c[0] if agreement < zero else cast_like(g, 1)))
    size = size if size > c[2] else c[2]
    size = size if size < c[3] else c[3]
    g = zero if agreement < zero else g
    return -_signed(size, g), g, size
