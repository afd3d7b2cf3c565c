"""What `fit` promises around the steps: its history, its callbacks, and networks with own parts."""

import math
import time

import numpy as np
import pytest
from support.networks import COSTS, data, network, optimizer
from support.reference_training import ReferenceTraining
from support.tolerance import assert_close

import fastnn
from fastnn.callbacks import (
    Callback,
    Checkpoint,
    EarlyStopping,
    LearningRate,
    Progress,
    TerminateOnNaN,
)
from fastnn.optimizers import RULES
from fastnn.schedules import StepDecay

pytestmark = pytest.mark.main_in_float32

SIZES, COST, ROWS = (3, 6, 2), "SumSquaresError", 24
X, T = data(SIZES, COST, ROWS)
CHAIN = sum(SIZES) + 8 * len(SIZES) + ROWS  # roundings of a step, for the tolerance


class OwnDense(fastnn.DenseLayer):
    """Goes a way of its own, so its network trains layer by layer."""

    def forward_propagation(self, X):
        return super().forward_propagation(X)


def net(reduction="sum", seed=0, cost=COST):
    nn = network(SIZES, ["tanh", "identity"], cost, seed=seed)
    nn.cost_function = COSTS[cost](reduction=reduction)
    return nn


def own(nn):
    for layer in nn.layers:
        layer.__class__ = OwnDense
    return nn


def judged(nn, X, t, weights=None):
    """`nn.cost` with weights."""
    weights = np.ones(len(X)) if weights is None else weights
    return ReferenceTraining(nn, fastnn.get_opt("SGD")).cost_and_gradient(X, t, weights)[0]


# --- History ---------------------------------------------------------------------------------


@pytest.mark.parametrize("n_threads", [1, 2])
@pytest.mark.parametrize("penalties", [(0.0, 0.0), (0.1, 0.2)])
@pytest.mark.parametrize("reduction", ["sum", "mean"])
def test_cost_of_an_epoch_is_that_before_its_step(reduction, penalties, n_threads):
    nn = net(reduction)
    nn.layers[0].l1, nn.layers[1].l2 = penalties
    before = []
    for _ in range(4):
        before.append(nn.cost(X, T))
        history = nn.fit(X, T, 0.01, n_threads=n_threads)
        assert len(history) == 1
        assert_close(history.cost, before[-1:], operations=CHAIN)
    at_once = net(reduction)
    at_once.layers[0].l1, at_once.layers[1].l2 = penalties
    history = at_once.fit(X, T, 0.01, epochs=4, n_threads=n_threads)
    assert_close(history.cost, before, operations=4 * CHAIN)


@pytest.mark.parametrize("reduction", ["sum", "mean"])
@pytest.mark.parametrize("batch", [1, 7, 12])
def test_cost_of_mini_batches_is_the_running_sum(batch, reduction):
    nn, twin = net(reduction), net(reduction)
    nn.layers[0].l1 = twin.layers[0].l1 = 0.1
    history = nn.fit(X, T, 0.01, epochs=2, batch_size=batch, shuffle=False)
    expected = []
    for _ in range(2):
        total = 0.0
        for start in range(0, ROWS, batch):
            part = slice(start, start + batch)
            share = len(X[part]) / ROWS
            if reduction == "sum":  # a batch has its share of the penalty
                twin.layers[0].l1 = share * nn.layers[0].l1
            total += twin.cost(X[part], T[part]) * (share if reduction == "mean" else 1.0)
            twin.fit(X[part], T[part], 0.01)
        expected.append(total)
    assert_close(history.cost, expected, operations=2 * ROWS * CHAIN)


@pytest.mark.parametrize("reduction", ["sum", "mean"])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("compiled", [False, True])
def test_validation_cost_is_that_after_the_epoch(compiled, weighted, reduction):
    nn = net(reduction) if compiled else own(net(reduction))
    if compiled:
        nn.layers[0].l2 = 0.3
    others = data(SIZES, COST, 600, seed=8)  # more than a tile
    weights = np.random.default_rng(0).uniform(0, 2, 600) if weighted else None
    given, expected = (*others, weights) if weighted else others, []
    history = nn.fit(
        X, T, 0.001, epochs=3, batch_size=10, validation_data=given, rng=0,
        callbacks=lambda run: expected.append(judged(nn, *others, weights)),
    )  # fmt: skip
    assert_close(history.validation_cost, expected, operations=CHAIN + 600)
    assert len(history) == 3


