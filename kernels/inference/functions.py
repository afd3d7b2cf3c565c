"""What a network does inside other compiled code: C functions on one sample or a batch.

They allocate nothing and need no GIL. `overloads` has them as functions for users' kernels. A
single sample is a row of numbers: products then run along the outputs of a layer, not along
samples.
"""

import numpy as np

from ..codegen.declare import call, data, integers, like, numbers, pointer, scalar, singles
from ..engine import model as at
from ..engine import tile as tiles
from ..engine.model import layer_of, most_samples, n_in, n_out, opened, tile_lanes, tile_samples
from ..engine.tile import error_of, tile_parts
from ..engine.train import PARTIAL, PENALTY, Crew, collect, prepare, run_tile, tile_gradient, update
from ..gemm.registers import ADD, SET
from ..optimizers import rules as rule
from ..vecmath.random import mix

PREDICT_ARGUMENTS = "oddid"
STEP_ARGUMENTS = "oddifd"
JACOBIAN_ARGUMENTS = "oddd"
VJP_ARGUMENTS = "odddid"

_FEW = 4  # samples up to which one by one is faster than a tile


@scalar
def workspace_elements(core, like, rows):
    """Elements of a workspace for up to `rows` samples at once, and for a Jacobian."""
    net = opened(core, like)
    lanes = tile_lanes(net, min(max(rows, 1), most_samples(net)))  # the largest tile of them all
    return max(tiles.work_size(net, lanes, 0), _jacobian_elements(net))


@scalar
def _jacobian_rows(net):
    """Most features of a layer or of the input; rows that copies of a layer's memory take."""
    widest, copies = n_in(net), n_out(net) + 4  # with the scratch of a cost's pull
    for q in range(net.depth):
        layer = layer_of(net, q)
        widest, copies = max(widest, layer[at.N_OUT]), max(copies, layer[at.MEMORY])
    return widest, copies


@scalar
def _jacobian_elements(net):
    """Elements of a workspace for a Jacobian: one sample, then errors of all outputs."""
    widest, copies = _jacobian_rows(net)
    return net.core[at.FEATURES] + 16 + tile_lanes(net, n_out(net)) * (2 * widest + copies)


@scalar
def _sample(net, x, layers, zero, derivatives):
    """One sample through the layers, which have one lane; returns the last output."""
    zero[0] = like(zero[0], 0)
    for q in range(net.depth):
        layer = layer_of(net, q)
        inputs, width, kernel = layer[at.N_IN], layer[at.WIDTH], layer[at.FORWARD]
        w, b = pointer(net.theta, layer[at.WEIGHTS]), pointer(net.theta, layer[at.BIAS])
        z, beside = pointer(layers, layer[at.Z]), pointer(layers, layer[at.BESIDE])
        numbers_of = pointer(net.numbers, layer[at.NUMBERS])
        if derivatives:
            kernel = layer[at.TRAIN]
        if layer[at.MEMORY]:
            call(net.core[at.MULTIPLY], x, w, z, 0, 1, width, width, 1, width, inputs, SET)
            call(kernel, z, b, beside, numbers_of, layer[at.N_OUT], 1, 0, 0)
        else:  # each number alone: as lanes of one feature, whose bias is zero
            for j in range(width):
                z[j] = b[j]
            call(net.core[at.MULTIPLY], x, w, z, 0, 1, width, width, 1, width, inputs, ADD)
            call(kernel, z, zero, beside, numbers_of, 1, width, 0, 0)
        x = pointer(layers, layer[at.Y])
    return x


@scalar
def _activate(net, y, scratch, lanes):
    """The activation that the cost gives the output."""
    if net.core[at.ACTIVATE]:
        call(net.core[at.ACTIVATE], y, y, scratch, net.numbers, n_out(net), lanes, 0, 0)


