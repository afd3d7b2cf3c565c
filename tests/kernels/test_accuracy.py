"""Every activation and its derivatives against exact values, over the whole range."""

import functools

import mpmath
import numpy as np
import pytest
from accuracy.exact import FORMULAS, value
from accuracy.kernels import apply, near, worst
from accuracy.table import (
    CHOSEN,
    FUNCTIONS,
    OTHER_PARAMETERS,
    OTHERS,
    PLACES,
    TABLE,
    suffixed,
)

from fastnn.kernels import activations
from fastnn.reference.activations import find

INF, NAN = float("inf"), float("nan")
DTYPES = (np.float32, np.float64)
each_dtype = pytest.mark.parametrize("dtype", DTYPES, ids=["f32", "f64"])
one_of = pytest.mark.parametrize(  # so many points; the sweep takes all
    "one_of", [8, pytest.param(1, marks=pytest.mark.sweep)], ids=["few", "all"]
)
each_defined = pytest.mark.parametrize(
    "row", [row for row in TABLE if row.name in FORMULAS], ids=lambda row: row.name
)
each_function = pytest.mark.parametrize(
    ("row", "order"), FUNCTIONS, ids=[suffixed(row.name, k) for row, k in FUNCTIONS]
)


def in_dtype(numbers, dtype):
    """Parameters as kernels get them."""
    return [float(dtype(number)) for number in numbers]


def in_float64(row, order, x):
    """The reference at numbers of float32."""
    numbers = in_dtype(row.parameters, x.dtype.type)
    with np.errstate(all="ignore"):  # a signalling NaN is invalid even to be converted
        exact = find(suffixed(row.name, order))(x.astype(np.float64), *numbers)
    return within(row, x, exact)


def in_mpmath(row, order, x):
    """The exact values at finite numbers."""
    numbers = in_dtype(row.parameters, x.dtype.type)
    exact = [value(row.name, order, v, numbers) for v in x.astype(np.float64).tolist()]
    # an array of objects even where all are floats
    return within(row, x, np.array([*exact, None], object)[:-1])


def within(row, x, exact):
    """NaN where nothing is promised."""
    return np.where(np.abs(x) > row.largest[x.dtype == np.float64], NAN, exact)


def assert_accurate(row, order, x, exact):
    share, message = worst(
        row, order, x, apply(suffixed(row.name, order), x, *row.parameters), exact
    )
    assert share <= 1, message


def neighbours(numbers, dtype):
    """The numbers and those next to them, on both sides of 0."""
    x = np.array([*numbers, *(-number for number in numbers)]).astype(dtype)
    return np.concatenate([x, np.nextafter(x, dtype(INF)), np.nextafter(x, dtype(-INF))])


def special_points(row, dtype):
    """What every function must get right: zeros, infinities, ends of ranges, breakpoints."""
    kind = np.finfo(dtype)
    limits = np.array([0.0, kind.smallest_subnormal, kind.tiny, kind.max], dtype)
    places = [*row.breaks, *row.kinks, *(x for zeros in row.zeros for x in zeros), 1.0, 2.0, 3.0]
    places = [x for x in places if abs(x) < float(kind.max)]
    with np.errstate(over="ignore", under="ignore"):
        return np.concatenate([limits, -limits, neighbours(places, dtype)])


@functools.cache
def float32_points():
    """One of each 4096 successive bit patterns, not always the one that ends in zeros."""
    i = np.arange(2**20, dtype=np.uint64)
    return (i * 4096 + i * 2654435761 % 4096).astype(np.uint32).view(np.float32)


@one_of
@each_function
def test_float32(row, order, one_of):
    limits = np.array([INF, -INF, NAN], np.float32)
    x = np.concatenate([float32_points()[::one_of], special_points(row, np.float32), limits])
    assert_accurate(row, order, x, in_float64(row, order, x))


