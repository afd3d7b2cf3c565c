"""Adam and its family: a mean of gradients over the root of a mean of their squares."""

from __future__ import annotations

from typing import Any

import numpy as np

from .rule import Array, Hyper, State, largest, quotient, running_mean


def _moments(g: Array, state: State, hyper: Hyper) -> tuple[Array, Array]:
    """m ← β1 m + (1 − β1) g; v ← β2 v + (1 − β2) g²."""
    m = running_mean(state, "m", hyper["beta1"], g)
    return m, running_mean(state, "v", hyper["beta2"], g**2)


def adam(g: Array, state: State, t: int, rate: float, hyper: Hyper, **extra: Any) -> Array:
    """Δ = −α m̂ / (√v̂ + ε), m̂ = m / (1 − β1ᵗ), v̂ = v / (1 − β2ᵗ) (Kingma, Ba, arXiv:1412.6980).

    With ε inside, as in the article: −α √(1 − β2ᵗ) / (1 − β1ᵗ) · m / √(v + ε). Uncorrected, as
    Keras and scikit-learn: −α √(1 − β2ᵗ) / (1 − β1ᵗ) · m / (√v + ε).
    """
    m, v = _moments(g, state, hyper)
    first, second = 1 - hyper["beta1"] ** t, 1 - hyper["beta2"] ** t
    if hyper["eps_placement"] == "inside":
        return np.asarray(-rate * np.sqrt(second) / first * m / np.sqrt(v + hyper["eps"]))
    return np.asarray(-rate * (m / first) / _corrected_root(v, second, hyper))


def _corrected_root(v: Array, correction: float, hyper: Hyper) -> Array:
    """√(v / correction) + ε; or (√v + ε) / √correction."""
    eps = hyper["eps"]
    if hyper["eps_placement"] == "uncorrected":
        return np.asarray((np.sqrt(v) + eps) / np.sqrt(correction))
    return np.asarray(np.sqrt(v / correction) + eps)


def adamax(g: Array, state: State, t: int, rate: float, hyper: Hyper, **extra: Any) -> Array:
    """u ← max(β2 u, |g|); Δ = −α / (1 − β1ᵗ) · m / u (Kingma and Ba, arXiv:1412.6980, section 7).

    No step where all gradients were zero.
    """
    m = running_mean(state, "m", hyper["beta1"], g)
    u = np.maximum(hyper["beta2"] * state.setdefault("u", np.zeros_like(g)), np.abs(g))
    state["u"] = u
    return np.asarray(-rate / (1 - hyper["beta1"] ** t) * quotient(m, u))


def _look_ahead(g: Array, m: Array, mu: float, t: int) -> Array:
    """m̂ = µ m / (1 − µᵗ⁺¹) + (1 − µ) g / (1 − µᵗ)."""
    return np.asarray(mu * m / (1 - mu ** (t + 1)) + (1 - mu) * g / (1 - mu**t))


def nadam(g: Array, state: State, t: int, rate: float, hyper: Hyper, **extra: Any) -> Array:
    """Δ = −α m̂ / √(v̂ + ε), v̂ = ν v / (1 − νᵗ) (Dozat, 2016, with constant µ).

    With ε outside: −α m̂ / (√(v / (1 − νᵗ)) + ε), or as of Adam. m̂ looks a step ahead.
    """
    mu, nu = hyper["mu"], hyper["nu"]
    m, v = running_mean(state, "m", mu, g), running_mean(state, "v", nu, g**2)
    m_hat, second = _look_ahead(g, m, mu, t), 1 - nu**t
    if hyper["eps_placement"] == "inside":
        return np.asarray(-rate * m_hat / np.sqrt(nu * v / second + hyper["eps"]))
    return np.asarray(-rate * m_hat / _corrected_root(v, second, hyper))


def nadamw(g: Array, state: State, t: int, rate: float, hyper: Hyper, **extra: Any) -> Array:
    """Nadam under the names of Adam; the weight decay is not in the gradient."""
    names = {"mu": hyper["beta1"], "nu": hyper["beta2"], "eps": hyper["eps"]}
    return nadam(g, state, t, rate, {**names, "eps_placement": hyper["eps_placement"]})


def eve(g: Array, state: State, t: int, rate: float, hyper: Hyper, **extra: Any) -> Array:
    """Adam with steps divided by the relative change of the loss (arXiv:1611.01505, version 3).

    d = |f − f'| / (min(f, f') − f*) of this loss and the last, held within 1/c and c;
    d̃ ← β3 d̃ + (1 − β3) d, beginning from 1 in the first step; Δ = −α / d̃ · m̂ / (√v̂ + ε).
    """
    f: float | None = extra.get("f")
    if f is None and t > 1:
        raise ValueError("Eve needs the loss f from its second step on")
    last = state.get("f")
    state.setdefault("d", 1.0)
    if f is not None and last is not None and t > 1:
        c, above = hyper["c"], min(f, last) - hyper["fstar"]
        change = 0.0 if f == last else c if above == 0 else abs(f - last) / above
        state["d"] += (1 - hyper["beta3"]) * (min(max(change, 1 / c), c) - state["d"])
    state["f"] = f
    return adam(g, state, t, rate, {**hyper, "eps_placement": "outside"}) / float(state["d"])


