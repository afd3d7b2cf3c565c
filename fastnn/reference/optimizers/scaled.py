"""Rules that divide the gradient by the root of a mean of its squares."""

from __future__ import annotations

from typing import Any

import numpy as np

from .rule import Array, Hyper, State, quotient, running_mean


def adagrad(g: Array, state: State, t: int, rate: float, hyper: Hyper, **extra: Any) -> Array:
    """s ← s + g²; Δ = −η g / √s (Duchi et al., 2011); no step where all gradients were zero."""
    state["s"] = state.setdefault("s", np.zeros_like(g)) + g**2
    return -rate * quotient(g, np.sqrt(state["s"]))


def rmsprop(g: Array, state: State, t: int, rate: float, hyper: Hyper, **extra: Any) -> Array:
    """v ← ρ v + (1 − ρ) g²; Δ = −η g / √(v + ε), or −η g / (√v + ε) (Tieleman, Hinton, 2012)."""
    v = running_mean(state, "v", hyper["rho"], g**2)
    if hyper["eps_placement"] == "inside":
        return np.asarray(-rate * g / np.sqrt(v + hyper["eps"]))
    return np.asarray(-rate * g / (np.sqrt(v) + hyper["eps"]))


def adadelta(g: Array, state: State, t: int, rate: float, hyper: Hyper, **extra: Any) -> Array:
    """Steps as large as the steps so far (Zeiler, arXiv:1212.5701).

    v ← ρ v + (1 − ρ) g²; δ = −g √(u + ε) / √(v + ε); u ← ρ u + (1 − ρ) δ²; Δ = rate δ.
    """
    rho, eps = hyper["rho"], hyper["eps"]
    v, u = running_mean(state, "v", rho, g**2), state.setdefault("u", np.zeros_like(g))
    delta = -g * np.sqrt(u + eps) / np.sqrt(v + eps)
    running_mean(state, "u", rho, delta**2)
    return np.asarray(rate * delta)


def graves(g: Array, state: State, t: int, rate: float, hyper: Hyper, **extra: Any) -> Array:
    """By the deviation from the mean (Graves, arXiv:1308.0850, equations 38 to 45).

    m ← ρ m + (1 − ρ) g; v ← ρ v + (1 − ρ) g²; d ← momentum d − η g / √(v − m² + ε); Δ = d.
    """
    m = running_mean(state, "m", hyper["rho"], g)
    v = running_mean(state, "v", hyper["rho"], g**2)
    before = state.setdefault("d", np.zeros_like(g))
    state["d"] = hyper["momentum"] * before - rate * g / np.sqrt(v - m**2 + hyper["eps"])
    return np.asarray(state["d"])


def smorms3(g: Array, state: State, t: int, rate: float, hyper: Hyper, **extra: Any) -> Array:
    """Squared mean over mean squared, to the root of the third (Funk, 2015).

    r = 1 / (1 + s); m ← (1 − r) m + r g; v ← (1 − r) v + r g²; ζ = m² / (v + ε);
    Δ = −g min(η, ζ) / √(v + ε); s ← 1 + (1 − ζ) s, beginning from 1.

    The article takes r for the weight of the past, 1 − r for that of the gradient.
    """
    s = state.setdefault("s", np.ones_like(g))
    r = 1 / (1 + s)
    m = state["m"] = (1 - r) * state.setdefault("m", np.zeros_like(g)) + r * g
    v = state["v"] = (1 - r) * state.setdefault("v", np.zeros_like(g)) + r * g**2
    zeta = m**2 / (v + hyper["eps"])
    state["s"] = 1 + (1 - zeta) * s
    return np.asarray(-g * np.minimum(rate, zeta) / np.sqrt(v + hyper["eps"]))
