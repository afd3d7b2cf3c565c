"""What a training takes beside time: memory, compilations, and nothing of what it refuses."""

import contextlib
import threading

import numpy as np
import pytest
from support.networks import COSTS, DTYPES, data, network
from support.tolerance import assert_close

from fastnn import DenseLayer, get_opt
from fastnn.activations import ACTIVATIONS
from fastnn.kernels.codegen import declare
from fastnn.kernels.engine import train as engine
from fastnn.reference import ReferenceNetwork

SIZES, COST, ROWS = (3, 6, 2), "SumSquaresError", 24
X, T = data(SIZES, COST, ROWS)
PAGES = 2**20  # bytes: what an idle process may take now and then


def test_ten_million_rows_are_read_where_they_are(child, tmp_path):
    path = tmp_path / "zeros"
    with open(path, "wb") as file:
        file.truncate(10_000_000 * 4 * 4)  # no disk is taken
    answer = child("train_on_a_memory_map", path)
    size = answer["data"]
    assert size == 160_000_000
    assert answer["shuffle=False"] < size / 100
    # an index of eight bytes for each row, and the numbers that it begins with
    assert answer["shuffle=True"] < size + size / 100
    assert answer["after"] < answer["cost"]


@pytest.mark.parametrize(("n_threads", "epochs"), [(1, 10_000), (2, 1000)])
def test_epochs_take_no_memory(child, n_threads, epochs):
    answer = child("memory_of_epochs", n_threads, epochs, NUMBA_NRT_STATS=1)
    few, many = answer["10"], answer[str(epochs)]
    assert many["numba"] == few["numba"]
    assert few["kept"] == many["kept"] == 0
    history = 4 * 8 * epochs  # four columns, and some more of each on the way
    assert many["resident"] <= few["resident"] + 8 * history + PAGES


@pytest.mark.parametrize("dtype", DTYPES)
def test_other_shapes_compile_nothing(dtype):
    def train(sizes, rows, batch, n_threads, options):
        for cost in COSTS:
            names = [*ACTIVATIONS, *ACTIVATIONS][: len(sizes) - 1]
            nn = network(sizes, names, cost, dtype)
            x, t = data(sizes, cost, rows)
            nn.fit(
                x, t, optimizer=get_opt("Adam", **options), batch_size=batch, n_threads=n_threads,
                validation_data=(x, t), sample_weight=np.ones(rows), rng=0,
            )  # fmt: skip

    train((3, 4, 4, 4, 4, 4, 2), 20, None, 1, {})  # a layer of every activation
    before = len(engine.train.signatures), len(engine.evaluate.signatures), set(declare._addresses)
    train((2, 5, 1), 30, 4, 2, {"clip_norm": 1.0})
    train((40, 70, 3, 30, 4), 600, 50, 3, {"weight_decay": 0.1, "clip_value": 1.0})
    train((1, 1), 1, 1, 1, {"learning_rate": lambda step: 0.1 / (1 + step)})
    assert len(engine.train.signatures) == before[0]
    assert len(engine.evaluate.signatures) == before[1]
    assert set(declare._addresses) == before[2]


@pytest.mark.parametrize("n_threads", [1, 2, 64])
@pytest.mark.parametrize(("rows", "batch"), [(1, None), (1, 1), (ROWS, 1000), (2, 1)])
def test_one_row_and_batches_larger_than_the_data(rows, batch, n_threads):
    nn = network(SIZES, ["tanh", "identity"], COST)
    twin = ReferenceNetwork.like(nn)
    nn.fit(X[:rows], T[:rows], 0.01, batch_size=batch, shuffle=False, n_threads=n_threads)
    for start in range(0, rows, batch or rows):
        part = slice(start, min(rows, start + (batch or rows)))
        twin.fit(X[part], T[part], 0.01)
    assert_close(nn.parameters, twin.parameters, operations=rows * (sum(SIZES) + ROWS))


