"""The head of a C file: what it is, what it needs, and functions that all layers use."""

from __future__ import annotations

from collections.abc import Sequence

from .values import Dialect, identifiers

__all__ = ["ending", "functions", "guards", "sizes", "title"]

_GUARDS = """\
#include <float.h>
#include <math.h>
#include <stdint.h>

#if defined(__FAST_MATH__) || (defined(__FINITE_MATH_ONLY__) && __FINITE_MATH_ONLY__)
#error "{name}: without -ffast-math, which loses digits, and NaN"
#endif
#if defined(FLT_EVAL_METHOD) && ({wide})
#error "{name}: {real} must be computed as {real}; on 32-bit x86 take -msse2 -mfpmath=sse"
#endif
#if defined(__GNUC__)
#define {name}_aligned __attribute__((aligned(64)))
#define {name}_inline static inline __attribute__((always_inline))
#else
#define {name}_aligned
#define {name}_inline static inline
#endif
#if defined(FP_FAST_FMA{suffix}) || defined(__FMA__) || defined(__ARM_FEATURE_FMA)
#define {name}_has_fma 1
#else
#define {name}_has_fma 0
#endif
"""

# Of GCC, and without a change of any result: both values of a select may be computed, as if nobody
# looked at the flags of the floating-point unit. Else no loop with a select would be vectorised.
_OPTIONS = """\
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC push_options
#pragma GCC optimize("no-trapping-math")
#endif
"""
_END = """\
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC pop_options
#endif
"""

# Accuracy rests on fma being rounded once. By way of double, which holds a product of floats
# exactly, it is as good: a sum that is rounded twice is off by 2**-29 units more.
_HELPERS = {
    "fma": """\
/* a b + c, rounded once: the accuracy of what follows rests on it. Where the processor has no such
 * instruction, {without}. */
{name}_inline {real} {name}_fma({real} a, {real} b, {real} c)
{{
    return {name}_has_fma ? {fma}(a, b, c) : {slow};
}}
""",
    "multiply_add": """\
/* a b + c where two roundings do as well. */
{name}_inline {real} {name}_multiply_add({real} a, {real} b, {real} c)
{{
    return {name}_has_fma ? {fma}(a, b, c) : a * b + c;
}}
""",
    "bits": """\
{name}_inline {bits} {name}_bits({real} x)
{{
    const union {{ {real} x; {bits} i; }} both = {{x}};
    return both.i;
}}
""",
    "real": """\
{name}_inline {real} {name}_real({bits} i)
{{
    union {{ {real} x; {bits} i; }} both;
    both.i = i;
    return both.x;
}}
""",
    "add": """\
{name}_inline {bits} {name}_add({bits} a, {bits} b)
{{
    return ({bits})((u{bits})a + (u{bits})b);
}}
""",
    "sub": """\
{name}_inline {bits} {name}_sub({bits} a, {bits} b)
{{
    return ({bits})((u{bits})a - (u{bits})b);
}}
""",
    "shl": """\
{name}_inline {bits} {name}_shl({bits} a, int n)
{{
    return ({bits})((u{bits})a << n);
}}
""",
}


_TITLE = """\
/* {name}: a dense network, written by fastnn.
 *
 *     void {name}(const {real} *x, {real} *y);
 *
 * makes of the {inputs} numbers of a sample x the {outputs} of the output y, which may be x itself.
 * Layers: {layers}; cost: {cost}.
 *
 * It allocates nothing and keeps nothing, so that any number of threads may call it; it needs
 * {stack} bytes of stack, C99, and the mathematical functions of the C library:
 *
 *     cc -std=c99 -O3 -march=native -fno-math-errno -c {name}.c
 *
 * In other files declare it as above. {name}_inputs and {name}_outputs are the two sizes.
 */
"""


def title(
    dialect: Dialect, inputs: int, layers: Sequence[tuple[int, str]], cost: str, numbers: int
) -> str:
    """What the file is; layers: their sizes and activations, numbers: of its arrays."""
    words = "".join(f"-{size} {activation}" for size, activation in layers)
    return _TITLE.format(
        name=dialect.prefix,
        real=dialect.real,
        inputs=inputs,
        outputs=layers[-1][0],
        layers=f"{inputs}{words}",
        cost=cost,
        stack=numbers * dialect.dtype.itemsize,
    )


def sizes(dialect: Dialect, inputs: int, outputs: int) -> str:
    """The sizes as constants."""
    counts = {"inputs": inputs, "outputs": outputs}
    return f"enum {{ {', '.join(f'{dialect.own(k)} = {n}' for k, n in counts.items())} }};\n"


def guards(dialect: Dialect) -> str:
    """Includes, and refusals of what would give wrong results."""
    wide = "FLT_EVAL_METHOD == 2" + (" || FLT_EVAL_METHOD == 1" if dialect.single else "")
    return (_GUARDS + _OPTIONS).format(
        name=dialect.prefix, wide=wide, real=dialect.real, suffix="F" if dialect.single else ""
    )


def functions(dialect: Dialect, body: str) -> str:
    """The functions that the body calls: an unused one would be a warning."""
    used, single = identifiers(body), dialect.single
    words = {
        "name": dialect.prefix,
        "real": dialect.real,
        "bits": dialect.bits,
        "fma": dialect.math("fma"),
        "slow": "(float)((double)a * (double)b + (double)c)" if single else "fma(a, b, c)",
        "without": "it goes by way of double" if single else "the library's fma is exact, but slow",
    }
    return "\n".join(
        text.format(**words) for name, text in _HELPERS.items() if dialect.own(name) in used
    )


def ending(dialect: Dialect) -> str:
    """What ends the file, so that several may be compiled as one."""
    macros = ("aligned", "has_fma", "inline")
    return _END + "".join(f"#undef {dialect.own(name)}\n" for name in macros)
