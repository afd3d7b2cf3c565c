"""Prepared calls of networks.

Small work is done with the GIL held. Larger work lets it go, and whoever else calls meanwhile finds
the memory in use and goes the careful way.
"""

import numpy as np

from ..codegen import objects
from ..codegen.builtin import record
from ..codegen.cache_lines import LINE_BYTES
from ..codegen.declare import scalar
from ..codegen.intrinsics import cast_like, data, integers, itemsize, numbers, pointer
from ..codegen.objects import (
    acquire_gil,
    are_within,
    data_of,
    float_at,
    holds,
    is_float,
    is_plain,
    is_writable,
    ndim_of,
    new_array,
    new_float,
    none,
    own,
    put_first,
    record_of,
    release_gil,
    shape_of,
)
from ..codegen.run import are_finite
from ..engine import layout
from ..engine import tile as tiles
from ..engine.model import layer_of, n_out, tile_lanes, tile_samples, view
from ..engine.tile import call_tile_pass, tile_parts
from ..inference.functions import (
    activate_output,
    call_predict,
    call_train_step,
    forward_tile,
    workspace_elements,
    write_rows,
)

__all__ = ["CALLS", "network"]

# Words of a record, after those of all.
# ROOM: elements of the scratch memory
DESCRIPTOR, SCRATCH, ROOM = (objects.OWN + k for k in range(3))
INPUTS, OUTPUTS, TARGETS = (objects.OWN + k for k in range(3, 6))
MOST, LIGHT = (objects.OWN + k for k in range(6, 8))  # rows at most; and with the GIL held
SHAPE = objects.OWN + 8  # two, of the array to be made
LIMITS = objects.OWN + 10  # address: least and most of the targets, whether they are whole
SAMPLES = objects.OWN + 11  # the list of which the first item is X of the last forward pass
ROWS, TILE, LANES, FEATURES = (objects.OWN + k for k in range(12, 16))  # what that has left


@scalar
def _rows(record, item, features):
    """Samples in an array that is one or a batch of them; -1 if it is none."""
    if not is_plain(record, item):
        return -1
    ndim, shape = ndim_of(item), shape_of(item)
    if ndim == 2 and shape[1] == features:
        return shape[0]
    if ndim == 1 and shape[0] == features:
        return 1
    return -1


@scalar
def _outputs(record, x, rows):
    """A new array for the outputs of samples x."""
    ndim, shape = ndim_of(x), pointer(record, SHAPE)
    shape[ndim - 1] = record[OUTPUTS]
    if ndim == 2:
        shape[0] = rows
    return new_array(record, ndim, shape)


@scalar
def _begin(record, rows):
    """Let the GIL go if the work is worth it; what `_end` wants."""
    if rows <= record[LIGHT]:
        return 0
    record[objects.BUSY] = 1
    return release_gil()


@scalar
def _end(record, state):
    if state != 0:
        acquire_gil(state)
        record[objects.BUSY] = 0


@scalar
def _overlap(a, a_size, b, b_size):
    return a < b + b_size and b < a + a_size


def predict(me, arguments, count):
    """``predict(X)`` or ``predict(X, out)``: outputs of a few samples."""
    record = record_of(me)
    x = arguments[0]
    rows = _rows(record, x, record[INPUTS])
    descriptor, like = integers(record[DESCRIPTOR]), me
    if rows < 1 or rows > record[MOST] or not holds(record):
        return none(record)
    if rows > 1 and workspace_elements(descriptor, like, rows) > record[ROOM]:
        return none(record)
    if count == 2:
        out = arguments[1]
        fits = _rows(record, out, record[OUTPUTS]) == rows and ndim_of(out) == ndim_of(x)
        if not fits or not is_writable(out):
            return none(record)
        size = rows * itemsize(me)
        if _overlap(data_of(x), size * record[INPUTS], data_of(out), size * record[OUTPUTS]):
            return none(record)
        own(out)
    else:
        out = _outputs(record, x, rows)
        if out == 0:
            return none(record)
    state = _begin(record, rows)
    call_predict(
        descriptor[layout.PREDICT], descriptor, data(data_of(x), like), data(data_of(out), like),
        rows, data(record[SCRATCH], like), 0, 1,
    )  # fmt: skip
    _end(record, state)
    return out


