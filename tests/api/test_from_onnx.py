"""Networks of ONNX files: our own, scikit-learn's, PyTorch's, and files that are none."""

import random
import warnings
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper
from skl2onnx import to_onnx
from sklearn.neural_network import MLPClassifier, MLPRegressor
from support.networks import DTYPES, twice_activated
from support.tolerance import assert_close

import fastnn
from fastnn import DenseLayer, LinearLayer, NeuralNetwork, SumSquaresError, TanhLayer, from_onnx
from fastnn.activations import ACTIVATIONS
from fastnn.losses import COSTS

TORCH = sorted((Path(__file__).parents[1] / "data" / "onnx").glob("torch-*.onnx"))
LAYERS = {"classifier": 2, "smooth": 8, "pieces": 11, "exponentials": 10}
THRESHOLD = {"threshold": 0.3, "value": -0.7}


@pytest.fixture
def path(tmp_path):
    return tmp_path / "network.onnx"


def parameters(nn):
    return [
        (layer.activation.name, layer.activation_parameters, layer.w.shape) for layer in nn.layers
    ]


@pytest.mark.parametrize("limit", [13, 24])
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", ACTIVATIONS)
def test_what_was_exported_comes_back(name, dtype, limit, path):
    given = {"activation": name, "dtype": dtype, **(THRESHOLD if name == "threshold" else {})}
    layers = [DenseLayer(3, 4, rng=0, **given), TanhLayer(4, 6, rng=1, dtype=dtype)]
    layers += [DenseLayer(6, 2, rng=2, **given)]
    nn = twice_activated(layers, fastnn.MeanSquaredError())
    nn.export_onnx(path, opset=limit)
    again = from_onnx(path, fastnn.MeanSquaredError())
    x = np.random.default_rng(3).normal(size=(7, 3)).astype(dtype)
    np.testing.assert_array_equal(again.predict(x), nn.predict(x))
    np.testing.assert_array_equal(again.parameters, nn.parameters)
    assert again.dtype == dtype
    if (name, dtype) != ("sparse-sigmoid", np.float32):  # a hard sigmoid of slope 1/2
        assert parameters(again) == parameters(nn)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", COSTS)
def test_costs_take_their_activation_back(name, dtype, path):
    cost = COSTS[name](**({"components": 6} if name == "MixtureDensityError" else {}))
    nn = NeuralNetwork([TanhLayer(3, 5, dtype=dtype), LinearLayer(5, 18, dtype=dtype)], cost)
    nn.export_onnx(path)
    x = np.random.default_rng(3).normal(size=(7, 3)).astype(dtype)
    for given in (None, cost):
        again = from_onnx(path, given)
        np.testing.assert_array_equal(again.predict(x), nn.predict(x))
        assert again.layers[1].activation.is_identity
        assert type(again.cost_function).spec.activation == cost.spec.activation
    assert again.cost_function is cost


def test_a_network_of_a_file_trains(path):
    nn = NeuralNetwork([TanhLayer(2, 4, rng=1), LinearLayer(4, 1, rng=2)], SumSquaresError())
    nn.export_onnx(path)
    again = from_onnx(path)
    x, t = np.eye(2), np.ones((2, 1))
    nn.fit(x, t, 0.1, epochs=5)
    again.fit(x, t, 0.1, epochs=5)
    np.testing.assert_array_equal(again.parameters, nn.parameters)


@pytest.mark.parametrize("file", TORCH, ids=lambda path: path.stem)
def test_files_of_torch(file):
    nn = from_onnx(file)
    session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
    x = np.random.default_rng(0).normal(size=(9, 12)).astype(nn.dtype)
    given = session.get_inputs()[0]
    (y,) = session.run(None, {given.name: x.reshape(9, *given.shape[1:])})
    assert_close(nn.predict(x), y, operations=12 + 6 * len(nn.layers))
    assert len(nn.layers) == LAYERS[file.stem.split("-")[1]]


def trained(model, t, dtype):
    X = np.random.default_rng(0).normal(size=(60, 4)).astype(dtype)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return model.fit(X, t(X)), X


def a_number(X):
    return X[:, 0]


