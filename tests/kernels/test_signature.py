"""Calls by address: what does not fit the function's signature is refused before anything runs."""

import numpy as np
import pytest
from numba.core.errors import TypingError

from fastnn.kernels.codegen.declare import address, kernel
from fastnn.kernels.codegen.intrinsics import pointer
from fastnn.kernels.codegen.signature import DATA, FLOAT, INT, Signature, call_tile_kernel

SCALED = Signature("scaled", x=DATA, count=INT, factor=FLOAT)
call_scaled = SCALED.call


def scaled(x, count, factor):
    """C function: the sum of some numbers, times a factor."""
    total = 0.0
    for i in range(count):
        total += factor * x[i]
    return total


@kernel
def fitting(target, x):
    return call_scaled(target, pointer(x, 0), x.size, 2.0)


@kernel
def too_few(target, x):
    return call_scaled(target, pointer(x, 0), x.size)


@kernel
def too_many(target, x):
    return call_tile_kernel(target, pointer(x, 0), 0, 0, 0, 0, 0, 0, 0, 0)


@kernel
def integer_for_data(target, x):
    return call_scaled(target, 0, x.size, 2.0)


@kernel
def float_for_integer(target, x):
    return call_scaled(target, pointer(x, 0), 2.0, 2.0)


@kernel
def swapped(target, x):
    return call_scaled(target, x.size, pointer(x, 0), 2.0)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_call_that_fits(dtype):
    x = np.arange(4).astype(dtype)
    assert fitting(address(scaled, dtype, SCALED), x) == 12.0


@pytest.mark.parametrize(
    ("caller", "words"),
    [
        (too_few, r"scaled\(x, count, factor\) takes 3 arguments, not 2"),
        (too_many, r"tile kernel\(a, .*\) takes 8 arguments, not 9"),
        (integer_for_data, r"x of scaled\(.*\) is a pointer to data of the dtype, not .*int"),
        (float_for_integer, r"count of scaled\(.*\) is a int64, not float64"),
        (swapped, r"x of scaled\(.*\) is a pointer to data of the dtype, not int64"),
    ],
)
def test_a_call_that_does_not_fit_does_not_compile(caller, words):
    with pytest.raises(TypingError, match=words):
        caller(0, np.zeros(3))


@pytest.mark.parametrize("dtype", [np.int64, np.complex128])
def test_data_is_float32_or_float64(dtype):
    with pytest.raises(TypingError, match="x of scaled"):
        fitting(0, np.zeros(3, dtype))


def test_a_function_with_other_arguments_has_no_address():
    def other(x, factor, count):
        return 0.0

    with pytest.raises(
        TypeError, match=r"other\(x, factor, count\) does not have the arguments of sc"
    ):
        address(other, np.float64, SCALED)
