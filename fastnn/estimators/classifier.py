"""`MLPClassifier`: classes, or several labels at once."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from .._core.arrays import Array
from ..losses import LOSSES, CostFunction
from . import ensemble, settings
from .base import BaseMLP, is_stochastic
from .compat import (
    ClassifierMixin,
    LabelBinarizer,
    StrOptions,
    check_partial_fit_first_call,
    column_or_1d,
    compute_sample_weight,
    only_if,
    type_of_target,
    unique_labels,
    validated,
)
from .documentation import documented
from .training import Data

__all__ = ["MLPClassifier"]

_PROBABILITIES = "sigmoid", "softmax"  # activations that make them


def _gives_probabilities(estimator: Any) -> bool:
    """Whether the outputs of the cost are probabilities."""
    cost = estimator.cost
    if cost is None:
        return True
    spec = cost.spec if isinstance(cost, CostFunction) else LOSSES.find(cost)
    if spec.activation not in _PROBABILITIES:
        raise AttributeError(f"the cost {spec.name} gives scores, and no probabilities")
    return True


@documented(
    between="""
class_weight : dict, 'balanced' or None
    Factor of each class's samples, times `sample_weight`; 'balanced' makes all classes count as
    much.
""",
    attributes="""
classes_ : array
    The labels; of several labels a sample their numbers.
