"""Many networks in one call: each as its own `fit` on one thread, to the last bit."""

import signal
import threading
import time
import tracemalloc

import numpy as np
import pytest

import fastnn
from fastnn import (
    DenseLayer,
    LinearLayer,
    MeanSquaredError,
    NeuralNetwork,
    SumSquaresError,
    fit_many,
    get_opt,
    predict_many,
)
from fastnn.callbacks import Callback, EarlyStopping, TerminateOnNaN
from fastnn.schedules import Exponential

RANDOM = np.random.default_rng(3)
X = RANDOM.normal(size=(90, 3)).astype(np.float32)
T = np.sin(X.sum(axis=1, keepdims=True))
WEIGHTS = RANDOM.uniform(0.5, 2.0, 90).astype(np.float32)


def network(seed=0, width=8, dropout=0.0, dtype=np.float32, cost=MeanSquaredError, activation=None):
    rng = np.random.default_rng(seed)
    hidden = DenseLayer(
        3, width, activation=activation or "tanh", dropout=dropout, dtype=dtype, rng=rng
    )
    return NeuralNetwork([hidden, LinearLayer(width, 1, dtype=dtype, rng=rng)], cost())


def different():
    """Networks of several shapes, dtypes, activations and costs."""
    return [
        network(1), network(2, width=5, dropout=0.2), network(3, dtype=np.float64),
        network(4, activation="ReLU", cost=SumSquaresError), network(5, width=70),
    ]  # fmt: skip


def assert_same(networks, histories, others, expected):
    for a, h, b, g in zip(networks, histories, others, expected, strict=True):
        np.testing.assert_array_equal(a.parameters, b.parameters)
        np.testing.assert_array_equal(h.cost, g.cost)
        np.testing.assert_array_equal(h.validation_cost, g.validation_cost)
        np.testing.assert_array_equal(h.learning_rate, g.learning_rate)
        assert h.stopped == g.stopped
        assert a.draws == b.draws
        if a.optimizer is not None:
            assert a.optimizer.steps == b.optimizer.steps
            for key, value in a.optimizer.state_dict().items():
                np.testing.assert_array_equal(value, b.optimizer.state_dict()[key])


CASES = {
    "Adam": {"optimizer": "Adam", "learning_rate": 0.01},
    "momentum": {"optimizer": "MSGD", "learning_rate": 0.01},
    "Nadam, a schedule": {"optimizer": "Nadam", "learning_rate": Exponential(0.02, 0.9, 10)},
    "descent, in order": {"learning_rate": 0.001, "shuffle": False},
    "all samples": {"optimizer": "Adam", "learning_rate": 0.01, "batch_size": None},
    "weights": {"optimizer": "Adam", "learning_rate": 0.01, "sample_weight": WEIGHTS},
    "validation": {"optimizer": "Adam", "learning_rate": 0.01, "validation_data": (X[:9], T[:9])},
}


@pytest.mark.parametrize("n_threads", [1, 2])
@pytest.mark.parametrize("case", CASES)
def test_each_is_trained_as_by_its_own_fit(case, n_threads):
    settings = {"epochs": 4, "batch_size": 16, **CASES[case]}
    networks, others = different(), different()
    histories = fit_many(networks, X, T, rng=7, n_threads=n_threads, **settings)
    sources = np.random.default_rng(7).spawn(len(others))
    expected = [
        other.fit(X, T, rng=source, n_threads=1, **settings)
        for other, source in zip(others, sources, strict=True)
    ]
    assert_same(networks, histories, others, expected)


def test_every_argument_may_be_one_for_each():
    networks, others = different()[:3], different()[:3]
    given = {
        "learning_rate": [0.1, 0.01, 0.003],
        "epochs": (3, 0, 5),
        "batch_size": [7, None, 100],
        "shuffle": [True, True, False],
        "validation_data": [None, (X[:5], T[:5]), [X[:7], T[:7], WEIGHTS[:7]]],
        "sample_weight": [WEIGHTS, None, WEIGHTS[:60]],
        "rng": [1, np.random.default_rng(4), None],
    }
    data = [X, X, X[:60]], [T, T, T[:60]]
    optimizers = [
        [None, get_opt("AdamW", weight_decay=0.1), get_opt("SGD", clip_norm=1.0)] for _ in "ab"
    ]
    seen = []
    histories = fit_many(
        networks, *data, optimizer=optimizers[0], callbacks=[None, seen.append, [seen.append]],
        **given,
    )  # fmt: skip
    given["rng"][1] = np.random.default_rng(4)
    expected = [
        other.fit(
            data[0][k], data[1][k], optimizer=optimizers[1][k], n_threads=1,
            **{name: values[k] for name, values in given.items()},
        )
        for k, other in enumerate(others)
    ]  # fmt: skip
    assert_same(networks, histories, others, expected)
    assert [len(history) for history in histories] == [3, 0, 5]
    assert len(seen) == 5
    assert networks[1].optimizer is optimizers[0][1]


