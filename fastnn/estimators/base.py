"""What both estimators share: checks, the network behind the coefficients, and outputs."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from scipy.sparse import issparse

from .._core.arrays import Array, float_dtype
from ..losses import CostFunction
from ..model.snapshot import logits
from ..training.lbfgs import is_meant as is_lbfgs
from . import ensemble, networks, settings, training
from .compat import (
    BaseEstimator,
    check_is_fitted,
    check_random_state,
    check_sample_weight,
    validate_data,
    validated,
)
from .descent import descend
from .minibatches import EstimatorNetwork
from .training import Data, Given, Task

__all__ = ["BaseMLP", "is_stochastic"]

_FLOATS = np.float64, np.float32

# scikit-learn's names of what makes outputs of the activity of the last layer.
_OUTPUTS = {"sigmoid": "logistic", "exponential": "exp"}

# Attributes that a training leaves and the next first one does not go on from.
_OF_A_TRAINING = (
    "loss_curve_", "best_loss_", "validation_loss_curve_", "slopes_", "_best_parameters",
    "_optimizer",
)  # fmt: skip

# Attributes that tell of the data, the same for all networks of an ensemble.
_OF_DATA = "classes_", "_label_binarizer", "n_features_in_", "feature_names_in_"


def is_stochastic(estimator: Any) -> bool:
    """Whether the solver goes by steps; else there is no `partial_fit`."""
    if is_lbfgs(estimator.solver):
        raise AttributeError(
            "partial_fit is only available for stochastic optimizers. "
            f"{estimator.solver} is not stochastic."
        )
    return True


class BaseMLP(BaseEstimator):  # type: ignore[misc]
    """A multi-layer perceptron with scikit-learn's interface."""

    _parameter_constraints: ClassVar[dict[str, Any]] = settings.CONSTRAINTS
    _stratifies = False  # whether early stopping holds out as many of each class

    def _keep(self, given: dict[str, Any]) -> None:
        """Keep what the constructor was given, as it is: scikit-learn checks it in `fit`."""
        self.__dict__.update({name: given[name] for name in self._get_param_names()})

    def __getstate__(self) -> dict[str, Any]:
        """Copies and pickles make the network anew, of the coefficients."""
        return {k: v for k, v in super().__getstate__().items() if k != "_network"}

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags

    # What differs between the two.

    def _check_targets(self, X: Any, y: Any, incremental: bool, reset: bool) -> tuple[Any, Any]:
        """Samples, and targets as a matrix."""
        raise NotImplementedError

    def _objective(self, y: Any) -> tuple[CostFunction, int]:
        """The cost, and over how many outputs the reported loss is a mean."""
        raise NotImplementedError

    def _encoded(self, y: Any) -> Array:
        """Targets as the cost wants them."""
        raise NotImplementedError

    def _columns(self) -> int:
        """How many columns these have."""
        return int(self.n_outputs_)

    def _offsets(self, y: Any) -> Array | None:
        """Terms of the samples' losses that no parameter changes."""
        return None

    def _score_of(self, outputs: Array, data: Data) -> float:
        """The score of the validation samples."""
        raise NotImplementedError

    def _check_validation(self, X: Any, y: Any) -> tuple[Any, Any]:
        """Samples to judge by, and their targets as a matrix."""
        raise NotImplementedError

    def _meet(self, y: Any, classes: Any) -> None:
        """Of `partial_fit`: the labels that there will be."""

    # Training.

    @validated
    def fit(self, X: Any, y: Any, sample_weight: Any = None, *, validation_data: Any = None) -> Any:
        """Train on samples X and targets y.

        Parameters
        ----------
        X : array or sparse matrix (n_samples, n_features)
            A sparse one is made dense.
        y : array (n_samples,) or (n_samples, n_outputs)
            Labels of a classifier, numbers of a regressor.
        sample_weight : array (n_samples,), optional
            Factor of each sample's loss, at least 0; the loss of a batch is divided by their sum.
        validation_data : (X, y) or (X, y, sample_weight), optional
            Its loss, without penalty, is taken after each epoch: `validation_loss_curve_`. With
            ``early_stopping=True`` its score decides, and no training sample is held out.

        Returns
        -------
        self

        """
        return self._fit(X, y, sample_weight, validation_data)

    def _fit(
        self,
        X: Any,
        y: Any,
        sample_weight: Any,
        validation_data: Any = None,
        incremental: bool = False,
        classes: Any = None,
    ) -> Any:
        """`fit`, or `partial_fit`, of one network or of an ensemble's."""
        several = ensemble.is_meant(self)
        found = ensemble.members_to_fit(self, incremental) if several else [self]
        if not several:
            self.__dict__.pop("estimators_", None)  # of an ensemble that it was
        if incremental:
            found[0]._meet(y, classes)
        data = found[0]._given(X, y, sample_weight, validation_data, incremental)
        for member in found[1:]:
            member._take_over(found[0])
        tasks = [member._task(data) for member in found]
        if is_lbfgs(self.solver):
            for task in tasks:
                training.minimize(task)
        else:
            descend(tasks, self.n_threads)
        for task in tasks:
            networks.adopt(task.estimator, task.network)
        return ensemble.show(self, found) if several else self

    def _is_first(self, incremental: bool) -> bool:
        """Whether a training has nothing to go on from."""
        return not hasattr(self, "coefs_") or not (self.warm_start or incremental)

    def _given(
        self, X: Any, y: Any, sample_weight: Any, validation_data: Any, incremental: bool
    ) -> Given:
        """What is to be trained on, checked."""
        settings.hidden_sizes(self.hidden_layer_sizes)
        labels = y
        X, y = self._check_targets(X, y, incremental, self._is_first(incremental))
        data = Data(X, y, self._weights(X, labels, sample_weight, incremental))
        return Given(data, self._validation(validation_data), incremental)

    def _take_over(self, other: BaseMLP) -> None:
        """What another network of the ensemble has learnt from looking at the data."""
        for name in _OF_DATA:
            self.__dict__.pop(name, None)
            if name in other.__dict__:
                self.__dict__[name] = other.__dict__[name]

    def _task(self, given: Given) -> Task:
        """The network, ready to train on this data."""
        random, data = check_random_state(self.random_state), given.data
        self.cost_, outputs = self._objective(data.y)
        self.n_outputs_ = int(data.y.shape[1])
        first = self._is_first(given.incremental)
        if first:
            hidden = settings.hidden_sizes(self.hidden_layer_sizes)
            self._initialize(data.X, hidden, random)
        network = self._ready(rebuild=not (given.incremental or first))
        return Task(self, network, given, outputs, random)

    def _samples(self, X: Any, y: Any = "no_validation", **how: Any) -> Any:
        """Samples, and targets if there are any, as scikit-learn checks them; dense."""
        found = validate_data(self, X, y, accept_sparse=("csr", "csc"), **how)
        X, *rest = found if isinstance(found, tuple) else (found,)
        X = X.toarray() if issparse(X) else X
        return (X, *rest) if rest else X

    @property
    def _dtype(self) -> Any:
        """What samples of a training may be."""
        return _FLOATS if self.dtype is None else float_dtype(self.dtype)

    def _weights(self, X: Array, y: Any, sample_weight: Any, incremental: bool) -> Array | None:
        """Weights of the samples, if there are any."""
        if sample_weight is None:
            return None
        weights = _weights_of("sample_weight", sample_weight, X)
        if not weights.any():
            raise ValueError("Sample weights must contain at least one non-zero number.")
        return weights

    def _validation(self, given: Any) -> Data | None:
        """What a training is to be judged by."""
        if given is None:
            return None
        if not isinstance(given, (tuple, list)) or len(given) not in (2, 3):
            raise TypeError("validation_data must be (X, y) or (X, y, sample_weight)")
        X, y = self._check_validation(given[0], given[1])
        weights = given[2] if len(given) == 3 else None
        if weights is not None:
            weights = _weights_of("sample_weight of validation_data", weights, X)
        return Data(X, y, weights)

    def _initialize(self, X: Array, hidden: list[int], random: Any) -> None:
        """Attributes and coefficients of a first training."""
        cost = self.cost_
        self.n_iter_ = self.t_ = self._no_improvement_count = 0
        self.n_layers_ = len(hidden) + 2
        self.out_activation_ = _OUTPUTS.get(cost.spec.activation, cost.spec.activation)
        for name in _OF_A_TRAINING:
            self.__dict__.pop(name, None)
        sizes = [X.shape[1], *hidden, cost.outputs_for(self._columns())]
        layers = settings.make_layers(sizes, self.activation, self.dropout, 0.0, X.dtype)
        networks.draw(layers, random, self.activation)
        networks.adopt(self, EstimatorNetwork(layers, cost))

    # Predictions.

    def _ready(self, rebuild: bool = False) -> EstimatorNetwork:
        """The network, with the coefficients as they are."""
        network = self.__dict__.get("_network")
        if network is not None and self._network_key != networks.key_of(self):
            network = None  # parameters have been set since
        if rebuild or network is None or not networks.follow(network, self):
            network = networks.build(self, self.cost_)
            networks.adopt(self, network)
        assert isinstance(network, EstimatorNetwork)
        return network

    def _outputs(self, X: Any) -> Array:
        """Outputs of the network for checked samples, (n_samples, width); mean of an ensemble."""
        return self._ready().predict(X)

    def _activity(self, X: Any) -> Array:
        """Activity of the last layer, (n_samples, width)."""
        return np.asarray(logits(self._ready().layers, X))

    def _checked(self, X: Any) -> Any:
        """Samples for a prediction."""
        check_is_fitted(self)
        return self._samples(X, reset=False)


def _weights_of(name: str, given: Any, X: Array) -> Array:
    """Weights of samples, checked."""
    weights: Array = check_sample_weight(given, X)
    if (weights < 0).any():
        k = int(np.argmax(weights < 0))
        raise ValueError(f"{name}[{k}] is {weights[k]}, expected at least 0")
    return weights
