"""Derivatives of a network as C functions on a batch; `overloads` has them for users' kernels.

They allocate nothing and need no GIL. Samples go in tiles, each a part's.
"""

from ..codegen.declare import scalar
from ..codegen.intrinsics import cast_like, pointer, wide
from ..codegen.signature import DATA, INT, INTS, Signature, call_tile_kernel
from ..engine import layout
from ..engine import tile as tiles
from ..engine.model import layer_of, n_in, n_out, view
from ..gemm.loops import call_transpose
from . import jets, passes
from .jets import LAPLACIAN, OF_PARAMETERS

HVP = Signature(
    "hvp", descriptor=INTS, x=DATA, t=DATA, v=DATA, out=DATA, n_rows=INT, work=DATA, part=INT,
    parts=INT,
)  # fmt: skip
LAPLACIANS = Signature(
    "laplacian", descriptor=INTS, x=DATA, y=DATA, dy=DATA, ly=DATA, n_rows=INT, work=DATA,
    kept=DATA, mode=INT, part=INT, parts=INT,
)  # fmt: skip
LAPLACIAN_VJP = Signature(
    "laplacian_vjp", descriptor=INTS, x=DATA, gy=DATA, gdy=DATA, gly=DATA, given=INT, grad=DATA,
    n_rows=INT, work=DATA, kept=DATA, keeps=INT, part=INT, parts=INT,
)  # fmt: skip
call_hvp, call_laplacian, call_laplacian_vjp = HVP.call, LAPLACIANS.call, LAPLACIAN_VJP.call

OF_VALUE, OF_GRADIENT, OF_LAPLACIAN = 1, 2, 4  # bits of `given`: which cotangents there are
ANSWERS, KEEPS, ONLY_KEEPS = range(3)  # what a way forward leaves behind


@scalar
def hvp_rows(net):
    """Rows of a tile, and those beside jets: logits, their direction, targets, weights, scratch."""
    more = 2 * n_out(net) + net.descriptor[layout.TARGETS] + 5
    return jets.rows_of(net, OF_PARAMETERS, more), more


@scalar
def laplacian_rows(net):
    """Rows of a tile, and those to cut by: the same both ways, which share what is kept.

    Half of the rows wait for the way back, while others are at work.
    """
    rows = jets.rows_of(net, LAPLACIAN, 0)
    return rows, rows // 2


@scalar
def kept_elements(net, n_rows):
    """Elements of what `laplacian` keeps of all tiles for `laplacian_vjp`."""
    return jets.kept_elements(net, laplacian_rows(net)[1], LAPLACIAN, n_rows)


_FEW = 4  # features that are moved one by one: vectors of them would be nearly empty


@scalar
def write(net, tile, stride, n_samples, n_features, out, out_stride):
    """Rows of a tile, `stride` apart, into samples of so many features, `out_stride` apart."""
    descriptor = net.descriptor
    if n_features <= _FEW:
        for j in range(n_features):
            for r in range(n_samples):
                out[r * out_stride + j] = tile[j * stride + r]
    else:
        call_transpose(
            descriptor[layout.TRANSPOSE], tile, descriptor, out, stride, n_samples, -1,
            n_features - 1, out_stride, n_features,
        )  # fmt: skip


@scalar
def read(net, source, stride, n_columns, first, n_samples, out, out_stride, n_lanes):
    """The other way: columns of samples into rows of a tile; lanes beyond the last repeat it."""
    descriptor, begin = net.descriptor, pointer(source, first * stride)
    if n_columns <= _FEW:
        for j in range(n_columns):
            row = pointer(out, j * out_stride)
            for r in range(n_samples):
                row[r] = begin[r * stride + j]
            for r in range(n_samples, n_lanes):
                row[r] = row[n_samples - 1]
    else:
        call_transpose(
            descriptor[layout.TRANSPOSE], begin, descriptor, out, stride, n_columns, -1,
            n_samples - 1, out_stride, n_lanes,
        )  # fmt: skip


