"""Pieces of C: numbers of a network's dtype, typed expressions, and the statements of a block."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, TypeAlias

import numpy as np

__all__ = ["Block", "Dialect", "Kind", "Refused", "Value", "bare", "identifiers"]

Kind: TypeAlias = Literal["real", "bits", "wide", "bool", "index"]
"""A number of the network's dtype; the integer of its bits; what arithmetic makes of such integers,
which NumPy and Numba compute in more bits, so that it must be cast back; a condition; an index."""

_ATOM = re.compile(r"[A-Za-z_]\w*|\(?-?[\d.][\w.+-]*\)?", re.ASCII)
_ZEROS, _SHORT = re.compile(r"\.?0*p"), 1e6
_IDENTIFIER = re.compile(r"[A-Za-z_]\w*", re.ASCII)


class Refused(Exception):  # noqa: N818  (it never leaves this package)
    """A kernel has what is not translated; the message says what, the translator adds where."""


class Value(NamedTuple):
    """A C expression that can stand anywhere without more parentheses, and what it is."""

    kind: Kind
    text: str

    @property
    def is_atom(self) -> bool:
        """Whether to write it twice costs nothing: a variable or a number."""
        return _ATOM.fullmatch(self.text) is not None


def identifiers(text: str) -> set[str]:
    """The names in a piece of C."""
    return set(_IDENTIFIER.findall(text))


@dataclass(frozen=True)
class Dialect:
    """C for one dtype. All names of a file begin with that of its network."""

    prefix: str
    dtype: np.dtype[Any]

    @property
    def single(self) -> bool:
        """Whether it is float32."""
        return self.dtype == np.float32

    @property
    def real(self) -> str:
        """The type of numbers."""
        return "float" if self.single else "double"

    @property
    def bits(self) -> str:
        """The integer type of as many bits."""
        return "int32_t" if self.single else "int64_t"

    def type_of(self, kind: Kind) -> str:
        """The C type of a value."""
        return {"real": self.real, "bits": self.bits, "wide": self.bits}.get(kind, "int")

    def math(self, name: str) -> str:
        """A function of <math.h>."""
        return f"{name}f" if self.single else name

    def own(self, name: str) -> str:
        """A function of the file."""
        return f"{self.prefix}_{name}"

    def literal(self, value: Any) -> str:
        """A number, rounded to the dtype, as an expression."""
        with np.errstate(over="ignore"):
            text = self.number(float(self.dtype.type(value)))
        return f"({text})" if text[0] in "-(" else text

    def number(self, value: float) -> str:
        """A number of the dtype exactly: in decimal where that is short, else in hexadecimal."""
        if math.isnan(value):
            return "NAN" if self.single else "(double)NAN"
        if math.isinf(value):
            sign, name = "-" if value < 0 else "", "INFINITY" if self.single else "HUGE_VAL"
            return f"{sign}{name}"
        short = abs(value) < _SHORT and (value * 1024).is_integer()
        text = repr(value) if short else _ZEROS.sub("p", value.hex())
        return f"{text}f" if self.single else text

    def constant(self, value: Any) -> Value:
        """The same as a value."""
        return Value("real", self.literal(value))


class _Declaration(NamedTuple):
    type: str
    name: str
    text: str


class _Store(NamedTuple):
    target: str
    text: str


class _Loop(NamedTuple):
    head: str
    body: list[Any]


class Block:
    """The statements of a C function, in the order in which they come."""

    def __init__(self, dialect: Dialect) -> None:
        self.dialect = dialect
        self._statements: list[Any] = []
        self._names: dict[str, int] = {}

    def fresh(self, name: str) -> str:
        """A name that no other variable has; the number keeps it apart from all of C's own."""
        plain = re.sub(r"\W", "", name, flags=re.ASCII).strip("_") or "value"
        self._names[plain] = self._names.get(plain, 0) + 1
        return f"{plain}_{self._names[plain]}"

    def declare(self, name: str, value: Value) -> Value:
        """A constant of that value."""
        own = self.fresh(name)
        self._statements.append(
            _Declaration(self.dialect.type_of(value.kind), own, bare(value.text))
        )
        return Value(value.kind, own)

    def bind(self, name: str, value: Any) -> Any:
        """The same value, such that it is computed once however often it is used."""
        if isinstance(value, tuple) and any(isinstance(part, Value) for part in value):
            return tuple(self.bind(name, part) for part in value)
        if isinstance(value, Value) and not value.is_atom:
            return self.declare(name, value)
        return value

    def store(self, target: str, value: Value) -> None:
        """Assign to an element of an array."""
        self._statements.append(_Store(target, bare(value.text)))

    @contextmanager
    def loop(self, name: str, first: str, last: str, step: int) -> Iterator[Value]:
        """A loop from the first up to the last, which is left out; gives its variable."""
        variable, outside = self.fresh(name), self._statements
        by = f"{variable}++" if step == 1 else f"{variable} += {step}"
        head = f"for (int {variable} = {first}; {variable} < {last}; {by})"
        self._statements = []
        yield Value("index", variable)
        outside.append(_Loop(head, self._statements))
        self._statements = outside

    def lines(self, live: set[str], indent: int = 1) -> list[str]:
        """The text, without what nothing uses; live: names used behind it, to which its own go."""
        return _lines(self._statements, live, indent)


def bare(text: str) -> str:
    """Without parentheses around all of it."""
    if not text.startswith("(") or not text.endswith(")"):
        return text
    depth = 0
    for place, letter in enumerate(text):
        depth += (letter == "(") - (letter == ")")
        if depth == 0 and place < len(text) - 1:
            return text
    return text[1:-1]


def _lines(statements: list[Any], live: set[str], indent: int) -> list[str]:
    space, text = "    " * indent, []
    for statement in reversed(statements):
        if isinstance(statement, _Declaration):
            if statement.name not in live:
                continue
            found = [f"{space}const {statement.type} {statement.name} = {statement.text};"]
        elif isinstance(statement, _Store):
            found = [f"{space}{statement.target} = {statement.text};"]
        else:
            inside = _lines(statement.body, live, indent + 1)
            if not inside:
                continue
            found = [f"{space}{statement.head} {{", *inside, f"{space}}}"]
        live |= identifiers(" ".join(found))
        text.append(found)
    return [line for found in reversed(text) for line in found]
