"""Estimators beside scikit-learn's of the same names: the same training, to rounding."""

import warnings

import numpy as np
import pytest
from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier as TheirClassifier
from sklearn.neural_network import MLPRegressor as TheirRegressor
from support.tolerance import assert_close

from fastnn.estimators import MLPClassifier, MLPRegressor

ROWS, WIDTHS = 137, (12, 7)
IMAGES, DIGITS = (array[:ROWS] for array in load_digits(return_X_y=True))
IMAGES = IMAGES / 16
WEIGHTS = np.random.RandomState(0).uniform(0, 2, ROWS)
LABELS = np.stack([DIGITS % 2 == 0, DIGITS > 4, DIGITS % 3 == 0], axis=1).astype(int)
NUMBERS = np.stack([IMAGES @ np.sin(np.arange(64)), IMAGES @ np.cos(np.arange(64))], axis=1)
TARGETS = {
    "classes": DIGITS,
    "words": np.array(["even", "odd"])[DIGITS % 2],
    "labels": LABELS,
    "number": NUMBERS[:, 0],
    "numbers": NUMBERS,
    "counts": DIGITS,
}
LOST = {"adam": 1, "sgd": 1, "lbfgs": 1000}  # the searches of L-BFGS magnify roundings


def both(targets, weights=None, dtype=np.float64, **parameters):
    """Theirs and ours, trained."""
    given = {"hidden_layer_sizes": WIDTHS, "max_iter": 10, "random_state": 3, "batch_size": 40}
    given |= parameters
    kinds = (TheirClassifier, MLPClassifier)
    if targets.startswith(("number", "counts")):
        kinds = (TheirRegressor, MLPRegressor)
        given["loss"] = "poisson" if targets == "counts" else "squared_error"
    models = [kind(**given) for kind in kinds]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        for model in models:
            model.fit(IMAGES.astype(dtype), TARGETS[targets], weights)
    return models


