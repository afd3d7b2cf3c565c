"""Ufuncs from loops at addresses, by the one function of NumPy's C interface that makes them."""

import contextlib
import ctypes

import numpy as np
from numpy._core import _multiarray_umath

__all__ = ["ufunc"]

_MAKE = 31  # PyUFunc_FromFuncAndDataAndSignature; NumPy keeps the numbers of its functions
_NO_IDENTITY = -1

_kept = []  # NumPy reads these for as long as there are ufuncs, which are never let go


def _function():
    capsule = ctypes.pythonapi.PyCapsule_GetPointer
    capsule.restype, capsule.argtypes = ctypes.c_void_p, [ctypes.py_object, ctypes.c_char_p]
    table = ctypes.cast(
        capsule(_multiarray_umath._UFUNC_API, None), ctypes.POINTER(ctypes.c_void_p)
    )
    integer, text, pointer = ctypes.c_int, ctypes.c_char_p, ctypes.c_void_p
    kind = ctypes.PYFUNCTYPE(
        ctypes.py_object, pointer, pointer, text, integer, integer, integer, integer, text, text,
        integer, text,
    )  # fmt: skip
    return kind(table[_MAKE])


def ufunc(name, doc, loops, nin, nout, signature=None):
    """A ufunc.

    Parameters
    ----------
    name, doc : str
    loops : sequence of (letter, address, data)
        Of each dtype by its letter, the same for all operands: the address of a C function
        ``(char **args, npy_intp *dimensions, npy_intp *strides, void *data)``, and that data.
    nin, nout : int
    signature : str, optional
        Of a generalised ufunc, such as ``"(n)->(n)"``.

    """
    count = len(loops)
    functions = (ctypes.c_void_p * count)(*(address for _, address, _ in loops))
    data = (ctypes.c_void_p * count)(*(extra for _, _, extra in loops))
    types = bytes(np.dtype(letter).num for letter, _, _ in loops for _ in range(nin + nout))
    texts = name.encode(), (doc or "").encode(), signature.encode() if signature else None
    _kept.append((functions, data, types, texts))
    result = _function()(
        ctypes.addressof(functions), ctypes.addressof(data), types, count, nin, nout,
        _NO_IDENTITY, texts[0], texts[1], 0, texts[2],
    )  # fmt: skip
    with contextlib.suppress(AttributeError):  # NumPy below 2.2: pickle looks through all modules
        result.__module__ = __package__.rpartition(".")[0]  # where users find it
    return result