@pytest.mark.parametrize("shape", [(0, 3), (3, 0), (-1, 2)])
def test_layers_of_no_width_are_refused(shape):
    with pytest.raises(ValueError, match=r"dim_(input|output) must be at least 1"):
        DenseLayer(*shape)


@pytest.mark.parametrize("n_threads", [1, 2])
@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("name", ["X", "t", "validation_data[0]", "validation_data[1]"])
def test_data_that_are_not_finite_are_named_and_nothing_changes(name, value, n_threads):
    given = {"X": X.copy(), "t": T.copy()}
    given |= {"validation_data[0]": X.copy(), "validation_data[1]": T.copy()}
    given[name][17, 1] = value
    nn, optimizer = network(SIZES, ["tanh", "identity"], COST), get_opt("Adam")
    before = nn.parameters.copy()
    with pytest.raises(ValueError) as caught:  # noqa: PT011  the message follows
        nn.fit(
            given["X"], given["t"], optimizer=optimizer, n_threads=n_threads,
            validation_data=(given["validation_data[0]"], given["validation_data[1]"]),
        )  # fmt: skip
    assert str(caught.value) == f"{name}[17, 1] is {value}, expected a finite number"
    assert np.array_equal(nn.parameters, before)
    assert (optimizer.steps, nn.optimizer) == (0, None)


CALM = {
    # a unit that never answers has no gradient: 0 / 0 with nothing to hold the root from zero
    "Adam without eps": ("Adam", {"eps": 0.0}, "ReLU", np.ones(ROWS)),
    "AdamW without eps": ("AdamW", {"eps": 0.0}, "ReLU", np.ones(ROWS)),
    # without weights no gradient tells that every step makes the parameters minus their double
    "decay by more than all": ("SGD", {"eta": 3.0, "weight_decay": 1.0}, "tanh", np.zeros(ROWS)),
}


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("n_threads", [1, 2])
@pytest.mark.parametrize("name", CALM)
def test_parameters_stay_finite_without_a_large_gradient(name, n_threads, dtype):
    rule, options, activation, weights = CALM[name]
    nn = network(SIZES, [activation, "identity"], COST, dtype)
    nn.layers[0].b = np.full(6, -1000.0)
    with contextlib.suppress(ValueError):  # of a training that diverges
        nn.fit(
            X, T, optimizer=get_opt(rule, **options), epochs=2000, sample_weight=weights,
            n_threads=n_threads,
        )  # fmt: skip
    assert np.isfinite(nn.parameters).all()


@pytest.mark.parametrize("n_threads", [1, 2])
def test_a_schedule_that_fails_at_once_changes_nothing(n_threads):
    nn, threads = network(SIZES, ["tanh", "identity"], COST), threading.active_count()
    before = nn.parameters.copy()
    optimizer = get_opt("Adam", alpha=lambda step: -1.0)
    with pytest.raises(ValueError, match=r"alpha at step 0 .*-1\.0"):
        nn.fit(X, T, optimizer=optimizer, n_threads=n_threads)
    assert np.array_equal(nn.parameters, before)
    assert (optimizer.steps, nn.optimizer) == (0, None)
    assert threading.active_count() == threads


@pytest.mark.parametrize("n_threads", [1, 2])
def test_a_schedule_that_fails_later_leaves_a_complete_step(n_threads):
    def rate(step):
        if step == 3:
            raise RuntimeError("of a schedule")
        return 0.01

    nn, twin = (network(SIZES, ["tanh", "identity"], COST) for _ in range(2))
    threads = threading.active_count()
    with pytest.raises(RuntimeError, match="of a schedule"):
        nn.fit(X, T, rate, epochs=9, n_threads=n_threads, callbacks=lambda run: None)
    twin.fit(X, T, 0.01, epochs=3, n_threads=n_threads)
    assert np.array_equal(nn.parameters, twin.parameters)
    assert threading.active_count() == threads
