"""Activations of a whole layer: softmax and its family, GLU, maxout, PReLU."""

import copy
import pickle

import mpmath
import numpy as np
import pytest
from scipy.integrate import quad
from support.compiled import (
    Guarded,
    chain,
    pulled,
    run_jacobian_with,
    run_predict_with,
    run_step_with,
    run_vjp_with,
    samples,
    workspace,
)
from support.networks import COSTS, DTYPES, data, twice_activated
from support.tolerance import assert_close
from support.ulp import ulp_error

import fastnn
from fastnn import DenseLayer, NeuralNetwork, get_opt, kernels
from fastnn.activations import ACTIVATIONS
from fastnn.kernels.activations import vector
from fastnn.kernels.codegen import declare
from fastnn.kernels.codegen.run import run as run_kernel
from fastnn.reference import ReferenceNetwork

INF, NAN = float("inf"), float("nan")
SOFTMAXES = ["softmax", "softmin", "log_softmax"]
NAMES = [name for name, spec in ACTIVATIONS.items() if spec.kind]

# Layers as (activation, its parameters), with those of one number among them, and their sizes.
STACKS = [
    ((4, 7, 3), [("maxout", {"k": 3}), ("softmax", {})]),
    ((4, 5, 6, 3), [("GLU", {}), ("tanh", {}), ("log-softmax", {})]),
    ((4, 30, 25, 3), [("PReLU", {"alpha": 0.1}), ("softmin", {}), ("PReLU", {})]),
    ((4, 60, 3), [("Swish", {"beta": 2.0}), ("maxout", {"k": 1})]),
    ((4, 3), [("maxout", {"k": 70})]),
    ((70, 40, 50, 3), [("GLU", {}), ("PReLU", {}), ("GLU", {})]),
]


def stack(sizes, names, cost="SumSquaresError", dtype=np.float64, seed=0, **options):
    rng = np.random.default_rng(seed)
    layers = [
        DenseLayer(
            a, b, std=a**-0.5, bias=0.1, activation=name, dtype=dtype, rng=rng, **options, **given
        )
        for a, b, (name, given) in zip(sizes[:-1], sizes[1:], names, strict=True)
    ]
    for layer in layers:
        layer.b += rng.normal(size=layer.b.size) / 4
        if "alpha" in layer.trained:
            layer.alpha += rng.normal(size=layer.alpha.size) / 4
    return twice_activated(layers, COSTS[cost]())


def work_of(sizes, names):
    """The sizes that count for roundings: a maxout of k has k times as many sums."""
    return (*sizes, *(8 * s for s in sizes))


# kernels


def run(name, which, x, numbers=(0.0, 0.0), bias=None, given=None):
    """Output and memory of a kernel for samples in columns; of a pull, with that memory as x."""
    kind, target = vector.VECTOR_ACTIVATIONS[name], None
    target = declare.address(getattr(kind, which), x.dtype)
    columns = x.shape[1]
    if which == "vjp":
        y, memory = given.copy(), x.copy()
        arrays = y, memory
    else:
        width, count = len(x), len(x) // (2 if name == "glu" else int(numbers[0]) or 1)
        memory, y = np.zeros((width + kind.spare, columns), x.dtype), np.zeros((count, columns))
        memory[:width], y = x, y.astype(x.dtype)
        arrays = memory, y
    bias = np.zeros(2 * len(x), x.dtype) if bias is None else bias
    a, c = (array.reshape(-1) for array in arrays)
    run_kernel(target, a, bias, c, np.array(numbers), len(y), columns, 0)
    return y, memory


def exact(name, x):
    """In 120 bits; the logarithm by what the others are to the largest."""
    values = [mpmath.mpf(float(v)) * (-1 if name == "softmin" else 1) for v in x]
    top = values.index(max(values))
    with mpmath.workprec(120):
        terms = [mpmath.exp(v - values[top]) for v in values]
        others = mpmath.fsum(terms[:top] + terms[top + 1 :])
        if name == "log_softmax":
            return [v - values[top] - mpmath.log1p(others) for v in values]
        return [term / (1 + others) for term in terms]


