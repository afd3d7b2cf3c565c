"""Trainings on data in blocks: as on all of it in memory, whatever the blocks come from."""

import gc
import itertools
import os
import signal
import threading
import time
import weakref

import numpy as np
import pytest
from support.networks import data, network
from support.tolerance import assert_close

import fastnn
from fastnn import DenseLayer, get_opt, schedules
from fastnn._core import ahead
from fastnn.callbacks import Callback, EarlyStopping
from fastnn.losses import COSTS

SIZES, COST, ROWS = (3, 6, 2), "SumSquaresError", 120
X, T = data(SIZES, COST, ROWS)
WEIGHTS = np.random.default_rng(2).uniform(0.0, 2.0, ROWS)
DEADLINE = 60.0  # seconds until a wait is a hang


class OddError(ValueError):
    pass


class OwnDense(DenseLayer):
    """Goes a way of its own, so its network trains layer by layer."""

    def forward_propagation(self, X):
        return super().forward_propagation(X)


def net(reduction="sum", compiled=True, **settings):
    nn = network(SIZES, ["tanh", "identity"], COST)
    nn.cost_function = COSTS[COST](reduction=reduction)
    for layer in nn.layers:
        layer.__class__ = DenseLayer if compiled else OwnDense
    for name, value in settings.items():
        setattr(nn.layers[0], name, value)
    return nn


def cut(rows, *arrays):
    """Blocks of so many rows."""
    return [tuple(a[k : k + rows] for a in arrays) for k in range(0, len(arrays[0]), rows)]


def adam():
    return get_opt("Adam", alpha=0.01)


def trained(blocks, t=None, nn=None, **options):
    """Parameters and costs after a training of three epochs in batches of 20."""
    nn = nn or net("mean")
    options = {"optimizer": adam(), "epochs": 3, "batch_size": 20, "rng": 3, **options}
    history = nn.fit(blocks, t, **options)
    return nn.parameters.copy(), history.cost


def assert_same(one, other):
    for a, b in zip(one, other, strict=True):
        np.testing.assert_array_equal(a, b)


# ------------------------------------------------------------------------------ as in memory


@pytest.mark.parametrize(
    "options",
    [
        {"batch_size": None},
        {"batch_size": None, "n_threads": 2},
        {"batch_size": 32, "shuffle": False},
        {"batch_size": 32, "shuffle": False, "n_threads": 2},
        {"batch_size": 500},
    ],
)
@pytest.mark.parametrize("settings", [{}, {"dropout": 0.3}, {"l1": 0.02, "l2": 0.1}])
@pytest.mark.parametrize("reduction", ["sum", "mean"])
def test_one_block_is_the_training_in_memory(reduction, settings, options):
    expected = trained(X, T, net(reduction, **settings), sample_weight=WEIGHTS, **options)
    found = trained([(X, T, WEIGHTS)], nn=net(reduction, **settings), **options)
    assert_same(found, expected)


@pytest.mark.parametrize("options", [{}, {"optimizer": None, "learning_rate": 0.001}])
def test_one_block_layer_by_layer(options):
    options = {"shuffle": False, **options}
    expected = trained(X, T, net("mean", compiled=False), **options)
    assert_same(trained([(X, T)], nn=net("mean", compiled=False), **options), expected)
    several = trained(cut(40, X, T), nn=net("mean", compiled=False), **options)
    np.testing.assert_array_equal(several[0], expected[0])


@pytest.mark.parametrize(
    "rate",
    [0.01, schedules.Cosine(0.02, steps=15), schedules.WarmUp(4, then=schedules.Constant(0.01))],
)
def test_blocks_of_whole_batches_are_the_training_in_memory(rate):
    options = {"shuffle": False, "learning_rate": rate}
    settings = {"l2": 0.1, "dropout": 0.2}
    expected, costs = trained(X, T, net("mean", **settings), **options)
    found, same_costs = trained(cut(40, X, T), nn=net("mean", **settings), **options)
    np.testing.assert_array_equal(found, expected)
    assert_close(same_costs, costs, operations=ROWS)


