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

from ..codegen.cache_lines import LINE_BYTES
from ..codegen.declare import scalar
from ..codegen.intrinsics import data, integers, itemsize, numbers, pointer
from . import layout


class Model(NamedTuple):
    """A network with its parameters, ready for compiled code.

    `theta` is the network's own: training a model trains the network. `descriptor` holds the
    addresses of everything else, which its base keeps alive; so few arrays, since each costs a
    compiled caller some nanoseconds a call. A model belongs to the process that made it.
    """

    descriptor: np.ndarray  # int64, see `layout`
    theta: np.ndarray  # parameters

    @property
    def parameters(self):
        """All weights and biases, layer by layer, w before b; in compiled code too."""
        return self.theta

    def __repr__(self):
        """Widths, dtype and number of parameters."""
        table = self.descriptor.base.kept[layout.LAYERS]
        widths = "-".join(map(str, [table[0, layout.N_IN], *table[:, layout.N_OUT]]))
        return f"<Model {widths}, {self.theta.dtype}, {self.theta.size} parameters>"

    def __reduce_ex__(self, protocol):
        """Addresses mean nothing elsewhere."""
        raise TypeError("a model cannot be copied or pickled: call compiled() of the network again")


_TILE_BYTES = 2**19  # of a tile: half of a common second-level cache


class Net(NamedTuple):
    """A model inside a kernel: pointers, which cost nothing to pass on (arrays are counted)."""

    descriptor: object
    layers: object
    hyper: object
    theta: object
    depth: int
    size: int


@scalar
def view(descriptor, like):
    """A model by its descriptor; like: any pointer to data of its dtype."""
    return Net(
        descriptor,
        integers(descriptor[layout.LAYERS]),
        numbers(descriptor[layout.LAYER_HYPER]),
        data(descriptor[layout.THETA], like),
        descriptor[layout.DEPTH],
        descriptor[layout.SIZE],
    )


@scalar
def layer_of(net, q):
    """The row of layer q in the table."""
    return pointer(net.layers, q * layout.COLUMNS)


@scalar
def n_in(net):
    """Features of a sample."""
    return net.layers[layout.N_IN]


@scalar
def n_out(net):
    """Features of the output."""
    return layer_of(net, net.depth - 1)[layout.N_OUT]


@scalar
def line(net):
    """Elements in a cache line."""
    return LINE_BYTES // itemsize(net.theta)


@scalar
def target_rows(net):
    """Rows of a tile for targets, or for as many numbers as the output has."""
    return max(n_out(net), net.descriptor[layout.TARGETS])


@scalar
def sample_rows(net):
    """Rows of a tile that hold gathered samples."""
    return target_rows(net) + 1 + n_in(net)


@scalar
def tile_features(net):
    """Rows of a tile, samples and all."""
    return sample_rows(net) + 5 + net.descriptor[layout.FEATURES] + n_in(net)


@scalar
def packs(net):
    """Whether products of this network pack their operands, if a tile is large enough."""
    return net.descriptor[layout.PACKING] > 0


@scalar
def most_samples(net):
    """Samples that a tile holds at most; where weights are packed it is for many of them."""
    most = _TILE_BYTES // (tile_features(net) * itemsize(net.theta))
    least = 16 if packs(net) else 4  # lines
    return min(layout.TILE, max(least * line(net), most // line(net) * line(net)))


@scalar
def tile_samples(net, share):
    """Samples in a full tile where a thread has `share` of them: a balanced cut.

    So a larger share may have smaller tiles; the largest of all shares up to one is
    ``min(share, most_samples(net))``.
    """
    tiles = -(-share // most_samples(net))
    return -(-share // tiles)


@scalar
def tile_lanes(net, n_samples):
    """Lanes of a tile: whole cache lines.

    Of a wide network an odd number, unless operands are packed: rows a power of two apart would
    share few places of the caches.
    """
    lines = -(-n_samples // line(net))
    if lines >= 8 and lines % 2 == 0 and tile_features(net) > 256 and not packs(net):
        lines += 1
    return lines * line(net)


@scalar
def is_small(net):
    """Whether one thread of a team updates the parameters sooner than all of them together."""
    return net.size <= layout.SMALL
