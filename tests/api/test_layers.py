"""Layers on their own: the article's signature, attributes and methods."""

import copy
import pickle

import numpy as np
import pytest
from scipy.stats import truncnorm
from support.networks import DTYPES
from support.tolerance import assert_close

import fastnn
from fastnn.activations import ACTIVATIONS
from fastnn.layers.base import truncated_normal
from fastnn.reference import KINDS
from fastnn.reference import activations as reference

pytestmark = pytest.mark.main_in_float32

SEED_LAYERS = {
    fastnn.LinearLayer: "identity",
    fastnn.SigmoidLayer: "sigmoid",
    fastnn.TanhLayer: "tanh",
    fastnn.ReLULayer: "ReLU",
}


ELEMENTWISE = [name for name, spec in ACTIVATIONS.items() if not spec.kind]


@pytest.mark.parametrize("spec", ACTIVATIONS.values(), ids=ACTIVATIONS)
def test_every_entry_has_its_reference(spec):
    if spec.kind:
        assert spec.kernel in KINDS
        return
    for name in (spec.kernel, f"{spec.kernel}_derivative", f"{spec.kernel}_second_derivative"):
        assert callable(reference.find(name))


@pytest.mark.parametrize("kind", SEED_LAYERS)
def test_signature_of_the_article(kind):
    layer = kind(3, 2, 0.5, 0.25)
    assert layer.w.shape == (3, 2)
    assert layer.w.dtype == layer.b.dtype == np.float64
    assert np.array_equal(layer.b, [0.25, 0.25])
    assert np.abs(layer.w).max() <= 1.0
    assert kind(3, 2, std=1.0, bias=0.0, dtype="float32", rng=1).w.dtype == np.float32
    assert layer.activation.name == SEED_LAYERS[kind]
    assert layer.input is None
    assert layer.output is None


@pytest.mark.parametrize("std", [0.1, 1.0, 3.0])
def test_weights_are_cut_off_at_two_standard_deviations(std):
    w = truncated_normal((100_000,), std, rng=0)
    assert np.abs(w).max() <= 2 * std
    assert np.abs(w).max() > 1.99 * std
    # variance of the normal distribution cut off at ±2: 1 - 4 φ(2) / (Φ(2) - Φ(-2)) = 0.7737
    assert np.std(w) == pytest.approx(std * 0.7737**0.5, rel=0.01)


def test_global_seed_gives_the_numbers_of_the_article():
    np.random.seed(11)  # noqa: NPY002
    expected = truncnorm(a=-2, b=2, scale=1.0).rvs((4, 3))
    np.random.seed(11)  # noqa: NPY002
    assert np.allclose(fastnn.TanhLayer(4, 3).w, expected, rtol=1e-12, atol=0)


def test_rng_makes_weights_reproducible():
    for rng in (3, np.int64(3)):
        assert np.array_equal(
            fastnn.TanhLayer(4, 3, rng=rng).w,
            fastnn.TanhLayer(4, 3, rng=np.random.default_rng(3)).w,
        )


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", ELEMENTWISE)
def test_forward_and_derivative_equal_reference(name, dtype):
    spec = ACTIVATIONS[name]
    numbers = spec.parameters.values()
    layer = fastnn.DenseLayer(1, 1, activation=name, dtype=dtype, rng=0)
    layer.w, layer.b = [[1.0]], [0.0]
    x = np.linspace(-12, 12, 4001, dtype=dtype)[:, np.newaxis]
    y = layer(x)
    assert y.dtype == dtype
    assert layer.input is x
    assert layer.output is y
    exact = reference.find(spec.kernel)(x.astype(np.float64), *numbers)
    assert_close(y, exact, operations=2)
    slope = layer.activation_derivative() * np.ones_like(y)
    assert slope.dtype == dtype
    expected = reference.find(f"{spec.kernel}_derivative")(x.astype(np.float64), *numbers)
    assert_close(slope, expected, operations=2)


@pytest.mark.parametrize("kind", SEED_LAYERS)
def test_kinks_and_large_activities(kind):
    layer = kind(1, 1, rng=0)
    layer.w, layer.b = [[1.0]], [0.0]
    x = np.array([[0.0], [-1e308], [1e308], [-5e-324], [5e-324]])
    with np.errstate(all="raise"):
        y = layer(x)
        slope = layer.activation_derivative() * np.ones_like(y)
    assert np.isfinite(y).all()
    assert np.isfinite(slope).all()
    if kind is fastnn.ReLULayer:
        assert np.array_equal(slope.ravel(), [0, 0, 1, 0, 1])
    assert np.isnan(layer([[np.nan]])).all()


@pytest.mark.parametrize("kind", SEED_LAYERS)
def test_back_propagation_is_the_article_s_step(kind):
    rng = np.random.default_rng(0)
    layer = kind(4, 3, rng=rng)
    x, delta = rng.normal(size=(10, 4)), rng.normal(size=(10, 3))
    w, b = layer.w.copy(), layer.b.copy()
    layer(x)
    derivative = reference.find(f"{layer.activation.kernel}_derivative")
    error = delta * derivative(x @ w + b)
    assert_close(layer.back_propagation(delta, 0), error @ w.T, operations=3)
    assert np.array_equal(layer.w, w)
    assert_close(layer.back_propagation(delta, 0.1), error @ w.T, operations=3)
    assert_close(layer.w, w - 0.1 * x.T @ error, operations=10)
    assert_close(layer.b, b - 0.1 * error.sum(axis=0), operations=10)


