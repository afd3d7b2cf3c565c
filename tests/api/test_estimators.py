"""Estimators: what they can beyond scikit-learn's, and what they refuse."""

import copy
import io
import pickle
import subprocess
import sys
import warnings

import joblib
import numpy as np
import pandas as pd
import pytest
import sklearn
from scipy.sparse import csr_array
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer, load_iris, make_multilabel_classification
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.model_selection import GridSearchCV, cross_validate
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import fastnn
from fastnn.activations import ACTIVATIONS
from fastnn.callbacks import Callback, EarlyStopping
from fastnn.estimators import MLPClassifier, MLPRegressor
from fastnn.losses import COSTS
from fastnn.optimizers import RULES
from fastnn.schedules import Cosine

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

X, Y = load_iris(return_X_y=True)
X = (X - X.mean(axis=0)) / X.std(axis=0)
BINARY = Y > 1
LABELS = np.stack([Y == 0, Y < 2], axis=1).astype(int)
NUMBERS = np.stack([X[:, 0] * X[:, 1], np.sin(X[:, 2])], axis=1)
FIRST = np.eye(150)[0] + np.eye(150)[1]  # weights of which most samples have none
QUICK = {"hidden_layer_sizes": (8,), "max_iter": 30, "random_state": 0, "learning_rate_init": 0.02}


def classifier(**parameters):
    return MLPClassifier(**{**QUICK, **parameters})


def regressor(**parameters):
    return MLPRegressor(**{**QUICK, **parameters})


def weights_of(model):
    return np.hstack([w.ravel() for w in (*model.coefs_, *model.intercepts_)])


# --- activations, costs, solvers ---------------------------------------------------------------


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", ACTIVATIONS)
@pytest.mark.main_in_float32
@pytest.mark.one_in(3)
def test_any_activation(name, dtype):
    activation = fastnn.get_act(name, 4, 2, 8) if name == "maxout" else name
    model = classifier(activation=activation, max_iter=3).fit(X.astype(dtype), Y)
    assert np.isfinite(model.predict_proba(X.astype(dtype))).all()
    twin = pickle.loads(pickle.dumps(model))
    assert np.array_equal(twin.predict_proba(X), model.predict_proba(X))


def test_an_activation_for_each_layer():
    model = classifier(hidden_layer_sizes=(5, 4), activation=["Mish", "logistic"], max_iter=200)
    model.fit(X, Y)
    assert [layer.activation.name for layer in model._network.layers[:-1]] == ["Mish", "sigmoid"]
    assert model.score(X, Y) > 0.8
    with pytest.raises(
        ValueError, match="activation has 1 entries, expected one for each of the 2"
    ):
        classifier(hidden_layer_sizes=(5, 4), activation=["Mish"]).fit(X, Y)


def test_slopes_of_prelu_are_trained_and_kept():
    model = classifier(activation="PReLU").fit(X, Y)
    (slopes, none) = model.slopes_
    assert none is None
    assert (slopes != 0.25).any()
    twin = copy.deepcopy(model)
    assert np.array_equal(twin.predict_proba(X), model.predict_proba(X))
    twin.partial_fit(X, Y)
    model.partial_fit(X, Y)
    assert np.array_equal(twin.slopes_[0], model.slopes_[0])


OF_CLASSES = [name for name in COSTS if name not in ("GaussianNLL", "MixtureDensityError")]


@pytest.mark.parametrize("name", OF_CLASSES)
def test_costs_of_classes(name):
    joint = not COSTS[name].spec.is_elementwise
    for y in (Y, BINARY, LABELS):
        model = classifier(cost=name)
        if y is LABELS and joint:
            with pytest.raises(ValueError, match="which compares classes with one another"):
                model.fit(X, y)
            continue
        decision, predicted = model.fit(X, y).decision_function(X), model.predict(X)
        assert decision.shape == ((150, 3) if y is Y else y.shape)
        assert np.array_equal(decision.argmax(axis=1) if y is Y else decision > 0, predicted)
        assert model.score(X, y) > 0.6
        assert hasattr(model, "predict_proba") == (
            model.cost_.spec.activation in ("sigmoid", "softmax")
        )
        if hasattr(model, "predict_proba"):
            p = model.predict_proba(X)
            if y is not LABELS:
                np.testing.assert_allclose(p.sum(axis=1), 1, rtol=1e-12)
                assert np.array_equal(model.classes_[p.argmax(axis=1)], predicted)
        elif y is Y:
            with pytest.raises(AttributeError):
                model.predict_log_proba(X)


