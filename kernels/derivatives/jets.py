"""The memory of jets: a value and its derivatives, of a tile of samples.

The *jet* of a feature is its value y, its derivatives along some directions, and perhaps its
Laplacian. A tile of samples holds each in lanes of its own (see `gemm.loops`): a row of `blocks`
stretches of `n_lanes`, so that a layer is one product of the weights with all of them. `chain_rule`
has what an activation makes of a jet, `passes` the way through all layers.

Kinds: along one direction of the parameters (Pearlmutter's R-operator, Neural Computation 6, 1994);
along each input, with the Laplacian (the forward Laplacian: Li et al., 2023, arXiv:2307.08214).
"""

from typing import NamedTuple

from ..codegen.cache_lines import LINE_BYTES
from ..codegen.declare import scalar
from ..codegen.intrinsics import cast_like, pointer
from ..engine import layout
from ..engine.model import layer_of, line, n_in, n_out

OF_PARAMETERS, LAPLACIAN = 0, 1  # kinds of jets

_TILE_BYTES = 2**18  # of a tile: half of a common second-level cache, beside the weights
_SCRATCH = 4  # rows


class Room(NamedTuple):
    """Where everything of one tile stands; each but `packing` in rows of lanes."""

    x: object  # n_in
    ones: object
    d: object  # _SCRATCH: derivatives of an activation
    above: object  # blocks of the widest layer: cotangents
    below: object  # as many
    more: object  # what a function wants beside
    jets: object  # blocks of each layer's outputs
    saved: object  # as many, for the way back
    output: object  # as many as the network's outputs: of the activation that the cost gives them
    packing: object  # for operands of products


@scalar
def tangents_of(net, kind):
    """Directions of the jets."""
    return n_in(net) if kind == LAPLACIAN else 1


@scalar
def blocks_of(net, kind):
    """Numbers of a jet."""
    return n_in(net) + 2 if kind == LAPLACIAN else 2


@scalar
def features_of(net):
    """Outputs of all layers; of the one that has most of them."""
    total = widest = 0
    for q in range(net.depth):
        n = layer_of(net, q)[layout.N_OUT]
        total, widest = total + n, max(widest, n)
    return total, widest


@scalar
def kept_rows(net, kind):
    """Rows of what comes forward: the jets, and what the way back wants of them."""
    total, _ = features_of(net)
    outputs = n_out(net) if kind == LAPLACIAN else 0
    return blocks_of(net, kind) * (2 * total + outputs)


@scalar
def rows_of(net, kind, more):
    """Rows of a tile."""
    _, widest = features_of(net)
    cotangents = 2 * blocks_of(net, kind) * widest
    return n_in(net) + 1 + _SCRATCH + cotangents + more + kept_rows(net, kind)


@scalar
def most_samples(net, busy):
    """Samples in a tile, at most: an odd number of cache lines.

    busy: rows that are to stay in the cache together.

    Rows a power of two apart would share few places of the caches.
    """
    size = line(net)
    lines = min(_TILE_BYTES // (busy * LINE_BYTES), layout.TILE // size - 1)
    return (max(lines - 1, 0) // 2 * 2 + 1) * size


@scalar
def lanes_of(net, n_samples):
    """Lanes of a tile of so many samples: an odd number of cache lines."""
    size = line(net)
    return (-(-n_samples // size) // 2 * 2 + 1) * size


@scalar
def elements(net, rows, busy, n_rows):
    """Elements of a workspace for up to `n_rows` samples; busy: the rows that `cut` is told."""
    n_lanes = lanes_of(net, min(max(n_rows, 1), most_samples(net, busy)))
    return n_lanes * rows + net.descriptor[layout.PACKING]


@scalar
def cut(net, busy, n_rows, part, parts):
    """Samples of a tile, its lanes; first and last + 1 of the samples in a part's tiles.

    The parts have the tiles that one alone has, each a few in a row, so that results do not depend
    on how many parts there are.
    """
    n_tiles = -(-n_rows // most_samples(net, busy))
    tile = -(-n_rows // n_tiles)
    n_tiles = -(-n_rows // tile)
    begin, end = n_tiles * part // parts, n_tiles * (part + 1) // parts
    return tile, lanes_of(net, tile), begin * tile, min(n_rows, end * tile)


@scalar
def room_of(net, work, kind, more, n_lanes):
    """The places in a workspace."""
    _, widest = features_of(net)
    blocks = blocks_of(net, kind) * n_lanes
    ones = pointer(work, n_in(net) * n_lanes)
    d = pointer(ones, n_lanes)
    above = pointer(d, _SCRATCH * n_lanes)
    below = pointer(above, widest * blocks)
    beside = pointer(below, widest * blocks)
    jets = pointer(beside, more * n_lanes)
    packing = pointer(jets, kept_rows(net, kind) * n_lanes)
    for r in range(n_lanes):
        ones[r] = cast_like(ones[0], 1)
    saved, output = _parts(net, jets, blocks)
    return Room(work, ones, d, above, below, beside, jets, saved, output, packing)


@scalar
def with_kept(net, room, kept, kind, n_lanes):
    """The same room, whose jets, and what is saved of them, stand in a memory of `kept_rows`."""
    saved, output = _parts(net, kept, blocks_of(net, kind) * n_lanes)
    return Room(
        room.x, room.ones, room.d, room.above, room.below, room.more, kept, saved, output,
        room.packing,
    )  # fmt: skip


@scalar
def _parts(net, jets, blocks):
    """Where `saved` and `output` of a room are, behind the jets."""
    total, _ = features_of(net)
    saved = pointer(jets, total * blocks)
    return saved, pointer(saved, total * blocks)


@scalar
def kept_elements(net, busy, kind, n_rows):
    """Elements of a memory of `kept_rows` for every tile of such a cut."""
    tile, n_lanes, _, end = cut(net, busy, max(n_rows, 1), 0, 1)
    return -(-end // tile) * kept_rows(net, kind) * n_lanes
