"""A network as compiled code reads it: numbers in arrays, kernels by their addresses.

One compiled engine a dtype serves every depth, width and mix of kernels, since nothing of them is
part of a type. `Model` is what engine and users' compiled functions take.

A tile (see `gemm.loops`) and all that is computed from it stand in one stretch of memory, in rows
of `lanes` elements:

    targets  columns      the samples, gathered; there may be several such parts, if the
    weight   1            whole batch is small enough to be gathered once and kept; as many rows
    x        n_in         for targets as the output has features, if that is more
    ones     1            then what is computed
    scratch  4            for the cost
    layers   features     of each layer: the output y; the derivative d, whose place the error of
                          that layer takes on the way back; the error again, one sample a row.
                          Of a vector activation (see `activations.vector`): y; its memory; the
                          gradient by y; the error, one sample a row
    below    n_in         the error of the input, where it is wanted
"""

from typing import NamedTuple

import numpy as np

from ..codegen.declare import data, integers, itemsize, numbers, pointer, scalar
from ..gemm.loops import LINE_BYTES


class Model(NamedTuple):
    """A network with its parameters, ready for compiled code.

    `theta` is the network's own: training a model trains the network. `core` holds the addresses of
    everything else, which its base keeps alive; so few arrays, since each costs a compiled caller
    some nanoseconds a call. A model belongs to the process that made it.
    """

    core: np.ndarray  # int64, see the names of the places
    theta: np.ndarray  # parameters

    @property
    def parameters(self):
        """All weights and biases, layer by layer, w before b; in compiled code too."""
        return self.theta

    def __repr__(self):
        """Widths, dtype and number of parameters."""
        table = self.core.base.kept[LAYERS]
        widths = "-".join(map(str, [table[0, N_IN], *table[:, N_OUT]]))
        return f"<Model {widths}, {self.theta.dtype}, {self.theta.size} parameters>"

    def __reduce_ex__(self, protocol):
        """Addresses mean nothing elsewhere."""
        raise TypeError("a model cannot be copied or pickled: call compiled() of the network again")


# Columns of the table of layers, int64. An activation of each number alone works in place: the
# product goes to y, and d stands beside it. A vector activation has memory of its own, where
# the product goes and y is beside it, and PULL. All places are rows from the first of `layers`.
N_IN, N_OUT = 0, 1
WIDTH = 2  # rows of z = Wᵀ x + bias: columns of the weights
WEIGHTS, BIAS = 3, 4  # offsets into theta
TRAINED = 5  # numbers behind the biases, the gradients of which PULL leaves sample by sample
FORWARD, TRAIN, PULL = 6, 7, 8  # addresses; TRAIN writes what the way back wants. PULL may be 0
Z, BESIDE, Y = 9, 10, 11  # where z goes, what the activation has beside it, and its output
FACTORS = 12  # where the gradient by y arrives, from the next layer: over its factors, if any
SCALED = 13  # whether there are: a derivative, or the choice of dropout
GIVEN = 14  # where the gradient by y stands then: of the last layer over y, as the cost left it
DELTA = 15  # where the gradient by z stands in the end
TURNED = 16  # the same again, by samples
STRIDE = 17  # elements from one sample to the next there: whole cache lines
MEMORY = 18  # rows that a kind's memory has
NUMBERS = 19  # offset into `numbers`
DROPOUT, PENALTY = 20, 21  # whether the layer has them
TRAINABLE = 22  # 1; 0: the layer is frozen
COLUMNS = 23

# Places of a layer's numbers, float64: the activation's two come first.
L1, L2, DROP_RATE = 2, 3, 4
LAYER_NUMBERS = 5  # those of the cost come before the first layer's