def test_costs_that_have_no_classes_are_refused():
    for name in ("GaussianNLL", "MixtureDensityError"):
        with pytest.raises(ValueError, match="expected one with an output for each class"):
            classifier(cost=name).fit(X, Y)
    with pytest.raises(ValueError, match="unknown cost 'hubr'; nearest: Huber"):
        classifier(cost="hubr").fit(X, Y)


@pytest.mark.parametrize("cost", ["Huber", fastnn.Huber(delta=0.5), "LogCosh", "MeanAbsoluteError"])
def test_costs_of_numbers(cost):
    model = regressor(cost=cost, max_iter=300).fit(X, NUMBERS)
    assert model.score(X, NUMBERS) > 0.8
    kind = fastnn.losses.COSTS[cost] if isinstance(cost, str) else type(cost)
    given = {} if isinstance(cost, str) else cost.parameters
    loss = kind("mean", **given)(model.predict(X), NUMBERS)
    assert loss == pytest.approx(model.loss_, rel=0.1)
    if not isinstance(cost, str):
        assert cost.reduction == "sum"  # the caller's stays as it is


@pytest.mark.parametrize("name", RULES)
def test_any_optimizer_by_its_name(name):
    model = classifier(solver=name, max_iter=3).fit(X, Y)
    assert type(model._optimizer).__name__ == name
    assert model._optimizer.learning_rate == 0.02
    assert np.isfinite(weights_of(model)).all()


def test_an_optimizer_of_ones_own_keeps_its_rate_and_state():
    given = fastnn.get_opt("AdamW", alpha=0.05, weight_decay=0.1)
    model = clone(classifier(solver=given)).fit(X, Y)
    assert given.steps == 0
    assert model._optimizer.steps == 30
    assert model._optimizer.alpha == 0.05
    again = model.fit(X, Y)._optimizer
    assert again.steps == 30  # anew


def test_a_schedule_goes_on_through_partial_fit():
    rates = Cosine(0.05, steps=20)
    whole = classifier(learning_rate=rates, max_iter=10, shuffle=False).fit(X, Y)
    parts = classifier(learning_rate=rates, shuffle=False)
    for _ in range(10):
        parts.partial_fit(X, Y, classes=[0, 1, 2])
    assert np.array_equal(weights_of(whole), weights_of(parts))
    constant = classifier(learning_rate_init=0.05, max_iter=10, shuffle=False).fit(X, Y)
    assert not np.allclose(weights_of(whole), weights_of(constant))


@pytest.mark.parametrize(
    "change", [{"solver": "sgd"}, {"solver": "Rprop"}, {"beta_2": 0.5}], ids=str
)
@pytest.mark.parametrize("first", ["adam", "sgd", "AdamW"])
def test_partial_fit_keeps_the_solver_that_it_began_with(first, change):
    one, other = classifier(solver=first), classifier(solver=first)
    one.partial_fit(X, Y, classes=[0, 1, 2])
    other.partial_fit(X, Y, classes=[0, 1, 2]).set_params(**change)
    for _ in range(3):
        one.partial_fit(X, Y), other.partial_fit(X, Y)
    assert np.array_equal(weights_of(one), weights_of(other))


# --- weights of classes, dropout, dtypes, threads ----------------------------------------------


