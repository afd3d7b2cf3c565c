"""Compiled kernels on disk: one file a kernel and type signature, right or not used at all.

numba's own cache looks at the file of a kernel only, so it serves stale code after an edit of
another file; it keeps one index for all closures of a maker, which two processes can cross; and it
raises on a damaged file. Here the file name is a digest of everything that the machine code depends
on (all kernel sources, the types, the CPU, the versions), the content carries its own digest, and
every failure means "compile again". Where nothing can be written, nothing is cached.
"""

import functools
import hashlib
import os
import pickle
import shutil
import sys
import tempfile
from pathlib import Path

import llvmlite
import numba
from numba.core import config
from numba.core.caching import CompileResultCacheImpl, _Cache
from numba.core.compiler import CompileResult
from numba.misc.appdirs import AppDirs

_HERE = Path(__file__).resolve().parent
_DIGEST = 32


def _digest(*parts):
    return hashlib.sha256(b"\0".join(parts)).hexdigest()[:16]


@functools.cache
def stamps():
    """Digests of the versions that make the machine code, and of every kernel source."""
    versions = repr((sys.version, numba.__version__, llvmlite.__version__)).encode()
    sources = [
        part
        for path in sorted(_HERE.rglob("*.py"))
        for part in (path.relative_to(_HERE).as_posix().encode(), path.read_bytes())
    ]
    return _digest(versions), _digest(*sources)


def _candidates():
    """Folders that may hold the cache, in the order of preference."""
    install = _digest(str(_HERE).encode())
    if config.CACHE_DIR:
        yield Path(config.CACHE_DIR) / f"fastnn-{install}"
        return
    yield _HERE / "__pycache__" / "fastnn"
    yield Path(AppDirs(appname="fastnn", appauthor=False).user_cache_dir) / install


@functools.cache
def folder():
    """The folder for this state of the sources, or None where nothing is writable."""
    versions, sources = stamps()
    for parent in _candidates():
        place = parent / f"{versions}-{sources}"
        try:
            fresh = not place.exists()
            place.mkdir(parents=True, exist_ok=True)
            tempfile.TemporaryFile(dir=place).close()
        except OSError:
            continue
        if fresh:  # what other sources left behind under these versions is of no use any more
            for stale in parent.glob(f"{versions}-*"):
                if stale != place:
                    shutil.rmtree(stale, ignore_errors=True)
        return place
    return None


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
        path = self._path(sig, target_context.codegen())
        if path is None:
            return None
        try:
            content = path.read_bytes()
            body = content[_DIGEST:]
            if hashlib.sha256(body).digest() != content[:_DIGEST]:
                return None  # truncated or damaged: compile again and replace it
            return CompileResult._rebuild(target_context, *pickle.loads(body))
        except OSError:
            return None

    def save_overload(self, sig, data):
        """Store the compiled function for these types."""
        path = self._path(sig, data.codegen)
        if path is None:
            return
        body = numba.core.serialize.dumps(CompileResultCacheImpl.reduce(None, data))
        temporary = path.with_name(f"{path.name}.{os.getpid()}.{id(data):x}")
        try:
            temporary.write_bytes(hashlib.sha256(body).digest() + body)
            os.replace(temporary, path)
        except OSError:  # full disk, folder removed meanwhile: caching is a convenience
            temporary.unlink(missing_ok=True)

    def _path(self, sig, codegen):
        if not self._enabled or folder() is None:
            return None
        parts = repr((str(sig), codegen.magic_tuple(), _identity(self._function)))
        name = hashlib.sha256(parts.encode()).hexdigest()[:24]
        return folder() / f"{self._function.__name__}-{name}.nbc"


def _identity(function):
    """What tells one function from another, closures over other functions included."""
    code = function.__code__
    cells = [cell.cell_contents for cell in function.__closure__ or ()]
    inside = [_identity(cell) if callable(cell) else repr(cell) for cell in cells]
    digest = hashlib.sha256(code.co_code).hexdigest()
    return function.__module__, function.__qualname__, code.co_firstlineno, digest, inside