def test_validation_leaves_the_training_alone():
    nn, twin = net(), net()
    other = data(SIZES, COST, 30, seed=8)
    nn.fit(X, T, 0.01, epochs=5, batch_size=7, rng=3, validation_data=other)
    twin.fit(X, T, 0.01, epochs=5, batch_size=7, rng=3)
    assert np.array_equal(nn.parameters, twin.parameters)


@pytest.mark.parametrize("compiled", [False, True])
@pytest.mark.parametrize("validated", [False, True])
def test_learning_rate_and_seconds_of_each_epoch(validated, compiled):
    schedule = StepDecay(0.01, every=5, factor=0.5)
    nn = net() if compiled else own(net())
    validation = (X, T) if validated else None
    start = time.perf_counter()
    history = nn.fit(X, T, schedule, epochs=7, batch_size=8, rng=0, validation_data=validation)
    elapsed = time.perf_counter() - start
    assert history.learning_rate.tolist() == [schedule(3 * epoch) for epoch in range(7)]
    assert (history.seconds > 0).all()
    assert history.seconds.sum() <= elapsed
    constant = nn.fit(X, T, 0.25, epochs=2, sample_weight=np.zeros(ROWS))
    assert constant.learning_rate.tolist() == [0.25, 0.25]
    assert constant.cost.tolist() == [0.0, 0.0]


def test_a_schedule_of_many_steps_is_followed_across_calls_of_the_engine():
    """Rates are computed in blocks; the history must not show where one ends."""
    schedule = StepDecay(0.01, every=1000, factor=0.9)
    history = net().fit(X[:2], T[:2], schedule, epochs=70_000)
    steps = np.arange(70_000)
    assert np.array_equal(history.learning_rate, schedule(steps))


# --- Callbacks -------------------------------------------------------------------------------


class Recorder(Callback):
    """Parameters after the epochs that it is called for, and whether it was told of the end."""

    def __init__(self, every=1):
        self.every, self.seen, self.ended = every, {}, 0

    def on_epoch(self, run):
        self.seen[run.epoch] = run.network.parameters.copy()

    def on_end(self, run):
        self.ended += 1


@pytest.mark.parametrize("compiled", [False, True])
@pytest.mark.parametrize("every", [1, 3, 100])
def test_callbacks_are_called_when_due_and_change_nothing(every, compiled):
    nn, twin = (net() if compiled else own(net()) for _ in range(2))
    recorder, called = Recorder(every), []
    nn.fit(X, T, 0.01, epochs=10, callbacks=recorder)
    assert list(recorder.seen) == [e for e in range(1, 11) if e % every == 0 or e == 10]
    assert recorder.ended == 1
    twin.fit(X, T, 0.01, epochs=10, callbacks=lambda run: called.append((run.epoch, run.cost)))
    assert [epoch for epoch, _ in called] == list(range(1, 11))
    assert np.array_equal(recorder.seen[10], twin.parameters)


def test_early_stopping_restores_the_best_parameters():
    nn, recorder = net(), Recorder()
    other = data(SIZES, COST, 10, seed=8)  # of noise: gets worse soon
    stopping = EarlyStopping(patience=5)
    history = nn.fit(
        X, T, 0.03, epochs=10_000, validation_data=other, callbacks=[recorder, stopping]
    )
    best = 1 + int(history.validation_cost.argmin())
    assert 1 < stopping.best_epoch == best == len(history) - 5
    assert np.array_equal(nn.parameters, recorder.seen[best])
    assert "has not improved for 5 epochs" in history.stopped


def test_checkpoint_writes_what_a_network_can_go_back_to(tmp_path):
    nn, recorder, other = net(), Recorder(), net(seed=5)
    path = str(tmp_path / "{epoch}.npz")
    history = nn.fit(X, T, 0.01, epochs=5, callbacks=[Checkpoint(path, every=2), recorder])
    assert sorted(p.name for p in tmp_path.iterdir()) == ["2.npz", "4.npz", "5.npz"]
    found = Checkpoint.restore(tmp_path / "4.npz", other)
    assert np.array_equal(other.parameters, recorder.seen[4])
    assert found["cost"] == history.cost[3]


def test_learning_rates_of_a_callback_are_those_of_the_steps():
    rates = [0.01, 0.02, 0.0, 0.005]
    nn, twin = net(), net()
    history = nn.fit(X, T, 0.5, epochs=4, callbacks=LearningRate(rates.__getitem__))
    for rate in rates:
        twin.fit(X, T, rate)
    assert history.learning_rate.tolist() == rates
    assert np.array_equal(nn.parameters, twin.parameters)


