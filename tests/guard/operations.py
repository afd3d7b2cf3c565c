"""What users call, whole: the kernels put together, whose parts `table` has."""

from dataclasses import replace
from functools import partial
from itertools import pairwise

import numpy as np

import fastnn
from fastnn import kernels
from fastnn.bench.networks import ours
from fastnn.bench.networks.tasks import TASKS, Training

__all__ = ["operations"]

_MOST = 500_000  # parameters: a step of a larger network would take Valgrind a minute
_WORK = 5e7  # multiplications and additions of the epochs that the longer training has more
_NUMBERS = 20_000


def operations(dtype, names=()):
    """Rows of name, function, arguments of a short and of a long call, things that it does more.

    Of all, or of those of `names`; what they compile is compiled here.
    """
    if dtype != "float32":
        return []
    makers = {
        f"training {task.name}": partial(_training, task) for task in TASKS.values() if _fits(task)
    }
    makers |= {"prediction": _prediction, "Adam clipped": _step}
    for name, shape in (("tanh", ()), ("softmax", (10,)), ("softmax", (1000,))):
        makers[" of ".join(["ufunc " + name, *map(str, shape)])] = partial(_ufunc, name, shape)
    return [(name, *make()) for name, make in makers.items() if name in (names or makers)]


def _weights(task):
    return sum(n * m for n, m in pairwise(task.sizes))


def _fits(task):
    return isinstance(task, Training) and task.networks == 1 and _weights(task) <= _MOST


def _training(task):
    batches = 1 if task.batch * task.sizes[0] > _NUMBERS else 4
    # So many that what Python does in a call, which is never quite the same, is little beside them.
    more = max(1, int(_WORK / (3 * _weights(task) * task.batch * batches)))
    few = [replace(task, dtype="float32", batches=batches, epochs=k) for k in (1, 1 + more)]
    trainers = [ours.competitor(one, n_threads=1) for one in few]
    for trainer in trainers:
        trainer.start()
    short, long = ((trainer.run,) for trainer in trainers)
    return lambda run: run(), short, long, task.batch * batches * more


def _prediction():
    task = TASKS["predict-batch"]
    layers = [
        fastnn.DenseLayer(n, m, activation=task.activation, dtype="float32", rng=0)
        for n, m in pairwise(task.sizes)
    ]
    network = fastnn.NeuralNetwork(layers, fastnn.SumSquaresError())
    x = np.zeros((2048, task.sizes[0]), "float32")
    return network.predict, (x[:1024],), (x,), 1024


def _step():
    pairs = [
        (fastnn.get_opt("Adam", clip_norm=1.0), *(np.full(size, 0.1, "float32") for _ in range(2)))
        for size in (_NUMBERS, 4 * _NUMBERS)
    ]
    return lambda opt, p, g: opt.step(p, g), *pairs, 3 * _NUMBERS


def _ufunc(name, shape):
    ufunc, calls = getattr(kernels, name), []
    for size in (_NUMBERS, 4 * _NUMBERS):
        x = np.full((size // 1000 * 1000,), 0.5, "float32").reshape(-1, *shape)
        calls.append((x, np.empty_like(x)))
    return lambda x, out: ufunc(x, out=out), *calls, 3 * _NUMBERS
