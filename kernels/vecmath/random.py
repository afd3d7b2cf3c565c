"""Random numbers without a state: hashes of where and when they are asked for.

They are the same whichever thread asks, and in whatever order.
"""

import numpy as np

from ..codegen.declare import scalar
from ..codegen.intrinsics import cast_like, polynomial, sqrt
from .logarithm import log

# erf⁻¹(x) / x for w = -log(1 - x²) below 5, in w - 5/2, and above, in √w - 3: M. Giles,
# "Approximating the erfinv function" (2010), table 1. Off by 3e-7 at most.
_INNER = (
    1.50140941, 0.246640727, -0.00417768164, -0.00125372503, 0.00021858087, -4.39150654e-06,
    -3.5233877e-06, 3.43273939e-07, 2.81022636e-08,
)  # fmt: skip
_OUTER = (
    2.83297682, 1.00167406, 0.00943887047, -0.0076224613, 0.00573950773, -0.00367342844,
    0.00134934322, 0.000100950558, -0.000200214257,
)  # fmt: skip
_ROOT2 = 1.4142135623730951


@scalar
def mix(z):
    """The output function of SplitMix64 (Steele, Lea and Flood 2014)."""
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


@scalar
def scattered(base, n):
    """A hash of n, evenly spread over the uint32: "lowbias32" of C. Wellons (2018), public domain.

    Every operation is cut back to 32 bits, which numba would widen.
    """
    h = np.uint32(base + np.uint32(np.uint32(n) * np.uint32(0x9E3779B9)))
    h = np.uint32(np.uint32(h ^ np.uint32(h >> np.uint32(16))) * np.uint32(0x7FEB352D))
    h = np.uint32(np.uint32(h ^ np.uint32(h >> np.uint32(15))) * np.uint32(0x846CA68B))
    return np.uint32(h ^ np.uint32(h >> np.uint32(16)))


@scalar
def normal(x, key, n):
    """A standard normal number for n, in the type of x; key: a uint64.

    Two hashes, since with one the numbers of another key would be these, moved along n.
    """
    bits = scattered(np.uint32(key >> np.uint64(32)), scattered(np.uint32(key), n))
    # 24 bits between ±1, which are exact in float32 and neither 0 nor ±1
    whole = np.int32(np.uint32(bits & np.uint32(0xFFFFFF00)) | np.uint32(0x80))
    u = cast_like(x, whole) * cast_like(x, 2.0**-31)
    one = cast_like(x, 1.0)
    w = -log((one - u) * (one + u))
    inner = polynomial(w - cast_like(x, 2.5), _INNER)
    outer = polynomial(sqrt(w) - cast_like(x, 3.0), _OUTER)
    return u * cast_like(x, _ROOT2) * (inner if w < cast_like(x, 5.0) else outer)