def two_numbers(X):
    return X[:, :2]


def two_classes(X):
    return (X[:, 0] > 0).astype(int)


def three_classes(X):
    return np.digitize(X[:, 0], [-0.5, 0.5])


def labels(X):
    return (X[:, :3] > 0).astype(int)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("activation", ["relu", "tanh", "logistic", "identity"])
@pytest.mark.parametrize("targets", [a_number, two_numbers, two_classes, three_classes, labels])
def test_files_of_scikit_learn(targets, activation, dtype, path):
    kind = MLPRegressor if targets in (a_number, two_numbers) else MLPClassifier
    model = kind(hidden_layer_sizes=(5, 3), activation=activation, max_iter=3, random_state=0)
    model, X = trained(model, targets, dtype)
    for options in [None] if kind is MLPRegressor else [None, {"zipmap": False}]:
        path.write_bytes(to_onnx(model, X[:1], options=options).SerializeToString())
        nn = from_onnx(path)
        expected = model.predict(X) if kind is MLPRegressor else model.predict_proba(X)
        assert_close(nn.predict(X), expected.reshape(60, -1), operations=12)
        assert nn.dtype == dtype


def written(path, nodes, constants, inputs=("x",), outputs=("y",), **more):
    ends = [
        [helper.make_tensor_value_info(name, TensorProto.DOUBLE, ["n", None]) for name in names]
        for names in (inputs, outputs)
    ]
    arrays = [numpy_helper.from_array(np.asarray(v), name) for name, v in constants.items()]
    graph = helper.make_graph(
        [helper.make_node(*node[:3], **(node[3] if node[3:] else {})) for node in nodes],
        "graph", *ends, arrays, **more,
    )  # fmt: skip
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)])
    path.write_bytes(model.SerializeToString())
    return path


W, B = np.arange(6.0).reshape(3, 2) / 7, np.array([0.5, -0.25])
GRAPHS = {
    "alpha, beta, transB": (
        [("Gemm", ["x", "wt", "b"], ["y"], {"alpha": 0.5, "beta": 2.0, "transB": 1})],
        lambda x: 0.5 * x @ W + 2 * B,
    ),
    "no biases": ([("Gemm", ["x", "w"], ["y"])], lambda x: x @ W),
    "one bias for all": ([("Gemm", ["x", "w", "one"], ["y"])], lambda x: x @ W + 0.5),
    "product, sum": (
        [("MatMul", ["x", "w"], ["a"]), ("Add", ["row", "a"], ["y"])],
        lambda x: x @ W + B,
    ),
    "edges": (
        [
            ("Cast", ["x"], ["c"], {"to": TensorProto.DOUBLE}), ("Flatten", ["c"], ["f"]),
            ("Identity", ["f"], ["i"]), ("Gemm", ["i", "w", "b"], ["a"]),
            ("Dropout", ["a"], ["d"]), ("Reshape", ["d", "shape"], ["y"]),
        ],
        lambda x: x @ W + B,
    ),
    "constants among the nodes": (
        [
            ("Constant", [], ["k"], {"value": numpy_helper.from_array(W)}),
            ("MatMul", ["x", "k"], ["a"]), ("Relu", ["a"], ["y"]),
        ],
        lambda x: np.maximum(x @ W, 0),
    ),
    "one-sided clip": (
        [("MatMul", ["x", "w"], ["a"]), ("Clip", ["a", "zero"], ["y"])],
        lambda x: np.maximum(x @ W, 0),
    ),
    "what leads elsewhere": (
        [("MatMul", ["x", "w"], ["y"]), ("ArgMax", ["y"], ["z"], {"axis": 1})],
        lambda x: x @ W,
    ),
}  # fmt: skip
CONSTANTS = {
    "w": W, "wt": np.ascontiguousarray(W.T), "b": B, "row": B[None], "one": np.array([0.5]),
    "zero": np.array(0.0), "shape": np.array([-1, 2]), "single": W.astype(np.float32),
    "true": np.array(True),
    "half": W.astype(np.float16), "three": np.ones(3), "empty": np.ones((3, 0)),
}  # fmt: skip