@pytest.mark.parametrize("source", [None, np.random.RandomState(5)])
def test_a_source_without_children_serves_all_in_turn(source):
    networks, others = [network(1), network(2)], [network(1), network(2)]
    if source is None:
        np.random.seed(5)  # noqa: NPY002
    fit_many(networks, X, T, 0.01, epochs=2, batch_size=9, rng=source)
    if source is None:
        np.random.seed(5)  # noqa: NPY002
    else:
        source = np.random.RandomState(5)
    for other in others:
        other.fit(X, T, 0.01, epochs=2, batch_size=9, rng=source, n_threads=1)
    np.testing.assert_array_equal(networks[1].parameters, others[1].parameters)


def test_trainings_go_on():
    networks, others = [network(1), network(2, dropout=0.5)], [network(1), network(2, dropout=0.5)]
    for epochs in (2, 3):
        draws = [nn.draws for nn in networks] if epochs == 3 else 1
        fit_many(networks, X, T, 0.01, optimizer="Adam", epochs=epochs, batch_size=16, rng=draws)
    fit_many(others, X, T, 0.01, optimizer="Adam", epochs=5, batch_size=16, rng=1)
    for a, b in zip(networks, others, strict=True):
        np.testing.assert_array_equal(a.parameters, b.parameters)
        assert a.optimizer.steps == 30


SUBSETS = RANDOM.integers(90, size=(3, 50))
MASK = np.arange(90) % 3 == 0


@pytest.mark.parametrize(
    "subsets", [SUBSETS, list(SUBSETS[:, :20]), SUBSETS[0], [MASK, None, np.array([5])]]
)
def test_subsets(subsets):
    networks, others = [network(k, dropout=0.1) for k in range(3)], []
    seen = []
    histories = fit_many(
        networks, X, T, 0.01, optimizer="Adam", epochs=3, batch_size=16, rng=2,
        subsets=subsets, sample_weight=WEIGHTS, n_threads=2,
        callbacks=lambda run: seen.append(run.training_cost()),
    )  # fmt: skip
    expected, found = [], []
    for k, source in enumerate(np.random.default_rng(2).spawn(3)):
        one = subsets[k] if len(subsets) == 3 else subsets
        rows = np.arange(90) if one is None else one
        others.append(network(k, dropout=0.1))
        history = others[k].fit(
            X[rows], T[rows], 0.01, optimizer="Adam", epochs=3, batch_size=16, rng=source,
            sample_weight=WEIGHTS[rows], n_threads=1,
            callbacks=lambda run: found.append(run.training_cost()),
        )  # fmt: skip
        expected.append(history)
    assert_same(networks, histories, others, expected)
    assert sorted(seen) == sorted(found)


@pytest.mark.parametrize("n_threads", [1, 2])
def test_each_stops_for_itself(n_threads):
    def stops():
        return [EarlyStopping(patience=k + 1) for k in range(3)]

    networks, others = [network(k) for k in range(3)], [network(k) for k in range(3)]
    settings = {"optimizer": "Adam", "epochs": 60, "batch_size": 16}
    settings["validation_data"] = X[:20], -T[:20]
    rates, given = [0.05, 0.02, 0.2], stops()
    histories = fit_many(
        networks, X[20:], T[20:], rates, rng=1, callbacks=given, n_threads=n_threads, **settings
    )
    sources = np.random.default_rng(1).spawn(3)
    expected = [
        other.fit(X[20:], T[20:], rate, rng=source, callbacks=stop, n_threads=1, **settings)
        for other, rate, source, stop in zip(others, rates, sources, stops(), strict=True)
    ]
    assert_same(networks, histories, others, expected)
    assert all(0 < len(history) < 60 for history in histories)
    assert all("has not improved" in history.stopped for history in histories)


RATES = [0.01, 1e30, 0.02, 1e35]


