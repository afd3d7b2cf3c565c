"""Predictive distributions: mixtures of normal distributions, of each target."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from .._core.arrays import Array
from ..kernels.codegen.compiler import imported
from ..losses import CostFunction, MixtureDensityError

__all__ = ["Mixture", "mixture_of", "together"]

_HALVINGS = 80  # of an interval: beyond the digits of a float64
_FAR = 40.0  # widths from a mean, beyond which nothing is left of a normal distribution


class Mixture(NamedTuple):
    """Weights (n, K), means (n, K, L) and standard deviations (n, K) or (n, K, L)."""

    weights: Array
    means: Array
    stds: Array

    @property
    def mean(self) -> Array:
        """Expectation, (n, L)."""
        return np.asarray((self.weights[..., np.newaxis] * self.means).sum(axis=1))

    @property
    def std(self) -> Array:
        """Standard deviation of each target, (n, L)."""
        apart = self.means - self.mean[:, np.newaxis]
        variance = (self.weights[..., np.newaxis] * (self.stds**2 + apart**2)).sum(axis=1)
        return np.asarray(np.sqrt(variance))

    def density(self, t: Array) -> Array:
        """p(t) of targets (n, L), (n,)."""
        z = (t[:, np.newaxis] - self.means) / self.stds
        log = -0.5 * z**2 - np.log(self.stds) - 0.5 * np.log(2 * np.pi)
        with np.errstate(divide="ignore"):
            log = np.log(self.weights) + log.sum(axis=-1)
        return np.asarray(np.exp(log).sum(axis=1))

    def quantile(self, q: float) -> Array:
        """Where the distribution function of each target is q, (n, L)."""
        special = imported("scipy.special")
        if self.means.shape[1] == 1:
            return np.asarray(self.means[:, 0] + special.ndtri(q) * self.stds[:, 0])
        low = (self.means - _FAR * self.stds).min(axis=1)
        high = (self.means + _FAR * self.stds).max(axis=1)
        for _ in range(_HALVINGS):
            middle = 0.5 * (low + high)
            z = (middle[:, np.newaxis] - self.means) / self.stds
            below = (self.weights[..., np.newaxis] * special.ndtr(z)).sum(axis=1) < q
            low, high = np.where(below, middle, low), np.where(below, high, middle)
        return np.asarray(0.5 * (low + high))


def mixture_of(cost: CostFunction, outputs: Array) -> Mixture | None:
    """What the outputs of a network say; None if its cost knows no distribution."""
    y, least = outputs.astype(np.float64), np.finfo(np.float64).tiny
    if isinstance(cost, MixtureDensityError):
        weights, means, stds = cost.split(y)
        stds = np.repeat(np.maximum(stds, least)[..., np.newaxis], cost.targets, axis=-1)
        return Mixture(weights, means, stds)
    if cost.spec.name == "GaussianNLL":
        means, variances = np.split(y, 2, axis=1)
        ones = np.ones((len(y), 1))
        stds = np.maximum(np.sqrt(variances), least)
        return Mixture(ones, means[:, np.newaxis], stds[:, np.newaxis])
    return None


def together(mixtures: Sequence[Mixture]) -> Mixture:
    """Of several networks, each as likely as the others."""
    parts: list[Any] = [np.concatenate(part, axis=1) for part in zip(*mixtures, strict=True)]
    return Mixture(parts[0] / len(mixtures), *parts[1:])
