"""Networks as C: compiled without a warning, they compute what `predict` does."""

import ctypes
import itertools
import re
import subprocess
from pathlib import Path

import numpy as np
import pytest
from support import c_programs
from support.loss_cases import CASES, made
from support.networks import DTYPES, twice_activated
from support.tolerance import assert_close
from support.ulp import ulp_error

import fastnn
from fastnn import DenseLayer, LinearLayer, NeuralNetwork, SumSquaresError
from fastnn.activations import ACTIVATIONS
from fastnn.losses import COSTS

WIDTH = 64
EDGES = [0.0, 0.5, 1.0, 2.5, 3.0, 6.0, 0.3, 0.7, 1.5, 10.0, 20.0, 40.0, 88.0, 104.0, 700.0, 750.0]
OTHERS = {  # parameters that are not the defaults
    "leaky-ReLU": {"alpha": -1.5}, "hard-sigmoid": {"slope": 0.0}, "CELU": {"alpha": 0.3},
    "squareplus": {"b": 0.0}, "maxout": {"k": 3}, "Swish": {"beta": 1e-3},
}  # fmt: skip
TABLE = [(name, {}) for name in ACTIVATIONS] + list(OTHERS.items())


def exported(nn, folder, name="net"):
    nn.export_c(folder / "one.c", name)
    return (folder / "one.c").read_text(encoding="ascii")


def edges(count, dtype):
    """Numbers around thresholds, subnormal and huge ones, and all sizes in between."""
    info, rng = np.finfo(dtype), np.random.default_rng(0)
    sizes = [*EDGES, info.smallest_subnormal, info.tiny, info.eps / 2, info.max, info.max / 2]
    sizes += [*10.0 ** rng.uniform(-8, 3, count - len(sizes))]
    values = np.array(sizes[:count], np.float64).astype(dtype)
    return rng.permutation(np.where(rng.random(count) < 0.5, -values, values))


def spread(name, parameters, dtype):
    """One input to many outputs: an output's activity is the input times its weight, exactly."""
    layer = DenseLayer(1, WIDTH, activation=name, dtype=dtype, rng=0, **parameters)
    layer.w = edges(layer.w.shape[1], dtype if dtype == np.float32 else np.float64)[np.newaxis]
    layer.b = np.full(layer.w.shape[1], -0.0)  # which keeps the sign of a zero
    return NeuralNetwork([layer], SumSquaresError())


INPUTS = [[1.0], [-1.0], [np.inf], [np.nan], [0.5], [-2.0]]
NAMES = {
    (name, *parameters, dtype): f"act{k}_{np.dtype(dtype).char}"
    for k, (name, parameters) in enumerate(TABLE)
    for dtype in DTYPES
}
# One cost of each activation that costs give the output, and all with numbers of their own for it.
BY_ACTIVATION = {COSTS[name].spec.activation: (name, {}) for name in COSTS}
COST_CASES = [*BY_ACTIVATION.values(), *(case for case in CASES if "components" in case[1])]
COST_NAMES = {
    (k, dtype): f"cost{k}_{np.dtype(dtype).char}"
    for k in range(len(COST_CASES))
    for dtype in DTYPES
}


def cost_network(case, dtype):
    cost, _ = made(case)
    targets = getattr(cost, "targets", 3)
    layers = [
        DenseLayer(4, 5, activation="PReLU", bias=0.1, dtype=dtype, rng=1),
        DenseLayer(5, cost.outputs_for(targets), dtype=dtype, rng=2),
    ]
    return twice_activated(layers, cost)


@pytest.fixture(scope="module")
def program(tmp_path_factory):
    """All of them in one file."""
    folder = tmp_path_factory.mktemp("text")
    parts = [
        exported(spread(name, parameters, dtype), folder, NAMES[name, *parameters, dtype])
        for name, parameters in TABLE
        for dtype in DTYPES
    ]
    parts += [
        exported(cost_network(COST_CASES[k], dtype), folder, name)
        for (k, dtype), name in COST_NAMES.items()
    ]
    return "\n".join(parts)


@pytest.fixture(scope="module", params=[0, pytest.param(1, marks=pytest.mark.sweep)])
def libraries(request, program, tmp_path_factory):
    return c_programs.libraries(program, tmp_path_factory.mktemp("program"), request.param)


