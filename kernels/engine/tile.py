"""One tile through a network: samples in, output or error forward, error and gradient back."""

import numpy as np

from ..codegen.declare import call, like, pointer, scalar, wide
from ..gemm.loops import prefers_inner
from ..gemm.registers import ADD, MULTIPLY, SET
from ..gemm.registers import lanes as vector_lanes
from ..vecmath.random import mix, scattered
from . import model as at
from .model import layer_of, n_in, n_out, opened, sample_rows, target_rows, tile_features

OUTPUTS, DERIVATIVES, DROPOUT = 0, 1, 2  # what a way forward does


@scalar
def gather(net, source, width, order, ordered, first, last, out, lanes):
    """Columns of a tile from the rows ``first … last`` of a matrix, through `order` if ordered."""
    begin = first if ordered else -1 - first
    call(net.core[at.TRANSPOSE], source, order, out, width, width, begin, last, lanes, lanes)


@scalar
def gather_weights(weights, weighted, scale, order, ordered, first, last, out, lanes):
    """Weights of the samples, times `scale`; zero in the lanes beyond the last."""
    unit = like(out[0], scale)
    for r in range(lanes):
        out[r] = unit if first + r <= last else like(out[0], 0)
    if weighted:
        for r in range(last + 1 - first):
            out[r] *= weights[order[first + r] if ordered else first + r]


@scalar
def forward(net, x, tile, lanes, way, key, position):
    """Run the tile `x` through all layers; returns a pointer to the last output.

    tile: where the part of the layers begins. way: OUTPUTS, DERIVATIVES too, or both with DROPOUT.
    key: of the drop-outs of this step; position: of the tile's first sample in the batch.
    """
    multiply = net.core[at.MULTIPLY]
    for q in range(net.depth):
        layer = layer_of(net, q)
        inputs, outputs, width = layer[at.N_IN], layer[at.N_OUT], layer[at.WIDTH]
        w, b = pointer(net.theta, layer[at.WEIGHTS]), pointer(net.theta, layer[at.BIAS])
        z, beside = pointer(tile, layer[at.Z] * lanes), pointer(tile, layer[at.BESIDE] * lanes)
        numbers = pointer(net.numbers, layer[at.NUMBERS])
        call(multiply, w, x, z, 1, width, lanes, lanes, width, lanes, inputs, SET)
        x = pointer(tile, layer[at.Y] * lanes)
        if way != OUTPUTS:
            call(layer[at.TRAIN], z, b, beside, numbers, outputs, lanes, 0, 0)
            if layer[at.DROPOUT]:
                factors = pointer(tile, layer[at.FACTORS] * lanes)
                if layer[at.PULL]:
                    set_to_one(factors, outputs * lanes)
                if way == DROPOUT:
                    chosen = mix(key + np.uint64(q))
                    drop_out(x, factors, numbers[at.DROP_RATE], outputs, lanes, chosen, position)
        else:
            call(layer[at.FORWARD], z, b, beside, numbers, outputs, lanes, 0, 0)
    return x


@scalar
def set_to_one(a, count):
    """a = 1, elementwise."""
    wide()
    for i in range(count):
        a[i] = like(a[0], 1)


@scalar
def backward(net, tile, lanes, below, turning):
    """Walk the error back: from the gradient by the last output, in its place, to the first layer.

    Leaves each layer's error at DELTA, and where the gradient wants it (turning) also one sample a
    row. below: go on to the error of the input; else only to the first layer that is not frozen.
    """
    core, last = net.core, net.depth - 1
    lowest = 0 if below else core[at.LOWEST]
    layer = layer_of(net, last)
    if layer[at.SCALED]:
        given = pointer(tile, layer[at.GIVEN] * lanes)
        scale(given, pointer(tile, layer[at.FACTORS] * lanes), layer[at.N_OUT] * lanes)
    for q in range(last, lowest - 1, -1):
        layer = layer_of(net, q)
        inputs, width, stride = layer[at.N_IN], layer[at.WIDTH], layer[at.STRIDE]
        delta = error_of(net, q, tile, lanes)
        if layer[at.PULL]:
            given, b = pointer(tile, layer[at.GIVEN] * lanes), pointer(net.theta, layer[at.BIAS])
            numbers = pointer(net.numbers, layer[at.NUMBERS])
            call(layer[at.PULL], given, b, delta, numbers, layer[at.N_OUT], lanes, 0, 0)
        if turning and layer[at.TRAINABLE] and not by_inner(net, q, lanes):
            turned = pointer(tile, layer[at.TURNED] * lanes)
            call(
                core[at.TRANSPOSE], delta, core, turned,
                lanes, lanes, -1, width - 1, stride, stride,
            )  # fmt: skip
        if q > lowest or below:
            under, way = pointer(tile, core[at.FEATURES] * lanes), SET
            if q:
                before = layer_of(net, q - 1)
                under = pointer(tile, before[at.FACTORS] * lanes)
                way = MULTIPLY if before[at.SCALED] else SET
            w = pointer(net.theta, layer[at.WEIGHTS])
            call(
                core[at.MULTIPLY], w, delta, under,
                width, 1, lanes, lanes, inputs, lanes, width, way,
            )  # fmt: skip


@scalar
def error_of(net, q, tile, lanes):
    """Where the error of layer q stands; of layer -1: of the input."""
    row = net.core[at.FEATURES] if q < 0 else layer_of(net, q)[at.DELTA]
    return pointer(tile, row * lanes)


@scalar
def by_inner(net, q, lanes):
    """Whether the gradient of layer q sums along the samples."""
    layer = layer_of(net, q)
    return prefers_inner(layer[at.N_IN], layer[at.WIDTH], lanes, vector_lanes(net.theta))


