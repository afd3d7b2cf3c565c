"""A value and its derivatives through all layers of a network together, and back.

The *jet* of a feature is its value y, its derivatives along some directions, and perhaps its
Laplacian. A tile of samples holds each in lanes of its own (see `gemm.loops`): a row of `blocks`
stretches of `n_lanes`, so that a layer is one product of the weights with all of them.

    y = f(z),  ∂y = f' ∂z,  Δy = f'' Σ (∂z)² + f' Δz

What f' and its derivatives multiply is kept for the way back, which takes a cotangent of each. With
d = f', e_k = f'' ∂_k z and m = f''' Σ (∂z)² + f'' Δz:

    z̄ = d ȳ + Σ_k e_k ∂_k ȳ + m Δȳ,  ∂_k z̄ = d ∂_k ȳ + 2 e_k Δȳ,  Δz̄ = d Δȳ

Kinds: along one direction of the inputs; along one direction of the parameters (Pearlmutter's
R-operator, Neural Computation 6, 1994); along each input, with the Laplacian (the forward
Laplacian: Li et al., 2023, arXiv:2307.08214).
"""

from typing import NamedTuple

from ..codegen.cache_lines import LINE_BYTES
from ..codegen.declare import scalar
from ..codegen.intrinsics import cast_like, pointer, wide
from ..codegen.signature import call_tile_kernel
from ..engine import layout
from ..engine.model import layer_of, line, n_in, n_out
from ..engine.tile import multiply
from ..gemm.loops import call_gemm_nt
from ..gemm.product import ADD, SET

OF_INPUTS, OF_PARAMETERS, LAPLACIAN = 0, 1, 2  # kinds of jets

_TILE_BYTES = 2**18  # of a tile: half of a common second-level cache, beside the weights
_SCRATCH = 4  # rows


class Room(NamedTuple):
    """Where everything of one tile stands; each but `packing` in rows of lanes."""

    x: object  # n_in
    ones: object
    d: object  # _SCRATCH: derivatives of an activation
    jets: object  # blocks of each layer's outputs
    saved: object  # as many, for the way back
    above: object  # blocks of the widest layer: cotangents
    below: object  # as many
    more: object  # what a function wants beside
    packing: object  # for operands of products


@scalar
def tangents_of(net, kind):
    """Directions of the jets."""
    return n_in(net) if kind == LAPLACIAN else 1


@scalar
def blocks_of(net, kind):
    """Numbers of a jet."""
    return n_in(net) + 2 if kind == LAPLACIAN else 2


@scalar
def features_of(net):
    """Outputs of all layers; of the one that has most of them."""
    total = widest = 0
    for q in range(net.depth):
        n = layer_of(net, q)[layout.N_OUT]
        total, widest = total + n, max(widest, n)
    return total, widest


@scalar
def rows_of(net, kind, keeps, more):
    """Rows of a tile."""
    total, widest = features_of(net)
    both = 2 * (total + widest) if keeps else total
    return n_in(net) + 1 + _SCRATCH + blocks_of(net, kind) * both + more


