"""Rules that do not divide by the size of gradients: gradient descent, momentum, signs."""

from __future__ import annotations

from typing import Any

import numpy as np

from .rule import Array, Hyper, State


def sgd(g: Array, state: State, t: int, rate: float, hyper: Hyper, **extra: Any) -> Array:
    """Δ = −η g."""
    return -rate * g


def msgd(g: Array, state: State, t: int, rate: float, hyper: Hyper, **extra: Any) -> Array:
    """v ← µ v − (1 − µ) η g; Δ = v (Polyak, 1964)."""
    mu = hyper["mu"]
    state["v"] = mu * state.setdefault("v", np.zeros_like(g)) - (1 - mu) * rate * g
    return np.asarray(state["v"])


def nag(g: Array, state: State, t: int, rate: float, hyper: Hyper, **extra: Any) -> Array:
    """Of the point that looks ahead, φ = w + µ v: Δ = (1 + µ) v' − µ v (Nesterov, 1983).

    With w ← w + v', v' = µ v − (1 − µ) η ∇f(w + µ v); the gradient is that at φ.
    """
    before = state.setdefault("v", np.zeros_like(g))
    after = msgd(g, state, t, rate, hyper)
    return np.asarray((1 + hyper["mu"]) * after - hyper["mu"] * before)


def lion(g: Array, state: State, t: int, rate: float, hyper: Hyper, **extra: Any) -> Array:
    """Δ = −α sign(β1 m + (1 − β1) g); m ← β2 m + (1 − β2) g (Chen et al., arXiv:2302.06675)."""
    beta1, beta2 = hyper["beta1"], hyper["beta2"]
    before = state.setdefault("m", np.zeros_like(g))
    state["m"] = beta2 * before + (1 - beta2) * g
    return np.asarray(-rate * np.sign(beta1 * before + (1 - beta1) * g))


def rprop(g: Array, state: State, t: int, rate: float, hyper: Hyper, **extra: Any) -> Array:
    """Δ = −step sign(g), the step grows while signs agree (iRprop−, Igel and Hüsken, 2000).

    Where the sign has changed the step shrinks, the gradient counts as zero, and that is what is
    remembered. The learning rate is the step that everything begins with.
    """
    agreement = g * state.setdefault("previous", np.zeros_like(g))
    step = state.setdefault("step", np.full_like(g, rate))
    factor = np.select([agreement > 0, agreement < 0], [hyper["eta_plus"], hyper["eta_minus"]], 1.0)
    state["step"] = np.clip(step * factor, hyper["step_min"], hyper["step_max"])
    state["previous"] = np.where(agreement < 0, 0.0, g)
    return np.asarray(-state["step"] * np.sign(state["previous"]))
