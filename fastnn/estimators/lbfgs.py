"""L-BFGS: SciPy's method, with scikit-learn's limits, on the compiled cost and gradient."""

from __future__ import annotations

import time
from typing import Any

import numpy as np

from .._core.arrays import Array
from ..callbacks import Callback, Run
from ..history import History
from ..kernels.codegen.compiler import imported
from ..model.data import finite_samples, sample_weights, validation_pair
from ..model.evaluation import evaluate
from ..model.snapshot import Pinned, snapshot
from ..training.lbfgs import Objective
from .minibatches import EstimatorNetwork

__all__ = ["minimize"]


def minimize(
    network: EstimatorNetwork,
    X: Array,
    t: Array,
    weights: Array | None,
    hooks: list[Callback],
    validation_data: tuple[Any, ...] | None,
    options: dict[str, Any],
) -> Any:
    """Minimize the cost of all samples; the network's parameters are then the best point found.

    options: SciPy's. Callbacks see iterations as epochs.

    Returns
    -------
    scipy.optimize.OptimizeResult

    Raises
    ------
    NotFiniteError
        If cost or gradient are not finite where the search begins.

    """
    now = snapshot(network)
    x, targets = finite_samples(now.layers, now.cost_function, X, t)
    each = sample_weights(weights, None, targets)
    validation = validation_pair(now.layers, now.cost_function, validation_data)
    objective = Objective(network, x, targets, each, Pinned(network, now, x, targets, each))
    run = Run(
        network, History(), epochs=options["maxiter"], steps_per_epoch=1, optimizer="L-BFGS",
        learning_rate=1.0, training_cost=lambda: evaluate(now, x, targets, each),
    )  # fmt: skip
    started = time.perf_counter()

    def after(intermediate_result: Any) -> None:
        nonlocal started
        objective.theta[...] = intermediate_result.x
        judged = None if validation is None else evaluate(now, *validation)
        seconds = time.perf_counter() - started
        run.history.extend(float(intermediate_result.fun), 1.0, seconds, judged)
        run._epoch += 1
        for hook in hooks:
            if run.epoch % hook.every == 0:
                hook.on_epoch(run)
        if run.stopping:
            raise StopIteration
        started = time.perf_counter()

    try:
        for hook in hooks:
            hook.on_begin(run)
        result = _search(objective, after if hooks else None, options)
    finally:
        for hook in hooks:
            hook.on_end(run)
    return result


def _search(objective: Objective, after: Any, options: dict[str, Any]) -> Any:
    """Search from the parameters as they are."""
    objective.start()
    # SciPy's vectors are short: threads of BLAS would only meet, and wait on a busy machine.
    with imported("threadpoolctl").threadpool_limits(1, user_api="blas"):
        result = imported("scipy.optimize").minimize(
            objective, objective.theta.astype(np.float64), jac=True, method="L-BFGS-B",
            callback=after, options=options,
        )  # fmt: skip
    objective.theta[...] = result.x
    return result