""",
)
class MLPClassifier(ClassifierMixin, BaseMLP):  # type: ignore[misc]
    """A classifier: scikit-learn's of this name, trained in one compiled engine, and more.

    The same parameters with the same `random_state` give scikit-learn's coefficients, losses and
    number of epochs, to rounding. Targets are labels of any kind, or an indicator matrix of several
    labels a sample.

    Parameters
    ----------
    {parameters}

    Attributes
    ----------
    {attributes}

    Notes
    -----
    The cost of two classes, and of several labels, is `SigmoidCrossEntropy`, that of more classes
    `SoftmaxCrossEntropy`. Any other with an output for each class will do: of `Hinge` the sign
    decides, of others the nearest of 0 and 1, or the largest output. There are probabilities where
    a cost makes them.

    Examples
    --------
    >>> from sklearn.datasets import load_breast_cancer
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> X, y = load_breast_cancer(return_X_y=True)
    >>> mlp = MLPClassifier(activation="Mish", class_weight="balanced", random_state=0, tol=1e-3)
    >>> model = make_pipeline(StandardScaler(), mlp).fit(X, y)
    >>> model.score(X, y) > 0.98
    True

    """

    loss = "log_loss"

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        **settings.CONSTRAINTS,
        "class_weight": [StrOptions({"balanced"}), dict, list, None],
    }
    _stratifies = True

    def __init__(
        self,
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
        class_weight: Any = None,
        dropout: Any = 0.0,
        dtype: Any = None,
        callbacks: Any = None,
        n_threads: int | None = None,
        n_networks: int = 1,
    ) -> None:
        self._keep(locals())

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags

    def _more_tags(self) -> dict[str, Any]:  # scikit-learn 1.5
        return {"multilabel": True}

    @only_if(is_stochastic)
    @validated
    def partial_fit(
        self, X: Any, y: Any, sample_weight: Any = None, classes: Any = None
    ) -> MLPClassifier:
        """Train for one epoch, from where the last call ended.

        Parameters
        ----------
        X, y, sample_weight
            As in `fit`.
        classes : array, optional
            All labels that there will be; needed in the first call, and allowed in later ones.

        Returns
        -------
        self

        """
        self._fit(X, y, sample_weight, incremental=True, classes=classes)
        return self

    def _meet(self, y: Any, classes: Any) -> None:
        if self.class_weight == "balanced":
            raise ValueError("class_weight='balanced' needs all samples at once, as in fit")
        if check_partial_fit_first_call(self, classes):
            self._label_binarizer = LabelBinarizer()
            self._label_binarizer.fit(y if type_of_target(y).startswith("multilabel") else classes)

    def _check_targets(self, X: Any, y: Any, incremental: bool, reset: bool) -> tuple[Any, Any]:
        X, y = self._samples(X, y, multi_output=True, dtype=self._dtype, reset=reset)
        if y.ndim == 2 and y.shape[1] == 1:
            y = column_or_1d(y, warn=True)
        if not hasattr(self, "classes_") or not (self.warm_start or incremental):
            self._label_binarizer = LabelBinarizer()
            self._label_binarizer.fit(y)
            self.classes_ = self._label_binarizer.classes_
        else:
            self._check_classes(y)
        # bool, as scikit-learn has it: stratified splits name these in their errors
        return X, _as_matrix(self._label_binarizer.transform(y).astype(bool))

    def _check_classes(self, y: Any) -> None:
        """Refuse labels that are not those of the last training."""
        classes = unique_labels(y)
        if self.warm_start:
            if set(classes) != set(self.classes_):
                raise ValueError(
                    "warm_start can only be used where `y` has the same classes as in the previous "
                    f"call to fit. Previously got {self.classes_}, `y` has {classes}"
                )
        elif len(np.setdiff1d(classes, self.classes_, assume_unique=True)):
            raise ValueError(
                f"`y` has classes not in `self.classes_`. `self.classes_` has {self.classes_}. "
                f"'y' has {classes}."
            )

    def _check_validation(self, X: Any, y: Any) -> tuple[Any, Any]:
        X, y = self._samples(X, y, multi_output=True, dtype=self._dtype, reset=False)
        others = np.setdiff1d(unique_labels(y), self.classes_)
        if len(others):
            raise ValueError(f"validation_data[1] has classes that y has not: {others.tolist()}")
        return X, _as_matrix(self._label_binarizer.transform(y).astype(bool))

    def _weights(self, X: Array, y: Any, sample_weight: Any, incremental: bool) -> Array | None:
        weights = super()._weights(X, y, sample_weight, incremental)
        if self.class_weight is None:
            return weights
        of_class: Array = compute_sample_weight(self.class_weight, y)
        wrong = ~(np.isfinite(of_class) & (of_class >= 0))
        if wrong.any():
            k = int(np.argmax(wrong))
            raise ValueError(
                f"class_weight gives {of_class[k]} to samples of {np.asarray(y)[k]!r}, expected a "
                "finite number, at least 0"
            )
        return of_class if weights is None else of_class * weights

    def _objective(self, y: Any) -> tuple[CostFunction, int]:
        kind = self._label_binarizer.y_type_
        several = kind == "multiclass"
        given = self.cost or ("SoftmaxCrossEntropy" if several else "SigmoidCrossEntropy")
        cost = settings.make_cost(given, y.shape[1])
        if cost.spec.per_target != 1 or cost.spec.activation == "mixture":
            raise ValueError(f"cost is {given!r}, expected one with an output for each class")
        if not cost.spec.is_elementwise and kind.startswith("multilabel"):
            raise ValueError(
                f"cost is {given!r}, which compares classes with one another: several labels of a "
                "sample need one of each output alone, as 'SigmoidCrossEntropy'"
            )
        return cost, 1

    def _encoded(self, y: Any) -> Array:
        """As 0 and 1; two classes in two columns, if the cost compares outputs."""
        columns = np.hstack([~y, y]) if self._pairs else y
        return np.asarray(columns, np.float64)

    @property
    def _pairs(self) -> bool:
        """Whether two classes have two outputs."""
        return self.n_outputs_ == 1 and not self.cost_.spec.is_elementwise

    def _columns(self) -> int:
        return 2 if self._pairs else super()._columns()

    def _scores(self, outputs: Array) -> Array:
        """Of each label, more than one half if it is more likely than not; (n_samples, columns)."""
        if self._pairs:
            outputs = outputs[:, 1:] - outputs[:, :1]
            return np.asarray(0.5 + outputs / 2)
        return 0.5 + outputs / 2 if self.cost_.spec.targets == "signs" else outputs

    def _score_of(self, outputs: Array, data: Data) -> float:
        scores, y = self._scores(outputs), data.y
        if self._label_binarizer.y_type_ == "multiclass":
            right = scores.argmax(axis=1) == y.argmax(axis=1)
        else:
            right = ((scores > 0.5) == y).all(axis=1)
        return float(np.average(right, weights=data.weights))

    def _mean_scores(self, X: Any) -> Array:
        found = [self._scores(outputs) for outputs in ensemble.outputs_of_all(self, X)]
        return found[0] if len(found) == 1 else np.asarray(np.mean(found, axis=0))

    def predict(self, X: Any) -> Any:
        """The labels of samples.

        Parameters
        ----------
        X : array or sparse matrix (n_samples, n_features)

        Returns
        -------
        array (n_samples,) or (n_samples, n_classes)

        """
        scores = self._mean_scores(self._checked(X))
        if self.n_outputs_ == 1:
            scores = scores.ravel()
        return self._label_binarizer.inverse_transform(scores)

    @only_if(_gives_probabilities)
    def predict_proba(self, X: Any, return_std: bool = False) -> Any:
        """Probabilities of the classes, of several networks their mean.

        Parameters
        ----------
        X : array or sparse matrix (n_samples, n_features)
        return_std : bool
            Also their standard deviation over the networks of an ensemble.

        Returns
        -------
        array (n_samples, n_classes), or two of these

        """
        X = self._checked(X)
        found = np.stack([self._probabilities(y) for y in ensemble.outputs_of_all(self, X)])
        mean = found[0] if len(found) == 1 else found.mean(axis=0)
        return (mean, found.std(axis=0)) if return_std else mean

    def _probabilities(self, outputs: Array) -> Array:
        if outputs.shape[1] == 1:
            return np.hstack([1 - outputs, outputs])
        several = self._label_binarizer.y_type_ == "multiclass"
        if several and self.cost_.spec.activation == "sigmoid":
            total = outputs.sum(axis=1, keepdims=True)
            with np.errstate(invalid="ignore"):
                return np.asarray(np.where(total > 0, outputs / total, 1 / outputs.shape[1]))
        return outputs

    @only_if(_gives_probabilities)
    def predict_log_proba(self, X: Any) -> Any:
        """Logarithms of `predict_proba`."""
        found = self.predict_proba(X)
        with np.errstate(divide="ignore"):
            return np.log(found, out=found)

    def decision_function(self, X: Any) -> Any:
        """Scores of the classes: the activity of the last layer, which is the logit.

        Of two classes above 0 for the second one; of other costs than cross entropies likewise. Of
        several networks it is the logit of the mean probability, or the mean.

        Parameters
        ----------
        X : array or sparse matrix (n_samples, n_features)

        Returns
        -------
        array (n_samples,) or (n_samples, n_classes)

        """
        X = self._checked(X)
        found = ensemble.members(self)
        if len(found) > 1:
            return self._column(self._logit_of_mean(X))
        return self._column(self._decisions(X))

    def _decisions(self, X: Any) -> Array:
        """Of one network."""
        activation, activity = self.cost_.spec.activation, self._activity(X)
        if self._pairs:
            return activity[:, 1:] - activity[:, :1]
        if activation in _PROBABILITIES or self.cost_.spec.targets == "signs":
            return activity
        return self._outputs(X) - 0.5

    def _logit_of_mean(self, X: Any) -> Array:
        scores = self._mean_scores(X)
        if self.cost_.spec.activation not in _PROBABILITIES:
            return scores - 0.5
        with np.errstate(divide="ignore"):
            odds = np.log(scores)
            several = self._label_binarizer.y_type_ == "multiclass"
            return np.asarray(odds if several else odds - np.log1p(-scores))

    def _column(self, decisions: Array) -> Array:
        one = self.n_outputs_ == 1 and not self._label_binarizer.y_type_.startswith("multilabel")
        return decisions.ravel() if one else decisions


def _as_matrix(y: Any) -> Any:
    return y.reshape(-1, 1) if y.ndim == 1 else y
