"""Programs that the MPI tests run on ranks: ``mpiexec … mpi_programs.py NAME [ARGUMENT …]``.

Each rank prints what its function returns as a line of JSON, with its rank before it. Where a rank
trains without ranks first, for comparison, it is on its own data and random numbers.
"""

import contextlib
import io
import json
import re
import sys
import threading
from pathlib import Path

import numpy as np

import fastnn
from fastnn import DenseLayer, LinearLayer, NeuralNetwork, SumSquaresError
from fastnn.optimizers import RULES

ROWS = 61
RNG = np.random.default_rng(7)
X = RNG.normal(size=(ROWS, 5))
T = RNG.normal(size=(ROWS, 2))
WEIGHTS = RNG.uniform(0.0, 2.0, ROWS)


def network(cost=None, hidden=None, dtype="float64", **settings):
    first = DenseLayer(5, 7, activation="tanh", rng=0, dtype=dtype, **settings)
    last = LinearLayer(hidden or 7, 2, rng=1, dtype=dtype)
    layers = [first, last] if hidden is None else [first, DenseLayer(7, hidden, rng=2), last]
    return NeuralNetwork(layers, cost or SumSquaresError())


def distance(one, other):
    """Largest difference of two networks' parameters, relative to the largest of them."""
    difference = np.abs(one.parameters - other.parameters).max()
    return float(difference / np.abs(other.parameters).max())


def cases(names):
    """Networks and arguments of `fit` of each case; every rule is one."""
    for name in names:
        options = {"optimizer": name, "epochs": 20, "batch_size": 13, "rng": 3}  # 100 steps
        if RULES[name].noisy:
            options["optimizer"] = fastnn.get_opt(name, rng=5)
            options["learning_rate"] = 1e-6  # larger ones magnify a rounding, without ranks too
        yield name, network, options


def rate(step):
    return 0.01 / (1.0 + 0.1 * np.asarray(step))


def settings():
    """Whatever else a training can have."""
    adam = {"optimizer": "Adam", "epochs": 10, "batch_size": 13, "rng": 3}
    mean = SumSquaresError("mean")
    penalties = {"l1": 0.01, "l2": 0.02}
    yield "weights", network, {**adam, "sample_weight": WEIGHTS}
    yield "mean", lambda: network(mean, **penalties), adam
    yield "penalties", lambda: network(**penalties), {**adam, "sample_weight": WEIGHTS}
    yield "dropout", lambda: network(dropout=0.3), adam
    yield "clipping", network, {**adam, "optimizer": fastnn.get_opt("Adam", clip_norm=0.5)}
    yield "schedule", network, {**adam, "learning_rate": rate}
    yield "whole batch", lambda: network(dropout=0.3), {**adam, "batch_size": None}
    yield "one sample a step", network, {**adam, "batch_size": 1, "epochs": 2}
    yield "threads", lambda: network(dropout=0.3), {**adam, "n_threads": 2}
    yield "large", lambda: network(hidden=6000), {**adam, "epochs": 1}


def frozen():
    nn = network()
    nn.layers[0].trainable = False
    return nn


def pairs(comm, todo):
    """How far each training by ranks, twice the same bits, is from the one without."""
    import copy

    found = {}
    for name, make, options in todo:
        alone, first, again = make(), make(), make()
        history = alone.fit(X, T, **copy.deepcopy({"n_threads": 1, **options}))
        shared = first.fit(X, T, **copy.deepcopy(options), comm=comm, shard=True)
        again.fit(X, T, **copy.deepcopy(options), comm=comm, shard=True)
        costs = np.abs(shared.cost / history.cost - 1.0).max()
        same = np.array_equal(first.parameters, again.parameters)
        ranks = {parameters.tobytes() for parameters in comm.allgather(first.parameters)}
        found[name] = [distance(first, alone), float(costs), same, len(ranks)]
    return found


def rules(comm, *names):
    return pairs(comm, cases(names or RULES))


def everything(comm):
    return pairs(comm, [*settings(), ("frozen", frozen, {"learning_rate": 0.001, "epochs": 5})])


