"""A prepared call of an update rule: gradients of weights and biases in, steps out."""

import numpy as np

from ..codegen import objects
from ..codegen.builtin import numpy_function, prepared, record
from ..codegen.declare import scalar
from ..codegen.intrinsics import cast_like, data, integers, itemsize, numbers, pointer
from ..codegen.objects import (
    data_of,
    float_at,
    integer_at,
    is_float,
    is_plain,
    let_go,
    ndim_of,
    new_array,
    none,
    pair_of,
    record_of,
    scalar_of,
    shape_of,
    size_of,
)
from ..optimizers import layout
from ..optimizers.layout import call_update_kernel
from ..optimizers.update import begin_step, rescaling
from ..vecmath.reductions import sum_of_squares

__all__ = ["NUMBER", "update"]

# Words of a record, after those of all.
RULE, STATE, HYPER, COUNTER = (objects.OWN + k for k in range(4))  # addresses
SHAPES = objects.OWN + 4  # address: of both gradients; 0: any, for a rule without states
MEMORY = objects.OWN + 5  # index of the number that says whose memory it is; 0: there is none
ROOM = objects.OWN + 6  # address of numbers for gradients that are none: two, and their steps
FLOAT64 = objects.OWN + 7  # the type of NumPy's own number
MAKE_NUMBER = objects.OWN + 8  # the address of NumPy's PyArray_Scalar
MOST = objects.OWN + 9  # parameters

NUMBER = -1  # dimensions of a gradient that is no array
_DIMENSIONS = 4  # at most
_STRETCH = 1 << 11  # numbers
_MAKE_NUMBER = 60  # the index of PyArray_Scalar among the functions of NumPy


@scalar
def _is_number(record, item, me):
    return itemsize(me) == 8 and (is_float(record, item) or integers(item)[1] == record[FLOAT64])


@scalar
def _has_shape(record, item, index):
    """Whether a gradient has the shape that the state is for."""
    if record[SHAPES] == 0:
        return True
    expected = integers(record[SHAPES] + 8 * index * (1 + _DIMENSIONS))
    if not is_plain(record, item):
        return expected[0] == NUMBER
    if ndim_of(item) != expected[0]:
        return False
    shape = shape_of(item)
    for k in range(expected[0]):  # noqa: SIM110  (compiled)
        if shape[k] != expected[1 + k]:
            return False
    return True


@scalar
def _size(record, item, me, index):
    """Numbers in a gradient; -1 if it is none that fits."""
    if not _has_shape(record, item, index):
        return -1
    if is_plain(record, item):
        return size_of(item) if ndim_of(item) > 0 else -1
    return 1 if _is_number(record, item, me) else -1


@scalar
def _gradient(record, item, me, index):
    """Pointer to a gradient, which may be a number."""
    room = data(record[ROOM], me)
    if is_plain(record, item):
        return data(data_of(item), me)
    room[index] = float_at(item)
    return pointer(room, index)


@scalar
def _new(record, item):
    """Where the steps of a gradient go: a new array; 0 for a number."""
    if is_plain(record, item):
        return new_array(record, ndim_of(item), shape_of(item))
    return 0


@scalar
def _steps(record, array, me, index):
    """Pointer to the steps."""
    return data(data_of(array), me) if array != 0 else pointer(data(record[ROOM], me), index)


@scalar
def _apply(record, p, g, q, h, first, size, me, step, flag):
    """Run the rule on both; whether a result is not finite."""
    bad = _move(record, p, g, 0, first, size, me, step, flag)
    return bad + _move(record, q, h, first, size, size, me, step, flag)


@scalar
def _move(record, p, g, begin, end, size, me, step, flag):
    """Run the rule on the parameters begin … end - 1, as if they were zero.

    They are set to zero a stretch at a time, which the first cache then still has.
    """
    state, hyper, bad = data(record[STATE], me), numbers(record[HYPER]), 0.0
    for i in range(begin, end, _STRETCH):
        count, target = min(_STRETCH, end - i), pointer(p, i - begin)
        for k in range(count):
            target[k] = cast_like(target[0], 0)
        bad += call_update_kernel(
            record[RULE], target, pointer(g, i - begin), pointer(state, i), hyper, count, step,
            size, flag + layout.FIRST * i,
        )  # fmt: skip
    return bad


