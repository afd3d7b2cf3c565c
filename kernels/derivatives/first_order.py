"""Derivatives of each sample along a direction, and by the parameters: C functions."""

from ..codegen.declare import scalar
from ..codegen.intrinsics import cast_like, pointer, wide
from ..codegen.signature import DATA, INT, INTS, Signature, call_tile_kernel
from ..engine import layout
from ..engine import tile as tiles
from ..engine.model import layer_of, n_in, n_out, tile_features, view
from ..engine.tile import multiply, tile_parts
from ..gemm.product import MULTIPLY, SET
from ..inference.functions import activate_output, forward_tile
from . import jets
from .functions import copy_blocks, read, set_to_zero, write

JVP = Signature(
    "jvp", descriptor=INTS, x=DATA, v=DATA, y=DATA, out=DATA, n_rows=INT, work=DATA, part=INT,
    parts=INT,
)  # fmt: skip
PARAMETER_JACOBIAN = Signature(
    "parameter_jacobian", descriptor=INTS, x=DATA, out=DATA, n_rows=INT, work=DATA, part=INT,
    parts=INT,
)  # fmt: skip
call_jvp, call_parameter_jacobian = JVP.call, PARAMETER_JACOBIAN.call


@scalar
def jvp_rows(net):
    """Rows of a tile; of the widest layer's outputs; of copies of what acts on all features."""
    widest, copies = n_in(net), 4
    for q in range(net.depth):
        layer = layer_of(net, q)
        widest = max(widest, layer[layout.N_OUT])
        if layer[layout.LAYER_VJP]:
            copies = max(copies, 3 * layer[layout.MEMORY] + layer[layout.N_OUT])
    return 4 * widest + copies, widest, copies


def jvp(descriptor, x, v, y, out, n_rows, work, part, parts):
    """C function: outputs, and their derivatives along v, for each sample of a part."""
    if n_rows < 1:
        return 0.0
    net = view(descriptor, x)
    inputs, outputs = n_in(net), n_out(net)
    rows, widest, _ = jvp_rows(net)
    tile, n_lanes, begin, end = jets.cut(net, rows, n_rows, part, parts)
    pair, copies = widest * n_lanes, pointer(work, 4 * widest * n_lanes)
    for first in range(begin, end, tile):
        n = min(tile, end - first)
        read(net, x, inputs, inputs, first, n, work, n_lanes, n_lanes)
        read(net, v, inputs, inputs, first, n, pointer(work, pair), n_lanes, n_lanes)
        found = pointer(work, _forward(net, work, pair, copies, n_lanes))
        along = pointer(found, pair)
        activate_output(net, found, copies, n_lanes)
        if descriptor[layout.OUTPUT_VJP]:  # all of them have symmetric Jacobians: of a potential
            call_tile_kernel(
                descriptor[layout.OUTPUT_VJP], along, found, copies, net.hyper, outputs, n_lanes, 0,
                0,
            )  # fmt: skip
        place = first * outputs
        write(net, found, n_lanes, n, outputs, pointer(y, place), outputs)
        write(net, along, n_lanes, n, outputs, pointer(out, place), outputs)
    return 0.0


@scalar
def _forward(net, work, pair, copies, n_lanes):
    """All layers, from features and their tangents, `pair` elements on; returns where the last are.

    Each layer's go to the other half of the room, which is small whatever the depth.
    """
    here, there = 0, 2 * pair
    _, _, n_copies = jvp_rows(net)
    packing = pointer(copies, n_copies * n_lanes)
    for q in range(net.depth):
        x, y = pointer(work, here), pointer(work, there)
        tangent, along = pointer(x, pair), pointer(y, pair)
        if layer_of(net, q)[layout.LAYER_VJP]:
            _vector_layer(net, q, x, tangent, y, along, copies, packing, n_lanes)
        else:
            _layer(net, q, x, tangent, y, along, packing, n_lanes)
        here, there = there, here
    return here


@scalar
def _layer(net, q, x, tangent, y, along, packing, n_lanes):
    """A layer of each number alone: the derivative times the tangents' product."""
    layer = layer_of(net, q)
    inputs, width = layer[layout.N_IN], layer[layout.WIDTH]
    w, b = pointer(net.theta, layer[layout.WEIGHTS]), pointer(net.theta, layer[layout.BIAS])
    hyper, mode = pointer(net.hyper, layer[layout.HYPER_OFFSET]), SET
    multiply(
        net, w, x, y, 1, width, n_lanes, n_lanes, width, n_lanes, inputs, SET, packing, n_lanes
    )
    call_tile_kernel(layer[layout.TRAIN], y, b, along, hyper, width, n_lanes, 0, 0)
    if layer[layout.SCALED]:
        mode = MULTIPLY
    multiply(
        net, w, tangent, along, 1, width, n_lanes, n_lanes, width, n_lanes, inputs, mode, packing,
        n_lanes,
    )  # fmt: skip