def own_rows(comm):
    """Rows of their own, the second rank without any: the whole batch is that of all of them."""
    counts = [0] * comm.size
    counts[0], counts[-1] = 40, ROWS - 40
    cut = np.cumsum([0, *counts])
    own = slice(cut[comm.rank], cut[comm.rank + 1])
    options = {"optimizer": "Adam", "epochs": 30, "rng": 3}
    alone, together, batches = (network(dropout=0.2, l2=0.01) for _ in range(3))
    alone.fit(X, T, **options, sample_weight=WEIGHTS, n_threads=1)
    given = {"sample_weight": WEIGHTS[own], "comm": comm}
    together.fit(X[own], T[own], **options, **given)
    history = batches.fit(X[own], T[own], **options, **given, batch_size=comm.size + 2)
    return [
        distance(together, alone),
        len(history),
        float(history.cost[-1]),
        batches.optimizer.steps,
    ]


class Memory(fastnn.callbacks.Callback):
    """Notes which epochs it saw, and changes the parameters once."""

    def __init__(self):
        self.seen, self.costs = [], []

    def on_epoch(self, run):
        self.seen.append(run.epoch)
        self.costs.append(run.training_cost())
        if run.epoch == 2:
            run.network.parameters[0] = 0.25
            run.learning_rate = 0.004
        if run.epoch == 5:
            run.stop("enough")


def callbacks(comm, path):
    """Callbacks and validation on rank 0 alone; what they do holds on all."""
    memory, twin = Memory(), Memory()
    nn, alone = network(l2=0.01), network(l2=0.01)
    options = {"optimizer": "Adam", "epochs": 9, "batch_size": 13, "rng": 3}
    options["validation_data"] = X[:5], T[:5]
    save = fastnn.callbacks.Checkpoint(path, every=2)
    best = fastnn.callbacks.EarlyStopping(patience=5, restore_best=True)
    expected = alone.fit(X, T, **options, callbacks=[twin], n_threads=1)
    hooks = [memory, save, best]
    history = nn.fit(X, T, **options, callbacks=hooks, comm=comm, shard=True)
    after = nn.draws == alone.draws
    nn.fit(X, T, **{**options, "epochs": 2, "rng": nn.draws}, comm=comm, shard=True)
    expected_after = alone.fit(X, T, **{**options, "epochs": 2, "rng": alone.draws}, n_threads=1)
    return {
        "seen": memory.seen,
        "costs": memory.costs,
        "their costs": twin.costs,
        "stopped": history.stopped,
        "rates": history.learning_rate.tolist() == expected.learning_rate.tolist(),
        "validated": float(np.abs(history.validation_cost / expected.validation_cost - 1).max()),
        "reduction": history.reduction_seconds.tolist(),
        "seconds": history.seconds.tolist(),
        "draws": after,
        "epochs after": len(expected_after),
        "distance": distance(nn, alone),
    }


def message(call, *args, **kwargs):
    """The error of a call, as text."""
    try:
        call(*args, **kwargs)
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return "none"


class _Own(DenseLayer):
    def forward_propagation(self, X):
        return super().forward_propagation(X)


def _raise(run):
    if run.epoch == 3:
        raise KeyError("of the callback")


def _train_by(comm):
    from mpi4py import MPI

    def callback(run):
        run.network.fit(X, T, 0.001)  # which it may
        run.network.fit(X, T, 0.001, comm=MPI.COMM_SELF)  # as this
        run.network.fit(X, T, 0.001, comm=comm, shard=True)

    return callback


