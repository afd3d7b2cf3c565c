"""Costs from the textbook: activation of the output, value, gradient; summed over all samples.

Functions of activities, targets and the cost's parameters; the last axis runs over the outputs.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from .activations.exponential import log_sigmoid, sigmoid
from .activations.softmax import log_softmax, softmax

Array = npt.NDArray[np.float64]


class Cost(NamedTuple):
    """A cost of logits and targets, summed over all samples."""

    activate: Callable[..., Array]
    value: Callable[..., float]
    delta: Callable[..., Array]

    def bound(self, **parameters: Any) -> Cost:
        """The cost with these parameters."""
        return Cost(
            partial(self.activate, **parameters),
            partial(self.value, **parameters),
            partial(self.delta, **parameters),
        )


def _elementwise(
    value: Callable[..., Array], delta: Callable[..., Array], activate: Callable[..., Array]
) -> Cost:
    """A cost of each output alone."""
    return Cost(
        lambda a, **_: activate(a),
        lambda a, t, **p: float(np.sum(value(a, t, **p))),
        lambda a, t, **p: np.asarray(delta(a, t, **p)),
    )


def _averaged(value: Callable[..., Array], delta: Callable[..., Array]) -> Cost:
    """The same over the outputs of a sample, divided by their number."""
    return _elementwise(
        lambda a, t: value(a, t) / np.shape(a)[-1],
        lambda a, t: delta(a, t) / np.shape(a)[-1],
        _identity,
    )


def _identity(a: Array) -> Array:
    return a


def _smoothed(t: Array, label_smoothing: float) -> Array:
    return t * (1 - label_smoothing) + label_smoothing / 2


def _sigmoid_entropy(a: Array, t: Array, label_smoothing: float = 0.0) -> Array:
    t = _smoothed(t, label_smoothing)
    return np.asarray(-(t * log_sigmoid(a) + (1.0 - t) * log_sigmoid(-a)))


def _sigmoid_entropy_delta(a: Array, t: Array, label_smoothing: float = 0.0) -> Array:
    return np.asarray(sigmoid(a) - _smoothed(t, label_smoothing))


def _soft(t: Array, label_smoothing: float, class_weight: Any) -> Array:
    t = np.asarray(t)
    t = t * (1 - label_smoothing) + label_smoothing / t.shape[-1]
    return t if class_weight is None else t * np.asarray(class_weight)


def _softmax_entropy(
    a: Array, t: Array, label_smoothing: float = 0.0, class_weight: Any = None
) -> float:
    return float(-np.sum(_soft(t, label_smoothing, class_weight) * log_softmax(a)))


def _softmax_entropy_delta(
    a: Array, t: Array, label_smoothing: float = 0.0, class_weight: Any = None
) -> Array:
    t = _soft(t, label_smoothing, class_weight)
    return np.asarray(softmax(a) * t.sum(axis=-1, keepdims=True) - t)


def _divergence(a: Array, t: Array) -> float:
    t = np.asarray(t, np.float64)
    positive = np.where(t > 0, t, 1.0)
    return float(np.sum(t * np.log(positive)) - np.sum(t * log_softmax(a)))


def _huber(a: Array, t: Array, delta: float = 1.0) -> Array:
    d = np.abs(a - t)
    return np.where(d <= delta, d**2 / 2, delta * (d - delta / 2))


def _huber_delta(a: Array, t: Array, delta: float = 1.0) -> Array:
    return np.clip(a - t, -delta, delta)


def _log_cosh(a: Array, t: Array) -> Array:
    d = np.abs(a - t)
    return np.asarray(d + np.log1p(np.exp(-2 * d)) - np.log(2))


def _pinball(a: Array, t: Array, q: float = 0.5) -> Array:
    return np.where(t >= a, q * (t - a), (1 - q) * (a - t))


def _pinball_delta(a: Array, t: Array, q: float = 0.5) -> Array:
    return np.where(t > a, -q, np.where(t < a, 1 - q, 0.0))


def _signs(t: Array) -> Array:
    return np.where(np.asarray(t) > 0, 1.0, -1.0)


def _margin(a: Array, t: Array) -> Array:
    return np.maximum(0.0, 1.0 - _signs(t) * a)


def _halves(a: Array) -> tuple[Array, Array]:
    count = np.shape(a)[-1] // 2
    return a[..., :count], a[..., count:]


def _gaussian_output(a: Array) -> Array:
    mean, log_variance = _halves(a)
    return np.concatenate([mean, np.exp(log_variance)], axis=-1)


def _gaussian(a: Array, t: Array) -> float:
    mean, log_variance = _halves(a)
    variance = np.exp(log_variance)
    return float(np.sum(0.5 * np.log(2 * np.pi * variance) + (t - mean) ** 2 / (2 * variance)))


def _gaussian_delta(a: Array, t: Array) -> Array:
    mean, log_variance = _halves(a)
    variance = np.exp(log_variance)
    by_log_variance = 0.5 - (t - mean) ** 2 / (2 * variance)
    return np.concatenate([(mean - t) / variance, by_log_variance], axis=-1)


def _cosine(a: Array, t: Array) -> float:
    return float(np.sum(1.0 - _cosines(a, t)[0]))


def _cosines(a: Array, t: Array) -> tuple[Array, Array, Array]:
    """Cosines, and both norms; 0 and norms of 1 where a vector is zero."""
    sizes = [np.linalg.norm(x, axis=-1) for x in (a, t)]
    zero = (sizes[0] == 0) | (sizes[1] == 0)
    first, second = (np.where(zero, 1.0, size) for size in sizes)
    return np.where(zero, 0.0, np.sum(a * t, axis=-1) / (first * second)), first, second


def _cosine_delta(a: Array, t: Array) -> Array:
    cosine, first, second = (x[..., np.newaxis] for x in _cosines(a, t))
    zero = ~np.any(a, axis=-1, keepdims=True) | ~np.any(t, axis=-1, keepdims=True)
    return np.where(zero, 0.0, cosine * a / first**2 - np.asarray(t) / (first * second))


def _parts(a: Array, components: int, targets: int) -> tuple[Array, Array, Array]:
    """Logits of the mixing coefficients, means and logarithms of widths."""
    means = a[..., components : components * (targets + 1)]
    shape = (*np.shape(a)[:-1], components, targets)
    return a[..., :components], means.reshape(shape), a[..., -components:]


def _log_shares(a: Array, t: Array, components: int, targets: int) -> Array:
    logits, means, log_widths = _parts(a, components, targets)
    distance = np.sum((np.asarray(t)[..., np.newaxis, :] - means) ** 2, axis=-1)
    width = np.exp(log_widths)
    constant = targets * np.log(np.sqrt(2 * np.pi) * width)
    return np.asarray(log_softmax(logits) - constant - distance / (2 * width**2))


def _mixture_output(a: Array, components: int = 3, targets: int = 1) -> Array:
    rest = a[..., components : components * (targets + 1)]
    return np.concatenate(
        [softmax(a[..., :components]), rest, np.exp(a[..., -components:])], axis=-1
    )


def _mixture(a: Array, t: Array, components: int = 3, targets: int = 1) -> float:
    return float(-np.sum(np.logaddexp.reduce(_log_shares(a, t, components, targets), axis=-1)))


def _mixture_delta(a: Array, t: Array, components: int = 3, targets: int = 1) -> Array:
    """Bishop (2006), eqs 5.154 to 5.157; the widths' is by their logarithms."""
    logits, means, log_widths = _parts(a, components, targets)
    share = softmax(_log_shares(a, t, components, targets))
    apart = means - np.asarray(t)[..., np.newaxis, :]
    variance = np.exp(2 * log_widths)
    by_means = (share / variance)[..., np.newaxis] * apart
    by_widths = share * (targets - np.sum(apart**2, axis=-1) / variance)
    parts = softmax(logits) - share, by_means.reshape(*np.shape(a)[:-1], -1), by_widths
    return np.concatenate(parts, axis=-1)