def assert_same(theirs, ours):
    """All that a training leaves."""
    steps = max(1, theirs.t_ // 40) if theirs.solver != "lbfgs" else theirs.n_iter_
    operations = steps * (64 + sum(WIDTHS)) * LOST[theirs.solver] ** 2
    assert (ours.n_iter_, ours.t_) == (theirs.n_iter_, theirs.t_)
    assert (ours.n_layers_, ours.n_outputs_) == (theirs.n_layers_, theirs.n_outputs_)
    assert ours.out_activation_ == theirs.out_activation_
    for name in ("coefs_", "intercepts_"):
        found, expected = getattr(ours, name), getattr(theirs, name)
        assert [w.dtype for w in found] == [w.dtype for w in expected]
        assert_close(np.hstack([w.ravel() for w in found]),
                     np.hstack([w.ravel() for w in expected]), operations=operations)  # fmt: skip
    for name in ("loss_curve_", "validation_scores_", "loss_", "best_loss_"):
        if getattr(theirs, name, None) is None:
            assert getattr(ours, name, None) is None
        else:
            found, expected = getattr(ours, name), getattr(theirs, name)
            assert np.shape(found) == np.shape(expected)
            found = np.asarray(found, ours.coefs_[0].dtype)
            assert_close(found, np.asarray(expected), operations=operations)
    if isinstance(theirs, TheirClassifier):
        assert np.array_equal(ours.predict(IMAGES), theirs.predict(IMAGES))


SOLVERS = ["adam", "sgd"]


@pytest.mark.parametrize("activation", ["identity", "logistic", "tanh", "relu"])
@pytest.mark.parametrize("solver", SOLVERS)
def test_activations(solver, activation):
    assert_same(*both("classes", solver=solver, activation=activation))


@pytest.mark.parametrize("weights", [None, WEIGHTS], ids=["all alike", "weights"])
@pytest.mark.parametrize("targets", TARGETS)
@pytest.mark.parametrize("solver", SOLVERS)
def test_targets_and_weights(solver, targets, weights):
    assert_same(*both(targets, weights, solver=solver, alpha=0.5))


@pytest.mark.parametrize(
    "parameters",
    [
        {"shuffle": False},
        {"shuffle": False, "batch_size": 1, "max_iter": 2},
        {"batch_size": ROWS, "max_iter": 60},
        {"batch_size": "auto", "max_iter": 200, "tol": 1e-2, "n_iter_no_change": 3},
        {"alpha": 0.0, "hidden_layer_sizes": 19},
        {"early_stopping": True, "tol": 1e-2, "max_iter": 30, "n_iter_no_change": 3},
        {"n_iter_no_change": np.inf, "tol": 10.0},
    ],
    ids=str,
)
@pytest.mark.parametrize("solver", SOLVERS)
def test_settings_of_both(solver, parameters):
    assert_same(*both("classes", solver=solver, **parameters))


@pytest.mark.parametrize(
    "parameters",
    [
        {"momentum": 0.0},
        {"momentum": 0.5, "nesterovs_momentum": False},
        {"momentum": 1.0},
        {"learning_rate": "invscaling", "learning_rate_init": 0.1},
        {"learning_rate": "adaptive", "learning_rate_init": 0.1, "max_iter": 150, "tol": 1e-2,
         "n_iter_no_change": 2},
    ],
    ids=str,
)  # fmt: skip
def test_settings_of_sgd(parameters):
    assert_same(*both("classes", solver="sgd", **parameters))


@pytest.mark.parametrize(
    "parameters",
    [{"beta_1": 0.0}, {"beta_2": 0.9}, {"beta_2": 0.5}, {"epsilon": 1e-3}, {"epsilon": 1.0}],
    ids=str,
)
def test_settings_of_adam(parameters):
    assert_same(*both("classes", solver="adam", **parameters))


@pytest.mark.parametrize("weights", [None, WEIGHTS], ids=["all alike", "weights"])
@pytest.mark.parametrize("targets", ["classes", "words", "labels", "number", "counts"])
def test_lbfgs(targets, weights):
    assert_same(*both(targets, weights, solver="lbfgs"))


@pytest.mark.parametrize("solver", SOLVERS)
def test_float32_stays_float32(solver):
    theirs, ours = both("classes", dtype=np.float32, solver=solver)
    assert {w.dtype for w in ours.coefs_} == {np.dtype(np.float32)}
    assert ours.predict_proba(IMAGES.astype("f4")).dtype == np.float32
    assert_same(theirs, ours)


@pytest.mark.parametrize("kind", [(TheirClassifier, MLPClassifier), (TheirRegressor, MLPRegressor)])
@pytest.mark.parametrize("solver", SOLVERS)
def test_partial_fit_and_warm_start(solver, kind):
    models = [k(hidden_layer_sizes=WIDTHS, random_state=1, solver=solver) for k in kind]
    more = {"classes": range(10)} if kind[0] is TheirClassifier else {}
    for model in models:
        for _ in range(5):
            model.partial_fit(IMAGES, DIGITS, **more)
    assert_same(*models)
    for model in models:
        model.set_params(warm_start=True, max_iter=4, batch_size=40)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            model.fit(IMAGES, DIGITS).fit(IMAGES, DIGITS)
        model.partial_fit(IMAGES, DIGITS)
    assert_same(*models)


def test_outputs_are_those_of_the_same_coefficients():
    theirs, ours = both("classes")
    ours.coefs_, ours.intercepts_ = theirs.coefs_, theirs.intercepts_
    for name in ("predict_proba", "predict_log_proba"):
        found = (getattr(model, name)(IMAGES) for model in (ours, theirs))
        assert_close(*found, operations=64 + sum(WIDTHS))
    assert ours.score(IMAGES, DIGITS) == theirs.score(IMAGES, DIGITS)


def test_parameters_and_defaults_are_theirs():
    for theirs, ours in ((TheirClassifier(), MLPClassifier()), (TheirRegressor(), MLPRegressor())):
        expected, found = theirs.get_params(), ours.get_params()
        assert {name: found[name] for name in expected} == expected