def amsgrad(g: Array, state: State, t: int, rate: float, hyper: Hyper, **extra: Any) -> Array:
    """v̂ ← max(v̂, v); Δ = −α / √t · m / √(v̂ + ε) (Reddi et al., arXiv:1904.09237).

    With ε outside, as PyTorch: −α / (1 − β1ᵗ) · m / (√(v̂ / (1 − β2ᵗ)) + ε).
    """
    m, v = _moments(g, state, hyper)
    v_hat = largest(state, "vhat", v)
    if hyper["eps_placement"] == "inside":
        return np.asarray(-rate / np.sqrt(t) * m / np.sqrt(v_hat + hyper["eps"]))
    first, second = 1 - hyper["beta1"] ** t, 1 - hyper["beta2"] ** t
    return np.asarray(-rate / first * m / _corrected_root(v_hat, second, hyper))


def adabound(g: Array, state: State, t: int, rate: float, hyper: Hyper, **extra: Any) -> Array:
    """A step size within bounds that close in on η: `_bounded` (Luo et al., arXiv:1902.09843)."""
    m, v = _moments(g, state, hyper)
    return _bounded(m, v, t, rate, hyper)


def amsbound(g: Array, state: State, t: int, rate: float, hyper: Hyper, **extra: Any) -> Array:
    """AdaBound with v̂ ← max(v̂, v) for v."""
    m, v = _moments(g, state, hyper)
    return _bounded(m, largest(state, "vhat", v), t, rate, hyper)


def _bounded(m: Array, v: Array, t: int, rate: float, hyper: Hyper) -> Array:
    """Δ = −clip(α / √v, lower, upper) / √t · m, as in the article.

    With γ = 1 − β2, lower = η (1 − 1 / (γ t + 1)) and upper = η (1 + 1 / (γ t + ε)). The authors'
    package: −clip(α √(1 − β2ᵗ) / (1 − β1ᵗ) / (√v + ε), lower, η (1 + 1 / (γ t))) · m.
    """
    gamma, eta, eps = 1 - hyper["beta2"], hyper["eta"], hyper["eps"]
    lower = eta * (1 - 1 / (gamma * t + 1))
    if hyper["variant"] == "authors":
        bias = np.sqrt(1 - hyper["beta2"] ** t) / (1 - hyper["beta1"] ** t)
        size = rate * bias / (np.sqrt(v) + eps)
        return np.asarray(-np.clip(size, lower, eta * (1 + 1 / (gamma * t))) * m)
    with np.errstate(divide="ignore", invalid="ignore"):  # of an infinite one the bound is left
        size = np.clip(rate / np.sqrt(v), lower, eta * (1 + 1 / (gamma * t + eps)))
    return np.asarray(np.where(m == 0, 0.0, -size / np.sqrt(t) * m))


def radam(g: Array, state: State, t: int, rate: float, hyper: Hyper, **extra: Any) -> Array:
    """Adam that waits until the variance of its step is finite (Liu et al., arXiv:1908.03265).

    ρ∞ = 2 / (1 − β2) − 1, ρ = ρ∞ − 2 t β2ᵗ / (1 − β2ᵗ); for ρ > 5, as in the authors' code,
    Δ = −α r m̂ √(1 − β2ᵗ) / (√v + ε), r² = (ρ − 4)(ρ − 2) ρ∞ / ((ρ∞ − 4)(ρ∞ − 2) ρ), else −α m̂.
    """
    m, v = _moments(g, state, hyper)
    beta2 = hyper["beta2"]
    m_hat, second = m / (1 - hyper["beta1"] ** t), 1 - beta2**t
    most = 2 / (1 - beta2) - 1
    rho = most - 2 * t * beta2**t / second
    if rho <= 5:
        return np.asarray(-rate * m_hat)
    r = np.sqrt((rho - 4) * (rho - 2) * most / ((most - 4) * (most - 2) * rho))
    return np.asarray(-rate * r * m_hat * np.sqrt(second) / (np.sqrt(v) + hyper["eps"]))


def adabelief(g: Array, state: State, t: int, rate: float, hyper: Hyper, **extra: Any) -> Array:
    """By the deviation of the gradient from its mean (Zhuang et al., arXiv:2010.07468).

    s ← β2 s + (1 − β2) (g − m)² + ε; Δ = −α m̂ / (√(s / (1 − β2ᵗ)) + ε). As in the paper and in
    the authors' package, ε is added to the state and to its root.
    """
    m = running_mean(state, "m", hyper["beta1"], g)
    s = state["s"] = running_mean(state, "s", hyper["beta2"], (g - m) ** 2) + hyper["eps"]
    first, second = 1 - hyper["beta1"] ** t, 1 - hyper["beta2"] ** t
    return np.asarray(-rate * (m / first) / (np.sqrt(s / second) + hyper["eps"]))
