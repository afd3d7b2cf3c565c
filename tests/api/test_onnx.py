"""Networks as ONNX files: the same numbers in ONNX Runtime, in operators as old as can be."""

import subprocess
import sys

import numpy as np
import onnx
import onnxruntime
import pytest
import scipy.special
from support.networks import DTYPES, data, network, twice_activated
from support.tolerance import assert_close

import fastnn
from fastnn import DenseLayer, LinearLayer, NeuralNetwork, SumSquaresError, TanhLayer
from fastnn.activations import ACTIVATIONS
from fastnn.export.onnx.operators import HIGHEST, LOWEST, OPERATORS
from fastnn.losses import COSTS
from fastnn.reference.activations import algebraic, composite

ROUNDINGS = 8
"""Of an activation, in eps of the largest of 1, |x| and |y|.

Four at most are those of the kernel, see docs/accuracy.md; the others are of the runtime, which
computes an exponential or a logarithm to 2 of them, and then adds and multiplies.
"""


@pytest.fixture
def path(tmp_path):
    return tmp_path / "network.onnx"


def run(path, x):
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    (output,) = session.run(None, {"X": x})
    assert [i.shape for i in session.get_inputs()] == [["rows", x.shape[1]]]
    return output


def opset(path):
    return {o.domain: o.version for o in onnx.load(path).opset_import}[""]


def alone(name, dtype, **parameters):
    """An activation behind a product that changes nothing, and samples from everywhere."""
    spec = ACTIVATIONS[name]
    columns = spec.columns(spec.checked(parameters))
    width = 5 if spec.kind else 1
    layer = DenseLayer(
        width * columns, width, init=np.eye(width * columns), activation=name, dtype=dtype,
        **parameters,
    )  # fmt: skip
    rng = np.random.default_rng(0)
    if spec.kind:
        x = rng.normal(size=(800, width * columns)) * np.repeat([0.1, 1, 10, 30], 200)[:, None]
    else:
        far = np.logspace(-20, 18, 300)
        x = np.concatenate([np.linspace(-30, 30, 2001), np.linspace(-1, 1, 999), far, -far])[
            :, None
        ]
    return NeuralNetwork([layer], SumSquaresError()), x.astype(dtype)


def unusual(name):
    """Parameters that float32 does not have, where there are any."""
    given = ACTIVATIONS[name].parameters
    return {key: 3 if isinstance(value, int) else 0.9 * value for key, value in given.items()}


@pytest.mark.parametrize("limit", [LOWEST, 20, HIGHEST])
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", ACTIVATIONS)
def test_activations_are_those_of_the_runtime(name, dtype, limit, path):
    given = unusual(name) if limit > LOWEST else {}
    if name == "threshold":
        given = {"threshold": 0.3, "value": -0.7}
    nn, x = alone(name, dtype, **given)
    x = x[np.abs(x).max(axis=1) <= ACTIVATIONS[name].largest[dtype == np.float64] / 3]
    nn.export_onnx(path, opset=limit)
    y, expected = run(path, x), nn.predict(x)
    assert y.dtype == dtype
    assert LOWEST <= opset(path) <= limit
    wide = np.abs(x).max(axis=1, keepdims=True)
    unit = np.finfo(dtype).eps * np.maximum(np.maximum(1, wide), np.abs(expected))
    with np.errstate(invalid="ignore"):  # infinities are equal
        far = np.where(y == expected, 0, np.abs(y - expected) / unit)
    assert far.max() <= ROUNDINGS


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", [name for name, spec in ACTIVATIONS.items() if not spec.kind])
def test_nan_stays_and_infinities_have_their_limits(name, dtype, path):
    given = {"threshold": 0.3, "value": -0.7} if name == "threshold" else {}
    nn, _ = alone(name, dtype, **given)
    nn.export_onnx(path, opset=LOWEST)
    nan, up, down = run(path, np.array([[np.nan], [np.inf], [-np.inf]], dtype))[:, 0]
    assert np.isnan(nan)
    if name == "softsign" and dtype == np.float32:
        return  # an operator: x / (1 + |x|) to the letter
    large = np.finfo(dtype).max
    highest, lowest = nn.predict(np.array([[large], [-large]], dtype))[:, 0]
    for found, limit in [(up, highest), (down, lowest)]:  # the limit, or a number as large
        assert (
            found == pytest.approx(limit, rel=1e-5, nan_ok=True)
            or min(abs(found), abs(limit)) > large / 1000
        )


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("cost", COSTS)
def test_the_activation_of_the_cost_is_included_or_not(cost, dtype, path):
    layers = [TanhLayer(3, 5, rng=0, dtype=dtype), LinearLayer(5, 18, rng=1, dtype=dtype)]
    given = {"components": 6} if cost == "MixtureDensityError" else {}
    nn = NeuralNetwork(layers, COSTS[cost](**given))
    x = np.random.default_rng(2).uniform(-1, 1, (9, 3)).astype(dtype)
    logits = layers[1](layers[0](x))
    nn.export_onnx(path, activate=False)
    assert_close(run(path, x), logits, operations=8)
    nn.export_onnx(path)
    scale = 8 * (1 + np.abs(logits).max() ** 2)  # an exponential has an error of its argument's
    assert_close(run(path, x), nn.predict(x), operations=scale)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", ["tanh", "Swish", "PReLU", "GLU", "maxout", "squareplus"])
