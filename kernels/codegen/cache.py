"""Compiled kernels on disk: one file a kernel and type signature, right or not used at all.

numba's own cache looks at the file of a kernel only, so it serves stale code after an edit of
another file; it keeps one index for all closures of a maker, which two processes can cross; and it
raises on a damaged file. Here the file name is a digest of everything that the machine code depends
on (all kernel sources, the types, the CPU, numba's settings, the versions), the content carries its
own digest, and every failure means "compile again". Kernels are read wherever they are, and written
where that is possible; where it is not, nothing is kept.

A file is unpickled, which runs whatever is in it. So it must be this user's or root's, in a folder
that is, and nobody else may have been able to write either.
"""

import contextlib
import functools
import hashlib
import os
import pickle
import pkgutil
import shutil
import stat
import sys
import tempfile
from pathlib import Path
from types import CodeType

import llvmlite
import numba
from numba.core import config
from numba.core.caching import CompileResultCacheImpl, _Cache
from numba.core.compiler import CompileResult
from numba.misc.appdirs import AppDirs

_HERE = Path(__file__).resolve().parents[1]  # the kernels' root: the digest covers them all
_DIGEST = 32

# What changes the machine code, beside the CPU and its features.
_SETTINGS = (
    "OPT", "LOOP_VECTORIZE", "SLP_VECTORIZE", "BOUNDSCHECK", "DEBUGINFO_DEFAULT", "DEBUG_NRT",
    "ENABLE_PROFILING", "EXTEND_VARIABLE_LIFETIMES", "LLVM_REFPRUNE_PASS", "LLVM_REFPRUNE_FLAGS",
    "USING_SVML",
)  # fmt: skip


def _digest(*parts):
    return hashlib.sha256(b"\0".join(parts)).hexdigest()[:16]


@functools.cache
def stamps():
    """Digests of the versions that make the machine code, and of every kernel source."""
    versions = repr((sys.version, numba.__version__, llvmlite.__version__)).encode()
    return _digest(versions), _digest(*(_sources_found() or [os.urandom(16)]))


@functools.cache
def _sources_found():
    """Names and contents of all kernel sources; None where they cannot be had."""
    try:
        finder = pkgutil.get_importer(os.fspath(_HERE.parent))
        return list(_sources(finder.find_spec(_HERE.name)))
    except (AttributeError, ImportError, OSError, ValueError):
        return None


def _sources(spec):
    """Names and contents of a module and those below it, in whatever form they are installed."""
    yield os.fsencode(spec.name)
    yield _content(spec)
    for folder in spec.submodule_search_locations or ():
        finder = pkgutil.get_importer(folder)
        for name, _ in sorted(pkgutil.iter_importer_modules(finder)):
            yield from _sources(finder.find_spec(name))


def _content(spec):
    try:
        return spec.loader.get_data(spec.origin)  # of a source, or of a .pyc alone
    except (AttributeError, OSError):  # frozen
        return _text(spec.loader.get_code(spec.name)).encode()


def _text(code):
    """What a code object does, in words that are the same in every process."""
    constants = [
        _text(value) if isinstance(value, CodeType)
        else repr(sorted(value, key=repr) if isinstance(value, frozenset) else value)
        for value in code.co_consts
    ]  # fmt: skip
    return repr((code.co_code, code.co_names, code.co_varnames, code.co_freevars, constants))


def _candidates():
    """Folders that may hold the cache, in the order of preference."""
    install = _digest(os.fsencode(_HERE))
    if config.CACHE_DIR:
        yield Path(config.CACHE_DIR) / f"fastnn-{install}"
        return
    yield _HERE / "__pycache__" / "fastnn"
    yield Path(AppDirs(appname="fastnn", appauthor=False).user_cache_dir) / install


@functools.cache
def _folders():
    """The folders to read from, and the one to write to or None."""
    readable = []
    for parent in _candidates() if _sources_found() else ():
        path = parent / "-".join(stamps())
        if _is_writable(parent, path):
            return (*readable, path), path
        with contextlib.suppress(OSError):
            if _is_ours(path.stat()):
                readable.append(path)
    return tuple(readable), None


