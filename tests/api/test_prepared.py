"""The articles' calls one by one: prepared once, and right whatever has changed since."""

import copy
import gc
import pickle
import sys

import numpy as np
import pytest
from support.tolerance import assert_close

import fastnn
from fastnn import (
    DenseLayer,
    LinearLayer,
    NeuralNetwork,
    SigmoidCrossEntropy,
    SoftmaxCrossEntropy,
    SumSquaresError,
    TanhLayer,
    get_act,
    get_err,
    get_opt,
)
from fastnn.optimizers import RULES

X = np.random.default_rng(0).normal(size=(7, 4))
T = np.random.default_rng(1).uniform(size=(7, 2))


def network(cost=SumSquaresError, dtype="float64", activation="tanh", **settings):
    layers = [
        DenseLayer(4, 5, activation=activation, dtype=dtype, rng=0, **settings),
        LinearLayer(5, 2, dtype=dtype, rng=1),
    ]
    return NeuralNetwork(layers, cost())


def by_layers(nn, x=X):
    """The output, by NumPy."""
    for layer in nn.layers:
        x = x @ layer.w + layer.b
        if layer.activation.name == "tanh":
            x = np.tanh(x)
    return x


@pytest.mark.parametrize("rule", RULES)
def test_one_step_is_that_of_the_trainings(rule):
    """To the last bit, with the state that it leaves."""
    one, other = network(), network()
    settings = {"rng": 0} if RULES[rule].noisy else {}
    first, second = (get_opt(rule, **settings) for _ in range(2))
    for _ in range(3):
        a = one.fit(X, T, optimizer=first)
        b = other.fit(X, T, optimizer=second, n_threads=1)
        assert (a.cost, a.learning_rate, len(a)) == (b.cost, b.learning_rate, len(b))
    assert "step" in one._prepared
    assert "step" not in other._prepared
    assert np.array_equal(one.parameters, other.parameters)
    assert one.optimizer.steps == other.optimizer.steps == 3


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("cost", [SumSquaresError, SigmoidCrossEntropy, SoftmaxCrossEntropy])
def test_descent_is_that_of_the_trainings(cost, dtype):
    one, other = network(cost, dtype), network(cost, dtype)
    x, t = X.astype(dtype), T.astype(dtype)
    for rate in (0.1, 0.05, 1):
        a, b = one.fit(x, t, rate), other.fit(x, t, rate, n_threads=1)
        assert a.cost == b.cost
        assert a.learning_rate == b.learning_rate == rate
    assert np.array_equal(one.parameters, other.parameters)
    assert_close(one(x), one.predict(x), operations=40)
    assert_close(one.cost(x, t), one.fit(x, t, 0.0).cost[0], operations=40)


def test_a_history_fills_itself_in():
    history = network().fit(X, T, 0.1)
    assert "_table" not in vars(history)
    twin = pickle.loads(pickle.dumps(history))
    assert repr(history).startswith("History(1 epoch, cost ")
    assert (len(history), history.learning_rate.tolist(), history.stopped) == (1, [0.1], None)
    assert history.seconds[0] > 0
    assert history.validation_cost.size == 0
    assert twin.to_dict() == history.to_dict()
    history.extend(1.0, 0.1, 0.1)
    assert len(history) == 2
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        history.nothing  # noqa: B018


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("name", ["X", "t"])
def test_samples_that_are_not_finite_are_refused(name, value):
    nn = network()
    nn.fit(X, T, 0.1)
    data, before = {"X": X.copy(), "t": T.copy()}, nn.parameters.copy()
    data[name][2, 1] = value
    with pytest.raises(ValueError, match=rf"{name}\[2, 1\] is {value}"):
        nn.fit(data["X"], data["t"], 0.1)
    assert np.array_equal(nn.parameters, before)


