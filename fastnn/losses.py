"""Cost functions: the activation of the network's output, the cost, and its gradient.

A cost works on the activity of the last layer (for the cross entropies: on logits), so the last
layer of a network is linear. Costs are summed over all samples, as in the articles.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from ._arrays import Array, convert
from .kernels import losses as formulas
from .kernels import rows, vecmath
from .kernels.jit import address

__all__ = ["COSTS", "CostFunction", "SigmoidCrossEntropy", "SoftmaxCrossEntropy", "SumSquaresError"]

_NO_PARAMETERS = np.zeros(2)


class CostFunction:
    """A cost as three row kernels; subclasses name them.

    In all methods the last axis runs over the outputs, the others over samples. float32 stays
    float32, everything else is worked on in float64; inputs are never changed.
    """

    _value: Callable[..., Any]
    _delta: Callable[..., Any]
    _activate: Callable[..., Any] | None = None  # None: the output is the activity itself

    def activate(self, logits: npt.ArrayLike) -> Array:
        """Output of a network whose last layer has the activity `logits`."""
        x = convert("logits", logits)
        if self._activate is None:
            return x if x is not logits else x.copy()
        return self._in_place(self._activate, x, None)

    def __call__(self, logits: npt.ArrayLike, targets: npt.ArrayLike) -> float:
        """Cost, summed over all samples."""
        x, t = self._pair(logits, targets)
        if not x.size:
            return 0.0
        features, samples, columns = _as_columns(x)
        _, _, target_columns = _as_columns(t)
        scratch = np.empty(2 * samples, x.dtype)
        kernel = address(self._value, x.dtype)
        return float(
            rows.run(kernel, columns, target_columns, scratch, _NO_PARAMETERS, features, samples)
        )

    def delta(self, logits: npt.ArrayLike, targets: npt.ArrayLike) -> Array:
        """Gradient of the cost with respect to `logits`."""
        x, t = self._pair(logits, targets)
        return self._in_place(self._delta, x, t)

    def _pair(self, logits: npt.ArrayLike, targets: npt.ArrayLike) -> tuple[Array, Array]:
        x = convert("logits", logits)
        t = convert("targets", targets, x.dtype)
        if x.shape != t.shape:
            raise ValueError(f"targets have shape {t.shape}, expected that of logits, {x.shape}")
        return x, t

    @staticmethod
    def _in_place(kernel: Callable[..., Any], x: Array, t: Array | None) -> Array:
        """Run a kernel that overwrites its first argument, on a copy."""
        if not x.size:
            return x.copy()
        features, samples, columns = _as_columns(x, copy=True)
        target_columns = columns if t is None else _as_columns(t)[2]
        scratch = np.empty(2 * samples, x.dtype)
        found = address(kernel, x.dtype)
        rows.run(found, columns, target_columns, scratch, _NO_PARAMETERS, features, samples)
        return np.ascontiguousarray(columns.reshape(features, samples).T).reshape(x.shape)

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"


def _as_columns(x: Array, copy: bool = False) -> tuple[int, int, Array]:
    """Features, samples and a flat features-major array, as the kernels read it."""
    features = x.shape[-1] if x.ndim else 1
    columns = x.reshape(-1, features).T
    flat = columns.ravel()
    if copy and np.may_share_memory(flat, x):
        flat = flat.copy()
    return features, columns.shape[1], flat


class SumSquaresError(CostFunction):
    r"""Half the sum of squares, :math:`E = \frac12 \sum (x - t)^2`, with a linear output.

    Examples
    --------
    >>> cost = SumSquaresError()
    >>> cost([[1.0, 2.0]], [[0.0, 4.0]])
    2.5
    >>> cost.delta([[1.0, 2.0]], [[0.0, 4.0]])
    array([[ 1., -2.]])

    """

    _value = staticmethod(formulas.elementwise_value(formulas.squares))
    _delta = staticmethod(formulas.elementwise_delta(formulas.squares_delta))


class SigmoidCrossEntropy(CostFunction):
    r"""Cross entropy of independent yes-no targets, 0 or 1 (or between), from logits.

    .. math:: E = \sum -t \log \sigma(a) - (1 - t) \log(1 - \sigma(a))

    computed without the sigmoid, so it is exact in both tails; its gradient is
    :math:`\sigma(a) - t`. Bishop, *Pattern Recognition and Machine Learning* (2006), eq. 5.21.

    Examples
    --------
    >>> cost = SigmoidCrossEntropy()
    >>> cost([[1000.0]], [[0.0]])
    1000.0
    >>> cost.activate([[0.0]])
    array([[0.5]])

    """

    _value = staticmethod(formulas.elementwise_value(formulas.sigmoid_entropy))
    _delta = staticmethod(formulas.elementwise_delta(formulas.sigmoid_entropy_delta))
    _activate = staticmethod(formulas.elementwise_activation(vecmath.sigmoid))


class SoftmaxCrossEntropy(CostFunction):
    r"""Cross entropy of one class among several, from logits and one-hot (or soft) targets.

    .. math:: E = -\sum_n \sum_k t_{nk} \log y_{nk}, \quad
              y_{nk} = \frac{\exp a_{nk}}{\sum_j \exp a_{nj}}

    shifted by the largest logit of each sample; its gradient is :math:`y - t` for targets that
    sum to one. Bishop (2006), eq. 5.24.

    Examples
    --------
    >>> cost = SoftmaxCrossEntropy()
    >>> cost.activate([[0.0, 0.0]])
    array([[0.5, 0.5]])
    >>> cost([[0.0, 5000.0]], [[1.0, 0.0]])
    5000.0

    """

    _value = staticmethod(formulas.softmax_entropy_value_kernel)
    _delta = staticmethod(formulas.softmax_entropy_delta_kernel)
    _activate = staticmethod(formulas.softmax_kernel)


COSTS: dict[str, type[CostFunction]] = {
    cost.__name__: cost for cost in (SumSquaresError, SigmoidCrossEntropy, SoftmaxCrossEntropy)
}
