"""Prepared calls of a single layer of which each number of the output is activated by itself.

Samples stay rows here, since they come and go as rows; tiles pay in whole networks.
"""

import numpy as np

from ..codegen import objects
from ..codegen.builtin import prepared, record
from ..codegen.declare import address, scalar
from ..codegen.intrinsics import cast_like, data, itemsize, numbers, pointer, wide
from ..codegen.objects import (
    data_of,
    float_at,
    have_same_shape,
    holds,
    is_array,
    is_float,
    is_plain,
    let_go,
    ndim_of,
    new_array,
    none,
    own,
    pair_of,
    record_of,
    shape_of,
    size_of,
)
from ..codegen.signature import call_tile_kernel
from ..gemm import loops as gemm
from ..gemm.loops import call_gemm
from ..gemm.product import ADD, SET

__all__ = ["layer"]

# Words of a record, after those of all.
W, B, INPUTS, OUTPUTS = (objects.OWN + k for k in range(4))  # addresses, and features
GEMM = objects.OWN + 4  # address of the product
ACTIVATE = objects.OWN + 5  # of the kernel that leaves the derivative too; 0: the identity
HYPER = objects.OWN + 6  # address of its parameters
MOST = objects.OWN + 7  # samples at most
SCRATCH = objects.OWN + 8  # address: a number that is zero, then room for w twice, and for b
TRAINABLE = objects.OWN + 9
SHAPE = objects.OWN + 10  # eight, of an array to be made

_DIMENSIONS = 8  # of samples, at most


_NARROW = 2  # outputs


@scalar
def _new_matrix(record, rows, columns):
    shape = pointer(record, SHAPE)
    shape[0], shape[1] = rows, columns
    return new_array(record, 2, shape)


@scalar
def _new_like(record, samples, columns):
    """An array of the samples' dimensions with so many columns."""
    ndim, shape, known = ndim_of(samples), pointer(record, SHAPE), shape_of(samples)
    for k in range(ndim - 1):
        shape[k] = known[k]
    shape[ndim - 1] = columns
    return new_array(record, ndim, shape)


@scalar
def _rows(record, item, columns):
    """Samples in an array, whose last dimension has so many columns; 0 if they do not fit."""
    if not is_plain(record, item):
        return 0
    ndim, size = ndim_of(item), size_of(item)
    if ndim == 0 or ndim > _DIMENSIONS or shape_of(item)[ndim - 1] != columns:
        return 0
    return size // columns if size <= record[MOST] * columns else 0


@scalar
def _is_batch(record, item, columns):
    return is_array(record, item, 2) and _rows(record, item, columns) > 0


def go_forward(me, arguments, count):
    """``f(X)``: the output and the derivative of the activation there, or None for the identity."""
    record = record_of(me)
    outputs = record[OUTPUTS]
    if count != 1 or not holds(record):
        return none(record)
    rows = _rows(record, arguments[0], record[INPUTS])
    if rows < 1:
        return none(record)
    y, slope = _new_like(record, arguments[0], outputs), own(record[objects.NONE])
    if y == 0:
        return none(record)
    z = data(data_of(y), me)
    _activity(record, data(data_of(arguments[0]), me), z, rows)
    if record[ACTIVATE]:
        let_go(slope)
        slope = _new_like(record, arguments[0], outputs)
        if slope == 0:
            let_go(y)
            return none(record)
        zero, derivative = data(record[SCRATCH], me), data(data_of(slope), me)
        hyper, size = numbers(record[HYPER]), rows * outputs
        call_tile_kernel(record[ACTIVATE], z, zero, derivative, hyper, 1, size, 0, 0)
    return pair_of(y, slope)


def go_back(me, arguments, count):
    """``f(delta, rate, X, slope)``: the error of the input; a step of descent on w and b."""
    record = record_of(me)
    if count != 4 or not holds(record) or not is_float(record, arguments[1]):
        return none(record)
    delta, rate, X, slope = arguments[0], float_at(arguments[1]), arguments[2], arguments[3]
    rows = _batch_rows(record, delta, X, slope)
    if rows < 1 or rate - rate != 0.0:
        return none(record)
    below = _new_matrix(record, rows, record[INPUTS])
    if below == 0:
        return none(record)
    activated = record[ACTIVATE] != 0
    error = _new_matrix(record, rows, record[OUTPUTS]) if activated else own(delta)
    if error == 0:
        let_go(below)
        return none(record)
    e = data(data_of(error), me)
    if activated:
        size = rows * record[OUTPUTS]
        _multiply(e, data(data_of(delta), me), data(data_of(slope), me), size)
    _error_below(record, e, data(data_of(below), me), rows)
    if rate != 0.0 and record[TRAINABLE]:
        _step(record, data(data_of(X), me), e, cast_like(e[0], rate), rows)
    let_go(error)
    return below


