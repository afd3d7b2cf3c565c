"""Derivatives of networks: along directions, of second order, by the parameters."""

import numpy as np
import pytest
from numba import njit
from support.compiled import Guarded, chain, hidden, samples
from support.networks import data, network, twice_activated
from support.tolerance import assert_close

import fastnn
from fastnn import DenseLayer, LinearLayer, NeuralNetwork, kernels
from fastnn.activations import ACTIVATIONS
from fastnn.losses import COSTS, LOSSES
from fastnn.reference import ReferenceNetwork
from fastnn.reference.derivatives import laplacian, laplacian_vjp

SQUARES = "SumSquaresError"
ROWS = [1, 7, 128, 513, 1000]
# Depth 1 to 4, widths 1 to 70; one tile and several, whole and broken vectors.
SIZES = [(3, 2), (1, 1), (2, 32, 32, 1), (2, 70, 3), (5, 1, 17, 4, 2), (3, 8, 9, 1)]
STEP = np.finfo(np.float64).eps ** 0.2
# The other dtype has kernels of its own to compile, from the same lines.
BOTH = [np.float64, pytest.param(np.float32, marks=pytest.mark.sweep)]


def made(sizes, dtype=np.float64, name="tanh", cost=SQUARES):
    return network(sizes, hidden(sizes, name), cost, dtype)


def random(shape, dtype=np.float64, seed=5):
    return np.random.default_rng(seed).normal(size=shape).astype(dtype)


def along(nn, v, function, h=STEP):
    """The derivative of a function of the network along a direction of its parameters."""
    theta = nn.parameters.copy()

    def at(step):
        nn.parameters[...] = theta + step * v
        return np.asarray(function())

    found = (8 * (at(h) - at(-h)) - (at(2 * h) - at(-2 * h))) / (12 * h)
    nn.parameters[...] = theta
    return found


def assert_difference(actual, expected, scale=0.0):
    """Up to the error of `along`."""
    scale = max(np.abs(expected).max(), scale)
    np.testing.assert_allclose(actual, expected, rtol=0, atol=256 * STEP**4 * scale)


def cotangents(X, outputs):
    n, i = X.shape
    return (
        random((n, outputs), X.dtype, 6),
        random((n, outputs, i), X.dtype, 7),
        random((n, outputs), X.dtype, 8),
    )


def operations(sizes, rows=0):
    return 8 * chain(sizes, rows)


# Against the reference, at the edges of tiles