def test_targets_out_of_their_range_are_refused():
    nn = network(SigmoidCrossEntropy)
    nn.fit(X, T, 0.1)
    nn.cost(X, T)
    nn.cost_function(X, X > 0)
    bad = T.copy()
    bad[3, 0] = 1.5
    for call in (lambda: nn.fit(X, bad, 0.1), lambda: nn.cost(X, bad)):
        with pytest.raises(ValueError, match=r"\[3, 0\] is 1.5, expected a probability"):
            call()
    for call in (nn.cost_function, nn.cost_function.delta):
        call(T, T)
        with pytest.raises(ValueError, match=r"targets\[3, 0\] is 1.5"):
            call(T, bad)


def test_a_step_that_would_not_be_finite_is_refused():
    nn = network()
    nn.fit(X, T, 0.1)
    before = nn.parameters.copy()
    with pytest.raises(ValueError, match="makes the training diverge"):
        nn.fit(X, T, 1e308)
    assert np.array_equal(nn.parameters, before)
    for rate in (-1.0, np.nan, np.inf, "0.1"):
        with pytest.raises((TypeError, ValueError), match="learning_rate"):
            nn.fit(X, T, rate)
    assert np.array_equal(nn.parameters, before)


def warm(nn):
    """All calls made once."""
    nn(X), nn.predict(X), nn.cost(X, T), nn.fit(X, T, 0.0)
    nn.fit(X, T, 0.0, optimizer="Adam")
    nn.fit(X, T, 0.0, optimizer="Adam")
    for layer in nn.layers:
        nn(X)
        layer.back_propagation(np.zeros((7, layer.dim_output)), 0.0)
    return nn


def reassign_w(nn):
    nn.layers[0].w = np.full((4, 5), 0.25)


def change_in_place(nn):
    nn.layers[0].w[...] = 0.25


def widen(nn):
    nn.layers[0].w, nn.layers[0].b = np.full((4, 3), 0.5), np.zeros(3)
    nn.layers[1].w = np.full((3, 2), 0.5)


def another_layer(nn):
    nn.layers[0] = TanhLayer(4, 5, rng=7)


def one_more_layer(nn):
    nn.layers.insert(1, TanhLayer(5, 5, rng=7))


def another_activation(nn):
    nn.layers[0].activation = "identity"


def other_parameters(nn):
    nn.parameters = np.linspace(-1, 1, nn.parameters.size)


@pytest.mark.parametrize(
    "change",
    [
        reassign_w, change_in_place, widen, another_layer, one_more_layer, another_activation,
        other_parameters,
    ],
)  # fmt: skip
def test_changes_are_noticed(change):
    nn = warm(network())
    change(nn)
    expected = by_layers(nn)
    assert_close(nn(X), expected, operations=100)
    assert_close(nn.layers[0](X), nn.layers[0].output, operations=1)
    assert_close(nn.layers[1](nn.layers[0](X)), nn.layers[1].output, operations=1)
    nn(X)
    assert_close(nn.layers[-1].output, expected, operations=100)
    assert_close(nn.predict(X), expected, operations=100)
    cost = 0.5 * np.sum((expected - T) ** 2)
    assert_close(nn.cost(X, T), cost, operations=100)
    assert_close(nn.fit(X, T, 0.0).cost[0], cost, operations=100)


def test_another_cost_is_noticed():
    nn = warm(network())
    nn.cost_function = SigmoidCrossEntropy()
    assert_close(nn(X), 1 / (1 + np.exp(-by_layers(nn))), operations=100)
    assert_close(nn.fit(X, T, 0.0).cost[0], nn.cost(X, T), operations=100)
    nn.cost_function = SumSquaresError()
    nn.cost(X, T)
    whole = nn.fit(X, T, 0.0).cost[0]
    nn.cost_function.reduction = "mean"
    assert_close(nn.fit(X, T, 0.0).cost[0], whole / 7, operations=20)
    assert_close(nn.cost(X, T), whole / 7, operations=20)
    assert_close(nn.cost_function(T, X[:, :2]), np.sum((T - X[:, :2]) ** 2) / 14, operations=40)


