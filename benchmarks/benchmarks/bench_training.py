"""Training steps of the three demos, against the NumPy reference (always float64).

Every time is that of 1000 steps in one call, so a millisecond reads as a microsecond a step. The
data is random in the shapes of the demos; the learning rate is so small that the thousandth
repetition does the same work as the first.
"""

import numpy as np

import fastnn
from fastnn.reference.network import ReferenceNetwork

LEARNING_RATE = 1e-7


def xor(rng, dtype):
    X = rng.uniform(-1, 1, (1000, 2))
    t = X[:, :1] * X[:, 1:] > 0
    layers = [
        fastnn.TanhLayer(2, 4, rng=rng, dtype=dtype),
        fastnn.LinearLayer(4, 1, rng=rng, dtype=dtype),
    ]
    return layers, fastnn.SigmoidCrossEntropy(), X, t


def regression(rng, dtype):
    X = rng.uniform(size=(100, 1))
    t = np.sin(2 * np.pi * X)
    layers = [
        fastnn.TanhLayer(1, 6, rng=rng, dtype=dtype),
        fastnn.LinearLayer(6, 1, rng=rng, dtype=dtype),
    ]
    return layers, fastnn.SumSquaresError(), X, t


def digits(rng, dtype):
    X = rng.uniform(size=(1600, 64))
    t = np.eye(10)[rng.integers(10, size=1600)]
    layers = [
        fastnn.ReLULayer(64, 64, 0.2, rng=rng, dtype=dtype),
        fastnn.LinearLayer(64, 10, 0.1, rng=rng, dtype=dtype),
    ]
    return layers, fastnn.SoftmaxCrossEntropy(), X, t


# name: what makes it; epochs and batch size that give 1000 steps
TASKS = {
    "xor": (xor, 1000, 1000),
    "regression": (regression, 1000, 100),
    "digits": (digits, 20, 32),
}


def made(make, dtype):
    """The network and its data, in the dtype of the network."""
    layers, cost, X, t = make(np.random.default_rng(0), dtype)
    return fastnn.NeuralNetwork(layers, cost), X.astype(dtype), t.astype(dtype)


class Thousand:
    params = (list(TASKS), ["float32", "float64"])
    param_names = ("task", "dtype")

    def setup(self, task, dtype):
        make, self.epochs, self.batch = TASKS[task]
        self.network, self.X, self.t = made(make, dtype)
        self.network.fit(self.X, self.t, LEARNING_RATE, batch_size=self.batch)

    def time_steps(self, task, dtype):
        self.network.fit(self.X, self.t, LEARNING_RATE, epochs=self.epochs, batch_size=self.batch)


class ThousandReference:
    params = tuple(TASKS)
    param_names = ("task",)

    def setup(self, task):
        make, self.epochs, self.batch = TASKS[task]
        network, self.X, self.t = made(make, "float64")
        self.reference = ReferenceNetwork.like(network)
        self.rng = np.random.default_rng(0)

    def time_steps(self, task):
        rows = len(self.X)
        for _ in range(self.epochs):
            if self.batch == rows:
                self.reference.fit(self.X, self.t, LEARNING_RATE)
                continue
            order = self.rng.permutation(rows)
            for start in range(0, rows, self.batch):
                chosen = order[start : start + self.batch]
                self.reference.fit(self.X[chosen], self.t[chosen], LEARNING_RATE)