@pytest.mark.parametrize("dtype", BOTH)
@pytest.mark.parametrize("sizes", SIZES)
def test_first_derivatives_equal_the_reference(sizes, dtype):
    nn = made(sizes, dtype)
    twin = ReferenceNetwork.like(nn)
    for rows in ROWS:
        X, V = samples(sizes, rows, dtype), random((rows, sizes[0]), dtype)
        y, out = nn.jvp(X, V)
        u, du, _ = laplacian(twin, X)
        assert y.dtype == out.dtype == dtype
        assert_close(y, u, operations=operations(sizes))
        assert_close(out, np.einsum("roi,ri->ro", du, V), operations=operations(sizes))
        J = nn.parameter_jacobian(X)
        assert J.shape == (rows, sizes[-1], nn.parameters.size)
        for k in range(sizes[-1]):
            unit = np.zeros((rows, sizes[-1]))
            unit[:, k] = 1
            each = [
                gradient_of(twin, X[r : r + 1], unit[r : r + 1]) for r in (0, rows // 2, -1 % rows)
            ]
            assert_close(J[[0, rows // 2, -1], k], np.stack(each), operations=operations(sizes))
            total = gradient_of(twin, X, unit)
            assert_close(J[:, k].sum(axis=0), total, operations=operations(sizes, rows))


def gradient_of(twin, X, g):
    """Of Σ g output by the parameters, of a network that ends with an identity."""
    of_others = np.zeros((*g.shape, X.shape[1]))
    return laplacian_vjp(twin, X, g, of_others, np.zeros_like(g))


@pytest.mark.parametrize("dtype", BOTH)
@pytest.mark.parametrize("sizes", SIZES)
def test_laplacian_and_its_pullback_equal_the_reference(sizes, dtype):
    nn = made(sizes, dtype)
    twin = ReferenceNetwork.like(nn)
    for rows in ROWS:
        X = samples(sizes, rows, dtype)
        u, grad, lap, pullback = nn.laplacian(X, pullback=True)
        for found, expected in zip((u, grad, lap), laplacian(twin, X), strict=True):
            assert found.dtype == dtype
            assert_close(found, expected, operations=operations(sizes))
        for found, expected in zip(nn.laplacian(X), (u, grad, lap), strict=True):
            np.testing.assert_array_equal(found, expected)
        g = cotangents(X, sizes[-1])
        expected = laplacian_vjp(twin, X, *g)
        assert_close(pullback(*g), expected, operations=operations(sizes, rows))


@pytest.mark.parametrize("dtype", BOTH)
@pytest.mark.parametrize("sizes", SIZES)
def test_hessian_times_a_vector_equals_differences_of_gradients(sizes, dtype):
    nn = made(sizes)
    single = nn if dtype == np.float64 else made(sizes, dtype)
    v = random(nn.parameters.size)
    v = (v / np.linalg.norm(v)).astype(dtype)  # so that differences keep to small steps
    for rows in ROWS:
        X = samples(sizes, rows, dtype)
        t = data(sizes, SQUARES, rows)[1].astype(dtype)
        found = single.hvp(X, t, v)
        assert found.dtype == dtype
        if dtype == np.float64:
            gradient = nn.gradient(X, t)[0]
            expected = along(nn, v, lambda X=X, t=t: nn.gradient(X, t)[0])
            assert_difference(found, expected, np.abs(gradient).max())
        else:
            nn.parameters[...] = single.parameters
            expected = nn.hvp(X.astype(np.float64), t, v)
            assert_close(found, expected, operations=operations(sizes, rows))


# Activations and costs


EACH = [name for name, spec in ACTIVATIONS.items() if not spec.kind]
TOGETHER = [name for name, spec in ACTIVATIONS.items() if spec.kind]
SHORT = ["tanh", "sigmoid", "Swish", "exponential", "identity"]


def some(names, short):
    """All names, of which those that are not among the short list's are for the sweep."""
    return [
        pytest.param(name, marks=[] if name in short else [pytest.mark.sweep]) for name in names
    ]


# Costs whose outputs have an activation each: none, of each number, and of all features.
OUTPUTS = ["SumSquaresError", "SigmoidCrossEntropy", "SoftmaxCrossEntropy", "Poisson"]


@pytest.mark.parametrize("name", some(EACH, SHORT))
def test_second_derivatives_of_every_activation(name):
    sizes = (2, 5, 4, 2)
    nn = network(sizes, [name, "tanh", "identity"], SQUARES)
    twin = ReferenceNetwork.like(nn)
    X, v = samples(sizes, 33, np.float64), random(nn.parameters.size)
    t = random((33, 2))
    u, grad, lap, pullback = nn.laplacian(X, pullback=True)
    for found, expected in zip((u, grad, lap), laplacian(twin, X), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-9)
    g = cotangents(X, 2)
    np.testing.assert_allclose(pullback(*g), laplacian_vjp(twin, X, *g), rtol=1e-8, atol=1e-8)
    if ACTIVATIONS[name].kernel not in PIECES:
        expected = along(nn, v, lambda: nn.gradient(X, t)[0], 1e-3)
        np.testing.assert_allclose(nn.hvp(X, t, v), expected, rtol=1e-5, atol=1e-5)


# Kinks may lie between the points of a difference.
PIECES = {
    "step", "hard_shrink", "soft_shrink", "threshold", "hard_sigmoid", "hard_tanh", "relu", "relu6",
    "leaky_relu", "elu", "selu", "celu", "hard_swish", "sparse_plus", "sparse_sigmoid", "softsign",
}  # fmt: skip


@pytest.mark.parametrize("name", ["softmax", *("maxout", "GLU", "PReLU", "ReLU")])
def test_first_derivatives_of_all_features_together(name):
    sizes = (3, 6, 6, 2)
    nn = network(sizes, [name, name, "identity"], SQUARES)
    X, V = samples(sizes, 40, np.float64), random((40, 3))
    y, out = nn.jvp(X, V)
    np.testing.assert_allclose(y, nn.predict(X), rtol=1e-12)
    expected = np.stack([nn.jacobian(x) @ v for x, v in zip(X, V, strict=True)])
    np.testing.assert_allclose(out, expected, rtol=1e-11, atol=1e-12)
    v = random(nn.parameters.size)
    J = nn.parameter_jacobian(X)
    assert_difference(J @ v, along(nn, v, lambda: nn.predict(X), 1e-6), 1e5)
    total = nn.gradient(X, nn.predict(X) - 1.0)[0]
    np.testing.assert_allclose(J.sum(axis=(0, 1)), total, rtol=1e-10, atol=1e-12)


def of_cost(name, sizes=(3, 5, 6), **parameters):
    layers = [
        DenseLayer(a, b, std=0.6, bias=0.1, activation=activation, rng=k)
        for k, (a, b, activation) in enumerate(
            zip(sizes, sizes[1:], ["tanh", "identity"], strict=False)
        )
    ]
    return twice_activated(layers, COSTS[name](**parameters))


def targets_of(nn, rows):
    form = nn.cost_function.spec.targets
    shape = rows, nn.cost_function.targets_for(6)
    if form == "classes":
        return np.eye(6)[np.arange(rows) % 6]
    t = np.random.default_rng(3).uniform(0.1, 0.9, shape)
    if form == "probabilities":
        return t / t.sum(axis=1, keepdims=True)
    return {"signs": np.sign(t - 0.5), "counts": np.round(3 * t)}.get(form, t)


@pytest.mark.parametrize("name", some(COSTS, [*OUTPUTS, "MixtureDensityError"]))
def test_derivatives_with_the_output_of_every_cost(name):
    nn = of_cost(name, **({"components": 2} if name == "MixtureDensityError" else {}))
    X, V = samples((3,), 40, np.float64), random((40, 3))
    y, out = nn.jvp(X, V)
    np.testing.assert_allclose(y, nn.predict(X), rtol=1e-12)
    expected = np.stack([nn.jacobian(x) @ v for x, v in zip(X, V, strict=True)])
    np.testing.assert_allclose(out, expected, rtol=1e-11, atol=1e-12)
    v = random(nn.parameters.size)
    assert_difference(nn.parameter_jacobian(X) @ v, along(nn, v, lambda: nn.predict(X)), 10.0)
    output = nn.cost_function.spec.activation
    if output not in ("identity", "sigmoid", "exponential"):
        with pytest.raises(TypeError, match=r"cost_function is \w+, which gives the output"):
            nn.laplacian(X)
        return
    twin = ReferenceNetwork.like(nn)
    u, grad, lap, pullback = nn.laplacian(X, pullback=True)
    for found, expected in zip((u, grad, lap), laplacian(twin, X, output), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-11, atol=1e-12)
    g = cotangents(X, 6)
    expected = laplacian_vjp(twin, X, *g, output)
    np.testing.assert_allclose(pullback(*g), expected, rtol=1e-10, atol=1e-11)


WITHOUT = ["CosineSimilarity", "MixtureDensityError"]
CASES = [
    *(
        pytest.param(name, {}, marks=[] if name in OUTPUTS else [pytest.mark.sweep])
        for name in COSTS
        if name not in WITHOUT
    ),
    ("SumSquaresError", {"reduction": "mean"}),
    ("SigmoidCrossEntropy", {"label_smoothing": 0.1}),
    ("SoftmaxCrossEntropy", {"label_smoothing": 0.1, "class_weight": [1, 2, 3, 0.5, 1, 1]}),
    ("Huber", {"delta": 0.3}),
]


@pytest.mark.parametrize(("name", "parameters"), CASES)
def test_hessian_of_every_cost(name, parameters):
    nn = of_cost(name, **parameters)
    X, t, v = samples((3,), 40, np.float64), targets_of(nn, 40), random(nn.parameters.size)
    gradient = nn.gradient(X, t)[0]
    expected = along(nn, v, lambda: nn.gradient(X, t)[0], 1e-7)
    atol = 1e-6 * max(np.abs(gradient).max(), np.abs(expected).max())
    np.testing.assert_allclose(nn.hvp(X, t, v), expected, rtol=0, atol=atol)


@pytest.mark.parametrize("name", WITHOUT)
def test_costs_without_second_derivatives_name_those_that_have(name):
    nn = of_cost(name, **({"components": 2} if name == "MixtureDensityError" else {}))
    with pytest.raises(
        TypeError, match=f"cost_function is {name}.* expected SumSquaresError, .* or SquaredHinge"
    ):
        nn.hvp(np.ones((2, 3)), np.ones((2, nn.cost_function.targets_for(6))), nn.parameters)


def test_hessian_has_penalties_and_takes_frozen_layers_for_constants():
    layers = [
        DenseLayer(2, 5, activation="tanh", l2=0.3, l1=0.1, rng=0),
        DenseLayer(5, 4, activation="tanh", l2=0.2, rng=1),
        LinearLayer(4, 1, rng=2),
    ]
    nn = NeuralNetwork(layers, fastnn.MeanSquaredError())
    X, t, v = samples((2,), 30, np.float64), random((30, 1)), random(nn.parameters.size)
    step = along(nn, v, lambda: [nn.cost(X, t)], 1e-3)
    assert np.isfinite(step).all()
    curved = along(nn, v, lambda: along(nn, v, lambda: nn.cost(X, t), 1e-2), 1e-2)
    np.testing.assert_allclose(v @ nn.hvp(X, t, v), curved, rtol=1e-4)
    whole = nn.hvp(X, t, np.where(np.arange(v.size) < 15, 0, v))
    layers[0].trainable = False
    found = nn.hvp(X, t, v)
    assert not found[:15].any()
    np.testing.assert_allclose(found[15:], whole[15:], rtol=1e-12)
    assert not nn.parameter_jacobian(X)[..., :15].any()
    *_, lap, pullback = nn.laplacian(X, pullback=True)
    part = pullback(g_lap=lap)
    layers[0].trainable = True
    gradient = nn.laplacian(X, pullback=True)[3](g_lap=lap)
    assert not part[:15].any()
    np.testing.assert_array_equal(part[15:], gradient[15:])
    layers[1].trainable = False
    np.testing.assert_array_equal(nn.laplacian(X, pullback=True)[3](g_lap=lap)[:15], gradient[:15])
    for layer in layers:
        layer.trainable = False
    assert not nn.hvp(X, t, v).any()
    assert not nn.laplacian(X, pullback=True)[3](g_lap=lap).any()
    assert not nn.parameter_jacobian(X).any()


def test_dropout_is_left_out_as_by_predict():
    def with_dropout(rate):
        layers = [
            DenseLayer(2, 6, activation="tanh", dropout=rate, rng=0),
            DenseLayer(6, 3, dropout=rate, activation="identity", rng=1),
        ]
        return NeuralNetwork(layers, fastnn.SumSquaresError())

    X, V, t = samples((2,), 20, np.float64), random((20, 2)), random((20, 3))
    a, b = with_dropout(0.0), with_dropout(0.5)
    v = random(a.parameters.size)
    np.testing.assert_array_equal(a.jvp(X, V), b.jvp(X, V))
    np.testing.assert_array_equal(a.parameter_jacobian(X), b.parameter_jacobian(X))
    np.testing.assert_array_equal(a.hvp(X, t, v), b.hvp(X, t, v))
    for found, expected in zip(a.laplacian(X), b.laplacian(X), strict=True):
        np.testing.assert_array_equal(found, expected)


# What is given


def test_one_sample_and_none():
    nn = made((3, 5, 2))
    X, V, t = samples((3,), 4, np.float64), random((4, 3)), random((4, 2))
    for whole, one in (
        (nn.jvp(X, V), nn.jvp(X[1], V[1])),
        (nn.laplacian(X), nn.laplacian(X[1])),
        ((nn.parameter_jacobian(X),), (nn.parameter_jacobian(X[1]),)),
    ):
        for many, found in zip(whole, one, strict=True):
            assert found.shape == many.shape[1:]
            np.testing.assert_allclose(found, many[1], rtol=1e-13)
    assert [array.shape for array in nn.jvp(X[:0], V[:0])] == [(0, 2)] * 2
    u, grad, lap, pullback = nn.laplacian(X[:0], pullback=True)
    assert (u.shape, grad.shape, lap.shape) == ((0, 2), (0, 2, 3), (0, 2))
    assert not pullback(g_u=u).any()
    assert nn.parameter_jacobian(X[:0]).shape == (0, 2, nn.parameters.size)
    size = nn.parameters.size
    np.testing.assert_array_equal(nn.hvp(X[:0], t[:0], np.ones(size)), np.zeros(size))
    pullback = nn.laplacian(X[0], pullback=True)[3]
    np.testing.assert_allclose(
        pullback(g_lap=np.ones(2)), nn.laplacian(X[:1], pullback=True)[3](g_lap=np.ones((1, 2)))
    )


def test_strided_and_read_only_arrays_and_lists():
    nn = made((2, 5, 1))
    X, V = samples((2,), 12, np.float64), random((12, 2))
    X.flags.writeable = V.flags.writeable = False
    expected = nn.jvp(X[::2].copy(), V[::2].copy())
    np.testing.assert_array_equal(nn.jvp(X[::2], V[::2]), expected)
    np.testing.assert_array_equal(nn.jvp(X[::2].tolist(), V[::2].tolist()), expected)
    turned = np.asfortranarray(X)
    for found, other in zip(nn.laplacian(turned), nn.laplacian(X), strict=True):
        np.testing.assert_array_equal(found, other)


def test_pullback_belongs_to_what_was_there():
    nn = made((2, 5, 1))
    X = samples((2,), 12, np.float64)
    *_, lap, pullback = nn.laplacian(X, pullback=True)
    before = pullback(g_lap=lap)
    nn.parameters[...] += 1.0
    X += 1.0
    np.testing.assert_array_equal(pullback(g_lap=lap), before)
    parts = pullback(g_u=lap), pullback(g_grad=np.ones((12, 1, 2)))
    whole = pullback(lap, np.ones((12, 1, 2)), lap)
    np.testing.assert_allclose(sum(parts) + before, whole, rtol=1e-10, atol=1e-12)
    assert not pullback().any()


@pytest.mark.parametrize("rows", [1, 129, 1000])
def test_pullback_without_what_was_kept_goes_forward_again(rows, monkeypatch):
    nn = made((2, 32, 32, 2))
    nn.cost_function = fastnn.SigmoidCrossEntropy()  # whose output has an activation
    X, g = samples((2,), rows, np.float64), cotangents(np.ones((rows, 2)), 2)
    *found, pullback = nn.laplacian(X, pullback=True)
    monkeypatch.setattr("fastnn.inference.derivatives._MOST_KEPT", 0)
    *again, anew = nn.laplacian(X, pullback=True)
    assert pullback._kept.size
    assert not anew._kept.size
    for one, other in zip(found, again, strict=True):
        np.testing.assert_array_equal(one, other)
    expected = anew(*g)
    np.testing.assert_array_equal(pullback(*g), expected)
    np.testing.assert_array_equal(pullback(*g), expected)  # which leaves it as it was
    pullback._kept[...] = 0
    assert not np.array_equal(pullback(*g), expected)


def test_changes_of_the_network_are_seen():
    nn = made((2, 5, 1))
    X = samples((2,), 12, np.float64)
    nn.laplacian(X)
    nn.parameters[...] *= 0.5
    np.testing.assert_allclose(nn.laplacian(X)[2], laplacian(ReferenceNetwork.like(nn), X)[2])
    nn.layers[0] = DenseLayer(2, 5, activation="sigmoid", rng=0)
    np.testing.assert_allclose(nn.laplacian(X)[2], laplacian(ReferenceNetwork.like(nn), X)[2])


def test_nan_stays_in_its_sample():
    nn = made((2, 5, 1))
    X = samples((2,), 12, np.float64)
    X[3, 0] = np.nan
    for found in (*nn.jvp(X, np.ones_like(X)), *nn.laplacian(X), nn.parameter_jacobian(X)):
        bad = np.isnan(found).reshape(12, -1)
        assert bad[3].all() or bad[3, :10].all()
        assert not np.delete(bad, 3, axis=0).any()
    assert np.isnan(nn.hvp(X, np.ones((12, 1)), nn.parameters)).any()


X2, T2 = np.ones((4, 2)), np.ones((4, 1))


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda nn: nn.jvp(np.ones((4, 3)), X2), ValueError, r"X has shape \(4, 3\), expected"),
        (lambda nn: nn.jvp(X2, X2[:3]), ValueError, r"V has shape \(3, 2\), expected that of X"),
        (lambda nn: nn.jvp(X2, "no"), TypeError, "V"),
        (lambda nn: nn.hvp(X2, T2[:3], nn.parameters), ValueError, "t has 3 rows, expected as"),
        (lambda nn: nn.hvp(X2, T2, T2), ValueError, r"v has shape \(4, 1\), expected \(21,\)"),
        (lambda nn: nn.hvp(X2, np.ones((4, 2)), nn.parameters), ValueError, "t has shape"),
        (lambda nn: nn.parameter_jacobian(np.ones(3)), ValueError, r"X has shape \(3,\)"),
        (lambda nn: nn.laplacian(np.ones((2, 2, 2))), ValueError, r"X has shape \(2, 2, 2\)"),
        (lambda nn: nn.laplacian(X2, pullback=1), TypeError, "pullback must be True or"),
        (
            lambda nn: nn.laplacian(X2, pullback=True)[3](g_grad=np.ones((4, 2))),
            ValueError,
            r"g_grad has shape \(4, 2\), expected \(4, 1, 2\)",
        ),
        (lambda nn: nn.laplacian(X2, pullback=True)[3](np.ones(4)), ValueError, r"g_u has shape"),
        (lambda nn: nn.compiled(derivatives="yes"), TypeError, "derivatives must be True or False"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named(call, error, message):
    with pytest.raises(error, match=message):
        call(made((2, 5, 1)))


@pytest.mark.parametrize("name", TOGETHER)
def test_layers_without_second_derivatives_are_named(name):
    nn = network((2, 6, 1), [name, "identity"], SQUARES)
    message = rf"layers\[0\] has the activation {name}, which acts on all features together"
    for call in (
        lambda: nn.laplacian(X2), lambda: nn.laplacian(X2, pullback=True),
        lambda: nn.hvp(X2, T2, nn.parameters),
    ):  # fmt: skip
        with pytest.raises(TypeError, match=message):
            call()


def test_layers_of_ones_own_are_refused():
    class Own(LinearLayer):
        def forward_propagation(self, X):
            return X[:, :1]

    nn = NeuralNetwork([Own(2, 1)], fastnn.SumSquaresError())
    with pytest.raises(TypeError, match="a layer or the cost is your own"):
        nn.jvp(X2, X2)


# Inside compiled functions


@njit(nogil=True)
def all_of_them(model, x, v, t, w, y, out, dy, ly, of_parameters, products, grad, work):
    kernels.jvp(model, x, v, y, out, work)
    kernels.parameter_jacobian(model, x, of_parameters, work)
    kernels.hvp(model, x, t, w, products, work)
    kernels.laplacian(model, x, y, dy, ly, work)
    kernels.laplacian_vjp(model, x, None, dy, None, grad, work)
    kernels.laplacian_vjp(model, x, y, None, ly, grad, work)


@njit(nogil=True)
def with_memory(model, x, y, dy, ly, grad, work, memory):
    kernels.laplacian(model, x, y, dy, ly, work, memory)
    kernels.laplacian_vjp(model, x, y, dy, ly, grad, work, memory)


@njit
def memory_of(model, rows):
    return kernels.laplacian_memory_size(model, rows)


@njit
def size_of(model, rows):
    return kernels.derivatives_workspace_size(model, rows)


@pytest.mark.parametrize("dtype", BOTH)
@pytest.mark.parametrize("sizes", SIZES[2:5])
def test_compiled_functions_equal_the_network(sizes, dtype):
    nn = made(sizes, dtype)
    model, inputs, outputs = nn.compiled(derivatives=True), sizes[0], sizes[-1]
    w = random(nn.parameters.size, dtype)
    for rows in (1, 7, 1000):
        X, V = samples(sizes, rows, dtype), random((rows, inputs), dtype)
        t = random((rows, outputs), dtype)
        size = kernels.derivatives_workspace_size(model, rows)
        assert size_of(model, rows) == size
        shapes = {
            "y": (rows, outputs), "out": (rows, outputs), "dy": (rows, outputs, inputs),
            "ly": (rows, outputs), "of_parameters": (rows, outputs, w.size), "products": w.shape,
            "grad": w.shape, "work": (size,),
        }  # fmt: skip
        given = {name: Guarded(shape, dtype) for name, shape in shapes.items()}
        all_of_them(model, X, V, t, w, *(guarded.array for guarded in given.values()))
        assert all(guarded.untouched() for guarded in given.values())
        found = {name: guarded.array for name, guarded in given.items()}
        y, out = nn.jvp(X, V)
        u, grad, lap, pullback = nn.laplacian(X, pullback=True)
        expected = {
            "y": u, "out": out, "dy": grad, "ly": lap, "of_parameters": nn.parameter_jacobian(X),
            "products": nn.hvp(X, t, w), "grad": pullback(g_u=u, g_lap=lap),
        }  # fmt: skip
        for name, array in expected.items():
            if name in ("products", "grad"):  # from Python perhaps in parts, added up
                assert_close(found[name], array, operations=operations(sizes, rows))
            else:
                np.testing.assert_array_equal(found[name], array, err_msg=name)
        assert_close(y, u, operations=operations(sizes))


@pytest.mark.parametrize("rows", [1, 7, 1000])
def test_compiled_laplacian_leaves_its_pullback_what_it_kept(rows):
    nn = made((2, 32, 32, 1))
    model, X = nn.compiled(derivatives=True), samples((2,), rows, np.float64)
    size = kernels.laplacian_memory_size(model, rows)
    assert memory_of(model, rows) == size
    work = np.empty(kernels.derivatives_workspace_size(model, rows))
    shapes = (rows, 1), (rows, 1, 2), (rows, 1), nn.parameters.shape
    given, memory = [Guarded(shape, X.dtype) for shape in shapes], Guarded((size,), X.dtype)
    with_memory(model, X, *(one.array for one in given), work, memory.array)
    assert memory.untouched()
    assert all(one.untouched() for one in given)
    u, du, lap, pullback = nn.laplacian(X, pullback=True)
    for one, expected in zip(given, (u, du, lap), strict=False):
        np.testing.assert_array_equal(one.array, expected)
    expected = pullback(u, du, lap)
    assert_close(given[-1].array, expected, operations=operations((2, 32, 32, 1), rows))
    with pytest.raises(ValueError, match=r"memory is too short: \d+ elements, expected"):
        with_memory(model, X, *(one.array for one in given), work, memory.array[1:])


@njit
def one_sample(model, x, v, y, out, dy, ly):
    kernels.jvp(model, x, v, y, out)
    kernels.laplacian(model, x, y, dy, ly)


def test_one_sample_needs_no_workspace_but_more_do():
    nn = made((2, 5, 1))
    model, x, v = nn.compiled(derivatives=True), np.array([0.1, -0.2]), np.array([1.0, 2.0])
    y, out, dy, ly = np.empty(1), np.empty(1), np.empty((1, 2)), np.empty(1)
    one_sample(model, x, v, y, out, dy, ly)
    for found, expected in zip((y, dy, ly), nn.laplacian(x), strict=True):
        np.testing.assert_array_equal(found, expected)
    X = np.ones((3, 2))
    with pytest.raises(
        ValueError, match=r"a batch needs a workspace of derivatives_workspace_size"
    ):
        one_sample(model, X, X, *np.ones((2, 3, 1)), np.ones((3, 1, 2)), np.ones((3, 1)))


WRONG = [
    ("x", lambda x: x[:, :1].copy(), "x has 1 features, expected 2"),
    ("y", lambda y: y[:2], "y has 2 rows, expected 3"),
    ("dy", lambda dy: dy[:2], "dy has 4 numbers, expected 6"),
    ("dy", lambda dy: dy.reshape(3, 2, 1), "dy must end with the axes outputs, inputs: 1 2"),
    ("work", lambda work: work[1:], "workspace is too short"),
    ("grad", lambda grad: grad[:3], "grad has 3 numbers, expected one a parameter: 21"),
    ("w", lambda w: w[:3], "v has 3 numbers"),
    (
        "of_parameters",
        lambda whole: whole[:, :, :4].copy(),
        "out must end with the axes outputs, parameters: 1 21",
    ),
]


def test_compiled_functions_refuse_what_does_not_fit():
    nn = made((2, 5, 1))
    model, P = nn.compiled(derivatives=True), nn.parameters.size
    shapes = {
        "x": (3, 2), "v": (3, 2), "t": (3, 1), "w": P, "y": (3, 1), "out": (3, 1), "dy": (3, 1, 2),
        "ly": (3, 1), "of_parameters": (3, 1, P), "products": P, "grad": P,
        "work": size_of(model, 3),
    }  # fmt: skip
    given = {name: np.ones(shape) for name, shape in shapes.items()}
    for name, change, message in WRONG:
        with pytest.raises(ValueError, match=message):
            all_of_them(model, *(given | {name: change(given[name])}).values())
    with pytest.raises(TypeError, match="dy must be a C-contiguous 3-dimensional array"):
        all_of_them(model, *(given | {"dy": given["y"]}).values())
    with pytest.raises(TypeError, match=r"of the network's dtype, float64, not float32"):
        all_of_them(model, *(given | {"ly": np.ones((3, 1), np.float32)}).values())
    memory = np.empty(0)
    memory.flags.writeable = False
    few = [given[name] for name in ("x", "y", "dy", "ly", "grad", "work")]
    with pytest.raises(TypeError, match=r"memory must be writable, but is read-only"):
        with_memory(model, *few, memory)
    with pytest.raises(ValueError, match=r"the model lacks this function"):
        all_of_them(nn.compiled(), *given.values())
    together = network((2, 6, 1), ["maxout", "identity"], SQUARES).compiled(derivatives=True)
    size = together.parameters.size
    others = {"w": np.ones(size), "of_parameters": np.ones((3, 1, size)), "work": np.ones(9999)}
    with pytest.raises(ValueError, match=r"the model lacks this function"):
        all_of_them(together, *(given | others).values())


@pytest.mark.parametrize("name", ["jvp", "hvp", "parameter_jacobian", "laplacian", "laplacian_vjp"])
def test_doors_are_for_compiled_functions(name):
    function = getattr(kernels, name)
    with pytest.raises(TypeError, match=f"{name} is for compiled functions"):
        function(*[None] * (function.__code__.co_argcount - 1))


# Threads


@pytest.mark.parametrize("rows", [1000, 2000])
def test_results_do_not_depend_on_threads(rows):
    nn = made((2, 70, 70, 3))
    X, t = samples((2,), rows, np.float64), random((rows, 3))
    v = random(nn.parameters.size)
    found = []
    before = fastnn.get_num_threads()
    for threads in (1, 2):
        fastnn.set_num_threads(threads)
        u, grad, lap, pullback = nn.laplacian(X, pullback=True)
        assert (pullback._kept.size > 0) == (rows == 1000)
        found.append([*nn.jvp(X, X), u, grad, lap, pullback(u, grad, lap), nn.hvp(X, t, v)])
    fastnn.set_num_threads(before)
    for one, two in zip(*found, strict=True):
        np.testing.assert_array_equal(one, two)


def test_every_cost_has_second_derivatives_or_is_known_to_have_none():
    assert set(WITHOUT) <= LOSSES.keys()