def forward(me, arguments, count):
    """``forward(X)``: outputs of a batch; what the way back wants stays in the scratch memory."""
    record = record_of(me)
    x = arguments[0]
    rows = _rows(record, x, record[INPUTS])
    if rows < 1 or rows > record[MOST] or ndim_of(x) != 2 or not holds(record):
        return none(record)
    descriptor, like = integers(record[DESCRIPTOR]), me
    net = view(descriptor, like)
    tile = tile_samples(net, rows)
    lanes = tile_lanes(net, tile)
    each = tiles.tile_elements(net, lanes, 0)
    if each * -(-rows // tile) + tiles.packing_room(net, lanes) > record[ROOM]:
        return none(record)
    out = _outputs(record, x, rows)
    if out == 0:
        return none(record)
    put_first(record[SAMPLES], own(x))
    record[ROWS], record[TILE], record[LANES] = rows, tile, lanes
    record[FEATURES] = each // lanes
    state = _begin(record, rows)
    p, q, outputs = data(data_of(x), like), data(data_of(out), like), record[OUTPUTS]
    work = data(record[SCRATCH], like)
    for first in range(0, rows, tile):
        samples = min(tile, rows - first)
        forward_tile(net, p, work, lanes, first, samples, tiles.DERIVATIVES)
        _put_outputs(net, work, lanes, samples, pointer(q, first * outputs))
        work = pointer(work, each)
    _end(record, state)
    return out


@scalar
def _put_outputs(net, work, lanes, samples, out):
    """The outputs of a tile, of which the layers' memory keeps the activities."""
    targets, _, ones, scratch, layers = tile_parts(net, work, lanes, 0, 0)
    for r in range(lanes):
        ones[r] = cast_like(ones[0], 1)  # for the way back
    y = pointer(layers, layer_of(net, net.depth - 1)[layout.Y] * lanes)
    outputs = n_out(net)
    if net.descriptor[layout.OUTPUT_ACTIVATION]:
        for i in range(outputs * lanes):
            targets[i] = y[i]
        activate_output(net, targets, scratch, lanes)
        y = targets
    write_rows(net, y, lanes, samples, outputs, out)


@scalar
def _pair(record, x, t):
    """Rows of samples with targets that fit; -1 if they do not, or are not finite."""
    rows, columns = _rows(record, x, record[INPUTS]), record[TARGETS]
    if rows < 1 or rows > record[MOST] or ndim_of(x) != 2 or not holds(record):
        return -1
    if _rows(record, t, columns) != rows or ndim_of(t) != 2:
        return -1
    return rows


@scalar
def _are_targets(record, t, size):
    """Whether targets are finite and as the cost wants them."""
    limits = numbers(record[LIMITS])
    good = are_within(limits, t, size)
    if good and limits[2] != 0.0:
        for i in range(size):
            good &= t[i] == np.floor(t[i])
    return good


def cost(me, arguments, count):
    """``cost(X, t)``: the cost of a batch, without penalties."""
    record = record_of(me)
    if count != 2:
        return none(record)
    rows = _pair(record, arguments[0], arguments[1])
    descriptor, like = integers(record[DESCRIPTOR]), me
    if rows < 1 or workspace_elements(descriptor, like, rows) > record[ROOM]:
        return none(record)
    x, t = data(data_of(arguments[0]), like), data(data_of(arguments[1]), like)
    if not _are_targets(record, t, rows * record[TARGETS]):
        return none(record)
    state = _begin(record, rows)
    net = view(descriptor, like)
    tile = tile_samples(net, rows)
    lanes = tile_lanes(net, tile)
    work, total = data(record[SCRATCH], like), 0.0
    scale = 1.0 / rows if descriptor[layout.MEAN] else 1.0
    for first in range(0, rows, tile):
        samples = min(tile, rows - first)
        total += call_tile_pass(
            descriptor[layout.PASS], descriptor, x, t, x, descriptor, 0, 0, work, lanes, 0, 0,
            first, samples, 1, scale, tiles.OUTPUTS, 0, 0, -1,
        )  # fmt: skip
    _end(record, state)
    return new_float(total)


def step(me, arguments, count):
    """``step(X, t, rate)``: one step of the update rule; the cost before it."""
    record = record_of(me)
    if count != 3 or not is_float(record, arguments[2]):
        return none(record)
    rows, rate = _pair(record, arguments[0], arguments[1]), float_at(arguments[2])
    descriptor, like = integers(record[DESCRIPTOR]), me
    if rows < 1 or not 0.0 <= rate < np.inf:
        return none(record)
    if workspace_elements(descriptor, like, rows) > record[ROOM]:
        return none(record)
    x, t = data(data_of(arguments[0]), like), data(data_of(arguments[1]), like)
    if not are_finite(x, rows * record[INPUTS]):
        return none(record)
    if not _are_targets(record, t, rows * record[TARGETS]):
        return none(record)
    steps = integers(descriptor[layout.STEPS])
    before = steps[0]
    state = _begin(record, rows)
    cost = call_train_step(
        descriptor[layout.STEP], descriptor, x, t, rows, rate, data(record[SCRATCH], like)
    )
    _end(record, state)
    if steps[0] == before:  # refused, and nothing has changed: the careful way says why
        return none(record)
    return new_float(cost)


CALLS = {"predict": predict, "forward": forward, "cost": cost, "step": step}


def network(descriptor, scratch, most, light, limits, headers):
    """The record of any of `CALLS`; ROWS, TILE, LANES and FEATURES tell what `forward` has left.

    Parameters
    ----------
    descriptor : descriptor of a model, with the kernels that the calls want
    scratch : memory for `most` samples; the calls share it
    most, light : samples at most, and with the GIL held
    limits : float64 (3,), least and most of the targets, and 1 if they are whole numbers
    headers : table of the parameters as they must be

    """
    dtype, samples = scratch.dtype, [None]
    words = {
        DESCRIPTOR: descriptor.ctypes.data, SCRATCH: scratch.ctypes.data, ROOM: scratch.size,
        INPUTS: descriptor[layout.INPUTS], OUTPUTS: descriptor[layout.OUTPUTS],
        TARGETS: descriptor[layout.TARGETS], MOST: most, LIGHT: light,
        LIMITS: limits.ctypes.data, SAMPLES: id(samples),
    }  # fmt: skip
    return record(dtype, words, (descriptor, scratch, limits, samples), headers)


def samples_of(words):
    """X of the last forward pass."""
    return words.base.things[3][0]


def tile_features(descriptor):
    """Numbers that a tile has for each of its samples."""
    return first_layer(descriptor) + descriptor[layout.FEATURES] + descriptor[layout.INPUTS]


def first_layer(descriptor):
    """The row of a tile from which on the layers' memory stands."""
    return (
        max(descriptor[layout.OUTPUTS], descriptor[layout.TARGETS])
        + 1
        + descriptor[layout.INPUTS]
        + 5
    )


def most_padding(rows, itemsize):
    """Lanes without a sample in all tiles of so many samples, at most."""
    line = LINE_BYTES // itemsize
    tiles = 2 * -(-rows // (4 * line)) + 1
    return tiles * 2 * line
