"""Networks of one estimator: each as an estimator of its own on one thread, to the last bit."""

import threading
import warnings

import numpy as np
import pytest
from scipy.sparse import csr_array
from sklearn.base import clone
from sklearn.datasets import load_iris
from sklearn.exceptions import ConvergenceWarning

import fastnn
from fastnn.callbacks import Callback, EarlyStopping
from fastnn.estimators import MLPClassifier, MLPRegressor
from fastnn.schedules import Cosine

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

X, LABELS = load_iris(return_X_y=True)
X = (X - X.mean(axis=0)) / X.std(axis=0)
NUMBERS = np.stack([X[:, 0] * X[:, 1], np.sin(X[:, 2])], axis=1)
ONE = NUMBERS[:, 0]
WEIGHTS = np.random.default_rng(0).uniform(0.5, 2.0, 150)
HELD = X[:40], LABELS[:40]
QUICK = {
    "hidden_layer_sizes": (8,), "max_iter": 6, "batch_size": 32, "random_state": 3,
    "learning_rate_init": 0.02,
}  # fmt: skip

SAME = (
    "loss_", "loss_curve_", "best_loss_", "n_iter_", "t_", "validation_scores_",
    "best_validation_score_", "validation_loss_curve_", "_no_improvement_count",
)  # fmt: skip


def classifier(**parameters):
    return MLPClassifier(**{**QUICK, **parameters})


def regressor(**parameters):
    return MLPRegressor(**{**QUICK, **parameters})


def alone(model):
    """What the networks of an ensemble are, as estimators of one network and one thread."""
    random = np.random.RandomState(model.random_state)
    seeds = random.randint(np.iinfo(np.int32).max, size=model.n_networks)
    given = {"n_networks": 1, "n_threads": 1}
    return [clone(model).set_params(random_state=int(seed), **given) for seed in seeds]


def assert_same(model, others):
    for member, other in zip(model.estimators_, others, strict=True):
        for a, b in zip(
            member.coefs_ + member.intercepts_, other.coefs_ + other.intercepts_, strict=True
        ):
            np.testing.assert_array_equal(a, b)
        for name in SAME:
            np.testing.assert_array_equal(getattr(member, name, ()), getattr(other, name, ()), name)


CASES = {
    "sgd": (classifier(solver="sgd"), LABELS),
    "in order": (classifier(shuffle=False), LABELS),
    "adaptive": (regressor(solver="sgd", learning_rate="adaptive", tol=0.3, max_iter=60), ONE),
    "invscaling": (regressor(solver="sgd", learning_rate="invscaling"), NUMBERS),
    "a schedule": (classifier(learning_rate=Cosine(0.05, 20)), LABELS),
    "a rule with penalties": (regressor(solver="AdamW", alpha=0.1), NUMBERS),
    "an optimizer": (classifier(solver=fastnn.get_opt("Nadam", clip_norm=1.0)), LABELS),
    "stops": (regressor(max_iter=300, tol=0.01, n_iter_no_change=3), ONE),
    "early stopping": (classifier(early_stopping=True, max_iter=80, n_iter_no_change=4), LABELS),
    "early stopping, all at once": (
        regressor(early_stopping=True, batch_size=1000, max_iter=60, n_iter_no_change=3), ONE,
    ),
    "early stopping, in order": (regressor(early_stopping=True, shuffle=False), NUMBERS),
    "dropout": (classifier(dropout=0.3), LABELS),
    "float32": (regressor(dtype="float32", loss="poisson"), np.abs(ONE)),
    "all at once": (regressor(batch_size=1000), NUMBERS),
    "Poisson": (regressor(loss="poisson", early_stopping=True), np.abs(ONE)),
    "labels": (classifier(class_weight="balanced"), LABELS > 0),
}  # fmt: skip


@pytest.mark.parametrize("n_threads", [1, 2])
@pytest.mark.parametrize("case", CASES)
@pytest.mark.filterwarnings("ignore:Got `batch_size` less than 1 or larger")
def test_each_is_as_it_would_be_alone(case, n_threads):
    given, y = CASES[case]
    model = clone(given).set_params(n_networks=3, n_threads=n_threads).fit(X, y)
    assert_same(model, [other.fit(X, y) for other in alone(model)])


@pytest.mark.parametrize("early_stopping", [False, True])
def test_weights_and_validation_data(early_stopping):
    model = classifier(n_networks=3, n_threads=2, early_stopping=early_stopping)
    more = {"sample_weight": WEIGHTS, "validation_data": HELD}
    model.fit(X, LABELS, **more)
    assert_same(model, [other.fit(X, LABELS, **more) for other in alone(model)])
    held_out = classifier(n_networks=3, n_threads=2, early_stopping=True).fit(X, LABELS, WEIGHTS)
    assert_same(held_out, [other.fit(X, LABELS, WEIGHTS) for other in alone(held_out)])


@pytest.mark.parametrize("solver", ["sgd", "adam", "AMSGrad"])
def test_parts_of_trainings(solver):
    model = classifier(n_networks=3, n_threads=2, solver=solver)
    others = alone(model)
    for _ in range(3):
        model.partial_fit(X, LABELS, classes=[0, 1, 2, 3])
        for other in others:
            other.partial_fit(X, LABELS, classes=[0, 1, 2, 3])
        assert_same(model, others)
    numbers = regressor(n_networks=2, n_threads=2, solver=solver)
    others = alone(numbers)
    for _ in range(2):
        numbers.partial_fit(X, NUMBERS, WEIGHTS)
        for other in others:
            other.partial_fit(X, NUMBERS, WEIGHTS)
    assert_same(numbers, others)


