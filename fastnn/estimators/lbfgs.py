"""L-BFGS of an estimator: the network's, with scikit-learn's limits and callbacks."""

from __future__ import annotations

from typing import Any

from .._core.arrays import Array
from ..callbacks import Callback, Run
from ..history import History
from ..model.data import finite_samples, sample_weights, validation_pair
from ..model.evaluation import evaluate
from ..model.snapshot import Pinned, snapshot
from ..training.lbfgs import NAME, Block, Minimum, Objective, Options, descend
from .minibatches import EstimatorNetwork

__all__ = ["minimize"]


def minimize(
    network: EstimatorNetwork,
    X: Array,
    t: Array,
    weights: Array | None,
    hooks: list[Callback],
    validation_data: tuple[Any, ...] | None,
    iterations: int,
    options: Options,
) -> tuple[Minimum, float, bool]:
    """Minimize the cost of all samples; the network's parameters are then the best point found.

    Callbacks see iterations as epochs.

    Returns
    -------
    Minimum
    float
        The cost of these parameters.
    bool
        Whether a callback has ended it.

    Raises
    ------
    NotFiniteError
        If cost or gradient are not finite where the search begins.

    """
    now = snapshot(network)
    x, targets = finite_samples(now.layers, now.cost_function, X, t, network._data_names)
    each = sample_weights(weights, None, targets)
    validation = validation_pair(now.layers, now.cost_function, validation_data)
    objective = Objective(network, x, targets, each, Pinned(network, now, x, targets, each))
    run = Run(
        network, History(), epochs=iterations, steps_per_epoch=1, optimizer=NAME,
        learning_rate=float("nan"), training_cost=lambda: evaluate(now, x, targets, each),
    )  # fmt: skip

    def report(block: Block) -> bool:
        judged = None if validation is None else evaluate(now, *validation)
        run.history.extend(block.costs[1:], block.steps, block.seconds, judged)
        run._epoch += block.steps.size
        for hook in hooks:
            if run.epoch % hook.every == 0:
                hook.on_epoch(run)
        return run.stopping

    def until_due() -> int:
        due = [hook.every - run.epoch % hook.every for hook in hooks]
        return 1 if validation is not None else min(due, default=iterations)

    try:
        for hook in hooks:
            hook.on_begin(run)
        minimum = descend(objective, iterations, report, until_due, options)
    finally:
        for hook in hooks:
            hook.on_end(run)
    return minimum, evaluate(now, x, targets, each), run.stopping
