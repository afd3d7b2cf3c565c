"""Whatever the caller hands in: the right result, or an error that names it and changes nothing."""

import copy

import numpy as np
import pytest
from support.networks import data, network

import fastnn
from fastnn.activations import ACTIVATIONS
from fastnn.losses import COSTS

SIZES = (3, 4, 2)
X, T = data(SIZES, "SumSquaresError", 12)


def net(dtype=np.float64):
    return network(SIZES, ["tanh", "identity"], "SumSquaresError", dtype)


def ints(a):
    return (10 * a).astype(int)


def readonly(a):
    a = a.copy()
    a.flags.writeable = False
    return a


def strided(a):
    wide = np.full((2 * a.shape[0], 3 * a.shape[1]), np.nan)
    wide[::2, ::3] = a
    return wide[::2, ::3]


def unaligned(a):
    raw = np.zeros(a.nbytes + 1, np.uint8)
    raw[1:] = np.frombuffer(a.tobytes(), np.uint8)
    return raw[1:].view(a.dtype).reshape(a.shape)


LAYOUTS = {
    "list": lambda a: a.tolist(),
    "integers": ints,
    "booleans": lambda a: a > 0,
    "float16": lambda a: a.astype(np.float16),
    "float32": lambda a: a.astype(np.float32),
    "long double": lambda a: a.astype(np.longdouble),
    "Fortran order": np.asfortranarray,
    "strided": strided,
    "reversed": lambda a: a[::-1],
    "read-only": readonly,
    "big-endian": lambda a: a.astype(">f8"),
    "unaligned": unaligned,
    "matrix subclass": lambda a: np.ma.masked_array(a),
}


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_any_layout_trains_alike(layout, dtype):
    x, t = LAYOUTS[layout](X), LAYOUTS[layout](T)
    plain = [np.ascontiguousarray(np.asarray(a), dtype=dtype) for a in (x, t)]
    ours, expected = net(dtype), net(dtype)
    ours.fit(x, t, 0.01, epochs=3, batch_size=5, rng=0)
    expected.fit(*plain, 0.01, epochs=3, batch_size=5, rng=0)
    assert np.array_equal(ours.parameters, expected.parameters)
    assert np.array_equal(ours(x), expected(plain[0]))
    assert ours.cost(x, t) == expected.cost(*plain)
    assert ours(x).dtype == dtype


def test_memory_map_is_read_in_place(tmp_path):
    stored = np.memmap(tmp_path / "x", np.float64, "w+", shape=X.shape)
    stored[:] = X
    frozen = np.memmap(tmp_path / "x", np.float64, "r", shape=X.shape)
    ours, expected = net(), net()
    for given in (stored, frozen):
        ours.fit(given, T, 0.01)
        expected.fit(X, T, 0.01)
    assert np.array_equal(ours.parameters, expected.parameters)


def test_inputs_are_never_changed():
    x, t = X.copy(), T.copy()
    nn = net()
    nn.fit(x, t, 0.01, epochs=3, batch_size=5)
    nn.gradient(x, t)
    nn(x), nn.cost(x, t), nn.gradient_check(x[:2], t[:2])
    assert np.array_equal(x, X)
    assert np.array_equal(t, T)


def with_value(a, place, value):
    a = a.copy()
    a[place] = value
    return a


