"""Prepared calls of functions of each number, and of the softmax ufuncs along the last axis.

They run the loops of the ufuncs, without what NumPy does around them. Nothing in a record is
written to: any number of threads may be in these at once.
"""

import functools

import numpy as np

from ..codegen import objects
from ..codegen.builtin import prepared, record
from ..codegen.declare import address, scalar
from ..codegen.intrinsics import data, integers, numbers
from ..codegen.objects import (
    acquire_gil,
    are_within,
    data_of,
    have_same_shape,
    is_plain,
    is_writable,
    let_go,
    ndim_of,
    new_array,
    new_float,
    none,
    own,
    pair_of,
    record_of,
    release_gil,
    shape_of,
    size_of,
)
from ..codegen.vector_loops import BLOCKS, blocks, stack
from ..ufuncs import elementwise as ufuncs
from ..ufuncs import errors, softmax_formulas, softmax_loop
from ..ufuncs.elementwise_loop import UFUNC_LOOP, loop_address, plan
from ..ufuncs.softmax_loop import SOFTMAX_LOOP
from ..vecmath.reductions import total_of

__all__ = ["activation", "error", "mean", "softmax_function"]

call_loop, call_softmax_loop = UFUNC_LOOP.call, SOFTMAX_LOOP.call

# Words of a record, after those of all.
LOOP, PLAN = objects.OWN, objects.OWN + 1  # the ufunc's loop, and what that is given
INPUTS, MOST = objects.OWN + 2, objects.OWN + 3  # arrays; numbers at most
ITEMSIZE = objects.OWN + 4
LIMITS = objects.OWN + 5  # address: least and most of the inputs; 0: any
PARAMETERS = objects.OWN + 6  # how many; their addresses follow
FIRST_PARAMETER = objects.OWN + 7

_LIGHT = 5000  # numbers that are worked on with the GIL held


@scalar
def _fit(record, arguments):
    """Whether the inputs are arrays of one shape."""
    x = arguments[0]
    if not is_plain(record, x) or size_of(x) > record[MOST]:
        return False
    if record[INPUTS] == 2:
        return is_plain(record, arguments[1]) and have_same_shape(x, arguments[1])
    return True


@scalar
def _result(record, arguments, count):
    """Where the results go: a new array, or the one that was given; 0 if that does not fit."""
    x, inputs = arguments[0], record[INPUTS]
    if count == inputs:
        return new_array(record, ndim_of(x), shape_of(x))
    out = arguments[inputs]
    if not is_plain(record, out) or not is_writable(out) or not have_same_shape(x, out):
        return 0
    begin, size = data_of(out), size_of(x) * record[ITEMSIZE]
    for k in range(inputs):
        other = data_of(arguments[k])
        if other != begin and other < begin + size and begin < other + size:
            return 0
    return own(out)


@scalar
def _run(record, x, y, out, second, size):
    """Run the loop on vectors at these addresses; second: another result, or 0."""
    addresses, steps = integers(stack(8 * 6)), integers(stack(8 * 6))
    sizes, inputs = integers(stack(8)), record[INPUTS]
    sizes[0], addresses[0], steps[0] = size, x, record[ITEMSIZE]
    if inputs == 2:
        addresses[1], steps[1] = y, record[ITEMSIZE]
    for k in range(record[PARAMETERS]):
        addresses[inputs + k], steps[inputs + k] = record[FIRST_PARAMETER + k], 0
    last = inputs + record[PARAMETERS]
    addresses[last], steps[last] = out, record[ITEMSIZE]
    if second != 0:
        addresses[last + 1], steps[last + 1] = second, record[ITEMSIZE]
    state = release_gil() if size > _LIGHT else 0
    call_loop(record[LOOP], addresses, sizes, steps, integers(record[PLAN]))
    if state != 0:
        acquire_gil(state)


def apply(me, arguments, count):
    """``f(x)`` or ``f(g, x)``; with one more array, the result is written there."""
    record = record_of(me)
    inputs = record[INPUTS]
    if not inputs <= count <= inputs + 1 or not _fit(record, arguments):
        return none(record)
    out = _result(record, arguments, count)
    if out == 0:
        return none(record)
    x = arguments[0]
    y, size = arguments[inputs - 1], size_of(x)
    _run(record, data_of(x), data_of(y), data_of(out), 0, size)
    return out