def test_another_dtype_is_noticed():
    nn = warm(network())
    single = X.astype("float32")
    for given in (single, X.tolist(), X.astype(">f8"), np.asfortranarray(X), X[::-1][::-1]):
        expected = by_layers(nn, np.asarray(given, "float64"))
        assert_close(nn(given), expected, operations=100)
        assert_close(nn.predict(given), expected, operations=100)
        assert_close(nn.layers[0](given), np.tanh(given @ nn.layers[0].w), operations=100)
    narrow = network(dtype="float32")
    warm_ = narrow(single)
    assert narrow(X).dtype == warm_.dtype == np.float32


@pytest.mark.filterwarnings("ignore:Setting the shape:DeprecationWarning")
def test_a_resized_array_is_noticed():
    nn = warm(network())
    x, t = X.copy(), T.copy()
    nn(x), nn.cost(x, t), nn.fit(x, t, 0.0)
    x.resize((3, 4), refcheck=False)
    assert nn(x).shape == nn.predict(x).shape == nn.layers[0](x)[:, :2].shape == (3, 2)
    for call in (lambda: nn.cost(x, t), lambda: nn.fit(x, t, 0.0)):
        with pytest.raises(ValueError, match="7"):
            call()
    x.shape = (4, 3)
    for call in (nn, nn.predict, nn.layers[0]):
        with pytest.raises(ValueError, match=r"X has shape \(4, 3\)"):
            call(x)


def test_a_read_only_array_may_be_read_but_not_written():
    nn = warm(network())
    x, out = X.copy(), np.empty((7, 2))
    x.flags.writeable = False
    assert_close(nn.predict(x, out), nn(x), operations=40)
    out.flags.writeable = False
    with pytest.raises(ValueError, match="out is read-only"):
        nn.predict(x, out)
    act = get_act("tanh")
    target = act.forward(X)
    assert act.forward(X, target) is target
    target.flags.writeable = False
    with pytest.raises(ValueError, match="read-only"):
        act.forward(X, target)


def test_read_only_weights_are_not_changed():
    layer = TanhLayer(4, 5, rng=0)
    y = layer(X)
    layer.back_propagation(np.ones_like(y), 0.1)
    layer.w.flags.writeable = False
    before = layer.w.copy()
    with pytest.raises(ValueError, match="w is not C-contiguous, aligned and writable"):
        layer(X)
    with pytest.raises(ValueError, match=r"read-only|w is not"):
        layer.back_propagation(np.ones_like(y), 0.1)
    assert np.array_equal(layer.w, before)


@pytest.mark.parametrize("activation", ["tanh", "identity", "GELU", "softmax", "GLU"])
@pytest.mark.parametrize("rows", [1, 7, 600])
def test_layers_have_what_the_network_has_passed(rows, activation):
    """Input and output of each, and the way back, though the network went through all at once."""
    nn = network(activation=activation)
    x = np.random.default_rng(3).normal(size=(rows, 4))
    y, twin = nn(x), copy.deepcopy(nn)
    value = x
    for layer in twin.layers:
        value = layer(value)
    assert nn.layers[0].input is x
    assert nn.layers[1].input is nn.layers[0].output
    for layer, other in zip(nn.layers, twin.layers, strict=True):
        assert_close(layer.output, other.output, operations=100)
    assert_close(y, nn.layers[1].output, operations=1)
    delta = other_delta = y
    for layer, other in zip(reversed(nn.layers), reversed(twin.layers), strict=True):
        delta = layer.back_propagation(delta, 0.01)
        other_delta = other.back_propagation(other_delta, 0.01)
        assert_close(delta, other_delta, operations=4000)
    assert_close(nn.parameters, twin.parameters, operations=4000)