def refused(comm):
    """What every rank says of each thing that does not fit; afterwards a training goes well."""
    odd = comm.rank == comm.size - 1
    own = NeuralNetwork([_Own(5, 2, activation="tanh")], SumSquaresError())
    common = {"comm": comm, "shard": True, "optimizer": "Adam"}

    def fit(nn=None, x=X, **more):
        return message((nn or network()).fit, x, T, **{**common, **more})

    bad = X.copy()
    bad[3, 1] = np.nan
    found = {
        "network": fit(network(hidden=4) if odd else network()),
        "layer": fit(network(l2=0.1) if odd else network()),
        "cost": fit(network(SumSquaresError("mean")) if odd else network()),
        "dtype": fit(network(dtype="float32") if odd else network()),
        "rule": fit(optimizer="SGD" if odd else "Adam"),
        "epochs": fit(epochs=5 if odd else 4),
        "batch": fit(batch_size=5 if odd else 4),
        "data": fit(x=X + odd),
        "nan": fit(x=bad if odd else X),
        "type": fit(epochs="many" if odd else 4),
        "LBFGS": fit(optimizer="L-BFGS"),
        "own layer": fit(own, optimizer=None, learning_rate=0.1),
        "comm": fit(comm="world"),
        "callback": fit(epochs=5, callbacks=[_raise]),
        "training in a callback": fit(epochs=5, callbacks=[_train_by(comm)]),
        "divergence": fit(optimizer=None, learning_rate=1e200, epochs=5),
        "few": fit(shard=False, batch_size=1),
        "empty": message(network().fit, X[:0], T[:0], optimizer="Adam", comm=comm),
        "schedule": fit(learning_rate=_failing, epochs=3, batch_size=13),
        "in a step": _in_a_step(comm, odd),
    }
    found["good"] = fit(epochs=2)
    return found


def _failing(step):
    raise ArithmeticError("of the schedule")


def _in_a_step(comm, odd):
    """An error between two sums, of the last rank."""
    from fastnn.training import mpi

    share, calls = mpi.RankTrainer._share_of_gradient, []

    def failing(*args):
        calls.append(args)
        if odd and len(calls) == 3:
            raise MemoryError("in a step")
        return share(*args)

    mpi.RankTrainer._share_of_gradient = failing
    try:
        return message(network().fit, X, T, 0.001, epochs=9, batch_size=13, comm=comm, shard=True)
    finally:
        mpi.RankTrainer._share_of_gradient = share


def skipped(comm):
    """A step that is left out is left out on all ranks."""
    opt = fastnn.get_opt("SGD", eta=0.001, on_nonfinite="skip")
    nn, x = network(dtype="float32"), X.astype("float32")
    x[0] = 3e38
    history = nn.fit(
        x, T, optimizer=opt, epochs=2, batch_size=13, shuffle=False, comm=comm, shard=True
    )
    return [opt.steps, bool(np.isfinite(nn.parameters).all()), float(history.cost[-1])]


def more_threads(comm):
    """Threads that a training of steps of some milliseconds has begun, as callbacks see it."""
    nn, before, seen = network(hidden=6000), threading.active_count(), []
    x, t = np.tile(X, (20, 1)), np.tile(T, (20, 1))

    def hook(run):
        seen.append(threading.active_count() - before)

    nn.fit(x, t, 1e-9, epochs=2, callbacks=hook, comm=comm, shard=True)
    return seen


def document(folder):
    """What the program of the document prints, run in this folder."""
    text = (Path(__file__).parents[2] / "docs" / "mpi.md").read_text(encoding="utf-8")
    (program,) = re.findall(r"```py\n(.*?)```", text, re.DOTALL)
    with contextlib.chdir(folder), contextlib.redirect_stdout(io.StringIO()) as out:
        exec(program, {})
    return out.getvalue()


def several(comm, path):
    """Programs whose answers several tests look at."""
    found = {"callbacks": callbacks(comm, path), "rules": rules(comm, "Eve", "AMSGrad")}
    found["document"] = document(Path(path).parent)
    for program in (everything, own_rows, refused, skipped, more_threads):
        found[program.__name__] = program(comm)
    return found


def until_killed(comm, path):
    """Trains until one of the ranks is killed, and writes down what there is."""

    def note(run):
        if run.epoch == 2:
            print(json.dumps([comm.rank, "training"]), flush=True)

    hooks = [fastnn.callbacks.Checkpoint(path), note]
    import os

    print(json.dumps([comm.rank, os.getpid()]), flush=True)
    network().fit(X, T, 1e-6, epochs=10**7, batch_size=13, callbacks=hooks, comm=comm, shard=True)


def main():
    from mpi4py import MPI

    name, *arguments = sys.argv[1:]
    result = globals()[name](MPI.COMM_WORLD, *arguments)
    print(json.dumps([MPI.COMM_WORLD.rank, result]), flush=True)


if __name__ == "__main__":
    main()