def apply_along(me, arguments, count):
    """The same of a function of vectors, along the last axis."""
    record = record_of(me)
    inputs, x = record[INPUTS], arguments[0]
    if not inputs <= count <= inputs + 1 or not _fit(record, arguments):
        return none(record)
    if ndim_of(x) == 0 or size_of(x) == 0:
        return none(record)
    out = _result(record, arguments, count)
    if out == 0:
        return none(record)
    addresses, steps, sizes = integers(stack(8 * 3)), integers(stack(8 * 6)), integers(stack(8 * 2))
    sizes[1] = shape_of(x)[ndim_of(x) - 1]
    sizes[0] = size_of(x) // sizes[1]
    addresses[0], addresses[1] = data_of(x), data_of(arguments[inputs - 1])
    addresses[inputs] = data_of(out)
    for k in range(inputs + 1):
        steps[k] = sizes[1] * record[ITEMSIZE]
        steps[inputs + 1 + k] = record[ITEMSIZE]
    state = release_gil() if size_of(x) > _LIGHT else 0
    call_softmax_loop(record[LOOP], addresses, sizes, steps, integers(record[PLAN]))
    if state != 0:
        acquire_gil(state)
    return out


def apply_error(me, arguments, count):
    """``f(y, t)``: the errors, and their derivatives with respect to y."""
    record = record_of(me)
    if count != 2 or not _fit(record, arguments):
        return none(record)
    y, t = arguments[0], arguments[1]
    size = size_of(y)
    if record[LIMITS] != 0:
        limits, p, q = numbers(record[LIMITS]), data(data_of(y), me), data(data_of(t), me)
        if not (are_within(limits, p, size) and are_within(limits, q, size)):
            return none(record)
    out = new_array(record, ndim_of(y), shape_of(y))
    if out == 0:
        return none(record)
    slope = new_array(record, ndim_of(y), shape_of(y))
    if slope == 0:
        let_go(out)
        return none(record)
    _run(record, data_of(y), data_of(t), data_of(out), data_of(slope), size)
    return pair_of(out, slope)


def take_mean(me, arguments, count):
    """``f(x)``: the mean of all numbers, added up in float64."""
    record = record_of(me)
    x = arguments[0]
    if count != 1 or not is_plain(record, x) or size_of(x) == 0 or size_of(x) > record[MOST]:
        return none(record)
    return new_float(total_of(data(data_of(x), me), size_of(x)) / size_of(x))


def _words(dtype, loop, plan, inputs, most, parameters=()):
    where = {FIRST_PARAMETER + k: p.ctypes.data for k, p in enumerate(parameters)}
    return {
        LOOP: loop, PLAN: plan.ctypes.data, INPUTS: inputs, MOST: most, ITEMSIZE: dtype.itemsize,
        PARAMETERS: len(parameters), **where,
    }  # fmt: skip


def activation(name, dtype, parameters, most):
    """A call of a ufunc of an activation.

    Parameters
    ----------
    name : str
        Of the ufunc: of one array, or of two with "vjp" in it.
    dtype : dtype, float32 or float64
    parameters : values of the activation's parameters
    most : numbers of an array at most

    """
    formula, outputs, _ = ufuncs.formula_of(name)
    inputs = 2 if "_vjp" in name else 1
    count = inputs + len(parameters)
    kept = [np.array(value, dtype) for value in parameters]
    target = address(blocks(formula, count, outputs), dtype, BLOCKS)
    loop, its_plan = loop_address(dtype.char), plan(target, count, outputs)
    words = _words(dtype, loop, its_plan, inputs, most, kept)
    return prepared(apply, dtype, record(dtype, words, kept))


def softmax_function(name, dtype, most):
    """A call of a ufunc of the softmax family, along the last axis."""
    loop = address(softmax_loop.loop(dtype.char), np.float64, SOFTMAX_LOOP)
    inputs = 2 if softmax_formulas.TABLE[name].is_vjp else 1
    words = _words(dtype, loop, softmax_loop.plan(name, dtype), inputs, most)
    return prepared(apply_along, dtype, record(dtype, words))


@functools.cache
def _both(formula, derivative):
    def error_and_derivative(y, t):
        return formula(y, t), derivative(y, t)

    return scalar(error_and_derivative)


def error(name, dtype, most, limits):
    """A call of an error of y and t with its derivative; limits: of both, least and most."""
    formulas = errors.FORMULAS[name], errors.FORMULAS[f"{name}_derivative"]
    target = address(blocks(_both(*formulas), 2, 2), dtype, BLOCKS)
    kept = None if limits is None else np.array(limits, np.float64)
    words = _words(dtype, loop_address(dtype.char), plan(target, 2, 2), 2, most)
    words[LIMITS] = 0 if kept is None else kept.ctypes.data
    return prepared(apply_error, dtype, record(dtype, words, (kept,)))


def mean(dtype, most):
    """A call of the mean of an array."""
    return prepared(take_mean, dtype, record(dtype, {MOST: most}))
