"""One tile through a network: samples in, output or error forward, error and gradient back."""

import numpy as np

from ..codegen.declare import scalar
from ..codegen.intrinsics import cast_like, pointer, wide
from ..codegen.signature import DATA, FLOAT, INT, INTS, Signature, call_tile_kernel
from ..gemm.loops import call_gemm, call_gemm_nt, call_transpose, prefers_gemm_nt
from ..gemm.packing import call_packed_gemm, packing_pays
from ..gemm.product import ADD, MULTIPLY, SET
from ..gemm.registers import vector_lanes
from ..vecmath.random import mix, scattered
from . import layout
from .model import (
    is_small,
    layer_of,
    line,
    n_in,
    n_out,
    sample_rows,
    target_rows,
    tile_features,
    view,
)

OUTPUTS, DERIVATIVES, DROPOUT = 0, 1, 2  # what a way forward does


@scalar
def gather(net, source, width, order, ordered, first, last, out, n_lanes):
    """Columns of a tile from the rows ``first … last`` of a matrix, through `order` if ordered.

    source: (samples, width), out: (width, n_lanes), whose lanes beyond the last repeat it.
    """
    begin = first if ordered else -1 - first
    call_transpose(
        net.descriptor[layout.TRANSPOSE], source, order, out, width, width, begin, last, n_lanes,
        n_lanes,
    )  # fmt: skip


@scalar
def gather_weights(weights, weighted, scale, order, ordered, first, last, out, n_lanes):
    """Weights of the samples, times `scale`; zero in the lanes beyond the last.

    weights: (samples,), looked at if weighted; out: (n_lanes,).
    """
    unit = cast_like(out[0], scale)
    for r in range(n_lanes):
        out[r] = unit if first + r <= last else cast_like(out[0], 0)
    if weighted:
        for r in range(last + 1 - first):
            out[r] *= weights[order[first + r] if ordered else first + r]


@scalar
def multiply(
    net, a, b, c, a_row_stride, a_term_stride, b_term_stride, c_row_stride, m, n, k, flag, room,
    n_lanes,
):  # fmt: skip
    """`gemm`, by packed operands where that is faster; room: of the tile, see `packing_room`."""
    size = packing_room(net, n_lanes)
    if size > 0 and packing_pays(a, m, n, k, flag, size):
        call_packed_gemm(
            net.descriptor[layout.PACKED_GEMM], a, b, c, a_row_stride, a_term_stride, b_term_stride,
            c_row_stride, m, n, k, flag, room, size,
        )  # fmt: skip
    else:
        call_gemm(
            net.descriptor[layout.GEMM], a, b, c, a_row_stride, a_term_stride, b_term_stride,
            c_row_stride, m, n, k, flag,
        )  # fmt: skip


@scalar
def forward(net, x, tile, n_lanes, mode, key, position, room):
    """Run the tile `x` through all layers; returns a pointer to the last output.

    x: (n_in, n_lanes), tile: (tile_features, n_lanes), the rows of the layers, see `layout`; the
    result: (n_out, n_lanes). mode: OUTPUTS; DERIVATIVES, these too; or DROPOUT, both and dropout.
    key: of the dropout of this step; position: of the tile's first sample in the batch.
    """
    for q in range(net.depth):
        layer = layer_of(net, q)
        inputs, outputs, width = layer[layout.N_IN], layer[layout.N_OUT], layer[layout.WIDTH]
        w, b = pointer(net.theta, layer[layout.WEIGHTS]), pointer(net.theta, layer[layout.BIAS])
        z, aux = (
            pointer(tile, layer[layout.Z] * n_lanes),
            pointer(tile, layer[layout.AUX] * n_lanes),
        )
        hyper = pointer(net.hyper, layer[layout.HYPER_OFFSET])
        multiply(
            net, w, x, z, 1, width, n_lanes, n_lanes, width, n_lanes, inputs, SET, room, n_lanes
        )
        x = pointer(tile, layer[layout.Y] * n_lanes)
        if mode != OUTPUTS:
            call_tile_kernel(layer[layout.TRAIN], z, b, aux, hyper, outputs, n_lanes, 0, 0)
            if layer[layout.DROPOUT]:
                factors = pointer(tile, layer[layout.FACTORS] * n_lanes)
                if layer[layout.LAYER_VJP]:
                    set_to_one(factors, outputs * n_lanes)
                if mode == DROPOUT:
                    chosen = mix(key + np.uint64(q))
                    drop_out(
                        x, factors, hyper[layout.DROP_RATE], outputs, n_lanes, chosen, position
                    )
        else:
            call_tile_kernel(layer[layout.FORWARD], z, b, aux, hyper, outputs, n_lanes, 0, 0)
    return x