@pytest.mark.one_in(3)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("features", [1, 2, 10, 1000])
@pytest.mark.parametrize("name", SOFTMAXES)
def test_softmax_is_accurate(name, features, dtype):
    rng, columns = np.random.default_rng(features), max(4, 400 // features)
    for scale in (1e-3, 1.0, 10.0, 100.0, 1e4):
        x = (scale * (rng.normal(size=(features, columns)) + rng.normal())).astype(dtype)
        y, _ = run(name, "forward", x)
        assert np.array_equal(y, run(name, "train", x)[0])
        expected = np.array([exact(name, column) for column in x.T], object).T
        if dtype == np.float32:
            expected = expected.astype(np.float64)
        assert ulp_error(y, expected, dtype).max() <= 4.0


@pytest.mark.parametrize("dtype", DTYPES)
def test_log_softmax_is_accurate_near_zero(dtype):
    x = np.array([[0.0, 0.0, 3.0], [-20.0, -60.0, 90.0]], dtype)
    y, memory = run("log_softmax", "train", x)
    expected = np.array([exact("log_softmax", column) for column in x.T], object).T
    expected = expected.astype(np.float64) if dtype == np.float32 else expected
    assert ulp_error(y, expected, dtype).max() <= 2.0
    assert_close(memory[:2], np.exp(expected.astype(np.float64)), operations=8)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    ("column", "softmax"),
    [
        ([INF, 0.0], [NAN, NAN]),
        ([-INF, 0.0], [0.0, 1.0]),
        ([-INF, -INF], [NAN, NAN]),
        ([NAN, 0.0], [NAN, NAN]),
        ([0.0, NAN], [NAN, NAN]),
        ([3e38, -3e38], [1.0, 0.0]),
        ([5.0, 5.0], [0.5, 0.5]),
    ],
)
def test_softmax_of_what_is_not_finite(column, softmax, dtype):
    x = np.array([column], dtype).T
    assert np.array_equal(run("softmax", "forward", x)[0][:, 0], softmax, equal_nan=True)
    assert np.array_equal(run("softmin", "forward", -x)[0][:, 0], softmax, equal_nan=True)
    y = run("log_softmax", "train", x)[0][:, 0]
    assert np.array_equal(np.isnan(y), np.isnan(softmax))
    if column == [-INF, 0.0]:
        assert np.array_equal(y, [-INF, 0.0])


@pytest.mark.parametrize("dtype", DTYPES)
def test_maxout_takes_the_first_of_equal_ones_and_keeps_nan(dtype):
    x = np.array([[1.0, 3.0, NAN, 2.0], [1.0, 3.0, 5.0, NAN], [0.0, 3.0, 7.0, 9.0]], dtype)
    y, memory = run("maxout", "train", x, (3.0, 0.0))
    assert np.array_equal(y, [[1.0, 3.0, NAN, NAN]], equal_nan=True)
    assert np.array_equal(memory[:3], [[1, 1, 1, 0], [0, 0, 0, 1], [0, 0, 0, 0]])
    assert np.array_equal(y, run("maxout", "forward", x, (3.0, 0.0))[0], equal_nan=True)


@pytest.mark.parametrize("dtype", DTYPES)
def test_prelu_at_its_kink(dtype):
    x, bias = np.array([[-2.0, -0.0, 0.0, 2.0, NAN]], dtype), np.array([0.0, 0.5], dtype)
    y, memory = run("prelu", "train", x, bias=bias)
    assert np.array_equal(y, [[-1.0, 0.0, 0.0, 2.0, NAN]], equal_nan=True)
    g = np.full_like(x, 3.0)
    by_alpha, by_z = run("prelu", "vjp", memory, bias=bias, given=g)
    assert np.array_equal(by_z, [[1.5, 3.0, 3.0, 3.0, NAN]], equal_nan=True)
    assert np.array_equal(by_alpha, [[-6.0, 0.0, 0.0, 0.0, NAN]], equal_nan=True)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", vector.VECTOR_ACTIVATIONS)
def test_nan_stays(name, dtype):
    x = np.full((2, 3), NAN, dtype)
    for which in ("forward", "train"):
        numbers = (2.0, 0.0) if name == "maxout" else (0.0, 0.0)
        assert np.isnan(run(name, which, x, numbers)[0]).all()


# networks


