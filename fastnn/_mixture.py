"""The mixture density network's cost, and what its outputs say of the targets."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from ._arrays import Array, convert
from ._cost import CostFunction, Reduction

__all__ = ["MixtureDensityError"]

_ASCENT = 500  # steps at most; near a mode the distance falls by a factor each
_LOG_2_PI = 1.8378770664093453


class MixtureDensityError(CostFunction):
    r"""Negative log likelihood of a mixture of isotropic Gaussians whose numbers a network gives.

    .. math:: E = -\sum_n \log \sum_k \pi_k(x_n)\, N(t_n \mid \mu_k(x_n), \sigma_k^2(x_n) I)

    With K components and L targets a network has K + K L + K outputs: the logits of the mixing
    coefficients, the means, component by component, and the logarithms of the widths. `activate`
    makes mixing coefficients, means and widths of them, in the same columns, and `split` arrays.
    The sum is shifted by its largest term, so the cost is finite for data far away from all means
    and for any width: what is in range is found, and what is not is infinite, never NaN.

    Parameters
    ----------
    reduction : "sum", "mean" or "none"
    components : int, default 3
        K.
    targets : int, default 1
        L, columns of the targets.

    Notes
    -----
    A component on top of a single sample may become as narrow as it likes: the likelihood has no
    largest value. Weight decay, or fewer steps, keep widths apart from zero.

    References
    ----------
    Bishop, *Pattern Recognition and Machine Learning* (2006), section 5.6, eqs 5.148 to 5.160;
    Bishop, Mixture density networks, 1994. Neither PyTorch nor Keras has it; TensorFlow
    Probability has it as a distribution.

    Examples
    --------
    >>> cost = MixtureDensityError(components=2)
    >>> cost.outputs_for(1)
    6
    >>> y = cost.activate([[0.0, 0.0, -1.0, 1.0, 0.0, 0.0]])
    >>> mixing, means, widths = cost.split(y)
    >>> mixing, means[..., 0], widths
    (array([[0.5, 0.5]]), array([[-1.,  1.]]), array([[1., 1.]]))
    >>> cost.density(y, [[0.0]]).round(4), cost.mean(y)
    (array([0.242]), array([[0.]]))

    """

    def __init__(
        self, reduction: Reduction | None = None, *, components: int = 3, targets: int = 1
    ) -> None:
        super().__init__(reduction, components=components, targets=targets)

    @property
    def components(self) -> int:
        """K."""
        return int(self._parameters["components"])

    @property
    def targets(self) -> int:
        """L."""
        return int(self._parameters["targets"])

    def outputs_for(self, targets: int) -> int:
        """Outputs that a network needs: K (L + 2)."""
        if targets != self.targets:
            raise ValueError(f"{self!r} has {self.targets} targets, not {targets}")
        return self.components * (targets + 2)

    def targets_for(self, outputs: int) -> int:
        """Columns of the targets of a network with so many outputs."""
        expected = self.outputs_for(self.targets)
        if outputs != expected:
            raise ValueError(
                f"MixtureDensityError(components={self.components}, targets={self.targets}) needs "
                f"{expected} outputs, not {outputs}"
            )
        return self.targets

    def split(self, outputs: npt.ArrayLike) -> tuple[Array, Array, Array]:
        """Mixing coefficients (…, K), means (…, K, L) and widths (…, K).

        Of outputs of the network, or of `activate`; of activities these are logits, means and
        logarithms of widths.
        """
        y = convert("outputs", outputs)
        if not y.ndim:
            raise ValueError("outputs is a number, expected an array of at least one dimension")
        self.targets_for(y.shape[-1])
        k = self.components
        means = y[..., k:-k].reshape(*y.shape[:-1], k, self.targets)
        return y[..., :k], means, y[..., -k:]

    def density(self, outputs: npt.ArrayLike, t: npt.ArrayLike) -> Array:
        """p(t | x), for the outputs of samples x (…, K (L + 2)) and targets t (…, L), broadcast."""
        mixing, means, widths = self.split(outputs)
        points = self._points(t, mixing.dtype)
        return np.exp(_log_sum(_log_shares(mixing, means, widths, points)))

    def mean(self, outputs: npt.ArrayLike) -> Array:
        """E[t | x], (…, L): Bishop (2006), eq. 5.158."""
        mixing, means, _ = self.split(outputs)
        return np.asarray((mixing[..., np.newaxis] * means).sum(axis=-2))

    def variance(self, outputs: npt.ArrayLike) -> Array:
        """E[|t - E[t | x]|² | x], (…): Bishop (2006), eq. 5.160, of L targets."""
        mixing, means, widths = self.split(outputs)
        apart = ((means - self.mean(outputs)[..., np.newaxis, :]) ** 2).sum(axis=-1)
        return np.asarray((mixing * (self.targets * widths**2 + apart)).sum(axis=-1))

    def modes(self, outputs: npt.ArrayLike) -> Array:
        """Maxima of p(t | x), (…, K, L): where the way up from each mean ends; some may be equal.

        Each step goes to the mean of the component means, weighted by their shares over their
        variances (Carreira-Perpiñán 2000).
        """
        mixing, means, widths = self.split(outputs)
        shape = (*mixing.shape[:-1], 1, mixing.shape[-1])
        several = mixing.reshape(shape), means[..., np.newaxis, :, :], widths.reshape(shape)
        precision = 1.0 / widths.reshape(shape) ** 2
        t = means.copy()
        close = 4 * np.finfo(t.dtype).eps
        for _ in range(_ASCENT):
            shares = _log_shares(*several, t)
            shares = precision * np.exp(shares - shares.max(axis=-1, keepdims=True))
            shares /= shares.sum(axis=-1, keepdims=True)
            following = (shares[..., np.newaxis] * several[1]).sum(axis=-2)
            moved = np.abs(following - t).max(initial=0.0)
            t = following
            if not moved > close * np.abs(t).max(initial=0.0):
                break
        return t

    def mode(self, outputs: npt.ArrayLike) -> Array:
        """The most probable t of each sample, (…, L)."""
        found = self.modes(outputs)
        y = convert("outputs", outputs)[..., np.newaxis, :]
        best = self.density(y, found).argmax(axis=-1)
        return np.take_along_axis(found, best[..., np.newaxis, np.newaxis], axis=-2)[..., 0, :]

    def _points(self, t: npt.ArrayLike, dtype: np.dtype[Any]) -> Array:
        points = convert("t", t, dtype)
        if not points.ndim or points.shape[-1] != self.targets:
            raise ValueError(f"t has shape {points.shape}, expected (…, {self.targets})")
        return points


def _log_shares(mixing: Array, means: Array, widths: Array, t: Array) -> Array:
    """log(π N(t | μ, σ² I)) of each component, (…, K)."""
    count = means.shape[-1]
    with np.errstate(divide="ignore", over="ignore"):
        z = (t[..., np.newaxis, :] - means) / widths[..., np.newaxis]
        constant = count * (np.log(widths) + means.dtype.type(_LOG_2_PI / 2))
        return np.asarray(np.log(mixing) - constant - (z * z).sum(axis=-1) / 2)


def _log_sum(x: Array) -> Array:
    """log Σ exp(x) over the last axis."""
    top = x.max(axis=-1, keepdims=True)
    top = np.where(np.isfinite(top), top, x.dtype.type(0))
    with np.errstate(divide="ignore"):
        return np.asarray(np.log(np.exp(x - top).sum(axis=-1)) + top[..., 0])
