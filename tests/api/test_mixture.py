"""What the outputs of a mixture density network say of its targets."""

import mpmath
import numpy as np
import pytest
from scipy import stats
from support.networks import DTYPES
from support.tolerance import assert_close

import fastnn
from fastnn import MixtureDensityError

dtypes = pytest.mark.parametrize("dtype", DTYPES)


def outputs_of(cost, rows=6, dtype=np.float64, seed=0):
    """Outputs of a network, as `activate` makes them."""
    count = cost.outputs_for(cost.targets)
    return cost.activate(np.random.default_rng(seed).normal(size=(rows, count)).astype(dtype))


@dtypes
@pytest.mark.parametrize("targets", [1, 3])
def test_parts_of_the_outputs(targets, dtype):
    cost = MixtureDensityError(components=2, targets=targets)
    y = outputs_of(cost, dtype=dtype)
    mixing, means, widths = cost.split(y)
    assert (mixing.shape, means.shape, widths.shape) == ((6, 2), (6, 2, targets), (6, 2))
    assert_close(mixing.sum(axis=1), np.ones(6), operations=2)
    assert (widths > 0).all()
    assert np.array_equal(means[:, 1], y[:, 2 + targets : 2 + 2 * targets])
    assert cost.split(y[0])[1].shape == (2, targets)


@dtypes
@pytest.mark.parametrize("targets", [1, 2])
def test_density_is_the_exponential_of_the_cost(targets, dtype):
    cost = MixtureDensityError("none", components=3, targets=targets)
    logits = np.random.default_rng(0).normal(size=(6, cost.outputs_for(targets))).astype(dtype)
    t = np.random.default_rng(1).normal(size=(6, targets)).astype(dtype)
    found = cost.density(cost.activate(logits), t)
    assert found.dtype == dtype
    assert_close(found, np.exp(-cost(logits, t).astype(np.float64)), operations=60)


def test_density_integrates_to_one_with_its_moments():
    cost = MixtureDensityError(components=3)
    y, t = outputs_of(cost), np.linspace(-60, 60, 120_001)
    density = cost.density(y[:, np.newaxis], t[:, np.newaxis])
    step = t[1] - t[0]
    assert np.allclose(density.sum(axis=1) * step, 1.0, rtol=1e-10)
    mean = (density * t).sum(axis=1) * step
    assert np.allclose(cost.mean(y)[:, 0], mean, atol=1e-10)
    second = (density * t**2).sum(axis=1) * step
    assert np.allclose(cost.variance(y), second - mean**2, rtol=1e-9)


def test_density_of_one_component_is_the_normal_one():
    cost = MixtureDensityError(components=1, targets=2)
    y = [[1.0, 0.5, -1.0, 2.0]]
    exact = stats.multivariate_normal([0.5, -1.0], 4 * np.eye(2))
    for t in ([0.0, 0.0], [3.0, 4.0], [200.0, 0.0]):
        assert cost.density(y, t) == pytest.approx(exact.pdf(t), rel=1e-12)
    assert cost.variance(y) == pytest.approx([8.0])
    assert np.allclose(cost.mode(y), [[0.5, -1.0]])


@pytest.mark.parametrize("seed", range(3))
def test_modes_are_maxima(seed):
    cost = MixtureDensityError(components=3)
    y, t = outputs_of(cost, 20, seed=seed), np.linspace(-8, 8, 16_001)
    density = cost.density(y[:, np.newaxis], t[:, np.newaxis])
    best = t[density.argmax(axis=1)]
    assert np.abs(cost.mode(y)[:, 0] - best).max() < 1e-3
    found, h = cost.modes(y), 1e-4
    here = cost.density(y[:, np.newaxis], found)
    for side in (-h, h):
        assert (cost.density(y[:, np.newaxis], found + side) <= here * (1 + 1e-7)).all()