REFUSED = [
    ((X[:, :2], T, 0.1), {}, ValueError, r"X has shape \(12, 2\), expected \(rows, 3\)"),
    ((X[0], T, 0.1), {}, ValueError, r"X has shape \(3,\), .*X.reshape\(1, -1\)"),
    ((X, T[:, :1], 0.1), {}, ValueError, r"t has shape \(12, 1\), expected \(rows, 2\)"),
    ((X, T[:5], 0.1), {}, ValueError, "t has 5 rows, expected as many as X, 12"),
    ((X[:0], T[:0], 0.1), {}, ValueError, r"X is empty, shape \(0, 3\)"),
    ((X[None], T, 0.1), {}, ValueError, r"X has shape \(1, 12, 3\)"),
    ((with_value(X, (7, 1), np.nan), T, 0.1), {}, ValueError, r"X\[7, 1\] is nan, expected"),
    ((with_value(X, (0, 2), -np.inf), T, 0.1), {}, ValueError, r"X\[0, 2\] is -inf, expected"),
    ((X, with_value(T, (11, 0), np.inf), 0.1), {}, ValueError, r"t\[11, 0\] is inf, expected"),
    ((X * 1j, T, 0.1), {}, TypeError, "X must hold real numbers, not complex128"),
    ((X.astype(object), T, 0.1), {}, TypeError, "X must hold real numbers, not object"),
    ((X.astype(str), T, 0.1), {}, TypeError, "X must hold real numbers, not <U"),
    ((None, T, 0.1), {}, TypeError, "X must hold real numbers, not object .of type NoneType"),
    (([[1, 2], [3]], T, 0.1), {}, ValueError, "X is not an array of numbers"),
    ((X, T, np.nan), {}, ValueError, "learning_rate must be a finite number, not nan"),
    ((X, T, -0.1), {}, ValueError, "learning_rate must be at least 0, but is -0.1"),
    ((X, T, "fast"), {}, TypeError, "learning_rate must be a number, a schedule .* not 'fast'"),
    ((X, T, "0.1"), {}, TypeError, "learning_rate must be a number, a schedule .* not '0.1'"),
    ((X, T, 10**400), {}, ValueError, "learning_rate must be a finite number, not inf"),
    ((X, T, 0.1), {"epochs": 2**63}, ValueError, "epochs must be at least 0 and below"),
    ((X, T, 0.1), {"rng": -1, "batch_size": 2}, ValueError, "rng must not be negative"),
    ((X, T, None), {}, TypeError, "fit needs a learning_rate or an optimizer"),
    ((X, T, 0.1), {"epochs": -1}, ValueError, "epochs must be at least 0, but is -1"),
    ((X, T, 0.1), {"epochs": 1.5}, TypeError, "epochs must be an int, not 1.5"),
    (
        (X, T, 0.1),
        {"batch_size": 0},
        ValueError,
        "batch_size must be at least 1, but is 0",
    ),
    ((X, T, 0.1), {"batch_size": "all"}, TypeError, "batch_size must be an int, not 'all'"),
    (
        (X, T, 0.1),
        {"verbose": -1},
        ValueError,
        "verbose must be at least 0, but is -1",
    ),
    ((X, T, 0.1), {"rng": "dice", "batch_size": 2}, TypeError, "rng must be"),
    ((X, T), {"optimizer": "Adan"}, ValueError, "unknown optimizer 'Adan'; nearest: Adam"),
    ((X, T), {"optimizer": 3}, TypeError, "optimizer must be a name or what fastnn.get_opt"),
    ((X, T, 0.1), {"n_threads": 0}, ValueError, "n_threads must be at least 1, but is 0"),
    ((X, T, 0.1), {"callbacks": 3}, TypeError, "callbacks is 3, expected a Callback"),
    ((X, T, 0.1), {"validation_data": X}, TypeError, "validation_data must be"),
    (
        (X, T, 0.1),
        {"validation_data": (X, T[:3])},
        ValueError,
        r"validation_data\[1\] has 3 rows, expected as many as validation_data\[0\], 12",
    ),
    (
        (X, T, 0.1),
        {"validation_data": (X, T, -np.ones(12))},
        ValueError,
        r"validation_data\[2\]\[0\] is -1.0, expected a finite number, at least 0",
    ),
    (
        (X, T, 0.1),
        {"sample_weight": np.ones(5)},
        ValueError,
        r"sample_weight has shape \(5,\), expected \(12,\)",
    ),
    (
        (X, T, 0.1),
        {"sample_weight": with_value(np.ones(12), 4, np.nan)},
        ValueError,
        r"sample_weight\[4\] is nan, expected a finite number",
    ),
    ((X, T, 0.1), {"class_weight": {2: 1.0}}, ValueError, "class_weight names the class 2"),
    ((X, T, 0.1), {"class_weight": {0: -1.0}}, ValueError, r"class_weight\[0\] must be at least 0"),
    ((X, T, 0.1), {"class_weight": [1.0]}, ValueError, r"class_weight has shape \(1,\)"),
]


