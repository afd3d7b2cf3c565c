"""Which names a C function may have."""

from __future__ import annotations

import re
from typing import Any

__all__ = ["checked_name"]

_KEYWORDS = """
auto break case char const continue default do double else enum extern float for goto if inline int
long register restrict return short signed sizeof static struct switch typedef union unsigned void
volatile while alignas alignof bool constexpr false nullptr static_assert thread_local true typeof
typeof_unqual asm linux unix main
"""
_FUNCTIONS = """
abs acos acosh asin asinh atan atan2 atanh cbrt ceil copysign cos cosh erf erfc exp exp2 expm1 fabs
fdim floor fma fmax fmin fmod frexp gamma hypot ilogb j0 j1 jn labs ldexp lgamma llabs llrint
llround log log10 log1p log2 logb lrint lround modf nan nearbyint nextafter nexttoward pow remainder
remquo rint round scalbln scalbn sin sinh sqrt tan tanh tgamma trunc y0 y1 yn
"""
_MACROS = """
double_t float_t fpclassify isfinite isgreater isgreaterequal isinf isless islessequal islessgreater
isnan isnormal isunordered signbit
"""
_CONSTANTS = re.compile(  # of the headers that a file includes, and of those that callers may
    "(DBL|DECIMAL|FLT|FP|HUGE|INT|INTMAX|INTPTR|LDBL|M|MATH|PTRDIFF|SIG|SIZE|UINT|UINTMAX|UINTPTR"
    "|WCHAR|WINT)[A-Z0-9]*_[A-Z0-9_]*|EOF|INFINITY|NAN|NULL"
)
_RESERVED = set(_KEYWORDS.split())
_TAKEN = {f"{name}{kind}" for name in _FUNCTIONS.split() for kind in ("", "f", "l")}
_TAKEN |= set(_MACROS.split())


def checked_name(name: Any) -> str:
    """A name for the function, or an error that says why not."""
    if not isinstance(name, str):
        raise TypeError(f"name must be a str, not {name!r}")
    if not re.fullmatch(r"[A-Za-z_]\w*", name, re.ASCII):
        raise ValueError(f"name is {name!r}, expected a C identifier: letters, digits and _")
    if name in _RESERVED or name.startswith("_"):
        raise ValueError(f"name is {name!r}, which C keeps for itself, expected another")
    if (
        name in _TAKEN
        or _CONSTANTS.fullmatch(name)
        or re.fullmatch(r"u?int(_least|_fast)?(8|16|32|64)_t|u?int(max|ptr)_t", name)
    ):
        raise ValueError(f"name is {name!r}, which the C library has, expected another")
    return name