def test_one_that_diverges_does_not_end_the_others():
    networks = [network(k) for k in range(4)]
    before = networks[1].parameters.copy()
    with pytest.raises(
        ValueError, match=r"^2 of 4 networks diverge \(networks\[1\], networks\[3"
    ) as e:
        fit_many(networks, X, T, RATES, epochs=5)
    assert "networks[3]: learning_rate=1e+35 makes the training diverge" in str(e.value)
    others = [network(0), network(2)]
    others[0].fit(X, T, 0.01, epochs=5)
    others[1].fit(X, T, 0.02, epochs=5)
    np.testing.assert_array_equal(networks[0].parameters, others[0].parameters)
    np.testing.assert_array_equal(networks[2].parameters, others[1].parameters)
    assert np.isfinite(networks[1].parameters).all()
    assert before.shape == networks[1].parameters.shape


def test_errors_can_be_reasons():
    networks = [network(k) for k in range(4)]
    histories = fit_many(networks, X, T, RATES, epochs=5, on_divergence="stop")
    assert [history.stopped is None for history in histories] == [True, False, True, False]
    assert "learning_rate=1e+30 makes the training diverge" in histories[1].stopped
    stops = [TerminateOnNaN() for _ in RATES]
    again = fit_many([network(k) for k in range(4)], X, T, RATES, epochs=5, callbacks=stops)
    assert [len(history) for history in again] == [len(history) for history in histories]


def test_an_error_of_a_callback_ends_all():
    class Fails(Callback):
        def on_epoch(self, run):
            raise OSError("disk full")

    networks = [network(k) for k in range(3)]
    ends = []

    class Ends(Callback):
        every = 10**9

        def on_end(self, run):
            ends.append(run.epoch)

    with pytest.raises(OSError, match="disk full"):
        fit_many(
            networks, X, T, 1e-6, epochs=10**9, batch_size=2, n_threads=2,
            callbacks=[Ends(), Fails(), None],
        )  # fmt: skip
    assert len(ends) == 1
    for nn in networks:
        assert np.isfinite(nn.parameters).all()
        nn.fit(X, T, 0.01, epochs=1)  # nothing of it is left


@pytest.mark.parametrize("n_threads", [1, 2])
def test_ctrl_c_ends_all(n_threads):
    networks = [network(k) for k in range(4)]
    main = threading.main_thread().ident
    timer = threading.Timer(0.3, signal.pthread_kill, [main, signal.SIGINT])
    started = time.monotonic()
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        fit_many(networks, X, T, 1e-6, epochs=10**9, batch_size=2, n_threads=n_threads)
    timer.join()
    assert time.monotonic() - started < 60.0
    for nn in networks:
        assert np.isfinite(nn.parameters).all()
        nn.fit(X, T, 0.01, epochs=1)


def test_callbacks_may_use_their_network():
    def look(run):
        assert np.isfinite(run.network.cost(X, T))
        run.network.gradient(X, T)
        run.network.parameters[0] += 0.01

    networks, others = [network(1), network(2)], [network(1), network(2)]
    fit_many(networks, X, T, 0.01, epochs=3, callbacks=look, n_threads=2)
    for k, other in enumerate(others):
        other.fit(X, T, 0.01, epochs=3, callbacks=look)
        np.testing.assert_array_equal(networks[k].parameters, other.parameters)


class Doubled(LinearLayer):
    def __call__(self, activity):
        return 2.0 * super().__call__(activity)


def test_layers_of_the_callers():
    def networks():
        own = NeuralNetwork([Doubled(3, 1, rng=1)], SumSquaresError())
        return [network(1), own]

    found, others = networks(), networks()
    subsets = [None, np.arange(0, 90, 2)]
    histories = fit_many(found, X, T, 1e-4, epochs=3, batch_size=16, subsets=subsets, rng=[1, 2])
    expected = [
        others[0].fit(X, T, 1e-4, epochs=3, batch_size=16, rng=1, n_threads=1),
        others[1].fit(X[::2], T[::2], 1e-4, epochs=3, batch_size=16, rng=2),
    ]
    assert_same(found, histories, others, expected)


def test_data_are_not_copied():
    x, t = np.zeros((200_000, 3), np.float32), np.zeros((200_000, 1), np.float32)
    networks = [network(k) for k in range(5)]
    subsets = [np.arange(100_000)] * 5  # one array, which is checked once
    fit_many(networks, x[:50], t[:50], 1e-3)
    for given in (None, subsets):
        tracemalloc.start()
        fit_many(networks, x, t, 1e-3, batch_size=50_000, shuffle=False, subsets=given, n_threads=1)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        of_one = 0 if given is None else 100_000 * (16 + 8 + 1)
        assert peak < 1.5e6 + of_one + len(networks) * networks[0]._trainer[1].work.nbytes