def test_assigning_parameters():
    layer = fastnn.TanhLayer(2, 3, rng=0)
    storage = layer.w
    given = np.arange(6).reshape(2, 3)
    layer.w = given
    assert layer.w is storage
    assert layer.w.dtype == np.float64
    layer.w -= 1
    assert np.array_equal(layer.w, given - 1)
    assert given[0, 0] == 0
    layer.w = np.ones((5, 4))
    with pytest.raises(ValueError, match=r"b has shape \(3,\), expected \(4,\) as w has"):
        layer(np.ones((1, 5)))
    layer.b = np.zeros(4)
    assert layer(np.ones((1, 5))).shape == (1, 4)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ((0, 1), ValueError, "dim_input must be at least 1, but is 0"),
        ((1, -1), ValueError, "dim_output must be at least 1, but is -1"),
        ((1.5, 1), TypeError, "dim_input must be an int, not 1.5"),
        ((True, 1), TypeError, "dim_input must be an int, not True"),
        ((1, 1, -1.0), ValueError, "std must be at least 0, but is -1.0"),
        ((1, 1, np.nan), ValueError, "std must be a finite number, not nan"),
        ((1, 1, 1.0, np.inf), ValueError, "bias must be a finite number, not inf"),
    ],
)
def test_bad_arguments(arguments, error, message):
    with pytest.raises(error, match=message):
        fastnn.TanhLayer(*arguments)


@pytest.mark.parametrize("dtype", ["int32", "float16", "complex64", "nonsense", object])
def test_bad_dtype(dtype):
    with pytest.raises(TypeError, match="dtype must be float32 or float64, not "):
        fastnn.TanhLayer(1, 1, dtype=dtype)


def test_bad_use():
    layer = fastnn.TanhLayer(2, 3, rng=0)
    with pytest.raises(ValueError, match=r"back_propagation needs a forward pass first"):
        layer.back_propagation(np.ones((1, 3)), 0.1)
    with pytest.raises(ValueError, match="activation_derivative needs a forward pass first"):
        layer.activation_derivative()
    with pytest.raises(ValueError, match=r"X has shape \(4, 5\), expected \(rows, 2\)"):
        layer(np.ones((4, 5)))
    layer(np.ones((4, 2)))
    kept = layer.w.copy()
    with pytest.raises(ValueError, match=r"delta has shape \(4, 2\), expected \(4, 3\)"):
        layer.back_propagation(np.ones((4, 2)), 0.1)
    assert np.array_equal(layer.w, kept)
    for name, value in (("w", np.ones(3)), ("w", np.ones((0, 3))), ("b", np.ones((3, 1)))):
        with pytest.raises(ValueError, match=f"{name} must be a non-empty"):
            setattr(layer, name, value)
    with pytest.raises(TypeError, match="w must hold real numbers, not complex128"):
        layer.w = np.ones((2, 3)) * 1j
    with pytest.raises(ValueError, match="unknown activation 'tanhh'; nearest: tanh"):
        fastnn.DenseLayer(1, 1, activation="tanhh")
    with pytest.raises(NotImplementedError, match="Layer must define forward_propagation"):
        fastnn.Layer(1, 1)(np.ones((1, 1)))


def test_repr_tells_layers_apart():
    assert repr(fastnn.TanhLayer(2, 3)) == "TanhLayer(2, 3, dtype=float64)"
    swish = fastnn.DenseLayer(2, 3, activation="swish", dtype="f4")
    assert repr(swish) == "DenseLayer(2, 3, activation='Swish', dtype=float32)"


def test_back_propagation_refuses_a_rate_that_is_no_number():
    layer = fastnn.TanhLayer(2, 3, rng=0)
    layer(np.ones((4, 2)))
    for rate, error in ((np.nan, ValueError), ("fast", TypeError)):
        with pytest.raises(error, match="learning_rate must be a"):
            layer.back_propagation(np.ones((4, 3)), rate)


def test_activation_may_change_and_pickles_as_itself():
    layer = fastnn.DenseLayer(1, 1, rng=0)
    layer([[1.0]])
    layer.activation = "relu"
    assert layer.activation is ACTIVATIONS["ReLU"]
    assert pickle.loads(pickle.dumps(layer)).activation is ACTIVATIONS["ReLU"]
    assert copy.deepcopy(layer).activation is ACTIVATIONS["ReLU"]
    with pytest.raises(ValueError, match="activation_derivative needs a forward pass first"):
        layer.activation_derivative()


def test_empty_samples_and_more_dimensions():
    layer = fastnn.TanhLayer(2, 3, rng=0)
    assert layer(np.empty((0, 2))).shape == (0, 3)
    x = np.random.default_rng(0).normal(size=(4, 5, 2))
    assert np.array_equal(layer(x).reshape(20, 3), layer(x.reshape(20, 2)))
    assert np.array_equal(layer(x[0, 0]), layer(x[0, :1])[0])