@functools.cache
def common_points():
    """From the smallest to the largest number, and where exponentials leave the range."""
    rng = np.random.default_rng(7)
    sizes = np.exp2(
        np.concatenate(
            [
                rng.uniform(-1074, 1024, 400),
                rng.uniform(-1074, -1022, 150),
                rng.uniform(-60, 10, 800),
            ]
        )
    )
    ranges = [(2, 600), (8, 500), (40, 500), (750, 400)]
    return np.concatenate([sizes, -sizes, *(rng.uniform(-w, w, n) for w, n in ranges)])


def float64_points(row, order, count):
    """So many points: half of them near places of interest where there are some."""
    rng = np.random.default_rng(order)
    places = np.array([*row.breaks, *row.zeros[order], *row.kinks])[:, np.newaxis]
    x = [special_points(row, np.float64), common_points()]
    if places.size:
        each = (count - x[1].size) // (2 * places.size) + 1
        x.append((places * (1 + rng.uniform(-0.02, 0.02, each))).ravel())
        x.append((places * (1 + rng.uniform(-8, 8, each) * 2.0**-52)).ravel())
    else:
        x.append(rng.normal(0, 3, count - x[1].size))
    return np.concatenate(x)


@one_of
@each_function
def test_float64(row, order, one_of):
    x = float64_points(row, order, 5000)
    assert x.size >= 5000
    special = special_points(row, np.float64)  # which come first
    x = np.concatenate([special, x[special.size :: one_of]])
    if row.name not in FORMULAS:  # of somebody's own: the reference is good for so many digits
        assert_like_reference(row, order, x)
        return
    with mpmath.workprec(140):
        assert_accurate(row, order, x, in_mpmath(row, order, x))


def assert_like_reference(row, order, x):
    x = x[np.abs(x) < np.finfo(np.float32).max]
    result, expected = (
        apply(suffixed(row.name, order), x, *row.parameters),
        in_float64(row, order, x),
    )
    scale = np.maximum(np.abs(expected), np.where(near(x, row.zeros[order]), 1.0, 2.0**-151))
    error = np.where(result == expected, 0.0, np.abs(result - expected) / scale)
    assert error.max() <= 1e-11, f"{error.max():.1e} at {x[error.argmax()]!r}"


@each_dtype
@pytest.mark.parametrize("row", OTHERS, ids=[f"{row.name}{row.parameters}" for row in OTHERS])
def test_other_parameters(row, dtype):
    rng = np.random.default_rng(3)
    places = np.array([*row.kinks, *(x for zeros in row.zeros for x in zeros), 0.1])
    x = np.concatenate(
        [
            special_points(row, dtype),
            rng.normal(0, 3, 100),
            rng.uniform(-120, 120, 60),
            rng.choice(common_points(), 60) if dtype is np.float64 else rng.uniform(-1e30, 1e30, 9),
            (places[:, np.newaxis] * (1 + rng.uniform(-0.02, 0.02, 30))).ravel(),
        ]
    ).astype(dtype)
    for order in range(4):
        with mpmath.workprec(140):
            assert_accurate(row, order, x, in_mpmath(row, order, x))


@each_dtype
@each_function
def test_infinity_and_nan(row, order, dtype):
    x = np.resize(np.array([INF, -INF, NAN, -NAN], dtype), 37)
    limit = np.asarray(in_float64(row, order, x), np.float64)
    beyond = np.abs(limit) > np.finfo(np.float32).max  # the reference may have a number for it
    assert_accurate(row, order, x, np.where(beyond, np.copysign(INF, limit), limit))


# the slope at 0 is not 0, so that -0 goes to -0
THROUGH_ZERO = [
    *("identity", "bent_identity", "tanh", "tanh_shrink", "hard_tanh", "elu", "selu", "celu"),
    *("softsign", "swish", "mish", "tanh_exp", "gelu", "gelu_tanh", "hard_swish", "sin"),
]


@each_dtype
@pytest.mark.parametrize(
    "row", [row for row in TABLE if row.name in THROUGH_ZERO], ids=lambda row: row.name
)
def test_sign_of_zero(row, dtype):
    y = apply(row.name, np.array([0.0, -0.0], dtype), *row.parameters)
    assert np.array_equal(y, [0, 0])
    assert np.array_equal(np.signbit(y), [False, True])


