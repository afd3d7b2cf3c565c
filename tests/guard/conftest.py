"""All kernels compiled and counted once, for the same processor everywhere."""

import os

import pytest

from guard import assembly, count
from guard.once import once


@pytest.fixture(scope="session")
def guard(tmp_path_factory):
    """Its folder is that of all processes that test side by side."""
    if not assembly.is_possible():
        pytest.skip("numba runs parts of what it compiles: this needs AVX2")
    folder = tmp_path_factory.getbasetemp()
    folder = (folder.parent if "PYTEST_XDIST_WORKER" in os.environ else folder) / "guard"
    folder.mkdir(exist_ok=True)
    return count.Guard(folder)


@pytest.fixture(scope="session")
def looked(guard):
    """What is wrong with each kernel."""
    return once(guard.folder / "looked", guard.look)


@pytest.fixture(scope="session")
def counted(guard, looked):
    """Instructions for an element of each."""
    if not count.is_countable():
        pytest.skip("instructions are counted by Valgrind, which is not installed")
    return once(guard.folder / "counted", guard.count)


@pytest.fixture(scope="session")
def kernels(guard, looked):
    """Kernels needed by calls, see `uses`."""
    return once(guard.folder / "kernels", lambda: guard.use("kernels"))


@pytest.fixture(scope="session")
def memory(guard, looked):
    """Memory taken by calls, see `uses`."""
    return once(guard.folder / "memory", lambda: guard.use("memory"))
