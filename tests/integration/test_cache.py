"""Compiled kernels are kept on disk: found again, right or not used at all, and never in the way.

Every program runs in a process of its own with a cache of its own; "compiled" in its answer is the
number of passes of numba's compiler.
"""

import compileall
import hashlib
import os
import pickle
import shutil
from pathlib import Path

import pytest
from numba.core import config, event
from support.children import network_and_data
from support.installations import NOWHERE, seed_named

from fastnn import kernels
from fastnn.kernels.codegen import cache, declare
from fastnn.kernels.engine import train as engine

KERNELS = Path(kernels.__file__).parent


def files(folder):
    return {path.name: path.stat().st_mtime_ns for path in Path(folder).rglob("*.nbc")}


def tiny():
    """A small kernel, as a new process has it; and how often it was loaded and compiled."""

    def twice(x):
        return x + x

    made = declare.kernel(twice)

    def used():
        assert made(21.0) == 42.0
        return tuple(sum(s.values()) for s in (made.stats.cache_hits, made.stats.cache_misses))

    return made, used


@pytest.fixture
def own_cache(tmp_path, monkeypatch):
    """A cache of this test's own, which is asked for anew."""
    monkeypatch.setattr(config, "CACHE_DIR", str(tmp_path / "own"))
    cache._folders.cache_clear()
    yield tmp_path / "own"
    cache._folders.cache_clear()


@pytest.fixture
def kept(own_cache):
    """The file that a small kernel left in a cache."""
    assert tiny()[1]() == (0, 1)
    assert tiny()[1]() == (1, 0)
    (path,) = own_cache.rglob("*.nbc")
    return path


@pytest.fixture(scope="module")
def filled(child, tmp_path_factory):
    """A cache that one training has filled, and what that process said.

    The largest kernel, half of the work, may have been there before, with the one that is kept
    only when it is compiled anew.
    """
    folder = tmp_path_factory.mktemp("filled")
    seed_named(folder, "train-*", "shuffle-*")
    return folder, child("train", NUMBA_CACHE_DIR=folder)


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
    [
        pytest.param("train", half, marks=pytest.mark.sweep),
        ("evaluate", half),
        pytest.param("evaluate", empty, marks=pytest.mark.sweep),
        pytest.param("evaluate", one_byte_changed, marks=pytest.mark.sweep),
    ],
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


@pytest.mark.sweep
@pytest.mark.parametrize("program", ["evaluate", "train"])
def test_two_processes_share_an_empty_cache(child, tmp_path, program):
    lone, shared = tmp_path / "lone", tmp_path / "shared"
    expected = child(program, NUMBA_CACHE_DIR=lone)["result"]
    both = [child.start(program, NUMBA_CACHE_DIR=shared) for _ in range(2)]
    answers = [child.finish(process) for process in both]
    for answer in [*answers, child(program, NUMBA_CACHE_DIR=shared)]:
        assert answer["result"] == expected
    assert files(shared).keys() == files(lone).keys()
    assert child(program, NUMBA_CACHE_DIR=shared)["compiled"] == 0