def predict(core, x, out, rows, work):
    """C function: outputs of the network for `rows` samples."""
    net = opened(core, x)
    inputs, outputs = n_in(net), n_out(net)
    if rows <= _FEW:
        for r in range(rows):
            y = _sample(net, pointer(x, r * inputs), pointer(work, 8), work, False)
            _activate(net, y, pointer(work, 1), 1)
            for j in range(outputs):
                out[r * outputs + j] = y[j]
        return 0.0
    tile = tile_samples(net, rows)
    lanes = tile_lanes(net, tile)
    _, _, _, scratch, layers = tile_parts(net, work, lanes, 0, 0)
    y = pointer(layers, layer_of(net, net.depth - 1)[at.Y] * lanes)
    for first in range(0, rows, tile):
        samples = min(tile, rows - first)
        _forward_tile(net, x, work, lanes, first, samples, tiles.OUTPUTS)
        _activate(net, y, scratch, lanes)
        _write(net, y, lanes, samples, outputs, pointer(out, first * outputs))
    return 0.0


@scalar
def _forward_tile(net, x, work, lanes, first, samples, way):
    core = net.core
    call(
        core[at.PASS], core, x, x, x, core, 0, 0, work, lanes, 0, 0, first, samples, 1, 1.0, way,
        0, 0, 0,
    )  # fmt: skip


@scalar
def _write(net, tile, lanes, samples, features, out):
    """The samples of a tile into rows of `features` numbers."""
    core = net.core
    call(core[at.TRANSPOSE], tile, core, out, lanes, samples, -1, features - 1, features, features)


def vjp(core, x, g, out, rows, work):
    """C function: out = gᵀ ∂output/∂input for each of `rows` samples."""
    if rows < 1:
        return 0.0
    net = opened(core, x)
    inputs, outputs = n_in(net), n_out(net)
    tile = tile_samples(net, rows)
    lanes = tile_lanes(net, tile)
    targets, _, _, scratch, layers = tile_parts(net, work, lanes, 0, 0)
    y = pointer(layers, layer_of(net, net.depth - 1)[at.Y] * lanes)
    for first in range(0, rows, tile):
        samples = min(tile, rows - first)
        _forward_tile(net, x, work, lanes, first, samples, tiles.DERIVATIVES)
        last = first + samples - 1
        tiles.gather(net, g, outputs, core, False, first, last, targets, lanes)
        _activate(net, y, scratch, lanes)
        if core[at.PULL]:
            call(core[at.PULL], targets, y, scratch, net.numbers, outputs, lanes, 0, 0)
        for i in range(outputs * lanes):
            y[i] = targets[i]
        tiles.backward(net, layers, lanes, True, False)
        below = error_of(net, -1, layers, lanes)
        _write(net, below, lanes, samples, inputs, pointer(out, first * inputs))
    return 0.0


def jacobian(core, x, out, work):
    """C function: out[k, i] = ∂output k / ∂input i for one sample.

    One lane an output: the errors of all outputs walk back at once.
    """
    net = opened(core, x)
    inputs, outputs, room = n_in(net), n_out(net), core[at.FEATURES]
    lanes = tile_lanes(net, outputs)
    widest, _ = _jacobian_rows(net)
    zero, delta = pointer(work, room), pointer(work, room + 16)
    y = _sample(net, x, work, zero, True)
    _activate(net, y, pointer(zero, 1), 1)
    under = pointer(delta, widest * lanes)
    copies = pointer(under, widest * lanes)
    _unit_errors(net, y, delta, copies, lanes)
    for q in range(net.depth - 1, -1, -1):
        layer = layer_of(net, q)
        n, m, w = layer[at.WIDTH], layer[at.N_IN], pointer(net.theta, layer[at.WEIGHTS])
        error = delta
        if layer[at.PULL]:
            _copy_rows(copies, pointer(work, layer[at.DELTA]), layer[at.MEMORY], lanes)
            b = pointer(net.theta, layer[at.BIAS])
            numbers_of = pointer(net.numbers, layer[at.NUMBERS])
            call(layer[at.PULL], delta, b, copies, numbers_of, layer[at.N_OUT], lanes, 0, 0)
            error = copies
        elif layer[at.SCALED]:
            _scale_rows(delta, pointer(work, layer[at.FACTORS]), n, lanes)
        call(core[at.MULTIPLY], w, error, under, n, 1, lanes, lanes, m, lanes, n, SET)
        delta, under = under, delta
    _write(net, delta, lanes, outputs, inputs, out)
    return 0.0


