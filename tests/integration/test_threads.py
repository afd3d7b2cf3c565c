"""A training by a team of threads: the numbers of one thread alone, and the same every time."""

import threading
from queue import SimpleQueue

import numpy as np
import pytest
from support.networks import DTYPES, data, network
from support.tolerance import assert_close

from fastnn import get_opt
from fastnn._core.threads import Team, _serve
from fastnn.kernels.engine import layout

# Name: sizes, rows, batch, whether each of two threads has a gradient of its own, epochs. The name
# says who updates the parameters, and what else is special.
TEAMS = {
    "first thread": ((3, 5, 2), 50, None, True, 20),
    "first thread, mini-batches": ((3, 5, 2), 50, 16, True, 5),
    "first thread, several tiles": ((3, 5, 2), 5 * layout.TILE, None, True, 3),
    "first thread, fewer samples than threads": ((3, 5, 2), 7, 2, False, 3),
    "all, small tiles": ((30, 60, 20), 100, None, True, 10),
    "all, last batch without work for some": ((30, 60, 20), 101, 50, True, 3),
    "all, several tiles": ((30, 60, 20), 3 * layout.TILE, None, True, 2),
    "all, one gradient": ((200, 150, 10), 20, 8, False, 4),
    "all, one gradient, several tiles": ((400, 400, 10), 520, None, False, 2),
    "all, one gradient, fewer inputs than threads": ((1, 150, 150, 2), 60, 8, False, 1),
}