@scalar
def set_to_one(a, count):
    """a = 1, elementwise."""
    wide()
    for i in range(count):
        a[i] = cast_like(a[0], 1)


@scalar
def backward(net, tile, n_lanes, below, transposing, room):
    """Walk the error back: from the gradient with respect to the last output to the first layer.

    tile: (tile_features, n_lanes), the rows of the layers; the gradient stands at the last layer's
    GRAD_Y. Leaves each layer's error (width, n_lanes) at DELTA and, with `transposing`, where its
    gradient wants it, (n_lanes, STRIDE) at DELTA_T. below: go on to the error of the input,
    (n_in, n_lanes) at FEATURES; else only to the first layer that is not frozen.
    """
    descriptor, last = net.descriptor, net.depth - 1
    lowest = 0 if below else descriptor[layout.LOWEST]
    layer = layer_of(net, last)
    if layer[layout.SCALED]:
        grad_y = pointer(tile, layer[layout.GRAD_Y] * n_lanes)
        scale(grad_y, pointer(tile, layer[layout.FACTORS] * n_lanes), layer[layout.N_OUT] * n_lanes)
    for q in range(last, lowest - 1, -1):
        layer = layer_of(net, q)
        inputs, width, stride = layer[layout.N_IN], layer[layout.WIDTH], layer[layout.STRIDE]
        delta = error_of(net, q, tile, n_lanes)
        if layer[layout.LAYER_VJP]:
            grad_y, b = (
                pointer(tile, layer[layout.GRAD_Y] * n_lanes),
                pointer(net.theta, layer[layout.BIAS]),
            )
            hyper = pointer(net.hyper, layer[layout.HYPER_OFFSET])
            call_tile_kernel(
                layer[layout.LAYER_VJP], grad_y, b, delta, hyper, layer[layout.N_OUT], n_lanes, 0, 0
            )
        if transposing and layer[layout.TRAINABLE] and not uses_gemm_nt(net, q, n_lanes):
            delta_t = pointer(tile, layer[layout.DELTA_T] * n_lanes)
            call_transpose(
                descriptor[layout.TRANSPOSE], delta, descriptor, delta_t, n_lanes, n_lanes, -1,
                width - 1, stride, stride,
            )  # fmt: skip
        if q > lowest or below:
            under, mode = pointer(tile, descriptor[layout.FEATURES] * n_lanes), SET
            if q:
                before = layer_of(net, q - 1)
                under = pointer(tile, before[layout.FACTORS] * n_lanes)
                mode = MULTIPLY if before[layout.SCALED] else SET
            w = pointer(net.theta, layer[layout.WEIGHTS])
            multiply(
                net, w, delta, under, width, 1, n_lanes, n_lanes, inputs, n_lanes, width, mode,
                room, n_lanes,
            )  # fmt: skip


@scalar
def error_of(net, q, tile, n_lanes):
    """Where the error of layer q stands, (width, n_lanes); of layer -1: of the input."""
    row = net.descriptor[layout.FEATURES] if q < 0 else layer_of(net, q)[layout.DELTA]
    return pointer(tile, row * n_lanes)


@scalar
def uses_gemm_nt(net, q, n_lanes):
    """Whether the gradient of layer q sums along the samples."""
    layer = layer_of(net, q)
    return prefers_gemm_nt(
        layer[layout.N_IN], layer[layout.WIDTH], n_lanes, vector_lanes(net.theta)
    )