def test_class_weights_are_sample_weights():
    table = {0: 1.0, 1: 5.0, 2: 0.5}
    first = classifier(class_weight=table).fit(X, Y, sample_weight=1 + X[:, 0] ** 2)
    weights = (1 + X[:, 0] ** 2) * np.array([1.0, 5.0, 0.5])[Y]
    second = classifier().fit(X, Y, sample_weight=weights)
    assert np.array_equal(weights_of(first), weights_of(second))
    few = Y[40:]
    balanced = classifier(class_weight="balanced").fit(X[40:], few)
    by_hand = classifier(class_weight={k: 110 / 3 / (few == k).sum() for k in range(3)})
    np.testing.assert_allclose(weights_of(balanced), weights_of(by_hand.fit(X[40:], few)))
    names = np.array(["a", "b", "c"])[Y]
    assert classifier(class_weight={"a": 0.0}).fit(X, names).score(X, names) < 0.7
    with pytest.raises(ValueError, match="needs all samples at once"):
        classifier(class_weight="balanced").partial_fit(X, Y, classes=[0, 1, 2])


def test_dropout_is_of_the_training_only():
    plain, dropped = classifier(), classifier(dropout=0.5)
    plain.fit(X, Y), dropped.fit(X, Y)
    assert not np.allclose(weights_of(plain), weights_of(dropped))
    assert np.array_equal(dropped.predict_proba(X), dropped.predict_proba(X))
    assert np.array_equal(weights_of(clone(dropped).fit(X, Y)), weights_of(dropped))
    each = classifier(hidden_layer_sizes=(5, 4), dropout=[0.0, 0.25]).fit(X, Y)
    assert [layer.dropout for layer in each._network.layers] == [0.0, 0.25, 0.0]
    with pytest.raises(ValueError, match=r"dropout=0.5, but L-BFGS"):
        classifier(dropout=0.5, solver="lbfgs").fit(X, Y)


def test_dtypes():
    for given in (X, X.astype("f4"), (10 * X).astype(int)):
        own = np.float32 if given.dtype == np.float32 else np.float64
        for dtype in (None, "float32", np.float64):
            model = classifier(dtype=dtype, max_iter=2).fit(given, Y)
            expected = own if dtype is None else np.dtype(dtype)
            assert {w.dtype for w in model.coefs_} == {np.dtype(expected)}
    with pytest.raises(TypeError, match="dtype must be float32 or float64, not int8"):
        classifier(dtype="int8").fit(X, Y)


def test_threads_change_roundings_only():
    one, two = (classifier(n_threads=n, batch_size=64).fit(X, Y) for n in (1, 2))
    np.testing.assert_allclose(weights_of(one), weights_of(two), rtol=1e-9, atol=1e-12)


# --- validation data, callbacks ----------------------------------------------------------------


@pytest.mark.parametrize("solver", ["adam", "sgd", "lbfgs"])
def test_the_loss_of_validation_data_is_taken(solver):
    model = classifier(solver=solver, alpha=5.0, max_iter=5)
    model.fit(X[::2], Y[::2], validation_data=(X[1::2], Y[1::2], 1 + Y[1::2]))
    p = model.predict_proba(X[1::2])[np.arange(75), Y[1::2]]
    assert len(model.validation_loss_curve_) == 5
    expected = np.average(-np.log(p), weights=1 + Y[1::2])
    assert model.validation_loss_curve_[-1] == pytest.approx(expected, rel=1e-9)


def test_losses_of_a_warm_start_stand_beside_those_of_validation_data():
    model = classifier(max_iter=3, warm_start=True)
    data = X[1::2], Y[1::2]
    for given in (None, data, None, data):
        model.fit(X, Y, validation_data=given)
    assert len(model.loss_curve_) == len(model.validation_loss_curve_) == 12
    known = np.isfinite(model.validation_loss_curve_)
    np.testing.assert_array_equal(known, np.repeat([False, True, False, True], 3))
    model.fit(X, Y)
    assert len(model.validation_loss_curve_) == 15


@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_targets_are_called_y(solver):
    wrong = NUMBERS.astype(np.float64).copy()
    wrong.flat[0] = 1e300
    index = "0" if wrong.ndim == 1 else "0, 0"
    with pytest.raises(ValueError, match=rf"^y\[{index}.*\] is 1e\+300, expected a finite number"):
        regressor(solver=solver, dtype="float32").fit(X, wrong)


