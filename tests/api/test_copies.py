"""Pickles, deep copies and joblib's files of everything that a program keeps are the same again."""

import copy
import io
import pickle
import warnings

import joblib
import numpy as np
import pytest
from support.networks import optimizer as made
from support.networks import twice_activated

import fastnn
from fastnn import DenseLayer, LinearLayer, SumSquaresError, schedules
from fastnn import callbacks as all_callbacks
from fastnn.activations import ACTIVATIONS
from fastnn.initializers import INITIALIZERS
from fastnn.losses import COSTS
from fastnn.model.draws import Draws
from fastnn.optimizers import RULES

rng = np.random.default_rng(0)
X, T = rng.normal(size=(10, 3)), rng.normal(size=(10, 2))


def through_joblib(value):
    stream = io.BytesIO()
    joblib.dump(value, stream)
    stream.seek(0)
    return joblib.load(stream)


WAYS = {
    "pickle": lambda value: pickle.loads(pickle.dumps(value)),
    "first protocol": lambda value: pickle.loads(pickle.dumps(value, 0)),
    "deepcopy": copy.deepcopy,
    "joblib": through_joblib,
}
by_way = pytest.mark.parametrize("way", WAYS)


def write_nothing(values, epoch):
    """What a `Log` is given."""


def falling(epoch):
    return 0.1 / (1 + epoch)


def activation(name):
    return fastnn.get_act(name, 3, 2, 2, rng=0) if name == "maxout" else fastnn.get_act(name)


def network(name="tanh", trained=False):
    """One with a layer of that activation; trained: by an optimizer with state, in batches."""
    layers = [DenseLayer(3, 2, activation=name, rng=0, dropout=0.25), LinearLayer(2, 2, rng=1)]
    nn = twice_activated(layers, SumSquaresError())
    if trained:
        nn.fit(X, T, optimizer="Adam", epochs=2, batch_size=5, rng=0)
    return nn


def stepped(rule):
    """An optimizer with a schedule and a state."""
    opt = made(rule, learning_rate=schedules.Cosine(1e-3, 10))
    for _ in range(2):
        opt.step(np.ones(4), np.arange(4.0), f=1.0)
    return opt


def schedule(kind):
    given = {"rate": 0.5, "peak": 0.5, "steps": 4, "every": 3, "decay": 0.25, "then": 0.25}
    return kind(**{key: given[key] for key in kind.__dataclass_fields__ if key in given})


CALLBACKS = {
    "CSVLog": lambda: all_callbacks.CSVLog("log.csv"),
    "Checkpoint": lambda: all_callbacks.Checkpoint("{epoch}.npz"),
    "EarlyStopping": lambda: all_callbacks.EarlyStopping(patience=2),
    "LearningRate": lambda: all_callbacks.LearningRate(falling),
    "Log": lambda: all_callbacks.Log(write_nothing),
    "Progress": all_callbacks.Progress,
    "TerminateOnNaN": all_callbacks.TerminateOnNaN,
}


def history():
    found = fastnn.History()
    found.extend([3.0, 2.0], 0.1, 0.5)
    return found


# By what they are of: how one is made, and what is to be the same of its copy.
THINGS = {
    **{f"activation {name}": (lambda name=name: activation(name), repr) for name in ACTIVATIONS},
    **{f"cost {name}": (kind, repr) for name, kind in COSTS.items()},
    **{
        f"optimizer {n}": (lambda n=n: stepped(n), lambda o: f"{o} {o.state_dict()}") for n in RULES
    },
    **{f"schedule {k.__name__}": (lambda k=k: schedule(k), repr) for k in schedules.SCHEDULES},
    **{f"initializer {n}": (lambda n=n: fastnn.get_init(n), repr) for n in INITIALIZERS},
    "history": (history, lambda one: str(one.to_dict())),
    "history of one": (lambda: fastnn.History.of_one(3.0, 0.1, 0.5), repr),
    "draws": (lambda: Draws(1, 2, 3, 4), repr),
    "summary": (lambda: network().summary(), repr),
}
by_thing = pytest.mark.parametrize("what", THINGS)


@pytest.mark.one_in(4)
@by_way
@by_thing
def test_copies(what, way):
    make, shown = THINGS[what]
    one = make()
    again = WAYS[way](one)
    assert type(again) is type(one)
    assert shown(again) == shown(one)