def test_networks_are_those_of_the_runtime(name, dtype, path):
    sizes = 4, 64, 64, 2
    nn = network(sizes, [name, name, "identity"], "SumSquaresError", dtype)
    nn.export_onnx(path)
    x = data(sizes, "SumSquaresError", 100)[0].astype(dtype)
    assert_close(run(path, x), nn.predict(x), operations=sum(sizes))
    assert run(path, x[:1]).shape == (1, 2)
    assert run(path, x[:0]).shape == (0, 2)


def test_parameters_of_their_own_and_functions_twice(path):
    """The same function with other numbers, and another function of the same activation."""
    layers = [
        DenseLayer(4, 6, activation="maxout", k=2, rng=0),
        DenseLayer(6, 6, activation="maxout", k=3, rng=1),
        DenseLayer(6, 6, activation="squareplus", b=0.1, rng=2),
        DenseLayer(6, 2, activation="squareplus", b=3.0, rng=3),
    ]
    nn = NeuralNetwork(layers, SumSquaresError())
    nn.export_onnx(path)
    x = np.random.default_rng(4).normal(size=(50, 4))
    assert_close(run(path, x), nn.predict(x), operations=22)
    assert [f.name for f in onnx.load(path).functions] == ["maxout", "maxout_2", "squareplus"]


def test_the_opset_is_the_lowest_that_serves(path):
    for name, limit, expected in [
        ("tanh", 24, 13), ("GELU", 24, 20), ("GELU", 19, 13), ("Swish", 24, 24), ("Swish", 20, 13),
        ("Mish", 20, 18),
    ]:  # fmt: skip
        alone(name, np.float32)[0].export_onnx(path, opset=limit)
        assert opset(path) == expected
        assert onnx.load(path).ir_version <= max(
            8, onnx.helper.OP_SET_ID_VERSION_MAP["ai.onnx", expected]
        )


@pytest.mark.parametrize("name", OPERATORS)
def test_operators_are_nodes_and_others_are_functions(name, path):
    nn, _ = alone(name, np.float32)
    nn.export_onnx(path, opset=HIGHEST)
    model = onnx.load(path)
    wanted = ["Gemm", OPERATORS[name].name] if OPERATORS[name].name else ["Gemm"]
    assert [node.op_type for node in model.graph.node] == wanted
    assert not model.functions


def test_float64_parameters_are_not_rounded_to_float32(path):
    nn, x = alone("leaky-ReLU", np.float64, alpha=0.1)
    nn.export_onnx(path)
    np.testing.assert_array_equal(run(path, x), nn.predict(x))


FUNCTIONS = {
    "exp": np.exp, "log1p": np.log1p, "expm1": np.expm1, "sinh": np.sinh, "cosh": np.cosh,
    "sign": np.sign, "floor": np.floor, "ceil": np.ceil, "square": np.square,
    "positive": np.positive,
    "reciprocal": lambda x: np.reciprocal(x + 5.5), "cube": lambda x: x**3,
    "power": lambda x: (x + 7.0) ** 2.5, "hypot": lambda x: np.hypot(x, 2.0),
    "copysign": lambda x: np.copysign(2.0, x), "clip": lambda x: np.clip(x, -0.3, 0.4),
    "erfc": scipy.special.erfc, "expit": scipy.special.expit,
    "not equal": lambda x: np.where(x != 0.5, x, 3.0), "truth": lambda x: (x > 0.25) * x,
    "and": lambda x: np.where((x > 0) & ~(x > 1) | (x < -1), x, 2.0),
    "finite": lambda x: np.where(np.isfinite(x) & ~np.isposinf(x) & ~np.isinf(x), x, 0.0),
    "polyval": lambda x: np.polyval([1.0, -2.0, 0.5], x),
    "least": lambda x: x - np.min(x, axis=-1, keepdims=True),
    "mean": lambda x: x + x.mean(axis=-1, keepdims=True) + x.sum(axis=1, keepdims=True),
}  # fmt: skip


@pytest.mark.parametrize("limit", [LOWEST, HIGHEST])
@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions_of_numpy(name, limit, path, monkeypatch):
    """What a reference may call: the file has what it returns, be there a kernel or not."""
    monkeypatch.setattr(algebraic, "bent_identity", lambda x: FUNCTIONS[name](x))
    nn, _ = alone("bent-identity", np.float64)
    x = np.concatenate([np.linspace(-5, 5, 101), [0.0, 1e-9, -1e-9]])[:, None]
    if name == "log1p":
        x = np.abs(x)
    with np.errstate(all="ignore"):
        expected = FUNCTIONS[name](x) + 0.0
    if limit > LOWEST:  # an operator that is no older
        nn.layers = [*nn.layers, DenseLayer(1, 1, init=[[1.0]], activation="Swish", beta=2**-8)]
        expected = expected * scipy.special.expit(expected / 2**8)
    nn.export_onnx(path, opset=limit)
    assert opset(path) == limit
    np.testing.assert_allclose(run(path, x), expected, rtol=1e-13)


