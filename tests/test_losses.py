"""Costs against their references, in the tails, and on bad input."""

import mpmath
import numpy as np
import pytest
from networks import DTYPES
from tolerance import assert_close

import fastnn
from fastnn.losses import COSTS
from fastnn.reference.losses import COSTS as REFERENCE


def test_every_cost_has_its_reference():
    assert set(COSTS) == set(REFERENCE)


def sample(cost, shape, dtype, seed=0):
    rng = np.random.default_rng(seed)
    logits = (5 * rng.normal(size=shape)).astype(dtype)
    if cost == "SoftmaxCrossEntropy":
        return logits, np.eye(shape[-1], dtype=dtype)[rng.integers(0, shape[-1], shape[:-1])]
    return logits, rng.uniform(0, 1, shape).astype(dtype)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(1, 1), (7, 3), (1000, 1), (3, 40), (2, 5, 4)])
@pytest.mark.parametrize("name", COSTS)
def test_equals_reference(name, shape, dtype):
    cost, reference = COSTS[name](), REFERENCE[name]
    logits, t = sample(name, shape, dtype)
    kept = logits.copy()
    exact = logits.astype(np.float64)
    assert cost(logits, t) == pytest.approx(
        reference.value(exact, t), rel=8 * float(np.finfo(dtype).eps), abs=0
    )
    for ours, expected in (
        (cost.activate(logits), reference.activate(exact)),
        (cost.delta(logits, t), reference.delta(exact, t)),
    ):
        assert ours.dtype == dtype
        assert_close(ours, expected, operations=4 + shape[-1])
    assert np.array_equal(logits, kept)


@pytest.mark.parametrize("dtype", DTYPES)
def test_sigmoid_entropy_is_exact_in_the_tails(dtype):
    cost = fastnn.SigmoidCrossEntropy()
    tiny = np.finfo(dtype).tiny
    with mpmath.workprec(200):
        for a in (-1e4, -100.0, -20.0, -1.0, 0.0, 1.0, 15.0, 80.0, 1e4):
            for t in (0.0, 1.0):
                logit = dtype(a)
                exact = mpmath.log1p(mpmath.exp(logit if t == 0 else -logit))
                found = cost(np.array([[logit]]), np.array([[t]], dtype))
                assert abs(found - exact) <= 4 * np.finfo(dtype).eps * exact + 2 * tiny
    big = np.array([[np.inf, -np.inf]], dtype)
    assert cost(big, np.array([[1.0, 0.0]], dtype)) == 0.0
    assert cost(big, np.array([[0.0, 1.0]], dtype)) == np.inf
    assert np.array_equal(cost.delta(big, [[1.0, 0.0]]), [[0.0, 0.0]])


@pytest.mark.parametrize("dtype", DTYPES)
def test_softmax_entropy_is_exact_in_the_tails(dtype):
    cost = fastnn.SoftmaxCrossEntropy()
    logits = np.array([[1e4, -1e4, 0.0], [0.0, 0.0, -np.inf]], dtype)
    assert cost(logits, np.array([[0, 1, 0], [1, 0, 0]])) == pytest.approx(2e4 + np.log(2))
    assert cost(logits, np.array([[1, 0, 0], [1, 0, 0]])) == pytest.approx(np.log(2))
    assert np.array_equal(cost.activate(logits), np.array([[1, 0, 0], [0.5, 0.5, 0]], dtype))
    assert np.isfinite(cost.delta(logits, np.eye(3)[:2])).all()


@pytest.mark.parametrize("name", COSTS)
def test_no_floating_point_warning(name):
    cost = COSTS[name]()
    logits = np.array([[1e308, -1e308], [0.0, -800.0], [800.0, 5e-324]])
    logits = logits / 1e160 if name == "SumSquaresError" else logits  # its square overflows
    t = np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 0.0]])
    with np.errstate(all="raise"):
        assert np.isfinite(cost(logits, t))
        assert np.isfinite(cost.delta(logits, t)).all()
        assert np.isfinite(cost.activate(logits)).all()


@pytest.mark.parametrize("name", COSTS)
def test_delta_is_the_derivative_of_the_cost(name):
    cost = COSTS[name]()
    logits, t = sample(name, (4, 3), np.float64)
    delta = cost.delta(logits, t)
    step = 1e-5
    for place in np.ndindex(*logits.shape):
        above, below = logits.copy(), logits.copy()
        above[place] += step
        below[place] -= step
        numeric = (cost(above, t) - cost(below, t)) / (2 * step)
        assert numeric == pytest.approx(delta[place], rel=1e-6, abs=1e-8)


@pytest.mark.parametrize("name", COSTS)
def test_any_layout_gives_the_same(name):
    cost = COSTS[name]()
    logits, t = sample(name, (6, 4), np.float64)
    frozen = logits.copy()
    frozen.flags.writeable = False
    expected = cost(logits, t), cost.delta(logits, t), cost.activate(logits)
    wide = np.zeros((6, 8))
    wide[:, ::2] = logits
    for given in (
        logits.tolist(),
        wide[:, ::2],
        np.asfortranarray(logits),
        frozen,
        logits.astype(">f8"),
    ):
        found = cost(given, t), cost.delta(given, t), cost.activate(given)
        for ours, theirs in zip(found, expected, strict=True):
            assert np.array_equal(ours, theirs)


@pytest.mark.parametrize("name", COSTS)
def test_bad_input(name):
    cost = COSTS[name]()
    with pytest.raises(ValueError, match=r"targets have shape \(2,\), expected that of logits"):
        cost(np.ones((2, 1)), np.ones(2))
    with pytest.raises(TypeError, match="logits must hold real numbers, not complex128"):
        cost(np.ones((2, 1)) * 1j, np.ones((2, 1)))
    with pytest.raises(TypeError, match="targets must hold real numbers"):
        cost.delta(np.ones((1, 1)), np.array([["a"]]))
    with pytest.raises(ValueError, match="logits is not an array of numbers"):
        cost.activate([[1, 2], [3]])
    assert cost(np.empty((0, 3)), np.empty((0, 3))) == 0.0
    assert cost.activate(np.empty((0, 3))).shape == (0, 3)
    assert np.isnan(cost(np.array([[np.nan, 1.0]]), np.array([[1.0, 0.0]])))
    assert np.isnan(cost.delta(np.array([[np.nan, 1.0]]), np.array([[1.0, 0.0]]))[0, 0])


def test_article_s_numbers_on_ordinary_logits():
    """On logits where the article's own formulas are exact, the same numbers come out."""
    a, t = np.array([[-1.5, 0.3]]), np.array([[0.0, 1.0]])
    p = 1 / (1 + np.exp(-a))
    article = np.sum(-t * np.log(p) - (1 - t) * np.log(1 - p))
    assert fastnn.SigmoidCrossEntropy()(a, t) == pytest.approx(article, rel=1e-14)
    assert np.allclose(fastnn.SigmoidCrossEntropy().delta(a, t), p - t, rtol=1e-14)
    assert fastnn.SumSquaresError().delta(a, t) == pytest.approx(a - t)
