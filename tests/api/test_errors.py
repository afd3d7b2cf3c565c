"""The article's errors."""

import copy

import mpmath
import numpy as np
import pytest
from support.networks import DTYPES

import fastnn
from fastnn import dropin
from fastnn.errors import ERRORS, BinaryCrossEntropy, CrossEntropy, Error, SquareError

dtypes = pytest.mark.parametrize("dtype", DTYPES)

EXACT = {
    "Square": (lambda y, t: (y - t) ** 2 / 2, lambda y, t: y - t),
    "Binary": (
        lambda y, t: -t * mpmath.log(y) - (1 - t) * mpmath.log1p(-y),
        lambda y, t: (y - t) / (y * (1 - y)),
    ),
    "Cross": (lambda y, t: -t * mpmath.log(y), lambda y, t: -t / y),
}


def test_names():
    for name, kind in ERRORS.items():
        assert type(fastnn.get_err(name)) is type(fastnn.get_err(name.lower())) is kind
        assert isinstance(fastnn.get_err(name), Error)
    assert dropin.get_err is fastnn.get_err
    for kind in (Error, SquareError, BinaryCrossEntropy, CrossEntropy):
        assert getattr(dropin, kind.__name__) is kind
        assert kind.__name__ in dropin.__all__
    assert set(ERRORS) == set(EXACT)
    with pytest.raises(ValueError, match="unknown error 'Squared'; nearest: Square"):
        fastnn.get_err("Squared")
    with pytest.raises(TypeError, match="error must be given by its name"):
        fastnn.get_err(SquareError)


@dtypes
@pytest.mark.parametrize("name", ERRORS)
def test_values_and_derivatives(name, dtype):
    err, eps = fastnn.get_err(name), float(np.finfo(dtype).eps)
    y = np.array([1e-15, 1e-3, 0.1, 0.4999, 0.5, 0.9, 1 - 1e-3, 1 - 2e-7], dtype)
    y, t = np.meshgrid(y, np.array([0, 0.25, 0.5, 1], dtype))
    error, slope = err.forward(y, t), err.backward()
    assert error.dtype == slope.dtype == dtype
    assert error.shape == slope.shape == y.shape
    with mpmath.workprec(200):
        for place in np.ndindex(*y.shape):
            a, b = mpmath.mpf(float(y[place])), mpmath.mpf(float(t[place]))
            value, derivative = EXACT[name][0](a, b), EXACT[name][1](a, b)
            assert abs(float(error[place]) - value) <= 4 * eps * abs(value)
            assert abs(float(slope[place]) - derivative) <= 4 * eps * abs(derivative)
    assert err.total_error() == pytest.approx(error.astype(float).mean(), rel=1e-15)


@dtypes
@pytest.mark.parametrize("name", ["Binary", "Cross"])
def test_finite_at_the_ends(name, dtype):
    err, tiny = fastnn.get_err(name), np.finfo(dtype).tiny
    y, t = np.array([0, 0, 1, 1, 0, 1], dtype), np.array([0, 1, 0, 1, 0.5, 0.5], dtype)
    with np.errstate(all="raise"):
        error, slope = err.forward(y, t), err.backward()
    assert np.isfinite(error).all()
    assert np.isfinite(slope).all()
    most = -np.log(tiny)
    expected = [0, most, most, 0, most / 2, most / 2]
    slopes = [1, -1 / tiny, 1 / tiny, -1, -0.5 / tiny, 0.5 / tiny]
    if name == "Cross":
        expected[2] = expected[5] = 0
        slopes = [0, -1 / tiny, 0, -1, -0.5 / tiny, -0.5]
    assert np.allclose(error, expected, rtol=1e-6, atol=0)
    assert np.allclose(slope, slopes, rtol=1e-6, atol=0)


@pytest.mark.parametrize("name", ERRORS)
def test_any_shape(name):
    err = fastnn.get_err(name)
    for shape in ((), (0,), (3,), (2, 0, 4), (4, 5, 6), (100_003,)):
        y = np.full(shape, 0.25)
        assert err.forward(y, y).shape == shape
        assert err.backward().shape == shape
    assert isinstance(err.forward(0.25, 1), float)
    assert isinstance(err.backward(), float)
    assert err.forward([[0.25, 0.5]], 1).shape == (1, 2)
    assert err.forward([[0, 1]], [0, 1]).dtype == np.float64
    strided = np.linspace(0, 1, 20, dtype="f4")[::-3]
    assert np.array_equal(err.forward(strided, 1), err.forward(strided.copy(), 1))
    assert err.error.dtype == np.float32
    assert np.isnan(err.forward([np.nan, 0.5], [1.0, 1.0])).tolist() == [True, False]
    assert np.isnan(err.backward()).tolist() == [True, False]
    assert repr(copy.deepcopy(err)) == repr(err)


def test_article_s_numbers():
    y, t = np.array([[0.2, 0.7], [0.9, 0.4]]), np.array([[0.0, 1.0], [1.0, 0.0]])
    err = fastnn.get_err("Binary")
    article = -t * np.log(y) - (1 - t) * np.log(1 - y)
    assert np.allclose(err.forward(y, t), article, rtol=1e-14)
    assert np.allclose(err.backward(), (y - t) / (y * (1 - y)), rtol=1e-14)
    assert err.total_error() == pytest.approx(np.sum(article) / article.size)
    square = fastnn.get_err("Square")
    square.forward(y, t)
    assert np.array_equal(square.backward(), y - t)


def test_what_was_given_may_change():
    err, y = fastnn.get_err("Square"), np.ones(3)
    err.forward(y, 0.0)
    y[...] = 7
    assert np.array_equal(err.backward(), np.ones(3))


def test_bad_input():
    err = fastnn.get_err("Binary")
    with pytest.raises(ValueError, match="backward needs forward first"):
        err.backward()
    with pytest.raises(ValueError, match="total_error needs forward first"):
        err.total_error()
    with pytest.raises(ValueError, match=r"t has shape \(2,\), expected that of y, \(3,\)"):
        err.forward(np.zeros(3), np.zeros(2))
    with pytest.raises(TypeError, match="y must hold real numbers, not complex128"):
        err.forward(1j, 0)
    with pytest.raises(ValueError, match=r"y\[1\] is 1.5, expected a probability, from 0 to 1"):
        err.forward([1.0, 1.5], 0)
    with pytest.raises(ValueError, match=r"t is -1\.0, expected a probability"):
        err.forward(0.5, -1)
    assert err.forward(np.float32(1.0000001), 1) == 0.0
    err.forward([], [])
    with pytest.raises(ValueError, match="y is empty"):
        err.total_error()
