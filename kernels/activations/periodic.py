"""The sine of a multiple: Sitzmann et al. 2020, arXiv 2006.09661.

Where omega x is small, the sine is that product. Its rounding, which counts where it is subnormal
and the result is not, is left out then.
"""

from .. import vecmath
from ..codegen.declare import scalar
from ..codegen.intrinsics import cast_like, constant, fma

_SINE_IS_ARGUMENT = (2.0**-13, 2.0**-28)


@scalar
def _times_sine(a, x, omega):
    """a sin(omega x)."""
    z = omega * x
    y = a * vecmath.sin_of_pair(z, fma(omega, x, -z))
    # the sign of a zero stays, too
    return (a * omega) * x if abs(z) < constant(x, _SINE_IS_ARGUMENT) else y


@scalar
def _times_cosine(a, x, omega):
    """a cos(omega x)."""
    z = omega * x
    return a * vecmath.cos_of_pair(z, fma(omega, x, -z))


@scalar
def sin(x, omega=1.0):
    """Sine of the exact omega x; NaN for |omega x| above 2**18 in float32, 2**47 in float64."""
    return _times_sine(cast_like(x, 1), x, omega)


@scalar
def sin_derivative(x, omega):
    """omega cos(omega x)."""
    return _times_cosine(omega, x, omega)


@scalar
def sin_second_derivative(x, omega):
    """-omega² sin(omega x)."""
    return _times_sine(-(omega * omega), x, omega)


@scalar
def sin_third_derivative(x, omega):
    """-omega³ cos(omega x)."""
    return _times_cosine(-((omega * omega) * omega), x, omega)
