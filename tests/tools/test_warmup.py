"""After ``fastnn warmup`` later processes load everything and compile nothing."""

import dataclasses
import io
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import fastnn
from fastnn import cli, warmup
from fastnn.activations import ACTIVATIONS
from fastnn.errors import ERRORS
from fastnn.kernels.codegen import declare
from fastnn.kernels.gemm import packing
from fastnn.kernels.ufuncs import elementwise as ufuncs
from fastnn.losses import COSTS
from fastnn.optimizers import RULES

SUMMARY = r"(?m)^(\d+) kernels compiled, (\d+) found in the cache, [\d.]+ s$"


FEW = """
import sys
from fastnn import cli, warmup

warmup.known = lambda: ["gelu", "softmax"]  # of many ufuncs
sys.exit(cli.main(["warmup", "--dtype", "float32", *sys.argv[1:]]))
"""


def run_warmup(folder, *arguments):
    """The finished command, in a process of its own with this cache."""
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", FEW, *arguments],
        env={**os.environ, "NUMBA_CACHE_DIR": str(folder)},
        capture_output=True, text=True, check=False,
    )  # fmt: skip


def files(folder):
    return {path: path.stat().st_mtime_ns for path in folder.rglob("*.nbc")}


@pytest.fixture(scope="module")
def warmed(tmp_path_factory):
    """A warmed cache and what the command printed."""
    folder = tmp_path_factory.mktemp("warmed")
    done = run_warmup(folder)
    assert (done.returncode, done.stderr) == (0, "")
    return folder, done.stdout


@pytest.mark.sweep
def test_it_says_what_it_did(warmed):
    folder, text = warmed
    compiled, loaded = map(int, re.search(SUMMARY, text).groups())
    assert compiled == len(files(folder))
    assert loaded == 0
    place = Path(re.search(r"(?m)^kernel cache: (.*) \([\d.]+ MB\)$", text)[1])
    assert place == next(iter(files(folder))).parent
    for name in [*ACTIVATIONS, *COSTS, *RULES]:
        assert re.search(rf"(?m)^float32 \w+ {name} +[\d.]+ s$", text)
    for name in ("ufunc gelu", "ufunc softmax", *(f"error {name}" for name in ERRORS)):
        assert re.search(rf"(?m)^{name} +[\d.]+ s$", text)


@pytest.mark.sweep
def test_a_second_one_compiles_nothing(warmed):
    folder, text = warmed
    present = files(folder)
    again = run_warmup(folder).stdout
    assert re.search(SUMMARY, again).groups() == ("0", re.search(SUMMARY, text)[1])
    quiet = run_warmup(folder, "--quiet")
    assert (quiet.returncode, quiet.stdout, quiet.stderr) == (0, "", "")
    assert files(folder) == present


@pytest.mark.sweep
def test_later_processes_compile_nothing(child, warmed):
    present = files(warmed[0])
    answer = child("use_every_row", "float32", NUMBA_CACHE_DIR=warmed[0])
    assert answer["result"] >= len(ACTIVATIONS) + len(COSTS) + len(RULES)
    assert answer["compiled"] == 0
    assert files(warmed[0]) == present


def test_nothing_public_is_left_to_compile_or_load(child):
    """Of one row of each table, and of all ways to use it."""
    assert child("warm_up_some_and_use_it") == []


def test_every_ufunc_and_error_is_made():
    names = [name for name, _ in warmup.steps(["float64"])]
    assert {f"ufunc {name}" for name in ufuncs.known()} <= set(names)
    assert {f"error {name}" for name in ERRORS} <= set(names)
    assert len(names) == len(set(names))


def test_products_of_large_layers_are_compiled():
    steps = dict(warmup.steps(["float64"]))
    steps["float64 products of large layers"]()
    present = set(declare._addresses)
    layer = fastnn.DenseLayer(100, 100, rng=0)  # 80 kB
    fastnn.NeuralNetwork([layer], fastnn.SumSquaresError()).predict(np.zeros((300, 100)))
    used = {function for function, *_ in set(declare._addresses) - present}
    assert packing.packed_gemm in {function for function, *_ in present}
    assert packing.packed_gemm not in used


@pytest.mark.sweep
def test_what_was_not_asked_for_is_compiled_later(child, warmed, tmp_path):
    shutil.copytree(warmed[0], tmp_path, dirs_exist_ok=True)
    assert child("evaluate", NUMBA_CACHE_DIR=tmp_path)["compiled"] > 0  # float64


def test_nowhere_to_keep_anything():
    done = run_warmup("/dev/null/numba")
    assert (done.returncode, done.stdout) == (1, "")
    assert re.fullmatch(
        "fastnn: error: the kernel cache is not writable, so nothing would be kept; .*\n",
        done.stderr,
    )


def test_kernels_that_could_not_be_kept(monkeypatch, capsys):
    counts = iter([(0, 0), (10**6, 0)])
    monkeypatch.setattr(warmup, "counts", lambda: next(counts))
    monkeypatch.setattr(warmup, "steps", lambda *given: [])
    with pytest.raises(SystemExit) as leaving:
        cli.main(["warmup"])
    assert leaving.value.code == 1
    assert re.search(r"only \d+ of 1000000 kernels could be kept", capsys.readouterr().err)


@pytest.mark.parametrize("row", [*ACTIVATIONS.values(), *RULES.values()])
def test_a_new_row_needs_no_edit(row, monkeypatch):
    table = ACTIVATIONS if row in ACTIVATIONS.values() else RULES
    monkeypatch.setitem(table, "another", dataclasses.replace(row, name="another"))
    assert "another" in " ".join(name for name, _ in warmup.steps(["float64"]))


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.mark.parametrize("installed", [True, False])
def test_bar_on_a_terminal_lines_elsewhere(installed, monkeypatch, capsys):
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    if not installed:
        monkeypatch.setitem(sys.modules, "tqdm", None)
    done = []
    steps = [(f"step {k}", lambda k=k: done.append(k)) for k in range(3)]
    for _, step in warmup.shown(steps):
        step()
    assert done == [0, 1, 2]
    lines = [line.split("   ")[0] for line in capsys.readouterr().out.splitlines()]
    assert lines == ([] if installed else ["step 0", "step 1", "step 2"])
    assert ("step 1" in terminal.getvalue()) == installed


def test_derivatives_are_compiled_where_they_are_asked_for():
    plain, more = (dict(warmup.steps(["float64"], asked)) for asked in (False, True))
    names = [f"activation {name}" for name in ACTIVATIONS]
    names += [*(f"cost {name}" for name in COSTS), *(f"rule {name}" for name in RULES)]
    assert more.keys() - plain.keys() == {f"float64 derivatives, {name}" for name in names}
    more["float64 derivatives, activation tanh"]()
    more["float64 derivatives, cost SumSquaresError"]()
    layer = fastnn.DenseLayer(2, 3, activation="tanh")
    nn, X = fastnn.NeuralNetwork([layer], fastnn.SumSquaresError()), np.ones((5, 2))
    before = set(declare._addresses)
    nn.laplacian(X, pullback=True)[3](g_lap=np.ones((5, 3)))
    nn.hvp(X, np.ones((5, 3)), nn.parameters)
    assert set(declare._addresses) == before
