"""Update rules from the papers, one step at a time, in float64."""

from __future__ import annotations

import math
from collections.abc import Mapping
from types import MappingProxyType, SimpleNamespace
from typing import Any

import numpy as np
import numpy.typing as npt

from . import descent, moments, santa, scaled
from .rule import Array, Rule

__all__ = ["DEFAULTS", "RULES", "ReferenceOptimizer"]

RULES: dict[str, Rule] = {
    "SGD": descent.sgd,
    "MSGD": descent.msgd,
    "NAG": descent.nag,
    "AdaGrad": scaled.adagrad,
    "RMSprop": scaled.rmsprop,
    "AdaDelta": scaled.adadelta,
    "Adam": moments.adam,
    "RMSpropGraves": scaled.graves,
    "SMORMS3": scaled.smorms3,
    "AdaMax": moments.adamax,
    "Nadam": moments.nadam,
    "Eve": moments.eve,
    "SantaE": santa.santa_e,
    "SantaSSS": santa.santa_sss,
    "AMSGrad": moments.amsgrad,
    "AdaBound": moments.adabound,
    "AMSBound": moments.amsbound,
    "AdamW": moments.adam,
    "NadamW": moments.nadamw,
    "RAdam": moments.radam,
    "Lion": descent.lion,
    "AdaBelief": moments.adabelief,
    "Rprop": descent.rprop,
}

_ADAM = {"alpha": 1e-3, "beta1": 0.9, "beta2": 0.999, "eps": 1e-8}
_INSIDE, _OUTSIDE = {"eps_placement": "inside"}, {"eps_placement": "outside"}
_BOUND = {"alpha": 1e-3, "eta": 0.1, "beta1": 0.9, "beta2": 0.999, "eps": 1e-8, "variant": "paper"}
_SANTA = {
    "eta": 1e-2, "sigma": 0.95, "lambda_": 1e-8, "anne_func": None, "anne_rate": 0.5,
    "burnin": 100, "C": 5, "N": 16,
}  # fmt: skip

# The articles' numbers, and the papers' for the rules that the article does not have; the learning
# rate first.
DEFAULTS: Mapping[str, Mapping[str, Any]] = MappingProxyType({
    "SGD": {"eta": 1e-2},
    "MSGD": {"eta": 1e-2, "mu": 0.9},
    "NAG": {"eta": 1e-2, "mu": 0.9},
    "AdaGrad": {"eta": 1e-3},
    "RMSprop": {"eta": 1e-2, "rho": 0.99, "eps": 1e-8, **_INSIDE},
    "AdaDelta": {"learning_rate": 1.0, "rho": 0.95, "eps": 1e-6},
    "Adam": {**_ADAM, **_INSIDE},
    "RMSpropGraves": {"eta": 1e-4, "rho": 0.95, "eps": 1e-4, "momentum": 0.0},
    "SMORMS3": {"eta": 1e-3, "eps": 1e-8},
    "AdaMax": {"alpha": 2e-3, "beta1": 0.9, "beta2": 0.999},
    "Nadam": {"alpha": 2e-3, "mu": 0.975, "nu": 0.999, "eps": 1e-8, **_INSIDE},
    "Eve": {"alpha": 1e-3, "beta1": 0.9, "beta2": 0.999, "beta3": 0.999, "c": 10, "eps": 1e-8,
            "fstar": 0},
    "SantaE": _SANTA,
    "SantaSSS": _SANTA,
    "AMSGrad": {**_ADAM, **_INSIDE},
    "AdaBound": _BOUND,
    "AMSBound": _BOUND,
    "AdamW": {**_ADAM, **_OUTSIDE, "weight_decay": 0.01},
    "NadamW": {**_ADAM, **_OUTSIDE, "weight_decay": 0.01},
    "RAdam": _ADAM,
    "Lion": {"alpha": 1e-4, "beta1": 0.9, "beta2": 0.99},
    "AdaBelief": {**_ADAM, "eps": 1e-16},
    "Rprop": {"eta": 1e-2, "eta_minus": 0.5, "eta_plus": 1.2, "step_min": 1e-6, "step_max": 50.0},
})  # fmt: skip


class ReferenceOptimizer:
    """The twin of a `fastnn.Optimizer`, on one vector.

    The gradient is scaled to the norm, clipped to the value, the parameters are decayed, then the
    rule takes its step.
    """

    def __init__(self, optimizer: Any) -> None:
        self.optimizer, self.state, self.t = optimizer, dict[str, Any](), 0

    @classmethod
    def named(cls, name: str, **hyper: Any) -> ReferenceOptimizer:
        """Of the rule alone, with its defaults where nothing else is given."""
        numbers = {**DEFAULTS[name], **hyper}
        rate, decay = numbers.pop(next(iter(DEFAULTS[name]))), numbers.pop("weight_decay", 0.0)
        clips = {clip: numbers.pop(clip, None) for clip in ("clip_norm", "clip_value")}
        rule, schedule = SimpleNamespace(name=name), lambda t: rate
        return cls(
            SimpleNamespace(
                rule=rule, schedule=schedule, hyper=numbers, weight_decay=decay, **clips
            )
        )

    def step(
        self, p: npt.ArrayLike, g: npt.ArrayLike, rate: float | None = None, **extra: Any
    ) -> Array:
        """The parameters after a step; `extra` goes to the rule."""
        opt = self.optimizer
        theta, grad = np.asarray(p, dtype=np.float64), np.asarray(g, dtype=np.float64)
        rate = float(opt.schedule(self.t)) if rate is None else rate
        self.t += 1
        if opt.clip_norm is not None:
            norm = math.hypot(*grad.ravel())  # which neither overflows nor vanishes on the way
            if norm > opt.clip_norm:
                grad = grad * (opt.clip_norm / norm)
        if opt.clip_value is not None:
            grad = np.clip(grad, -opt.clip_value, opt.clip_value)
        theta = theta - rate * opt.weight_decay * theta
        rule = RULES[opt.rule.name]
        return np.asarray(theta + rule(grad, self.state, self.t, rate, opt.hyper, **extra))