@dtypes
def test_far_and_narrow(dtype):
    cost = MixtureDensityError(components=2)
    y = np.array([[1.0, 0.0, 0.0, 1e3, 1e-3, 1.0]], dtype)
    with np.errstate(all="raise", under="ignore"):
        assert cost.density(y, [[1e4]]) == 0.0
        assert cost.density(y, [[0.0]]) == pytest.approx(1e3 / np.sqrt(2 * np.pi), rel=1e-5)
        assert cost.mode(y) == 0.0
    assert cost.density(y, [[np.nan]]) != cost.density(y, [[np.nan]])


@dtypes
@pytest.mark.parametrize("widths", [(-400, -400), (-60, -60), (-10, -400), (-1e4, 0), (-1e4, -1e4)])
def test_modes_of_any_width(widths, dtype):
    cost = MixtureDensityError(components=2)
    y = cost.activate(np.array([[0.5, 0.0, 1.0, 3.0, *widths]], dtype))
    with np.errstate(all="raise", under="ignore"):
        found, mode = cost.modes(y), cost.mode(y)
        density = cost.density(y, [[1.0]])
    assert found.dtype == dtype
    first = found[0, 0, 0] if widths[1] < 0 else 1.0
    assert (first, mode[0, 0]) == (1.0, 3.0 if widths[1] < widths[0] else 1.0)
    assert widths[1] == 0 or found[0, 1, 0] == 3.0
    assert density > 0


@pytest.mark.parametrize("apart", [0.5, 1.0, 1.001, 1.1])
@pytest.mark.parametrize("shift", [0.0, 1e3])
def test_modes_about_to_merge(apart, shift):
    """Of two equal components at -d σ and d σ: tanh(d t) d = t, and one mode up to d = 1."""
    cost, sigma = MixtureDensityError(components=2), 0.5
    y = [0.5, 0.5, shift - apart * sigma, shift + apart * sigma, sigma, sigma]
    with mpmath.workdps(40):
        start = (3 * (apart - 1)) ** 0.5 if apart > 1 else 0.0
        root = float(mpmath.findroot(lambda t: mpmath.tanh(apart * t) * apart - t, start))
        root = abs(root) if apart > 1 else 0.0
    assert (root > 0.05) == (apart > 1)
    found = (cost.modes(y)[:, 0] - shift) / sigma
    # flat to eps^(1/3) of the width where they merge
    assert np.abs(np.sort(found) - [-root, root]).max() <= 4 * (
        np.finfo(float).eps * max(1, shift)
    ) ** (1 / 3)


def test_modes_about_to_merge_in_a_plane():
    cost = MixtureDensityError(components=2, targets=2)
    angle = np.array([np.cos(0.3), np.sin(0.3)])
    found = cost.modes([0.5, 0.5, *-angle, *angle, 1.0, 1.0])
    assert np.abs(found).max() <= 4 * np.finfo(float).eps ** (1 / 3)


def test_bad_input():
    cost = MixtureDensityError(components=2)
    with pytest.raises(ValueError, match="needs 6 outputs, not 5"):
        cost.split(np.zeros((3, 5)))
    with pytest.raises(ValueError, match="outputs is a number"):
        cost.mean(1.0)
    with pytest.raises(ValueError, match=r"t has shape \(3, 2\), expected \(…, 1\)"):
        cost.density(np.zeros((3, 6)), np.zeros((3, 2)))
    with pytest.raises(TypeError, match="outputs must hold real numbers"):
        cost.modes(np.zeros((3, 6), complex))
    good = cost.activate(np.zeros((2, 3, 6)))
    for column, words in ((5, "a width"), (0, "a mixing coefficient")):
        y = good.copy()
        y[1, 2, column] = -0.5
        message = rf"outputs\[1, 2, {column}\] is -0.5, expected {words}, at least 0; `activate`"
        for asked in (cost.mean, cost.variance, cost.modes, cost.mode):
            with pytest.raises(ValueError, match=message):
                asked(y)
        with pytest.raises(ValueError, match=message):
            cost.density(y, [0.0])
    assert fastnn.MixtureDensityError is MixtureDensityError