@scalar
def scale(a, b, count):
    """a = a b, elementwise."""
    wide()
    for i in range(count):
        a[i] *= b[i]


@scalar
def layer_gradient(
    net, grad, q, x, tile, ones, n_lanes, n_samples, low, high, accumulates, room
):  # fmt: skip
    """Gradient of the weights of layer q from the inputs low … high - 1, by one tile.

    grad: (parameters,), x: (n_in, n_lanes), tile: (tile_features, n_lanes), ones: (n_lanes,). The
    one who has the last input has the bias too, and the trained parameters behind it.
    accumulates: add to what is there.
    """
    descriptor, layer = net.descriptor, layer_of(net, q)
    width, stride, trained = layer[layout.WIDTH], layer[layout.STRIDE], layer[layout.TRAINED]
    source = pointer(tile, layer_of(net, q - 1)[layout.Y] * n_lanes) if q else x
    source = pointer(source, low * n_lanes)
    target = pointer(grad, layer[layout.WEIGHTS] + low * width)
    bias = pointer(grad, layer[layout.BIAS])
    m, has_bias = high - low, high == layer[layout.N_IN]
    if has_bias and trained:
        grad_y, place = pointer(tile, layer[layout.GRAD_Y] * n_lanes), pointer(bias, width)
        call_gemm_nt(
            descriptor[layout.GEMM_NT], ones, grad_y, place, n_lanes, n_lanes, trained, 1, trained,
            n_lanes, accumulates,
        )  # fmt: skip
    if uses_gemm_nt(net, q, n_lanes):
        gemm_nt, delta = descriptor[layout.GEMM_NT], error_of(net, q, tile, n_lanes)
        call_gemm_nt(
            gemm_nt, source, delta, target, n_lanes, n_lanes, width, m, width, n_lanes, accumulates
        )
        if has_bias:
            call_gemm_nt(
                gemm_nt, ones, delta, bias, n_lanes, n_lanes, width, 1, width, n_lanes, accumulates
            )
        return
    delta_t, mode = pointer(tile, layer[layout.DELTA_T] * n_lanes), ADD if accumulates else SET
    multiply(
        net, source, delta_t, target, n_lanes, 1, stride, width, m, width, n_samples, mode, room,
        n_lanes,
    )  # fmt: skip
    if has_bias:
        call_gemm(
            descriptor[layout.GEMM], ones, delta_t, bias, 0, 0, stride, width, 1, width, n_samples,
            mode,
        )  # fmt: skip


@scalar
def drop_out(y, d, rate, n_features, n_lanes, key, position):
    """Set outputs and derivatives to zero with probability `rate`, and scale up the others.

    y, d: (n_features, n_lanes). The choice is a hash of key, feature and the sample's index in the
    batch: the same whichever thread makes it.
    """
    wide()
    scale_up = cast_like(y[0], 1.0 / (1.0 - rate))
    limit = np.uint32(min(rate * 4294967296.0, 4294967295.0))
    for j in range(n_features):
        base = np.uint32(mix(key + np.uint64(j) * np.uint64(0x9E3779B97F4A7C15)))
        for r in range(n_lanes):
            factor = scale_up if scattered(base, position + r) >= limit else cast_like(y[0], 0)
            y[j * n_lanes + r] *= factor
            d[j * n_lanes + r] *= factor


@scalar
def tile_elements(net, n_lanes, cached_tiles):
    """Elements of a tile, and of samples of so many more."""
    return n_lanes * (tile_features(net) + (max(cached_tiles, 1) - 1) * sample_rows(net))


@scalar
def packing_room(net, n_lanes):
    """Elements behind a tile for operands of products; 0 where its samples are too few for that."""
    return net.descriptor[layout.PACKING] if n_lanes >= 4 * line(net) else 0


@scalar
def work_size(net, n_lanes, cached_tiles):
    """Elements of the workspace of one thread."""
    return tile_elements(net, n_lanes, cached_tiles) + packing_room(net, n_lanes)


