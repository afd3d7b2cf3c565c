"""Python objects inside compiled code: arrays are read where they stand, and made anew.

A prepared call (see `builtin`) is given the addresses of its arguments. What stands behind them is
read from the C structs ``PyArrayObject_fields``, part of NumPy's ABI, and ``PyFloatObject``; the
GIL is held. Whatever is not as the call was prepared for is no error here: the call then answers
None, and Python takes the careful way, which says what is wrong.
"""

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from .declare import scalar
from .headers import are_unchanged_at
from .intrinsics import integers
from .signature import DATA, INT, INTS, Signature

# Words of a record, which a prepared call has in the place of ``self``: what Python and NumPy have
# at hand in this process. Each door's own words follow.
NONE, ARRAY, DTYPE, FLOAT = 0, 1, 2, 3  # None, the type of arrays, the dtype, the type of floats
EMPTY = 4  # the address of NumPy's PyArray_Empty
BUSY = 5  # whether a call has let the GIL go: its memory is in use
HEADERS, ARRAYS = 6, 7  # a table of headers that must be as they were, and its length
KIND = 8  # what a dtype's struct says of itself, of those that are equal to the record's
OWN = 9
WORDS = 40  # in all

# me: the record, in a pointer that tells the dtype; arguments: their addresses, count of them.
CALL = Signature("prepared call", returns=INT, me=DATA, arguments=INTS, count=INT)