@pytest.mark.parametrize("weights", [None, WEIGHTS])
def test_penalties_of_a_sum_count_once_an_epoch(weights):
    """For each batch its share in all blocks, by weights, as in memory."""
    options = {"shuffle": False, "optimizer": "SGD", "learning_rate": 0.001}
    settings = {"l1": 0.3, "l2": 0.5}
    expected, costs = trained(X, T, net(**settings), sample_weight=weights, **options)
    given = (X, T) if weights is None else (X, T, weights)
    for blocks in (cut(40, *given), lambda: iter(cut(40, *given))):
        found, same_costs = trained(blocks, nn=net(**settings), **options)
        assert_close(found, expected, operations=18 * 31)
        assert_close(same_costs, costs, operations=18 * 31)


@pytest.mark.parametrize("reduction", ["sum", "mean"])
@pytest.mark.parametrize("batch", [None, 7, 50])
def test_the_cost_of_an_epoch_is_that_of_its_samples(batch, reduction):
    """At a rate of zero: of blocks of several sizes, batches that they cut, and penalties."""
    nn = net(reduction, l2=0.1)
    seen = []
    options = {"optimizer": "SGD", "learning_rate": 0.0, "epochs": 2, "batch_size": batch}
    history = nn.fit(
        [(X[:50], T[:50]), (X[50:51], T[50:51]), (X[51:], T[51:])],
        callbacks=lambda run: seen.append((run.training_cost(), run.steps_per_epoch)),
        **options,
    )
    assert_close(history.cost, np.full(2, nn.cost(X, T)), operations=ROWS * 10)
    assert_close(np.array([cost for cost, _ in seen]), history.cost, operations=ROWS * 10)
    steps = {None: 3, 7: 8 + 1 + 10, 50: 1 + 1 + 2}[batch]
    assert [count for _, count in seen] == [steps, steps]
    assert nn.optimizer.steps == 2 * steps


# --------------------------------------------------------------------------- where from


def as_function(blocks, folder):
    return lambda: (block for block in blocks)


def as_function_of_a_list(blocks, folder):
    return lambda: blocks


def as_iterable(blocks, folder):
    class Blocks:
        def __iter__(self):
            return iter(blocks)

    return Blocks()


def as_files(blocks, folder):
    for k, block in enumerate(blocks):
        for name, part in zip("Xtw", block, strict=False):
            np.save(folder / f"{name}{k}.npy", part)
    return [
        tuple(folder / f"{name}{k}.npy" for name in "Xtw"[: len(block)])
        for k, block in enumerate(blocks)
    ]


def as_columns(blocks, folder):
    return as_files([tuple(map(np.asfortranarray, block)) for block in blocks], folder)


def as_names_in_a_function(blocks, folder):
    files = [tuple(map(str, block)) for block in as_files(blocks, folder)]
    return lambda: files


def as_maps(blocks, folder):
    return [
        tuple(np.load(path, mmap_mode="r") for path in block) for block in as_files(blocks, folder)
    ]


def as_other_numbers(blocks, folder):
    return [(x.astype(">f8")[::-1][::-1], np.asfortranarray(t), *w) for x, t, *w in blocks]


LISTS = [as_files, as_columns, as_maps, as_other_numbers]
ORDERED = [as_function, as_function_of_a_list, as_iterable, as_names_in_a_function]


@pytest.mark.parametrize("way", LISTS + ORDERED)
@pytest.mark.parametrize("weights", [False, True])
def test_blocks_of_all_kinds_are_the_same(way, weights, tmp_path):
    blocks = cut(50, X, T, WEIGHTS) if weights else cut(50, X, T)
    given = way(blocks, tmp_path)
    assert_same(trained(given, shuffle=False), trained(blocks, shuffle=False))
    if way in LISTS:
        assert_same(trained(given), trained(blocks))
    else:  # in an order of its own
        assert_same(trained(given), trained(lambda: iter(blocks)))


@pytest.mark.parametrize("weights", [None, WEIGHTS])
def test_dask_goes_by_its_chunks(weights):
    array = pytest.importorskip("dask.array")
    blocks = cut(50, X, T) if weights is None else cut(50, X, T, weights)
    x, t = array.from_array(X, chunks=(50, 2)), array.from_array(T, chunks=(30, 1))
    for options in ({}, {"shuffle": False}):
        expected = trained(blocks, **options)
        for given in ((x, t), (x, T), (X, t.rechunk((50, 2)))):
            assert_same(trained(*given, sample_weight=weights, **options), expected)


def test_errors_of_a_graph_are_its_own():
    array = pytest.importorskip("dask.array")

    def fail(block):
        raise OddError("no such number")

    x = array.from_array(X, chunks=50).map_blocks(fail, dtype=X.dtype, meta=X[:0])
    with pytest.raises(OddError, match=r"^no such number$"):
        trained(x, T)


