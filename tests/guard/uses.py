"""What calls take beside time: kernels that must be compiled, and memory.

    python -m guard.uses kernels | memory

in a process of its own, which begins with nothing; numba counts with ``NUMBA_NRT_STATS=1``.
"""

import gc
import itertools
import json
import sys
import tracemalloc

import numpy as np
from numba.core.runtime import rtsys

import fastnn
from fastnn import warmup
from fastnn.activations import ACTIVATIONS
from fastnn.losses import COSTS
from fastnn.optimizers import RULES

SIZE = 10_000  # numbers; fewer than threads would share


def kernels():
    """How many kernels each of these needs that those before did not."""
    found, rng = {}, np.random.default_rng(0)
    X, t = (rng.normal(size=(50, n)).astype("float32") for n in (3, 2))

    def network(*sizes, kind=fastnn.TanhLayer):
        layers = [kind(n, m, dtype="float32", rng=rng) for n, m in itertools.pairwise(sizes)]
        return fastnn.NeuralNetwork(layers, fastnn.SumSquaresError())

    def fit(*sizes, **options):
        options = {"learning_rate": 1e-3, "n_threads": 1, **options}
        network(*sizes).fit(X, t, **options)

    def each_activation():
        for name, spec in ACTIVATIONS.items():
            if not spec.kind:
                fastnn.get_act(name).forward(X)

    def each_cost():
        for kind in COSTS.values():
            cost = kind()
            columns = getattr(cost, "targets", 3)
            outputs = rng.normal(size=(50, cost.outputs_for(columns)))
            cost.delta(outputs, np.eye(columns)[rng.integers(columns, size=50)])

    def each_rule():
        for name in RULES:
            fastnn.get_opt(name).step(X.copy(), X, f=1.0)

    uses = {
        "the import": lambda: None,
        "a first training": lambda: fit(3, 4, 2),
        "another depth and width": lambda: fit(3, 9, 8, 7, 2),
        "another batch size, rate and length": lambda: fit(3, 4, 2, batch_size=7, epochs=3),
        "another rule": lambda: fit(3, 4, 2, optimizer="Adam"),
        "a first training by L-BFGS": lambda: fit(3, 4, 2, learning_rate=None, optimizer="L-BFGS"),
        "a first prediction": lambda: network(3, 4, 2).predict(X),
        "a first step of an optimizer": lambda: fastnn.get_opt("Adam").step(X.copy(), X),
        "forward of every activation": each_activation,
        "the same again": each_activation,
        "gradient of every cost": each_cost,
        "a step of every rule": each_rule,
    }
    before = 0
    for name, use in uses.items():
        use()
        now = sum(warmup.counts())
        found[name], before = now - before, now
    return found


def memory():
    """Bytes that Python takes at most during a third call, and what numba allocates meanwhile.

    Each array that Python hands to compiled code is an allocation of numba's: a handle.
    """
    x, g, y = (np.full(SIZE, value, "float32") for value in (0.5, 1e-3, 0.0))
    layers = [
        kind(n, m, dtype="float32", rng=0)
        for kind, n, m in ((fastnn.TanhLayer, 10, 8), (fastnn.LinearLayer, 8, 2))
    ]
    network = fastnn.NeuralNetwork(layers, fastnn.SumSquaresError())
    X, t, outputs = x.reshape(-1, 10), *np.full((2, SIZE // 10, 2), 0.5, "float32")
    calls = {}
    for name in ("tanh", "leaky-ReLU", "softmax"):  # without and with parameters; along an axis
        act = fastnn.get_act(name)
        calls[f"{name} forward"] = lambda act=act: act.forward(X, out=y.reshape(X.shape))
        calls[f"{name} backward"] = lambda act=act: act.backward(X, out=y.reshape(X.shape))
        calls[f"{name} vjp"] = lambda act=act: act.vjp(X, X, out=y.reshape(X.shape))
    for name in RULES:
        for more in ({}, {"clip_norm": 1e-3, "weight_decay": 1e-3}):
            opt, p = fastnn.get_opt(name, learning_rate=1e-6, **more), x.copy()
            calls[f"{name} step{' clipped' * bool(more)}"] = lambda opt=opt, p=p: opt.step(
                p, g, f=1.0
            )
        opt = fastnn.get_opt(name, learning_rate=1e-6)
        parts = [[*array.reshape(10, -1)] for array in (x.copy(), g)]
        calls[f"{name} step of many arrays"] = lambda opt=opt, parts=parts: opt.step(*parts, f=1.0)
    calls["prediction"] = lambda: network.predict(X[:32], out=outputs[:32])
    for epochs in (1, 100):
        calls[f"training of {epochs} epochs"] = lambda epochs=epochs: network.fit(
            X, t, 1e-9, batch_size=100, epochs=epochs, n_threads=1
        )
    return {name: _memory_of(call) for name, call in calls.items()}


def _memory_of(call):
    call()
    call()
    gc.collect()
    before = rtsys.get_allocation_stats()
    tracemalloc.start()
    call()
    python = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    after = rtsys.get_allocation_stats()
    return python, after.alloc - before.alloc


if __name__ == "__main__":
    print(json.dumps({"kernels": kernels, "memory": memory}[sys.argv[1]]()))
