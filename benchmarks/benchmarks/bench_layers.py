"""Layers called by hand, as users write trainings of their own."""

import numpy as np

import fastnn
from fastnn.reference import ReferenceNetwork

SHAPES = {"2-4, 1000 rows": (2, 4, 1000), "64-100, 200 rows": (64, 100, 200)}
SHAPES["784-256, 128 rows"] = (784, 256, 128)


class Layers:
    """``layer(X)``, and the way back of the same batch without a step; tanh.

    The reference's way back begins with its way forward.
    """

    params = (["forward", "backward"], ["float32", "float64", "reference"], list(SHAPES))
    param_names = ("direction", "by", "shape")

    def setup(self, direction, by, shape):
        n, m, rows = SHAPES[shape]
        rng, dtype = np.random.default_rng(0), "float64" if by == "reference" else by
        layer = fastnn.TanhLayer(n, m, dtype=dtype, rng=0)
        x, delta = (rng.normal(size=(rows, k)).astype(dtype) for k in (n, m))
        layer(x)
        if by == "reference":
            twin = ReferenceNetwork.like(fastnn.NeuralNetwork([layer], fastnn.SumSquaresError()))
            back = (lambda: twin.gradient(x, delta)) if direction == "backward" else None
            self.call = back or (lambda: twin.forward(x))
        elif direction == "forward":
            self.call = lambda: layer(x)
        else:
            self.call = lambda: layer.back_propagation(delta, 0.0)
        self.call()

    def time_call(self, direction, by, shape):
        self.call()