@pytest.mark.parametrize(("arguments", "keywords", "error", "message"), REFUSED)
def test_fit_refuses_and_changes_nothing(arguments, keywords, error, message):
    nn = net()
    before = nn.parameters.copy()
    with pytest.raises(error, match=message):
        nn.fit(*arguments, **keywords)
    assert np.array_equal(nn.parameters, before)


def test_too_large_for_float32_is_told():
    with pytest.raises(ValueError, match=r"X\[0, 0\] is 1e\+300, expected .* of float32"):
        net(np.float32).fit(with_value(X, (0, 0), 1e300), T, 0.1)


@pytest.mark.parametrize("compiled", [True, False])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("batch_size", [None, 5])
def test_divergence_is_told_and_keeps_the_last_finite_parameters(dtype, batch_size, compiled):
    nn = net(dtype)
    if not compiled:
        nn.layers[0].activation_derivative = nn.layers[0].activation_derivative
    with (
        np.errstate(all="ignore"),
        pytest.raises(
            ValueError, match=r"learning_rate=1000.0 makes the training diverge: in step"
        ),
    ):
        nn.fit(100 * X, 100 * T, 1e3, epochs=1000, batch_size=batch_size, shuffle=False)
    assert np.isfinite(nn.parameters).all()


def test_divergence_names_the_step():
    """The step in the message is the one whose predecessor left the present parameters."""
    nn, twin = net(), net()
    with pytest.raises(ValueError, match="in step") as caught:
        nn.fit(100 * X, 100 * T, 1e3, epochs=1000)
    steps = int(str(caught.value).split("in step ")[1].split()[0])
    assert steps > 1
    twin.fit(100 * X, 100 * T, 1e3, epochs=steps)
    assert np.array_equal(twin.parameters, nn.parameters)


def test_non_finite_parameters_are_told():
    nn = net()
    nn.layers[0].w[0, 0] = np.nan
    before = nn.parameters.copy()
    with pytest.raises(ValueError, match=r"parameters\[0\] is nan, expected a finite number"):
        nn.fit(X, T, 0.1)
    assert np.array_equal(nn.parameters, before, equal_nan=True)


def test_forward_passes_nan_on():
    nn = net()
    y = nn(with_value(X, (3, 0), np.nan))
    assert np.isnan(y[3]).all()
    assert np.isfinite(np.delete(y, 3, axis=0)).all()
    assert np.isnan(nn.cost(with_value(X, (3, 0), np.nan), T))


def test_one_sample_and_no_sample():
    nn = net()
    assert nn(X[0]).shape == (2,)
    assert np.allclose(nn(X[0]), nn(X)[0], rtol=1e-14)
    assert nn(X[:0]).shape == (0, 2)
    assert nn.cost(X[:0], T[:0]) == 0.0
    with pytest.raises(ValueError, match=r"X has shape \(4,\), expected \(rows, 3\)"):
        nn(np.ones(4))


