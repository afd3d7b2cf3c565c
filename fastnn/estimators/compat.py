"""What comes from scikit-learn, from version 1.5 on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

from .._core.extras import needed

with needed("fastnn.estimators needs scikit-learn: pip install 'fastnn-numba[sklearn]'", "sklearn"):
    import sklearn

from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin, _fit_context, clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import LabelBinarizer
from sklearn.utils import check_random_state, column_or_1d
from sklearn.utils._param_validation import Interval, Options, StrOptions
from sklearn.utils.class_weight import compute_sample_weight
from sklearn.utils.metaestimators import available_if
from sklearn.utils.multiclass import _check_partial_fit_first_call, type_of_target, unique_labels
from sklearn.utils.validation import _check_sample_weight, check_is_fitted

__all__ = [
    "BaseEstimator",
    "ClassifierMixin",
    "ConvergenceWarning",
    "Interval",
    "LabelBinarizer",
    "Options",
    "RegressorMixin",
    "StrOptions",
    "check_is_fitted",
    "check_partial_fit_first_call",
    "check_random_state",
    "check_sample_weight",
    "clone",
    "column_or_1d",
    "compute_sample_weight",
    "only_if",
    "sklearn",
    "train_test_split",
    "type_of_target",
    "unique_labels",
    "validate_data",
    "validated",
]

check_partial_fit_first_call: Any = _check_partial_fit_first_call
check_sample_weight: Any = _check_sample_weight

F = TypeVar("F", bound=Callable[..., Any])


def validated(method: F) -> F:
    """Decorate a `fit`: the constructor's parameters are looked at first."""
    return cast(F, _fit_context(prefer_skip_nested_validation=True)(method))


def only_if(check: Callable[[Any], bool]) -> Callable[[F], F]:
    """Decorate a method: there is none where the check of the estimator says so."""
    return cast(Callable[[F], F], available_if(check))


def validate_data(estimator: Any, X: Any, y: Any = "no_validation", **how: Any) -> Any:
    """Samples, and targets if there are any, as scikit-learn checks them."""
    try:
        from sklearn.utils.validation import validate_data as check
    except ImportError:  # before 1.6 it was a method
        return estimator._validate_data(X, y, **how)
    return check(estimator, X, y, **how)
