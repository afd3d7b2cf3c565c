"""How many threads work at a training that was not told: tried and chosen in single steps."""

import threading

import numpy as np
import pytest
from support.networks import data, network

import fastnn
from fastnn.training.autotune import Autotuner
from fastnn.training.compiled import CompiledTrainer


def tuned(seconds, steps, guess=1e-3):
    """Threads of each of so many steps, which take so many seconds by the number of threads."""
    tuner, threads = Autotuner(2, guess), []
    while len(threads) < steps:
        piece = min(tuner.steps(), steps - len(threads))
        threads += [tuner.threads] * piece
        tuner.learn(piece, piece * seconds[tuner.threads])
    return threads


@pytest.mark.parametrize("step", [1e-6, 1e-4, 0.03])
@pytest.mark.parametrize("faster", [1, 2])
def test_the_faster_one_takes_nearly_all_steps_of_whatever_length(faster, step):
    count = max(1000, int(1.0 / step))
    for guess in (0.1 * step, 10.0 * step):
        seconds = {n: step if n == faster else 2 * step for n in (1, 2)}
        threads = tuned(seconds, count, guess)
        assert set(threads) == {1, 2}  # both are tried
        assert threads.count(faster) > 0.85 * count


def test_a_step_longer_than_a_trial_is_one():
    assert tuned({1: 0.2, 2: 0.1}, 17, 0.1) == [1] + [2] * 16


def test_it_looks_again_and_changes_its_mind():
    tuner = Autotuner(2, 1e-3)
    seconds, seen = {1: 2e-3, 2: 1e-3}, []
    for k in range(2000):
        if k == 1000:
            seconds[2] = 9e-3  # the other core has other work from now on
        seen.append(tuner.threads)
        tuner.learn(1, seconds[tuner.threads])
    assert seen[500:1000].count(2) > 450
    assert seen[1500:].count(1) > 450


def test_short_pieces_are_added_up_until_a_stretch_is_over():
    at_once, piecewise = Autotuner(2, 1e-4), Autotuner(2, 1e-4)
    for tuner, most in ((at_once, 1 << 40), (piecewise, 3)):
        for _ in range(3):  # alone, the team, what follows
            threads, left = tuner.threads, tuner.steps()
            while left > 0:
                assert tuner.threads == threads
                piece = min(left, most)
                tuner.learn(piece, piece * 1e-4 / threads)
                left -= piece
    assert at_once.threads == piecewise.threads == 1
    assert at_once.steps() == piecewise.steps()


def test_without_a_guess_all_threads_work_all_the_time():
    tuner = Autotuner(3)
    for _ in range(3):
        assert (tuner.threads, tuner.steps() > 10**15) == (3, True)
        tuner.learn(10, 1.0)


@pytest.fixture
def pieces(monkeypatch):
    """Threads and steps of every piece of a training."""
    found, run = [], CompiledTrainer._piece

    def piece(self, rates, costs, times, first, last):
        found.append((self._autotuner.threads, first, last))
        run(self, rates, costs, times, first, last)

    monkeypatch.setattr(CompiledTrainer, "_piece", piece)
    fastnn.set_num_threads(2)
    yield found
    fastnn.set_num_threads(None)


SIZES, COST, BATCH, STEPS = (100, 300, 10), "SoftmaxCrossEntropy", 100, 300


def trained(epochs, n_threads=None, dropout=0.2, **options):
    nn = network(SIZES, ["tanh", "identity"], COST, np.float32)
    nn.layers[0].dropout = dropout
    X, t = data(SIZES, COST, BATCH * STEPS - 1)
    history = nn.fit(
        X, t, optimizer="Nadam", epochs=epochs, batch_size=BATCH, rng=3, n_threads=n_threads,
        **options,
    )  # fmt: skip
    return nn, history


def test_one_long_epoch_changes_its_number_of_threads(pieces):
    nn, history = trained(1)
    assert {threads for threads, _, _ in pieces} == {1, 2}
    assert [first for _, first, _ in pieces] == [0, *(last for _, _, last in pieces[:-1])]
    assert pieces[-1][2] == STEPS
    twin, expected = trained(1, 2)
    assert pieces[-1] == (2, 0, STEPS)  # all in one piece
    assert np.array_equal(nn.parameters, twin.parameters)
    assert np.array_equal(history.cost, expected.cost)
    assert history.seconds[0] > 0.0


def test_pieces_that_end_within_epochs_are_one_training(pieces, monkeypatch):
    lengths = iter([7, STEPS, 5, STEPS - 12, 1])
    monkeypatch.setattr(Autotuner, "steps", lambda _: next(lengths, 40))
    rate = fastnn.schedules.Exponential(1e-3, 0.999)
    nn, history = trained(3, learning_rate=rate)
    assert len(pieces) > 5
    twin, expected = trained(3, 2, learning_rate=rate)
    assert np.array_equal(nn.parameters, twin.parameters)
    assert np.array_equal(history.cost, expected.cost)
    assert len(history.seconds) == 3


def test_what_was_found_out_holds_for_the_next_fit(pieces, monkeypatch):
    nn, _ = trained(1)
    X, t = data(SIZES, COST, BATCH * STEPS - 1)
    tuner, before = nn._trainer[1]._trials, threading.active_count()
    learned = []
    monkeypatch.setattr(tuner, "learn", lambda steps, seconds: learned.append(steps))
    nn.fit(X, t, optimizer="Nadam", batch_size=BATCH)
    assert nn._trainer[1]._trials is tuner
    assert sum(learned) == STEPS
    assert threading.active_count() == before
