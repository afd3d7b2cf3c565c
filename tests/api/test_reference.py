"""References of functions along an axis against the textbook; those of numbers: test_accuracy."""

import mpmath
import numpy as np
import pytest
from mpmath import mpf

from fastnn.reference.activations import find

SIZES = (1, 2, 3, 10)
SPREADS = (0.1, 3.0, 40.0)
# forward of a vector, number by number
TEXTBOOK = {
    "softmax": lambda x: [mpmath.exp(v) / sum(map(mpmath.exp, x)) for v in x],
    "softmin": lambda x: [mpmath.exp(-v) / sum(mpmath.exp(-u) for u in x) for v in x],
    "log_softmax": lambda x: [v - mpmath.log(sum(map(mpmath.exp, x))) for v in x],
}
each_function = pytest.mark.parametrize("name", TEXTBOOK)


def sample(n, spread):
    return np.random.default_rng(n).normal(0, spread, n)


def jacobian(name, x):
    """Row i: the derivatives of number i, by the quotient rule."""
    y = TEXTBOOK[name](x)
    same = np.eye(len(x), dtype=int).tolist()
    if name == "log_softmax":
        p = TEXTBOOK["softmax"](x)
        return np.array([[d - q for d, q in zip(row, p, strict=True)] for row in same])
    sign = -1 if name == "softmin" else 1
    return np.array(
        [
            [sign * a * (d - b) for d, b in zip(row, y, strict=True)]
            for a, row in zip(y, same, strict=True)
        ]
    )


def assert_same(actual, expected):
    expected = np.array(expected, object)
    scale = np.maximum(np.abs(expected).astype(np.float64), 1e-100)
    assert (np.abs(actual - expected).astype(np.float64) <= 1e-11 * scale).all()


@pytest.mark.one_in(2)
@each_function
@pytest.mark.parametrize("n", SIZES)
@pytest.mark.parametrize("spread", SPREADS)
def test_equals_textbook(name, n, spread):
    x = sample(n, spread)
    with mpmath.workprec(600):
        exact = [mpf(v) for v in x]
        diagonal = np.diagonal(jacobian(name, exact))
        assert_same(find(name)(x), TEXTBOOK[name](exact))
        assert_same(find(f"{name}_derivative")(x), diagonal)
        g = np.random.default_rng(0).normal(size=n)
        product = find(f"{name}_vjp")(g, x)
        expected = np.array([mpf(v) for v in g], object) @ jacobian(name, exact)
        scale = np.abs(g).sum()
        assert (np.abs(product - expected).astype(np.float64) <= 1e-13 * scale).all()
        second = [
            mpmath.diff(lambda t, i=i: TEXTBOOK[name]([*exact[:i], t, *exact[i + 1 :]])[i], v, 2)
            for i, v in enumerate(exact)
        ]
        near = np.abs(find(f"{name}_second_derivative")(x) - np.array(second, object))
        assert (near.astype(np.float64) <= 1e-13).all()


@each_function
def test_axis(name):
    x = np.random.default_rng(0).normal(size=(3, 4, 5))
    for kind in ("", "_derivative", "_second_derivative"):
        function = find(name + kind)
        expected = np.moveaxis(function(np.moveaxis(x, 1, -1)), -1, 1)
        np.testing.assert_allclose(function(x, axis=1), expected, rtol=1e-13)
    vjp = find(f"{name}_vjp")
    expected = np.moveaxis(vjp(*np.moveaxis(np.stack([x**2, x]), 2, -1)), -1, 1)
    np.testing.assert_allclose(vjp(x**2, x, axis=1), expected, rtol=1e-12)


def test_maxout():
    x = np.array([[1.0, 3.0, 2.0, 2.0, -5.0, -6.0], [0.0, -1.0, 4.0, 9.0, 7.0, 7.5]])
    g = np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])
    y, slope = [[3, 2, -5], [0, 9, 7.5]], [[0, 1, 1, 0, 1, 0], [1, 0, 0, 1, 0, 1]]
    moved = [[0, 1, 2, 0, 3, 0], [4, 0, 0, 5, 0, 6]]
    for axis, turn in ((-1, np.asarray), (0, np.transpose)):
        np.testing.assert_array_equal(find("maxout")(turn(x), 2, axis), turn(y))
        np.testing.assert_array_equal(find("maxout_derivative")(turn(x), 2, axis), turn(slope))
        np.testing.assert_array_equal(find("maxout_vjp")(turn(g), turn(x), 2, axis), turn(moved))
        assert not find("maxout_second_derivative")(turn(x), 2, axis).any()
    np.testing.assert_array_equal(find("maxout")(x, 3), [[3, 2], [4, 9]])


def test_glu():
    rng = np.random.default_rng(0)
    a, b = rng.normal(0, 3, 50), rng.normal(0, 30, 50)
    with mpmath.workprec(200):
        gate = [1 / (1 + mpmath.exp(-mpf(v))) for v in b]
        exact = np.array([mpf(v) for v in a], object)
        assert_same(find("glu")(a, b), exact * gate)
        assert_same(find("glu_by_value")(a, b), gate)
        assert_same(find("glu_by_gate")(a, b), exact * [s * (1 - s) for s in gate])


def test_unknown_name():
    with pytest.raises(LookupError, match="no reference named 'tanhh'"):
        find("tanhh")
