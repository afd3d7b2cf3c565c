"""Update rules from the papers, one step at a time, in float64."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
Rule = Callable[[Array, Array, dict[str, Any], int, float, dict[str, Any]], Array]


def _sgd(
    p: Array, g: Array, state: dict[str, Any], t: int, rate: float, hyper: dict[str, Any]
) -> Array:
    return p - rate * g


def _adam(
    p: Array, g: Array, state: dict[str, Any], t: int, rate: float, hyper: dict[str, Any]
) -> Array:
    beta1, beta2, eps = hyper["beta1"], hyper["beta2"], hyper["eps"]
    state["m"] = beta1 * state.get("m", 0.0) + (1 - beta1) * g
    state["v"] = beta2 * state.get("v", 0.0) + (1 - beta2) * g**2
    if hyper["eps_placement"] == "inside":  # the article's form
        alpha_t = rate * np.sqrt(1 - beta2**t) / (1 - beta1**t)
        return np.asarray(p - alpha_t * state["m"] / np.sqrt(state["v"] + eps))
    m_hat, v_hat = state["m"] / (1 - beta1**t), state["v"] / (1 - beta2**t)
    return np.asarray(p - rate * m_hat / (np.sqrt(v_hat) + eps))


RULES: dict[str, Rule] = {"SGD": _sgd, "Adam": _adam, "AdamW": _adam}


class ReferenceOptimizer:
    """The twin of a `fastnn.Optimizer`, on one vector.

    The gradient is scaled to the norm, clipped to the value, the parameters are decayed, then the
    rule takes its step.
    """

    def __init__(self, optimizer: Any) -> None:
        self.optimizer, self.state, self.t = optimizer, dict[str, Any](), 0

    def step(self, p: npt.ArrayLike, g: npt.ArrayLike, rate: float | None = None) -> Array:
        """The parameters after a step."""
        opt = self.optimizer
        theta, grad = np.asarray(p, dtype=np.float64), np.asarray(g, dtype=np.float64)
        rate = float(opt.schedule(self.t)) if rate is None else rate
        self.t += 1
        norm = np.sqrt(np.sum(grad**2))
        if opt.clip_norm is not None and norm > opt.clip_norm:
            grad = grad * (opt.clip_norm / norm)
        if opt.clip_value is not None:
            grad = np.clip(grad, -opt.clip_value, opt.clip_value)
        theta = theta - rate * opt.weight_decay * theta
        return RULES[opt.rule.name](theta, grad, self.state, self.t, rate, opt.hyper)