def test_what_was_passed_is_forgotten_by_copies_and_trainings():
    nn = network()
    nn(X)
    twin = copy.copy(nn.layers[0])
    assert twin.input is twin.output is None
    assert pickle.loads(pickle.dumps(nn)).layers[0].input is None
    nn.fit(X, T, 0.1)
    assert nn.layers[0].input is nn.layers[1].output is None
    nn(X)
    nn.layers[0](X[:2])  # alone: the other layer keeps what it has
    assert nn.layers[0].input.shape == (2, 4)
    assert nn.layers[1].output.shape == (7, 2)
    with pytest.raises(ValueError, match="expected"):
        nn.layers[0].back_propagation(np.ones((7, 5)), 0.1)


def test_a_layer_of_ones_own_is_passed_by_itself():
    class Doubled(DenseLayer):
        def forward_propagation(self, X):
            return 2 * super().forward_propagation(X)

    nn = NeuralNetwork([Doubled(4, 5, rng=0), LinearLayer(5, 2, rng=1)], SumSquaresError())
    plain = 2 * (X @ nn.layers[0].w + nn.layers[0].b)
    assert_close(nn.layers[0](X), plain, operations=40)
    assert_close(nn(X), plain @ nn.layers[1].w, operations=40)
    layer = TanhLayer(4, 5, rng=0)
    layer(X)
    layer.forward_propagation = lambda X: "mine"
    assert layer(X) == "mine"


def test_a_frozen_layer_stays():
    layer = TanhLayer(4, 5, rng=0)
    before = layer.w.copy()
    y = layer(X)
    layer.trainable = False
    layer.back_propagation(np.ones_like(y), 0.1)
    assert np.array_equal(layer.w, before)
    layer.trainable = True
    layer.back_propagation(np.ones_like(y), 0.1)
    assert not np.array_equal(layer.w, before)


@pytest.mark.parametrize("rule", [name for name in RULES if not RULES[name].weight_decay])
@pytest.mark.parametrize("shapes", [((4, 3), (3,)), ((2,), (0,)), (None, None), ((2, 1, 2), None)])
def test_updates_are_those_of_lists(rule, shapes):
    """Which go the careful way; to the last bit."""
    one, other = (get_opt(rule, **({"rng": 0} if RULES[rule].noisy else {})) for _ in range(2))
    rng = np.random.default_rng(0)
    extra = {"f": 1.5} if RULES[rule].needs_loss else {}
    for t in (None, None, 5):
        grads = [rng.normal(size=s) if s else float(rng.normal()) for s in shapes]
        found = one.update(*grads, t=t, **extra)
        lists = [g.tolist() if isinstance(g, np.ndarray) else np.array(g) for g in grads]
        careful = [np.array(g).reshape(np.shape(h)) for g, h in zip(lists, grads, strict=True)]
        careful = [c.astype(">f8") for c in careful]
        expected = other.update(*careful, t=t, **extra)
        for a, b, g in zip(found, expected, grads, strict=True):
            assert np.array_equal(a, b)
            assert np.shape(a) == np.shape(g)
    assert one.steps == other.steps == 5


def test_updates_are_new_arrays():
    opt = get_opt("MSGD")
    g = np.ones(3)
    first, _ = opt.update(g, 1.0)
    kept = first.copy()
    second, _ = opt.update(g, 1.0)
    assert not np.shares_memory(first, second)
    assert np.array_equal(first, kept)
    assert isinstance(opt.update(1.0 * g, np.float64(1.0))[1], np.float64)


def test_updates_of_other_gradients_are_noticed():
    opt = get_opt("Adam")
    opt.update(np.ones((2, 3)), np.ones(3))
    with pytest.raises(ValueError, match=r"6 parameters|has been used"):
        opt.update(np.ones((3, 2)), np.ones(2))
    with pytest.raises(ValueError, match="has been used"):
        opt.update(np.ones((3, 2)), np.ones(3))
    with pytest.raises(ValueError, match=r"grad_w\[1, 0\] is nan"):
        opt.update(np.array([[1.0, 1, 1], [np.nan, 1, 1]]), np.ones(3))
    state, steps = opt.state_dict()["m"].copy(), opt.steps
    assert np.isfinite(state).all()
    opt.load_state_dict(get_opt("Adam").state_dict())
    assert opt.steps == 0 != steps
    plain = get_opt("SGD")
    for shape in ((2, 3), (3, 2), (5,)):
        dw, _ = plain.update(np.ones(shape), np.ones(2))
        assert dw.shape == shape


