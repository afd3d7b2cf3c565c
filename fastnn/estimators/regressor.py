"""`MLPRegressor`: one number or several."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
from sklearn.metrics import r2_score

from .._core.arrays import Array
from ..kernels.codegen.compiler import imported
from ..losses import LOSSES, CostFunction
from . import ensemble, settings
from .base import BaseMLP, is_stochastic
from .compat import RegressorMixin, StrOptions, column_or_1d, only_if, validated
from .distributions import Mixture, mixture_of, together
from .documentation import documented
from .training import Data

__all__ = ["MLPRegressor"]

_LOSSES = {"squared_error": "SumSquaresError", "poisson": "Poisson"}
_DENSITIES = "GaussianNLL", "MixtureDensityError"


def _cost_name(estimator: Any) -> str:
    cost = estimator.cost
    if isinstance(cost, CostFunction):
        return cost.spec.name
    return _LOSSES[estimator.loss] if cost is None else LOSSES.find(cost).name


def _gives_densities(estimator: Any) -> bool:
    """Whether the outputs say how the targets are distributed."""
    if (name := _cost_name(estimator)) not in _DENSITIES:
        raise AttributeError(f"the cost {name} gives no distribution of the targets")
    return True


def _gives_quantiles(estimator: Any) -> bool:
    if _cost_name(estimator) != "Quantile":
        return _gives_densities(estimator)
    return True


@documented(
    first="""
loss : 'squared_error' or 'poisson'
    As in scikit-learn; any other is a `cost`.
