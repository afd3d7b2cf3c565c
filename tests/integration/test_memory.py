"""Memory that compiled code writes to: large enough at every size, and never exceeded."""

import itertools

import numpy as np
import pytest
from support.networks import DTYPES
from support.tolerance import assert_close

import fastnn
from fastnn import DenseLayer, NeuralNetwork, kernels
from fastnn.kernels.calls import network as calls
from fastnn.kernels.engine import train as engine

HANG = 600  # seconds

SHAPES = [
    (1, 1), (2, 4, 1), (20, 64, 64, 4), (4, 64, 64, 2), (30, 60, 20), (34, 15, 37, 35, 14),
    (3, 300, 10), (784, 256, 10), (1, 2000, 1), (5, 3, 500),
]  # fmt: skip
KINDS = ["tanh", "softmax", "Maxout", "GLU", "PReLU"]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("kind", KINDS)
def test_a_workspace_serves_all_batches_up_to_its_rows(kind, dtype):
    for sizes in SHAPES:
        layers = [
            DenseLayer(m, n, activation=kind, dtype=dtype, std=0.1)
            for m, n in itertools.pairwise(sizes)
        ]
        model = NeuralNetwork(layers, fastnn.SumSquaresError()).compiled()
        sized = [kernels.workspace_size(model, rows) for rows in range(1, 601)]
        asked = [engine.tile_sizes(model, rows, 0)[3] for rows in range(1, 601)]
        assert sized == sorted(sized), sizes
        assert all(np.array(asked) <= sized), sizes
        assert kernels.workspace_size(model, 0) == sized[0]


@pytest.mark.parametrize("dtype", ["float32", pytest.param("float64", marks=pytest.mark.sweep)])
def test_nothing_reaches_beyond_its_memory(child, dtype):
    assert child.finish(child.start("use_fenced_memory", dtype), timeout=HANG) > 0


def test_compiled_code_refuses_sizes_that_do_not_fit(child):
    """Whatever the calls before it have checked."""
    assert all(child.finish(child.start("refuse_wrong_sizes"), timeout=HANG))


def test_predict_does_not_trust_the_scratch_that_it_has():
    nn = NeuralNetwork([DenseLayer(3, 40, std=0.5, rng=0)], fastnn.SumSquaresError())
    X = np.random.default_rng(0).normal(size=(100, 3))
    nn.predict(X[:1])
    record = nn._prepared["predict"].record
    room = int(record[calls.ROOM])
    for size in (0, room // 2, room):
        record[calls.ROOM], record[calls.MOST] = size, 100
        assert_close(nn.predict(X), nn(X), operations=40)