def test_trainings_go_on():
    model = classifier(n_networks=3, n_threads=2, warm_start=True, max_iter=2)
    others = alone(model)
    for _ in range(3):
        model.fit(X, LABELS)
        assert_same(model, [other.fit(X, LABELS) for other in others])
    with pytest.raises(ValueError, match="warm_start can only be used where `y` has the same"):
        model.fit(X, LABELS > 0)


def test_reports_come_one_network_after_another(capsys):
    model = regressor(n_networks=3, n_threads=2, verbose=True, early_stopping=True).fit(X, ONE)
    reports = capsys.readouterr().out
    assert_same(model, [other.fit(X, ONE) for other in alone(model)])
    assert reports == capsys.readouterr().out
    assert reports.count("Iteration 1,") == 3


def test_functions_are_called_one_network_after_another():
    calls = []

    def note(run):
        calls.append((id(run.network), run.epoch, threading.current_thread()))
        if run.epoch == 4:
            run.stop("enough")

    model = regressor(n_networks=3, n_threads=2, callbacks=note).fit(X, ONE)
    assert [epoch for _, epoch, _ in calls] == 3 * [1, 2, 3, 4]
    assert [name for name, _, _ in calls] == [
        id(m._network) for m in model.estimators_ for _ in "1234"
    ]
    assert {thread for _, _, thread in calls} == {threading.current_thread()}
    assert [member.n_iter_ for member in model.estimators_] == [4, 4, 4]


class Counting(Callback):
    """Ends a training after some epochs."""

    def __init__(self, epochs=3):
        self.epochs, self.seen = epochs, 0

    def on_epoch(self, run):
        self.seen += 1
        if self.seen == self.epochs:
            run.stop("enough")


def test_each_has_callbacks_of_its_own():
    model = classifier(n_networks=4, n_threads=2, callbacks=[Counting()]).fit(X, LABELS)
    assert [member.callbacks[0].seen for member in model.estimators_] == [3, 3, 3, 3]
    assert model.callbacks[0].seen == 0
    assert_same(model, [other.fit(X, LABELS) for other in alone(model)])


def test_callbacks_of_a_training_that_goes_on_follow_all():
    model = classifier(n_networks=2, callbacks=Counting(99), max_iter=2, warm_start=True)
    model.fit(X, LABELS).fit(X, LABELS)
    assert model.callbacks.seen == 4
    assert {id(member.callbacks) for member in model.estimators_} == {id(model.callbacks)}


def test_callbacks_that_only_stop_may_work_at_the_same_time():
    class Threads(fastnn.callbacks.EarlyStopping):
        """Seen by others, so in turn."""

        def on_epoch(self, run):
            super().on_epoch(run)
            seen.add(threading.current_thread())

    seen = set()
    more = {"n_networks": 3, "n_threads": 2, "max_iter": 50}
    model = regressor(callbacks=EarlyStopping(monitor="cost", patience=2, min_delta=0.01), **more)
    model.fit(X, ONE)
    assert max(member.n_iter_ for member in model.estimators_) < 50
    assert_same(model, [other.fit(X, ONE) for other in alone(model)])
    regressor(callbacks=Threads(monitor="cost"), **more).fit(X, ONE)
    assert seen == {threading.current_thread()}


def test_an_interrupt_ends_all_and_keeps_what_there_is(monkeypatch):
    def interrupt(*_):
        raise KeyboardInterrupt

    def assert_interrupted(model, epochs):
        with pytest.warns(UserWarning, match="Training interrupted by user") as warned:
            model.fit(X, LABELS)
        assert len(warned) == 1
        assert [member.n_iter_ for member in model.estimators_] == epochs
        assert model.predict(X).shape == (150,)

    assert_interrupted(classifier(n_networks=3, callbacks=interrupt), [1, 0, 0])
    monkeypatch.setattr(MLPClassifier, "_score_of", interrupt)
    assert_interrupted(classifier(n_networks=3, n_threads=1, early_stopping=True), [1, 0, 0])


def test_an_error_of_a_callback_is_raised():
    class Broken(Callback):
        def on_epoch(self, run):
            raise RuntimeError("broken")

    with pytest.raises(RuntimeError, match="broken"):
        classifier(n_networks=3, n_threads=2, callbacks=Broken()).fit(X, LABELS)


def test_networks_that_diverge():
    wild = {"solver": "sgd", "learning_rate_init": 1e200, "n_networks": 3}
    with np.errstate(all="ignore"), pytest.raises(ValueError, match="non-finite parameter weights"):
        regressor(**wild).fit(X, ONE)


def test_each_tells_that_it_has_not_converged():
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always")
        classifier(n_networks=3, max_iter=2).fit(X, LABELS)
    assert [warning.category for warning in found] == 3 * [ConvergenceWarning]


def test_lbfgs_trains_one_after_the_other():
    model = regressor(solver="lbfgs", n_networks=2, max_iter=20).fit(X, ONE)
    others = [other.fit(X, ONE) for other in alone(model)]
    for member, other in zip(model.estimators_, others, strict=True):
        np.testing.assert_array_equal(member.coefs_[0], other.coefs_[0])


def test_data_are_checked_and_made_dense_once(monkeypatch):
    seen, check = [], MLPClassifier._check_targets

    def count(self, *data):
        seen.append(self)
        return check(self, *data)

    monkeypatch.setattr(MLPClassifier, "_check_targets", count)
    sparse = csr_array(np.where(X > 0, X, 0.0))
    model = classifier(n_networks=4).fit(sparse, LABELS)
    assert len(seen) == 1
    for member in model.estimators_:
        assert member.n_features_in_ == 4
        assert member.predict(sparse).shape == (150,)
        np.testing.assert_array_equal(member.classes_, [0, 1, 2])
