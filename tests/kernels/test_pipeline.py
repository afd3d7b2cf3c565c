"""The compiler's pipeline for kernels: what it leaves out is missed by nobody."""

import subprocess
import sys

import numba
import numpy as np
import pytest

from fastnn.kernels.codegen import pipeline
from fastnn.kernels.codegen.declare import kernel, scalar


@scalar
def doubled(x):
    return x + x


@scalar
def last_doubled(x):
    return doubled(x[x.size - 1])


@kernel
def one_way(x):
    return last_doubled(x) + doubled(x[0])


@kernel(nogil=False)
def another_way(x):
    return doubled(x[0]) - last_doubled(x)


@kernel
def new(x):
    y = np.empty(x.size, x.dtype)
    for i in range(x.size):
        y[i] = doubled(x[i])
    return y


@scalar
def itself(x):
    return x


@kernel
def first_of_itself(x):
    return itself(x)[0]


@numba.njit
def of_a_user(x):
    y = x + 1.0
    return last_doubled(y), y


@scalar
def checked(x, n):
    if n > x.size:
        raise ValueError("too long", n, x.size)
    return x[0]


@kernel
def raising(x, n):
    return checked(x, n)


@numba.njit
def raising_of_a_user(x, n):
    return checked(x + 0.0, n)


@pytest.fixture
def compiled(monkeypatch):
    """Names of what is compiled as a function that is only inlined."""
    names, real = [], pipeline.ScalarCompiler.define_pipelines

    def define_pipelines(self):
        names.append(self.state.func_id.func_name)
        return real(self)

    monkeypatch.setattr(pipeline.ScalarCompiler, "define_pipelines", define_pipelines)
    return names


def test_callers_with_other_flags_share_what_they_call(compiled):
    x = np.array([1, 2], np.int16)  # of which no other test is
    for function in (one_way, another_way):
        function._cache.disable()
    assert (one_way(x), another_way(x)) == (6, -2)
    assert sorted(compiled) == ["doubled", "last_doubled"]


def test_it_is_inlined_and_has_no_code_of_its_own():
    one_way._cache.disable()
    x = np.array([1.0, 2.0])
    assert one_way(x) == 6.0
    lines = "\n".join(one_way.inspect_asm().values()).splitlines()
    assert any("one_way" in line for line in lines)
    assert not [line for line in lines if "call" in line and "doubled" in line]


def test_a_kernel_that_allocates_owns_what_it_returns():
    x = np.arange(3.0)
    before = sys.getrefcount(x)
    made = [new(x) for _ in range(100)]
    assert all(np.array_equal(y, 2 * x) and sys.getrefcount(y) == 3 for y in made)
    assert sys.getrefcount(x) == before


def test_users_functions_count_their_own_references():
    x = np.arange(3.0)
    before = sys.getrefcount(x)
    total, y = of_a_user(x)
    assert (total, y.tolist()) == (6.0, [1.0, 2.0, 3.0])
    assert sys.getrefcount(x) == before


@pytest.mark.parametrize("function", [raising, raising_of_a_user])
def test_what_is_inlined_raises_with_values(function):
    assert function(np.ones(3), 2) == 1.0
    with pytest.raises(ValueError, match="too long") as caught:
        function(np.ones(3), 5)
    assert caught.value.args == ("too long", 5, 3)


def test_what_is_inlined_may_return_an_array():
    x = np.arange(3.0)
    before = sys.getrefcount(x)
    assert all(first_of_itself(x) == 0.0 for _ in range(100))
    assert sys.getrefcount(x) == before


def test_a_kernel_is_kept_with_what_it_inlines():
    x = np.arange(4.0)
    assert kernel(one_way.py_func)(x) == 6.0
    again = kernel(one_way.py_func)
    assert again(x) == 6.0
    assert sum(again.stats.cache_hits.values()) == 1


def test_another_numba_compiles_by_its_own_pipeline(tmp_path, monkeypatch):
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path))
    program = (
        'import sys; sys.modules["fastnn.kernels.codegen.pipeline"] = None\n'
        "import numpy as np; from fastnn.kernels.codegen import run\n"
        "print(run.all_finite(np.ones(3)), run.all_finite._compiler.pipeline_class.__name__)"
    )
    out = subprocess.check_output([sys.executable, "-c", program], text=True, timeout=1200)
    assert out.split() == ["True", "Compiler"]