@scalar
def scale(a, b, count):
    """a = a b, elementwise."""
    wide()
    for i in range(count):
        a[i] *= b[i]


@scalar
def layer_gradient(net, grad, q, x, tile, ones, lanes, samples, low, high, keep):
    """Gradient of the weights of layer q from the inputs low … high - 1, by one tile.

    The one who has the last input has the bias too, and the trained numbers behind it. keep: add to
    what is there.
    """
    core, layer = net.core, layer_of(net, q)
    width, stride, trained = layer[at.WIDTH], layer[at.STRIDE], layer[at.TRAINED]
    source = pointer(tile, layer_of(net, q - 1)[at.Y] * lanes) if q else x
    source = pointer(source, low * lanes)
    target = pointer(grad, layer[at.WEIGHTS] + low * width)
    bias = pointer(grad, layer[at.BIAS])
    m, has_bias = high - low, high == layer[at.N_IN]
    if has_bias and trained:
        given, place = pointer(tile, layer[at.GIVEN] * lanes), pointer(bias, width)
        call(core[at.INNER], ones, given, place, lanes, lanes, trained, 1, trained, lanes, keep)
    if by_inner(net, q, lanes):
        inner, delta = core[at.INNER], error_of(net, q, tile, lanes)
        call(inner, source, delta, target, lanes, lanes, width, m, width, lanes, keep)
        if has_bias:
            call(inner, ones, delta, bias, lanes, lanes, width, 1, width, lanes, keep)
        return
    multiply, turned = core[at.MULTIPLY], pointer(tile, layer[at.TURNED] * lanes)
    way = ADD if keep else SET
    call(multiply, source, turned, target, lanes, 1, stride, width, m, width, samples, way)
    if has_bias:
        call(multiply, ones, turned, bias, 0, 0, stride, width, 1, width, samples, way)


@scalar
def drop_out(y, d, rate, features, lanes, key, position):
    """Set outputs and derivatives to zero with probability `rate`, and scale up the others.

    The choice is a hash of key, feature and the sample's place in the batch: the same whichever
    thread makes it.
    """
    wide()
    kept = like(y[0], 1.0 / (1.0 - rate))
    limit = np.uint32(min(rate * 4294967296.0, 4294967295.0))
    for j in range(features):
        base = np.uint32(mix(key + np.uint64(j) * np.uint64(0x9E3779B97F4A7C15)))
        for r in range(lanes):
            factor = kept if scattered(base, position + r) >= limit else like(y[0], 0)
            y[j * lanes + r] *= factor
            d[j * lanes + r] *= factor


@scalar
def work_size(net, lanes, kept):
    """Elements of the workspace of one thread."""
    return lanes * (tile_features(net) + (max(kept, 1) - 1) * sample_rows(net))


@scalar
def tile_parts(net, work, lanes, kept, number):
    """Pointers to targets, samples, ones, scratch and layers of a thread's tile."""
    targets = pointer(work, number % max(kept, 1) * sample_rows(net) * lanes)
    x = pointer(targets, (target_rows(net) + 1) * lanes)
    ones = pointer(work, max(kept, 1) * sample_rows(net) * lanes)
    return targets, x, ones, pointer(ones, lanes), pointer(ones, 5 * lanes)


PASS_ARGUMENTS = "odddoiidiiiiiifiiii"


def tile_pass(
    core, X, T, weights, order, weighted, ordered, work, lanes, kept, number, first, samples, fresh,
    scale, way, key, place, back,
):  # fmt: skip
    """C function: samples ``first … first + samples`` forward, and back; returns their cost.

    fresh: gather them first; way: see `forward`; place: of the first sample in the batch. back: 0
    leaves the output as the activity of the last layer, 1 goes on to the cost and back to the first
    layer, 2 to the input, and -1 to the cost's value only.
    """
    net = opened(core, work)
    targets, x, ones, scratch, layers = tile_parts(net, work, lanes, kept, number)
    if fresh:
        last, width = first + samples - 1, core[at.TARGETS]
        gather(net, X, n_in(net), order, ordered, first, last, x, lanes)
        if back != 0:
            gather(net, T, width, order, ordered, first, last, targets, lanes)
            out = pointer(targets, width * lanes)
            gather_weights(weights, weighted, scale, order, ordered, first, last, out, lanes)
            for r in range(lanes):
                ones[r] = like(ones[0], 1)
    logits = forward(net, x, layers, lanes, way, np.uint64(key), place)
    if back == 0:
        return 0.0
    kernel = core[at.COST] if back > 0 else core[at.VALUE]
    columns = core[at.TARGETS]
    cost = call(kernel, logits, targets, scratch, net.numbers, n_out(net), lanes, columns, 0)
    if back > 0:
        backward(net, layers, lanes, back == 2, True)
    return cost


GRADIENT_ARGUMENTS = "oddiiiiiii"


def tile_gradient(core, work, grad, lanes, kept, number, samples, part, parts, keep):
    """C function: a tile's gradient for a share of every layer's inputs, `part` of `parts`."""
    net = opened(core, work)
    _, x, ones, _, layers = tile_parts(net, work, lanes, kept, number)
    for q in range(net.depth - 1, -1, -1):
        low, high = share(net, q, part, parts)
        if low < high:
            layer_gradient(net, grad, q, x, layers, ones, lanes, samples, low, high, keep)
    return 0.0


@scalar
def share(net, q, part, parts):
    """The inputs of layer q whose weights one of a team trains: none of a frozen layer.

    A small network is the first one's.
    """
    layer = layer_of(net, q)
    n = layer[at.N_IN] * layer[at.TRAINABLE]
    if parts == 1 or at.is_small(net):
        return (0, n) if part == 0 else (0, 0)
    return n * part // parts, n * (part + 1) // parts
