"""What each operator, comparison and instruction of the kernels is in C."""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Sequence
from typing import Any

from ...kernels.codegen import intrinsics
from .values import Block, Kind, Refused, Value, bare

__all__ = [
    "BINARY",
    "COMPARISONS",
    "INSTRUCTIONS",
    "binary",
    "both",
    "compare",
    "select",
    "unary",
]

BINARY: dict[type[ast.operator], tuple[str, Callable[[Any, Any], Any]]] = {
    ast.Add: ("+", operator.add),
    ast.Sub: ("-", operator.sub),
    ast.Mult: ("*", operator.mul),
    ast.Div: ("/", operator.truediv),
    ast.FloorDiv: ("//", operator.floordiv),
    ast.Mod: ("%", operator.mod),
    ast.Pow: ("**", operator.pow),
    ast.LShift: ("<<", operator.lshift),
    ast.RShift: (">>", operator.rshift),
    ast.BitAnd: ("&", operator.and_),
    ast.BitOr: ("|", operator.or_),
    ast.BitXor: ("^", operator.xor),
}
COMPARISONS: dict[type[ast.cmpop], tuple[str, Callable[[Any, Any], Any]]] = {
    ast.Lt: ("<", operator.lt),
    ast.LtE: ("<=", operator.le),
    ast.Gt: (">", operator.gt),
    ast.GtE: (">=", operator.ge),
    ast.Eq: ("==", operator.eq),
    ast.NotEq: ("!=", operator.ne),
}
_UNARY: dict[type[ast.unaryop], tuple[str, Callable[[Any], Any], tuple[Kind, ...]]] = {
    ast.Not: ("!", operator.not_, ("bool",)),
    ast.USub: ("-", operator.neg, ("real", "index")),
    ast.Invert: ("~", operator.invert, ()),
}
_WRAPPING = {"+": "add", "-": "sub", "<<": "shl"}  # functions of the file: C leaves overflows open
_WORDS: dict[Kind, str] = {
    "real": "a number",
    "bits": "bits",
    "wide": "arithmetic of bits",
    "bool": "a condition",
    "index": "an index",
}
_OF_KIND: dict[Kind, str] = {"real": "+-*/", "index": "+-*", "bool": "&|", "bits": "&|^"}


def binary(block: Block, sign: str, fold: Callable[[Any, Any], Any], a: Any, b: Any) -> Any:
    """``a sign b``; of Python's own numbers, computed now."""
    if not isinstance(a, Value) and not isinstance(b, Value):
        return fold(a, b)
    left, right = _alike(a, b)
    kind = left.kind
    if kind == "bits" and sign in _WRAPPING:
        return _calling("wide", block.dialect.own(_WRAPPING[sign]), left, right)
    if kind == "bits" and sign == ">>":  # of negative numbers too: every compiler keeps the sign
        return Value("wide", f"({left.text} >> {right.text})")
    if sign not in _OF_KIND.get(kind, ""):
        raise Refused(f"{_named(a)} {sign} {_named(b)}")
    if kind == "index" and "0" in (left.text, right.text) and sign in "+*":
        rest = right if left.text == "0" else left
        return rest if sign == "+" else 0
    return Value("wide" if kind == "bits" else kind, f"({left.text} {sign} {right.text})")


def compare(sign: str, fold: Callable[[Any, Any], Any], a: Any, b: Any) -> Any:
    """A comparison of two numbers."""
    if not isinstance(a, Value) and not isinstance(b, Value):
        return fold(a, b)
    left, right = _alike(a, b)
    if left.kind not in ("real", "bits", "index"):
        raise Refused(f"{_named(a)} {sign} {_named(b)}")
    return Value("bool", f"({left.text} {sign} {right.text})")


def unary(node: ast.unaryop, a: Any) -> Any:
    """``-a`` or ``not a``."""
    sign, fold, kinds = _UNARY.get(type(node), ("", operator.pos, ()))
    if not isinstance(a, Value):
        return fold(a)
    if a.kind not in kinds:
        raise Refused(f"{type(node).__name__} of {_named(a)}")
    return Value(a.kind, f"({sign}{a.text})")


def both(sign: str, conditions: Sequence[Any]) -> Any:
    """``and`` or ``or``, which look at all of them: they have no effects, and no branch is made."""
    unknown = [c for c in conditions if isinstance(c, Value)]
    for condition in unknown:
        if condition.kind != "bool":
            raise Refused(f"{_named(condition)} as a condition")
    known = [bool(c) for c in conditions if not isinstance(c, Value)]
    if (sign == "&" and not all(known)) or (sign == "|" and any(known)):
        return sign == "|"
    if len(unknown) < 2:
        return unknown[0] if unknown else sign == "&"
    return Value("bool", f"({f' {sign} '.join(c.text for c in unknown)})")


