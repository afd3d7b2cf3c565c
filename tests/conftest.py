"""What several test files share."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

collect_ignore = ["outside"]  # a script, which needs other libraries

CHILDREN = Path(__file__).with_name("children.py")


def start(program, *arguments, **environment):
    """A process of its own for a program of ``children.py``; None takes a variable away.

    It leads a group of processes, so that it and its own children can be ended together.
    """
    variables = {**os.environ, "PYTHONWARNINGS": "error", **environment}
    return subprocess.Popen(
        [sys.executable, str(CHILDREN), program, *map(str, arguments)],
        env={name: str(value) for name, value in variables.items() if value is not None},
        cwd=CHILDREN.parent,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def finish(process, timeout=300):
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
    """Runs programs of ``children.py``: at once, or started now and finished later."""

    start = staticmethod(start)
    finish = staticmethod(finish)

    def __call__(self, program, *arguments, timeout=60, **environment):
        return finish(start(program, *arguments, **environment), timeout)


@pytest.fixture(scope="session")
def child():
    """Run a program of ``children.py`` in a process of its own and return its answer."""
    return Children()
