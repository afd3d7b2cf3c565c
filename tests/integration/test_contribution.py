"""What docs/adding.md adds, in three places each, is known everywhere."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import fastnn
from fastnn import kernels

HERE = Path(__file__).parents[1]
TESTS = "conftest.py", "api/test_losses.py", "api/test_optimizers.py", "kernels/test_accuracy.py"

# Blocks of code whose first line says where they belong.
BLOCKS = re.findall(
    r"^```py\n# (\S+?)(, in the table)?\n(.*?)^```",
    (HERE.parent / "docs" / "adding.md").read_text(encoding="utf-8"),
    re.M | re.S,
)
PROGRAM = """
import numba, numpy as np, fastnn
from fastnn import activations, kernels
act = fastnn.get_act("Cubic_Shrink", width=2.0)
assert type(act) is activations.CubicShrink and "CubicShrink" in activations.__all__
x = np.linspace(-3, 3, 101)
np.testing.assert_allclose(act.forward(x), np.where(np.abs(x) < 2, x**3, x), rtol=1e-12)
assert act.d2y(x).shape == x.shape
assert {"cubic_shrink_vjp", "cubic_shrink_and_vjp"} <= set(dir(kernels))
assert numba.njit(lambda x: kernels.cubic_shrink(x, 2.0))(1.0) == act.forward(1.0)
layer = fastnn.DenseLayer(2, 3, activation="cubic-shrink", width=2.0)
assert layer.activation.name == act.name
fastnn.NeuralNetwork([layer], fastnn.SumSquaresError()).export_c("net.c")
assert "net_cubic_shrink(double x_1)" in open("net.c").read()
import onnxruntime
fastnn.NeuralNetwork([layer], fastnn.SumSquaresError()).export_onnx("cubic.onnx")
X = np.random.default_rng(0).normal(size=(50, 2)) * 2
z = X @ layer.w + layer.b
(y,) = onnxruntime.InferenceSession("cubic.onnx").run(None, {"X": X})
np.testing.assert_allclose(y, np.where(np.abs(z) < 2, z**3, z), rtol=1e-12, atol=1e-14)
assert fastnn.from_onnx("cubic.onnx").layers[0].activation_parameters == {"width": 2.0}
"""
NETWORK_PROGRAM = """
import numpy as np, fastnn
from fastnn import kernels
act, x = fastnn.get_act("Cubic_Shrink", width=2.0), np.linspace(-3, 3, 101)
np.testing.assert_allclose(kernels.cubic_shrink_vjp(x, x, width=2.0), act.vjp(x, x))
assert len(kernels.cubic_shrink_and_vjp(x, x)) == 2
layers = [
    fastnn.DenseLayer(2, 6, activation="cubic-shrink", width=1.0, rng=1),
    fastnn.LinearLayer(6, 1, rng=2),
]
nn = fastnn.NeuralNetwork(layers, fastnn.SumSquaresError())
X = np.random.default_rng(0).normal(size=(50, 2))
t = X[:, :1] * X[:, 1:]
assert nn.gradient_check(X, t) < 1e-6
before = nn.cost(X, t)
nn.fit(X, t, learning_rate=1e-3, epochs=300)
assert nn.cost(X, t) < before
"""

COST_PROGRAM = """
import inspect, numba, numpy as np, fastnn, fastnn.reference
from fastnn import kernels, losses
cost = fastnn.Cauchy(scale=2.0)
assert losses.LOSSES["Cauchy"].parameters == {"scale": 1.0} and cost.scale == 2.0
assert "Cauchy" in fastnn.__all__ and "Cauchy" in losses.__all__
assert list(inspect.signature(fastnn.Cauchy).parameters) == ["reduction", "scale"]
assert repr(cost) == "Cauchy(scale=2.0)"
layers = [fastnn.TanhLayer(2, 6, rng=1), fastnn.LinearLayer(6, 1, rng=2)]
nn = fastnn.NeuralNetwork(layers, cost)
X = np.random.default_rng(0).normal(size=(50, 2))
t = X[:, :1] * X[:, 1:]
twin = fastnn.reference.ReferenceNetwork.like(nn)
assert abs(twin.cost(X, t) / nn.cost(X, t) - 1) < 1e-12
assert nn.gradient_check(X, t) < 1e-6
before = nn.cost(X, t)
history = nn.fit(X, t, learning_rate=1e-2, epochs=300, validation_data=(X, t))
assert history.validation_cost[-1] < before

@numba.njit
def steps(model, x, t, work):
    for _ in range(100):
        cost = kernels.train_step(model, x, t, 1e-2, work)
    return cost

