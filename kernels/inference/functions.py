"""What a network does inside other compiled code: C functions on one sample or a batch.

They allocate nothing and need no GIL. `overloads` has them as functions for users' kernels. A
single sample is a row of numbers: products then run along the outputs of a layer, not along
samples.
"""

import numpy as np

from ..codegen.declare import scalar
from ..codegen.intrinsics import cast_like, data, integers, numbers, pointer, singles
from ..codegen.signature import C_INT, DATA, FLOAT, FLOATS, INT, INTS, Signature, call_tile_kernel
from ..engine import layout
from ..engine import tile as tiles
from ..engine.model import layer_of, most_samples, n_in, n_out, tile_lanes, tile_samples, view
from ..engine.step import collect, prepare, run_tile, tile_gradient, update
from ..engine.team import PARTIAL, PENALTY, ThreadContext
from ..engine.tile import call_tile_pass, error_of, tile_parts
from ..gemm.loops import call_gemm, call_transpose
from ..gemm.product import ADD, SET
from ..optimizers import layout as rule
from ..vecmath.random import mix

PREDICT = Signature(
    "predict", descriptor=INTS, x=DATA, out=DATA, n_rows=INT, work=DATA, part=INT, parts=INT
)
TRAIN_STEP = Signature(
    "train_step", descriptor=INTS, X=DATA, T=DATA, n_rows=INT, rate=FLOAT, work=DATA
)
JACOBIAN = Signature("jacobian", descriptor=INTS, x=DATA, out=DATA, work=DATA)
VJP = Signature(
    "vjp", descriptor=INTS, x=DATA, g=DATA, out=DATA, n_rows=INT, work=DATA, part=INT, parts=INT
)
call_predict, call_train_step = PREDICT.call, TRAIN_STEP.call
call_jacobian, call_vjp = JACOBIAN.call, VJP.call

_FEW = 4  # samples up to which one by one is faster than a tile


@scalar
def workspace_elements(descriptor, like, n_rows):
    """Elements of a workspace for up to `rows` samples at once, and for a Jacobian."""
    net = view(descriptor, like)
    # the largest tile of them all
    n_lanes = tile_lanes(net, min(max(n_rows, 1), most_samples(net)))
    return max(tiles.work_size(net, n_lanes, 0), _jacobian_elements(net))


@scalar
def _jacobian_rows(net):
    """Most features of a layer or of the input; rows that copies of a layer's memory take."""
    widest, copies = n_in(net), n_out(net) + 4  # with the scratch of a cost's pull
    for q in range(net.depth):
        layer = layer_of(net, q)
        widest, copies = max(widest, layer[layout.N_OUT]), max(copies, layer[layout.MEMORY])
    return widest, copies


@scalar
def _jacobian_elements(net):
    """Elements of a workspace for a Jacobian: one sample, then errors of all outputs."""
    widest, copies = _jacobian_rows(net)
    return (
        net.descriptor[layout.FEATURES] + 16 + tile_lanes(net, n_out(net)) * (2 * widest + copies)
    )


@scalar
def _sample(net, x, layers, zero, derivatives):
    """One sample through the layers, which have one lane; returns the last output."""
    zero[0] = cast_like(zero[0], 0)
    for q in range(net.depth):
        layer = layer_of(net, q)
        inputs, width, kernel = layer[layout.N_IN], layer[layout.WIDTH], layer[layout.FORWARD]
        w, b = pointer(net.theta, layer[layout.WEIGHTS]), pointer(net.theta, layer[layout.BIAS])
        z, aux = pointer(layers, layer[layout.Z]), pointer(layers, layer[layout.AUX])
        hyper = pointer(net.hyper, layer[layout.HYPER_OFFSET])
        if derivatives:
            kernel = layer[layout.TRAIN]
        if layer[layout.MEMORY]:
            call_gemm(
                net.descriptor[layout.GEMM], x, w, z, 0, 1, width, width, 1, width, inputs, SET
            )
            call_tile_kernel(kernel, z, b, aux, hyper, layer[layout.N_OUT], 1, 0, 0)
        else:  # each number alone: as lanes of one feature, whose bias is zero
            for j in range(width):
                z[j] = b[j]
            call_gemm(
                net.descriptor[layout.GEMM], x, w, z, 0, 1, width, width, 1, width, inputs, ADD
            )
            call_tile_kernel(kernel, z, zero, aux, hyper, 1, width, 0, 0)
        x = pointer(layers, layer[layout.Y])
    return x


@scalar
def activate_output(net, y, scratch, n_lanes):
    """The activation that the cost gives the output."""
    if net.descriptor[layout.OUTPUT_ACTIVATION]:
        call_tile_kernel(
            net.descriptor[layout.OUTPUT_ACTIVATION], y, y, scratch, net.hyper, n_out(net), n_lanes,
            0, 0,
        )  # fmt: skip


