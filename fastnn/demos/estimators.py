"""The estimator beside scikit-learn's of the same name, on the same data in the same run."""

from __future__ import annotations

import statistics
import time
import warnings
from typing import Any, NamedTuple

import numpy as np
from threadpoolctl import threadpool_limits

from ..bench.results import Ratio
from .tasks import Task

__all__ = ["Contest", "contest", "report"]

_EPOCHS, _BATCH, _ROUNDS = 60, 200, 5


class Contest(NamedTuple):
    """Seconds of a training, medians of several rounds in turn; and held-out accuracies."""

    seconds: tuple[float, float]
    accuracies: tuple[float, float]
    ratio: Ratio
    epochs: int
    rounds: int


def contest(task: Task) -> Contest:
    """Train both classifiers with the same parameters, in turn, on one thread."""
    from sklearn.neural_network import MLPClassifier as Theirs

    from ..estimators import MLPClassifier as Ours

    assert task.held_out is not None
    dtype, hidden = task.network.dtype, task.network.layers[0].dim_output
    given: dict[str, Any] = {
        "hidden_layer_sizes": (hidden,), "batch_size": _BATCH, "max_iter": _EPOCHS,
        "n_iter_no_change": _EPOCHS, "random_state": 0,
    }  # fmt: skip
    models: tuple[Any, Any] = Ours(**given, n_threads=1), Theirs(**given)
    (X, t), (held, truth) = (task.X, task.t), task.held_out
    X, held, labels, truth = X.astype(dtype), held.astype(dtype), t.argmax(1), truth.argmax(1)
    times: tuple[list[float], list[float]] = ([], [])
    with threadpool_limits(limits=1), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that there might be more epochs
        models[0].fit(X, labels)  # compiled, or loaded from the cache
        for _ in range(_ROUNDS):
            for model, seconds in zip(models, times, strict=True):
                start = time.perf_counter()
                model.fit(X, labels)
                seconds.append(time.perf_counter() - start)
    ours, theirs = (float(np.mean(model.predict(held) == truth)) for model in models)
    own, other = map(statistics.median, times)
    return Contest((own, other), (ours, theirs), Ratio.of(*times), _EPOCHS, _ROUNDS)


def report(found: Contest) -> str:
    """What was measured, in lines."""
    (own, other), (ours, theirs) = found.seconds, found.accuracies
    return (
        f"  estimator  {found.ratio} times as fast as scikit-learn's MLPClassifier: {own:.3f} s "
        f"against {other:.3f} s\n"
        f"             for {found.epochs} epochs of Adam in batches of {_BATCH}; held-out accuracy "
        f"{ours:.4f} and {theirs:.4f}\n"
        f"             medians of {found.rounds} rounds in turn with the same parameters, threads=1"
    )