def test_changed_vecmath_is_picked_up(child, own_copy):
    environment, folder = own_copy
    before = child("evaluate", **environment)
    assert before["file"].startswith(str(environment["PYTHONPATH"]))
    assert before["result"] == pytest.approx(0.7616, abs=1e-4)
    with (folder / "vecmath" / "logistic.py").open("a") as source:
        source.write(
            "\n\nfrom ..codegen.intrinsics import cast_like\n\n\n"
            "@scalar\ndef tanh(x):\n    return cast_like(x, 0.25)\n"
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


def test_every_kernel_source_counts(own_copy, monkeypatch):
    _, folder = own_copy
    monkeypatch.setattr(cache, "_HERE", folder)
    names = sorted(path.relative_to(KERNELS).as_posix() for path in KERNELS.rglob("*.py"))
    before = sources()
    assert sources() == before
    for name in names:
        with (folder / name).open("a") as source:
            source.write("# changed\n")
        after = sources()
        assert after != before, name
        before = after


def sources():
    """The sources as they are now."""
    found = cache._sources_found.__wrapped__()
    assert found is not None
    return found


def test_sources_in_a_zip_count(own_copy, monkeypatch, tmp_path):
    _, folder = own_copy
    found = []
    for k in range(2):
        archive = shutil.make_archive(str(tmp_path / f"{k}"), "zip", folder.parent.parent)
        monkeypatch.setattr(cache, "_HERE", Path(archive) / "fastnn" / "kernels")
        found.append(sources())
        with (folder / "vecmath" / "exponential.py").open("a") as source:
            source.write("# changed\n")
    assert len(found[0]) == len(found[1]) > 2 * len([*KERNELS.glob("*.py")])
    assert found[0] != found[1]


def test_bytecode_without_sources_counts(own_copy, monkeypatch):
    _, folder = own_copy
    monkeypatch.setattr(cache, "_HERE", folder)
    with_sources = sources()
    assert compileall.compile_dir(folder, quiet=1, legacy=True)
    for path in folder.rglob("*.py"):
        path.unlink()
    before = sources()
    assert len(before) == len(with_sources)
    path = folder / "vecmath" / "exponential.pyc"
    path.write_bytes(path.read_bytes() + b"0")
    assert sources() != before


def test_code_that_only_a_loader_has_counts(own_copy, monkeypatch):
    _, folder = own_copy
    monkeypatch.setattr(cache, "_HERE", folder)
    with_sources = sources()

    def no_data(self, path):
        raise OSError("frozen")

    real = cache._content
    code = {}

    def content(spec):
        code[spec.name] = spec.loader.get_code(spec.name)
        monkeypatch.setattr(type(spec.loader), "get_data", no_data)
        monkeypatch.setattr(type(spec.loader), "get_code", lambda self, name: code[name])
        found = real(spec)
        monkeypatch.undo()
        return found

    monkeypatch.setattr(cache, "_HERE", folder)
    monkeypatch.setattr(cache, "_content", content)
    assert len(sources()) == len(with_sources)


def test_nothing_is_kept_where_sources_cannot_be_had(own_cache, monkeypatch):
    monkeypatch.setattr(cache, "_sources_found", lambda: None)
    assert cache.stamps.__wrapped__() != cache.stamps.__wrapped__()
    assert tiny()[1]() == (0, 1)
    assert not files(own_cache)


def test_a_path_that_is_not_utf_8(monkeypatch):
    monkeypatch.setattr(cache, "_HERE", Path(os.fsdecode(b"/installed/\xff/kernels")))
    monkeypatch.setattr(config, "CACHE_DIR", "")
    assert len([*cache._candidates()]) == 2


@pytest.mark.parametrize(
    ("program", "cache_dir"),
    [pytest.param("train", None, marks=pytest.mark.sweep), ("evaluate", "/dev/null/numba")],
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
        nn.fit(X, t, 1e-6, epochs=2, validation_data=(X, t))
        nn.fit(X, t, 1e-6, epochs=2, batch_size=100)
        nn.cost(X, t)
        return set(engine.train.signatures), set(declare._addresses)

    present = used(first)
    with event.install_recorder("numba:run_pass") as recorder:
        assert used(second) == present
    assert not recorder.buffer


class Planted:
    """What leaves a trace when it is unpickled, and is no kernel."""

    def __init__(self, trace):
        self.trace = trace

    def __reduce__(self):
        return os.mkdir, (str(self.trace),)


def plant(path, value):
    body = pickle.dumps(value)
    path.write_bytes(hashlib.sha256(body).digest() + body)


OTHERS = {
    "a file that the group can write": lambda path, _: path.chmod(0o664),
    "a file that anybody can write": lambda path, _: path.chmod(0o646),
    "a folder that the group can write": lambda path, _: path.parent.chmod(0o775),
    "a folder that anybody can write": lambda path, _: path.parent.chmod(0o757),
    "files of another user": lambda path, patch: foreign(path, patch),
}


def foreign(path, monkeypatch):
    """Have the file belong to somebody else; who is no root can only become somebody else."""
    user = os.geteuid()
    if user == 0:
        os.chown(path, 12345, -1)
    else:
        monkeypatch.setattr(os, "geteuid", lambda: user + 1)


@pytest.mark.parametrize("how", OTHERS)
def test_what_others_could_have_written_is_not_loaded(kept, tmp_path, monkeypatch, how):
    trace = tmp_path / "trace"
    plant(kept, Planted(trace))
    OTHERS[how](kept, monkeypatch)
    assert tiny()[1]() == (0, 1)
    assert not trace.exists()


@pytest.mark.parametrize("mode", [0o775, 0o757])
def test_nothing_is_kept_in_a_folder_that_others_can_write(kept, mode):
    present = files(kept.parent)
    kept.parent.chmod(mode)
    cache._folders.cache_clear()
    assert cache.folder() is None
    assert cache.folders() == ()
    assert tiny()[1]() == (0, 1)
    assert files(kept.parent) == present


@pytest.mark.parametrize("value", [(), ("no", "kernel"), None, Planted("/dev/null/trace")])
def test_what_is_no_kernel_is_compiled_again(kept, value):
    plant(kept, value)
    assert tiny()[1]() == (0, 1)
    assert tiny()[1]() == (1, 0)


def test_new_files_are_for_all_to_read_and_nobody_else_to_write(own_cache):
    before = os.umask(0o002)  # as where each user has a group
    try:
        assert tiny()[1]() == (0, 1)
    finally:
        os.umask(before)
    (path,) = own_cache.rglob("*.nbc")
    assert path.stat().st_mode & 0o777 == 0o644
    assert path.parent.stat().st_mode & 0o777 == 0o755
    assert tiny()[1]() == (1, 0)


def test_a_cache_that_cannot_be_written_is_read(kept, tmp_path, monkeypatch):
    home, make = tmp_path / "home", cache.tempfile.TemporaryFile

    def refuse(dir):
        if dir == kept.parent:
            raise PermissionError(dir)
        return make(dir=dir)

    monkeypatch.setattr(cache.tempfile, "TemporaryFile", refuse)
    parents = [kept.parent.parent]
    monkeypatch.setattr(cache, "_candidates", lambda: parents)
    cache._folders.cache_clear()
    assert cache.folder() is None
    assert tiny()[1]() == (1, 0)

    parents.append(home)  # what is missing goes where it can be written
    cache._folders.cache_clear()
    assert tiny()[1]() == (1, 0)
    assert not files(home)
    kept.unlink()
    assert tiny()[1]() == (0, 1)
    assert files(home).keys() == {kept.name}
    assert tiny()[1]() == (1, 0)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("OPT", 0), ("LOOP_VECTORIZE", 0), ("SLP_VECTORIZE", 1), ("BOUNDSCHECK", 1),
        ("DEBUGINFO_DEFAULT", 1), ("LLVM_REFPRUNE_PASS", 0), ("EXTEND_VARIABLE_LIFETIMES", 1),
    ],
)  # fmt: skip
def test_settings_of_numba_make_other_kernels(kept, monkeypatch, name, value):
    file = kept.name
    assert hasattr(config, name)
    with monkeypatch.context() as patch:
        patch.setattr(config, name, value)
        made = tiny()[0]
        assert made._cache._file(*_signature_and_codegen(made)) != file
    made = tiny()[0]
    assert made._cache._file(*_signature_and_codegen(made)) == file


def _signature_and_codegen(made):
    return (declare.types.float64,), made.targetctx.codegen()


def test_kernels_are_compiled_where_numba_is_switched_off(child, filled):
    usual = {**filled[1], "compiled": 0}
    assert child("train", NUMBA_CACHE_DIR=filled[0], NUMBA_DISABLE_JIT=1) == usual
    assert child("compile_where_numba_is_switched_off") == [True, 3.0, 3.0, 1]