def test_float64_data_are_converted_once(monkeypatch):
    calls = []
    once = fastnn.training.many_tasks.finite_samples
    monkeypatch.setattr(
        "fastnn.training.many_tasks.finite_samples", lambda *a: calls.append(a) or once(*a)
    )
    fit_many([network(k) for k in range(4)], X.astype(float), T.astype(float), 0.01)
    assert len(calls) == 1


A = network(1)
SHARING = NeuralNetwork([A.layers[0], LinearLayer(8, 1, dtype=np.float32)], MeanSquaredError())
BAD = {
    "no network": (ValueError, "networks is empty", {"networks": []}),
    "one network": (TypeError, "networks is one network", {"networks": A}),
    "a number": (TypeError, "networks is 3", {"networks": 3}),
    "other things": (TypeError, r"networks\[1\] is 'a'", {"networks": [A, "a"]}),
    "twice": (ValueError, r"networks\[1\] is networks\[0\] again", {"networks": [A, A]}),
    "sharing": (ValueError, "has a layer of networks", {"networks": [A, SHARING]}),
    "rates": (ValueError, "learning_rate has 3 entries", {"learning_rate": [1, 2, 3]}),
    "a rate": (TypeError, r"networks\[1\]: learning_rate", {"learning_rate": [0.1, "a"]}),
    "no rate": (TypeError, "a learning_rate or an optimizer", {"learning_rate": None}),
    "a list of rows": (ValueError, "X has 90 entries, expected one for each", {"X": X.tolist()}),
    "wide": (ValueError, r"X has shape \(90, 2\)", {"X": X[:, :2]}),
    "NaN": (ValueError, r"X\[0, 0\] is nan", {"X": np.full_like(X, np.nan)}),
    "targets": (ValueError, "t has 89 rows", {"t": T[1:]}),
    "weights": (ValueError, "sample_weight has shape", {"sample_weight": WEIGHTS[1:]}),
    "epochs": (ValueError, "epochs must be at least 0", {"epochs": [1, -1]}),
    "batch": (TypeError, "batch_size must be an int", {"batch_size": 1.5}),
    "threads": (ValueError, "n_threads must be at least 1", {"n_threads": 0}),
    "subset beyond": (ValueError, r"subsets\[1\]\[1\] is 90, expected 0 to 89",
                      {"subsets": [None, [0, 90]]}),
    "negative": (ValueError, r"subsets\[0\]\[0\] is -1", {"subsets": np.array([-1])}),
    "empty subset": (ValueError, r"subsets\[0\] is empty", {"subsets": [[], None]}),
    "floats": (TypeError, r"subsets\[0\] has shape", {"subsets": np.array([0.5])}),
    "mask": (ValueError, r"subsets\[0\] is a mask of 3", {"subsets": np.array([True] * 3)}),
    "empty mask": (
        ValueError,
        r"subsets\[0\] is a mask without a sample",
        {"subsets": np.zeros(90, bool)},
    ),
    "L-BFGS": (ValueError, "single steps", {"optimizer": "L-BFGS", "learning_rate": None}),
    "rule": (ValueError, r"networks\[0\]: ", {"optimizer": "Adamm"}),
    "one optimizer": (ValueError, "state of one network", {"optimizer": get_opt("Adam")}),
    "one callback": (ValueError, "follows one training", {"callbacks": EarlyStopping()}),
    "rng": (TypeError, "rng must be None, an int", {"rng": "a"}),
    "one of rngs": (TypeError, "rng must be None, an int", {"rng": [1, "a"]}),
    "Draws": (TypeError, "give a list", {"rng": fastnn.model.draws.Draws(1)}),
    "divergence": (ValueError, "on_divergence must be", {"on_divergence": "go on"}),
    "validation": (TypeError, "validation_data must be", {"validation_data": (X,)}),
}  # fmt: skip


@pytest.mark.parametrize("fault", ["rng", "parameters"])
def test_a_refused_network_leaves_the_others_without_an_optimizer(fault):
    a, b = network(0), network(1)
    if fault == "parameters":
        b.layers[0].w[0, 0] = np.nan
    with pytest.raises((TypeError, ValueError)):
        fastnn.fit_many(
            [a, b], X, T, optimizer="Adam", batch_size=9, rng=[1, "a" if fault == "rng" else 2]
        )
    assert (a.optimizer, b.optimizer) == (None, None)