@scalar
def _unit_errors(net, y, delta, copies, lanes):
    """One for output k in lane k, back through the activation that the cost gives the output."""
    outputs = n_out(net)
    for j in range(outputs):
        for r in range(lanes):
            delta[j * lanes + r] = like(y[0], 1 if r == j else 0)
            copies[j * lanes + r] = y[j]
    if net.core[at.PULL]:
        scratch = pointer(copies, outputs * lanes)
        call(net.core[at.PULL], delta, copies, scratch, net.numbers, outputs, lanes, 0, 0)


@scalar
def _copy_rows(a, values, rows, lanes):
    """Row j of a holds value j in every lane."""
    for j in range(rows):
        for r in range(lanes):
            a[j * lanes + r] = values[j]


@scalar
def _scale_rows(a, factors, rows, lanes):
    """Row j of a times factor j."""
    for j in range(rows):
        for r in range(lanes):
            a[j * lanes + r] *= factors[j]


def train_step(core, X, T, rows, rate, work):
    """C function: one step of the update rule on `rows` samples; returns their cost before it.

    NaN if the step was refused, because a parameter would no longer be finite.
    """
    net = opened(core, X)
    tile = tile_samples(net, rows)
    lanes = tile_lanes(net, tile)
    hyper, steps = numbers(core[at.HYPER]), integers(core[at.STEPS])
    sums, grad = numbers(core[at.SUMS]), data(core[at.GRAD], X)
    crew = Crew(
        X, T, X, False, core, False, rows, tile, lanes, 0,
        core, sums, grad, 0, hyper, work, 1, 0, 1, True, 0,
    )  # fmt: skip
    scale = 1.0 / rows if core[at.MEAN] else 1.0
    key = np.int64(mix(np.uint64(core[at.SEED] + steps[0])))
    cost = 0.0
    for first in range(0, rows, tile):
        samples = min(tile, rows - first)
        cost += run_tile(net, crew, work, 0, first, samples, scale, 1, tiles.DROPOUT, key, first, 1)
        tile_gradient(net, crew, work, 0, samples, grad, 0, 1, first > 0)
    sums[PARTIAL], step = cost, steps[0] + 1
    collect(net, crew, 0, rows, 1.0)
    if prepare(net, crew, rate, step) and update(net, crew, 0, step, rule.TRY) != 0.0:
        return np.nan
    update(net, crew, 0, step, rule.TAKE)
    steps[0] = step
    return cost + sums[PENALTY]


INTEGRAND_ARGUMENTS = "cno"


def integrand64(count, x, core):
    """C function ``double (int, double *, void *)``: the one output of a float64 network."""
    work = numbers(core[at.SCRATCH])
    return _integrand(count, x, core, work)


def integrand32(count, x, core):
    """C function ``double (int, double *, void *)``: the one output of a float32 network."""
    return _integrand(count, x, core, singles(core[at.SCRATCH]))


@scalar
def _integrand(count, x, core, work):
    """The sample stands behind the workspace, and the output behind the sample.

    NaN for another number of variables than the network has inputs, and if the network has been
    changed since.
    """
    if count != core[at.INPUTS] or core[at.STALE]:
        return np.nan
    sample = pointer(work, core[at.SINGLE])
    for i in range(count):
        sample[i] = like(work[0], x[i])
    out = pointer(sample, count)
    predict_sample(core, sample, out, 1, work)
    return np.float64(out[0])


predict_sample = scalar(predict)