_WORD = 8
_HEAD = object.__basicsize__
_DATA, _NDIM, _SHAPE, _DESCR, _FLAGS = (_HEAD // _WORD + k for k in (0, 1, 2, 5, 6))
_INT = 0xFFFFFFFF  # of a word, what a C int takes
DTYPE_WORD = (
    _HEAD // _WORD + 1
)  # of PyArray_Descr: kind, type, byteorder, flags, and the type's number
NO_FLAGS = ~(0xFF << 24)
_CARRAY = 0x1 | 0x100  # C-contiguous, aligned
_WRITABLE = 0x400

_word = ir.IntType(64)
_object = ir.IntType(8).as_pointer()


@intrinsic
def record_of(typingctx, me):
    """The words of the record that a prepared call has for ``self``, an array; me: its address."""
    sig = types.CPointer(types.int64)(me)

    def codegen(context, builder, sig, args):
        fields = builder.bitcast(args[0], _word.as_pointer())
        data = builder.load(builder.gep(fields, [_word(_DATA)]))
        return builder.inttoptr(data, _word.as_pointer())

    return sig, codegen


@scalar
def kind_of(dtype):
    """Kind, type, byte order and number of a dtype, in one word."""
    return integers(dtype)[DTYPE_WORD] & NO_FLAGS


@scalar
def is_array(record, item, ndim):
    """Whether an object is an array as `is_plain` says, of so many dimensions."""
    return is_plain(record, item) and ndim_of(item) == ndim


@scalar
def is_plain(record, item):
    """Whether an object is an array of the record's dtype, C-contiguous and aligned."""
    a = integers(item)
    if a[1] != record[ARRAY] or a[_FLAGS] & _CARRAY != _CARRAY:
        return False
    # copies and pickles of arrays have a dtype of their own, which equals NumPy's
    return a[_DESCR] == record[DTYPE] or kind_of(a[_DESCR]) == record[KIND]


@scalar
def is_writable(item):
    """Whether an array may be written to."""
    return integers(item)[_FLAGS] & _WRITABLE != 0


@scalar
def data_of(item):
    """The address of an array's numbers."""
    return integers(item)[_DATA]


@scalar
def ndim_of(item):
    """Dimensions of an array."""
    return integers(item)[_NDIM] & _INT


@scalar
def shape_of(item):
    """Pointer to the shape of an array."""
    return integers(integers(item)[_SHAPE])


@scalar
def size_of(item):
    """Numbers in an array."""
    shape, size = shape_of(item), 1
    for k in range(ndim_of(item)):
        size *= shape[k]
    return size


@scalar
def have_same_shape(item, other):
    """Whether two arrays have one shape."""
    ndim = ndim_of(item)
    if ndim != ndim_of(other):
        return False
    a, b = shape_of(item), shape_of(other)
    for k in range(ndim):  # noqa: SIM110  (compiled)
        if a[k] != b[k]:
            return False
    return True


@scalar
def is_float(record, item):
    """Whether an object is Python's own float."""
    return integers(item)[1] == record[FLOAT]


@intrinsic
def float_at(typingctx, item):
    """The number in Python's float."""
    sig = types.float64(types.int64)

    def codegen(context, builder, sig, args):
        base = builder.inttoptr(args[0], ir.DoubleType().as_pointer())
        return builder.load(builder.gep(base, [_word(_HEAD // _WORD)]))

    return sig, codegen


def _python(builder, name, result, arguments):
    """A function of Python's C interface."""
    return cgutils.get_or_insert_function(builder.module, ir.FunctionType(result, arguments), name)


@intrinsic
def own(typingctx, item):
    """Count another reference to an object; its address."""
    sig = types.int64(types.int64)

    def codegen(context, builder, sig, args):
        function = _python(builder, "Py_IncRef", ir.VoidType(), [_object])
        builder.call(function, [builder.inttoptr(args[0], _object)])
        return args[0]

    return sig, codegen


@intrinsic
def let_go(typingctx, item):
    """Give a reference back."""
    sig = types.void(types.int64)

    def codegen(context, builder, sig, args):
        function = _python(builder, "Py_DecRef", ir.VoidType(), [_object])
        builder.call(function, [builder.inttoptr(args[0], _object)])
        return context.get_dummy_value()

    return sig, codegen


@intrinsic
def put_first(typingctx, items, item):
    """Put an object into a list, in the place of its first, whose reference is given back."""
    sig = types.void(types.int64, types.int64)

    def codegen(context, builder, sig, args):
        put = _python(builder, "PyList_SetItem", ir.IntType(32), [_object, _word, _object])
        items, item = (builder.inttoptr(arg, _object) for arg in args)
        builder.call(put, [items, _word(0), item])
        return context.get_dummy_value()

    return sig, codegen


@intrinsic
def _forget_error(typingctx):
    sig = types.void()

    def codegen(context, builder, sig, args):
        builder.call(_python(builder, "PyErr_Clear", ir.VoidType(), []), [])
        return context.get_dummy_value()

    return sig, codegen


@scalar
def none(record):
    """What a call answers that does not fit, or that has found no memory."""
    _forget_error()
    return own(record[NONE])


@intrinsic
def new_float(typingctx, value):
    """A float of Python's."""
    sig = types.int64(types.float64)

    def codegen(context, builder, sig, args):
        function = _python(builder, "PyFloat_FromDouble", _object, [ir.DoubleType()])
        return builder.ptrtoint(builder.call(function, args), _word)

    return sig, codegen


@intrinsic
def pair_of(typingctx, first, second):
    """A tuple of two objects, whose references it takes."""
    sig = types.int64(types.int64, types.int64)
    return sig, _tuple


def _tuple(context, builder, sig, args):
    size = len(args)
    result = builder.call(_python(builder, "PyTuple_New", _object, [_word]), [_word(size)])
    put = _python(builder, "PyTuple_SetItem", ir.IntType(32), [_object, _word, _object])
    for k, item in enumerate(args):
        builder.call(put, [result, _word(k), builder.inttoptr(item, _object)])
    return builder.ptrtoint(result, _word)


@intrinsic
def integer_at(typingctx, item):
    """The number in Python's int; -1 with an error set if it is none: give ints only."""
    sig = types.int64(types.int64)

    def codegen(context, builder, sig, args):
        function = _python(builder, "PyLong_AsLongLong", _word, [_object])
        return builder.call(function, [builder.inttoptr(args[0], _object)])

    return sig, codegen


@intrinsic
def scalar_of(typingctx, function, address, dtype):
    """A number of NumPy's from the memory where it stands; function: PyArray_Scalar."""
    sig = types.int64(types.int64, types.int64, types.int64)

    def codegen(context, builder, sig, args):
        kind = ir.FunctionType(_word, [_word, _word, _word])
        maker = builder.inttoptr(args[0], kind.as_pointer())
        return builder.call(maker, [args[1], args[2], _word(0)])

    return sig, codegen


@intrinsic
def _empty(typingctx, function, ndim, shape, dtype):
    sig = types.int64(types.int64, types.int64, shape, types.int64)

    def codegen(context, builder, sig, args):
        integer = ir.IntType(32)
        kind = ir.FunctionType(_word, [integer, _word.as_pointer(), _word, integer])
        maker = builder.inttoptr(args[0], kind.as_pointer())
        return builder.call(maker, [builder.trunc(args[1], integer), args[2], args[3], integer(0)])

    return sig, codegen


@scalar
def new_array(record, ndim, shape):
    """An array of the record's dtype, whose numbers are yet to be written; 0: no memory."""
    return _empty(record[EMPTY], ndim, shape, own(record[DTYPE]))


@intrinsic
def release_gil(typingctx):
    """Let other threads run; what `acquire_gil` wants."""
    sig = types.int64()

    def codegen(context, builder, sig, args):
        state = builder.call(_python(builder, "PyEval_SaveThread", _object, []), [])
        return builder.ptrtoint(state, _word)

    return sig, codegen


@intrinsic
def acquire_gil(typingctx, state):
    """Wait for the others."""
    sig = types.void(types.int64)

    def codegen(context, builder, sig, args):
        function = _python(builder, "PyEval_RestoreThread", ir.VoidType(), [_object])
        builder.call(function, [builder.inttoptr(args[0], _object)])
        return context.get_dummy_value()

    return sig, codegen


@scalar
def holds(record):
    """Whether what was prepared for is as it was: memory that is free, arrays of the old layout."""
    return record[BUSY] == 0 and are_unchanged_at(integers(record[HEADERS]), record[ARRAYS])


@scalar
def are_within(limits, values, count):
    """Whether all numbers are at least the first and at most the second of two limits."""
    least, most = limits[0], limits[1]
    good = True
    for i in range(count):
        good &= (values[i] >= least) & (values[i] <= most)
    return good
