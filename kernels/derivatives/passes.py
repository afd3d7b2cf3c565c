"""Jets through all layers of a network, and the gradient by the parameters on the way back."""

from ..codegen.declare import scalar
from ..codegen.intrinsics import cast_like, pointer
from ..codegen.signature import call_tile_kernel
from ..engine import layout
from ..engine.model import layer_of, n_in, n_out
from ..engine.tile import multiply
from ..gemm.loops import call_gemm_nt
from ..gemm.product import ADD, SET
from .chain_rule import pull, pull_along, spread, spread_along, spread_first
from .jets import LAPLACIAN, OF_PARAMETERS, blocks_of, features_of, tangents_of


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
def activate(net, q, kernel, jet, room, saved, n_lanes, kind, keeps):
    """All features of layer q: the jets of z become those of y."""
    layer, tangents = layer_of(net, q), tangents_of(net, kind)
    width, stride = layer[layout.WIDTH], blocks_of(net, kind) * n_lanes
    w, b = pointer(net.theta, layer[layout.WEIGHTS]), pointer(net.theta, layer[layout.BIAS])
    hyper, d = pointer(net.hyper, layer[layout.HYPER_OFFSET]), room.d
    for j in range(width):
        row, beside = pointer(jet, j * stride), pointer(saved, j * stride)
        call_tile_kernel(kernel, row, pointer(b, j), d, hyper, 1, n_lanes, 0, 0)
        if kind == OF_PARAMETERS:
            spread_along(row, beside, d, n_lanes)
        elif q:
            spread(row, beside, d, n_lanes, tangents, keeps)
        else:
            spread_first(row, beside, d, n_lanes, pointer(w, j), width, tangents, keeps)


@scalar
def activate_output(net, room, kernel, jet, n_lanes, keeps):
    """The activation that the cost gives the output, if it is one of each number."""
    stride, zero = blocks_of(net, LAPLACIAN) * n_lanes, pointer(room.d, 3 * n_lanes)
    for j in range(n_out(net) if kernel else 0):
        row = pointer(jet, j * stride)
        zero[0] = cast_like(zero[0], 0)
        call_tile_kernel(kernel, row, zero, room.d, net.hyper, 1, n_lanes, 0, 0)
        spread(row, pointer(room.output, j * stride), room.d, n_lanes, n_in(net), keeps)


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
    stride, above, below = blocks_of(net, kind) * n_lanes, room.above, room.below
    start, _ = features_of(net)
    lowest = net.descriptor[layout.LOWEST]
    for q in range(net.depth - 1, lowest - 1, -1):
        layer = layer_of(net, q)
        inputs, width = layer[layout.N_IN], layer[layout.WIDTH]
        start -= width
        pull_layer(net, above, pointer(room.saved, start * stride), width, n_lanes, kind)
        if layer[layout.TRAINABLE]:
            source = pointer(room.jets, (start - inputs) * stride) if q else room.x
            gradient(net, q, source, above, room.ones, grad, n_lanes, kind, accumulates)
        if q > lowest:
            error(net, q, above, below, direction, room.packing, n_lanes, kind)
            above, below = below, above


@scalar
def pull_layer(net, above, saved, width, n_lanes, kind):
    """Cotangents of the jets of y become those of z, of so many features."""
    stride, tangents = blocks_of(net, kind) * n_lanes, tangents_of(net, kind)
    for j in range(width):
        row, beside = pointer(above, j * stride), pointer(saved, j * stride)
        if kind == OF_PARAMETERS:
            pull_along(row, beside, n_lanes)
        else:
            pull(row, beside, n_lanes, tangents)


@scalar
def error(net, q, above, below, direction, packing, n_lanes, kind):
    """Cotangents of the jets that layer q was given, from those of its z."""
    layer, stride = layer_of(net, q), blocks_of(net, kind) * n_lanes
    inputs, width, place = layer[layout.N_IN], layer[layout.WIDTH], layer[layout.WEIGHTS]
    multiply(
        net, pointer(net.theta, place), above, below, width, 1, stride, stride, inputs, stride,
        width, SET, packing, stride,
    )  # fmt: skip
    if kind == OF_PARAMETERS and layer[layout.TRAINABLE]:
        multiply(
            net, pointer(direction, place), pointer(above, n_lanes), below, width, 1, stride,
            stride, inputs, n_lanes, width, ADD, packing, n_lanes,
        )  # fmt: skip


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