@scalar
def _batch_rows(record, delta, X, slope):
    """Samples of a way back: rows of all three, if they are batches that belong together, or 0."""
    if not _is_batch(record, delta, record[OUTPUTS]) or not _is_batch(record, X, record[INPUTS]):
        return 0
    if record[ACTIVATE] and not (is_array(record, slope, 2) and have_same_shape(slope, delta)):
        return 0
    rows = shape_of(delta)[0]
    return rows if shape_of(X)[0] == rows else 0


@scalar
def _activity(record, x, z, rows):
    """z = x w + b; x: (rows, inputs), z: (rows, outputs)."""
    inputs, outputs = record[INPUTS], record[OUTPUTS]
    w, b = data(record[W], x), data(record[B], x)
    if outputs <= _NARROW:
        _rows_by_columns(x, w, b, z, rows, inputs, outputs)
        return
    for r in range(rows):
        for j in range(outputs):
            z[r * outputs + j] = b[j]
    call_gemm(record[GEMM], x, w, z, inputs, 1, outputs, outputs, rows, outputs, inputs, ADD)


@scalar
def _error_below(record, e, below, rows):
    """below = e wᵀ; e: (rows, outputs), below: (rows, inputs). The scratch gets wᵀ."""
    inputs, outputs = record[INPUTS], record[OUTPUTS]
    w, transposed = data(record[W], e), data(record[SCRATCH] + itemsize(e), e)
    for i in range(inputs):
        for j in range(outputs):
            transposed[j * inputs + i] = w[i * outputs + j]
    call_gemm(
        record[GEMM], e, transposed, below, outputs, 1, inputs, inputs, rows, inputs, outputs, SET
    )


@scalar
def _step(record, x, e, rate, rows):
    """A step of gradient descent on w and b; x: (rows, inputs), e: (rows, outputs)."""
    inputs, outputs = record[INPUTS], record[OUTPUTS]
    room, size = data(record[SCRATCH] + itemsize(e), e), inputs * outputs
    grad, sums = pointer(room, size), pointer(room, 2 * size)
    call_gemm(record[GEMM], x, e, grad, 1, inputs, outputs, outputs, inputs, outputs, rows, SET)
    _sum_rows(sums, e, rows, outputs)
    _descend(data(record[W], e), grad, rate, size)
    _descend(data(record[B], e), sums, rate, outputs)


@scalar
def _rows_by_columns(x, w, b, z, rows, inputs, outputs):
    """z = x w + b, of which a row would leave most of a vector empty."""
    for r in range(rows):
        for j in range(outputs):
            total = b[j]
            for i in range(inputs):
                total += x[r * inputs + i] * w[i * outputs + j]
            z[r * outputs + j] = total


@scalar
def _multiply(c, a, b, count):
    wide()
    for i in range(count):
        c[i] = a[i] * b[i]


@scalar
def _sum_rows(sums, a, rows, columns):
    for j in range(columns):
        sums[j] = cast_like(a[0], 0)
    for r in range(rows):
        for j in range(columns):
            sums[j] += a[r * columns + j]


@scalar
def _descend(p, g, rate, count):
    wide()
    for i in range(count):
        p[i] -= rate * g[i]


def _record(w, b, kernel, parameters, trainable, most, headers):
    """The record of both calls, see `layer`."""
    dtype = w.dtype
    kept = np.array(parameters, np.float64)
    scratch = np.zeros(1 + 2 * w.size + b.size, dtype)
    words = {
        W: w.ctypes.data, B: b.ctypes.data, INPUTS: w.shape[0], OUTPUTS: w.shape[1],
        GEMM: address(gemm.gemm, dtype, gemm.GEMM), ACTIVATE: kernel,
        HYPER: kept.ctypes.data, MOST: most, SCRATCH: scratch.ctypes.data,
        TRAINABLE: trainable,
    }  # fmt: skip
    return record(dtype, words, (w, b, kept, scratch), headers)


def layer(w, b, kernel, parameters, trainable, most, headers):
    """Calls of the way forward and of the way back.

    Parameters
    ----------
    w, b : arrays (inputs, outputs) and (outputs,), of which `headers` tell
    kernel : address of the activation's training kernel, or 0
    parameters : its numbers
    trainable : whether the way back changes w and b
    most : samples at most

    """
    words = _record(w, b, kernel, parameters, trainable, most, headers)
    return prepared(go_forward, w.dtype, words), prepared(go_back, w.dtype, words)
