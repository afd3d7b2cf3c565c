"""The elementary functions: accuracy over the whole range, special values."""

import functools
from collections.abc import Callable
from typing import NamedTuple

import mpmath
import numpy as np
import pytest
from support.ulp import ulp_error

from fastnn.kernels import vecmath
from fastnn.kernels.codegen.declare import kernel
from fastnn.kernels.codegen.intrinsics import wide

INF, NAN = float("inf"), float("nan")


def sigmoid(x):
    e = np.exp(-np.abs(x))
    return np.where(x < 0, e, 1) / (1 + e)


def softplus(x):
    return np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x)))


class Row(NamedTuple):
    """A function, what it should give, and where it changes its ways."""

    name: str
    reference: Callable  # float64, good for float32
    exact: Callable  # mpmath, good for float64
    bound: float  # ULP
    breaks: tuple  # reductions, selects and cancellations; where results leave the normal range
    special: tuple  # pairs of argument and result


TABLE = [
    Row(
        "exp",
        np.exp,
        mpmath.exp,
        1.0,
        (0.3465735902799727, 1.0397207708399179, 709.782712893384, -708.3964185322641, -745.1),
        ((0.0, 1.0), (-0.0, 1.0), (INF, INF), (-INF, 0.0), (1000.0, INF), (-1000.0, 0.0)),
    ),
    Row(
        "expm1",
        np.expm1,
        mpmath.expm1,
        1.0,
        (0.3465735902799727, -0.3465735902799727, 2.0**-54, 709.782712893384, 36.7, 17.3, -38.0),
        ((0.0, 0.0), (-0.0, -0.0), (INF, INF), (-INF, -1.0), (1000.0, INF), (-1000.0, -1.0)),
    ),
    Row(
        "log",
        np.log,
        mpmath.log,
        1.0,
        (1.0, 0.5**0.5, 2.0**0.5, 2.0**-1022, 2.0**1023),
        (
            (1.0, 0.0),
            (0.0, -INF),
            (-0.0, -INF),
            (INF, INF),
            (-INF, NAN),
            (-1.0, NAN),
            (-1e-30, NAN),
        ),
    ),
    Row(
        "log1p",
        np.log1p,
        mpmath.log1p,
        1.0,
        (-1.0, 0.5**0.5 - 1, 2.0**0.5 - 1, 2.0**-54, 2.0**53, 1.7e308),
        ((0.0, 0.0), (-0.0, -0.0), (-1.0, -INF), (INF, INF), (-INF, NAN), (-1.5, NAN)),
    ),
    Row(
        "tanh",
        np.tanh,
        mpmath.tanh,
        2.0,
        (0.1732867951399863, 2.0**-28, 19.06154746539849, 20.0),
        ((0.0, 0.0), (-0.0, -0.0), (INF, 1.0), (-INF, -1.0), (30.0, 1.0), (-30.0, -1.0)),
    ),
    Row(
        "sigmoid",
        sigmoid,
        lambda x: 1 / (1 + mpmath.exp(-x)),
        2.0,
        (0.3465735902799727, 36.7, -36.7, -708.3964185322641, -745.1),
        ((0.0, 0.5), (-0.0, 0.5), (INF, 1.0), (-INF, 0.0), (1000.0, 1.0), (-1000.0, 0.0)),
    ),
    Row(
        "softplus",
        softplus,
        lambda x: mpmath.log1p(mpmath.exp(x)) if x < 0 else x + mpmath.log1p(mpmath.exp(-x)),
        1.0,
        (0.5, -0.8813735870195429, 0.8813735870195429, 36.7, -708.3964185322641, -745.1),
        ((INF, INF), (-INF, 0.0), (1e30, 1e30), (-1000.0, 0.0)),
    ),
]
each_function = pytest.mark.parametrize("row", TABLE, ids=[row.name for row in TABLE])
each_dtype = pytest.mark.parametrize("dtype", [np.float32, np.float64], ids=["f32", "f64"])


@functools.cache
def loop(name):
    function = getattr(vecmath, name)

    def run(x, out):
        wide()
        for i in range(x.size):
            out[i] = function(x[i])

    return kernel(run)


def apply(row, x):
    out = np.empty_like(x)
    loop(row.name)(x, out)
    return out


def assert_accurate(row, x, exact):
    error = ulp_error(apply(row, x), exact, x.dtype)
    worst = error.argmax()
    assert error[worst] <= row.bound, f"{row.name}({x[worst]!r}) is off by {error[worst]:.3f} ULP"


@each_function
def test_float32(row):
    # one of each 4096 successive bit patterns, not always the one that ends in zeros
    i = np.arange(2**20, dtype=np.uint64)
    x = (i * 4096 + i * 2654435761 % 4096).astype(np.uint32).view(np.float32)
    with np.errstate(all="ignore"):
        exact = row.reference(x.astype(np.float64))
    assert_accurate(row, x, exact)


def float64_points(row):
    rng = np.random.default_rng(7)
    sizes = np.concatenate(
        [
            np.exp2(rng.uniform(-1074, 1024, 1500)),
            np.exp2(rng.uniform(-1074, -1022, 300)),
            np.exp2(rng.uniform(-60, 10, 3000)),
        ]
    )
    near = np.array(row.breaks)[:, None]
    points = [
        sizes,
        -sizes,
        rng.uniform(-2, 2, 3000),
        rng.uniform(-750, 720, 1500),
        (near * (1 + rng.uniform(-0.02, 0.02, 300))).ravel(),
        (near * (1 + rng.uniform(-8, 8, 100) * 2.0**-52)).ravel(),
    ]
    x = np.concatenate(points)
    # where log and log1p are not numbers is a matter of the special values
    return {"log": x[x > 0], "log1p": x[x > -1]}.get(row.name, x)


@each_function
@pytest.mark.parametrize(  # so many points; the sweep takes all
    "one_of", [8, pytest.param(1, marks=pytest.mark.sweep)], ids=["few", "all"]
)
def test_float64(row, one_of):
    x = float64_points(row)[::one_of]
    with mpmath.workprec(140):
        exact = np.array([row.exact(mpmath.mpf(v)) for v in x.tolist()])
        assert_accurate(row, x, exact)


@each_dtype
@each_function
def test_special_values(row, dtype):
    x, expected = np.array(row.special, dtype).T.copy()
    result = apply(row, x)
    np.testing.assert_array_equal(result, expected)
    zero = result == 0
    np.testing.assert_array_equal(np.signbit(result[zero]), np.signbit(expected[zero]))


@each_dtype
@each_function
def test_nan_stays(row, dtype):
    bits = np.dtype(f"i{np.dtype(dtype).itemsize}")
    quiet = np.array([np.nan, -np.nan], dtype)
    x = np.concatenate([quiet, (quiet.view(bits) + 12345).view(dtype)])  # with a payload
    assert np.isnan(apply(row, np.resize(x, 37))).all()


@each_dtype
@pytest.mark.parametrize("name", ["expm1", "log1p", "tanh"])
def test_subnormal_numbers_are_returned(name, dtype):
    tiny = np.finfo(dtype).smallest_subnormal * np.array([1, 2, 3, 1001], dtype)
    x = np.concatenate([tiny, -tiny])
    row = next(row for row in TABLE if row.name == name)
    np.testing.assert_array_equal(apply(row, x), x)


@each_function
def test_type_is_kept(row):
    function = getattr(vecmath, row.name)

    def one(x):
        return function(x)

    compiled = kernel(one)
    compiled(np.float32(0.5))
    compiled(0.5)
    types = [str(overload.signature.return_type) for overload in compiled.overloads.values()]
    assert types == ["float32", "float64"]
