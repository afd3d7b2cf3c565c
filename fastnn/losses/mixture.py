"""The mixture density network's cost, and what its outputs say of the targets."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from .._core.arrays import Array, convert
from .base import CostFunction, Reduction

__all__ = ["MixtureDensityError"]

_SHIFTS, _ASCENT = 30, 500  # steps to the mean of the means, and steps at most
_EPS = float(np.finfo(np.float64).eps)
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
    Bishop, Mixture density networks, 1994. PyTorch, Keras and optax do not have it;
    TensorFlow Probability has it as a distribution.

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
        """p(t | x), for the outputs of samples x (…, K (L + 2)) and targets t (…, L), broadcast.

        Infinite where it is beyond the largest number: at the mean of a component without width.
        """
        mixing, means, widths = self._distribution(outputs)
        points = self._points(t, mixing.dtype)
        with np.errstate(over="ignore"):
            return np.exp(_log_density(mixing, means, widths, points))

    def mean(self, outputs: npt.ArrayLike) -> Array:
        """E[t | x], (…, L): Bishop (2006), eq. 5.158."""
        mixing, means, _ = self._distribution(outputs)
        return np.asarray((mixing[..., np.newaxis] * means).sum(axis=-2))

    def variance(self, outputs: npt.ArrayLike) -> Array:
        """E[|t - E[t | x]|² | x], (…): Bishop (2006), eq. 5.160, of L targets."""
        mixing, means, widths = self._distribution(outputs)
        apart = ((means - self.mean(outputs)[..., np.newaxis, :]) ** 2).sum(axis=-1)
        return np.asarray((mixing * (self.targets * widths**2 + apart)).sum(axis=-1))

    def modes(self, outputs: npt.ArrayLike) -> Array:
        """Maxima of p(t | x), (…, K, L): where the way up from each mean ends; some may be equal.

        Each step goes to the mean of the component means, weighted by their shares over their
        variances (Carreira-Perpiñán 2000). What is still on its way after some of them, as near
        modes that are about to merge, goes on by Newton's steps. Where two have just merged, the
        density is so flat that its maximum is known to a few millionths of the width only.
        """
        parts = self._distribution(outputs)
        mixing, means, widths = (x.astype(np.float64) for x in parts)
        k = self.components
        flat = mixing.reshape(-1, k), means.reshape(-1, k, self.targets), widths.reshape(-1, k)
        return _ascend(*flat).reshape(means.shape).astype(parts[1].dtype)

    def mode(self, outputs: npt.ArrayLike) -> Array:
        """The most probable t of each sample, (…, L)."""
        modes = self.modes(outputs)
        mixing, means, widths = self.split(outputs)
        mixing, widths = mixing[..., np.newaxis, :], widths[..., np.newaxis, :]
        best = _log_density(mixing, means[..., np.newaxis, :, :], widths, modes).argmax(axis=-1)
        return np.take_along_axis(modes, best[..., np.newaxis, np.newaxis], axis=-2)[..., 0, :]

    def _distribution(self, outputs: npt.ArrayLike) -> tuple[Array, Array, Array]:
        """What `split` gives, refused if `activate` cannot have made it."""
        y = convert("outputs", outputs)
        parts = self.split(y)
        for first, part, words in (
            (0, parts[0], "a mixing coefficient"),
            (y.shape[-1] - self.components, parts[2], "a width"),
        ):
            bad = part < 0
            if bad.any():
                *index, column = (int(i) for i in np.argwhere(bad)[0])
                shown = ", ".join(map(str, [*index, first + column]))
                raise ValueError(
                    f"outputs[{shown}] is {y[(*index, first + column)]}, expected {words}, at "
                    "least 0; `activate` makes outputs of activities"
                )
        return parts

    def _points(self, t: npt.ArrayLike, dtype: np.dtype[Any]) -> Array:
        points = convert("t", t, dtype)
        if not points.ndim or points.shape[-1] != self.targets:
            raise ValueError(f"t has shape {points.shape}, expected (…, {self.targets})")
        return points


def _log_shares(mixing: Array, means: Array, widths: Array, t: Array, more: int = 0) -> Array:
    """log(π N(t | μ, σ² I) / σ^more) of each component, (…, K).

    A component without width is infinite at its mean, and nothing elsewhere.
    """
    count = means.shape[-1]
    with np.errstate(divide="ignore", over="ignore", invalid="ignore"):
        apart = t[..., np.newaxis, :] - means
        z = np.where(apart == 0, apart, apart / widths[..., np.newaxis])
        square = (z * z).sum(axis=-1)
        constant = (count + more) * np.log(widths) + means.dtype.type(count * _LOG_2_PI / 2)
        log_density = np.log(mixing) - constant - square / 2
    return np.where((mixing == 0) | (square == np.inf), means.dtype.type(-np.inf), log_density)


def _log_density(mixing: Array, means: Array, widths: Array, t: Array) -> Array:
    """log p(t), (…)."""
    x = _log_shares(mixing, means, widths, t)
    top = x.max(axis=-1, keepdims=True)
    top = np.where(np.isfinite(top), top, x.dtype.type(0))
    with np.errstate(divide="ignore"):
        return np.asarray(np.log(np.exp(x - top).sum(axis=-1)) + top[..., 0])


def _ascend(mixing: Array, means: Array, widths: Array) -> Array:
    """Where the way up from each mean ends, (samples, K, L)."""
    t, left = means.copy(), np.arange(len(means))
    for number in range(_ASCENT):
        here = t[left]
        parts = mixing[left, np.newaxis], means[left, np.newaxis], widths[left, np.newaxis]
        step, shift, reach = _step(*parts, here, number >= _SHIFTS)
        t[left] = here + step
        # of the plain shift: Newton's step from where the density is flat is mostly rounding
        moves = np.abs(shift) > 4 * _EPS * (np.abs(here) + reach)
        left = left[moves.any(axis=(1, 2))]
        if not left.size:
            break
    return t


def _step(
    mixing: Array, means: Array, widths: Array, t: Array, newton: bool
) -> tuple[Array, Array, Array]:
    """A step up from t, distance to the weighted mean of the means, and their mean distance."""
    shares = _log_shares(mixing, means, widths, t, more=2)
    top = shares.max(axis=-1, keepdims=True)
    with np.errstate(invalid="ignore"):
        shares = np.exp(np.where(shares == top, 0.0, shares - top))
    shares /= shares.sum(axis=-1, keepdims=True)
    apart = means - t[..., np.newaxis, :]
    weight = shares[..., np.newaxis]
    shift, reach = (weight * apart).sum(axis=-2), (weight * np.abs(apart)).sum(axis=-2)
    if not newton:
        return shift, shift, reach
    with np.errstate(divide="ignore", over="ignore", invalid="ignore"):
        root = np.sqrt(weight) * apart / widths[..., np.newaxis]
    root = np.where((weight > 0) & (apart != 0), root, 0.0)
    curve = np.eye(t.shape[-1]) - np.swapaxes(root, -1, -2) @ root
    curve = np.where(np.isfinite(curve), curve, np.eye(t.shape[-1]))
    # by the directions: where the density is not convex, or too flat to tell, the plain step
    slopes, directions = np.linalg.eigh(curve)
    along = (shift[..., np.newaxis, :] @ directions)[..., 0, :]
    along = along / np.where(slopes > _EPS ** (2 / 3), slopes, 1.0)
    long = (directions @ along[..., np.newaxis])[..., 0]
    far = np.abs(long) > reach / 4
    before, after = (_log_density(mixing, means, widths, x) for x in (t, t + long))
    worse = after < before - 4 * _EPS * (1 + np.abs(before))
    plain = worse[..., np.newaxis] | far.any(axis=-1, keepdims=True)
    return np.where(plain, shift, long), shift, reach