def folders():
    """The folders for this state of the sources that kernels are looked for in."""
    return _folders()[0]


def folder():
    """The folder that kernels are written to, or None where that is impossible."""
    return _folders()[1]


def _is_writable(parent, path):
    """Whether kernels can be kept here; the folder is made."""
    try:
        fresh = not path.exists()
        path.mkdir(mode=0o755, parents=True, exist_ok=True)
        if not _is_ours(path.stat()):
            return False
        tempfile.TemporaryFile(dir=path).close()
    except OSError:
        return False
    if fresh:  # what other sources left behind under these versions is of no use any more
        for stale in parent.glob(f"{stamps()[0]}-*"):
            if stale != path:
                shutil.rmtree(stale, ignore_errors=True)
    return True


def _is_ours(status):
    """Whether nobody but this user and root can have written a file or folder of this status."""
    if not hasattr(os, "geteuid"):  # Windows: its folders of a user are the user's by themselves
        return True
    others = status.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
    return status.st_uid in (0, os.geteuid()) and not others


def _body(path):
    """What a file holds, if it is whole and ours."""
    with path.open("rb") as file:
        if not (_is_ours(os.fstat(file.fileno())) and _is_ours(path.parent.stat())):
            raise PermissionError(f"others can write {path}")
        content = file.read()
    body = content[_DIGEST:]
    if hashlib.sha256(body).digest() != content[:_DIGEST]:
        raise ValueError(f"{path} is damaged")
    return body


class KernelCache(_Cache):
    """The cache of one function, in the form that numba's dispatchers ask for."""

    def __init__(self, function):
        self._function = function
        self._enabled = True

    @property
    def cache_path(self):
        """The folder, for people."""
        return None if folder() is None else str(folder())

    def enable(self):
        """Use the cache."""
        self._enabled = True

    def disable(self):
        """Leave the cache alone."""
        self._enabled = False

    def flush(self):
        """Remove what is stored of functions of this name."""
        for path in folder().glob(f"{self._function.__name__}-*.nbc") if folder() else ():
            path.unlink(missing_ok=True)

    def load_overload(self, sig, target_context):
        """The compiled function for these types, or None."""
        target_context.refresh()  # as numba does: the context must be ready to link
        if not (self._enabled and folders()):
            return None
        name = self._file(sig, target_context.codegen())
        for path in folders():
            # whatever is wrong with it: the next one, or compile again and replace it
            with contextlib.suppress(Exception):
                parts = pickle.loads(_body(path / name))
                return CompileResult._rebuild(target_context, *parts)
        return None

    def save_overload(self, sig, data):
        """Store the compiled function for these types."""
        if not self._enabled or folder() is None:
            return
        path = folder() / self._file(sig, data.codegen)
        body = numba.core.serialize.dumps(CompileResultCacheImpl.reduce(None, data))
        temporary = path.with_name(f"{path.name}.{os.urandom(8).hex()}")
        try:
            with open(temporary, "xb", opener=_for_all_to_read) as file:
                file.write(hashlib.sha256(body).digest() + body)
            os.replace(temporary, path)
        except OSError:  # full disk, folder removed meanwhile: caching is a convenience
            temporary.unlink(missing_ok=True)

    def _file(self, sig, codegen):
        settings = [getattr(config, name, None) for name in _SETTINGS]
        parts = str(sig), codegen.magic_tuple(), settings, _identity(self._function)
        name = hashlib.sha256(repr(parts).encode()).hexdigest()[:24]
        return f"{self._function.__name__}-{name}.nbc"


def _for_all_to_read(path, flags):
    return os.open(path, flags, 0o644)  # where new files are the group's to write, they are not


def _identity(function):
    """What tells one function from another, closures over other functions included."""
    function = getattr(function, "_defn", function)  # what an instruction is defined by
    code = function.__code__
    cells = [cell.cell_contents for cell in function.__closure__ or ()]
    inside = [_identity(cell) if callable(cell) else repr(cell) for cell in cells]
    digest = hashlib.sha256(_text(code).encode()).hexdigest()
    return function.__module__, function.__qualname__, code.co_firstlineno, digest, inside
