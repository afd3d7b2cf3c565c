"""Activations of two numbers: a value, and the gate that lets it through."""

from .. import vecmath
from ..codegen.declare import scalar
from ..codegen.intrinsics import cast_like, constant
from ..vecmath.tables import EXP_FLOOR


@scalar
def _open_or_shut(a, b):
    """a, or 0 of its sign (NaN if NaN) where no a can make a σ(b) different from 0."""
    return a * cast_like(a, 0) if b < constant(b, EXP_FLOOR) else a


@scalar
def glu(a, b):
    """a σ(b)."""
    size = vecmath.exponent_size(b)
    return vecmath.times_sigmoid(_open_or_shut(a, b), size, cast_like(b, 0), b < cast_like(b, 0))


@scalar
def glu_by_value(a, b):
    """σ(b)."""
    y = vecmath.sigmoid(b)
    return y if a == a else a


@scalar
def glu_by_gate(a, b):
    """a σ(b) σ(-b)."""
    return vecmath.times_sigmoid_slope(
        _open_or_shut(a, -abs(b)), vecmath.exponent_size(b), cast_like(b, 0)
    )
