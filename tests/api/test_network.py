"""The network against its NumPy reference, and what `fit` promises beyond the article."""

import copy
import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.networks import COSTS, DTYPES, WITH_COSTS, data, network
from support.tolerance import assert_close

import fastnn
from fastnn.activations import ACTIVATIONS
from fastnn.kernels.engine import layout
from fastnn.kernels.engine import train as engine
from fastnn.reference import ReferenceNetwork

pytestmark = pytest.mark.main_in_float32

# Narrow and wide layers, both in one network, and one or several tiles.
SHAPES = [
    ((2, 4, 1), 1000),
    ((1, 6, 1), 100),
    ((1, 1), 1),
    ((3, 5, 7, 2), layout.TILE + 1),
    ((16, 12, 10), 50),
    ((30, 40, 50), 50),
    ((64, 64, 10), 3 * layout.TILE),
    ((9, 20, 3, 30, 9), 33),
    ((30, 2), 7),
    ((2, 30), 7),
]


def chain(sizes, rows, steps=1):
    """The longest chain of roundings of a training, for the tolerance."""
    return steps * (sum(sizes) + 8 * len(sizes) + rows)  # 8: activation and its derivative


@pytest.mark.one_in(3)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("name", "cost"), WITH_COSTS)
def test_gradient_equals_reference(name, cost, dtype):
    for sizes, rows in SHAPES:
        nn = network(sizes, [name] * (len(sizes) - 1), cost, dtype)
        X, t = data(sizes, cost, rows)
        X, t = X.astype(dtype), t.astype(dtype)  # what the network sees
        parameters, inputs = nn.gradient(X, t)
        pairs, below = ReferenceNetwork.like(nn).gradient(X, t)
        expected = np.concatenate([a.ravel() for pair in pairs for a in pair])
        assert parameters.dtype == inputs.dtype == dtype
        assert_close(parameters, expected, operations=chain(sizes, rows))
        assert_close(inputs, below, operations=chain(sizes, 0))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("cost", COSTS)
@pytest.mark.parametrize(("sizes", "rows"), SHAPES)
def test_one_step_of_fit_is_the_article_s_step(sizes, rows, cost, dtype):
    activations = [*["tanh"] * (len(sizes) - 2), "identity"]
    nn = network(sizes, activations, cost, dtype)
    twin = ReferenceNetwork.like(nn)
    X, t = data(sizes, cost, rows)
    assert len(nn.fit(X, t, 0.001)) == 1
    twin.fit(X.astype(dtype), t.astype(dtype), 0.001)
    assert_close(nn.parameters, twin.parameters, operations=chain(sizes, rows))


@pytest.mark.parametrize("dtype", DTYPES)
def test_many_steps_stay_with_the_reference(dtype):
    sizes, steps = (2, 4, 1), 500
    nn = network(sizes, ["tanh", "identity"], "SigmoidCrossEntropy", dtype)
    twin = ReferenceNetwork.like(nn)
    X, t = data(sizes, "SigmoidCrossEntropy", 1000)
    nn.fit(X, t, 0.001, epochs=steps)
    for _ in range(steps):
        twin.fit(X.astype(dtype), t, 0.001)
    assert_close(nn.parameters, twin.parameters, operations=chain(sizes, 0, steps))


@pytest.mark.parametrize("dtype", DTYPES)
def test_epochs_in_one_call_equal_single_calls_to_the_bit(dtype):
    sizes = (2, 4, 1)
    X, t = data(sizes, "SigmoidCrossEntropy", 700)
    one = network(sizes, ["tanh", "identity"], "SigmoidCrossEntropy", dtype)
    many = copy.deepcopy(one)
    one.fit(X, t, 0.01, epochs=20)
    for _ in range(20):
        many.fit(X, t, 0.01)
    assert np.array_equal(one.parameters, many.parameters)


class PlainDense(fastnn.DenseLayer):
    """Goes a way of its own, so its network trains layer by layer."""

    def forward_propagation(self, X):
        return super().forward_propagation(X)


