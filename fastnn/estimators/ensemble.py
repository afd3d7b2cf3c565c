"""Several networks of one estimator, each from other initial weights: their mean and spread."""

from __future__ import annotations

from typing import Any

import numpy as np

from .._core.arrays import Array
from ..training.many import predict_many
from .compat import check_random_state, clone

__all__ = ["is_meant", "members", "members_to_fit", "outputs_of_all", "show"]


def is_meant(estimator: Any) -> bool:
    """Whether the estimator is to have several networks."""
    return bool(estimator.n_networks > 1)


def members(estimator: Any) -> list[Any]:
    """The trained estimators of one network each; the estimator itself, if it has one network."""
    return list(getattr(estimator, "estimators_", None) or [estimator])


def members_to_fit(estimator: Any, incremental: bool) -> list[Any]:
    """Those there are, if their training goes on, or new ones, with the estimator's parameters."""
    found = getattr(estimator, "estimators_", [])
    if (incremental or estimator.warm_start) and len(found) == estimator.n_networks:
        given = estimator.get_params(deep=False)
        del given["random_state"], given["n_networks"]
        return [member.set_params(**given) for member in found]
    random = check_random_state(estimator.random_state)
    seeds = random.randint(np.iinfo(np.int32).max, size=estimator.n_networks).tolist()
    return [clone(estimator).set_params(n_networks=1, random_state=seed) for seed in seeds]


def show(estimator: Any, found: list[Any]) -> Any:
    """Give the estimator its trained networks; its attributes are then those of the first."""
    first = vars(found[0])
    parameters = estimator.get_params(deep=False)
    for name in [name for name in vars(estimator) if name.endswith("_")]:
        delattr(estimator, name)
    vars(estimator).update({k: v for k, v in first.items() if k not in parameters})
    estimator.estimators_ = found
    return estimator


def outputs_of_all(estimator: Any, X: Any) -> Array:
    """Outputs of each network for checked samples, (networks, n_samples, width)."""
    return predict_many([member._ready() for member in members(estimator)], X)
