"""The outputs of a tile and their derivatives by the parameters, features-major as the tile is.

A row of Jᵀ holds the derivatives of one output by one parameter, for all samples of the tile, so
that JᵀJ sums along contiguous memory. Parameters are those that are trained, in their order in
theta: the columns of frozen layers are left out.

Both ways are reached by their addresses, so that they are compiled once.
"""

from ..codegen.declare import scalar
from ..codegen.intrinsics import cast_like, pointer, sqrt, wide
from ..codegen.signature import DATA, FLOAT, INT, INTS, Signature
from ..engine import layout
from ..engine import tile as tiles
from ..engine.model import layer_of, line, most_samples, n_out, tile_lanes, view
from ..engine.tile import call_tile_pass, error_of, tile_parts
from ..vecmath.reductions import sum_of_squares

_SAMPLES = 256  # of a tile at most: Jᵀ of some sixty parameters stays in the second-level cache
_JACOBIAN_BYTES = 1 << 22  # of Jᵀ, where that leaves a few lines of samples
_LEAST = 4  # lines


@scalar
def trained_parameters(net):
    """How many parameters are not frozen."""
    total = 0
    for q in range(net.depth):
        total += parameters_of(layer_of(net, q))
    return total


@scalar
def parameters_of(layer):
    """How many parameters of a layer are trained; they are contiguous."""
    size = (layer[layout.N_IN] + 1) * layer[layout.WIDTH] + layer[layout.TRAINED]
    return size * layer[layout.TRAINABLE]