def test_networks_that_do_not_fit_together():
    cost = fastnn.SumSquaresError()
    with pytest.raises(ValueError, match="layers is empty"):
        fastnn.NeuralNetwork([], cost)
    with pytest.raises(ValueError, match=r"layers\[1\] takes 5 features, but layers\[0\] gives 4"):
        fastnn.NeuralNetwork([fastnn.TanhLayer(3, 4), fastnn.LinearLayer(5, 1)], cost)
    layers = [fastnn.TanhLayer(3, 4), fastnn.LinearLayer(4, 2, dtype=np.float32)]
    with pytest.raises(TypeError, match=r"layers\[1\] has dtype float32, expected .* float64"):
        fastnn.NeuralNetwork(layers, cost)
    nn = net()
    nn.layers[1] = layers[1]
    with pytest.raises(TypeError, match=r"layers\[1\] has dtype float32, expected .* float64"):
        nn.fit(X, T, 0.1)
    layer = fastnn.TanhLayer(3, 3)
    nn = fastnn.NeuralNetwork([layer, layer], cost)
    with pytest.raises(ValueError, match="layers holds one layer twice"):
        nn.fit(X, X, 0.1)
    nn = net()
    nn.layers[1].w = np.ones((5, 2))
    with pytest.raises(ValueError, match=r"layers\[1\] takes 5 features, but layers\[0\] gives 4"):
        nn.fit(X, T, 0.1)
    nn = net()
    nn.layers = "none"
    with pytest.raises(TypeError, match=r"layers\[0\] is a str, expected a Layer"):
        _ = nn.parameters


def test_objects_that_are_no_layers_or_costs():
    layers, cost = [fastnn.TanhLayer(3, 2)], fastnn.SumSquaresError()
    with pytest.raises(TypeError, match=r"layers\[0\] is <class .*TanhLayer'>, expected an object"):
        fastnn.NeuralNetwork([fastnn.TanhLayer], cost)
    for wrong in (fastnn.SumSquaresError, "SumSquaresError"):
        with pytest.raises(TypeError, match=r"cost_function is .*, expected an object"):
            fastnn.NeuralNetwork(layers, wrong)
    nn = fastnn.NeuralNetwork(layers, cost)
    nn.layers = []
    with pytest.raises(ValueError, match="layers is empty"):
        nn.fit(X, T, 0.1)


def test_a_foreign_layer_is_put_back_too_when_training_diverges():
    class Foreign:
        """Not a Layer, but with weights of its own."""

        def __init__(self):
            self.w = np.ones((3, 3))

        def __call__(self, X):
            self.input = X
            return X @ self.w

        def back_propagation(self, delta, learning_rate):
            below = delta @ self.w.T
            self.w = self.w - learning_rate * self.input.T @ delta
            return below

    nn = fastnn.NeuralNetwork(
        [Foreign(), fastnn.LinearLayer(3, 2, rng=0)], fastnn.SumSquaresError()
    )
    with np.errstate(all="ignore"), pytest.raises(ValueError, match="makes the training diverge"):
        nn.fit(X, T, 1e3, epochs=1000)
    assert np.isfinite(nn.layers[0].w).all()
    assert np.isfinite(nn.layers[1].w).all()


def test_data_larger_than_a_tile_and_huge_batch():
    rows = 20_000
    x, t = data(SIZES, "SumSquaresError", rows)
    nn = net()
    nn.fit(x, t, 1e-5, batch_size=10**12)
    assert np.isfinite(nn.parameters).all()


TWICE = [
    (name, cost)
    for name in ACTIVATIONS
    for cost in COSTS
    if (name, COSTS[cost].spec.activation)
    in [("sigmoid", "sigmoid"), ("softmax", "softmax"), ("exponential", "exponential")]
]


def test_an_activation_that_the_cost_has_too_is_warned_of():
    """Once, where the network is made; a log-softmax leaves the softmax what it is."""
    assert {cost for _, cost in TWICE} == {
        "SigmoidCrossEntropy", "SoftmaxCrossEntropy", "Poisson", "KLDivergence",
    }  # fmt: skip
    for name in ACTIVATIONS:
        for cost, make in COSTS.items():
            layers = [fastnn.DenseLayer(3, 12, activation=name, rng=0)]
            if (name, cost) in TWICE:
                message = rf"layers\[-1\] has the activation '{name}', which {cost} applies"
                with pytest.warns(UserWarning, match=message) as found:
                    nn = fastnn.NeuralNetwork(layers, make())
                assert found[0].filename == __file__
                assert len(found) == 1
                copy.deepcopy(nn)
            else:
                fastnn.NeuralNetwork(layers, make())
