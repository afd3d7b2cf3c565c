"""Calls of many rows, which several threads share: the same bits, and nothing left running."""

import _thread
import os
import signal
import threading
import time

import numpy as np
import pytest
from support.networks import DTYPES, data, network
from support.tolerance import assert_close

import fastnn
from fastnn._core import threads
from fastnn._core.threads import side_by_side
from fastnn.kernels.engine import layout
from fastnn.model import evaluation
from fastnn.reference import ReferenceNetwork

# Name: sizes, activation, rows. So many that two threads pay, and never a whole number of tiles.
NETWORKS = {
    "tanh": ((3, 20, 20, 2), "tanh", 5 * layout.TILE + 3),
    "softmax between": ((10, 30, 30, 4), "softmax", 4 * layout.TILE + 1),
    "maxout": ((10, 30, 20, 4), "maxout", 3 * layout.TILE + 7),
    "one gradient would be larger than the tiles": ((200, 300, 300, 3), "ReLU", 333),
    "one layer": ((40, 40), "identity", 10_001),
}
CALLS = ["predict", "predict into out", "cost", "gradient", "vjp"]


@pytest.fixture
def started(monkeypatch):
    """The number of threads that calls have started, in a list."""
    found, start = [0], _thread.start_new_thread

    def counted(*args):
        found[0] += 1
        return start(*args)

    monkeypatch.setattr(threads._thread, "start_new_thread", counted)
    monkeypatch.setattr(evaluation, "_THREAD", 1e5)  # small calls are large ones here
    monkeypatch.setattr(evaluation, "SHARED", 1e5)
    yield found
    fastnn.set_num_threads(None)


def made(name, dtype, cost="SoftmaxCrossEntropy"):
    """A network without prepared calls, its samples, targets and cotangents."""
    sizes, activation, rows = NETWORKS[name]
    nn = network(sizes, [activation] * (len(sizes) - 2) + ["identity"], cost, dtype)
    nn._ask = lambda *_: None  # what is prepared takes fewer rows: here all go the shared way
    X, t = (array.astype(dtype) for array in data(sizes, cost, rows))
    return nn, X, t, np.cos(np.arange(rows * sizes[-1], dtype=dtype)).reshape(rows, -1)


def answers(nn, X, t, g, call):
    """Arrays of numbers that a call gives."""
    if call == "predict":
        return [fastnn.inference.predict(nn, X, None)]
    if call == "predict into out":
        out = np.full((len(X), nn.layers[-1].dim_output), np.nan, X.dtype)
        assert fastnn.inference.predict(nn, X, out) is out
        return [out]
    if call == "cost":
        return [np.array(nn.cost(X, t))]
    return nn.gradient(X, t) if call == "gradient" else [nn.vjp(X, g)]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("name", NETWORKS)
def test_any_number_of_threads_gives_the_same_bits(name, call, dtype, started):
    given = made(name, dtype)
    fastnn.set_num_threads(1)
    alone = answers(*given, call)
    assert started == [0]
    for n in (2, 3, 64):
        started[0] = 0
        fastnn.set_num_threads(n)
        for one, several in zip(alone, answers(*given, call), strict=True):
            assert np.array_equal(one, several)
        assert started[0] >= 1


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", NETWORKS)
def test_shared_calls_compute_what_they_are_about(name, dtype, started):
    nn, X, t, g = made(name, dtype)
    twin, few = ReferenceNetwork.like(nn), slice(0, 30)
    operations = sum(NETWORKS[name][0]) * len(X)
    assert_close(nn.vjp(X, g)[few], nn.vjp(X[few], g[few]), operations=operations)
    fastnn.set_num_threads(2)
    started[0] = 0
    assert_close(answers(nn, X, t, g, "predict")[0], twin(X), operations=operations)
    assert_close(np.array(nn.cost(X, t), dtype), twin.cost(X, t), operations=operations)
    by_parameters, by_samples = nn.gradient(X, t)
    expected, below = twin.gradient(X, t)
    expected = np.concatenate([array.ravel() for arrays in expected for array in arrays])
    assert_close(by_parameters, expected, operations=operations)
    assert_close(by_samples, below, operations=operations)
    assert started[0] >= 3


