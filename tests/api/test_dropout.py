"""Dropout while training; and initial weights as layers take them."""

import numpy as np
import pytest
from support.networks import DTYPES, data, network

import fastnn
from fastnn import DenseLayer, NeuralNetwork, SumSquaresError
from fastnn.initializers import INITIALIZERS, get_init

ROWS, FEATURES = 300, 40
COUNT = ROWS * FEATURES
RATES = [0.125, 0.5, 0.9]

SIZES, COST = (3, 20, 10, 2), "SoftmaxCrossEntropy"
X, T = data(SIZES, COST, 50)


def ones(rate, dtype=np.float64):
    """A layer whose outputs are all one, before they are dropped out."""
    layer = DenseLayer(1, FEATURES, std=0.0, bias=1.0, dropout=rate, dtype=dtype)
    return NeuralNetwork([layer], SumSquaresError())


def squared_factors(rate, dtype=np.float64, rows=ROWS, **options):
    """Sums over the samples of the squares of the factors, by features, and over all of them.

    The first are the gradient of the biases where the targets are zero: Σ (y - 0) dy/db.
    """
    nn = ones(rate, dtype)
    zeros = np.zeros((rows, FEATURES))
    history = nn.fit(np.zeros((rows, 1)), zeros, 1.0, **{"rng": 0, **options})
    return 1.0 - nn.layers[0].b.astype(np.float64), 2 * history.cost


@pytest.mark.parametrize("n_threads", [1, 2])
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("rate", RATES)
def test_outputs_are_dropped_at_the_rate_and_the_others_scaled(rate, dtype, n_threads):
    kept, deviation = 1 - rate, (rate * (1 - rate)) ** 0.5
    by_feature, total = squared_factors(rate, dtype, n_threads=n_threads)
    counts = by_feature * kept**2  # a kept output is 1 / kept
    tolerance = 8 * np.finfo(dtype).eps * ROWS
    assert np.abs(counts - counts.round()).max() <= tolerance
    assert abs(total[0] - by_feature.sum()) <= tolerance * total[0]
    # five standard errors, of all outputs and of those of a feature
    assert abs(counts.sum() - COUNT * kept) <= 5 * deviation * COUNT**0.5
    assert np.abs(counts - ROWS * kept).max() <= 5 * deviation * ROWS**0.5
    # so the mean of an output is what it is without dropout: Σ 1 / kept over the kept ones
    assert abs(counts.sum() / kept - COUNT) <= 5 * deviation / kept * COUNT**0.5
    # the features are independent of one another: the counts vary as binomial ones do, whose
    # variance has a relative error of sqrt(2 / features)
    variance = counts.var(ddof=1) / (ROWS * kept * rate)
    assert abs(variance - 1) <= 5 * (2 / FEATURES) ** 0.5


def test_samples_and_steps_drop_different_outputs():
    patterns = {tuple(squared_factors(0.5, rows=1, rng=seed)[0]) for seed in range(20)}
    assert len(patterns) == 20
    _, totals = squared_factors(0.5, epochs=20, sample_weight=np.zeros(ROWS))
    assert not totals.any()
    nn = ones(0.5)
    history = nn.fit(np.zeros((ROWS, 1)), np.zeros((ROWS, FEATURES)), 0.0, epochs=20, rng=0)
    assert np.unique(history.cost).size > 15  # of 20 sums with a deviation of 55 kept outputs


def test_the_cost_of_a_batch_sees_other_outputs_in_every_sample():
    """Were the samples of a batch alike, the counts of each feature would be 0 or all."""
    by_feature, _ = squared_factors(0.5)
    counts = by_feature / 4
    assert ((counts > 0) & (counts < ROWS)).all()


def dropping(rate=0.4, seed=0):
    nn = network(SIZES, ["tanh", "ReLU", "identity"], COST, seed=seed)
    for layer in nn.layers:
        layer.dropout = rate
    return nn


