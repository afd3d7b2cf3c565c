"""What several test files share."""

import gc
import json
import os
import shutil
import signal
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest

collect_ignore = ["outside", "article"]  # scripts: one needs other libraries, two are run by a test

TESTS = Path(__file__).parent


def pytest_configure():
    """Collect less often: numba holds so much that a tenth of the compiling is spent on it."""
    gc.set_threshold(50_000, 20, 50)


@pytest.hookimpl(tryfirst=True)  # before `-m` selects
def pytest_collection_modifyitems(items):
    """Marks as sweep what `main_in_float32` and `one_in` leave to it.

    Of each n cases one stays, and in the next n its neighbour: so n may be as many as the inner
    arguments have values, and these take turns.
    """
    for item in items:
        if item.get_closest_marker("main_in_float32") and _is_of_others_in_float32(item):
            item.add_marker(pytest.mark.sweep)
    cases = defaultdict(list)
    for item in items:
        if item.get_closest_marker("one_in") and not item.get_closest_marker("sweep"):
            cases[item.location[0], item.originalname].append(item)
    for several in cases.values():
        (n,) = several[0].get_closest_marker("one_in").args
        for k, item in enumerate(several):
            if (k + k // n) % n:
                item.add_marker(pytest.mark.sweep)


def _is_of_others_in_float32(item):
    """Whether a case is of an activation, a cost or a rule beside the main ones, in float32."""
    from support.networks import is_main

    given = item.callspec.params.values() if hasattr(item, "callspec") else ()
    return any(v is np.float32 for v in given) and not all(map(is_main, given))


def start(program, *arguments, **environment):
    """A process of its own for a program of ``support/children.py``; None takes a variable away.

    It leads a group of processes, so that it and its own children can be ended together.
    """
    # compiled once for all of them: by themselves they would be quick
    usual = {"PYTHONWARNINGS": "error", "PYTHONDONTWRITEBYTECODE": None}
    variables = {**os.environ, **usual, **environment}
    return subprocess.Popen(
        [sys.executable, "-m", "support.children", program, *map(str, arguments)],
        env={name: str(value) for name, value in variables.items() if value is not None},
        cwd=TESTS,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def finish(process, timeout=600):
    """The answer of a program, which must say nothing else; a hang fails."""
    try:
        out, err = process.communicate(timeout=timeout)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        out, err = process.communicate()
        pytest.fail(f"no answer within {timeout} s\n{out}{err}")
    assert (process.returncode, err) == (0, ""), f"exit code {process.returncode}\n{out}{err}"
    return json.loads(out.splitlines()[-1])


class Children:
    """Runs programs of ``support/children.py``: at once, or started now and finished later."""

    start = staticmethod(start)
    finish = staticmethod(finish)

    def __call__(self, program, *arguments, timeout=600, **environment):
        return finish(start(program, *arguments, **environment), timeout)


@pytest.fixture(scope="session")
def child():
    """Run a program of ``support/children.py`` in a process of its own and return its answer."""
    return Children()


@pytest.fixture
def own_copy(tmp_path):
    """An installation of its own to break: the environment that runs it, and its kernels."""
    import fastnn
    from fastnn import kernels

    package = tmp_path / "copy" / "fastnn"
    skip = shutil.ignore_patterns("__pycache__")
    shutil.copytree(Path(fastnn.__file__).parent, package, ignore=skip)
    shutil.copytree(
        Path(kernels.__file__).parent, package / "kernels", ignore=skip, dirs_exist_ok=True
    )
    environment = {"PYTHONPATH": package.parent, "NUMBA_CACHE_DIR": None}
    return environment, package / "kernels"
