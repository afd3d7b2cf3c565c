"""Santa: Langevin dynamics that cool down, then descend (Chen et al., 2016, arXiv:1512.07962).

`noise` is the step's standard normals; the state u must be there from the start, √η times standard
normals.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .rule import Array, Hyper, State


def santa_e(g: Array, state: State, t: int, rate: float, hyper: Hyper, **extra: Any) -> Array:
    """Algorithm of Euler's scheme: Δ = γ' u', with γ = 1 / √(λ + √v).

    Until burnin α ← α + u² − η/β and u' = η/β (1 − γ/γ') / u + √(2 η/β γ) noise, later 0; then
    u' ← u' + (1 − α) u − η γ' g.
    """
    u, last = state["u"], state.setdefault("g", np.zeros_like(g))
    gamma, heat = _preconditioner(g, state, rate, hyper), rate / _annealing(t, hyper)
    push = np.zeros_like(g)
    if t < hyper["burnin"]:
        state["alpha"] = state["alpha"] + u**2 - heat
        push = heat * (1 - last / gamma) / u + np.sqrt(2 * heat * last) * extra["noise"]
    state["u"] = push + (1 - state["alpha"]) * u - rate * gamma * g
    state["g"] = gamma
    return np.asarray(gamma * state["u"])


def santa_sss(g: Array, state: State, t: int, rate: float, hyper: Hyper, **extra: Any) -> Array:
    """Algorithm of the symmetric splitting scheme: Δ = γ' (u + u') / 2, two half steps.

    The friction e^(−α/2) acts before and after the push −η γ' g; until burnin that has the noise
    and the correction of `santa_e`, and α moves by (u² − η/β) / 2 before and after.
    """
    u, last = state["u"], state.setdefault("g", np.zeros_like(g))
    gamma, heat = _preconditioner(g, state, rate, hyper), rate / _annealing(t, hyper)
    push, exploring = -rate * gamma * g, t < hyper["burnin"]
    if exploring:
        state["alpha"] = state["alpha"] + (u**2 - heat) / 2
        push = push + np.sqrt(2 * heat * last) * extra["noise"] + heat * (1 - last / gamma) / u
    friction = np.exp(-state["alpha"] / 2)
    after = friction * (friction * u + push)
    if exploring:
        state["alpha"] = state["alpha"] + (after**2 - heat) / 2
    state["u"], state["g"] = after, gamma
    return np.asarray(gamma * (u + after) / 2)


def _preconditioner(g: Array, state: State, rate: float, hyper: Hyper) -> Array:
    """v ← σ v + (1 − σ) g² / N²; γ = 1 / √(λ + √v). The friction α begins as C √η."""
    state.setdefault("alpha", np.full_like(g, hyper["C"] * np.sqrt(rate)))
    sigma, before = hyper["sigma"], state.setdefault("v", np.zeros_like(g))
    state["v"] = sigma * before + (1 - sigma) / hyper["N"] ** 2 * g**2
    return np.asarray(1 / np.sqrt(hyper["lambda_"] + np.sqrt(state["v"])))


def _annealing(t: int, hyper: Hyper) -> float:
    """The inverse temperature β, which grows without bound."""
    function, exponent = hyper["anne_func"], hyper["anne_rate"]
    return float(t**exponent if function is None else function(t, exponent))