def test_settings_of_updates_are_noticed():
    opt = get_opt("SGD", eta=0.5)
    g = np.array([2.0, -4.0])
    assert opt.update(g, 0.0)[0].tolist() == [-1.0, 2.0]
    opt.eta = 0.25
    assert opt.update(g, 0.0)[0].tolist() == [-0.5, 1.0]
    opt.clip_value = 1.0
    assert opt.update(g, 0.0)[0].tolist() == [-0.25, 0.25]
    opt.clip_value, opt.clip_norm = None, 1e-3
    assert_close(np.linalg.norm(opt.update(g, 0.0)[0]), 0.25e-3, operations=8)
    opt.clip_norm, opt.weight_decay = None, 0.1
    with pytest.raises(TypeError, match="needs w and b"):
        opt.update(g, 0.0)


def test_an_error_keeps_its_derivative():
    for name in ("Square", "Binary", "Cross"):
        err = get_err(name)
        y, t = np.array([0.25, 0.5]), np.array([1.0, 0.0])
        expected = get_err(name)
        expected.forward(y.tolist(), t.tolist())
        assert np.array_equal(err.forward(y, t), expected.error)
        y[...] = 0.75
        assert np.array_equal(err.backward(), expected.backward())
        slope = err.backward()
        slope[...] = 0
        assert np.array_equal(err.backward(), expected.backward())
        assert err.total_error() == expected.total_error()


def test_probabilities_are_still_checked():
    err = get_err("Binary")
    err.forward(np.array([0.5]), np.array([1.0]))
    with pytest.raises(ValueError, match=r"y\[0\] is 1.5, expected a probability"):
        err.forward(np.array([1.5]), np.array([1.0]))
    with pytest.raises(ValueError, match=r"t\[0\] is -1.0"):
        err.forward(np.array([0.5]), np.array([-1.0]))


def references():
    """What Python counts of objects that every call touches, beyond what never dies."""
    return [sys.getrefcount(one) for one in (X, T, np.dtype("f8"), np.dtype("f4"), np.ndarray)]


def test_calls_leave_no_references_behind():
    nn, opt, err, act = warm(network()), get_opt("Adam"), get_err("Square"), get_act("softmax")
    cost, layer, g = SoftmaxCrossEntropy(), TanhLayer(4, 5, rng=0), np.ones((4, 2))
    out, delta, t = np.empty((7, 2)), np.ones((7, 5)), np.abs(X) % 1

    def all_calls():
        nn(X), nn.predict(X), nn.predict(X, out), nn.cost(X, T), nn.fit(X, T, 0.0)
        nn.fit(X, T, optimizer="Adam"), nn.layers[0].output
        layer(X), layer.back_propagation(delta, 0.0)
        opt.update(g, 1.0), err.forward(X, X), err.backward(), err.total_error()
        act.forward(X), act.backward(X), cost(X, t), cost.delta(X, t)
        cost.activate(X)
        for refused in (X[:, ::-1], X.astype("f4")):
            nn(refused), act.forward(refused), layer(refused)

    all_calls()
    gc.collect()
    before = references()
    for _ in range(50):
        all_calls()
    gc.collect()
    assert np.abs(np.subtract(references(), before)).max() < 25


def test_no_memory_is_lost():
    fastnn.set_num_threads(fastnn.get_num_threads())
    nn, x = network(), np.zeros((2000, 4))
    resource = pytest.importorskip("resource")
    for _ in range(50):
        nn(x), nn.predict(x), nn.layers[0](x)
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for _ in range(2000):
        nn(x), nn.predict(x), nn.layers[0](x)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - most < 20_000  # kB, of 400 MB