# Places of `Model.core`.
MULTIPLY, INNER, TRANSPOSE = 0, 1, 2  # addresses of the products
PASS, GRADIENT = 3, 4  # addresses of what is done with a tile
COST, VALUE = 5, 6  # of the cost: its gradient, its value
ACTIVATE, PULL = 7, 8  # of the output's activation, and of its vjp; 0: there is none
RULE = 9  # of the update rule
PREDICT, STEP, JACOBIAN, VJP = 10, 11, 12, 13  # of what users call in their own kernels
LAYERS, NUMBERS_OF, THETA, GRAD, STATE = 14, 15, 16, 17, 18  # of the arrays
HYPER, STEPS, SCRATCH, SUMS = 19, 20, 21, 27  # of more arrays; SUMS: of a step taken alone
DEPTH, SIZE = 22, 23  # layers, parameters
FEATURES = 24  # rows of `layers` in a tile
MEAN = 25  # whether the cost is divided by the number of samples
SEED = 26  # of dropout
SINGLE = 28  # elements of a workspace for one sample
INPUTS, OUTPUTS = 29, 30  # features of a sample and of the output
TARGETS = 31  # columns of the targets
FROZEN = 32  # whether a layer is
LOWEST = 33  # the first layer that is not; DEPTH, if all are
PENALISED = 34  # whether a layer has a penalty
STALE = 35  # whether the network has gone on without this model, since it was changed
CORE = 36

TILE = 512  # samples at most: the tiles of a small network stay in the first-level cache
_TILE_BYTES = 2**19  # of a tile: half of a common second-level cache
SMALL = 2048  # parameters that one thread of a team updates sooner than all together


class Net(NamedTuple):
    """A model inside a kernel: pointers, which cost nothing to pass on (arrays are counted)."""

    core: object
    layers: object
    numbers: object
    theta: object
    depth: int
    size: int


@scalar
def opened(core, like):
    """A model by its core; like: any pointer to data of its dtype."""
    return Net(
        core, integers(core[LAYERS]), numbers(core[NUMBERS_OF]), data(core[THETA], like),
        core[DEPTH], core[SIZE],
    )  # fmt: skip


@scalar
def layer_of(net, q):
    """The row of layer q in the table."""
    return pointer(net.layers, q * COLUMNS)


@scalar
def n_in(net):
    """Features of a sample."""
    return net.layers[N_IN]


@scalar
def n_out(net):
    """Features of the output."""
    return layer_of(net, net.depth - 1)[N_OUT]


@scalar
def line(net):
    """Elements in a cache line."""
    return LINE_BYTES // itemsize(net.theta)


@scalar
def target_rows(net):
    """Rows of a tile for targets, or for as many numbers as the output has."""
    return max(n_out(net), net.core[TARGETS])


@scalar
def sample_rows(net):
    """Rows of a tile that hold gathered samples."""
    return target_rows(net) + 1 + n_in(net)


@scalar
def tile_features(net):
    """Rows of a tile, samples and all."""
    return sample_rows(net) + 5 + net.core[FEATURES] + n_in(net)


@scalar
def most_samples(net):
    """Samples that a tile holds at most."""
    most = _TILE_BYTES // (tile_features(net) * itemsize(net.theta))
    return min(TILE, max(4 * line(net), most // line(net) * line(net)))


@scalar
def tile_samples(net, share):
    """Samples in a full tile where a thread has `share` of them: a balanced cut.

    So a larger share may have smaller tiles; the largest of all shares up to one is
    ``min(share, most_samples(net))``.
    """
    tiles = -(-share // most_samples(net))
    return -(-share // tiles)


@scalar
def tile_lanes(net, samples):
    """Lanes of a tile: whole cache lines.

    Of a wide network an odd number: rows a power of two apart would share few places of the caches.
    """
    lines = -(-samples // line(net))
    if lines >= 8 and lines % 2 == 0 and tile_features(net) > 256:
        lines += 1
    return lines * line(net)


@scalar
def is_small(net):
    """Whether one thread of a team updates the parameters sooner than all of them together."""
    return net.size <= SMALL