@scalar
def _vector_layer(net, q, x, tangent, y, along, copies, packing, n_lanes):
    """A layer whose activation acts on all features, by vector-Jacobian products of each output."""
    layer = layer_of(net, q)
    inputs, width, n = layer[layout.N_IN], layer[layout.WIDTH], layer[layout.N_OUT]
    memory = layer[layout.MEMORY] * n_lanes
    z, copy, dz = copies, pointer(copies, memory), pointer(copies, 2 * memory)
    g = pointer(copies, 3 * memory)
    w, b = pointer(net.theta, layer[layout.WEIGHTS]), pointer(net.theta, layer[layout.BIAS])
    hyper = pointer(net.hyper, layer[layout.HYPER_OFFSET])
    for source, target in ((x, z), (tangent, dz)):
        multiply(
            net, w, source, target, 1, width, n_lanes, n_lanes, width, n_lanes, inputs, SET,
            packing, n_lanes,
        )  # fmt: skip
    call_tile_kernel(layer[layout.TRAIN], z, b, y, hyper, n, n_lanes, 0, 0)
    for k in range(n):
        copy_blocks(copy, z, memory, memory, 1, memory)
        set_to_zero(g, n * n_lanes)
        for r in range(n_lanes):
            g[k * n_lanes + r] = cast_like(g[0], 1)
        call_tile_kernel(layer[layout.LAYER_VJP], g, b, copy, hyper, n, n_lanes, 0, 0)
        _dot(copy, dz, pointer(along, k * n_lanes), width, n_lanes)


@scalar
def _dot(a, b, out, n_rows, n_lanes):
    """out[r] = Σ a b over the rows."""
    wide()
    set_to_zero(out, n_lanes)
    for j in range(n_rows):
        for r in range(n_lanes):
            out[r] += a[j * n_lanes + r] * b[j * n_lanes + r]


@scalar
def parameter_jacobian_rows(net):
    """Rows of a tile, and those of inputs and errors of a layer, sample by sample."""
    most_in = most_out = 0
    for q in range(net.depth):
        layer = layer_of(net, q)
        most_in = max(most_in, layer[layout.N_IN])
        most_out = max(most_out, layer[layout.WIDTH], layer[layout.TRAINED])
    return tile_features(net) + most_in + most_out, most_in


def parameter_jacobian(descriptor, x, out, n_rows, work, part, parts):
    """C function: out[r, k, p] = ∂ output k of sample r / ∂ parameter p, of a part; frozen: 0."""
    if n_rows < 1:
        return 0.0
    net = view(descriptor, x)
    outputs = n_out(net)
    rows, most_in = parameter_jacobian_rows(net)
    tile, n_lanes, begin, end = jets.cut(net, rows, n_rows, part, parts)
    _, tile_x, _, _, layers = tile_parts(net, work, n_lanes, 0, 0)
    x_rows = pointer(work, n_lanes * tile_features(net))
    delta_rows = pointer(x_rows, n_lanes * most_in)
    room = pointer(work, n_lanes * rows)
    for first in range(begin, end, tile):
        n = min(tile, end - first)
        for k in range(outputs):
            _back_from(net, x, work, first, n, k, n_lanes, room)
            target = pointer(out, (first * outputs + k) * net.size)
            for q in range(net.depth):
                _write_layer(
                    net, q, tile_x, layers, x_rows, delta_rows, target, n, outputs * net.size,
                    n_lanes,
                )  # fmt: skip
    return 0.0


@scalar
def _back_from(net, x, work, first, n, k, n_lanes, room):
    """A tile forward, and back from output k: leaves the errors of all layers."""
    targets, _, _, scratch, layers = tile_parts(net, work, n_lanes, 0, 0)
    descriptor, size = net.descriptor, n_out(net) * n_lanes
    y = pointer(layers, layer_of(net, net.depth - 1)[layout.Y] * n_lanes)
    forward_tile(net, x, work, n_lanes, first, n, tiles.DERIVATIVES)
    activate_output(net, y, scratch, n_lanes)
    set_to_zero(targets, size)
    for r in range(n_lanes):
        targets[k * n_lanes + r] = cast_like(targets[0], 1)
    if descriptor[layout.OUTPUT_VJP]:
        call_tile_kernel(
            descriptor[layout.OUTPUT_VJP], targets, y, scratch, net.hyper, n_out(net), n_lanes, 0, 0
        )
    copy_blocks(y, targets, size, size, 1, size)
    tiles.backward(net, layers, n_lanes, False, False, room)


@scalar
def _write_layer(net, q, tile_x, layers, x_rows, delta_rows, out, n, stride, n_lanes):
    """The derivatives by the parameters of layer q, sample by sample, `stride` apart."""
    layer = layer_of(net, q)
    inputs, width, trained = layer[layout.N_IN], layer[layout.WIDTH], layer[layout.TRAINED]
    out, bias = pointer(out, layer[layout.WEIGHTS]), (inputs * width)
    if layer[layout.TRAINABLE] == 0:
        for r in range(n):
            set_to_zero(pointer(out, r * stride), bias + width + trained)
        return
    source = tile_x
    if q:
        source = pointer(layers, layer_of(net, q - 1)[layout.Y] * n_lanes)
    write(net, source, n_lanes, n, inputs, x_rows, inputs)
    write(net, tiles.error_of(net, q, layers, n_lanes), n_lanes, n, width, delta_rows, width)
    for r in range(n):
        x, delta, target = (
            pointer(x_rows, r * inputs), pointer(delta_rows, r * width), pointer(out, r * stride)
        )  # fmt: skip
        _outer(x, delta, target, inputs, width)
        copy_blocks(pointer(target, bias), delta, width, width, 1, width)
    if trained:
        grad_y = pointer(layers, layer[layout.GRAD_Y] * n_lanes)
        write(net, grad_y, n_lanes, n, trained, pointer(out, bias + width), stride)


@scalar
def _outer(x, delta, out, inputs, width):
    """out[i, j] = x[i] delta[j]."""
    wide()
    if width == 1:
        for i in range(inputs):
            out[i] = x[i] * delta[0]
        return
    for i in range(inputs):
        for j in range(width):
            out[i * width + j] = x[i] * delta[j]