def test_all_callbacks_are_tried():
    kinds = {
        name for name in all_callbacks.__all__ if isinstance(getattr(all_callbacks, name), type)
    }
    assert CALLBACKS.keys() == kinds - {"Run", "Callback"}


@by_way
@pytest.mark.parametrize("name", CALLBACKS)
def test_callbacks_before_in_and_after_a_training(name, way, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    callback, copied = CALLBACKS[name](), []
    options = {
        "epochs": 3,
        "rng": 0,
        "callbacks": [callback, lambda run: copied.append(WAYS[way](callback))],
    }
    shown = repr(callback)
    assert repr(WAYS[way](callback)) == shown
    network().fit(X, T, 0.01, **options)
    for again in (*copied, WAYS[way](callback)):
        assert type(again) is type(callback)
        assert repr(again) == shown
        network().fit(X, T, 0.01, epochs=2, rng=0, callbacks=again)
    assert len(copied) == 3


@by_way
def test_progress_with_an_open_bar(way, monkeypatch):
    monkeypatch.setattr("fastnn.callbacks.progress.bar", lambda epochs: Bar())
    callback, copied = all_callbacks.Progress(), []
    hooks = [callback, lambda run: copied.append(WAYS[way](callback))]
    network().fit(X, T, 0.01, epochs=2, rng=0, callbacks=hooks)
    assert len(copied) == 2
    network().fit(X, T, 0.01, epochs=2, rng=0, callbacks=copied[0])


class Bar:
    """One of tqdm, which holds the terminal."""

    def __reduce__(self):
        raise TypeError("cannot pickle a terminal")

    def set_postfix_str(self, *args, **options):
        pass

    def update(self, epochs):
        pass

    def close(self):
        pass


@pytest.mark.one_in(4)
@by_way
@pytest.mark.parametrize("name", ACTIVATIONS)
def test_networks(name, way):
    one = network(name)
    again = WAYS[way](one)
    assert repr(again) == repr(one)
    assert np.array_equal(again.parameters, one.parameters)
    again.parameters[...] = 0
    assert one.parameters.any()


@by_way
def test_trained_networks_go_on(way):
    one = network(trained=True)
    one(X)  # which layers remember
    again = WAYS[way](one)
    assert again.draws == one.draws
    for each in (one, again):
        each.fit(X, T, epochs=2, batch_size=5, rng=each.draws)
    assert np.array_equal(again.parameters, one.parameters)
    assert np.array_equal(again.predict(X), one.predict(X))


def test_activations_of_copies_compute_the_same():
    x = np.linspace(-3, 3, 12).reshape(4, 3)
    for name in ("leaky-ReLU", "PReLU", "maxout", "softmax"):
        one = activation(name)
        again = pickle.loads(pickle.dumps(one))
        assert np.array_equal(again.forward(x), one.forward(x))


def test_between_processes(child, tmp_path):
    """All of it is made here and looked at there."""
    things = {what: make() for what, (make, _) in THINGS.items()}
    things |= {f"callback {name}": make() for name, make in CALLBACKS.items()}
    things |= {f"network {name}": network(name) for name in ACTIVATIONS}
    things |= {"trained": network(trained=True), "function": things["schedule Cosine"].__call__}
    with open(tmp_path / "things.pkl", "wb") as file:
        pickle.dump(things, file)
    found = child("look_at", tmp_path / "things.pkl")
    assert found.keys() == things.keys()
    for what, one in things.items():
        if what.startswith(("callback LearningRate", "callback Log", "function")):
            continue  # whose repr has an address
        assert found[what] == repr(one), what


@pytest.mark.sweep
def test_joblib_in_processes_of_its_own():
    one = network(trained=True)
    job = joblib.delayed(_go_on)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of loky
        both = joblib.Parallel(n_jobs=2)(job(one, epochs) for epochs in (1, 2))
    for epochs, found in zip((1, 2), both, strict=True):
        assert np.array_equal(found.parameters, _go_on(copy.deepcopy(one), epochs).parameters)


def _go_on(nn, epochs):
    nn.fit(X, T, epochs=epochs, batch_size=5, rng=nn.draws)
    return nn
