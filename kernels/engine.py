"""The engine: whole trainings of any dense network in one compiled call.

A network comes as a `Program`: one row of numbers a layer. Products, activations, the cost and the
update rule are row kernels, reached by their addresses, so one compiled engine a dtype serves every
depth, width and mix of them.

A batch is worked on in tiles of at most `TILE` samples, features-major (see `dense`). The workspace
holds, in this order:

    samples  batch * n_in     the gathered batch, tile by tile
    targets  batch * n_out    likewise
    tiles    features * TILE  of each layer its output and, where wanted, its derivative; then the
                              two buffers between which the error walks down
    scratch  2 * TILE         for the cost
"""

from typing import NamedTuple

import numpy as np

from .jit import call, kernel, pointer, scalar


class Program(NamedTuple):
    """A network as the engine reads it."""

    layers: np.ndarray  # int64 (layers, COLUMNS), see the names of the columns
    coefficients: np.ndarray  # float64, the parameters of activations and cost
    cost: int  # address of the cost's gradient
    rule: int  # address of the update rule
    lift: int  # features that outputs and derivatives hold in a tile
    widest: int  # features of each of the two error buffers above them


# Columns of `Program.layers`.
N_IN, N_OUT = 0, 1
WEIGHTS, BIAS = 2, 3  # offsets into theta
OUTPUTS, GRADIENT, BELOW = 4, 5, 6  # addresses of the layer's products, see `dense.Products`
FORWARD, BACKWARD = 7, 8  # addresses of its activation; BACKWARD 0: the derivative is one
OUTPUT, SAVED = 9, 10  # features before the layer's output, and before what BACKWARD reads
PARAMETERS = 11  # offset into `coefficients`
BY_ROWS = 12  # whether the layer reads one sample a row (only the first may)
COPY = 13  # whether the output is copied to SAVED, since the cost's gradient takes its place
COLUMNS = 14

# Places of `control`, which is how a caller stops a training and learns where it stands.
STOP, STEPS, EPOCH, START, STATUS = 0, 1, 2, 3, 4  # START: first sample of the batch at hand
CONTROLS = 5

TILE = 512  # samples: the tiles of a small network stay in the first-level cache


@scalar
def tile_rows(batch):
    """Samples in a full tile of this batch size."""
    return min(TILE, batch)


@scalar
def workspace_size(program, batch):
    """Elements of the workspace for batches of this size."""
    layers = program.layers
    ends = batch * (layers[0, N_IN] + layers[layers.shape[0] - 1, N_OUT])
    return ends + (program.lift + 2 * program.widest + 2) * tile_rows(batch)


@kernel
def shuffle(order, rng):
    """Fisher-Yates shuffle in place, driven by the SplitMix64 generator (Steele et al. 2014)."""
    for i in range(order.size - 1, 0, -1):
        rng[0] += np.uint64(0x9E3779B97F4A7C15)
        z = rng[0]
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        z ^= z >> np.uint64(31)
        j = np.int64((z >> np.uint64(11)) % np.uint64(i + 1))
        order[i], order[j] = order[j], order[i]


@scalar
def gather(source, order, start, rows, out, by_rows):
    """Copy `rows` samples from `start` on into a tile; an empty `order` is the natural one."""
    width = source.shape[1]
    for r in range(rows):
        row = order[start + r] if order.size else start + r
        if by_rows:
            for i in range(width):
                out[r * width + i] = source[row, i]
        else:
            for i in range(width):
                out[i * rows + r] = source[row, i]


@scalar
def forward_tile(program, theta, x, rows, tiles, tile):
    """Run the tile `x` through all layers; returns a pointer to the last output."""
    for q in range(program.layers.shape[0]):
        layer = program.layers[q]
        n_in, n_out = layer[N_IN], layer[N_OUT]
        w, b = pointer(theta, layer[WEIGHTS]), pointer(theta, layer[BIAS])
        z, saved = pointer(tiles, layer[OUTPUT] * tile), pointer(tiles, layer[SAVED] * tile)
        numbers = pointer(program.coefficients, layer[PARAMETERS])
        call(layer[OUTPUTS], x, w, z, numbers, n_in, n_out, rows, 0)
        call(layer[FORWARD], z, b, saved, numbers, n_out, rows, 0, 0)
        if layer[COPY]:
            for i in range(n_out * rows):
                saved[i] = z[i]
        x = z
    return x