@scalar
def most_samples(net, rows):
    """Samples in a tile of so many rows, at most: an odd number of cache lines.

    Rows a power of two apart would share few places of the caches.
    """
    size = line(net)
    lines = min(_TILE_BYTES // (rows * LINE_BYTES), layout.TILE // size - 1)
    return (max(lines - 1, 0) // 2 * 2 + 1) * size


@scalar
def lanes_of(net, n_samples):
    """Lanes of a tile of so many samples: an odd number of cache lines."""
    size = line(net)
    return (-(-n_samples // size) // 2 * 2 + 1) * size


@scalar
def elements(net, rows, n_rows):
    """Elements of a workspace for up to `n_rows` samples."""
    n_lanes = lanes_of(net, min(max(n_rows, 1), most_samples(net, rows)))
    return n_lanes * rows + net.descriptor[layout.PACKING]


@scalar
def cut(net, rows, n_rows, part, parts):
    """Samples of a tile, its lanes; first and last + 1 of the samples in a part's tiles.

    The parts have the tiles that one alone has, each a few in a row, so that results do not depend
    on how many parts there are.
    """
    n_tiles = -(-n_rows // most_samples(net, rows))
    tile = -(-n_rows // n_tiles)
    n_tiles = -(-n_rows // tile)
    begin, end = n_tiles * part // parts, n_tiles * (part + 1) // parts
    return tile, lanes_of(net, tile), begin * tile, min(n_rows, end * tile)


@scalar
def room_of(net, work, kind, keeps, more, n_lanes):
    """The places in a workspace."""
    total, widest = features_of(net)
    blocks = blocks_of(net, kind) * n_lanes
    ones = pointer(work, n_in(net) * n_lanes)
    d = pointer(ones, n_lanes)
    jets = pointer(d, _SCRATCH * n_lanes)
    saved = pointer(jets, total * blocks)
    above = pointer(saved, (total if keeps else 0) * blocks)
    below = pointer(above, (widest if keeps else 0) * blocks)
    beside = pointer(below, (widest if keeps else 0) * blocks)
    for r in range(n_lanes):
        ones[r] = cast_like(ones[0], 1)
    return Room(work, ones, d, jets, saved, above, below, beside, pointer(beside, more * n_lanes))


@scalar
def product(net, q, theta, x, z, stride, n, packing, n_lanes, mode):
    """Z = Wᵀ X, or as mode says, W of layer q in `theta`; n columns of rows `stride` apart."""
    layer, x_stride = layer_of(net, q), n_lanes if q == 0 else stride
    w, inputs, width = (
        pointer(theta, layer[layout.WEIGHTS]),
        layer[layout.N_IN],
        layer[layout.WIDTH],
    )
    multiply(net, w, x, z, 1, width, x_stride, stride, width, n, inputs, mode, packing, n)


@scalar
def spread(row, saved, d, n_lanes, tangents, laplacian, keeps):
    """The jet of y = f(z) from that of z, where y stands already; see the top of this file.

    row, saved: blocks of lanes; d: f', f'', f''' as far as they are wanted, and a row of scratch.
    """
    wide()
    second, third = pointer(d, n_lanes), pointer(d, 2 * n_lanes)
    if laplacian:
        squares, end = pointer(d, 3 * n_lanes), (1 + tangents) * n_lanes
        last, m = pointer(row, end), pointer(saved, end)
        _sum_squares(pointer(row, n_lanes), squares, n_lanes, tangents)
        if keeps:
            for r in range(n_lanes):
                m[r] = third[r] * squares[r] + second[r] * last[r]
        for r in range(n_lanes):
            last[r] = second[r] * squares[r] + d[r] * last[r]
    for k in range(1, 1 + tangents):
        s, e = pointer(row, k * n_lanes), pointer(saved, k * n_lanes)
        if keeps:
            for r in range(n_lanes):
                e[r] = second[r] * s[r]
        for r in range(n_lanes):
            s[r] *= d[r]
    if keeps:
        for r in range(n_lanes):
            saved[r] = d[r]


@scalar
def _sum_squares(s, squares, n_lanes, tangents):
    for r in range(n_lanes):
        squares[r] = s[r] * s[r]
    for k in range(1, tangents):
        other = pointer(s, k * n_lanes)
        for r in range(n_lanes):
            squares[r] += other[r] * other[r]


@scalar
def pull(row, saved, n_lanes, tangents, laplacian):
    """The cotangent of z's jet from that of y's, in place; see the top of this file."""
    wide()
    end = (1 + tangents) * n_lanes
    last, m, two = pointer(row, end), pointer(saved, end), cast_like(row[0], 2)
    for r in range(n_lanes):
        row[r] *= saved[r]
    if laplacian:
        for r in range(n_lanes):
            row[r] += m[r] * last[r]
    for k in range(1, 1 + tangents):
        s, e = pointer(row, k * n_lanes), pointer(saved, k * n_lanes)
        for r in range(n_lanes):
            row[r] += e[r] * s[r]
        if laplacian:
            for r in range(n_lanes):
                s[r] = saved[r] * s[r] + two * (e[r] * last[r])
        else:
            for r in range(n_lanes):
                s[r] *= saved[r]
    if laplacian:
        for r in range(n_lanes):
            last[r] *= saved[r]


@scalar
def activate(net, q, kernel, jet, room, saved, n_lanes, kind, keeps):
    """All features of layer q: the jets of z become those of y."""
    layer, tangents = layer_of(net, q), tangents_of(net, kind)
    stride, b = blocks_of(net, kind) * n_lanes, pointer(net.theta, layer[layout.BIAS])
    hyper = pointer(net.hyper, layer[layout.HYPER_OFFSET])
    scales = kind != OF_INPUTS or layer[layout.SCALED]
    for j in range(layer[layout.WIDTH]):
        row = pointer(jet, j * stride)
        call_tile_kernel(kernel, row, pointer(b, j), room.d, hyper, 1, n_lanes, 0, 0)
        if scales:
            spread(
                row, pointer(saved, j * stride), room.d, n_lanes, tangents, kind == LAPLACIAN, keeps
            )


@scalar
def activate_output(net, room, kernel, jet, saved, n_lanes, keeps):
    """The activation that the cost gives the output, if it is one of each number."""
    stride, zero = blocks_of(net, LAPLACIAN) * n_lanes, pointer(room.d, 3 * n_lanes)
    for j in range(n_out(net) if kernel else 0):
        row = pointer(jet, j * stride)
        zero[0] = cast_like(zero[0], 0)
        call_tile_kernel(kernel, row, zero, room.d, net.hyper, 1, n_lanes, 0, 0)
        spread(row, pointer(saved, j * stride), room.d, n_lanes, n_in(net), True, keeps)


@scalar
def unit_directions(net, jet, n_lanes):
    """The first layer's derivatives along each input: its weights; and no Laplacian."""
    wide()
    inputs, width = n_in(net), net.layers[layout.WIDTH]
    w = pointer(net.theta, net.layers[layout.WEIGHTS])
    for j in range(width):
        row = pointer(jet, (j * (inputs + 2) + 1) * n_lanes)
        for k in range(inputs + 1):
            value = w[k * width + j] if k < inputs else cast_like(w[0], 0)
            for r in range(n_lanes):
                row[k * n_lanes + r] = value


@scalar
def add_direction(net, q, direction, x, jet, packing, n_lanes):
    """Add to the second blocks what a direction of layer q's parameters makes of its inputs.

    A frozen layer has no direction.
    """
    layer = layer_of(net, q)
    tangent, width = pointer(jet, n_lanes), layer[layout.WIDTH]
    if layer[layout.TRAINABLE]:
        mode = ADD if q else SET
        product(net, q, direction, x, tangent, 2 * n_lanes, n_lanes, packing, n_lanes, mode)
    for j in range(width):
        row, b = pointer(tangent, 2 * j * n_lanes), direction[layer[layout.BIAS] + j]
        for r in range(n_lanes):
            if layer[layout.TRAINABLE]:
                row[r] += b
            elif q == 0:
                row[r] = cast_like(b, 0)


@scalar
def forward(net, room, n_lanes, kind, keeps, column, direction):
    """All layers; column: of their table, which has the kernels. Returns the last jets.

    direction: of the parameters, for those jets; else any pointer. All activations are of each
    number.
    """
    stride, x, jet = blocks_of(net, kind) * n_lanes, room.x, room.jets
    saved = room.saved
    for q in range(net.depth):
        layer = layer_of(net, q)
        n = n_lanes if q == 0 else stride
        product(net, q, net.theta, x, jet, stride, n, room.packing, n_lanes, SET)
        if q == 0 and kind == LAPLACIAN:
            unit_directions(net, jet, n_lanes)
        if kind == OF_PARAMETERS:
            add_direction(net, q, direction, x, jet, room.packing, n_lanes)
        activate(net, q, layer[column], jet, room, saved, n_lanes, kind, keeps)
        size = layer[layout.N_OUT] * stride
        x, jet, saved = jet, pointer(jet, size), pointer(saved, size)
    return x


@scalar
def backward(net, room, n_lanes, kind, direction, grad, accumulates):
    """From the cotangents of the last jets, in `room.above`, to the gradient by the parameters.

    grad: (parameters,), of which frozen layers' are left alone; accumulates: add to what is there.
    """
    blocks, tangents = blocks_of(net, kind), tangents_of(net, kind)
    stride, above, below = blocks * n_lanes, room.above, room.below
    start, _ = features_of(net)
    lowest = net.descriptor[layout.LOWEST]
    for q in range(net.depth - 1, lowest - 1, -1):
        layer = layer_of(net, q)
        inputs, width = layer[layout.N_IN], layer[layout.WIDTH]
        start -= width
        for j in range(width):
            saved = pointer(room.saved, (start + j) * stride)
            pull(pointer(above, j * stride), saved, n_lanes, tangents, kind == LAPLACIAN)
        if layer[layout.TRAINABLE]:
            source = pointer(room.jets, (start - inputs) * stride) if q else room.x
            gradient(net, q, source, above, room.ones, grad, n_lanes, kind, accumulates)
        if q > lowest:
            w, place = net.theta, layer[layout.WEIGHTS]
            multiply(
                net, pointer(w, place), above, below, width, 1, stride, stride, inputs, stride,
                width, SET, room.packing, stride,
            )  # fmt: skip
            if kind == OF_PARAMETERS and layer[layout.TRAINABLE]:
                multiply(
                    net, pointer(direction, place), pointer(above, n_lanes), below, width, 1,
                    stride, stride, inputs, n_lanes, width, ADD, room.packing, n_lanes,
                )  # fmt: skip
            above, below = below, above


@scalar
def gradient(net, q, source, delta, ones, grad, n_lanes, kind, accumulates):
    """Gradient by the parameters of layer q: of its inputs' jets times cotangents, all blocks.

    source: jets of the layer before, or the samples, whose derivatives are known.
    """
    gemm_nt, layer = net.descriptor[layout.GEMM_NT], layer_of(net, q)
    inputs, width, stride = layer[layout.N_IN], layer[layout.WIDTH], blocks_of(net, kind) * n_lanes
    target, bias = pointer(grad, layer[layout.WEIGHTS]), pointer(grad, layer[layout.BIAS])
    n = stride if q else n_lanes
    call_gemm_nt(gemm_nt, source, delta, target, n, stride, width, inputs, width, n, accumulates)
    call_gemm_nt(gemm_nt, ones, delta, bias, n_lanes, stride, width, 1, width, n_lanes, accumulates)
    if q == 0 and kind == LAPLACIAN:
        for k in range(inputs):
            call_gemm_nt(
                gemm_nt, ones, pointer(delta, (1 + k) * n_lanes), pointer(target, k * width),
                n_lanes, stride, width, 1, width, n_lanes, True,
            )  # fmt: skip
