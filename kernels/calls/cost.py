"""Prepared calls of a cost: its value, its gradient and the outputs, of logits and targets."""

import numpy as np

from ..codegen import objects
from ..codegen.builtin import prepared, record
from ..codegen.intrinsics import cast_like, data, numbers, pointer
from ..codegen.objects import (
    are_within,
    data_of,
    is_plain,
    ndim_of,
    new_array,
    new_float,
    none,
    record_of,
    scalar,
    shape_of,
    size_of,
)
from ..codegen.run import gather_columns, scatter_columns
from ..codegen.signature import call_tile_kernel

# Words of a record, after those of all.
KERNEL, NUMBERS = objects.OWN, objects.OWN + 1  # the cost's kernel, and its parameters
FEATURES, COLUMNS = objects.OWN + 2, objects.OWN + 3  # of logits and targets
EACH = objects.OWN + 4  # whether every output is one by itself
AVERAGED, MEAN = objects.OWN + 5, objects.OWN + 6  # over outputs; over samples
LIMITS = objects.OWN + 7  # address: least and most of the targets; 0: any
SCRATCH, ROOM = objects.OWN + 8, objects.OWN + 9  # and its elements
MOST = objects.OWN + 10  # numbers: more let the GIL go, the careful way
SCRATCH_ROWS = 4


@scalar
def _samples(record, x):
    """Samples of logits; -1 if they are none."""
    if not is_plain(record, x) or ndim_of(x) == 0:
        return -1
    features, size = record[FEATURES], size_of(x)
    if shape_of(x)[ndim_of(x) - 1] != features or size == 0 or size > record[MOST]:
        return -1
    return size // features


@scalar
def _are_pair(record, x, t, me):
    """Whether targets fit the logits and are within their limits."""
    if not is_plain(record, t) or ndim_of(t) != ndim_of(x):
        return False
    last, p, q = ndim_of(x) - 1, shape_of(x), shape_of(t)
    for k in range(last):
        if p[k] != q[k]:
            return False
    if q[last] != record[COLUMNS]:
        return False
    if record[LIMITS] == 0:
        return True
    return are_within(numbers(record[LIMITS]), data(data_of(t), me), size_of(t))


@scalar
def _sum(record, x, t, out, writes, samples, weight):
    """What the kernel returns for all samples, some at a time; `out` gets what it makes of x."""
    features, columns = record[FEATURES], record[COLUMNS]
    if record[EACH]:
        samples, features, columns = samples * features, 1, min(columns, 1)
    work = data(record[SCRATCH], x)
    lanes = min(samples, record[ROOM] // (features + columns + 1 + SCRATCH_ROWS))
    total = 0.0
    for start in range(0, samples, lanes):
        rows = min(lanes, samples - start)
        a, b = pointer(work, 0), pointer(work, features * rows)
        weights = pointer(b, columns * rows)
        gather_columns(pointer(x, start * features), a, rows, features)
        gather_columns(pointer(t, start * columns), b, rows, columns)
        for r in range(rows):
            weights[r] = weight
        total += call_tile_kernel(
            record[KERNEL], a, b, pointer(weights, rows), numbers(record[NUMBERS]), features, rows,
            columns, 0,
        )  # fmt: skip
        if writes:
            scatter_columns(a, pointer(out, start * features), rows, features)
    return total


@scalar
def _weight(record, x):
    """Of an output of a sample."""
    one = cast_like(x[0], 1)
    return one / cast_like(x[0], record[FEATURES]) if record[AVERAGED] else one


def value(me, arguments, count):
    """``value(logits, targets)``: the cost of all samples."""
    record = record_of(me)
    if count != 2:
        return none(record)
    samples = _samples(record, arguments[0])
    if samples < 1 or not _are_pair(record, arguments[0], arguments[1], me):
        return none(record)
    x, t = data(data_of(arguments[0]), me), data(data_of(arguments[1]), me)
    total = _sum(record, x, t, x, False, samples, _weight(record, x))
    return new_float(total / samples if record[MEAN] else total)


def delta(me, arguments, count):
    """``delta(logits, targets)``: the gradient of that with respect to the logits."""
    record = record_of(me)
    if count != 2:
        return none(record)
    samples = _samples(record, arguments[0])
    if samples < 1 or not _are_pair(record, arguments[0], arguments[1], me):
        return none(record)
    x, t = data(data_of(arguments[0]), me), data(data_of(arguments[1]), me)
    out = new_array(record, ndim_of(arguments[0]), shape_of(arguments[0]))
    if out == 0:
        return none(record)
    weight = cast_like(x[0], 1)
    if record[MEAN]:
        weight = weight / cast_like(x[0], samples)
    if record[AVERAGED]:
        weight = weight / cast_like(x[0], record[FEATURES])
    _sum(record, x, t, data(data_of(out), me), True, samples, weight)
    return out


def activate(me, arguments, count):
    """``activate(logits)``: the outputs."""
    record = record_of(me)
    if count != 1:
        return none(record)
    samples = _samples(record, arguments[0])
    if samples < 1:
        return none(record)
    out = new_array(record, ndim_of(arguments[0]), shape_of(arguments[0]))
    if out == 0:
        return none(record)
    x = data(data_of(arguments[0]), me)
    _sum(record, x, x, data(data_of(out), me), True, samples, cast_like(x[0], 1))
    return out


CALLS = {"value": value, "delta": delta, "activate": activate}

_LANES, _NUMBERS, _LEAST = 1 << 10, 1 << 13, 16  # as `codegen.run.run_samples` has them


def cost(what, kernel, dtype, parameters, features, columns, each, averaged, mean, limits, most):
    """A call of a cost.

    Parameters
    ----------
    what : "value", "delta" or "activate"
    kernel : address of the tile kernel for that
    parameters : float64 array, those of the cost
    features, columns : of logits and targets
    each : whether the cost is a sum over outputs, of a formula of each
    averaged, mean : whether it is divided by the outputs, and by the samples
    limits : least and most of the targets, or None
    most : numbers of the logits at most

    """
    width = (1 + min(columns, 1) if each else features + columns) + 1 + SCRATCH_ROWS
    lanes = max(_LEAST, min(_LANES, _NUMBERS // width))
    scratch = np.zeros(width * lanes, dtype)
    kept = None if limits is None else np.array(limits, np.float64)
    words = {
        KERNEL: kernel, NUMBERS: parameters.ctypes.data, FEATURES: features, COLUMNS: columns,
        EACH: each, AVERAGED: averaged, MEAN: mean, SCRATCH: scratch.ctypes.data,
        LIMITS: 0 if kept is None else kept.ctypes.data, ROOM: scratch.size, MOST: most,
    }  # fmt: skip
    return prepared(CALLS[what], dtype, record(dtype, words, (parameters, scratch, kept)))