def shown(value):
    return value if isinstance(value, str) else "-".join(map(str, value))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("name", "parameters"), TABLE, ids=shown)
def test_activations_are_those_of_the_kernels(name, parameters, dtype, libraries):
    """In float32 within their bound of float64 numbers; in float64, within it on both sides."""
    spec, X = ACTIVATIONS[name], np.array(INPUTS, dtype)
    layer = spread(name, parameters, dtype).layers[0]
    with np.errstate(all="ignore"):
        z = X * layer.w
    exact = whole_layers(layer, z) if spec.kind else alone(layer, z, np.float64)
    bound = (4.0 if spec.kind else spec.bounds[0]) * (1 if dtype == np.float32 else 2)
    for library in libraries:
        y = c_programs.called(library, NAMES[name, *parameters, dtype], X, WIDTH)
        assert ulp_error(y, exact, dtype).max() <= bound
        if not spec.kind:
            same = alone(layer, z, dtype)
            zero = (y == 0) & (same == 0)
            np.testing.assert_array_equal(np.signbit(y[zero]), np.signbit(same[zero]))


def alone(layer, z, dtype):
    """The activation of each number, in a dtype, with the parameters as the layer's dtype is."""
    own = {key: float(z.dtype.type(value)) for key, value in layer.activation_parameters.items()}
    return fastnn.get_act(layer.activation.name, **own).forward(z.astype(dtype))


def whole_layers(layer, z):
    """The activation of each row in float64."""
    twin = DenseLayer(1, WIDTH, activation=layer.activation, **layer.activation_parameters)
    twin.b, nn = np.full(z.shape[1], -0.0), NeuralNetwork([twin], SumSquaresError())
    rows = []
    for twin.w in z[:, np.newaxis]:
        rows.append(nn.predict([1.0]))
    return np.array(rows)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("k", range(len(COST_CASES)))
def test_costs_give_the_output_their_activation(k, dtype, libraries):
    nn = cost_network(COST_CASES[k], dtype)
    X = np.random.default_rng(0).normal(size=(5, 4)).astype(dtype)
    for library in libraries:
        y = c_programs.called(library, COST_NAMES[k, dtype], X, nn.layers[-1].dim_output)
        assert_close(y, nn.predict(X), operations=9 + 20)


@pytest.mark.parametrize("dtype", DTYPES)
def test_networks_of_several_layers(dtype, tmp_path):
    """Of whole layers one after the other, of odd sizes, and one activation with two parameters."""
    stacks = [
        [(3, 7, "maxout", {"k": 3}), (7, 5, "softmax", {}), (5, 4, "GLU", {}), (4, 1, "tanh", {})],
        [(5, 9, "ELU", {}), (9, 6, "ELU", {"alpha": 0.5}), (6, 3, "PReLU", {})],
        [(1, 1, "identity", {})],
        [(2, 3, "log-softmax", {}), (3, 2, "softmin", {})],
        [(33, 17, "softplus", {}), (17, 100, "Mish", {}), (100, 10, "GELU", {})],
    ]
    networks = [
        NeuralNetwork(
            [
                DenseLayer(a, b, activation=name, bias=0.1, dtype=dtype, rng=a * b, **parameters)
                for a, b, name, parameters in stack
            ],
            SumSquaresError(),
        )
        for stack in stacks
    ]
    text = "\n".join(exported(nn, tmp_path, f"net{k}") for k, nn in enumerate(networks))
    for library in c_programs.libraries(text, tmp_path):
        for k, nn in enumerate(networks):
            X = np.random.default_rng(k).normal(size=(3, nn.layers[0].dim_input)).astype(dtype)
            y = c_programs.called(library, f"net{k}", X, nn.layers[-1].dim_output)
            assert_close(y, nn.predict(X), operations=sum(a for a, *_ in stacks[k]) + 40)


def test_the_output_may_be_the_input(tmp_path):
    nn = NeuralNetwork([DenseLayer(3, 3, rng=0), LinearLayer(3, 3, rng=1)], SumSquaresError())
    x = np.array([1.0, 2.0, 3.0])
    expected = nn.predict(x)
    for library in c_programs.libraries(exported(nn, tmp_path), tmp_path):
        y = x.copy()
        library.net(ctypes.c_void_p(y.ctypes.data), ctypes.c_void_p(y.ctypes.data))
        assert_close(y, expected, operations=6)