@pytest.mark.parametrize("n_threads", [1, 2])
@pytest.mark.parametrize("batch", [None, 20])
def test_the_same_seed_gives_the_same_result(batch, n_threads):
    found = []
    for seed in (1, 1, 2):
        nn = dropping()
        nn.fit(X, T, 0.01, epochs=5, batch_size=batch, rng=seed, n_threads=n_threads)
        found.append(nn.parameters.copy())
    assert np.array_equal(found[0], found[1])
    assert not np.array_equal(found[0], found[2])


def test_the_global_seed_is_obeyed():
    found = []
    for _ in range(2):
        np.random.seed(3)  # noqa: NPY002  what rng=None promises
        nn = dropping()
        nn.fit(X, T, 0.01, epochs=5)
        found.append(nn.parameters.copy())
    assert np.array_equal(found[0], found[1])


def test_nothing_is_dropped_but_in_training():
    nn, plain = dropping(), dropping(0.0)
    assert np.array_equal(nn.predict(X), plain.predict(X))
    assert np.array_equal(nn(X), plain(X))
    assert nn.cost(X, T) == plain.cost(X, T)
    for ours, theirs in zip(nn.gradient(X, T), plain.gradient(X, T), strict=True):
        # the kernels with and without a factor may round differently
        assert np.abs(ours - theirs).max() <= 8 * np.finfo(float).eps * np.abs(theirs).max()
    history = nn.fit(X, T, 0.01, epochs=3, validation_data=(X, T), rng=0)
    assert history.validation_cost[-1] == pytest.approx(nn.cost(X, T), rel=1e-13)
    assert history.cost[-1] != pytest.approx(nn.cost(X, T), rel=1e-3)


def test_gradient_check_passes():
    assert dropping().gradient_check(X[:6], T[:6]) <= 1e-6


def test_a_rate_of_zero_is_no_dropout():
    nn, plain = dropping(0.0), network(SIZES, ["tanh", "ReLU", "identity"], COST)
    for each in (nn, plain):
        each.fit(X, T, 0.01, epochs=3, rng=1)
    assert np.array_equal(nn.parameters, plain.parameters)


@pytest.mark.parametrize("name", ["dropout", "l1", "l2"])
@pytest.mark.parametrize(
    ("value", "error"),
    [(-0.1, ValueError), (np.nan, ValueError), (np.inf, ValueError), ("much", TypeError)],
)
def test_bad_numbers_are_refused(name, value, error):
    with pytest.raises(error, match=name):
        DenseLayer(2, 3, **{name: value})
    layer = DenseLayer(2, 3, **{name: 0.5})
    with pytest.raises(error, match=name):
        setattr(layer, name, value)
    assert getattr(layer, name) == 0.5


def test_everything_cannot_be_dropped():
    with pytest.raises(ValueError, match=r"dropout must be below 1, but is 1\.0"):
        DenseLayer(2, 3, dropout=1)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", INITIALIZERS)
def test_layers_take_initial_weights_by_name(name, dtype):
    layer = DenseLayer(30, 20, bias=0.5, init=name, activation="ReLU", dtype=dtype, rng=3)
    expected = get_init(name)((30, 20), 3)
    assert np.array_equal(layer.w, expected.astype(dtype))
    assert np.array_equal(layer.b, np.full(20, 0.5))
    nn = NeuralNetwork([layer, fastnn.LinearLayer(20, 2, init=name, rng=4, dtype=dtype)],
                       SumSquaresError())  # fmt: skip
    x, t = data((30, 2), "SumSquaresError", 9)
    nn.fit(x, t, 1e-3, epochs=2)
    assert not np.array_equal(nn.layers[1].b, np.zeros(2))


def test_scale_of_he_normal():
    w = DenseLayer(400, 300, init="he_normal", rng=0).w
    # the relative error of a variance of n numbers is at most sqrt(2 / n)
    assert abs(w.var() / (2 / 400) - 1) <= 5 * (2 / w.size) ** 0.5
