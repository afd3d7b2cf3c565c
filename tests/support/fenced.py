"""Arrays that end where the process may not go, for tests in processes of their own.

An access beyond the end, also a read, ends the process; `faulthandler` says where. A write before
the beginning is seen by `check`. Where the system has no ``mprotect``, both ends are only checked.
"""

import ctypes
import mmap
import sys
import weakref

import numpy as np

_PAGE = mmap.PAGESIZE
_CLOSED = 64 * _PAGE  # behind an array: a loop over rows may leap over a few pages
_MARGIN = 128  # bytes before an array that are looked at: the widest vector, twice
_MARK = 0xA5

_alive = weakref.WeakSet()


class _Memory:
    """Pages for one array and, behind them, some that are closed."""

    def __init__(self, size):
        self.size = size
        self.room = -(-(size + _MARGIN) // _PAGE) * _PAGE
        self.pages = mmap.mmap(-1, self.room + _CLOSED)
        self.bytes = np.frombuffer(self.pages, np.uint8)
        self.start = self.room - size
        self.bytes[self.start - _MARGIN : self.start] = _MARK
        self.bytes[self.start : self.room] = 0xFF  # NaN in float32 and float64
        if sys.platform == "win32":
            self.bytes[self.room :] = _MARK
        else:
            place = self.bytes.ctypes.data + self.room
            libc = ctypes.CDLL(None, use_errno=True)
            assert libc.mprotect(ctypes.c_void_p(place), ctypes.c_size_t(_CLOSED), 0) == 0
        self.__array_interface__ = {
            "version": 3,
            "shape": (size,),
            "typestr": "|u1",
            "data": (self.bytes.ctypes.data + self.start, False),
        }
        _alive.add(self)

    def check(self):
        ends = [self.bytes[self.start - _MARGIN : self.start]]
        if sys.platform == "win32":
            ends.append(self.bytes[self.room :])
        for end in ends:
            assert (end == _MARK).all(), f"a write beyond an array of {self.size} bytes"


def empty(shape, dtype=np.float64, **_):
    """An array of NaN (of integers: -1) whose last element is the last that may be touched."""
    dtype = np.dtype(dtype)
    size = int(np.prod(shape)) * dtype.itemsize
    return np.asarray(_Memory(size)).view(dtype).reshape(shape)


def copy(array):
    """The same numbers, fenced."""
    found = empty(array.shape, array.dtype)
    found[...] = array
    return found


def check():
    """Fail if something was written before the beginning of an array that still lives."""
    for memory in list(_alive):
        memory.check()


class _Numpy:
    """NumPy, but for the functions that make arrays."""

    empty = staticmethod(empty)

    @staticmethod
    def zeros(shape, dtype=np.float64):
        found = empty(shape, dtype)
        found[...] = 0
        return found

    @staticmethod
    def empty_like(array, dtype=None):
        return empty(np.shape(array), dtype or array.dtype)

    @staticmethod
    def zeros_like(array, dtype=None):
        return _Numpy.zeros(np.shape(array), dtype or array.dtype)

    @staticmethod
    def concatenate(arrays, axis=0, out=None):
        found = np.concatenate(arrays, axis, out)
        return copy(found) if out is None else found

    def __getattr__(self, name):
        return getattr(np, name)


def _aligned(size, dtype):
    """As in the library, where a vector begins with a cache line; its end decides here."""
    return empty(size, dtype)


def fence(package):
    """Have all loaded modules of a package, but for its compiled code, make arrays here."""
    for name, module in list(sys.modules.items()):
        if name.startswith(f"{package}.") and not name.startswith(f"{package}.kernels"):
            if getattr(module, "np", None) is np:
                module.np = _Numpy()
            if hasattr(module, "aligned"):
                module.aligned = _aligned
