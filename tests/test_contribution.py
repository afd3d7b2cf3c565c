"""An activation is added in three places, and is then known everywhere."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import fastnn
from fastnn import kernels

HERE = Path(__file__).parent

FORMULAS = """

@scalar
def cubic_shrink(x, width=1.0):
    return x * (x * x) if abs(x) < width else x


@scalar
def cubic_shrink_derivative(x, width):
    y = like(x, 3) * (x * x) if abs(x) < width else like(x, 1)
    return x if x != x else y


@scalar
def cubic_shrink_second_derivative(x, width):
    y = like(x, 6) * x if abs(x) < width else like(x, 0)
    return x if x != x else y
"""
TWIN = """

def cubic_shrink(x, width=1.0):
    return choose(x, np.abs(x) < width, x**3, x)


def cubic_shrink_derivative(x, width=1.0):
    return choose(x, np.abs(x) < width, 3 * x**2, 1.0)


def cubic_shrink_second_derivative(x, width=1.0):
    return choose(x, np.abs(x) < width, 6 * x, 0.0)
"""
ROW = """    Activation(
        "cubic-shrink", "cubic_shrink", "x³ for |x| < width, else x", "CubicShrink",
        limits={"width": "other than 0"},
    ),
)  # fmt: skip

ACTIVATIONS:"""
PROGRAM = """
import numba, numpy as np, fastnn
from fastnn import activations, kernels
act = fastnn.get_act("Cubic_Shrink", width=2.0)
assert type(act) is activations.CubicShrink and "CubicShrink" in activations.__all__
x = np.linspace(-3, 3, 101)
np.testing.assert_allclose(act.forward(x), np.where(np.abs(x) < 2, x**3, x), rtol=1e-12)
np.testing.assert_allclose(kernels.cubic_shrink_vjp(x, x, width=2.0), act.vjp(x, x))
assert len(kernels.cubic_shrink_and_vjp(x, x)) == 2 and act.d2y(x).shape == x.shape
assert numba.njit(lambda x: kernels.cubic_shrink(x, 2.0))(1.0) == act.forward(1.0)
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


@pytest.fixture(scope="module")
def contributed(tmp_path_factory):
    """A copy of the repository with one activation more."""
    folder = tmp_path_factory.mktemp("contributed")
    skip = shutil.ignore_patterns("__pycache__")
    for source in (Path(fastnn.__file__).parent, Path(kernels.__file__).parent):
        shutil.copytree(source, folder / source.name, ignore=skip)
    for name in ("accuracy", "docs"):
        source = HERE / name if name == "accuracy" else HERE.parent / name
        shutil.copytree(source, folder / source.relative_to(HERE.parent), ignore=skip)
    for name in ("test_accuracy.py", "ulp.py"):
        shutil.copy(HERE / name, folder / "tests" / name)
    with (folder / "kernels/activations/piecewise.py").open("a") as file:
        file.write(FORMULAS)
    with (folder / "fastnn/reference/activations/piecewise.py").open("a") as file:
        file.write(TWIN)
    table = folder / "fastnn/activations.py"
    text = table.read_text()
    assert text.count(")  # fmt: skip\n\nACTIVATIONS:") == 1
    table.write_text(text.replace(")  # fmt: skip\n\nACTIVATIONS:", ROW))
    return folder


def run(folder, *arguments):
    found = subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(folder), "NUMBA_CACHE_DIR": str(folder / "cache")},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert found.returncode == 0, found.stdout + found.stderr
    return found.stdout


def test_a_new_activation_is_known_everywhere(contributed):
    run(contributed, "-c", PROGRAM)


def test_its_accuracy_is_tested(contributed):
    """In float32 against its reference; in float64 too, as far as that goes."""
    tests = ["-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/test_accuracy.py"]
    out = run(contributed, *tests, "-k", "cubic_shrink and (float32 or float64) and not deriv")
    assert "2 passed" in out


def test_it_is_documented(contributed):
    if not (contributed / "docs/tables.py").exists():
        pytest.skip("no tables")
    run(contributed, "docs/tables.py")
    assert "cubic-shrink" in (contributed / "docs/activations.md").read_text()