@scalar
def _begin(record, g, h, first, size, me, rate, step):
    """Set the numbers of a step; 0, 1 if it must be tried first, -1 if it is none for us."""
    hyper, state = numbers(record[HYPER]), data(record[STATE], me)
    squares = 0.0
    if hyper[layout.SKIP] != layout.UNSEEN or hyper[layout.CLIP] > 0.0:
        squares = sum_of_squares(h, size - first) + sum_of_squares(g, first)
    if rescaling(hyper, squares, itemsize(me)) > 0.0:
        return -1
    tries = begin_step(record[RULE], state, hyper, squares, 0.0, 0.0, rate, step, size)
    return 1 if tries else 0


@scalar
def _answer(record, array, index, me):
    """The array, or the number at that index of the room."""
    if array != 0:
        return array
    where = record[ROOM] + index * itemsize(me)
    return scalar_of(record[MAKE_NUMBER], where, record[objects.DTYPE])


@scalar
def _drop(array):
    if array != 0:
        let_go(array)


def take(me, arguments, count):
    """``update(grad_w, grad_b, rate, step)``: what to add; step: its number, from 1 on."""
    record = record_of(me)
    if count != 4 or not is_float(record, arguments[2]):
        return none(record)
    w, b = arguments[0], arguments[1]
    first, rest = _size(record, w, me, 0), _size(record, b, me, 1)
    size = first + rest
    if first < 0 or rest < 0 or size > record[MOST]:
        return none(record)
    rate, step = float_at(arguments[2]), integer_at(arguments[3])
    g, h = _gradient(record, w, me, 0), _gradient(record, b, me, 1)
    tries = _begin(record, g, h, first, size, me, rate, step)
    if tries < 0:
        return none(record)
    dw, db = _new(record, w), _new(record, b)
    if (dw == 0 and is_plain(record, w)) or (db == 0 and is_plain(record, b)):
        _drop(dw)
        _drop(db)
        return none(record)  # no memory
    p, q = _steps(record, dw, me, 2), _steps(record, db, me, 3)
    if tries and _apply(record, p, g, q, h, first, size, me, step, layout.DRY_RUN) != 0.0:
        _drop(dw)
        _drop(db)
        return none(record)
    _apply(record, p, g, q, h, first, size, me, step, layout.APPLY)
    integers(record[COUNTER])[0] = step
    if record[MEMORY]:
        numbers(record[HYPER])[record[MEMORY]] = 0.0
    return pair_of(_answer(record, dw, 2, me), _answer(record, db, 3, me))


def update(rule_address, state, hyper, counter, shapes, memory, most):
    """A call of an update rule.

    Parameters
    ----------
    rule_address : of its tile kernel
    state, hyper, counter : arrays: states one after another, hyperparameters, steps taken
    shapes : the two shapes that the state is for, None for a number; or None for any
    memory : index among the hyperparameters of the number that says whose memory it is, or 0
    most : parameters at most

    """
    dtype = state.dtype
    known = np.zeros((2, 1 + _DIMENSIONS), np.int64)
    for row, shape in zip(known, shapes or (), strict=False):
        row[0] = NUMBER if shape is None else len(shape)
        row[1 : 1 + len(shape or ())] = shape or ()
    room = np.zeros(4, dtype)
    words = {
        RULE: rule_address, STATE: state.ctypes.data, HYPER: hyper.ctypes.data,
        COUNTER: counter.ctypes.data, SHAPES: known.ctypes.data if shapes else 0,
        MEMORY: memory, ROOM: room.ctypes.data, FLOAT64: id(np.float64),
        MAKE_NUMBER: numpy_function(_MAKE_NUMBER), MOST: most,
    }  # fmt: skip
    things = state, hyper, counter, known, room
    return prepared(take, dtype, record(dtype, words, things))