def test_a_loss_and_a_cost_are_one_too_many():
    with pytest.raises(ValueError, match="loss is 'poisson' and cost is 'Quantile': give one"):
        regressor(loss="poisson", cost="Quantile").fit(X, NUMBERS)


def test_shapes_of_what_distributions_are_asked_for():
    one = regressor(cost="GaussianNLL", max_iter=1).fit(X, X[:, 0])
    two = regressor(cost="GaussianNLL", max_iter=1).fit(X, X[:, :2])
    rows = len(X)
    assert np.array_equal(one.predict_density(X, X[:, 0]), one.predict_density(X, X[:, :1]))
    assert two.predict_density(X, X[:, :2]).shape == (rows,)
    for y in (X[:3, 0], X[:, :2], 0.5, []):
        with pytest.raises(ValueError, match=rf"y has shape .*, expected \({rows},\) or"):
            one.predict_density(X, y)
    for y in (X[:, 0], X[:, :1], X.ravel()[: 3 * rows].reshape(rows, -1)[:, :1]):
        with pytest.raises(ValueError, match=rf"y has shape .*, expected \({rows}, 2\)"):
            two.predict_density(X, y)
    with pytest.raises(ValueError, match="quantiles is empty"):
        two.predict_quantiles(X, [])


def test_early_stopping_looks_at_the_data_that_it_is_given():
    model = classifier(early_stopping=True, max_iter=200, n_iter_no_change=3)
    model.fit(X[::2], Y[::2], validation_data=(X[1::2], Y[1::2]))
    assert max(model.validation_scores_) == model.best_validation_score_
    assert model.score(X[1::2], Y[1::2]) == model.best_validation_score_
    assert len(model.validation_loss_curve_) == model.n_iter_ < 200


def test_validation_data_that_do_not_fit():
    for given, kind, message in (
        (X, TypeError, r"must be \(X, y\) or"),
        ((X, Y + 1), ValueError, r"classes that y has not: \[3\]"),
        ((X[:, :2], Y), ValueError, "features"),
        ((X, Y[:-1]), ValueError, "inconsistent numbers of samples"),
    ):
        with pytest.raises(kind, match=message):
            classifier().fit(X, Y, validation_data=given)


class Seen(Callback):
    """Writes down what it sees."""

    every = 7

    def __init__(self):
        self.epochs, self.ended = [], False

    def on_epoch(self, run):
        self.epochs.append(run.epoch)

    def on_end(self, run):
        self.ended = True


@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_callbacks(solver):
    seen, stop = Seen(), []

    def end(run):
        stop.append(run.epoch)
        if run.epoch == 9:
            run.stop("enough")

    model = classifier(solver=solver, callbacks=[seen, end], tol=0.0)
    with warnings.catch_warnings():
        warnings.simplefilter("error" if solver == "adam" else "ignore")
        model.fit(X, Y)
    assert (stop, seen.epochs, seen.ended, model.n_iter_) == (list(range(1, 10)), [7], True, 9)
    both = classifier(callbacks=EarlyStopping(patience=2, min_delta=10.0)).fit(X, Y)
    assert both.n_iter_ == 3


@pytest.mark.parametrize("callbacks", [None, lambda run: None])
@pytest.mark.parametrize("batch_size", ["auto", 40])
def test_a_training_that_diverges_says_so(batch_size, callbacks):
    model = regressor(
        solver="sgd", learning_rate_init=0.7, activation="identity", max_iter=5000,
        batch_size=batch_size, callbacks=callbacks, n_iter_no_change=np.inf,
    )  # fmt: skip
    message = "Solver produced non-finite parameter weights.*makes the training diverge: in step "
    with pytest.raises(ValueError, match=message) as told:
        model.fit(X, 1e3 * NUMBERS)
    assert np.isfinite(weights_of(model)).all()
    assert len(model.loss_curve_) == model.n_iter_ > 0
    assert np.isfinite(model.loss_curve_[0])
    assert f"(epoch {model.n_iter_}, batch from sample" in str(told.value)


