"""A storm of random public operations, in a process of its own: see `support.storm`.

Each of two threads does some hundred of them. ``FASTNN_STORM=20000`` makes it so many, which takes
some minutes; more seeds are ``python -m support.storm SEED OPERATIONS`` in the folder of tests. A
failure names the seed and the operation.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]
OPERATIONS = os.environ.get("FASTNN_STORM", "300")


@pytest.mark.parametrize(  # of float64 and of float32
    "seed", [0, pytest.param(1, marks=pytest.mark.sweep)]
)
def test_whatever_two_threads_do_is_right_or_refused(seed):
    done = subprocess.run(
        [sys.executable, "-m", "support.storm", str(seed), OPERATIONS],
        cwd=TESTS,
        capture_output=True,
        text=True,
        timeout=300 + int(OPERATIONS),
    )
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads(done.stdout)
    assert sum(found.values()) == 2 * int(OPERATIONS)
    assert found["right"] > 0.1 * int(OPERATIONS), "too few looks at a network that is one"
