"""What was public once stays importable from the same place, and pickles of then load."""

import pickle
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest

import fastnn
from fastnn.activations import ACTIVATIONS
from fastnn.optimizers import RULES

DATA = Path(__file__).parents[1] / "data"
NAMES = (DATA / "public-names-0.1.0.txt").read_text().split()
PICKLES = pickle.loads((DATA / "pickles-0.1.0.pkl").read_bytes())  # bytes, by what they are of


MODULES = sorted({name.rpartition(".")[0] for name in NAMES})


def names_in(module):
    return [name.rpartition(".")[2] for name in NAMES if name.rpartition(".")[0] == module]


@pytest.mark.parametrize(
    "module",
    [  # each of the kernels' names is compiled when it is asked for
        pytest.param(name, marks=[pytest.mark.sweep] if name == "fastnn.kernels" else [])
        for name in MODULES
    ],
)
def test_names_are_where_they_were(module):
    found = import_module(module)
    missing = [name for name in names_in(module) if not hasattr(found, name)]
    assert not missing


@pytest.mark.parametrize("module", MODULES)
def test_names_are_listed(module):
    assert set(names_in(module)) <= set(dir(import_module(module)))


@pytest.mark.parametrize("of", PICKLES)
def test_pickles_load(of):
    found = pickle.loads(PICKLES[of])
    kind, _, name = of.partition("_")
    if kind == "act":
        made = fastnn.get_act(name, 3, 2, 2) if name == "maxout" else fastnn.get_act(name)
        assert type(found) is type(made)
        assert found.parameters.keys() == made.parameters.keys()
    elif kind == "row":
        assert found is ACTIVATIONS[name]
    elif kind == "rule":
        assert found is RULES[name]
    elif kind in ("opt", "cost", "err"):
        get = {"opt": fastnn.get_opt, "err": fastnn.get_err}.get(kind)
        made = get(name) if get else type(found)
        assert isinstance(found, made if kind == "cost" else type(made))


def test_a_network_of_then_predicts_the_same():
    x = np.linspace(-1, 1, 12).reshape(4, 3)
    expected = [[0.88411876], [0.93154341], [0.54462294], [0.1950785]]
    np.testing.assert_allclose(pickle.loads(PICKLES["nn"]).predict(x), expected, rtol=1e-6)
