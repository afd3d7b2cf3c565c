"""Derivatives of each sample along a direction, and by the parameters: C functions."""

from ..codegen.declare import scalar
from ..codegen.intrinsics import cast_like, pointer, wide
from ..codegen.signature import DATA, INT, INTS, Signature, call_tile_kernel
from ..engine import layout
from ..engine import tile as tiles
from ..engine.model import layer_of, n_in, n_out, tile_features, view
from ..engine.tile import multiply, tile_parts
from ..gemm.product import SET
from ..inference.functions import activate_output, forward_tile
from . import jets
from .functions import copy_blocks, read, set_to_zero, write
from .jets import OF_INPUTS

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
    """Rows of a tile, and those beside jets: the tangents; copies of what acts on all features."""
    more = 2 * n_out(net) + 4
    for q in range(net.depth):
        layer = layer_of(net, q)
        more = max(more, 3 * layer[layout.MEMORY] + 2 * layer[layout.N_OUT])
    more += n_in(net)
    return jets.rows_of(net, OF_INPUTS, False, more), more


def jvp(descriptor, x, v, y, out, n_rows, work, part, parts):
    """C function: outputs, and their derivatives along v, for each sample of a part."""
    if n_rows < 1:
        return 0.0
    net = view(descriptor, x)
    inputs, outputs = n_in(net), n_out(net)
    rows, more = jvp_rows(net)
    tile, n_lanes, begin, end = jets.cut(net, rows, n_rows, part, parts)
    room = jets.room_of(net, work, OF_INPUTS, False, more, n_lanes)
    copies = pointer(room.more, inputs * n_lanes)
    pair, along = copies, pointer(copies, outputs * n_lanes)
    for first in range(begin, end, tile):
        n = min(tile, end - first)
        read(net, x, inputs, inputs, first, n, room.x, n_lanes, n_lanes)
        read(net, v, inputs, inputs, first, n, room.more, n_lanes, n_lanes)
        jet = _forward(net, room, copies, n_lanes)
        copy_blocks(pair, jet, n_lanes, 2 * n_lanes, outputs, n_lanes)
        copy_blocks(along, pointer(jet, n_lanes), n_lanes, 2 * n_lanes, outputs, n_lanes)
        scratch = pointer(along, outputs * n_lanes)
        activate_output(net, pair, scratch, n_lanes)
        if descriptor[layout.OUTPUT_VJP]:  # all of them have symmetric Jacobians: of a potential
            call_tile_kernel(
                descriptor[layout.OUTPUT_VJP], along, pair, scratch, net.hyper, outputs, n_lanes, 0,
                0,
            )  # fmt: skip
        place = first * outputs
        write(net, pair, n_lanes, n, outputs, pointer(y, place), outputs)
        write(net, along, n_lanes, n, outputs, pointer(out, place), outputs)
    return 0.0


@scalar
def _forward(net, room, copies, n_lanes):
    """All layers, whose kernels need not be of each number alone; returns the last jets."""
    stride, x, tangent, jet = 2 * n_lanes, room.x, room.more, room.jets
    for q in range(net.depth):
        layer = layer_of(net, q)
        if layer[layout.LAYER_VJP]:
            _vector_layer(net, q, x, tangent, jet, copies, room.packing, n_lanes)
        else:
            theta, packing, one = net.theta, room.packing, n_lanes
            if q:
                jets.product(net, q, theta, x, jet, stride, stride, packing, n_lanes, SET)
            else:
                jets.product(net, q, theta, x, jet, stride, one, packing, n_lanes, SET)
                z = pointer(jet, n_lanes)
                jets.product(net, q, theta, tangent, z, stride, one, packing, n_lanes, SET)
            jets.activate(net, q, layer[layout.TRAIN], jet, room, jet, n_lanes, OF_INPUTS, False)
        x, jet = jet, pointer(jet, layer[layout.N_OUT] * stride)
        tangent = pointer(x, n_lanes)
    return x


@scalar
def _vector_layer(net, q, x, tangent, jet, copies, packing, n_lanes):
    """A layer whose activation acts on all features, by vector-Jacobian products of each output."""
    layer = layer_of(net, q)
    inputs, width, n = layer[layout.N_IN], layer[layout.WIDTH], layer[layout.N_OUT]
    memory = layer[layout.MEMORY] * n_lanes
    z, copy, along = copies, pointer(copies, memory), pointer(copies, 2 * memory)
    y, g = pointer(copies, 3 * memory), pointer(copies, 3 * memory + n * n_lanes)
    w, b = pointer(net.theta, layer[layout.WEIGHTS]), pointer(net.theta, layer[layout.BIAS])
    hyper, stride = (
        pointer(net.hyper, layer[layout.HYPER_OFFSET]),
        n_lanes if q == 0 else 2 * n_lanes,
    )
    for source, target in ((x, z), (tangent, along)):
        multiply(
            net, w, source, target, 1, width, stride, n_lanes, width, n_lanes, inputs, SET, packing,
            n_lanes,
        )  # fmt: skip
    call_tile_kernel(layer[layout.TRAIN], z, b, y, hyper, n, n_lanes, 0, 0)
    copy_blocks(jet, y, 2 * n_lanes, n_lanes, n, n_lanes)
    for k in range(n):
        copy_blocks(copy, z, memory, memory, 1, memory)
        set_to_zero(g, n * n_lanes)
        for r in range(n_lanes):
            g[k * n_lanes + r] = cast_like(g[0], 1)
        call_tile_kernel(layer[layout.LAYER_VJP], g, b, copy, hyper, n, n_lanes, 0, 0)
        _dot(copy, along, pointer(jet, (2 * k + 1) * n_lanes), width, n_lanes)


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