@scalar
def tile_parts(net, work, n_lanes, cached_tiles, number):
    """Pointers to targets, samples, ones, scratch and layers of a thread's tile."""
    targets = pointer(work, number % max(cached_tiles, 1) * sample_rows(net) * n_lanes)
    x = pointer(targets, (target_rows(net) + 1) * n_lanes)
    ones = pointer(work, max(cached_tiles, 1) * sample_rows(net) * n_lanes)
    return targets, x, ones, pointer(ones, n_lanes), pointer(ones, 5 * n_lanes)


TILE_PASS = Signature(
    "tile pass", descriptor=INTS, X=DATA, T=DATA, weights=DATA, order=INTS, weighted=INT,
    ordered=INT, work=DATA, n_lanes=INT, cached_tiles=INT, number=INT, first=INT, n_samples=INT,
    regather=INT, scale=FLOAT, mode=INT, key=INT, position=INT, back=INT,
)  # fmt: skip
call_tile_pass = TILE_PASS.call


def tile_pass(
    descriptor, X, T, weights, order, weighted, ordered, work, n_lanes, cached_tiles, number, first,
    n_samples, regather, scale, mode, key, position, back,
):  # fmt: skip
    """C function: samples ``first … first + samples`` forward, and back; returns their cost.

    regather: gather them first; mode: see `forward`; position: of the first sample in the batch.
    back: 0 leaves the output as the activity of the last layer, 1 goes on to the cost and back to
    the first layer, 2 to the input, and -1 to the cost's value only.
    """
    net = view(descriptor, work)
    targets, x, ones, scratch, layers = tile_parts(net, work, n_lanes, cached_tiles, number)
    if regather:
        last, width = first + n_samples - 1, descriptor[layout.TARGETS]
        gather(net, X, n_in(net), order, ordered, first, last, x, n_lanes)
        if back != 0:
            gather(net, T, width, order, ordered, first, last, targets, n_lanes)
            out = pointer(targets, width * n_lanes)
            gather_weights(weights, weighted, scale, order, ordered, first, last, out, n_lanes)
            for r in range(n_lanes):
                ones[r] = cast_like(ones[0], 1)
    room = pointer(work, tile_elements(net, n_lanes, cached_tiles))
    logits = forward(net, x, layers, n_lanes, mode, np.uint64(key), position, room)
    if back == 0:
        return 0.0
    cost_kernel = descriptor[layout.COST] if back > 0 else descriptor[layout.VALUE]
    columns = descriptor[layout.TARGETS]
    cost = call_tile_kernel(
        cost_kernel, logits, targets, scratch, net.hyper, n_out(net), n_lanes, columns, 0
    )
    if back > 0:
        backward(net, layers, n_lanes, back == 2, True, room)
    return cost


TILE_GRADIENT = Signature(
    "tile gradient", descriptor=INTS, work=DATA, own=DATA, grad=DATA, n_lanes=INT,
    cached_tiles=INT, number=INT, n_samples=INT, part=INT, parts=INT, accumulates=INT,
)  # fmt: skip
call_tile_gradient = TILE_GRADIENT.call


def tile_gradient(
    descriptor, work, own, grad, n_lanes, cached_tiles, number, n_samples, part, parts, accumulates
):
    """C function: a tile's gradient for a share of every layer's inputs, `part` of `parts`.

    own: the caller's workspace, for operands: that of the tile may serve others at the same time.
    """
    net = view(descriptor, work)
    _, x, ones, _, layers = tile_parts(net, work, n_lanes, cached_tiles, number)
    room = pointer(own, tile_elements(net, n_lanes, cached_tiles))
    for q in range(net.depth - 1, -1, -1):
        low, high = share(net, q, part, parts)
        if low < high:
            layer_gradient(
                net, grad, q, x, layers, ones, n_lanes, n_samples, low, high, accumulates, room
            )
    return 0.0


@scalar
def share(net, q, part, parts):
    """The inputs of layer q whose weights one of a team trains: none of a frozen layer.

    A small network is the first one's.
    """
    layer = layer_of(net, q)
    n = layer[layout.N_IN] * layer[layout.TRAINABLE]
    if parts == 1 or is_small(net):
        return (0, n) if part == 0 else (0, 0)
    return n * part // parts, n * (part + 1) // parts
