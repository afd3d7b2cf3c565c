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
from ..codegen.run import sum_samples, work_lanes, work_width
from ..codegen.signature import call_tile_kernel

# Words of a record, after those of all.
KERNEL, HYPER = objects.OWN, objects.OWN + 1  # the cost's kernel, and its parameters
FEATURES, COLUMNS = objects.OWN + 2, objects.OWN + 3  # of logits and targets
EACH = objects.OWN + 4  # whether every output is one by itself
AVERAGED, MEAN = objects.OWN + 5, objects.OWN + 6  # over outputs; over samples
LIMITS = objects.OWN + 7  # address: least and most of the targets; 0: any
SCRATCH, LANES = objects.OWN + 8, objects.OWN + 9  # address of a weight and of memory for lanes
MOST = objects.OWN + 10  # numbers: more let the GIL go, the careful way


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
    """What the kernel returns for all samples of one weight; `out` gets what it makes of x."""
    features, columns = record[FEATURES], record[COLUMNS]
    if record[EACH]:
        samples, features, columns = samples * features, 1, min(columns, 1)
    w = data(record[SCRATCH], x)
    w[0] = weight
    return sum_samples(
        record[KERNEL], x, t, w, 1, 1, numbers(record[HYPER]), out, writes, samples, features,
        columns, pointer(w, 1), min(samples, record[LANES]),
    )  # fmt: skip


@scalar
def _share(record, weight):
    """The weight of an output, from that of its sample."""
    return weight / cast_like(weight, record[FEATURES]) if record[AVERAGED] else weight


@scalar
def _given(record, arguments, count, me):
    """Samples of logits and targets that fit; -1 if they do not."""
    if count != 2:
        return -1
    samples = _samples(record, arguments[0])
    if samples < 1 or not _are_pair(record, arguments[0], arguments[1], me):
        return -1
    return samples


def value(me, arguments, count):
    """``value(logits, targets)``: the cost of all samples."""
    record = record_of(me)
    samples = _given(record, arguments, count, me)
    if samples < 1:
        return none(record)
    x, t = data(data_of(arguments[0]), me), data(data_of(arguments[1]), me)
    total = _sum(record, x, t, x, False, samples, _share(record, cast_like(x[0], 1)))
    return new_float(total / samples if record[MEAN] else total)


def delta(me, arguments, count):
    """``delta(logits, targets)``: the gradient of that with respect to the logits."""
    record = record_of(me)
    samples = _given(record, arguments, count, me)
    if samples < 1:
        return none(record)
    x, t = data(data_of(arguments[0]), me), data(data_of(arguments[1]), me)
    out = new_array(record, ndim_of(arguments[0]), shape_of(arguments[0]))
    if out == 0:
        return none(record)
    weight = cast_like(x[0], 1)
    if record[MEAN]:
        weight = weight / cast_like(x[0], samples)
    gradient, weight = data(data_of(out), me), _share(record, weight)
    if record[EACH]:
        size, gradient[0] = size_of(arguments[0]), weight
        call_tile_kernel(record[KERNEL], x, t, gradient, numbers(record[HYPER]), 1, size, 1, 0)
    else:
        _sum(record, x, t, gradient, True, samples, weight)
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


def cost(what, kernel, dtype, parameters, features, columns, each, averaged, mean, limits, most):
    """A call of a cost.

    Parameters
    ----------
    what : "value", "delta" or "activate"
    kernel : address of the tile kernel for that; of a delta of each output, of its ``grad``
    parameters : float64 array, those of the cost
    features, columns : of logits and targets
    each : whether the cost is a sum over outputs, of a formula of each
    averaged, mean : whether it is divided by the outputs, and by the samples
    limits : least and most of the targets, or None
    most : numbers of the logits at most

    """
    width = work_width(1, min(columns, 1)) if each else work_width(features, columns)
    lanes = work_lanes(width)
    scratch = np.zeros(1 + width * lanes, dtype)
    kept = None if limits is None else np.array(limits, np.float64)
    words = {
        KERNEL: kernel, HYPER: parameters.ctypes.data, FEATURES: features, COLUMNS: columns,
        EACH: each, AVERAGED: averaged, MEAN: mean, SCRATCH: scratch.ctypes.data,
        LIMITS: 0 if kept is None else kept.ctypes.data, LANES: lanes, MOST: most,
    }  # fmt: skip
    return prepared(CALLS[what], dtype, record(dtype, words, (parameters, scratch, kept)))