def test_penalties_count_once(started):
    nn, X, t, _ = made("tanh", np.float64)
    fastnn.set_num_threads(2)
    cost, gradient = nn.cost(X, t), nn.gradient(X, t)[0]
    w = nn.layers[0].w
    nn.layers[0].l2 = 0.1
    operations = len(X) * sum(NETWORKS["tanh"][0])
    more = np.array(nn.cost(X, t))
    assert_close(more, cost + 0.05 * (w**2).sum(), operations=operations)
    gradient[: w.size] += 0.1 * w.reshape(-1)
    assert_close(nn.gradient(X, t)[0], gradient, operations=operations)
    assert started[0] >= 4


def test_a_frozen_layer_has_no_gradient_in_any_part(started):
    nn, X, t, _ = made("tanh", np.float64)
    nn.layers[1].trainable = False
    fastnn.set_num_threads(2)
    found, first = nn.gradient(X, t)[0], nn.layers[0]
    begin = first.w.size + first.b.size
    frozen = slice(begin, begin + nn.layers[1].w.size + nn.layers[1].b.size)
    assert started[0] >= 1
    assert not found[frozen].any()
    assert np.delete(found, np.r_[frozen]).all()


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("system", ["refuses", "is too busy"])
def test_a_call_does_not_need_the_threads_that_it_asks_for(call, system, started, monkeypatch):
    def start(*_):
        if system == "refuses":
            raise RuntimeError("can't start new thread")
        started[0] += 1

    given = made("tanh", np.float32)
    fastnn.set_num_threads(1)
    alone = answers(*given, call)
    fastnn.set_num_threads(4)
    monkeypatch.setattr(threads._thread, "start_new_thread", start)
    for one, several in zip(alone, answers(*given, call), strict=True):
        assert np.array_equal(one, several)
    assert started[0] == (0 if system == "refuses" else 3)


def test_two_callers_at_once_do_not_meet(started):
    given = made("softmax between", np.float32)
    fastnn.set_num_threads(2)
    alone, together = [answers(*given, call) for call in CALLS], [[] for _ in range(3)]

    def run(into):
        for _ in range(5):
            into.append([answers(*given, call) for call in CALLS])

    callers = [threading.Thread(target=run, args=(into,)) for into in together]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    for found in (round_ for into in together for round_ in into):
        for one, several in zip(alone, found, strict=True):
            assert all(map(np.array_equal, one, several))
    assert all(len(into) == 5 for into in together)


def test_few_rows_start_no_thread(monkeypatch):
    def start(*_):
        raise AssertionError("a thread for a small call")

    monkeypatch.setattr(threads._thread, "start_new_thread", start)
    fastnn.set_num_threads(2)
    try:
        sizes, cost = (4, 30, 30, 2), "SoftmaxCrossEntropy"
        nn = network(sizes, ["tanh", "tanh", "identity"], cost)
        X, t = data(sizes, cost, 500)
        nn.predict(X), nn.cost(X, t), nn.gradient(X, t), nn.vjp(X, t), nn.jacobian(X[0])
    finally:
        fastnn.set_num_threads(None)


def test_parts_are_done_once_and_their_errors_raised_afterwards():
    done = []

    def work(part):
        done.append(part)
        if part == 1:
            raise MemoryError("of part 1")

    with pytest.raises(MemoryError, match="of part 1"):
        side_by_side(7, 3, lambda: work)
    assert sorted(done) == list(range(7))


@pytest.fixture
def default_handler():
    """Python's own, which is not there where whoever started this process ignores Ctrl-C."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("default_handler")
def test_an_interrupt_is_raised_when_all_parts_are_done():
    done = []

    def work(part):
        if part == 0:
            os.kill(os.getpid(), signal.SIGINT)
        time.sleep(0.01)
        done.append(part)

    with pytest.raises(KeyboardInterrupt):
        side_by_side(6, 2, lambda: work)
    assert sorted(done) == list(range(6))
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_threads_end_with_the_call_and_a_fork_shares_calls_as_its_parent_does(child):
    answer = child("fork_after_shared_calls")
    assert answer == {"threads": True, "child": 0, "again": True}