def test_chunks_whose_sizes_are_not_known():
    array = pytest.importorskip("dask.array")
    x, t = array.from_array(X, chunks=(50, 3)), array.from_array(T, chunks=(50, 2))
    few = x[:, 0] > 0
    blocks = [(b[b[:, 0] > 0], c[b[:, 0] > 0]) for b, c in cut(50, X, T)]
    assert_same(trained(x[few], t[few]), trained(blocks))
    with pytest.raises(ValueError, match=r"unknown sizes, and t is .* compute_chunk_sizes"):
        trained(x[few], T)


def test_zarr_goes_by_its_chunks():
    zarr = pytest.importorskip("zarr")
    x, t = zarr.array(X, chunks=(50, 2)), zarr.array(T, chunks=(30, 2))
    assert_same(trained(x, t), trained(cut(50, X, T)))
    assert_same(trained(x, T, shuffle=False), trained(cut(50, X, T), shuffle=False))


def test_class_weights_are_those_of_memory():
    labels = np.eye(2)[np.random.default_rng(0).integers(0, 2, ROWS)]
    options = {"class_weight": {0: 2.0, 1: 0.5}, "shuffle": False}
    expected = trained(X, labels, **options)[0]
    np.testing.assert_array_equal(trained(cut(40, X, labels), **options)[0], expected)


# ------------------------------------------------------------------- order, random numbers


def orders(blocks, epochs=4, rng=5, **options):
    """The samples of each step, by their numbers, as a linear network sees them."""
    seen = []

    class Seeing(OwnDense):
        def forward_propagation(self, x):
            seen.append(x[:, 0].astype(int).tolist())
            return super().forward_propagation(x)

    nn = fastnn.NeuralNetwork([Seeing(1, 1, init=[[0.0]])], fastnn.SumSquaresError())
    nn.fit(blocks, learning_rate=0.0, epochs=epochs, rng=rng, **options)
    return seen


def numbers(first, last):
    rows = np.arange(float(first), last)[:, np.newaxis]
    return rows, rows