@pytest.mark.parametrize("batch_size", [None, 1, 7, 50, 1000])
@pytest.mark.parametrize("shuffle", [True, False])
def test_mini_batches_equal_training_layer_by_layer(batch_size, shuffle):
    sizes, cost = (12, 20, 3), "SoftmaxCrossEntropy"
    X, t = data(sizes, cost, 50)
    compiled = network(sizes, ["ReLU", "Swish"], cost)
    plain = network(sizes, ["ReLU", "Swish"], cost)
    for layer in plain.layers:
        layer.__class__ = PlainDense
    for nn in (compiled, plain):
        nn.fit(X, t, 0.01, epochs=3, batch_size=batch_size, shuffle=shuffle, rng=5)
    steps = 3 * -(-50 // (batch_size or 50))
    assert_close(compiled.parameters, plain.parameters, operations=chain(sizes, 50, steps))


def test_shuffling_is_a_permutation_and_follows_the_seed():
    order = np.arange(1000)
    engine.shuffle(order, np.array([7], np.uint64))
    assert np.array_equal(np.sort(order), np.arange(1000))
    assert (order != np.arange(1000)).mean() > 0.9
    sizes, cost = (2, 3, 1), "SumSquaresError"
    X, t = data(sizes, cost, 64)
    trained = []
    for seed in (1, 1, 2):
        nn = network(sizes, ["tanh", "identity"], cost)
        nn.fit(X, t, 0.01, epochs=2, batch_size=8, rng=seed)
        trained.append(nn.parameters.copy())
    assert np.array_equal(trained[0], trained[1])
    assert not np.array_equal(trained[0], trained[2])


def test_shuffle_reaches_every_order_equally_often():
    counts = {}
    rng = np.array([0], np.uint64)
    for _ in range(6000):
        order = np.arange(3)
        engine.shuffle(order, rng)
        counts[tuple(order)] = counts.get(tuple(order), 0) + 1
    assert len(counts) == 6
    # standard deviation of a count: sqrt(6000 · 1/6 · 5/6) = 29
    assert all(abs(count - 1000) < 5 * 29 for count in counts.values())


@pytest.mark.parametrize(("name", "cost"), WITH_COSTS)
def test_gradient_check(name, cost):
    sizes = (3, 5, 4)
    nn = network(sizes, [name, "identity"], cost)
    X, t = data(sizes, cost, 6)
    assert nn.gradient_check(X, t) <= 1e-6


def test_gradient_check_sees_a_wrong_gradient():
    class Wrong(PlainDense):
        def activation_derivative(self):
            return 1.001 * super().activation_derivative()

    nn = network((3, 5, 4), ["tanh", "identity"], "SumSquaresError")
    X, t = data((3, 5, 4), "SumSquaresError", 6)
    nn.layers[0].__class__ = PlainDense
    assert nn.gradient_check(X, t) <= 1e-6
    nn.layers[0].__class__ = Wrong
    assert nn.gradient_check(X, t) > 1e-4


def test_gradient_check_never_passes_a_gradient_that_is_not_finite():
    class Lost(PlainDense):
        def activation_derivative(self):
            return np.nan

    X, t = data((3, 5, 4), "SumSquaresError", 6)
    nn = network((3, 5, 4), ["tanh", "identity"], "SumSquaresError")
    nn.layers[0].__class__ = Lost
    assert nn.gradient_check(X, t) == np.inf
    nn = network((3, 5, 4), ["tanh", "identity"], "SumSquaresError")
    nn.parameters[3] = np.inf
    with pytest.raises(ValueError, match=r"parameters\[3\] is inf, expected a finite number"):
        nn.gradient_check(X, t)


def test_a_cost_s_own_delta_is_obeyed():
    X, t = data((3, 5, 4), "SumSquaresError", 6)
    nn = network((3, 5, 4), ["tanh", "identity"], "SumSquaresError")
    nn.cost_function.delta = lambda logits, targets: 0 * logits
    before = nn.parameters.copy()
    nn.fit(X, t, 0.1)
    assert np.array_equal(nn.parameters, before)


@pytest.mark.parametrize("dtype", DTYPES)
def test_gradient_check_prints_as_the_article(capsys, dtype):
    nn = network((2, 4, 1), ["tanh", "identity"], "SigmoidCrossEntropy", dtype)
    before = nn.parameters.copy()
    nn._gradient_check()
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == lines[4] == "=" * 35
    assert lines[1] == "checking gradient"
    finite, back = (float(line.split()[-1]) for line in lines[2:4])
    assert lines[2].startswith("finite difference ")
    assert lines[3].startswith(" back propagation ")
    assert finite == pytest.approx(back, rel=1e-6)
    assert np.array_equal(nn.parameters, before)


@settings(max_examples=30, deadline=None)
@given(
    sizes=st.lists(st.integers(1, 40), min_size=2, max_size=5),
    rows=st.integers(1, 40),
    batch=st.integers(1, 50),
    names=st.lists(st.sampled_from(sorted(ACTIVATIONS)), min_size=4, max_size=4),
    cost=st.sampled_from(sorted(COSTS)),
)
def test_any_stack_trains_like_the_reference(sizes, rows, batch, names, cost):
    nn = network(sizes, names, cost)
    twin = ReferenceNetwork.like(nn)
    X, t = data(sizes, cost, rows)
    nn.fit(X, t, 1e-3, batch_size=batch, shuffle=False)
    for start in range(0, rows, batch):
        twin.fit(X[start : start + batch], t[start : start + batch], 1e-3)
    assert_close(nn.parameters, twin.parameters, operations=chain(sizes, rows, rows))


def test_parameters_are_one_vector_of_views():
    nn = network((2, 4, 1), ["tanh", "identity"], "SumSquaresError")
    theta = nn.parameters
    assert theta.shape == (17,)
    theta[:8] = np.arange(8)
    assert np.array_equal(nn.layers[0].w, np.arange(8).reshape(2, 4))
    nn.layers[1].w = np.ones((4, 1))
    nn.layers[0].b -= 2.0
    assert np.array_equal(theta[12:16], np.ones(4))
    assert theta is nn.parameters
    nn.parameters = np.zeros(17)
    assert not nn.layers[0].w.any()
    with pytest.raises(ValueError, match=r"parameters have shape \(3,\), expected \(17,\)"):
        nn.parameters = [1, 2, 3]


def test_layers_may_change_at_any_time():
    X, t = data((2, 1), "SumSquaresError", 20)
    nn = network((2, 4, 1), ["tanh", "identity"], "SumSquaresError")
    nn.fit(X, t, 0.01)
    nn.layers[0].w, nn.layers[0].b = np.ones((2, 3)), np.zeros(3)
    nn.layers[1].w = np.ones((3, 1))
    nn.fit(X, t, 0.01)
    assert nn.parameters.shape == (13,)
    nn.layers.insert(1, fastnn.ReLULayer(3, 3, rng=0))
    nn.fit(X, t, 0.01)
    assert nn.parameters.shape == (25,)
    nn.cost_function = fastnn.SigmoidCrossEntropy()
    _, t = data((2, 1), "SigmoidCrossEntropy", 20)
    twin = ReferenceNetwork.like(nn)
    nn.fit(X, t, 0.01)
    twin.fit(X, t, 0.01)
    assert_close(nn.parameters, twin.parameters, operations=chain((2, 3, 3, 1), 20))


def test_a_layer_in_two_networks_stays_one_layer():
    shared = fastnn.TanhLayer(2, 3, rng=0)
    nets = [
        fastnn.NeuralNetwork([shared, fastnn.LinearLayer(3, 1, rng=k)], fastnn.SumSquaresError())
        for k in (1, 2)
    ]
    X, t = data((2, 1), "SumSquaresError", 20)
    for nn in nets * 2:
        before = shared.w.copy()
        nn.fit(X, t, 0.1)
        assert not np.array_equal(shared.w, before)
        assert np.array_equal(nn.parameters[:6], shared.w.ravel())


@pytest.mark.parametrize("twin", [copy.deepcopy, lambda nn: pickle.loads(pickle.dumps(nn))])
def test_copies_are_independent_and_equal(twin):
    X, t = data((2, 1), "SumSquaresError", 20)
    nn = network((2, 4, 1), ["tanh", "identity"], "SumSquaresError")
    nn.fit(X, t, 0.01)
    other = twin(nn)
    assert np.array_equal(other.parameters, nn.parameters)
    kept = nn.parameters.copy()
    other.fit(X, t, 0.1)
    assert np.array_equal(nn.parameters, kept)
    assert not np.array_equal(other.parameters, kept)


class SineLayer(fastnn.Layer):
    """A user's own layer, in NumPy."""

    def forward_propagation(self, X):
        self.activity = X.dot(self.w) + self.b
        return np.sin(self.activity)

    def activation_derivative(self):
        return np.cos(self.activity)


class AbsoluteError:
    """A user's own cost."""

    def activate(self, X):
        return X

    def __call__(self, X, targets):
        return np.abs(X - targets).sum()

    def delta(self, X, targets):
        return np.sign(X - targets)


@pytest.mark.parametrize("cost", [fastnn.SumSquaresError(), AbsoluteError()])
@pytest.mark.parametrize("first", [SineLayer, fastnn.TanhLayer])
def test_own_layers_and_costs_train(first, cost):
    rng = np.random.default_rng(0)
    nn = fastnn.NeuralNetwork([first(1, 8, rng=rng), fastnn.LinearLayer(8, 1, rng=rng)], cost)
    X = np.linspace(-1, 1, 40)[:, np.newaxis]
    t = np.sin(3 * X)
    before = nn.cost(X, t)
    nn.fit(X, t, 0.005, epochs=400, batch_size=10, rng=0)
    assert nn.cost(X, t) < 0.3 * before
    assert nn.parameters.shape == (25,)
    assert np.array_equal(nn.layers[0].output, nn.layers[1].input)
    if isinstance(cost, fastnn.SumSquaresError):
        assert nn.gradient_check(X[:5], t[:5]) <= 1e-6


def test_layers_that_are_no_layer_train_too():
    class Scale:
        """Only speaks the article's verbs."""

        w = np.ones((2, 2))

        def __call__(self, X):
            return 0.5 * X

        def back_propagation(self, delta, learning_rate):
            return 0.5 * delta

    X, t = data((2, 1), "SumSquaresError", 20)
    nn = fastnn.NeuralNetwork([Scale(), fastnn.LinearLayer(2, 1, rng=0)], fastnn.SumSquaresError())
    before = nn.cost(X, t)
    nn.fit(X, t, 0.01, epochs=50)
    assert nn.cost(X, t) < before
    with pytest.raises(TypeError, match=r"layers\[0\] is a Scale, expected a Layer"):
        _ = nn.parameters


def test_verbose_prints_epoch_and_cost(capsys):
    nn = network((2, 4, 1), ["tanh", "identity"], "SumSquaresError")
    X, t = data((2, 1), "SumSquaresError", 20)
    history = nn.fit(X, t, 0.01, epochs=30, verbose=10)
    lines = capsys.readouterr().out.splitlines()
    assert [line.split("  ")[0] for line in lines] == ["epoch 10/30", "epoch 20/30", "epoch 30/30"]
    assert f"cost {history.cost[9]:.6g}" in lines[0]
    nn.fit(X, t, 0.01, epochs=30)
    assert not capsys.readouterr().out


def test_float32_stays_float32():
    nn = network((2, 4, 1), ["tanh", "identity"], "SigmoidCrossEntropy", np.float32)
    X, t = data((2, 1), "SigmoidCrossEntropy", 20)
    nn.fit(X, t, 0.01, epochs=2)
    assert nn(X).dtype == nn.parameters.dtype == nn.layers[0].output.dtype == np.float32
    assert nn.layers[0].back_propagation(np.ones((20, 4)), 0.1).dtype == np.float32