@pytest.mark.one_in(5)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("cost", COSTS)
@pytest.mark.parametrize(("sizes", "names"), STACKS)
def test_stacks_equal_the_reference(sizes, names, cost, dtype):
    nn, n = stack(sizes, names, cost, dtype), chain(work_of(sizes, names), 100)
    twin, model = ReferenceNetwork.like(nn), nn.compiled()
    X, t = (array.astype(dtype) for array in data(sizes, cost, 100))
    parameters, inputs = nn.gradient(X, t)
    groups, below = twin.gradient(X, t)
    assert_close(parameters, np.concatenate([a.ravel() for g in groups for a in g]), operations=n)
    assert_close(inputs, below, operations=n)
    assert_close(nn(X), twin(X), operations=n)
    for count in (1, 3, 5, 100):
        x, g = X[:count], samples((sizes[-1],), count, dtype, 2)
        out, work = Guarded((count, sizes[-1]), dtype), workspace(model, count)
        run_predict_with(model, x, out.array, work.array)
        assert_close(out.array, twin(x), operations=n)
        back = Guarded(x.shape, dtype)
        run_vjp_with(model, x, g, back.array, work.array)
        assert_close(back.array, pulled(nn, x, g), operations=n)
        assert out.untouched()
        assert back.untouched()
        assert work.untouched()
    found, work = Guarded((sizes[-1], sizes[0]), dtype), workspace(model, 1)
    run_jacobian_with(model, X[0], found.array, work.array)
    expected = pulled(nn, np.tile(X[0], (sizes[-1], 1)), np.eye(sizes[-1]))
    assert_close(found.array, expected, operations=n)
    assert found.untouched()
    assert work.untouched()


@pytest.mark.parametrize("cost", COSTS)
@pytest.mark.parametrize(("sizes", "names"), STACKS[:4])
def test_gradient_check(sizes, names, cost):
    X, t = data(sizes, cost, 6)
    assert stack(sizes, names, cost, seed=3).gradient_check(X, t) <= 1e-6


@pytest.mark.one_in(5)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("count", [1, 3, 5, 100])
@pytest.mark.parametrize(("sizes", "names"), STACKS)
def test_train_step_is_a_step_of_fit(sizes, names, count, dtype):
    nn, twin = (stack(sizes, names, dtype=dtype, l2=0.1) for _ in range(2))
    opt, of_twin = (get_opt("Adam", clip_norm=1.0) for _ in range(2))
    model = nn.compiled(opt)
    X, t = (array.astype(dtype) for array in data(sizes, "SumSquaresError", count))
    n = chain(work_of(sizes, names), count)
    for step in range(1, 4):
        work = workspace(model, count)
        found = run_step_with(model, X, t, 1e-3, work.array)
        expected = twin.fit(X, t, 1e-3, optimizer=of_twin, n_threads=1).cost[-1]
        assert work.untouched()
        assert_close(dtype(found), expected, operations=step * n)
        assert_close(nn.parameters, twin.parameters, operations=step * n)