def trained(sizes, rows, batch, epochs, n_threads, dtype=np.float64, seed=7, dropout=0.0):
    """A network after a training with everything in which the team must agree."""
    nn = network(sizes, ["tanh"] * (len(sizes) - 2) + ["identity"], "SoftmaxCrossEntropy", dtype)
    X, t = data(sizes, "SoftmaxCrossEntropy", rows)
    for layer in nn.layers:
        layer.l1, layer.l2 = 1e-3, 1e-2
    nn.layers[0].dropout = dropout
    optimizer = get_opt("AdamW", clip_norm=0.5 * rows, learning_rate=1e-3)
    history = nn.fit(
        X, t, optimizer=optimizer, epochs=epochs, batch_size=batch, rng=seed, n_threads=n_threads
    )
    return nn, history.cost


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", TEAMS)
def test_a_team_trains_as_one_thread_does(name, dtype):
    sizes, rows, batch, own, epochs = TEAMS[name]
    alone, costs = trained(sizes, rows, batch, epochs, 1, dtype)
    steps = epochs * -(-rows // (batch or rows))
    operations = steps * (sum(sizes) + 8 * len(sizes) + (batch or rows))
    assert (alone.parameters.size <= 2048) == name.startswith("first thread")
    for n_threads in (2, 3, 5):  # more than there may be cores
        nn, found = trained(sizes, rows, batch, epochs, n_threads, dtype)
        team = nn._trainer[1].team
        assert team.parts == min(n_threads, batch or rows)
        assert n_threads != 2 or team.own == own  # the name says so
        assert_close(nn.parameters, alone.parameters, operations=operations)
        assert_close(found.astype(dtype), costs, operations=operations)
        again, _ = trained(sizes, rows, batch, epochs, n_threads, dtype)
        assert np.array_equal(again.parameters, nn.parameters)


@pytest.mark.parametrize("name", TEAMS)
def test_drop_outs_do_not_depend_on_the_team(name):
    sizes, rows, batch, _, epochs = TEAMS[name]
    steps = epochs * -(-rows // (batch or rows))
    operations = steps * (sum(sizes) + 8 * len(sizes) + (batch or rows))
    alone, _ = trained(sizes, rows, batch, epochs, 1, dropout=0.3)
    for n_threads in (2, 3):
        nn, _ = trained(sizes, rows, batch, epochs, n_threads, dropout=0.3)
        assert_close(nn.parameters, alone.parameters, operations=operations)


def test_two_teams_at_once_train_as_each_does_alone():
    cases = [("first thread, mini-batches", 1), ("all, one gradient", 2)]

    def work(name, seed, into):
        sizes, rows, batch, _, epochs = TEAMS[name]
        into[name] = trained(sizes, rows, batch, 10 * epochs, 2, seed=seed)[0].parameters.copy()

    together, alone = {}, {}
    for name, seed in cases:
        work(name, seed, alone)
    threads = [threading.Thread(target=work, args=(*case, together)) for case in cases]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for name, _ in cases:
        assert np.array_equal(together[name], alone[name])


@pytest.mark.parametrize("n_threads", [1, 2])
def test_divergence_within_an_epoch_leaves_the_last_complete_step(n_threads):
    sizes, rows, batch = (4, 3), 40, 8
    X, t = data(sizes, "SumSquaresError", rows)
    nn, twin, serial = (network(sizes, ["identity"], "SumSquaresError") for _ in range(3))
    optimizer = get_opt("SGD", eta=30.0)
    with pytest.raises(ValueError, match="makes the training diverge"):
        nn.fit(
            X, t, optimizer=optimizer, epochs=1000, batch_size=batch, shuffle=False,
            n_threads=n_threads,
        )  # fmt: skip
    steps = optimizer.steps
    assert steps > rows // batch
    assert steps % (rows // batch)  # within an epoch
    assert np.isfinite(nn.parameters).all()
    for k in range(steps):
        part = slice(k * batch % rows, k * batch % rows + batch)
        twin.fit(X[part], t[part], 30.0, n_threads=n_threads)
        serial.fit(X[part], t[part], 30.0, n_threads=1)
    assert np.array_equal(nn.parameters, twin.parameters)
    assert_close(nn.parameters, serial.parameters, operations=steps * (sum(sizes) + batch))


def test_threads_that_were_interrupted_in_a_child(child):
    """Ctrl-C ends a team within a step, and what is left is a complete step."""
    answer = child("interrupt_a_team")
    assert 0 < answer.pop("steps") < 1_000_000_000
    assert all(answer.values()), answer


def test_a_storm_of_signals_is_ctrl_c_and_leaves_no_thread(child):
    """Whenever signals come: `fit` ends or raises KeyboardInterrupt, and its threads end."""
    answer = child("storm_of_signals", timeout=300)
    assert answer.pop("interrupts") > 0
    assert answer == {"others": [], "threads": 1, "as it was": True}


@pytest.mark.parametrize("error", [KeyboardInterrupt, MemoryError])
@pytest.mark.parametrize("after", [False, True])
def test_an_exception_while_work_is_handed_over_leaves_no_thread_waiting(error, after):
    class Inbox(SimpleQueue):
        def put(self, item):
            if item is not None and threading.current_thread() is threading.main_thread():
                if after:
                    super().put(item)
                raise error
            super().put(item)

    team, done, stopped = Team(2), [], []
    team._inbox, inbox = Inbox(), team._inbox
    for _ in range(2):
        inbox.put(lambda: _serve(team._inbox))
    with pytest.raises(error):
        team.run(done.append, 2, lambda: stopped.append(True))
    assert stopped == [True]
    # handed over, a thread may have been the first to take it: then the work is done, all of it
    assert sorted(done) in ([[], [0, 1]] if after else [[]])
    threads = list(team._threads)
    for _ in range(2):
        inbox.put(None)
    team.close()
    assert not any(thread.is_alive() for thread in threads)


def test_threads_of_a_team_that_nobody_has_any_more_end():
    team = Team(2)
    threads = list(team._threads)
    del team
    for thread in threads:
        thread.join(300)
        assert not thread.is_alive()


def test_a_daemon_thread_in_training_does_not_hold_back_the_exit(child):
    assert child("leave_trainings_to_daemons", timeout=300)


@pytest.mark.parametrize("threads", [2, 3])
@pytest.mark.parametrize("call", ["fit", "gradient"])
def test_threads_whose_callbacks_use_each_others_network_do_not_wait_for_ever(child, threads, call):
    """One is refused, which ends its training and lets the others go on, each with the next."""
    answer = child("use_each_others_network", threads, call, timeout=600)
    assert answer["errors"] == [
        "the network is in use by another thread, which waits for one that this thread is using: "
        "neither would ever go on"
    ]
    assert answer["trained"] == threads - 1
    assert answer["afterwards"] == threads


def test_code_of_the_caller_that_uses_the_network_in_training_does_not_wait_for_ever(child):
    """What would take the network from the thread that waits for it is refused."""
    found = child("use_the_network_in_training", timeout=600)
    blocks, many = (
        f"the network is in use by another thread, which waits for this one to {purpose}: neither "
        "would ever go on"
        for purpose in ("read its blocks", "train it in fit_many")
    )
    free = "predict", "cost"  # they only look at it
    for name, error in found.items():
        where, call = name.split(": ")
        if where.startswith("in_blocks"):
            assert error == (None if call in free else blocks), name
        elif call == "fit_many" and where == "in_a_callback":
            assert error == many, name
        else:
            assert error is None, name


@pytest.mark.parametrize("n_threads", [1, 2])
def test_fork_in_the_middle_of_a_team_and_after(child, n_threads):
    assert child("fork_a_team", n_threads) == {"meanwhile": 0, "after": 0, "equal": True}


@pytest.mark.parametrize("n_threads", [1, 2])
def test_a_callback_may_train_the_same_network(child, n_threads):
    assert child("train_within_a_training", n_threads) == {"costs": True, "parameters": True}
