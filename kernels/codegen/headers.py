"""Headers of NumPy arrays: whether arrays that were prepared for are still laid out so.

Assigning ``a.shape`` or ``a.dtype``, ``a.resize()`` and ``a.setflags()`` change an array in place:
it stays the same object, and its memory or its size is another. Asking Python for shape, dtype,
flags and address takes longer than a small kernel, so this reads what they stand in: the C struct
``PyArrayObject_fields``, which is part of NumPy's ABI.
"""

import ctypes

import numpy as np

from .declare import kernel, scalar
from .intrinsics import integers, pointer

# Columns of a table of headers, which has a row for each array: the address of the object, then
# what its header is to hold. Arrays of more than two dimensions may get others of the same size.
OBJECT, DATA, DTYPE, FLAGS, DIMENSIONS, SIZE, LAST = range(7)
COLUMNS = 7

_WORD = 8
_HEAD = object.__basicsize__  # before the struct's own fields
_INT = 0xFFFFFFFF  # of a word, what a C int takes


_Fields = ctypes.c_int64 * 7  # data, nd, dimensions, strides, base, descr, flags: a word each


def address(array):
    """Where its memory begins: `array.ctypes.data`, in a part of the time."""
    return _Fields.from_address(id(array) + _HEAD)[0]


def table(arrays):
    """The headers of these arrays, which must be kept alive as long as they are compared."""
    headers = []
    for array in arrays:
        data, count, _, _, _, dtype, flags = _Fields.from_address(id(array) + _HEAD)[:]
        count &= _INT
        last = array.shape[-1] if count else 0
        headers += id(array), data, dtype, flags & _INT, count, array.size, last
    return np.array(headers, np.int64).reshape(-1, COLUMNS)


@scalar
def are_unchanged(headers):
    """Whether the arrays of a table have the headers that it tells.

    Nobody may change them meanwhile: hold the GIL, or be the one who uses the arrays next.
    """
    return are_unchanged_at(pointer(headers, 0), headers.shape[0])


@scalar
def are_unchanged_at(headers, n_arrays):
    """The same, of a table at a pointer, with so many rows."""
    for k in range(n_arrays):
        row = pointer(headers, k * COLUMNS)
        fields = integers(row[OBJECT] + _HEAD)
        dimensions = integers(fields[2])
        count = fields[1] & _INT
        size, last = 1, 0
        for i in range(count):
            last = dimensions[i]
            size *= last
        if (
            fields[0] != row[DATA]
            or fields[5] != row[DTYPE]
            or (fields[6] & _INT) != row[FLAGS]
            or count != row[DIMENSIONS]
            or size != row[SIZE]
            or last != row[LAST]
        ):
            return False
    return True


@kernel(nogil=False)
def unchanged(headers):
    """The same, from Python."""
    return are_unchanged(headers)