def test_names_that_the_file_uses_itself(tmp_path):
    nn = NeuralNetwork([DenseLayer(3, 5, rng=0), LinearLayer(5, 2)], fastnn.SoftmaxCrossEntropy())
    names = ["x", "y", "i", "p", "scratch", "sum", "Net_2"]
    text = "\n".join(exported(nn, tmp_path, name) for name in names)
    for library, name in itertools.product(c_programs.libraries(text, tmp_path), names):
        y = c_programs.called(library, name, np.eye(3), 2)
        assert_close(y, nn.predict(np.eye(3)), operations=28)


def test_the_program_of_the_page(tmp_path):
    page = (Path(__file__).parents[2] / "docs" / "saving.md").read_text(encoding="utf-8")
    page = page[page.index("## One C file") :]
    names = {}
    exec(re.search(r"```python\n(.*?)```", page, re.S)[1], names)
    main = tmp_path / "main.c"
    main.write_text(re.search(r"```c\n(#include.*?)```", page, re.S)[1])
    numbers = re.search(r"x\[4\] = \{(.*?)\}", page)[1].replace("f", "").split(",")
    expected = names["nn"].predict(np.array(numbers, np.float32))
    for compiler in c_programs.COMPILERS:
        sources = [str(main), str(names["path"]), "-lm", "-o", str(tmp_path / "main")]
        subprocess.run([compiler, *c_programs.WARNINGS, *sources], check=True)
        out = subprocess.run([tmp_path / "main"], capture_output=True, text=True, check=True).stdout
        assert_close(np.array(out.split(), np.float32), expected, operations=4 + 32 + 32 + 40)


def test_unsafe_options_are_refused(tmp_path):
    nn = NeuralNetwork([LinearLayer(1, 1)], SumSquaresError())
    nn.export_c(tmp_path / "net.c")
    for compiler, flag in itertools.product(
        c_programs.COMPILERS, ["-ffast-math", "-ffinite-math-only"]
    ):
        code, words = c_programs.compiled(
            compiler, tmp_path / "net.c", tmp_path / "net.so", (flag,)
        )
        assert code
        assert "net: without -ffast-math" in words


# What C has by itself, and the headers that are included.
WORDS = """
const static void float double int int32_t int64_t uint32_t uint64_t return for enum union NAN
INFINITY HUGE_VAL fma fmaf sqrt sqrtf fabs fabsf x y i both
"""
KNOWN = set(WORDS.split())


def test_the_text_is_whole(program):
    """Where no compiler tells: every name is declared before it is used, every bracket closed."""
    text = re.sub(r"/\*.*?\*/", "", program, flags=re.S)
    defined = set(re.findall(r"^#define (\w+)", text, re.M))
    assert defined == set(re.findall(r"^#undef (\w+)", text, re.M))
    text = re.sub(r"^#.*$", "", text, flags=re.M)
    for opened, closed in ("()", "[]", "{}"):
        assert text.count(opened) == text.count(closed)
    declared, unknown = set(), []
    text = re.sub(r"-?\b0x[\w.]+([+-]\d+)?f?\b", "0", text)
    of_type = r"\b(?:(float|double|int|int32_t|int64_t|void)[ *]+)?\b([A-Za-z_]\w*)"
    for kind, word in re.findall(of_type, text):
        if kind:
            declared.add(word)
        elif word not in KNOWN | declared | defined:
            unknown.append(word)
    assert [word for word in unknown if not re.search(r"_(inputs|outputs|aligned)$", word)] == []
    assert len(declared) > 1000


@pytest.mark.parametrize("dtype", DTYPES)
def test_weights_are_written_exactly(dtype, tmp_path):
    rng = np.random.default_rng(0)
    layer = LinearLayer(5, 7, dtype=dtype, rng=0)
    info = np.finfo(dtype)
    layer.w = rng.normal(size=(5, 7)).astype(dtype) * dtype(10.0) ** rng.integers(-30, 30, (5, 7))
    layer.w[0, :4] = info.max, -info.smallest_subnormal, -0.0, info.tiny
    text = exported(NeuralNetwork([layer], SumSquaresError()), tmp_path)
    block = re.search(r"net_w1\[5\]\[7\].*?;", text, re.S)[0].partition("=")[2]
    words = re.findall(r"[^{},;\s]+", block)
    assert all(word.endswith("f") for word in words) == (dtype == np.float32)
    words = [word.removesuffix("f") for word in words]
    found = [float.fromhex(word) if "x" in word else float(word) for word in words]
    bits = f"i{layer.w.itemsize}"
    np.testing.assert_array_equal(np.array(found, dtype).view(bits), layer.w.reshape(-1).view(bits))


