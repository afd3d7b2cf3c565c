"""All kernels compiled once for the tests of this folder, for the same processor everywhere."""

import pytest

from guard import assembly, count


@pytest.fixture(scope="session")
def looked(tmp_path_factory):
    """What compiled them all, and what is wrong with each."""
    if not assembly.is_possible():
        pytest.skip("numba runs parts of what it compiles: this needs AVX2")
    made = count.Guard(tmp_path_factory.mktemp("guard"))
    return made, made.look()


@pytest.fixture(scope="session")
def counted(looked):
    """Instructions for an element of each."""
    if not count.is_countable():
        pytest.skip("instructions are counted by Valgrind, which is not installed")
    return looked[0].count()