def test_blocks_of_a_list_and_their_samples_are_shuffled():
    blocks = [numbers(10 * k, 10 * k + 10) for k in range(5)]
    steps = orders(blocks, batch_size=5)
    epochs = [steps[10 * k : 10 * k + 10] for k in range(4)]
    for epoch in epochs:
        assert sorted(itertools.chain(*epoch)) == list(range(50))
        for a, b in zip(epoch[::2], epoch[1::2], strict=True):  # no batch is of two blocks
            assert len({n // 10 for n in a + b}) == 1
    by_blocks = [tuple(step[0] // 10 for step in epoch[::2]) for epoch in epochs]
    assert len(set(by_blocks)) > 1
    assert len({tuple(map(tuple, epoch)) for epoch in epochs}) == 4
    assert orders(blocks, batch_size=5) == steps
    assert orders(blocks, batch_size=5, rng=6) != steps
    assert orders(blocks, batch_size=5, shuffle=False)[:10] == [
        list(range(k, k + 5)) for k in range(0, 50, 5)
    ]


def test_blocks_of_a_function_keep_their_order():
    steps = orders(lambda: (numbers(10 * k, 10 * k + 10) for k in range(3)), batch_size=5)
    assert [step[0] // 10 for step in steps[:6]] == [0, 0, 1, 1, 2, 2]
    assert steps[:6] != steps[6:12]
    assert sorted(itertools.chain(*steps[:6])) == list(range(30))


def test_a_training_goes_on_to_the_last_bit(tmp_path):
    nn, blocks = net(dropout=0.3), cut(25, X, T)
    options = {"optimizer": adam(), "batch_size": 10}
    whole, _ = trained(blocks, nn=nn, epochs=5, **options)
    part = net(dropout=0.3)
    trained(blocks, nn=part, epochs=2, **{**options, "optimizer": adam()})
    part.save(tmp_path / "part.npz")
    again = fastnn.load(tmp_path / "part.npz")
    again.fit(blocks, epochs=3, batch_size=10, rng=again.draws)
    np.testing.assert_array_equal(again.parameters, whole)
    with pytest.raises(ValueError, match="goes on with shuffles of blocks, but X has 120 rows"):
        again.fit(X, T, batch_size=10, rng=again.draws)
    again.fit(X, T, batch_size=10, rng=0)
    with pytest.raises(ValueError, match="of 120 samples, but the data comes in blocks"):
        again.fit(blocks, batch_size=10, rng=again.draws)


# ------------------------------------------------------------------------------- callbacks


def test_one_training_with_callbacks():
    nn, begun, seen = net("mean"), [], []

    class Watch(Callback):
        def on_begin(self, run):
            begun.append((run.steps_per_epoch, run.epochs))

        def on_epoch(self, run):
            seen.append((run.steps_per_epoch, run.optimizer.steps, run.learning_rate))
            if run.epoch == 2:
                run.learning_rate = 0.001

    schedule = schedules.Exponential(0.01, 0.99)
    for blocks, known in ((cut(25, X, T), 14), (lambda: iter(cut(25, X, T)), 0)):
        seen.clear()
        history = nn.fit(
            blocks,
            optimizer=get_opt("Adam", alpha=schedule),
            epochs=4,
            batch_size=10,
            validation_data=(X, T),
            callbacks=Watch(),
        )
        assert begun.pop() == (known, 4)
        assert [(steps, done) for steps, done, _ in seen] == [(14, 14 * k) for k in range(1, 5)]
        rates = [schedule(0), schedule(14), 0.001, 0.001]
        assert history.learning_rate.tolist() == rates
        assert len(history) == 4
        assert history.validation_cost[-1] == nn.cost(X, T)
        assert (history.seconds > 0).all()


def test_early_stopping_judges_all_blocks():
    nn, stopper = net("mean"), EarlyStopping(patience=1, min_delta=1e9)
    history = nn.fit(cut(50, X, T), optimizer="Adam", epochs=9, callbacks=stopper)
    assert len(history) == 2
    assert_close(np.array(stopper.best), nn.cost(X, T), operations=ROWS * 10)


def test_no_epoch_reads_nothing():
    def blocks():
        raise AssertionError

    assert len(net().fit(blocks, learning_rate=0.1, epochs=0)) == 0


def test_a_step_that_is_not_finite_names_its_block():
    nn = net("mean")
    large = X.copy()
    large[75] = 1e200
    options = {"learning_rate": 1e200, "batch_size": 10, "shuffle": False, "epochs": 2}
    with pytest.raises(
        ValueError, match=r"in step \d+ \(epoch 0, block \d, batch from sample \d+ on"
    ):
        nn.fit(cut(50, large, T * 1e150), optimizer="SGD", **options)
    assert np.isfinite(nn.parameters).all()
    calm = net("sum")
    history = calm.fit(
        cut(50, X, np.where(np.arange(ROWS)[:, None] // 50 == 1, 1.7e308, T)),
        optimizer=get_opt("SGD", eta=1e-3, on_nonfinite="skip"),
        epochs=1,
        batch_size=10,
        shuffle=False,
    )
    assert np.isfinite(history.cost).all()
    assert calm.optimizer.steps == 7  # those of the block in between are left out


# ---------------------------------------------------------------- the thread that reads ahead


def wait_for(what):
    """Until it is true; a hang fails."""
    end = time.monotonic() + DEADLINE
    while not what():
        assert time.monotonic() < end
        time.sleep(0.001)


def readers():
    return [thread for thread in threading.enumerate() if thread.name == "fastnn-reader"]


def test_two_blocks_are_in_memory():
    alive, most = [], []

    def blocks():
        for k in range(8):
            wait_for(lambda: sum(ref() is not None for ref in alive) <= 1)  # that in training
            x, t = np.full((30, 3), k / 8), np.zeros((30, 2))
            alive.extend([weakref.ref(x)])
            most.append(sum(ref() is not None for ref in alive))
            yield x, t
            del x, t

    gc.collect()
    net().fit(blocks, optimizer="Adam", epochs=2, batch_size=10)
    assert max(most) == 2
    gc.collect()
    assert not any(ref() for ref in alive)


def test_reading_is_one_block_ahead():
    made, asked = [], []

    def blocks():
        for k, block in enumerate(cut(30, X, T)):
            made.append(k)
            yield block

    class Asked(schedules.Schedule):
        def _rates(self, k):
            if k.size > 1:  # at each block
                position = len(asked)
                wait_for(lambda: len(made) >= min(4, position + 2))
                asked.append(len(made))
            return np.full(k.shape, 0.001)

    net().fit(blocks, learning_rate=Asked(), optimizer="Adam", batch_size=10)
    assert asked == [2, 3, 4, 4]


@pytest.mark.parametrize("at", [0, 1, 2])
def test_an_error_of_the_reader_arrives(at):
    closed, nn = [], net()

    def blocks():
        try:
            yield from cut(50, X, T)[:at]
            raise OddError("no disk")
        finally:
            closed.append(threading.current_thread().name)

    before = nn.parameters.copy()
    with pytest.raises(OddError, match="no disk"):
        nn.fit(blocks, optimizer="Adam", batch_size=10)
    assert closed == ["fastnn-reader"]
    assert np.array_equal(nn.parameters, before) == (at == 0)
    wait_for(lambda: not readers())
    nn.fit(cut(50, X, T), batch_size=10)  # nothing is held any more


@pytest.mark.parametrize("error", [OddError, KeyboardInterrupt])
def test_an_error_of_the_caller_ends_the_reader(error):
    closed = []

    def blocks():
        try:
            while True:
                yield X, T
        finally:
            closed.append(True)

    class Raising(schedules.Schedule):
        def _rates(self, k):
            if k.max() > 30:
                raise error
            return np.full(k.shape, 0.001)

    with pytest.raises(error):
        net().fit(blocks, learning_rate=Raising(), optimizer="Adam", batch_size=10)
    wait_for(lambda: not readers())
    assert closed == [True]


def test_an_interrupt_reaches_who_waits_for_the_reader(monkeypatch):
    monkeypatch.setattr(ahead, "_PATIENCE", 0.01)
    go, closed = threading.Event(), []

    def blocks():
        try:
            yield X, T
            os.kill(os.getpid(), signal.SIGINT)
            assert go.wait(DEADLINE)
            yield X, T
        finally:
            closed.append(True)

    with pytest.raises(KeyboardInterrupt):
        net().fit(blocks, optimizer="Adam", batch_size=10)
    assert not closed  # it still reads: nobody waits for that
    go.set()
    wait_for(lambda: closed and not readers())


def test_without_a_thread_blocks_are_read_in_turn(monkeypatch):
    expected = trained(cut(50, X, T))

    def refuse(thread):
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    assert_same(trained(cut(50, X, T), n_threads=1), expected)


# ------------------------------------------------------------------------------- bad input


BAD = X.copy()
BAD[71, 1] = np.nan


@pytest.mark.parametrize(
    ("blocks", "error", "message"),
    [
        ([], ValueError, "blocks is empty"),
        (X, TypeError, "t is missing: X is of type ndarray"),
        ("X.npy", TypeError, "t is missing: X is of type str"),
        (3, TypeError, "t is missing, and X is of type int"),
        ((X, T), TypeError, r"blocks\[0\]: this is of type ndarray, expected \(X, t\)"),
        ([(X, T), (X,)], ValueError, r"blocks\[1\]: t is missing"),
        ([(X, T), (X, T, WEIGHTS, 1)], ValueError, r"blocks\[1\]: this is a tuple of 4"),
        (lambda: 3, TypeError, r"blocks\(\) returned 3, of type int"),
        (lambda: [(X, T), X], TypeError, "block 1 of epoch 0: this is of type ndarray"),
        (lambda: [(X, T), (X,)], ValueError, "block 1 of epoch 0: t is missing"),
        (lambda: [], ValueError, "blocks of epoch 0 ended without a sample"),
        ([(X[:0], T[:0])], ValueError, "all blocks are empty"),
        ([(X, T), (X[:0], T[:1])], ValueError, "X is empty"),
        ([(X, T), (X[:, :2], T)], ValueError, r"block 1 of epoch 0: X has shape \(120, 2\)"),
        ([(X, T), (X, T[:, 0])], ValueError, r"block 1 of epoch 0: t has shape \(120,\)"),
        ([(X, T), (X, T[:-1])], ValueError, "block 1 of epoch 0: t has 119 rows"),
        ([(X, T), (X, T, WEIGHTS[1:])], ValueError, r"block 1 .*sample_weight has shape \(119,"),
        ([(X, T), (X, T, -WEIGHTS)], ValueError, r"block 1 of epoch 0: sample_weight\[0\] is"),
        (cut(40, BAD, T), ValueError, r"block 1 of epoch 0: X\[31, 1\] is nan"),
        ([(X, T), (X, BAD[:, :2])], ValueError, r"block 1 of epoch 0: t\[71, 1\] is nan"),
        ([(X, T), (X.astype(object), T)], TypeError, "block 1 .*X must hold real numbers"),
        ([(X, T), (X * 1j, T)], TypeError, "block 1 .*X must hold real numbers"),
    ],
)
def test_bad_blocks(blocks, error, message):
    nn = net()
    with pytest.raises(error, match=message):
        nn.fit(blocks, optimizer="Adam", shuffle=False, batch_size=50)
    wait_for(lambda: not readers())
    nn.fit(cut(50, X, T), learning_rate=0.001)


def test_bad_files(tmp_path):
    good = as_files([(X, T)], tmp_path)[0]
    (tmp_path / "text.npy").write_text("1, 2, 3")
    whole = good[0].read_bytes()
    (tmp_path / "cut.npy").write_bytes(whole[:-8])
    np.save(tmp_path / "objects.npy", X.astype(object), allow_pickle=True)
    np.savez(tmp_path / "several.npz", X)
    for name, error, message in [
        ("none.npy", FileNotFoundError, "none.npy"),
        ("text.npy", ValueError, "X is .*text.npy', expected an .npy file"),
        ("cut.npy", ValueError, "cut.npy', expected an .npy file"),
        ("objects.npy", ValueError, "Python objects"),
        ("several.npz", ValueError, "expected an .npy file"),
    ]:
        pair, nn = (tmp_path / name, good[1]), net()
        with pytest.raises(error, match=message) as told:
            nn.fit([good, pair], learning_rate=0.001)
        assert "blocks[1]" in str(told.value)
        with pytest.raises(error, match=message) as told:
            nn.fit(lambda pair=pair: [good, pair], learning_rate=0.001)
        assert "block 1 of epoch 0" in str(told.value)


def test_an_iterator_is_gone_through_once():
    nn, blocks = net(), iter(cut(50, X, T))
    with pytest.raises(TypeError, match="can be gone through once, but epochs is 2: give a func"):
        nn.fit(blocks, optimizer="Adam", epochs=2)
    assert len(nn.fit(blocks, optimizer="Adam")) == 1
    same = iter(cut(50, X, T))
    with pytest.raises(ValueError, match=r"epoch 1 ended without a sample.*must return a new one"):
        nn.fit(lambda: same, epochs=2)


def test_empty_blocks_are_passed_over():
    none = X[:0], T[:0]
    blocks = cut(40, X, T)
    expected = trained(lambda: blocks)
    assert_same(
        trained(lambda: [none, *blocks[:2], none, blocks[2]], shuffle=False),
        trained(lambda: blocks, shuffle=False),
    )
    assert len(expected[1]) == 3


def test_arguments_that_blocks_do_not_go_with():
    nn, blocks = net(), cut(50, X, T)
    array = pytest.importorskip("dask.array")
    for match, call in {
        "L-BFGS takes all samples at once": lambda: nn.fit(blocks, optimizer="L-BFGS"),
        "sample_weight is given beside": lambda: nn.fit(blocks, sample_weight=WEIGHTS),
        "X is a function of blocks": lambda: nn.fit(lambda: blocks, T),
        "t is 0.1, a number, beside blocks": lambda: nn.fit(blocks, 0.1),
        "t is 1, a number": lambda: nn.fit(lambda: blocks, 1),
        "fit needs a learning_rate": lambda: nn.fit(blocks),
    }.items():
        with pytest.raises(TypeError, match=match):
            call()
    x = array.from_array(X, chunks=50)
    for match, call in {
        "t has 119 rows, expected as many as X, 120": lambda: nn.fit(x, T[1:], 0.1),
        "sample_weight has 119 rows": lambda: nn.fit(x, T, 0.1, sample_weight=WEIGHTS[1:]),
        "block 0 of epoch 0: X has shape": lambda: nn.fit(x[:, :2], T, 0.1, shuffle=False),
        "X has shape ()": lambda: nn.fit(x.sum(), T, 0.1),
        "batch_size must be at least 1": lambda: nn.fit(blocks, learning_rate=0.1, batch_size=0),
    }.items():
        with pytest.raises(ValueError, match=match.replace("(", r"\(").replace(")", r"\)")):
            call()


@pytest.mark.parametrize("compiled", [True, False])
def test_a_network_that_is_refused_keeps_its_optimizer(compiled):
    nn = net(compiled=compiled)
    nn.layers[0].w[0, 0] = np.nan
    with pytest.raises(ValueError, match="is nan"):
        nn.fit(cut(40, X, T), optimizer="Adam")
    assert nn.optimizer is None