model = nn.compiled("SGD")
before = nn.cost(X, t)
assert steps(model, X, t, np.empty(kernels.workspace_size(model, 50))) < before
"""

RULE_PROGRAM = """
import numba, numpy as np, fastnn
from fastnn import kernels
opt = fastnn.get_opt("leaning", mu=0.25)
assert repr(opt) == "Leaning(eta=0.01, mu=0.25)"
p = np.ones(3)
opt.step(p, np.ones(3))
opt.step(p, np.ones(3))
np.testing.assert_allclose(p, 1 - 0.02 - 0.01 * 2.25)
layers = [fastnn.TanhLayer(2, 6, rng=1), fastnn.LinearLayer(6, 1, rng=2)]
nn = fastnn.NeuralNetwork(layers, fastnn.SumSquaresError())
X = np.random.default_rng(0).normal(size=(50, 2))
t = X[:, :1] * X[:, 1:]
before = nn.cost(X, t)
history = nn.fit(X, t, optimizer="Leaning", learning_rate=1e-3, epochs=300)
assert history.cost[-1] < before

@numba.njit
def steps(model, x, t, work):
    for _ in range(100):
        cost = kernels.train_step(model, x, t, 1e-3, work)
    return cost

before = nn.cost(X, t)
work = np.empty(kernels.workspace_size(nn.compiled(), 50))
assert steps(nn.compiled("Leaning"), X, t, work) < before
"""


@pytest.fixture(scope="module")
def contributed(tmp_path_factory):
    """A copy of the repository with an activation, a cost and an update rule more."""
    folder = tmp_path_factory.mktemp("contributed")
    skip = shutil.ignore_patterns("__pycache__", "_build", "_pictures")
    for source in (Path(fastnn.__file__).parent, Path(kernels.__file__).parent):
        shutil.copytree(source, folder / source.name, ignore=skip)
    for source in (HERE / "accuracy", HERE / "support", HERE.parent / "docs"):
        shutil.copytree(source, folder / source.relative_to(HERE.parent), ignore=skip)
    for name in TESTS:
        (folder / "tests" / name).parent.mkdir(exist_ok=True)
        shutil.copy(HERE / name, folder / "tests" / name)
    for path, in_table, code in BLOCKS:
        file = folder / path
        text = file.read_text(encoding="utf-8")
        if in_table:
            before, end, after = re.split(r"^(\)  # fmt: skip\n\n[A-Z]+: )", text, flags=re.M)
            text, code = before, code + end + after
        else:
            text += "\n\n"
        file.write_text(text + code, encoding="utf-8")
    return folder


def run(folder, *arguments):
    found = subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(folder), "NUMBA_CACHE_DIR": str(folder / "cache")},
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    assert found.returncode == 0, found.stdout + found.stderr
    return found.stdout


def test_the_page_tells_three_places_of_each():
    assert [bool(in_table) for _, in_table, _ in BLOCKS] == [False, False, True] * 3


def test_a_new_activation_is_known_everywhere(contributed):
    run(contributed, "-c", PROGRAM)


@pytest.mark.sweep
def test_a_new_activation_learns(contributed):
    run(contributed, "-c", NETWORK_PROGRAM)


@pytest.mark.sweep
def test_its_accuracy_is_tested(contributed):
    """In float32 against its reference; in float64 too, as far as that goes."""
    tests = ["-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/kernels/test_accuracy.py"]
    out = run(contributed, *tests, "-k", "cubic_shrink and (float32 or float64) and not deriv")
    assert "4 passed" in out  # few points and all


@pytest.mark.sweep
def test_a_new_cost_is_known_everywhere(contributed):
    run(contributed, "-c", COST_PROGRAM)


@pytest.mark.sweep
def test_a_new_cost_is_tested(contributed):
    tests = ["-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/api/test_losses.py"]
    out = run(contributed, *tests, "-k", "Cauchy and not tails")
    assert int(out.rsplit("\n", 2)[-2].split()[0]) >= 14
    doctests = ["-m", "pytest", "-q", "-p", "no:cacheprovider", "--doctest-modules"]
    assert "passed" in run(contributed, *doctests, "fastnn/losses/__init__.py", "-k", "Cauchy")


@pytest.mark.sweep
def test_a_new_rule_is_known_everywhere(contributed):
    run(contributed, "-c", RULE_PROGRAM)


@pytest.mark.sweep
def test_a_new_rule_is_tested(contributed):
    tests = ["-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/api/test_optimizers.py"]
    out = run(contributed, *tests, "-k", "Leaning and not threads")
    assert int(out.rsplit("\n", 2)[-2].split()[0]) >= 12


def test_they_are_documented(contributed):
    run(contributed, "docs/tables.py")
    assert "cubic-shrink" in (contributed / "docs/activations.md").read_text(encoding="utf-8")
    assert "`Cauchy`" in (contributed / "docs/losses.md").read_text(encoding="utf-8")
    assert "### Leaning\n\n```math" in (contributed / "docs/optimizers.md").read_text(
        encoding="utf-8"
    )
    draw = "import sys; sys.path.insert(0, 'docs'); import gallery; gallery.activation(sys.argv[1])"
    run(contributed, "-c", draw, "cubic-shrink")
    assert (contributed / "docs/_pictures/activation-cubic-shrink.svg").exists()
