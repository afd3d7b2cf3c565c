"""The guard sees what it is there for: kernels made worse on purpose, in a copy."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import fastnn
from fastnn import kernels
from guard import count
from guard.once import once

pytestmark = pytest.mark.sweep  # Valgrind
HERE = Path(__file__).resolve().parent
EDITS = {
    # the C library's exp instead of ours
    "kernels/activations/exponential.py": (
        ("return vecmath.sigmoid(x)", "return cast_like(x, 1) / (cast_like(x, 1) + math.exp(-x))"),
        ("return vecmath.tanh(x)", "return vecmath.tanh(vecmath.tanh(x))"),  # the work of two
        ("from .. import vecmath", "import math\n\nfrom .. import vecmath"),
    ),
    # nothing asks for the widest vectors
    "kernels/activations/vector.py": (("        wide()\n        z, y", "        z, y"),),
}
GOOD = "ReLU forward", "exponential derivative"
BAD = {
    "sigmoid forward float32": "calls expf",
    "GLU forward float32": "does not ask for the widest vectors",
}
COUNTED = "tanh forward float32", "sigmoid forward float32"


@pytest.fixture(scope="module")
def said(guard):
    """What the command says of the copy, line by line."""
    return once(guard.folder / "worse", lambda: complaints(guard.folder / "copy"))


def complaints(folder):
    skip = shutil.ignore_patterns("__pycache__")
    for source in (Path(fastnn.__file__).parent, Path(kernels.__file__).parent):
        shutil.copytree(source, folder / source.name, ignore=skip)
    shutil.copytree(HERE, folder / "tests" / HERE.name, ignore=skip)
    for path, edits in EDITS.items():
        text = (folder / path).read_text(encoding="utf-8")
        for old, new in edits:
            assert old in text
            text = text.replace(old, new, 1)
        (folder / path).write_text(text, encoding="utf-8")
    names = {line.rsplit(" ", 1)[0] for line in (*BAD, *COUNTED)}
    done = subprocess.run(
        [sys.executable, f"tests/{HERE.name}/count.py", "--dtype=float32", *GOOD, *sorted(names)],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(folder)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1, done.stdout + done.stderr
    return done.stderr.splitlines()


@pytest.mark.parametrize("kernel", BAD)
def test_worse_code_is_seen(said, kernel):
    assert f"{kernel}: {BAD[kernel]}" in said


@pytest.mark.parametrize("kernel", COUNTED)
def test_more_work_is_counted(said, kernel):
    if not count.is_countable():
        pytest.skip("Valgrind is not installed")
    assert any(line.startswith(f"{kernel}: ") and "the budget is" in line for line in said)


def test_nothing_else_is(said):
    assert not any(line.startswith(GOOD) for line in said)