@pytest.mark.parametrize("name", GRAPHS)
def test_forms_of_a_layer(name, path):
    nodes, expected = GRAPHS[name]
    nn = from_onnx(written(path, nodes, CONSTANTS))
    x = np.random.default_rng(0).normal(size=(5, 3))
    assert_close(nn.predict(x), expected(x), operations=4)


BAD = {
    "another operator": ([("MatMul", ["x", "w"], ["a"]), ("Sin", ["a"], ["y"], {"name": "here"})],
        "node 'here' .Sin. is nothing that from_onnx knows"),
    "a product of values": ([("MatMul", ["x", "x"], ["y"], {"name": "here"})], "node 'here'"),
    "transA": ([("Gemm", ["x", "w"], ["y"], {"transA": 1})], "node 'y' .Gemm."),
    "a branch": (
        [("MatMul", ["x", "w"], ["a"]), ("Tanh", ["a"], ["b1"]), ("Exp", ["a"], ["c"]),
         ("Add", ["b1", "c"], ["y"])],
        "node 'b1' .Tanh. and node 'c' .Exp.",
    ),
    "mixed dtypes": (
        [("MatMul", ["x", "w"], ["a"]), ("MatMul", ["a", "single"], ["y"])], "node 'y'.*float32"),
    "half precision": ([("MatMul", ["x", "half"], ["y"])], "float16, expected"),
    "biases that do not fit": ([("Gemm", ["x", "w", "three"], ["y"])], r"biases of shape \(3,\)"),
    "no weights": ([("MatMul", ["x", "empty"], ["y"])], r"shape \(3, 0\)"),
    "layers that do not fit": (
        [("MatMul", ["x", "w"], ["a"]), ("MatMul", ["a", "w"], ["y"])], "layers"),
    "two activations in the middle": (
        [("MatMul", ["x", "wt"], ["a"]), ("Tanh", ["a"], ["t"]), ("Exp", ["t"], ["e"]),
         ("MatMul", ["e", "w"], ["y"])],
        "node 'e' .Exp. follows another activation",
    ),
    "two activations at the end": (
        [("MatMul", ["x", "w"], ["a"]), ("Tanh", ["a"], ["t"]), ("Relu", ["t"], ["y"])],
        "node 'y' .Relu. is a second activation",
    ),
    "an axis of the samples": (
        [("MatMul", ["x", "w"], ["a"]), ("Softmax", ["a"], ["y"], {"axis": 0})], "node 'y'"),
    "dropout in predictions": (
        [("MatMul", ["x", "w"], ["a"]), ("Dropout", ["a", "", "true"], ["y"])], "node 'y'"),
    "a parameter out of range": (
        [("MatMul", ["x", "w"], ["a"]), ("Celu", ["a"], ["y"], {"alpha": 0.0})],
        "node 'y' .Celu.: alpha must be other than 0",
    ),
    "an attribute of another type": (
        [("MatMul", ["x", "w"], ["a"]), ("Elu", ["a"], ["y"], {"alpha": "much"})], "much"),
    "a circle": ([("Identity", ["y"], ["a"]), ("Identity", ["a"], ["y"])], "nothing leads"),
    "twice the same": ([("Relu", ["x"], ["y"]), ("Relu", ["x"], ["y"])], "which is there already"),
    "no layer": ([("Identity", ["x"], ["y"])], "no Gemm and no MatMul"),
    "nothing": ([], "graph without nodes"),
    "another domain": (
        [("MatMul", ["x", "w"], ["a"]), ("Relu", ["a"], ["y"], {"domain": "other"})],
        "node 'y' .other.Relu.",
    ),
    "no function of ours": (
        [("MatMul", ["x", "w"], ["a"]), ("nonsense", ["a"], ["y"], {"domain": "fastnn"})],
        "node 'y' .fastnn.nonsense.",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_other_graphs_are_refused_by_the_name_of_a_node(name, path):
    nodes, told = BAD[name]
    with pytest.raises(ValueError, match=told):
        from_onnx(written(path, nodes, CONSTANTS))


def test_inputs_and_outputs(path):
    nodes = [("MatMul", ["x", "w"], ["y"]), ("Tanh", ["y"], ["z"])]
    written(path, nodes, {"w": W}, outputs=("y", "z"))
    with pytest.raises(ValueError, match=r"the outputs \['y', 'z'\], and output is None"):
        from_onnx(path)
    with pytest.raises(ValueError, match="output is 'a'"):
        from_onnx(path, output="a")
    x = np.ones((1, 3))
    assert_close(from_onnx(path, output="y").predict(x), x @ W, operations=3)
    assert_close(from_onnx(path, output="z").predict(x), np.tanh(x @ W), operations=3)
    written(path, nodes, {"w": W}, inputs=("x", "x2"))
    with pytest.raises(ValueError, match=r"the inputs \['x', 'x2'\], expected one"):
        from_onnx(path)


def test_costs_that_do_not_fit(path):
    written(path, [("MatMul", ["x", "w"], ["y"])], {"w": W})
    for wrong in ("SumSquaresError", SumSquaresError):
        with pytest.raises(TypeError, match="cost_function is"):
            from_onnx(path, wrong)
    assert isinstance(from_onnx(path, fastnn.Huber()).cost_function, fastnn.Huber)
    gaussian = NeuralNetwork([LinearLayer(3, 2)], fastnn.GaussianNLL())
    gaussian.export_onnx(path)
    with pytest.raises(ValueError, match=r"fastnn.GaussianNLL. .* with the cost Huber"):
        from_onnx(path, fastnn.Huber())


def test_data_in_other_files_is_not_read(path):
    secret = path.parent / "secret"
    secret.write_bytes(W.tobytes())
    written(path, [("MatMul", ["x", "w"], ["y"])], {"w": W})
    model = onnx.load(path)
    tensor = model.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="secret")
    path.write_bytes(model.SerializeToString())
    with pytest.raises(ValueError, match="'w' is in another file"):
        from_onnx(path)


def test_a_tensor_that_claims_more_than_there_is(path):
    written(path, [("MatMul", ["x", "w"], ["y"])], {"w": W})
    model = onnx.load(path)
    model.graph.initializer[0].dims[:] = [2**40, 2**20]
    path.write_bytes(model.SerializeToString())
    with pytest.raises(ValueError, match="'w' is damaged"):
        from_onnx(path)


def test_files_that_are_none(path):
    with pytest.raises(FileNotFoundError):
        from_onnx(path)
    with pytest.raises(TypeError, match="path must be a str or a path, not 3"):
        from_onnx(3)
    for data in (b"", b"not a network", np.random.default_rng(0).bytes(1000)):
        path.write_bytes(data)
        with pytest.raises(ValueError, match="no ONNX file"):
            from_onnx(path)


def damaged(data, source):
    """A file that is cut, or has some bits or bytes others."""
    kind, at = source.randrange(4), source.randrange(len(data))
    if kind == 0:
        return data[:at]
    if kind == 1:
        return data[:at] + data[at + source.randrange(1, 40) :]
    if kind == 2:
        return data[:at] + source.randbytes(8) + data[at + 8 :]
    flipped = bytearray(data)
    for _ in range(source.choice([1, 3, 20])):
        flipped[source.randrange(len(data))] ^= 1 << source.randrange(8)
    return bytes(flipped)


@pytest.mark.parametrize(
    "count", [600, pytest.param(20_000, marks=pytest.mark.sweep)], ids=["some", "many"]
)
def test_damaged_files_are_refused_or_read(count, path):
    layers = [DenseLayer(3, 4, activation="maxout", k=3, rng=0)]
    layers += [
        DenseLayer(4, 4, activation=name, rng=0) for name in ("PReLU", "GLU", "squareplus", "Swish")
    ]
    NeuralNetwork(layers, fastnn.GaussianNLL()).export_onnx(path)
    files = [path.read_bytes(), *(file.read_bytes() for file in TORCH)]
    source = random.Random(0)
    read = 0
    for _ in range(count):
        path.write_bytes(damaged(source.choice(files), source))
        try:
            nn = from_onnx(path)
        except ValueError:
            continue
        read += 1
        assert all(np.shape(layer.w) for layer in nn.layers)
    assert 0 < read < count / 2
