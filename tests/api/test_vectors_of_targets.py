"""Targets (rows,) of networks with one output; a vector beside a column elsewhere is an error."""

import numpy as np
import pytest

import fastnn
from fastnn import LinearLayer, NeuralNetwork, TanhLayer

RNG = np.random.default_rng(0)
X, T = RNG.normal(size=(20, 3)), RNG.uniform(size=20)


class OwnCost:
    """Written in NumPy, and so trained layer by layer."""

    def activate(self, logits):
        return logits

    def __call__(self, logits, t):
        return float(((logits - t) ** 2).sum())

    def delta(self, logits, t):
        return 2 * (logits - t)


def network(cost, outputs=1, dtype=np.float64):
    layers = [TanhLayer(3, 4, rng=1, dtype=dtype), LinearLayer(4, outputs, rng=2, dtype=dtype)]
    return NeuralNetwork(layers, cost)


COSTS = [fastnn.SumSquaresError, fastnn.SigmoidCrossEntropy, fastnn.Huber]
TRAININGS = [
    {"learning_rate": 0.01},
    {"learning_rate": 0.01, "epochs": 3, "batch_size": 6, "rng": 0},
    {"optimizer": "Adam", "validation_data": (X, T), "sample_weight": T},
    {"optimizer": "L-BFGS", "epochs": 3},
]


@pytest.mark.parametrize("cost", COSTS)
@pytest.mark.parametrize("training", TRAININGS, ids=["step", "batches", "Adam", "L-BFGS"])
def test_a_vector_trains_as_the_column_does(cost, training):
    first, second = network(cost()), network(cost())
    first.fit(X, T, **training)
    second.fit(X, T[:, np.newaxis], **training)
    assert np.array_equal(first.parameters, second.parameters)
    assert first.cost(X, T) == second.cost(X, T[:, np.newaxis])
    assert first.cost(X.tolist(), T.tolist()) == first.cost(X, T)
    assert np.array_equal(first.gradient(X, T)[0], second.gradient(X, T[:, np.newaxis])[0])


def test_a_cost_of_the_callers_own_gets_a_column():
    first, second = network(OwnCost()), network(OwnCost())
    first.fit(X, T, 0.01, epochs=2, validation_data=(X, T))
    second.fit(X, T[:, np.newaxis], 0.01, epochs=2)
    assert np.array_equal(first.parameters, second.parameters)
    assert first.cost(X, T) == second.cost(X, T[:, np.newaxis])


def test_any_vector_will_do():
    for t in (T.astype("f4"), T > 0.5, (9 * T).astype(int), T[::-1], T.tolist()):
        nn = network(fastnn.SumSquaresError(), dtype=np.float32)
        nn.fit(X, t, 0.01)
        other = network(fastnn.SumSquaresError(), dtype=np.float32)
        other.fit(X, np.reshape(t, (-1, 1)), 0.01)
        assert np.array_equal(nn.parameters, other.parameters)


REFUSED = {
    "two outputs": (lambda: network(fastnn.SumSquaresError(), 2).fit(X, T, 0.1), r"\(rows, 2\)"),
    "cost of two": (lambda: network(fastnn.SumSquaresError(), 2).cost(X, T), r"\(20, 2\)"),
    "cost alone": (lambda: fastnn.SumSquaresError()(X[:, :1], T), r"\(20, 1\)"),
    "its gradient": (lambda: fastnn.SumSquaresError().delta(X[:, :1], T), r"\(20, 1\)"),
    "samples": (lambda: network(fastnn.SumSquaresError()).fit(X[:, 0], T, 0.1), r"\(rows, 3\)"),
    "too few": (lambda: network(fastnn.SumSquaresError()).fit(X, T[1:], 0.1), "19 rows"),
    "NaN": (lambda: network(fastnn.SumSquaresError()).fit(X, T / (T[3] != T), 0.1), r"t\[3\] is"),
    "weights": (
        lambda: network(fastnn.SumSquaresError()).fit(X, T, 0.1, sample_weight=T[:, np.newaxis]),
        r"expected \(20,\)",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_elsewhere_it_is_an_error(case):
    call, message = REFUSED[case]
    with np.errstate(all="ignore"), pytest.raises(ValueError, match=message):
        call()
