"""Cost functions: the activation of the network's output, the cost, and its gradient.

A cost works on the activity of the last layer (for the cross entropies: on logits), so the last
layer of a network is linear. Costs are summed over all samples, as in the articles, or averaged.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, NamedTuple, get_args

import numpy as np
import numpy.typing as npt

from ._arrays import Array, convert
from .kernels import losses as formulas
from .kernels import rows, vecmath
from .kernels.jit import address

__all__ = ["COSTS", "CostFunction", "SigmoidCrossEntropy", "SoftmaxCrossEntropy", "SumSquaresError"]

_NO_PARAMETERS = np.zeros(2)
_SCRATCH = 4  # rows, see ``kernels/losses.py``

Reduction = Literal["sum", "mean"]


class CostKernels(NamedTuple):
    """The row kernels of a cost, see ``kernels/losses.py``."""

    value: Callable[..., Any]
    step: Callable[..., Any]
    activate: Callable[..., Any] | None
    pull: Callable[..., Any] | None


class CostFunction:
    """A cost as row kernels; subclasses name them.

    In all methods the last axis runs over the outputs, the others over samples. float32 stays
    float32, everything else is worked on in float64; inputs are never changed.

    Parameters
    ----------
    reduction : "sum" or "mean"
        Whether costs of the samples are summed, or divided by their number. With the mean, the
        learning rate does not depend on the size of the batch.

    """

    _value: Callable[..., Any]
    _step: Callable[..., Any]
    _activate: Callable[..., Any] | None = None  # None: the output is the activity itself
    _pull: Callable[..., Any] | None = None  # its vector-Jacobian product

    reduction: Reduction = "sum"

    def __init__(self, reduction: Reduction = "sum") -> None:
        if reduction not in get_args(Reduction):
            raise ValueError(f"reduction must be 'sum' or 'mean', not {reduction!r}")
        self.reduction = reduction

    def kernels(self) -> CostKernels:
        """What compiled networks run."""
        return CostKernels(self._value, self._step, self._activate, self._pull)

    def activate(self, logits: npt.ArrayLike) -> Array:
        """Output of a network whose last layer has the activity `logits`."""
        x = convert("logits", logits)
        if self._activate is None or not x.size:
            return x.copy() if x is logits or not x.size else x
        features, samples, columns = _as_columns(x, copy=True)
        self._run(self._activate, columns, columns, features, samples)
        return _as_rows(columns, x.shape)

    def __call__(self, logits: npt.ArrayLike, targets: npt.ArrayLike) -> float:
        """Cost of all samples."""
        x, t = self._pair(logits, targets)
        if not x.size:
            return 0.0
        features, samples, columns = _as_columns(x)
        found = self._run(self._value, columns, _weighted(t, 1.0), features, samples)
        return found / samples if self.reduction == "mean" else found

    def delta(self, logits: npt.ArrayLike, targets: npt.ArrayLike) -> Array:
        """Gradient of the cost with respect to `logits`."""
        x, t = self._pair(logits, targets)
        if not x.size:
            return x.copy()
        features, samples, columns = _as_columns(x, copy=True)
        weight = 1.0 / samples if self.reduction == "mean" else 1.0
        self._run(self._step, columns, _weighted(t, weight), features, samples)
        return _as_rows(columns, x.shape)

    def _pair(self, logits: npt.ArrayLike, targets: npt.ArrayLike) -> tuple[Array, Array]:
        x = convert("logits", logits)
        t = convert("targets", targets, x.dtype)
        if x.shape != t.shape:
            raise ValueError(f"targets have shape {t.shape}, expected that of logits, {x.shape}")
        return x, t

    @staticmethod
    def _run(kernel: Callable[..., Any], a: Array, b: Array, features: int, samples: int) -> float:
        scratch = np.empty(_SCRATCH * samples, a.dtype)
        target = address(kernel, a.dtype)
        return float(rows.run(target, a, b, scratch, _NO_PARAMETERS, features, samples))

    def __repr__(self) -> str:
        given = "" if self.reduction == "sum" else f"reduction={self.reduction!r}"
        return f"{type(self).__name__}({given})"


def _weighted(targets: Array, weight: float) -> Array:
    """Targets as columns, then one weight for each sample."""
    columns = _as_columns(targets)[2]
    samples = columns.size // (targets.shape[-1] if targets.ndim else 1)
    return np.concatenate([columns, np.full(samples, weight, columns.dtype)])


def _as_rows(columns: Array, shape: tuple[int, ...]) -> Array:
    features = shape[-1] if shape else 1
    return np.ascontiguousarray(columns.reshape(features, -1).T).reshape(shape)


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
    _step = staticmethod(formulas.elementwise_step(formulas.squares, formulas.squares_delta))


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
    _step = staticmethod(
        formulas.elementwise_step(formulas.sigmoid_entropy, formulas.sigmoid_entropy_delta)
    )
    _activate = staticmethod(formulas.elementwise_activation(vecmath.sigmoid))
    _pull = staticmethod(formulas.elementwise_pull(formulas.sigmoid_slope))


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
    _step = staticmethod(formulas.softmax_entropy_step_kernel)
    _activate = staticmethod(formulas.softmax_kernel)
    _pull = staticmethod(formulas.softmax_pull_kernel)


COSTS: dict[str, type[CostFunction]] = {
    cost.__name__: cost for cost in (SumSquaresError, SigmoidCrossEntropy, SoftmaxCrossEntropy)
}