@scalar
def tiles_of(net, n_rows, part, parts):
    """Samples of a full tile of `n_rows`; first and last + 1 of the samples in a part's tiles.

    The parts have the tiles that one alone has, each a few in a row, so that results do not depend
    on how many parts there are. Of much work there is an even number, for two threads.
    """
    tile = tile_samples(net, n_rows)
    n_tiles = -(-n_rows // tile)
    if n_rows * net.descriptor[layout.WORK] >= layout.SHARED and n_rows >= 2 * layout.LEAST:
        tile = -(-n_rows // (n_tiles + n_tiles % 2))
        n_tiles = -(-n_rows // tile)
    begin, end = n_tiles * part // parts, n_tiles * (part + 1) // parts
    return tile, begin * tile, min(n_rows, end * tile)


def predict(descriptor, x, out, n_rows, work, part, parts):
    """C function: outputs of the network for `rows` samples, as far as they are the part's."""
    net = view(descriptor, x)
    inputs, outputs = n_in(net), n_out(net)
    if n_rows <= _FEW:
        for r in range(n_rows if part == 0 else 0):
            y = _sample(net, pointer(x, r * inputs), pointer(work, 8), work, False)
            activate_output(net, y, pointer(work, 1), 1)
            for j in range(outputs):
                out[r * outputs + j] = y[j]
        return 0.0
    tile, begin, end = tiles_of(net, n_rows, part, parts)
    n_lanes = tile_lanes(net, tile)
    _, _, _, scratch, layers = tile_parts(net, work, n_lanes, 0, 0)
    y = pointer(layers, layer_of(net, net.depth - 1)[layout.Y] * n_lanes)
    for first in range(begin, end, tile):
        n_samples = min(tile, end - first)
        forward_tile(net, x, work, n_lanes, first, n_samples, tiles.OUTPUTS)
        activate_output(net, y, scratch, n_lanes)
        write_rows(net, y, n_lanes, n_samples, outputs, pointer(out, first * outputs))
    return 0.0


@scalar
def forward_tile(net, x, work, n_lanes, first, n_samples, mode):
    """Run a tile of samples forward; mode: see `tile.forward`."""
    descriptor = net.descriptor
    call_tile_pass(
        descriptor[layout.PASS], descriptor, x, x, x, descriptor, 0, 0, work, n_lanes, 0, 0, first,
        n_samples, 1, 1.0, mode, 0, 0, 0,
    )  # fmt: skip


@scalar
def write_rows(net, tile, n_lanes, n_samples, n_features, out):
    """The samples of a tile into rows of `features` numbers."""
    descriptor = net.descriptor
    call_transpose(
        descriptor[layout.TRANSPOSE], tile, descriptor, out, n_lanes, n_samples, -1, n_features - 1,
        n_features, n_features,
    )  # fmt: skip


def vjp(descriptor, x, g, out, n_rows, work, part, parts):
    """C function: out = gᵀ ∂output/∂input for each of `rows` samples, if it is the part's."""
    if n_rows < 1:
        return 0.0
    net = view(descriptor, x)
    inputs, outputs = n_in(net), n_out(net)
    tile, begin, end = tiles_of(net, n_rows, part, parts)
    n_lanes = tile_lanes(net, tile)
    targets, _, _, scratch, layers = tile_parts(net, work, n_lanes, 0, 0)
    y = pointer(layers, layer_of(net, net.depth - 1)[layout.Y] * n_lanes)
    for first in range(begin, end, tile):
        n_samples = min(tile, end - first)
        forward_tile(net, x, work, n_lanes, first, n_samples, tiles.DERIVATIVES)
        last = first + n_samples - 1
        tiles.gather(net, g, outputs, descriptor, False, first, last, targets, n_lanes)
        activate_output(net, y, scratch, n_lanes)
        if descriptor[layout.OUTPUT_VJP]:
            call_tile_kernel(
                descriptor[layout.OUTPUT_VJP], targets, y, scratch, net.hyper, outputs, n_lanes, 0,
                0,
            )  # fmt: skip
        for i in range(outputs * n_lanes):
            y[i] = targets[i]
        room = pointer(work, tiles.tile_elements(net, n_lanes, 0))
        tiles.backward(net, layers, n_lanes, True, False, room)
        below = error_of(net, -1, layers, n_lanes)
        write_rows(net, below, n_lanes, n_samples, inputs, pointer(out, first * inputs))
    return 0.0


def jacobian(descriptor, x, out, work):
    """C function: out[k, i] = ∂output k / ∂input i for one sample.

    One lane an output: the errors of all outputs walk back at once.
    """
    net = view(descriptor, x)
    inputs, outputs, room = n_in(net), n_out(net), descriptor[layout.FEATURES]
    n_lanes = tile_lanes(net, outputs)
    widest, _ = _jacobian_rows(net)
    zero, delta = pointer(work, room), pointer(work, room + 16)
    y = _sample(net, x, work, zero, True)
    activate_output(net, y, pointer(zero, 1), 1)
    under = pointer(delta, widest * n_lanes)
    copies = pointer(under, widest * n_lanes)
    _unit_errors(net, y, delta, copies, n_lanes)
    for q in range(net.depth - 1, -1, -1):
        layer = layer_of(net, q)
        n, m, w = layer[layout.WIDTH], layer[layout.N_IN], pointer(net.theta, layer[layout.WEIGHTS])
        error = delta
        if layer[layout.LAYER_VJP]:
            _copy_rows(copies, pointer(work, layer[layout.DELTA]), layer[layout.MEMORY], n_lanes)
            b = pointer(net.theta, layer[layout.BIAS])
            hyper = pointer(net.hyper, layer[layout.HYPER_OFFSET])
            call_tile_kernel(
                layer[layout.LAYER_VJP], delta, b, copies, hyper, layer[layout.N_OUT], n_lanes, 0, 0
            )
            error = copies
        elif layer[layout.SCALED]:
            _scale_rows(delta, pointer(work, layer[layout.FACTORS]), n, n_lanes)
        call_gemm(
            descriptor[layout.GEMM], w, error, under, n, 1, n_lanes, n_lanes, m, n_lanes, n, SET
        )
        delta, under = under, delta
    write_rows(net, delta, n_lanes, outputs, inputs, out)
    return 0.0


@scalar
def _unit_errors(net, y, delta, copies, n_lanes):
    """One for output k in lane k, back through the activation that the cost gives the output."""
    outputs = n_out(net)
    for j in range(outputs):
        for r in range(n_lanes):
            delta[j * n_lanes + r] = cast_like(y[0], 1 if r == j else 0)
            copies[j * n_lanes + r] = y[j]
    if net.descriptor[layout.OUTPUT_VJP]:
        scratch = pointer(copies, outputs * n_lanes)
        call_tile_kernel(
            net.descriptor[layout.OUTPUT_VJP], delta, copies, scratch, net.hyper, outputs, n_lanes,
            0, 0,
        )  # fmt: skip


@scalar
def _copy_rows(a, values, n_rows, n_lanes):
    """Row j of a holds value j in every lane."""
    for j in range(n_rows):
        for r in range(n_lanes):
            a[j * n_lanes + r] = values[j]


@scalar
def _scale_rows(a, factors, n_rows, n_lanes):
    """Row j of a times factor j."""
    for j in range(n_rows):
        for r in range(n_lanes):
            a[j * n_lanes + r] *= factors[j]


def train_step(descriptor, X, T, n_rows, rate, work):
    """C function: one step of the update rule on `rows` samples; returns their cost before it.

    NaN if the step was refused, because a parameter would no longer be finite.
    """
    net = view(descriptor, X)
    tile = tile_samples(net, n_rows)
    n_lanes = tile_lanes(net, tile)
    hyper, steps = numbers(descriptor[layout.RULE_HYPER]), integers(descriptor[layout.STEPS])
    sums, grad = numbers(descriptor[layout.SUMS]), data(descriptor[layout.GRAD], X)
    context = ThreadContext(
        X, T, X, False, descriptor, False, n_rows, tile, n_lanes, 0,
        descriptor, sums, grad, 0, hyper, work, 1, 0, 1, True, 0,
    )  # fmt: skip
    scale = 1.0 / n_rows if descriptor[layout.MEAN] else 1.0
    key = np.int64(mix(np.uint64(descriptor[layout.SEED] + steps[0])))
    cost = 0.0
    for first in range(0, n_rows, tile):
        n_samples = min(tile, n_rows - first)
        cost += run_tile(
            net, context, work, 0, first, n_samples, scale, 1, tiles.DROPOUT, key, first, 1
        )
        tile_gradient(net, context, work, work, 0, n_samples, grad, 0, 1, first > 0)
    sums[PARTIAL], step = cost, steps[0] + 1
    collect(net, context, 0, n_rows, 1.0)
    if prepare(net, context, rate, step) and update(net, context, 0, step, rule.DRY_RUN) != 0.0:
        return np.nan
    update(net, context, 0, step, rule.APPLY)
    steps[0] = step
    return cost + sums[PENALTY]


INTEGRAND = Signature("integrand", count=C_INT, x=FLOATS, descriptor=INTS)


def integrand64(count, x, descriptor):
    """C function ``double (int, double *, void *)``: the one output of a float64 network."""
    work = numbers(descriptor[layout.SCRATCH])
    return _integrand(count, x, descriptor, work)


def integrand32(count, x, descriptor):
    """C function ``double (int, double *, void *)``: the one output of a float32 network."""
    return _integrand(count, x, descriptor, singles(descriptor[layout.SCRATCH]))


@scalar
def _integrand(count, x, descriptor, work):
    """The sample stands behind the workspace, and the output behind the sample.

    NaN for another number of variables than the network has inputs, and if the network has been
    changed since.
    """
    if count != descriptor[layout.INPUTS] or descriptor[layout.STALE]:
        return np.nan
    sample = pointer(work, descriptor[layout.SINGLE])
    for i in range(count):
        sample[i] = cast_like(work[0], x[i])
    out = pointer(sample, count)
    predict_sample(descriptor, sample, out, 1, work, 0, 1)
    return np.float64(out[0])


predict_sample = scalar(predict)