def laplacian(descriptor, x, y, dy, ly, n_rows, work, kept, mode, part, parts):
    """C function: outputs, their gradients by the inputs, and their Laplacians, of a part.

    mode: ANSWERS, which leaves `kept` alone; KEEPS leaves there what `laplacian_vjp` wants of this
    way forward too; ONLY_KEEPS does that alone.
    """
    if n_rows < 1:
        return 0.0
    net = view(descriptor, x)
    tile, n_lanes, begin, end = jets.cut(net, laplacian_rows(net)[1], n_rows, part, parts)
    room, keeps = jets.room_of(net, work, LAPLACIAN, 0, n_lanes), mode != ANSWERS
    column = layout.THIRD if keeps else layout.SECOND
    output = descriptor[layout.OUTPUT_THIRD if keeps else layout.OUTPUT_SECOND]
    for first in range(begin, end, tile):
        n = min(tile, end - first)
        if keeps:
            room = _kept_tile(net, room, kept, first // tile, n_lanes)
        read(net, x, n_in(net), n_in(net), first, n, room.x, n_lanes, n_lanes)
        jet = passes.forward(net, room, n_lanes, LAPLACIAN, keeps, column, net.theta)
        passes.activate_output(net, room, output, jet, n_lanes, keeps)
        if mode != ONLY_KEEPS:
            _write_outputs(net, jet, y, dy, ly, first, n, n_lanes)
    return 0.0


@scalar
def _kept_tile(net, room, kept, number, n_lanes):
    """The room, with the jets where those of this tile are kept."""
    place = number * jets.kept_rows(net, LAPLACIAN) * n_lanes
    return jets.with_kept(net, room, pointer(kept, place), LAPLACIAN, n_lanes)


@scalar
def _write_outputs(net, jet, y, dy, ly, first, n, n_lanes):
    """The jets of a tile's outputs to where the samples' are."""
    inputs, outputs = n_in(net), n_out(net)
    stride, place = (inputs + 2) * n_lanes, first * outputs
    write(net, jet, stride, n, outputs, pointer(y, place), outputs)
    last = pointer(jet, (inputs + 1) * n_lanes)
    write(net, last, stride, n, outputs, pointer(ly, place), outputs)
    for j in range(outputs):
        derivatives = pointer(jet, j * stride + n_lanes)
        target = pointer(dy, (place + j) * inputs)
        write(net, derivatives, n_lanes, n, inputs, target, outputs * inputs)


def laplacian_vjp(descriptor, x, gy, gdy, gly, given, grad, n_rows, work, kept, keeps, part, parts):
    """C function: grad = gradient by the parameters of Σ gy y + gdy ∂y + gly Δy, of a part.

    given: bits, which of the three cotangents there are; the others count as zero. kept: what
    `laplacian` has left there, if `keeps`; else each tile goes forward again.
    """
    net = view(descriptor, x)
    set_to_zero(grad, net.size)
    if n_rows < 1:
        return 0.0
    tile, n_lanes, begin, end = jets.cut(net, laplacian_rows(net)[1], n_rows, part, parts)
    room = jets.room_of(net, work, LAPLACIAN, 0, n_lanes)
    first_kept = kept if keeps else room.jets
    for first in range(begin, end, tile):
        n, number = min(tile, end - first), first // tile
        if not keeps:  # every tile where the first would be
            first_kept = pointer(room.jets, -number * jets.kept_rows(net, LAPLACIAN) * n_lanes)
            call_laplacian(
                descriptor[layout.LAPLACIAN], descriptor, x, grad, grad, grad, n_rows, work,
                first_kept, ONLY_KEEPS, number, -(-n_rows // tile),
            )  # fmt: skip
        here = _kept_tile(net, room, first_kept, number, n_lanes)
        read(net, x, n_in(net), n_in(net), first, n, here.x, n_lanes, n_lanes)
        _cotangents(net, here, gy, gdy, gly, given, first, n, n_lanes)
        if descriptor[layout.OUTPUT_THIRD]:
            passes.pull_layer(net, here.above, here.output, n_out(net), n_lanes, LAPLACIAN)
        passes.backward(net, here, n_lanes, LAPLACIAN, net.theta, grad, first > begin)
    return 0.0


@scalar
def set_to_zero(a, count):
    """a = 0, elementwise."""
    wide()
    for i in range(count):
        a[i] = cast_like(a[0], 0)


@scalar
def _cotangents(net, room, gy, gdy, gly, given, first, n, n_lanes):
    """The cotangents of a tile's outputs; zero where none are given, and beyond the last sample."""
    inputs, outputs, above = n_in(net), n_out(net), room.above
    stride = (inputs + 2) * n_lanes
    set_to_zero(above, outputs * stride)
    if given & OF_VALUE:
        read(net, gy, outputs, outputs, first, n, above, stride, n_lanes)
    if given & OF_LAPLACIAN:
        last = pointer(above, (inputs + 1) * n_lanes)
        read(net, gly, outputs, outputs, first, n, last, stride, n_lanes)
    for j in range(outputs):
        row = pointer(above, j * stride)
        if given & OF_GRADIENT:
            source, width = pointer(gdy, j * inputs), outputs * inputs
            read(net, source, width, inputs, first, n, pointer(row, n_lanes), n_lanes, n_lanes)
        for k in range(inputs + 2):
            for r in range(n, n_lanes):
                row[k * n_lanes + r] = cast_like(row[0], 0)


def hvp(descriptor, x, t, v, out, n_rows, work, part, parts):
    """C function: the Hessian of the cost by the parameters times v, of a part of the samples.

    The first part has the penalties of weights. Of frozen layers it is zero, and v not looked at.
    """
    net = view(descriptor, x)
    set_to_zero(out, net.size)
    if n_rows > 0:
        rows, more = hvp_rows(net)
        tile, n_lanes, begin, end = jets.cut(net, rows, n_rows, part, parts)
        room = jets.room_of(net, work, OF_PARAMETERS, more, n_lanes)
        scale = 1.0 / n_rows if descriptor[layout.MEAN] else 1.0
        for first in range(begin, end, tile):
            n = min(tile, end - first)
            read(net, x, n_in(net), n_in(net), first, n, room.x, n_lanes, n_lanes)
            jet = passes.forward(net, room, n_lanes, OF_PARAMETERS, True, layout.SECOND, v)
            _curvature(net, room, jet, t, scale, first, n, n_lanes)
            passes.backward(net, room, n_lanes, OF_PARAMETERS, v, out, first > begin)
    if part == 0:
        _add_penalties(net, v, out)
    return 0.0


@scalar
def _curvature(net, room, jet, t, scale, first, n, n_lanes):
    """The gradient of the cost by the logits, and its derivative along theirs, as cotangents.

    The second blocks of `room.above` get the gradient, the first ones its derivative.
    """
    descriptor, outputs = net.descriptor, n_out(net)
    columns = descriptor[layout.TARGETS]
    logits = room.more
    along = pointer(logits, outputs * n_lanes)
    scratch = pointer(along, outputs * n_lanes)
    targets = pointer(scratch, 4 * n_lanes)
    copy_blocks(logits, jet, n_lanes, 2 * n_lanes, outputs, n_lanes)
    copy_blocks(along, pointer(jet, n_lanes), n_lanes, 2 * n_lanes, outputs, n_lanes)
    read(net, t, columns, columns, first, n, targets, n_lanes, n_lanes)
    weights = pointer(targets, columns * n_lanes)
    tiles.gather_weights(weights, False, scale, descriptor, False, 0, n - 1, weights, n_lanes)
    call_tile_kernel(
        descriptor[layout.CURVATURE],
        logits,
        targets,
        along,
        net.hyper,
        outputs,
        n_lanes,
        columns,
        0,
    )
    copy_blocks(logits, jet, n_lanes, 2 * n_lanes, outputs, n_lanes)
    call_tile_kernel(
        descriptor[layout.COST], logits, targets, scratch, net.hyper, outputs, n_lanes, columns, 0
    )
    above = room.above
    copy_blocks(above, along, 2 * n_lanes, n_lanes, outputs, n_lanes)
    copy_blocks(pointer(above, n_lanes), logits, 2 * n_lanes, n_lanes, outputs, n_lanes)


@scalar
def copy_blocks(a, b, a_stride, b_stride, count, n):
    """Blocks of n elements, so many apart."""
    for j in range(count):
        for r in range(n):
            a[j * a_stride + r] = b[j * b_stride + r]


@scalar
def _add_penalties(net, v, out):
    """l2 v for the weights of layers that are not frozen."""
    for q in range(net.depth):
        layer = layer_of(net, q)
        if layer[layout.TRAINABLE] and layer[layout.PENALTY]:
            l2, begin = net.hyper[layer[layout.HYPER_OFFSET] + layout.L2], layer[layout.WEIGHTS]
            factor = cast_like(v[0], l2)
            for i in range(begin, begin + layer[layout.N_IN] * layer[layout.WIDTH]):
                out[i] += factor * v[i]