def select(condition: Value, a: Any, b: Any) -> Value:
    """``a if condition else b``."""
    if condition.kind != "bool":
        raise Refused(f"{_named(condition)} as a condition")
    left, right = _alike(a, b)
    return Value(left.kind, f"({condition.text} ? {left.text} : {right.text})")


def _calling(kind: Kind, name: str, *arguments: Value) -> Value:
    return Value(kind, f"{name}({', '.join(bare(a.text) for a in arguments)})")


def _is(a: Any, kind: Kind) -> bool:
    return isinstance(a, Value) and a.kind == kind


def _alike(a: Any, b: Any) -> tuple[Value, Value]:
    """Two values of one kind; Python's whole numbers are of that which the other one is."""
    kinds = {x.kind for x in (a, b) if isinstance(x, Value)}
    pair = [_whole(x, kind) for x in (a, b) for kind in kinds]
    if len(kinds) != 1 or not all(isinstance(x, Value) for x in pair):
        hint = "cast_like makes the type of the one that of the other"
        raise Refused(f"{_named(a)} beside {_named(b)}; {hint}")
    return pair[0], pair[1]


def _whole(x: Any, kind: Kind) -> Any:
    if kind in ("bits", "index") and isinstance(x, int) and not isinstance(x, bool):
        return Value(kind, str(x) if x >= 0 else f"({x})")
    return x


def _named(a: Any) -> str:
    return _WORDS[a.kind] if isinstance(a, Value) else repr(a)


def _reals(name: str, *values: Any) -> None:
    for value in values:
        if not _is(value, "real"):
            raise Refused(f"{name}() of {_named(value)}, expected numbers of the network's dtype")


def _cast_like(block: Block, x: Any, value: Any) -> Value:
    if _is(x, "real"):
        if not isinstance(value, Value):
            return block.dialect.constant(value)
        if value.kind == "real":
            return value
        return Value("real", f"(({block.dialect.real}){value.text})")
    if _is(x, "bits"):
        value = _whole(value, "bits")
        if _is(value, "bits") or _is(value, "wide"):
            return Value("bits", value.text)
    raise Refused(f"cast_like({_named(x)}, {_named(value)})")


def _choose(block: Block, x: Any, pair: Any) -> Any:
    _reals("choose", x)
    single, double = pair
    return single if block.dialect.single else double


def _constant(block: Block, x: Any, pair: Any) -> Value:
    return block.dialect.constant(_choose(block, x, pair))


def _fma(block: Block, a: Any, b: Any, c: Any) -> Value:
    _reals("fma", a, b, c)
    return _calling("real", block.dialect.own("fma"), a, b, c)


def _polynomial(block: Block, x: Any, c: Sequence[Any]) -> Any:
    """By the same scheme as the kernels', see `codegen.intrinsics.polynomial`."""
    _reals("polynomial", x)
    multiply_add, x = block.dialect.own("multiply_add"), block.bind("x", x)
    coefficients = [a if isinstance(a, Value) else block.dialect.constant(a) for a in c]
    _reals("polynomial", *coefficients)
    pairs = [
        _calling("real", multiply_add, high, x, low)
        for low, high in zip(coefficients[::2], coefficients[1::2], strict=False)
    ]
    y = coefficients[-1] if len(coefficients) % 2 else pairs.pop()
    square = block.declare("square", Value("real", f"({x.text} * {x.text})"))
    for pair in reversed(pairs):
        y = block.declare("sum", _calling("real", multiply_add, y, square, pair))
    return y


def _bits_of(block: Block, x: Any) -> Value:
    _reals("bits_of", x)
    return _calling("bits", block.dialect.own("bits"), x)


def _from_bits(block: Block, i: Any) -> Value:
    if not _is(i, "bits"):
        raise Refused(f"from_bits() of {_named(i)}; cast_like keeps sums of bits in their type")
    return _calling("real", block.dialect.own("real"), i)


def _sqrt(block: Block, x: Any) -> Value:
    _reals("sqrt", x)
    return _calling("real", block.dialect.math("sqrt"), x)


def _abs(block: Block, x: Any) -> Any:
    if not isinstance(x, Value):
        return abs(x)
    _reals("abs", x)
    return _calling("real", block.dialect.math("fabs"), x)


INSTRUCTIONS: dict[Any, Callable[..., Any]] = {
    abs: _abs,
    intrinsics.bits_of: _bits_of,
    intrinsics.cast_like: _cast_like,
    intrinsics.choose: _choose,
    intrinsics.constant: _constant,
    intrinsics.fma: _fma,
    intrinsics.from_bits: _from_bits,
    intrinsics.polynomial: _polynomial,
    intrinsics.sqrt: _sqrt,
    intrinsics.wide: lambda block: None,
}
"""Of the block where the call stands, and its arguments."""
