"""Functions of Python's from machine code, which get the objects that they are called with.

What a dispatcher of numba's does for each argument takes longer than a small kernel. A function
made here is a builtin like ``len``: Python hands it the addresses of its arguments
(``METH_FASTCALL``), and a call costs some 0.05 µs.
"""

import ctypes

import numpy as np
from numpy._core import _multiarray_umath

from . import objects
from .declare import address

__all__ = ["numpy_function", "prepared", "record"]

_FASTCALL = 0x80
_EMPTY = 184  # PyArray_Empty; NumPy keeps the numbers of its functions


class _Method(ctypes.Structure):
    """The C struct ``PyMethodDef``."""

    _fields_ = (
        ("name", ctypes.c_char_p),
        ("function", ctypes.c_void_p),
        ("flags", ctypes.c_int),
        ("doc", ctypes.c_char_p),
    )


_methods = {}  # Python reads these for as long as there are functions


class _Keeper:
    """The base of a record: keeps alive what the record has addresses of."""

    def __init__(self, words, things):
        self.words, self.things = words, things
        self.__array_interface__ = words.__array_interface__


def numpy_function(number):
    """The address of a function of NumPy's C interface."""
    capsule = ctypes.pythonapi.PyCapsule_GetPointer
    capsule.restype, capsule.argtypes = ctypes.c_void_p, [ctypes.py_object, ctypes.c_char_p]
    table = capsule(_multiarray_umath._ARRAY_API, None)
    return ctypes.cast(table, ctypes.POINTER(ctypes.c_void_p))[number]


def record(dtype, own, things=(), headers=None):
    """The words that a prepared call reads.

    Parameters
    ----------
    dtype : dtype
        Of the arrays that it takes and makes.
    own : mapping of int to int
        The door's words, by their indices.
    things : sequence
        What must live as long as the call, such as arrays whose addresses are among the words.
    headers : table of `codegen.headers`, optional
        Of arrays that must be as they are now.

    """
    words = np.zeros(objects.WORDS, np.int64)
    words[objects.NONE], words[objects.ARRAY] = id(None), id(np.ndarray)
    usual = np.dtype(np.dtype(dtype).char)  # of which NumPy has one object
    words[objects.DTYPE], words[objects.FLOAT] = id(usual), id(float)
    words[objects.KIND] = ctypes.c_int64.from_address(id(usual) + 8 * objects.DTYPE_WORD).value
    words[objects.KIND] &= objects.NO_FLAGS
    words[objects.EMPTY] = numpy_function(_EMPTY)
    if headers is not None:
        words[objects.HEADERS], words[objects.ARRAYS] = headers.ctypes.data, len(headers)
    for index, value in own.items():
        words[index] = value
    return np.asarray(_Keeper(words, (*things, headers)))


def prepared(function, dtype, words):
    """A function of Python's from ``function(me, arguments, count)`` and its record.

    It answers None where the arguments, or what it was prepared for, do not fit.
    """
    key = function, np.dtype(dtype).char
    method = _methods.get(key)
    if method is None:
        code = address(function, dtype, objects.CALL)
        method = _Method(function.__name__.encode(), code, _FASTCALL, None)
        # the first of two threads' stays: functions of Python's have its address
        method = _methods.setdefault(key, method)
    make = ctypes.pythonapi.PyCFunction_NewEx
    make.restype = ctypes.py_object
    make.argtypes = [ctypes.c_void_p, ctypes.py_object, ctypes.c_void_p]
    return make(ctypes.addressof(method), words, None)