@pytest.mark.parametrize("case", BAD)
def test_bad_arguments(case):
    error, message, changed = BAD[case]
    b = network(2)
    before = A.parameters.copy(), b.parameters.copy()
    given = {"networks": [A, b], "X": X, "t": T, "learning_rate": 0.1, "batch_size": 16, **changed}
    with pytest.raises(error, match=message):
        fit_many(**given)
    np.testing.assert_array_equal(A.parameters, before[0])
    np.testing.assert_array_equal(b.parameters, before[1])


def test_predictions():
    networks = [network(k) for k in range(3)]
    found = predict_many(networks, X)
    assert (found.shape, found.dtype) == ((3, 90, 1), np.float32)
    for k, nn in enumerate(networks):
        np.testing.assert_array_equal(found[k], nn.predict(X))
    assert predict_many(networks, X[0]).shape == (3, 1)
    assert predict_many(networks, X[:0]).shape == (3, 0, 1)
    each = predict_many([*networks, network(4, dtype=np.float64)], [X[:5]] * 4)
    assert (each.shape, each.dtype) == ((4, 5, 1), np.float64)


def test_predictions_that_do_not_fit():
    two = NeuralNetwork([LinearLayer(3, 2, dtype=np.float32)], SumSquaresError())
    with pytest.raises(ValueError, match=r"networks\[1\] gives outputs of shape \(90, 2\)"):
        predict_many([network(1), two], X)
    with pytest.raises(ValueError, match="X has 2 entries"):
        predict_many([network(1)], [X, X])
    with pytest.raises(ValueError, match="networks is empty"):
        predict_many([], X)
    with pytest.raises(TypeError, match=r"networks\[0\] is 3"):
        predict_many([3], X)


@pytest.mark.parametrize("change", ["l2", "dropout", "trainable", "activation_parameters", "width"])
def test_networks_of_other_forms_do_not_get_the_models_of_the_first(change):
    def networks():
        found = [
            network(k, width=6 + (k == 1 and change == "width"), activation="ELU")
            for k in (0, 1, 2)
        ]
        if change != "width":
            value = {
                "l2": 0.5,
                "dropout": 0.4,
                "trainable": False,
                "activation_parameters": {"alpha": 0.3},
            }
            setattr(found[1].layers[0], change, value[change])
        return found

    settings = {"optimizer": "Adam", "learning_rate": 0.01, "epochs": 3, "batch_size": 16}
    many, others = networks(), networks()
    histories = fit_many(many, X, T, rng=7, n_threads=1, **settings)
    sources = np.random.default_rng(7).spawn(3)
    expected = [
        other.fit(X, T, rng=source, n_threads=1, **settings)
        for other, source in zip(others, sources, strict=True)
    ]
    assert_same(many, histories, others, expected)
    assert not np.array_equal(many[0].parameters, many[2].parameters)


def test_costs_of_other_numbers_do_not_get_the_models_of_the_first():
    costs = [fastnn.Huber(delta=d, reduction=r) for d in (0.1, 0.7) for r in ("sum", "mean")]
    many, others = ([network(1, cost=lambda c=cost: c) for cost in costs] for _ in range(2))
    histories = fit_many(many, X, T, 0.01, optimizer="Adam", epochs=3, n_threads=1)
    expected = [other.fit(X, T, 0.01, optimizer="Adam", epochs=3, n_threads=1) for other in others]
    assert_same(many, histories, others, expected)


def test_predictions_of_another_dtype_are_converted_once(monkeypatch):
    networks, calls = [network(k) for k in range(4)], []
    once = fastnn.training.many.convert
    monkeypatch.setattr("fastnn.training.many.convert", lambda *a: calls.append(a) or once(*a))
    samples = X.astype(float) + 1e-9
    outputs = predict_many([*networks, network(5, dtype=np.float64)], samples)
    assert len(calls) == 1
    for found, one in zip(outputs, networks, strict=False):
        np.testing.assert_array_equal(found, one.predict(samples))


def test_messages_name_the_data_as_the_network_does():
    class Named(NeuralNetwork):
        _data_names = "samples", "y"

    named, bad = Named(network(1).layers, MeanSquaredError()), T.copy()
    bad[3] = np.nan
    with pytest.raises(ValueError, match=r"y\[3, 0\] is nan"):
        fit_many([named], X, bad, 0.1)