@pytest.mark.parametrize(("sizes", "names"), STACKS)
def test_a_team_trains_as_one_thread_does(sizes, names):
    for count, batch in ((50, None), (50, 8), (1200, None)):
        X, t = data(sizes, "SoftmaxCrossEntropy", count)

        def trained(n_threads, X=X, t=t, batch=batch):
            nn = stack(sizes, names, "SoftmaxCrossEntropy", l1=1e-3, l2=1e-2)
            nn.layers[0].dropout = 0.3
            nn.fit(X, t, optimizer="Adam", epochs=2, batch_size=batch, rng=7, n_threads=n_threads)
            return nn.parameters

        alone, steps = trained(1), 2 * -(-count // (batch or count))
        for n_threads in (2, 3, 5):
            found = trained(n_threads)
            n = steps * chain(work_of(sizes, names), count)
            assert_close(found, alone, operations=n)
            assert np.array_equal(found, trained(n_threads))


@pytest.mark.parametrize("name", NAMES)
def test_one_gradient_for_all_threads(name):
    sizes, cost = (60, 70, 80, 3), "SumSquaresError"
    X, t = data(sizes, cost, 40)
    found = []
    for n_threads in (1, 2, 3, 3):
        nn = stack(sizes, [(name, {})] * 3, cost)
        nn.fit(X, t, 1e-5, epochs=2, batch_size=6, rng=1, n_threads=n_threads)
        if n_threads > 1:
            assert not nn._trainer[1].team.own
        found.append(nn.parameters)
    for other in found[1:]:
        assert_close(other, found[0], operations=14 * chain(work_of(sizes, None), 40))
    assert np.array_equal(found[2], found[3])


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("place", [0, 1])
@pytest.mark.parametrize("name", NAMES)
def test_gradient_with_dropout(name, place, dtype):
    """A step against differences of the cost with the same outputs dropped."""
    sizes, cost = (3, 8, 4), "SumSquaresError"
    X, t = data(sizes, cost, 9)
    nn = stack(sizes, [(name, {})] * 2, cost)
    nn.layers[place].dropout = 0.5
    start = nn.parameters.copy()

    def cost_at(theta):
        nn.parameters = theta
        return nn.fit(X, t, 0.0, optimizer=get_opt("SGD"), rng=3, n_threads=1).cost[0]

    nn.fit(X, t, 1.0, optimizer=get_opt("SGD"), rng=3, n_threads=1)
    gradient = start - nn.parameters
    numeric, h = np.empty_like(start), 1e-5
    for k in range(start.size):
        step = np.zeros_like(start)
        step[k] = h
        numeric[k] = (cost_at(start + step) - cost_at(start - step)) / (2 * h)
    assert np.abs(gradient - numeric).max() <= 1e-7 * np.abs(numeric).max()
    # and in the dtype: the same outputs are dropped
    twin = stack(sizes, [(name, {})] * 2, cost, dtype)
    twin.layers[place].dropout, twin.parameters = 0.5, start
    twin.fit(X, t, 1.0, optimizer=get_opt("SGD"), rng=3, n_threads=2)
    assert_close(
        (twin.parameters - start.astype(dtype)), -gradient, operations=16 * chain(sizes, 9)
    )


@pytest.mark.parametrize("name", NAMES)
def test_dropout_is_for_training_only(name):
    sizes = (3, 8, 4)
    nn, plain = (stack(sizes, [(name, {})] * 2) for _ in range(2))
    for layer in nn.layers:
        layer.dropout = 0.5
    X, t = data(sizes, "SumSquaresError", 9)
    assert np.array_equal(nn.predict(X), plain.predict(X))
    assert np.array_equal(nn.gradient(X, t)[0], plain.gradient(X, t)[0])
    assert np.array_equal(nn.jacobian(X[0]), plain.jacobian(X[0]))
    assert np.array_equal(nn.vjp(X, t), plain.vjp(X, t))


class OwnWay(DenseLayer):
    """Goes a way of its own, so its network trains layer by layer."""

    def forward_propagation(self, X):
        return super().forward_propagation(X)


@pytest.mark.parametrize("rule", [None, "Adam"])
@pytest.mark.parametrize(("sizes", "names"), STACKS)
def test_training_layer_by_layer(sizes, names, rule):
    nn, own = (stack(sizes, names) for _ in range(2))
    for layer in own.layers:
        layer.__class__ = OwnWay
    X, t = data(sizes, "SumSquaresError", 30)
    for each in (nn, own):
        each.fit(X, t, 1e-3, optimizer=rule, epochs=3, batch_size=8, rng=5)
    n = 12 * chain(work_of(sizes, names), 30)
    assert_close(nn.parameters, own.parameters, operations=n)
    assert_close(own.predict(X), nn.predict(X), operations=n)
    assert_close(own.gradient(X, t)[0], nn.gradient(X, t)[0], operations=n)


@pytest.mark.parametrize("rule", ["SGD", "Adam"])
@pytest.mark.parametrize("name", NAMES)
def test_a_refused_step_changes_nothing(name, rule):
    nn = stack((3, 8, 4), [(name, {})] * 2, "SumSquaresError")
    X, t = data((3, 8, 4), "SumSquaresError", 9)
    work = np.empty(kernels.workspace_size(nn.compiled(), 9))
    model = nn.compiled(rule)
    assert np.isfinite(run_step_with(model, X, t, 1e-3, work))
    before = nn.parameters.copy()
    assert np.isnan(run_step_with(model, X, t * NAN, 1e-3, work))
    assert np.isnan(run_step_with(model, X * NAN, t, 1e-3, work))
    assert np.array_equal(nn.parameters, before)
    with pytest.raises(ValueError, match="makes the training diverge"):
        nn.fit(X, 1e300 * t, 1e10, optimizer=rule)
    assert np.isfinite(nn.parameters).all()


@pytest.mark.parametrize("dtype", DTYPES)
def test_quad_integrates_a_prelu(dtype):
    nn = stack((1, 5, 1), [("maxout", {"k": 3}), ("PReLU", {})], dtype=dtype)
    points = (np.arange(4000) + 0.5) / 4000
    mean = ReferenceNetwork.like(nn)(points[:, np.newaxis]).mean()
    assert quad(nn.low_level_callable(), 0.0, 1.0)[0] == pytest.approx(mean, rel=1e-5)


# layers


def test_shapes():
    shapes = {"GLU": (5, 8), "maxout": (5, 8)}
    for name in NAMES:
        layer = DenseLayer(5, 4, activation=name, rng=0)
        assert layer.w.shape == shapes.get(name, (5, 4))
        assert layer.b.shape == layer.w.shape[1:]
        assert (layer.dim_input, layer.dim_output) == (5, 4)
        assert layer(np.ones((3, 5))).shape == (3, 4)
        assert layer(np.ones(5)).shape == (4,)
        assert layer(np.ones((2, 3, 5))).shape == (2, 3, 4)
        assert layer(np.empty((0, 5))).shape == (0, 4)
        assert layer.back_propagation(np.empty((0, 4)), 0.1).shape == (0, 5)
    assert DenseLayer(5, 4, activation="maxout", k=7, init="he_normal").w.shape == (5, 28)


def test_parameters_of_activations():
    layer = DenseLayer(3, 4, activation="swish", beta=2)
    assert layer.activation_parameters == {"beta": 2.0}
    assert DenseLayer(3, 4, activation="maxout").activation_parameters == {"k": 2}
    layer.activation_parameters = {"beta": 3}
    assert repr(layer) == "DenseLayer(3, 4, activation='Swish', beta=3.0, dtype=float64)"
    layer.activation = "tanh"
    assert layer.activation_parameters == {}
    assert repr(DenseLayer(3, 4, activation="maxout", k=3)) == (
        "DenseLayer(3, 4, activation='maxout', k=3, dtype=float64)"
    )
    assert repr(DenseLayer(3, 4, activation="PReLU")) == (
        "DenseLayer(3, 4, activation='PReLU', dtype=float64)"
    )


@pytest.mark.parametrize(
    ("name", "given", "error", "message"),
    [
        ("Swish", {"gamma": 1.0}, TypeError, "gamma: no parameter of .* Swish, which has beta"),
        ("tanh", {"k": 1, "beta": 2}, TypeError, "k, beta: no parameter .* tanh, which has none"),
        ("maxout", {"k": 0}, ValueError, "k must be at least 1, but is 0"),
        ("maxout", {"k": 2.0}, TypeError, "k must be an int, not 2.0"),
        ("Swish", {"beta": NAN}, ValueError, "beta must be a finite number"),
        ("PReLU", {"alpha": "much"}, TypeError, "alpha must be a number"),
    ],
)
def test_bad_parameters(name, given, error, message):
    with pytest.raises(error, match=message):
        DenseLayer(3, 4, activation=name, **given)
    layer = DenseLayer(3, 4, activation=name, rng=0)
    before = layer.activation_parameters
    with pytest.raises(error, match=message):
        layer.activation_parameters = given
    assert layer.activation_parameters == before


def test_activations_that_do_not_fit_the_weights():
    layer = DenseLayer(3, 5, rng=0)
    with pytest.raises(ValueError, match="'GLU' takes a multiple of 2 columns of w, not 5"):
        layer.activation = "GLU"
    assert layer.activation.name == "identity"
    layer.w, layer.b = np.ones((3, 6)), np.zeros(6)
    layer.activation = "GLU"
    assert layer.dim_output == 3
    layer.w = np.ones((3, 5))
    with pytest.raises(ValueError, match=r"w has shape \(3, 5\), expected a multiple of 2"):
        layer(np.ones((2, 3)))
    layer.w = np.ones((3, 4))
    with pytest.raises(ValueError, match=r"b has shape \(6,\), expected \(4,\)"):
        layer(np.ones((2, 3)))
    nn = NeuralNetwork([layer], fastnn.SumSquaresError())
    with pytest.raises(ValueError, match=r"layers\[0\]\.b has shape \(6,\), expected \(4,\)"):
        nn.predict(np.ones((2, 3)))
    with pytest.raises(ValueError, match=r"layers\[0\]\.b has shape \(6,\), expected \(4,\)"):
        nn.fit(np.ones((2, 3)), np.ones((2, 4)), 0.1)
    with pytest.raises(ValueError, match="takes 4 features, but"):
        NeuralNetwork([layer, DenseLayer(4, 1)], fastnn.SumSquaresError())


def test_a_derivative_of_each_number_is_refused():
    layer = DenseLayer(3, 4, activation="softmax", rng=0)
    with pytest.raises(ValueError, match="gradients needs a forward pass first"):
        layer.gradients(np.ones((2, 4)))
    layer(np.ones((2, 3)))
    with pytest.raises(TypeError, match="softmax acts on all features together"):
        layer.activation_derivative()


def test_alpha():
    layer = DenseLayer(3, 4, activation="prelu", alpha=0.1, dtype="float32", rng=0)
    assert np.array_equal(layer.alpha, np.full(4, 0.1, np.float32))
    nn = NeuralNetwork([layer, DenseLayer(4, 2, dtype="float32", rng=1)], fastnn.SumSquaresError())
    theta = nn.parameters
    assert theta.size == 3 * 4 + 4 + 4 + 4 * 2 + 2
    assert np.shares_memory(theta, layer.alpha)
    layer.alpha = [1, 2, 3, 4]
    assert np.array_equal(theta[16:20], [1, 2, 3, 4])
    X, t = data((3, 2), "SumSquaresError", 20)
    nn.fit(X, t, 0.01)
    assert not np.array_equal(layer.alpha, [1, 2, 3, 4])
    for twin in (copy.deepcopy(nn), pickle.loads(pickle.dumps(nn))):
        assert np.array_equal(twin.parameters, nn.parameters)
        twin.fit(X, t, 0.01)
        assert not np.array_equal(twin.layers[0].alpha, layer.alpha)
    layer.alpha = np.ones(3)
    with pytest.raises(ValueError, match=r"layers\[0\]\.alpha has shape \(3,\), expected \(4,\)"):
        nn.fit(X, t, 0.01)
    layer.activation = "tanh"
    with pytest.raises(AttributeError, match="tanh has no alpha"):
        _ = layer.alpha
    with pytest.raises(AttributeError, match="tanh has no alpha"):
        layer.alpha = np.ones(4)
    assert nn.parameters.size == 26
    layer.activation = "PReLU"
    assert np.array_equal(layer.alpha, np.full(4, 0.25, np.float32))
    nn.fit(X, t, 0.01)


@pytest.mark.parametrize("name", NAMES)
def test_a_step_of_back_propagation(name):
    nn = stack((3, 4), [(name, {})])
    layer, X, delta = nn.layers[0], samples((3,), 6, np.float64), samples((4,), 6, np.float64, 2)
    twin = ReferenceNetwork.like(nn)
    groups, below = twin.gradient(X, twin(X) - delta)
    before = [getattr(layer, each).copy() for each in layer.trained]
    layer(X)
    assert_close(layer.back_propagation(delta, 0.1), below, operations=chain((3, 4)))
    for each, value, gradient in zip(layer.trained, before, groups[0], strict=True):
        assert_close(getattr(layer, each), value - 0.1 * gradient, operations=chain((3, 4), 6))


@pytest.mark.parametrize("name", NAMES)
def test_predictions_follow_a_change_of_the_activation(name):
    nn = stack((3, 4, 2), [("tanh", {}), ("identity", {})])
    X = samples((3,), 6, np.float64)
    nn.predict(X)
    if ACTIVATIONS[name].columns(ACTIVATIONS[name].parameters) == 1:
        nn.layers[0].activation = name
        assert_close(nn.predict(X), ReferenceNetwork.like(nn)(X), operations=chain((3, 4, 2)))