@scalar
def backward_tile(program, theta, x, rows, tiles, tile, grad, keep, inputs):
    """Walk the error, which stands in the last output, down to the gradients.

    keep: add to `grad` instead of setting it. inputs: go on to the error of the input.
    Returns a pointer to the last error computed.
    """
    last = program.layers.shape[0] - 1
    delta = pointer(tiles, program.layers[last, OUTPUT] * tile)
    for q in range(last, -1, -1):
        layer = program.layers[q]
        n_in, n_out = layer[N_IN], layer[N_OUT]
        numbers = pointer(program.coefficients, layer[PARAMETERS])
        if layer[BACKWARD]:
            saved = pointer(tiles, layer[SAVED] * tile)
            call(layer[BACKWARD], delta, saved, saved, numbers, n_out, rows, 0, 0)
        source = pointer(tiles, program.layers[q - 1, OUTPUT] * tile) if q else x
        g = pointer(grad, layer[WEIGHTS])
        call(layer[GRADIENT], source, delta, g, numbers, n_in, n_out, rows, keep)
        if q or inputs:
            below = pointer(tiles, (program.lift + (q & 1) * program.widest) * tile)
            w = pointer(theta, layer[WEIGHTS])
            call(layer[BELOW], delta, w, below, numbers, n_in, n_out, rows, 0)
            delta = below
    return delta


@scalar
def batch_gradient(program, theta, grad, X, T, order, start, rows, work, batch, fresh, dX):
    """Set `grad` to the gradient of the summed cost of the samples start … start + rows.

    fresh: gather them; otherwise they are in the workspace from an earlier step.
    dX: takes the gradient of the inputs, unless it is empty.
    """
    layers = program.layers
    n_in, n_out = layers[0, N_IN], layers[layers.shape[0] - 1, N_OUT]
    tile = tile_rows(batch)
    samples = pointer(work, 0)
    targets = pointer(samples, batch * n_in)
    tiles = pointer(targets, batch * n_out)
    scratch = pointer(tiles, (program.lift + 2 * program.widest) * tile)
    numbers = pointer(program.coefficients, 0)
    by_rows = layers[0, BY_ROWS] != 0
    direct = by_rows and order.size == 0  # BLAS reads the samples where they are
    for first in range(0, rows, tile):
        n = min(tile, rows - first)
        t = pointer(targets, first * n_out)
        x = pointer(X, (start + first) * n_in) if direct else pointer(samples, first * n_in)
        if fresh:
            gather(T, order, start + first, n, t, False)
            if not direct:
                gather(X, order, start + first, n, x, by_rows)
        logits = forward_tile(program, theta, x, n, tiles, tile)
        call(program.cost, logits, t, scratch, numbers, n_out, n, 0, 0)
        keep, inputs = first > 0, dX.size > 0
        delta = backward_tile(program, theta, x, n, tiles, tile, grad, keep, inputs)
        if inputs:
            for r in range(n):
                for i in range(n_in):
                    dX[start + first + r, i] = delta[i * n + r]


@kernel
def gradient(program, theta, grad, X, T, order, work, dX):
    """Gradient of the summed cost of all samples: `grad` and, unless it is empty, `dX`."""
    rows = X.shape[0]
    batch_gradient(program, theta, grad, X, T, order, 0, rows, work, rows, True, dX)


@kernel
def train(program, hyper, theta, grad, state, X, T, order, rng, work, batch, epochs, control, dX):
    """Train for `epochs` passes over the samples, in batches, all in this one call.

    Parameters
    ----------
    program : Program
    hyper : float64 array, the numbers of the update rule, first the learning rate
    theta, grad, state : flat parameters, their gradient, the state of the update rule
    X, T : samples (count, n_in) and targets (count, n_out), C-contiguous
    order : int64 array of `count` indices, shuffled every epoch; empty: natural order
    rng : uint64 array of one, the state of the shuffle
    work : workspace of `workspace_size` elements
    batch, epochs : int
    control : int64 array, see the names of its places
    dX : an empty (0, 0) array

    Before each step the call looks at ``control[STOP]``. A rule that refuses a step because a
    parameter would no longer be finite ends the call with ``control[STATUS] = 1``; parameters and
    state are those of the step before.

    """
    count = X.shape[0]
    for epoch in range(epochs):
        if order.size:
            shuffle(order, rng)
        for start in range(0, count, batch):
            if control[STOP]:
                return
            rows = min(batch, count - start)
            fresh = batch < count or epoch == 0
            batch_gradient(program, theta, grad, X, T, order, start, rows, work, batch, fresh, dX)
            control[START] = start
            step = control[STEPS] + 1
            p, g = pointer(theta, 0), pointer(grad, 0)
            s, numbers = pointer(state, 0), pointer(hyper, 0)
            if call(program.rule, p, g, s, numbers, theta.size, step, 0, 0) != 0.0:
                control[STATUS] = 1
                return
            control[STEPS] = step
        control[EPOCH] += 1
