"""Python of the kernels as C: what is translated, and what is refused, with its place."""

import re

import numpy as np
import pytest

from fastnn.export.c.translate import View, call
from fastnn.export.c.values import Block, Dialect, Value
from fastnn.kernels.codegen.intrinsics import cast_like, from_bits


def exchanging(a):
    a[0], a[1] = a[1], a[0]
    return first_and_set(a) + a[2]


def first_and_set(a):
    before = a[0]
    a[2] = before + before
    return a[0]


def test_elements_are_read_in_order():
    """As Python does: both of a pair before they are exchanged, and none after a later store."""
    block = Block(Dialect("net", np.dtype(np.float64)))
    y = call(block, exchanging, (View("a"),))
    live = set(re.findall(r"\w+", y.text))
    rows = [row.strip() for row in block.lines(live)]
    assert rows == [
        "const double a_1 = a[1];",
        "const double a_2 = a[0];",
        "a[0] = a_1;",
        "a[1] = a_2;",
        "const double a_3 = a[0];",
        "a[2] = a_3 + a_3;",
        "const double a_4 = a[0];",
        "const double a_5 = a[2];",
    ]
    assert y == Value("real", "(a_4 + a_5)")


def branching(x):
    if x > cast_like(x, 0):
        x = -x
    return x


def carrying(x):
    total = x
    for _ in range(3):
        total = total + x
    return total


def looping(x):
    while x > cast_like(x, 1):
        x = x - cast_like(x, 1)
    return x


def mixing(x):
    return x * 0.5


def mixing_bits(x):
    return from_bits(x)


def asking(x):
    return np.exp(x)


def denying(x):
    return (not x) * cast_like(x, 1)


def choosing(x):
    return 1.0 if x > cast_like(x, 0) else 0.0


def comparing(x):
    return max(x, cast_like(x, 0))


def nested(x):
    return cast_like(x, 2) * mixing(x)


def early(x):
    if True:
        return x
    return -x


@pytest.mark.parametrize(
    ("function", "line", "words"),
    [
        (branching, 1, "a branch on what is not known"),
        (carrying, 3, "total, which another turn of a loop has assigned"),
        (looping, 1, "`while x > cast_like"),
        (mixing, 1, "a number beside 0.5; cast_like"),
        (mixing_bits, 1, r"from_bits\(\) of a number"),
        (asking, 1, "a call of 'exp'"),
        (denying, 1, "Not of a number"),
        (choosing, 1, "1.0 beside 0.0; cast_like"),
        (comparing, 1, "a call of 'max'"),
        (nested, 1, "a number beside 0.5"),
        (early, 2, "`return x`"),
    ],
)
def test_what_is_not_translated_is_refused_with_its_place(function, line, words):
    place = mixing if function is nested else function
    line += place.__code__.co_firstlineno
    block = Block(Dialect("net", np.dtype(np.float64)))
    with pytest.raises(NotImplementedError, match=rf"\.{place.__name__}, line {line}, .*{words}"):
        call(block, function, (Value("real", "x"),))