def test_an_interrupt_keeps_what_there_is():
    def interrupt(run):
        raise KeyboardInterrupt

    with pytest.warns(UserWarning, match="Training interrupted by user"):
        model = classifier(callbacks=interrupt).fit(X, Y)
    assert model.n_iter_ == 1
    assert model.predict(X).shape == (150,)


def test_blocks_of_epochs_end_where_single_ones_do():
    for parameters in ({"tol": 0.05, "n_iter_no_change": 2}, {"tol": 1e-3}):
        given = {"max_iter": 400, "batch_size": 30, **parameters}
        blocks, single = classifier(**given), classifier(**given, callbacks=lambda run: None)
        blocks.fit(X, Y), single.fit(X, Y)
        assert blocks.n_iter_ == single.n_iter_ < 400
        assert blocks.loss_curve_ == single.loss_curve_


# --- ensembles ---------------------------------------------------------------------------------


def test_an_ensemble_is_the_mean_of_its_networks():
    model = classifier(n_networks=3).fit(X, Y)
    parts = np.stack([member.predict_proba(X) for member in model.estimators_])
    mean, std = model.predict_proba(X, return_std=True)
    assert np.array_equal(mean, parts.mean(axis=0))
    assert np.array_equal(std, parts.std(axis=0))
    assert (std > 0).any()
    assert np.array_equal(model.predict(X), mean.argmax(axis=1))
    assert np.array_equal(model.decision_function(X).argmax(axis=1), model.predict(X))
    assert model.coefs_[0] is model.estimators_[0].coefs_[0]
    assert np.array_equal(clone(model).fit(X, Y).predict_proba(X), mean)
    for binary in (BINARY, LABELS):
        model.fit(X, binary)
        assert np.array_equal(model.decision_function(X) > 0, model.predict(X))
    model.set_params(n_networks=1).fit(X, Y)
    assert not hasattr(model, "estimators_")


def test_an_ensemble_of_regressors_tells_its_spread():
    model = regressor(n_networks=4).fit(X, NUMBERS)
    parts = np.stack([member.predict(X) for member in model.estimators_])
    mean, std = model.predict(X, return_std=True)
    np.testing.assert_array_equal(mean, parts.mean(axis=0))
    np.testing.assert_array_equal(std, parts.std(axis=0))
    with pytest.raises(ValueError, match="return_std needs several networks"):
        regressor().fit(X, NUMBERS).predict(X, return_std=True)


def test_an_ensemble_goes_on():
    model = classifier(n_networks=2)
    for _ in range(3):
        model.partial_fit(X, Y, classes=[0, 1, 2])
    assert [member.t_ for member in model.estimators_] == [450, 450]
    warm = classifier(n_networks=2, warm_start=True, max_iter=2).fit(X, Y)
    before = weights_of(warm.estimators_[1])
    warm.fit(X, Y)
    assert [member.t_ for member in warm.estimators_] == [600, 600]
    assert not np.array_equal(weights_of(warm.estimators_[1]), before)


# --- distributions -----------------------------------------------------------------------------