"""
)
class MLPRegressor(RegressorMixin, BaseMLP):  # type: ignore[misc]
    """A regressor: scikit-learn's of this name, trained in one compiled engine, and more.

    The same parameters with the same `random_state` give scikit-learn's coefficients, losses and
    number of epochs, to rounding. With `GaussianNLL` or `MixtureDensityError` as its `cost` it
    learns how the targets are distributed, with `Quantile` one quantile of them.

    Parameters
    ----------
    {parameters}

    Attributes
    ----------
    {attributes}

    Notes
    -----
    As in scikit-learn, the squared error of several outputs is reported as the mean over them,
    while its gradient is that of the sum.

    Examples
    --------
    >>> import warnings
    >>> rng = np.random.default_rng(0)
    >>> X = rng.uniform(-1, 1, (500, 1))
    >>> y = np.sin(3 * X[:, 0]) + 0.1 * rng.normal(size=500)
    >>> model = MLPRegressor(cost="GaussianNLL", solver="lbfgs", max_iter=50, random_state=0)
    >>> with warnings.catch_warnings():
    ...     warnings.simplefilter("ignore")  # it has not converged yet
    ...     mean, std = model.fit(X, y).predict(X, return_std=True)
    >>> bool(abs(std.mean() - 0.1) < 0.02)
    True
    >>> model.predict_quantiles(X[:4], [0.05, 0.95]).shape
    (4, 2)

    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        **settings.CONSTRAINTS,
        "loss": [StrOptions(set(_LOSSES))],
    }

    def __init__(
        self,
        loss: Any = "squared_error",
        hidden_layer_sizes: Any = (100,),
        activation: Any = "relu",
        *,
        solver: Any = "adam",
        alpha: float = 0.0001,
        batch_size: Any = "auto",
        learning_rate: Any = "constant",
        learning_rate_init: float = 0.001,
        power_t: float = 0.5,
        max_iter: int = 200,
        shuffle: bool = True,
        random_state: Any = None,
        tol: float = 1e-4,
        verbose: Any = False,
        warm_start: bool = False,
        momentum: float = 0.9,
        nesterovs_momentum: bool = True,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-8,
        n_iter_no_change: float = 10,
        max_fun: int = 15000,
        cost: Any = None,
        dropout: Any = 0.0,
        dtype: Any = None,
        callbacks: Any = None,
        n_threads: int | None = None,
        n_networks: int = 1,
    ) -> None:
        self._keep(locals())

    @only_if(is_stochastic)
    @validated
    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None) -> MLPRegressor:
        """Train for one epoch, from where the last call ended.

        Parameters
        ----------
        X, y, sample_weight
            As in `fit`.

        Returns
        -------
        self

        """
        self._fit(X, y, sample_weight, incremental=True)
        return self

    def _check_targets(self, X: Any, y: Any, incremental: bool, reset: bool) -> tuple[Any, Any]:
        how = {"multi_output": True, "y_numeric": True, "dtype": self._dtype, "reset": reset}
        X, y = self._samples(X, y, **how)
        if y.ndim == 2 and y.shape[1] == 1:
            y = column_or_1d(y, warn=True)
        y = y if y.dtype.kind == "f" else y.astype(np.float64)
        return X, y.reshape(-1, 1) if y.ndim == 1 else y

    def _check_validation(self, X: Any, y: Any) -> tuple[Any, Any]:
        return self._check_targets(X, y, False, reset=False)

    def _objective(self, y: Any) -> tuple[CostFunction, int]:
        if self.cost is not None and self.loss != "squared_error":
            raise ValueError(f"loss is {self.loss!r} and cost is {self.cost!r}: give one of them")
        given = _LOSSES[self.loss] if self.cost is None else self.cost
        cost = settings.make_cost(given, y.shape[1])
        cost.spec.form.check("y", y)
        # scikit-learn's loss is the mean over the outputs, and its gradient that of their sum
        squares = self.cost is None and self.loss == "squared_error"
        return cost, y.shape[1] if squares else 1

    def _encoded(self, y: Any) -> Array:
        return np.asarray(y)

    def _offsets(self, y: Any) -> Array | None:
        if self.cost is not None or self.loss != "poisson":
            return None
        return np.asarray((imported("scipy.special").xlogy(y, y) - y).sum(axis=1))

    def _values(self, outputs: Array) -> Array:
        """Predictions (n_samples, n_outputs), of outputs of the network."""
        known = mixture_of(self.cost_, outputs)
        return outputs if known is None else known.mean.astype(outputs.dtype)

    def _score_of(self, outputs: Array, data: Data) -> float:
        return float(r2_score(data.y, self._values(outputs), sample_weight=data.weights))

    def predict(self, X: Any, return_std: bool = False) -> Any:
        """Predictions for samples: of a distribution its mean, of several networks theirs.

        Parameters
        ----------
        X : array or sparse matrix (n_samples, n_features)
        return_std : bool
            Also the standard deviation: over the networks of an ensemble, or of the distribution
            that the cost knows, or of both together.

        Returns
        -------
        array (n_samples,) or (n_samples, n_outputs), or two of these

        """
        X = self._checked(X)
        outputs = ensemble.outputs_of_all(self, X)
        found = np.stack([self._values(y) for y in outputs])
        mean = found[0] if len(found) == 1 else found.mean(axis=0)
        if not return_std:
            return _flat(mean)
        known = self._mixture(outputs)
        if known is None and len(found) == 1:
            raise ValueError(
                f"return_std needs several networks, or a cost among {', '.join(_DENSITIES)}"
            )
        std = found.std(axis=0) if known is None else known.std.astype(mean.dtype)
        return _flat(mean), _flat(std)

    def _mixture(self, outputs: Array) -> Mixture | None:
        """What the outputs of all networks say together."""
        parts = [mixture_of(self.cost_, y) for y in outputs]
        known = [part for part in parts if part is not None]
        return together(known) if known else None

    @only_if(_gives_quantiles)
    def predict_quantiles(self, X: Any, quantiles: npt.ArrayLike = (0.05, 0.5, 0.95)) -> Any:
        """Quantiles of the targets of samples.

        Of `GaussianNLL` and `MixtureDensityError` any, of several networks those of their mixture.
        A network trained with `Quantile` knows its own only.

        Parameters
        ----------
        X : array or sparse matrix (n_samples, n_features)
        quantiles : float or array (n_quantiles,)
            Between 0 and 1.

        Returns
        -------
        array (n_samples, n_quantiles) or (n_samples, n_outputs, n_quantiles)
            Without the last axis for a single number.

        """
        q = np.asarray(quantiles, np.float64)
        if q.ndim > 1 or not ((q > 0) & (q < 1)).all():
            raise ValueError(f"quantiles must be between 0 and 1, not {quantiles!r}")
        if not q.size:
            raise ValueError("quantiles is empty, expected at least one number between 0 and 1")
        X = self._checked(X)
        known = self._mixture(ensemble.outputs_of_all(self, X))
        if known is None:
            own = self.cost_.parameters["q"]
            if (q != own).any():
                raise ValueError(f"quantiles is {quantiles!r}, but the network knows q={own} only")
            found = [self.predict(X).reshape(len(X), -1)] * q.size
        else:
            found = [known.quantile(float(level)) for level in q.ravel()]
        result = _flat(np.stack(found, axis=-1), axis=1)
        return result if q.ndim else result[..., 0]

    @only_if(_gives_densities)
    def predict_mixture(self, X: Any) -> tuple[Array, Array, Array]:
        """The predictive distribution as a mixture of K normal ones.

        Parameters
        ----------
        X : array or sparse matrix (n_samples, n_features)

        Returns
        -------
        weights : array (n_samples, K)
        means, stds : array (n_samples, K, n_outputs)

        """
        known = self._mixture(ensemble.outputs_of_all(self, self._checked(X)))
        assert known is not None
        return tuple(known)  # type: ignore[return-value]

    @only_if(_gives_densities)
    def predict_density(self, X: Any, y: Any) -> Array:
        """Densities p(y | x) of targets y, one for each sample, (n_samples,)."""
        X, t = self._checked(X), np.asarray(y, np.float64)
        shape = len(X), self.n_outputs_
        if t.shape != shape and not (t.shape == shape[:1] and self.n_outputs_ == 1):
            one = f"({len(X)},) or " if self.n_outputs_ == 1 else ""
            raise ValueError(f"y has shape {t.shape}, expected {one}{shape}")
        t = t.reshape(shape)
        known = self._mixture(ensemble.outputs_of_all(self, X))
        assert known is not None
        return known.density(t)


def _flat(values: Array, axis: int = 1) -> Array:
    """Without the axis of the outputs, if there is one only."""
    return values.squeeze(axis) if values.shape[axis] == 1 else values
