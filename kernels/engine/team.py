"""What the threads of a training share: data, memory, and how far each of them is."""

from typing import NamedTuple

import numpy as np

from ..codegen.barrier import wait
from ..codegen.declare import scalar
from ..codegen.intrinsics import pointer
from . import layout
from . import tile as tiles
from .model import view


class Batches(NamedTuple):
    """What a training reads, and how it is cut into batches and tiles."""

    X: np.ndarray  # (count, n_in)
    T: np.ndarray  # (count, columns of the targets)
    weights: np.ndarray  # (count,) or empty: of the samples
    order: np.ndarray  # int64, indices of the samples, shuffled every epoch; or empty: as they come
    rng: np.ndarray  # uint64, one: the state of the shuffle
    batch: int  # samples of a step
    tile: int  # samples of a tile
    n_lanes: int
    cached_tiles: int  # of a thread, gathered once a call; 0: gathered anew at every step


class Team(NamedTuple):
    """What the threads of a training share, and into how many parts its work is cut."""

    control: np.ndarray  # int64, see the names of its places
    sums: np.ndarray  # float64 (parts, LINE): a cache line for each, see the names of its places
    grads: np.ndarray  # (parts or 1, parameters, in whole lines); the first is the result. Of
    # frozen layers it is zero, and stays it
    hyper: np.ndarray  # float64 (parts, numbers): the rule's numbers, for each thread
    parts: int
    own: bool  # whether each part has a gradient of its own
    system: int  # address of what `barrier.system` has


# Places of `Team.control`, which is how a caller stops a training and learns where it stands.
# Cache lines apart: what all read, the barrier, and what the first thread writes at every step.
STOP, HALT = 0, 1  # HALT: the step, from 1 on, that is the last one and not taken

ARRIVED = 16

STEPS, EPOCH, START, STATUS = 32, 33, 34, 35  # START: first sample of the batch at hand

# Steps that were left out, since they would leave the finite numbers; samples of the epoch at hand
# whose cost is known; nanoseconds of the first thread in the last call.
SKIPPED, SEEN, TOOK = 36, 37, 38

CONTROLS = 48

# Places of `Team.sums`.
COST, SQUARES, BAD, PENALTY, PARTIAL = 0, 1, 2, 3, 4  # PARTIAL: of COST, before the team has met


class ThreadContext(NamedTuple):
    """Data and team inside a kernel, as one thread sees them: pointers, see `model.Net`."""

    X: object
    T: object
    weights: object
    weighted: bool
    order: object
    ordered: bool
    batch: int
    tile: int
    n_lanes: int
    cached_tiles: int
    control: object
    sums: object
    grads: object
    stride: int  # from one gradient to the next
    hyper: object  # of this thread
    work: object
    parts: int
    thread: int
    threads: int
    own: bool
    system: int


@scalar
def thread_context(batches, team, work, thread, threads):
    """What this thread needs of batches and team."""
    place = thread * team.hyper.shape[1]
    return ThreadContext(
        pointer(batches.X, 0), pointer(batches.T, 0), pointer(batches.weights, 0),
        batches.weights.size > 0, pointer(batches.order, 0), batches.order.size > 0,
        batches.batch, batches.tile, batches.n_lanes, batches.cached_tiles,
        pointer(team.control, 0), pointer(team.sums, 0), pointer(team.grads, 0),
        team.grads.shape[1], pointer(team.hyper, place), pointer(work, 0),
        team.parts, thread, threads, team.own, team.system,
    )  # fmt: skip


@scalar
def check(model, batches, team, work, parts):
    """Refuse what does not fit: nothing else stands between wrong sizes and others' memory.

    parts: for which there must be a workspace.
    """
    descriptor, n_rows = model.descriptor, batches.X.shape[0]
    X, T, weights, order, grads = batches.X, batches.T, batches.weights, batches.order, team.grads
    net = view(pointer(descriptor, 0), pointer(model.theta, 0))
    if (
        X.shape[1] != descriptor[layout.INPUTS]
        or T.shape[1] != descriptor[layout.TARGETS]
        or T.shape[0] != n_rows
    ):
        raise ValueError("samples or targets no longer fit the network: its layers have changed")
    if weights.size not in (0, n_rows) or order.size not in (0, n_rows):
        raise ValueError("as many weights and places in the order as samples are expected")
    most = team.parts if team.own else 1
    if model.theta.size != net.size or grads.shape[1] < net.size or grads.shape[0] < most:
        raise ValueError("parameters or gradients do not fit the network: its layers have changed")
    needed = parts * tiles.work_size(net, batches.n_lanes, batches.cached_tiles)
    if work.size < needed or team.sums.shape[0] < team.parts or team.hyper.shape[0] < team.parts:
        raise ValueError("the memory of a training is too small for its threads")


@scalar
def wait_for_team(context, ticket):
    """Wait for the others."""
    return wait(pointer(context.control, ARRIVED), ticket, context.threads, context.system)
