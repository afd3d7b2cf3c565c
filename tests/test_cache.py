"""Compiled kernels are kept on disk: found again, right or not used at all, and never in the way.

Every program runs in a process of its own with a cache of its own; "compiled" in its answer is the
number of passes of numba's compiler.
"""

import shutil
from pathlib import Path

import pytest
from children import network_and_data
from numba.core import event

import fastnn
from fastnn import kernels
from fastnn.kernels import cache, engine, jit

KERNELS = Path(kernels.__file__).parent


def files(folder):
    return {path.name: path.stat().st_mtime_ns for path in Path(folder).rglob("*.nbc")}


@pytest.fixture(scope="module")
def filled(child, tmp_path_factory):
    """A cache that one training has filled, and what that process said."""
    folder = tmp_path_factory.mktemp("filled")
    return folder, child("train", NUMBA_CACHE_DIR=folder)


@pytest.fixture
def own_copy(tmp_path):
    """An installation of its own to break: the environment that runs it, and its kernels."""
    package = tmp_path / "copy" / "fastnn"
    skip = shutil.ignore_patterns("__pycache__")
    shutil.copytree(Path(fastnn.__file__).parent, package, ignore=skip)
    shutil.copytree(KERNELS, package / "kernels", ignore=skip, dirs_exist_ok=True)
    environment = {"PYTHONPATH": package.parent, "NUMBA_CACHE_DIR": None}
    return environment, package / "kernels"


def test_later_processes_compile_nothing_and_add_nothing(child, filled):
    folder, first = filled
    assert first["compiled"] > 0
    present = files(folder)
    assert present
    for _ in range(2):
        later = child("train", NUMBA_CACHE_DIR=folder)
        assert later == {**first, "compiled": 0}
        assert files(folder) == present


def half(content):
    return content[: len(content) // 2]


def empty(content):
    return b""


def one_byte_changed(content):
    middle = len(content) // 2
    return content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]


@pytest.mark.parametrize(
    ("program", "damaged"),
    [("train", half), ("evaluate", half), ("evaluate", empty), ("evaluate", one_byte_changed)],
)
def test_damaged_files_heal(child, filled, tmp_path, program, damaged):
    shutil.copytree(filled[0], tmp_path, dirs_exist_ok=True)
    whole = child(program, NUMBA_CACHE_DIR=tmp_path)
    present = files(tmp_path)
    for path in tmp_path.rglob("*.nbc"):
        path.write_bytes(damaged(path.read_bytes()))
    healing = child(program, NUMBA_CACHE_DIR=tmp_path)
    assert healing["compiled"] > 0, "the damage was not seen"
    assert healing == {**whole, "compiled": healing["compiled"]}
    assert child(program, NUMBA_CACHE_DIR=tmp_path) == {**whole, "compiled": 0}
    assert files(tmp_path).keys() == present.keys()


def test_two_processes_share_an_empty_cache(child, tmp_path, filled):
    both = [child.start("train", NUMBA_CACHE_DIR=tmp_path) for _ in range(2)]
    answers = [child.finish(process) for process in both]
    for answer in [*answers, child("train", NUMBA_CACHE_DIR=tmp_path)]:
        assert answer["result"] == filled[1]["result"]
    assert files(tmp_path).keys() == files(filled[0]).keys()
    assert child("train", NUMBA_CACHE_DIR=tmp_path)["compiled"] == 0


def test_changed_vecmath_is_picked_up(child, own_copy):
    environment, folder = own_copy
    before = child("evaluate", **environment)
    assert before["file"].startswith(str(environment["PYTHONPATH"]))
    assert before["result"] == pytest.approx(0.7616, abs=1e-4)
    with (folder / "vecmath.py").open("a") as source:
        source.write(
            "\n\nfrom .jit import like, scalar\n\n\n"
            "@scalar\ndef tanh(x):\n    return like(x, 0.25)\n"
        )
    home = folder / "__pycache__" / "fastnn"
    old = set(home.iterdir())
    other = home / "0123456789abcdef-0123456789abcdef"  # of another version of Python or numba
    other.mkdir()
    assert child("evaluate", **environment)["result"] == 0.25
    assert other.exists(), "environments that share the sources must not empty each other's cache"
    new = set(home.iterdir()) - {other}
    assert len(old) == len(new) == 1
    assert old.isdisjoint(new), "kernels of the old sources are still there"


@pytest.mark.parametrize("name", sorted(path.name for path in KERNELS.glob("*.py")))
def test_every_kernel_source_counts(own_copy, monkeypatch, name):
    _, folder = own_copy
    monkeypatch.setattr(cache, "_HERE", folder)
    before = cache.stamps.__wrapped__()
    assert cache.stamps.__wrapped__() == before
    with (folder / name).open("a") as source:
        source.write("# changed\n")
    assert cache.stamps.__wrapped__() != before


NOWHERE = {  # below a file that is no folder nobody can write, root included
    "HOME": "/dev/null/home",
    "XDG_CACHE_HOME": "/dev/null/cache",
    "PYTHONDONTWRITEBYTECODE": "1",
}


@pytest.mark.parametrize(
    ("program", "cache_dir"), [("train", None), ("evaluate", "/dev/null/numba")]
)
def test_runs_uncached_where_nothing_is_writable(child, own_copy, tmp_path, program, cache_dir):
    usual = child(program)
    environment, folder = own_copy
    (folder / "__pycache__").write_text("a file where the folder should be")
    answer = child(program, **{**environment, **NOWHERE, "NUMBA_CACHE_DIR": cache_dir})
    assert answer["compiled"] > 0
    assert answer["folder"] is None
    assert answer["result"] == usual["result"]
    assert not files(tmp_path)


def test_read_only_installation_caches_in_the_home_folder(child, own_copy, tmp_path):
    environment, folder = own_copy
    (folder / "__pycache__").write_text("a file where the folder should be")
    home = {**environment, **NOWHERE, "XDG_CACHE_HOME": tmp_path / "home"}
    assert child("evaluate", **home)["compiled"] > 0
    assert files(tmp_path / "home")
    assert child("evaluate", **home)["compiled"] == 0


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ((2, 4, 1), (3, 7, 5, 6, 2)),  # own loops
        ((32, 32, 32, 10), (40, 50, 60, 30, 25, 12)),  # BLAS, and own loops above
    ],
)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_another_depth_or_width_compiles_nothing(first, second, dtype):
    def used(shape):
        nn, X, t = network_and_data(shape, dtype=dtype)
        nn.fit(X, t, 1e-6, epochs=2)
        nn.fit(X, t, 1e-6, epochs=2, batch_size=100)
        nn.cost(X, t)
        return set(engine.train.signatures), set(jit._addresses)

    present = used(first)
    with event.install_recorder("numba:run_pass") as recorder:
        assert used(second) == present
    assert not recorder.buffer