COSTS: dict[str, Cost] = {
    "SumSquaresError": _elementwise(lambda a, t: 0.5 * (a - t) ** 2, lambda a, t: a - t, _identity),
    "SigmoidCrossEntropy": _elementwise(_sigmoid_entropy, _sigmoid_entropy_delta, sigmoid),
    "SoftmaxCrossEntropy": Cost(
        lambda a, **_: softmax(a), _softmax_entropy, _softmax_entropy_delta
    ),
    "MeanSquaredError": _averaged(lambda a, t: (a - t) ** 2, lambda a, t: 2 * (a - t)),
    "MeanAbsoluteError": _averaged(lambda a, t: np.abs(a - t), lambda a, t: np.sign(a - t)),
    "Huber": _elementwise(_huber, _huber_delta, _identity),
    "LogCosh": _elementwise(_log_cosh, lambda a, t: np.tanh(a - t), _identity),
    "Quantile": _elementwise(_pinball, _pinball_delta, _identity),
    "Poisson": _elementwise(lambda a, t: np.exp(a) - t * a, lambda a, t: np.exp(a) - t, np.exp),
    "GaussianNLL": Cost(_gaussian_output, _gaussian, _gaussian_delta),
    "KLDivergence": Cost(softmax, _divergence, _softmax_entropy_delta),
    "Hinge": _elementwise(
        _margin, lambda a, t: np.where(_margin(a, t) > 0, -_signs(t), 0.0), _identity
    ),
    "SquaredHinge": _elementwise(
        lambda a, t: _margin(a, t) ** 2, lambda a, t: -2 * _signs(t) * _margin(a, t), _identity
    ),
    "CosineSimilarity": Cost(_identity, _cosine, _cosine_delta),
    "MixtureDensityError": Cost(_mixture_output, _mixture, _mixture_delta),
}
