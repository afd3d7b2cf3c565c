"""``import fastnn`` is light: what it leaves for later. Its time is a benchmark."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import fastnn
from fastnn import kernels

NOT_AT_IMPORT = (
    "scipy.stats",
    "matplotlib",
    "sklearn",
    "PIL",
    "tqdm",
    "pandas",
    "safetensors",
    "fastnn.files",
)


def test_checkout_uses_its_own_kernels(tmp_path):
    """Python started in a checkout, whatever is installed beside it."""
    skip = shutil.ignore_patterns("__pycache__")
    for package in (fastnn, kernels):
        folder = Path(package.__file__).parent
        shutil.copytree(folder, tmp_path / folder.name, ignore=skip)
    program = "import fastnn, fastnn.kernels as k; print(fastnn.__file__, k.__file__)"
    found = subprocess.check_output([sys.executable, "-c", program], cwd=tmp_path, text=True)
    assert found.split() == [
        str(tmp_path / package / "__init__.py") for package in ("fastnn", "kernels")
    ]


@pytest.fixture(scope="module")
def watched(child, tmp_path_factory):
    """What importing and using the library did, with a full cache at hand."""
    folder = tmp_path_factory.mktemp("cache")
    empty = child("import_and_watch", NUMBA_CACHE_DIR=folder)
    return empty, child("import_and_watch", NUMBA_CACHE_DIR=folder)


def test_import_compiles_nothing(watched):
    empty, full = watched
    assert empty["imported"]["compiled"] == 0
    assert empty["used"]["compiled"] > 0, "the test does not see compilations"
    assert full["used"]["compiled"] == 0


def test_import_leaves_the_cache_alone(watched):
    for run in watched:
        assert run["imported"]["touched"] == 0
        assert run["used"]["touched"] > 0, "the test does not see the cache"


@pytest.mark.parametrize("module", NOT_AT_IMPORT)
def test_import_leaves_out(watched, module):
    assert module not in watched[1]["imported"]["modules"]


@pytest.mark.parametrize("before", ["gc.enable()", "gc.disable()"])
@pytest.mark.parametrize("numba", ["", "sys.modules['numba'] = None; "])
def test_import_leaves_the_collector_as_it_was(before, numba):
    """Also an import that fails."""
    program = (
        f"import contextlib, gc, sys; {numba}{before}\n"
        "with contextlib.suppress(ImportError):\n    import fastnn\n"
        "print(gc.isenabled())"
    )
    found = subprocess.check_output([sys.executable, "-c", program], text=True)
    assert found.strip() == str(before == "gc.enable()")