@pytest.mark.parametrize("networks", [1, 3])
@pytest.mark.parametrize(
    "cost", ["GaussianNLL", fastnn.MixtureDensityError(components=2, targets=2)]
)
def test_distributions(cost, networks):
    model = regressor(cost=cost, n_networks=networks).fit(X, NUMBERS)
    weights, means, stds = model.predict_mixture(X)
    np.testing.assert_allclose(weights.sum(axis=1), 1.0, rtol=1e-12)
    mean, std = model.predict(X, return_std=True)
    np.testing.assert_allclose((weights[..., np.newaxis] * means).sum(axis=1), mean, rtol=1e-9)
    assert mean.shape == std.shape == NUMBERS.shape
    # as samples of the distribution have them
    rng = np.random.default_rng(0)
    chosen = (rng.uniform(size=(20000, 1)) > np.cumsum(weights[0])).sum(axis=1)
    drawn = rng.normal(means[0][chosen], stds[0][chosen])
    q = np.array([0.1, 0.5, 0.9])
    found = model.predict_quantiles(X[:1], q)[0]
    expected = np.quantile(drawn, q, axis=0).T
    assert np.abs(found - expected).max() < 10 * std[0].max() / 20000**0.5
    assert np.abs(drawn.std(axis=0) / std[0] - 1).max() < 10 / 20000**0.5
    one = model.predict_quantiles(X, 0.5)
    assert np.array_equal(one, model.predict_quantiles(X, [0.5])[..., 0])
    # a density of each sample, whose mean logarithm is the loss
    log = np.log(model.predict_density(X, NUMBERS))
    if networks == 1:
        loss = model._network.cost(X, NUMBERS) - sum(q.penalty() for q in model._network.layers)
        assert -log.mean() == pytest.approx(loss, rel=1e-6)


def test_a_quantile_of_its_own():
    model = regressor(cost=fastnn.Quantile(q=0.9), max_iter=300).fit(X, NUMBERS)
    assert (model.predict(X) > NUMBERS).mean() == pytest.approx(0.9, abs=0.06)
    assert np.array_equal(model.predict_quantiles(X, 0.9), model.predict(X))
    with pytest.raises(ValueError, match=r"knows q=0.9 only"):
        model.predict_quantiles(X, [0.5, 0.9])
    assert not hasattr(model, "predict_mixture")
    assert not hasattr(regressor(), "predict_quantiles")
    for wrong in (0.0, 1.5, np.nan, [[0.5]]):
        with pytest.raises(ValueError, match="quantiles must be between 0 and 1"):
            model.predict_quantiles(X, wrong)


# --- in scikit-learn's company -----------------------------------------------------------------


@pytest.mark.parametrize("make", [classifier, regressor])
@pytest.mark.parametrize("way", ["pickle", "deepcopy", "joblib"])
def test_copies_predict_and_train_on(make, way):
    model = make(early_stopping=False).fit(X, Y)
    if way == "joblib":
        file = io.BytesIO()
        joblib.dump(model, file)
        file.seek(0)
        twin = joblib.load(file)
    else:
        twin = copy.deepcopy(model) if way == "deepcopy" else pickle.loads(pickle.dumps(model))
    assert np.array_equal(twin.predict(X), model.predict(X))
    for _ in range(3):
        model.partial_fit(X, Y), twin.partial_fit(X, Y)
    assert np.array_equal(weights_of(twin), weights_of(model))


def test_coefficients_may_be_assigned():
    model, other = classifier().fit(X, Y), classifier(random_state=1).fit(X, Y)
    model.coefs_, model.intercepts_ = other.coefs_, other.intercepts_
    assert np.array_equal(model.predict_proba(X), other.predict_proba(X))
    model.coefs_[-1] = 0 * model.coefs_[-1]
    assert np.ptp(model.predict_proba(X), axis=0).max() == 0.0
    model.intercepts_[-1][:] = [9.0, 0.0, 0.0]
    assert (model.predict(X) == 0).all()


@pytest.mark.sweep
def test_breast_cancer_in_a_grid_search_of_two_processes():
    samples, malignant = load_breast_cancer(return_X_y=True)
    pipe = make_pipeline(StandardScaler(), MLPClassifier((30,), max_iter=100, random_state=0))
    grid = {
        "mlpclassifier__activation": ["relu", "GELU"],
        "mlpclassifier__solver": ["adam", "Lion"],
    }
    search = GridSearchCV(pipe, grid, n_jobs=2, cv=2).fit(samples, malignant)
    assert search.best_score_ > 0.95


def test_sample_weights_are_routed():
    with sklearn.config_context(enable_metadata_routing=True):
        scaler = StandardScaler().set_fit_request(sample_weight=False)
        pipe = make_pipeline(
            scaler,
            classifier().set_fit_request(sample_weight=True).set_score_request(sample_weight=True),
        )
        scores = cross_validate(pipe, X, Y, params={"sample_weight": 1.0 + Y}, cv=2)
    assert len(scores["test_score"]) == 2