def test_the_file_says_what_it_is(tmp_path):
    layers = [DenseLayer(4, 3, activation="tanh", dtype="f4"), LinearLayer(3, 2, dtype="f4")]
    text = exported(NeuralNetwork(layers, fastnn.SoftmaxCrossEntropy()), tmp_path, "brake")
    assert "void brake(const float *x, float *y);" in text
    assert "4-3 tanh-2 identity; cost: SoftmaxCrossEntropy" in text
    assert "enum { brake_inputs = 4, brake_outputs = 2 };" in text


@pytest.mark.parametrize(
    "name",
    [
        *("", "2nd", "a-b", "ä", "a b", "double", "_net", "main", "tanh", "sqrtf", "int32_t"),
        *("INFINITY", "FLT_EPSILON", "INT8_MAX", "M_PI", "NULL"),
    ],
)
def test_other_names_are_refused(name, tmp_path):
    nn = NeuralNetwork([LinearLayer(1, 1)], SumSquaresError())
    with pytest.raises(ValueError, match=f"name is {name!r}, "):
        nn.export_c(tmp_path / "net.c", name)
    with pytest.raises(TypeError, match="name must be a str, not 3"):
        nn.export_c(tmp_path / "net.c", 3)
    assert not list(tmp_path.iterdir())


def test_other_paths_are_refused(tmp_path):
    nn = NeuralNetwork([LinearLayer(1, 1)], SumSquaresError())
    with pytest.raises(TypeError, match=r"path must be a str or a path, not 3\.5"):
        nn.export_c(3.5)
    with pytest.raises(ValueError, match="expected the name of a file"):
        nn.export_c(f"{tmp_path}/")
    with pytest.raises(FileNotFoundError):
        nn.export_c(tmp_path / "none" / "net.c")


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_numbers_that_are_not_finite_are_refused(value, tmp_path):
    layers = [DenseLayer(2, 2, activation="PReLU"), LinearLayer(2, 1)]
    nn = NeuralNetwork(layers, SumSquaresError())
    for part in ("w", "b", "alpha"):
        before = getattr(layers[0], part).copy()
        getattr(layers[0], part)[...] = value
        with pytest.raises(ValueError, match=rf"layers\[0\].{part} .*not finite"):
            nn.export_c(tmp_path / "net.c")
        setattr(layers[0], part, before)
    nn.export_c(tmp_path / "net.c")


class Squared(DenseLayer):
    """A layer with a method of its own."""

    def forward_propagation(self, X):
        return (X @ self.w) ** 2


def test_code_of_ones_own_is_refused(tmp_path):
    own = Squared(2, 1)
    with pytest.raises(TypeError, match=r"layers\[1\] is Squared\(2, 1, .*expected a DenseLayer"):
        NeuralNetwork([LinearLayer(2, 2), own], SumSquaresError()).export_c(tmp_path / "net.c")
    cost = SumSquaresError()
    cost.activate = lambda logits: logits
    with pytest.raises(TypeError, match=r"cost_function is SumSquaresError\(\), .*expected a cost"):
        NeuralNetwork([LinearLayer(2, 2)], cost).export_c(tmp_path / "net.c")
    assert not list(tmp_path.iterdir())


def test_an_interrupted_export_leaves_the_old_file(tmp_path, monkeypatch):
    nn = NeuralNetwork([LinearLayer(1, 1)], SumSquaresError())
    path = tmp_path / "net.c"
    nn.export_c(path)
    before = path.read_bytes()

    def interrupted(*paths):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("os.replace", interrupted)
        with pytest.raises(KeyboardInterrupt):
            nn.export_c(path, "other")
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["net.c"]
    nn.export_c(str(path), "other")
    assert b"void other(" in path.read_bytes()
