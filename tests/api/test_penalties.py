"""Penalties of layers belong to the cost of all samples, whatever the batches."""

import numpy as np
import pytest

from fastnn import DenseLayer, NeuralNetwork, SumSquaresError, TanhLayer

X = np.linspace(-1, 1, 100)[:, np.newaxis]
T = 2 * X
WEIGHTS = np.random.default_rng(0).uniform(0, 2, 100)
WEIGHTS[::9] = 0.0


def make(reduction, l1=0.3, l2=0.7):
    layers = [TanhLayer(1, 3, rng=0, l1=l1, l2=l2), DenseLayer(3, 1, rng=1, l2=l2)]
    return NeuralNetwork(layers, SumSquaresError(reduction=reduction))


@pytest.mark.parametrize(("reduction", "l2"), [("sum", 20.0), ("mean", 0.2)])
@pytest.mark.parametrize("weights", [None, WEIGHTS])
def test_batches_come_to_the_minimum_of_the_whole_cost(reduction, l2, weights):
    factors = np.ones(100) if weights is None else weights
    unit = 1.0 if reduction == "sum" else 100.0
    squares = (factors * X[:, 0] ** 2).sum()
    least = 2 * squares / (squares + l2 * unit)
    nn = NeuralNetwork([DenseLayer(1, 1, l2=l2, rng=0)], SumSquaresError(reduction=reduction))
    for rate in (0.01 * unit / 100, 1e-3 * unit / 100):
        nn.fit(X, T, rate, epochs=2000, batch_size=10, sample_weight=weights, rng=0)
    assert abs(nn.layers[0].w[0, 0] - least) < 0.01


@pytest.mark.parametrize("reduction", ["sum", "mean"])
@pytest.mark.parametrize("weights", [None, WEIGHTS, np.zeros(100)])
@pytest.mark.parametrize("batch", [100, 33, 10])
@pytest.mark.parametrize("threads", [1, 2])
def test_the_cost_of_an_epoch_is_the_validation_cost_of_the_same_data(
    reduction, weights, batch, threads
):
    nn = make(reduction)
    data = (X, T) if weights is None else (X, T, weights)
    history = nn.fit(
        X, T, 0.0, epochs=3, batch_size=batch, sample_weight=weights, validation_data=data, rng=0,
        n_threads=threads,
    )  # fmt: skip
    np.testing.assert_allclose(history.cost, history.validation_cost, rtol=1e-12)
    if weights is None:
        np.testing.assert_allclose(history.cost, nn.cost(X, T), rtol=1e-12)


def test_a_sample_of_weight_two_counts_as_two_samples():
    weights = np.repeat([2.0, 1.0], 50)
    twice, weighted = make("sum"), make("sum")
    both = np.repeat(np.arange(100), weights.astype(int))
    twice.fit(X[both], T[both], 1e-3, epochs=5, batch_size=100, shuffle=False)
    weighted.fit(X, T, 1e-3, epochs=5, batch_size=50, shuffle=False, sample_weight=weights)
    np.testing.assert_allclose(twice.parameters, weighted.parameters, rtol=1e-12)


@pytest.mark.parametrize("reduction", ["sum", "mean"])
@pytest.mark.parametrize("trainable", [True, False])
def test_the_gradient_through_a_layer_of_ones_own_has_the_penalties(reduction, trainable):
    class Own(TanhLayer):
        def forward_propagation(self, X):
            return super().forward_propagation(X)

    nn, own = make(reduction), make(reduction)
    own.layers[0] = Own(1, 3, rng=0, l1=0.3, l2=0.7)
    for layer in (nn.layers[1], own.layers[1]):
        layer.trainable = trainable
    for found, expected in zip(own.gradient(X, T), nn.gradient(X, T), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-10, atol=1e-12)