@pytest.mark.parametrize("n_threads", [1, 2])
@pytest.mark.parametrize("batch", [None, 10])
def test_terminate_on_nan_ends_quietly_with_finite_parameters(batch, n_threads):
    nn = net()
    history = nn.fit(
        X, T, 1e200, epochs=50, batch_size=batch, rng=0, n_threads=n_threads,
        callbacks=TerminateOnNaN(),
    )  # fmt: skip
    assert len(history) < 50
    assert "diverge" in history.stopped or "inf" in history.stopped
    assert np.isfinite(nn.parameters).all()


def test_progress_prints(capsys):
    history = net().fit(X, T, 0.01, epochs=4, callbacks=Progress(every=2), validation_data=(X, T))
    lines = capsys.readouterr().out.splitlines()
    assert [line.split("  ")[0] for line in lines] == ["epoch 2/4", "epoch 4/4"]
    for line, epoch in zip(lines, (1, 3), strict=True):
        assert f"cost {history.cost[epoch]:.6g}" in line
        assert f"validation {history.validation_cost[epoch]:.6g}" in line


@pytest.mark.parametrize("n_threads", [1, 2])
@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_a_callback_that_raises_leaves_a_complete_step(error, n_threads):
    def fail(run):
        if run.epoch == 3:
            raise error("of a callback")

    nn, twin, others = net(), net(), (Recorder(), Recorder())
    with pytest.raises(error, match="of a callback"):
        nn.fit(X, T, 0.01, epochs=9, callbacks=[others[0], fail, others[1]], n_threads=n_threads)
    assert [recorder.ended for recorder in others] == [1, 1]
    twin.fit(X, T, 0.01, epochs=3, n_threads=n_threads)
    assert np.array_equal(nn.parameters, twin.parameters)
    for each in (nn, twin):
        each.fit(X, T, 0.01, epochs=2, n_threads=n_threads)
    assert np.array_equal(nn.parameters, twin.parameters)


def test_stop_ends_after_the_epoch():
    nn, twin = net(), net()
    history = nn.fit(
        X, T, 0.01, epochs=9, callbacks=lambda run: run.epoch == 4 and run.stop("enough")
    )
    twin.fit(X, T, 0.01, epochs=4)
    assert (len(history), history.stopped) == (4, "enough")
    assert np.array_equal(nn.parameters, twin.parameters)


def test_parameters_that_a_callback_writes_are_trained_on():
    nn, twin, start = net(), net(seed=5), net(seed=5).parameters.copy()

    def replace(run):
        if run.epoch == 2:
            run.network.parameters[...] = start

    nn.fit(X, T, 0.01, epochs=5, callbacks=replace)
    twin.fit(X, T, 0.01, epochs=3)
    assert np.array_equal(nn.parameters, twin.parameters)


# --- Layers and costs of the user ------------------------------------------------------------


class OwnSquares:
    """The sum of squares, written by a user."""

    def activate(self, logits):
        return logits

    def __call__(self, logits, t):
        return 0.5 * ((logits - t) ** 2).sum()

    def delta(self, logits, t):
        return logits - t


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("own_part", ["layer", "cost", "mean"])
def test_own_parts_train_as_the_compiled_ones(rule, own_part):
    compiled = net("mean" if own_part == "mean" else "sum")
    plain = net("mean" if own_part == "mean" else "sum")
    if own_part == "cost":
        plain.cost_function = OwnSquares()
    else:
        plain.layers[0].__class__ = OwnDense
    weights = np.random.default_rng(0).uniform(0, 2, ROWS)
    found = {}
    for name, nn in (("compiled", compiled), ("plain", plain)):
        stopping, recorder = EarlyStopping(patience=1000), Recorder(every=2)
        history = nn.fit(
            X, T, optimizer=optimizer(rule, learning_rate=0.003, clip_norm=5.0), epochs=8,
            batch_size=7, rng=3, sample_weight=weights, validation_data=(X, T, weights),
            callbacks=[stopping, recorder],
        )  # fmt: skip
        found[name] = [
            nn.parameters, history.cost, history.validation_cost, recorder.seen[6],
            np.array([stopping.best, stopping.best_epoch]),
        ]  # fmt: skip
    steps = 8 * math.ceil(ROWS / 7)
    for ours, theirs in zip(*found.values(), strict=True):
        assert_close(ours, theirs, operations=steps * CHAIN)


def test_shuffle_is_true_or_false():
    with pytest.raises(TypeError, match="shuffle must be True or False, not 'no'"):
        net().fit(X, T, 0.1, epochs=2, shuffle="no")
