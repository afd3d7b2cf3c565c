"""The constructor's parameters: what they may be, and what is made of them."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Sequence
from numbers import Integral, Real
from typing import Any

import numpy as np
import numpy.typing as npt

from ..activations import Activator
from ..callbacks import Callback
from ..layers import DenseLayer, LinearLayer
from ..losses import COSTS, LOSSES, CostFunction
from ..optimizers import Optimizer, get_opt
from ..schedules import Schedule
from .compat import Interval, Options, StrOptions

__all__ = [
    "CONSTRAINTS",
    "RATES",
    "hidden_sizes",
    "make_cost",
    "make_layers",
    "make_optimizer",
]

RATES = "constant", "invscaling", "adaptive"

_AT_LEAST_1 = Interval(Integral, 1, None, closed="left")
_AT_LEAST_0 = Interval(Real, 0, None, closed="left")
_ABOVE_0 = Interval(Real, 0, None, closed="neither")
_BELOW_1 = Interval(Real, 0, 1, closed="left")

CONSTRAINTS: dict[str, Any] = {
    "hidden_layer_sizes": ["array-like", _AT_LEAST_1],
    "activation": [str, Activator, "array-like"],
    "solver": [str, Optimizer],
    "alpha": [_AT_LEAST_0],
    "batch_size": [StrOptions({"auto"}), _AT_LEAST_1],
    "learning_rate": [StrOptions(set(RATES)), Schedule, callable],
    "learning_rate_init": [_ABOVE_0],
    "power_t": [_AT_LEAST_0],
    "max_iter": [_AT_LEAST_1],
    "shuffle": ["boolean"],
    "random_state": ["random_state"],
    "tol": [_AT_LEAST_0],
    "verbose": ["verbose"],
    "warm_start": ["boolean"],
    "momentum": [Interval(Real, 0, 1, closed="both")],
    "nesterovs_momentum": ["boolean"],
    "early_stopping": ["boolean"],
    "validation_fraction": [_BELOW_1],
    "beta_1": [_BELOW_1],
    "beta_2": [_BELOW_1],
    "epsilon": [_ABOVE_0],
    "n_iter_no_change": [_AT_LEAST_1, Options(Real, {np.inf})],
    "max_fun": [_AT_LEAST_1],
    "cost": [str, CostFunction, None],
    "dropout": [_BELOW_1, "array-like"],
    "dtype": [str, type, np.dtype, None],
    "callbacks": [Callback, callable, "array-like", None],
    "n_threads": [_AT_LEAST_1, None],
    "n_networks": [_AT_LEAST_1],
}
"""Of scikit-learn's parameters, and then of those beyond."""


def hidden_sizes(value: Any) -> list[int]:
    """Widths of the hidden layers."""
    sizes = list(value) if isinstance(value, Iterable) else [value]
    if np.any(np.array(sizes) <= 0):
        raise ValueError(f"hidden_layer_sizes must be > 0, got {sizes}.")
    return sizes


def make_cost(given: str | CostFunction, targets: int) -> CostFunction:
    """A cost of its own for an estimator: the mean over the samples.

    targets: columns, for a mixture density that is given by its name.
    """
    if isinstance(given, str):
        name = LOSSES.find(given).name
        more: dict[str, Any] = {"targets": targets} if name == "MixtureDensityError" else {}
        return COSTS[name](reduction="mean", **more)
    cost = copy.deepcopy(given)
    cost.reduction = "mean"
    return cost


def _each(name: str, value: Any, layers: int) -> list[Any]:
    """One value for each hidden layer."""
    if isinstance(value, str) or not isinstance(value, (Sequence, np.ndarray)):
        return [value] * layers
    if len(value) != layers:
        raise ValueError(
            f"{name} has {len(value)} entries, expected one for each of the {layers} hidden layers"
        )
    return list(value)


def make_layers(
    sizes: Sequence[int], activation: Any, dropout: Any, l2: float, dtype: npt.DTypeLike
) -> list[DenseLayer]:
    """Layers of weights zero; sizes: of the samples, of the hidden layers, of the output."""
    hidden = len(sizes) - 2
    acts, drops = _each("activation", activation, hidden), _each("dropout", dropout, hidden)
    layers = [
        DenseLayer(n, m, activation=act, dropout=drop, init="zeros", l2=l2, dtype=dtype)
        for n, m, act, drop in zip(sizes[:-2], sizes[1:-1], acts, drops, strict=True)
    ]
    return [*layers, LinearLayer(*sizes[-2:], init="zeros", l2=l2, dtype=dtype)]


def make_optimizer(estimator: Any) -> tuple[Optimizer, dict[str, Any]]:
    """What the solver is, and what `Minibatches` must know of it; learning rates are as given."""
    solver, rate = estimator.solver, estimator.learning_rate
    rate = estimator.learning_rate_init if isinstance(rate, str) else rate
    if solver == "sgd":
        # Below 1, by a rounding: the rules have (1 - mu) times the learning rate.
        mu = float(min(estimator.momentum, np.nextafter(1.0, 0.0)))
        rule = "NAG" if estimator.nesterovs_momentum else "MSGD"
        return get_opt(rule, learning_rate=rate, mu=mu), {"rate_scale": 1.0 / (1.0 - mu)}
    if solver == "adam":
        numbers = {"beta1": estimator.beta_1, "beta2": estimator.beta_2, "eps": estimator.epsilon}
        return get_opt("Adam", learning_rate=rate, eps_placement="uncorrected", **numbers), {}
    if isinstance(solver, str):
        return get_opt(solver, learning_rate=rate), {}
    optimizer: Optimizer = copy.deepcopy(solver)
    optimizer.reset()
    if not isinstance(estimator.learning_rate, str):
        optimizer.learning_rate = rate
    return optimizer, {}