# x: the derivative there
KINKS = {
    "step": {0: 0},
    "hard_shrink": {-0.5: 0, 0.5: 0},
    "soft_shrink": {-0.5: 0, 0.5: 0},
    "threshold": {0.1: 0},
    "hard_sigmoid": {-2.5: 0.2, 2.5: 0.2},
    "hard_tanh": {-1: 1, 1: 1},
    "relu": {0: 0},
    "relu6": {0: 0, 6: 0},
    "leaky_relu": {0: 1},
    "elu": {0: 1},
    "selu": {0: 1.0507009873554805},
    "celu": {0: 1},
    "prelu": {0: 1},
    "hard_swish": {-3: 0, 3: 1},
    "sparse_plus": {-1: 0, 1: 1},
    "sparse_sigmoid": {-1: 0.25, 1: 0.25},
}


@each_dtype
@pytest.mark.parametrize("name", [row.name for row in TABLE if row.name in KINKS])
def test_kinks(name, dtype):
    (row,) = (row for row in TABLE if row.name == name)
    x, slope = (
        np.array(list(numbers), dtype) for numbers in zip(*KINKS[name].items(), strict=True)
    )
    assert np.array_equal(apply(f"{name}_derivative", x, *row.parameters), slope)
    numbers = in_dtype(row.parameters, np.float64)
    expected = find(f"{name}_derivative")(x.astype(np.float64), *numbers)
    if name != "threshold" or dtype is np.float64:
        assert np.array_equal(expected.astype(dtype), slope)


@each_defined
@pytest.mark.parametrize("order", range(4))
def test_reference_equals_textbook(row, order):
    rng = np.random.default_rng(order)
    sizes = np.exp2(np.concatenate([rng.uniform(-149, 128, 80), rng.uniform(-20, 8, 80)]))
    places = np.array([*row.breaks, *row.kinks, *row.zeros[order], 0.1])[:, np.newaxis]
    beside = (places * (1 + rng.uniform(-0.01, 0.01, 8))).ravel()
    x = np.concatenate([sizes, -sizes, rng.uniform(-9, 9, 80), rng.uniform(-110, 100, 80), beside])
    with np.errstate(over="ignore"):
        x = np.concatenate([x.astype(np.float32), special_points(row, np.float32)])
    x = x[np.abs(x) <= min(row.largest[0], np.finfo(np.float32).max)]
    result = in_float64(row, order, x)
    with mpmath.workprec(140):
        exact = in_mpmath(row, order, x)
        inside = near(x, row.zeros[order]) if row.zeros[order] else np.zeros(x.shape, bool)
        scale = np.abs(exact).astype(np.float64)
        scale = np.maximum(scale, np.where(inside, 1.0, 2.0**-151))  # what float32 can tell apart
        with np.errstate(invalid="ignore"):
            error = np.abs(result - exact).astype(np.float64) / scale
    error[(result == scale) | (np.abs(result) > 1e39) & (scale > 1e39)] = 0.0
    if order:
        error[near(x, row.kinks, 3e-7)] = 0.0
    at = error.argmax()
    assert error[at] <= 1e-11, f"{error[at]:.1e} at {x[at]!r}: {result[at]!r}, {float(exact[at])!r}"


@each_defined
def test_derivatives_of_the_textbook(row):
    x = np.random.default_rng(0).uniform(-4, 4, 6)
    numbers = [mpmath.mpf(number) for number in row.parameters]
    with mpmath.workprec(200):
        for order in (1, 2, 3):
            f, slope = FORMULAS[row.name][order - 1], FORMULAS[row.name][order]
            for v in map(mpmath.mpf, x.tolist()):
                expected = mpmath.diff(lambda t, f=f: f(t, *numbers), v)
                assert abs(slope(v, *numbers) - expected) <= mpmath.mpf(10) ** -20


def test_every_formula_has_its_row_and_its_definition():
    names = [row.name for row in TABLE]
    assert sorted(names) == sorted(activations.names())
    assert set(names) <= set(FORMULAS)
    assert set(names) >= {*PLACES, *OTHER_PARAMETERS, *CHOSEN, *KINKS, *THROUGH_ZERO}