@pytest.mark.parametrize(
    ("reference", "told"),
    [
        (lambda x: np.cumsum(x), "cumsum has no form in ONNX"),
        (lambda x: np.arctan2(x, x), "arctan2 has no form in ONNX"),
        (lambda x: x if x > 0 else -x, "numpy.where"),
        (lambda x: x.T, "no attribute 'T'"),
        (lambda x: np.add.reduce(x), "add.reduce"),
        (lambda x: x[0], "no form in ONNX"),
        (lambda x: x.sum(), "joins samples"),
        (lambda x: x.reshape(-1), "samples must stay the rows"),
        (lambda x: 1.0, "expected an array"),
        (lambda x: x > 0, "expected an array"),
    ],
)
def test_references_that_have_no_form(reference, told, path, monkeypatch):
    monkeypatch.setattr(composite, "log_cosh", reference)
    nn, _ = alone("log-cosh", np.float64)
    with pytest.raises(ValueError, match=rf"log_cosh cannot be exported: .*{told}"):
        nn.export_onnx(path)
    assert not path.exists()


class Own(fastnn.Layer):
    def forward_propagation(self, X):
        return X @ self.w

    def activation_derivative(self):
        return 1


class FoldedError(SumSquaresError):
    def activate(self, logits):
        return np.abs(logits)


def test_what_cannot_be_exported(path):
    path.write_bytes(b"before")
    with pytest.raises(ValueError, match=r"layers\[0\] is Own"):
        NeuralNetwork([Own(2, 1)], SumSquaresError()).export_onnx(path)
    nn = NeuralNetwork([LinearLayer(2, 1)], FoldedError())
    with pytest.raises(ValueError, match=r"cost_function is FoldedError.*activate=False"):
        nn.export_onnx(path)
    for wrong, kind in [(12, ValueError), (25, ValueError), (20.0, TypeError)]:
        with pytest.raises(kind, match="opset must be"):
            nn.export_onnx(path, opset=wrong)
    with pytest.raises(TypeError, match="path must be a str or a path, not 3"):
        nn.export_onnx(3, activate=False)
    with pytest.raises(FileNotFoundError):
        nn.export_onnx(path.parent / "no folder" / "x.onnx", activate=False)
    assert path.read_bytes() == b"before"
    assert [file.name for file in path.parent.iterdir()] == [path.name]
    nn.export_onnx(path, activate=False)
    assert run(path, np.ones((1, 2))).shape == (1, 1)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_numbers_that_are_not_finite_are_refused(value, path):
    layers = [DenseLayer(2, 2, activation="PReLU"), LinearLayer(2, 1)]
    nn = NeuralNetwork(layers, SumSquaresError())
    layers[0].alpha[1] = value
    with pytest.raises(ValueError, match=r"layers\[0\].alpha has numbers that are not finite"):
        nn.export_onnx(path)
    layers[0].alpha[1], layers[1].b[0] = 0.25, value
    with pytest.raises(ValueError, match=r"layers\[1\].b has numbers that are not finite"):
        nn.export_onnx(path)
    assert not path.exists()


def test_the_network_is_left_as_it_was(path):
    nn = twice_activated([TanhLayer(2, 3, rng=0), LinearLayer(3, 1, rng=1)], SumSquaresError())
    x = np.ones((2, 2))
    before = nn(x)
    delta = nn.layers[1].output
    nn.export_onnx(path)
    assert nn.layers[1].output is delta
    np.testing.assert_array_equal(nn(x), before)


def test_a_callback_may_export_what_is_trained(path):
    nn = NeuralNetwork([LinearLayer(2, 1, rng=0)], SumSquaresError())
    x = np.eye(2)
    nn.fit(x, np.ones((2, 1)), 0.1, callbacks=[lambda run: nn.export_onnx(path)])
    assert_close(run(path, x), nn.predict(x), operations=2)


MISSING = """
import sys
sys.modules["onnx"] = None
import fastnn
nn = fastnn.NeuralNetwork([fastnn.LinearLayer(2, 1)], fastnn.SumSquaresError())
for call in (lambda: nn.export_onnx("x.onnx"), lambda: fastnn.from_onnx("x.onnx")):
    try:
        call()
    except ImportError as error:
        assert "pip install 'fastnn-numba[onnx]'" in str(error), error
    else:
        raise AssertionError("no error")
"""


def test_onnx_is_asked_for_where_it_is_missing(tmp_path):
    subprocess.run([sys.executable, "-c", MISSING], check=True, cwd=tmp_path, timeout=300)