def test_data_frames_and_words_and_sparse_matrices():
    frame = pd.DataFrame(X, columns=list("abcd"))
    names = pd.Series(np.array(["one", "two", "three"])[Y])
    model = classifier().fit(frame, names)
    assert model.feature_names_in_.tolist() == list("abcd")
    assert set(model.predict(frame)) <= {"one", "two", "three"}
    with pytest.warns(UserWarning, match="does not have valid feature names"):
        model.predict(X)
    dense, sparse = classifier().fit(X, Y), classifier().fit(csr_array(X), Y)
    assert np.array_equal(weights_of(dense), weights_of(sparse))
    assert np.array_equal(dense.predict(csr_array(X)), dense.predict(X))
    assert "MLPClassifier" in model._repr_html_()


def test_several_labels():
    samples, labels = make_multilabel_classification(n_samples=80, random_state=0)
    model = classifier(max_iter=300).fit(samples, labels)
    assert model.predict(samples).shape == labels.shape
    assert model.score(samples, labels) > 0.6
    assert (model.out_activation_, model.n_outputs_) == ("logistic", 5)


# --- refused -----------------------------------------------------------------------------------

REFUSED = {
    "activation": ({"activation": "rleu"}, ValueError, "unknown activation 'rleu'; nearest"),
    "solver": ({"solver": "adamm"}, ValueError, "unknown optimizer 'adamm'; nearest"),
    "rate": ({"learning_rate": "cosine"}, ValueError, "The 'learning_rate' parameter of"),
    "networks": ({"n_networks": 0}, ValueError, "The 'n_networks' parameter of"),
    "threads": ({"n_threads": 0}, ValueError, "The 'n_threads' parameter of"),
    "dropout": ({"dropout": 1.0}, ValueError, "The 'dropout' parameter of"),
    "widths": ({"hidden_layer_sizes": (3, 0)}, ValueError, "hidden_layer_sizes must be > 0"),
    "callbacks": ({"callbacks": [3]}, TypeError, r"callbacks\[0\] is 3, expected a Callback"),
    "cost": ({"cost": 3}, ValueError, "The 'cost' parameter of"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_parameters_that_do_not_fit(case):
    parameters, kind, message = REFUSED[case]
    with pytest.raises(kind, match=message):
        classifier(**parameters).fit(X, Y)


def test_weights_that_do_not_fit():
    for weights, message in (
        (np.zeros(150), "non-zero"),
        (-np.ones(150), r"[Nn]egative|at least 0"),
        (np.ones(3), "inconsistent|shape"),
        (np.full(150, np.nan), "NaN"),
    ):
        with pytest.raises(ValueError, match=message):
            classifier().fit(X, Y, sample_weight=weights)


def test_targets_out_of_the_range_of_a_cost():
    y = np.abs(NUMBERS)
    y[3, 1] = -1
    with pytest.raises(ValueError, match=r"y\[3, 1\] is -1.0, expected a number, at least 0"):
        regressor(cost="Poisson").fit(X, y)


def test_weights_that_are_zero_of_all_samples_that_train_or_judge():
    ends = set()
    for seed in range(20):
        split = regressor(random_state=seed, max_iter=2, early_stopping=True)
        split.set_params(validation_fraction=0.5)
        try:
            split.fit(X, NUMBERS, sample_weight=FIRST)
            ends.add(str(np.isnan(split.validation_scores_)))
        except ValueError as error:
            ends.add(str(error))
    none = "Sample weights must contain at least one non-zero number."
    assert ends == {"[ True  True]", "[False False]", none}
    with pytest.raises(ValueError, match="at least one non-zero number"):
        classifier(class_weight={0: 0.0, 1: 0.0, 2: 0.0}).fit(X, Y)


def test_before_training_there_is_nothing_to_predict():
    for call in ("predict", "predict_proba", "decision_function"):
        with pytest.raises(NotFittedError):
            getattr(classifier(), call)(X)


def test_partial_fit_has_its_limits():
    assert not hasattr(classifier(solver="lbfgs"), "partial_fit")
    assert not hasattr(classifier(solver="L-BFGS"), "partial_fit")
    with pytest.raises(ValueError, match="does not support early_stopping"):
        classifier(early_stopping=True).partial_fit(X, Y, classes=[0, 1, 2])


def test_the_end_of_the_epochs_is_warned_of():
    with pytest.warns(ConvergenceWarning, match=r"Maximum iterations \(2\) reached"):
        classifier(max_iter=2).fit(X, Y)


@pytest.mark.parametrize(
    ("limits", "reason"),
    [({"max_iter": 2}, "2 iterations: 2 iterations are over"),
     ({"max_fun": 1}, "1 iterations: the evaluations are over")],
)  # fmt: skip
def test_the_limits_of_lbfgs_are_warned_of(limits, reason):
    with pytest.warns(ConvergenceWarning, match=f"failed to converge after {reason}"):
        model = classifier(solver="lbfgs", **{"max_iter": 50, **limits}).fit(X, Y)
    assert model.n_iter_ <= 2


@pytest.mark.filterwarnings("error")
def test_an_end_that_was_asked_for_is_not_warned_of():
    stop = lambda run: run.stop("enough") if run.epoch == 3 else None  # noqa: E731
    assert classifier(solver="lbfgs", callbacks=stop).fit(X, Y).n_iter_ == 3
    assert classifier(solver="lbfgs", max_iter=5000).fit(X, Y).n_iter_ < 5000


def test_without_scikit_learn_it_says_what_to_install(tmp_path):
    (tmp_path / "sklearn").mkdir()
    (tmp_path / "sklearn" / "__init__.py").write_text(
        "raise ModuleNotFoundError(\"No module named 'sklearn'\", name='sklearn')\n"
    )
    program = (
        "import fastnn\nimport sys\nassert 'sklearn' not in sys.modules\nimport fastnn.estimators"
    )
    found = subprocess.run(
        [sys.executable, "-c", f"import sys\nsys.path.insert(0, {str(tmp_path)!r})\n{program}"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert "pip install 'fastnn-numba[sklearn]'" in found.stderr.splitlines()[-1]


# --- what is set after a training


def _fitted(**more):
    X, y = _two_classes()
    given = {"hidden_layer_sizes": (5,), "max_iter": 3, "random_state": 0, **more}
    return MLPClassifier(**given).fit(X, y), X, y


def _two_classes():
    X = np.random.default_rng(0).normal(size=(60, 4))
    return X, np.where(X[:, 0] > 0, "hi", "lo")


def test_an_activation_that_is_set_counts_at_once():
    model, X, _ = _fitted()
    before = model.predict_proba(X)
    after = model.set_params(activation="tanh").predict_proba(X)
    assert not np.array_equal(before, after)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(model)).predict_proba(X), after)


def test_one_network_after_an_ensemble():
    model, X, y = _fitted(n_networks=3)
    model.set_params(n_networks=1).partial_fit(X, y)
    assert not hasattr(model, "estimators_")
    before = model.predict_proba(X)
    model.partial_fit(X, y)
    assert not np.array_equal(model.predict_proba(X), before)


def test_validation_losses_are_those_of_the_last_training():
    X, y = _two_classes()
    model = MLPClassifier((5,), max_iter=3, random_state=0).fit(X, y, validation_data=(X, y))
    assert len(model.validation_loss_curve_) == 3
    assert not hasattr(model.fit(X, y), "validation_loss_curve_")
    with pytest.raises(ValueError, match=r"sample_weight of validation_data\[0\] is -1.0"):
        model.fit(X, y, validation_data=(X, y, -np.ones(60)))


@pytest.mark.parametrize("weight", [np.nan, np.inf, -2.0])
def test_weights_of_classes_are_named(weight):
    with pytest.raises(ValueError, match=f"class_weight gives {weight} to samples of .*lo"):
        _fitted(class_weight={"lo": weight, "hi": 1.0})