@scalar
def tile_shape(net, n_rows):
    """Samples and lanes of a full tile, where there are so many samples."""
    bytes_of_sample = 8 * (trained_parameters(net) + 1)
    most = max(_LEAST * line(net), _JACOBIAN_BYTES // bytes_of_sample // line(net) * line(net))
    most = min(_SAMPLES, most, most_samples(net))
    n_tiles = -(-n_rows // most)
    n_samples = -(-n_rows // n_tiles)
    return n_samples, tile_lanes(net, n_samples)


@scalar
def work_elements(net, n_lanes):
    """Elements of a workspace: tile, a copy of its layers, residuals, and Jᵀ with one of them."""
    rows = net.descriptor[layout.FEATURES] + n_out(net) + trained_parameters(net) + 1
    return tiles.work_size(net, n_lanes, 0) + rows * n_lanes


@scalar
def parts(net, work, n_lanes):
    """Pointers to samples, layers, the copy of the layers, residuals, Jᵀ and weights of a tile."""
    targets, x, _, _, layers = tile_parts(net, work, n_lanes, 0, 0)
    saved = pointer(work, tiles.work_size(net, n_lanes, 0))
    residuals = pointer(saved, net.descriptor[layout.FEATURES] * n_lanes)
    rows = pointer(residuals, n_out(net) * n_lanes)
    roots = pointer(targets, net.descriptor[layout.TARGETS] * n_lanes)
    return targets, x, layers, saved, residuals, rows, roots


@scalar
def forward(net, X, work, n_lanes, first, n_samples, regather):
    """Run samples forward, with what the way back wants; returns their outputs (n_out, n_lanes).

    regather: the samples, which else stand in the tile.
    """
    call_tile_pass(
        net.descriptor[layout.PASS], net.descriptor, X, X, X, net.descriptor, 0, 0, work, n_lanes,
        0, 0, first, n_samples, regather, 1.0, tiles.DERIVATIVES, 0, 0, 0,
    )  # fmt: skip
    _, _, layers, _, _, _, _ = parts(net, work, n_lanes)
    return pointer(layers, layer_of(net, net.depth - 1)[layout.Y] * n_lanes)


RESIDUALS = Signature(
    "residuals", descriptor=INTS, X=DATA, T=DATA, weights=DATA, weighted=INT, scale=FLOAT,
    work=DATA, n_lanes=INT, first=INT, n_samples=INT, regather=INT,
)  # fmt: skip
JACOBIAN = Signature("jacobian rows", descriptor=INTS, work=DATA, n_lanes=INT, output=INT)
call_residuals, call_jacobian = RESIDUALS.call, JACOBIAN.call


def residuals(
    descriptor, X, T, weights, weighted, scale, work, n_lanes, first, n_samples, regather
):  # fmt: skip
    """C function: residuals √(scale w) (y − t) of samples, which stay; returns their squares' sum.

    The roots of the weights stand behind the targets: zero in the lanes beyond the last sample.
    regather: samples, targets and weights, which else stand in the tile.
    """
    wide()
    net = view(descriptor, work)
    y = forward(net, X, work, n_lanes, first, n_samples, regather)
    targets, _, _, _, found, _, roots = parts(net, work, n_lanes)
    last, outputs = first + n_samples - 1, n_out(net)
    if regather:
        tiles.gather(net, T, outputs, descriptor, False, first, last, targets, n_lanes)
        tiles.gather_weights(
            weights, weighted, scale, descriptor, False, first, last, roots, n_lanes
        )
        for r in range(n_lanes):
            roots[r] = sqrt(roots[r])
    for j in range(outputs):
        for r in range(n_lanes):
            i = j * n_lanes + r
            found[i] = roots[r] * (y[i] - targets[i])
    return sum_of_squares(found, outputs * n_lanes)


@scalar
def keep_layers(net, work, n_lanes, back):
    """Copy what the layers computed, or the copy back: the way back overwrites derivatives."""
    _, _, layers, saved, _, _, _ = parts(net, work, n_lanes)
    for i in range(net.descriptor[layout.FEATURES] * n_lanes):
        if back:
            layers[i] = saved[i]
        else:
            saved[i] = layers[i]


def jacobian(descriptor, work, n_lanes, output):
    """C function: Jᵀ (parameters, n_lanes) of one output, times the roots of the weights.

    The tile must be as the way forward left it; the first output's keeps a copy, if there are more.
    """
    wide()
    net = view(descriptor, work)
    _, x, layers, _, _, rows, roots = parts(net, work, n_lanes)
    if n_out(net) > 1:
        keep_layers(net, work, n_lanes, output > 0)
    error = pointer(layers, layer_of(net, net.depth - 1)[layout.GRAD_Y] * n_lanes)
    for j in range(n_out(net)):
        for r in range(n_lanes):
            error[j * n_lanes + r] = roots[r] if j == output else cast_like(roots[0], 0)
    room = pointer(work, tiles.tile_elements(net, n_lanes, 0))
    tiles.backward(net, layers, n_lanes, False, False, room)
    for q in range(net.depth):
        layer = layer_of(net, q)
        if layer[layout.TRAINABLE]:
            source = pointer(layers, layer_of(net, q - 1)[layout.Y] * n_lanes) if q else x
            layer_rows(net, q, source, layers, rows, n_lanes)
            rows = pointer(rows, parameters_of(layer) * n_lanes)
    return 0.0


@scalar
def layer_rows(net, q, source, layers, rows, n_lanes):
    """The rows of one layer: weights, biases, and what the activation trains behind them."""
    layer, delta = layer_of(net, q), error_of(net, q, layers, n_lanes)
    width = layer[layout.WIDTH]
    for i in range(layer[layout.N_IN]):
        for j in range(width):
            for r in range(n_lanes):
                value = source[i * n_lanes + r] * delta[j * n_lanes + r]
                rows[(i * width + j) * n_lanes + r] = value
    rows = pointer(rows, layer[layout.N_IN] * width * n_lanes)
    for i in range(width * n_lanes):
        rows[i] = delta[i]
    rows = pointer(rows, width * n_lanes)
    grad_y = pointer(layers, layer[layout.GRAD_Y] * n_lanes)
    for i in range(layer[layout.TRAINED] * n_lanes):
        rows[i] = grad_y[i]
