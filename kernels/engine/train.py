"""The engine: whole trainings of any dense network in one compiled call, by one thread or a team.

The work of a step is cut into parts, which threads of a team take one each; fewer threads take
several, and come to the same bits. A step, each part with its own tiles of the batch:

    gather, forward, cost, backward    each its own samples, all layers, no waiting
    gradient                           own: of its own samples, into a copy of its own, where
                                       parameters are fewer than what the layers compute
                                       shared: of all samples, for its share of the weights
    update                             its share of the parameters; small ones are the first one's

and a meeting after each, so that nothing is read before it is whole. One thread alone does the same
without meetings. Whether a step would leave the finite numbers is known before any parameter
changes.
"""

from typing import NamedTuple

import numpy as np

from ..codegen.barrier import now, wait
from ..codegen.declare import call, data, integers, itemsize, kernel, pointer, scalar
from ..optimizers import rules as rule
from ..vecmath.random import mix
from ..vecmath.reductions import add, penalise, sum_of_scaled_squares, sum_of_squares
from . import layout
from . import tile as tiles
from .model import is_small, layer_of, n_in, tile_lanes, tile_samples, view


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
    give_way: int  # address of the system's yield
    clock: int  # address of the system's clock


# Places of `Team.control`, which is how a caller stops a training and learns where it stands.
# Cache lines apart: what all read, the barrier, and what the first thread writes at every step.
STOP, HALT = 0, 1  # HALT: the step of this call, from 1 on, that is the last one and not taken
ARRIVED = 16
STEPS, EPOCH, START, STATUS = 32, 33, 34, 35  # START: first sample of the batch at hand
SKIPPED = 36  # steps of this call that were left out, since they would leave the finite numbers
CONTROLS = 48

# Places of `Team.sums`.
COST, SQUARES, BAD, PENALTY, PARTIAL = 0, 1, 2, 3, 4  # PARTIAL: of COST, before the team has met
LINE = 8


class ThreadContext(NamedTuple):
    """Data and team inside a kernel, as one thread sees them: pointers, see `program.Net`."""

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
    give_way: int


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
        team.parts, thread, threads, team.own, team.give_way,
    )  # fmt: skip


@scalar
def check(model, batches, team, work):
    """Refuse what does not fit: nothing else stands between wrong sizes and others' memory."""
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
    needed = team.parts * tiles.work_size(net, batches.n_lanes, batches.cached_tiles)
    if work.size < needed or team.sums.shape[0] < team.parts or team.hyper.shape[0] < team.parts:
        raise ValueError("the memory of a training is too small for its threads")


@kernel
def shuffle(order, rng):
    """Fisher-Yates shuffle in place, driven by the SplitMix64 generator (Steele et al. 2014)."""
    for i in range(order.size - 1, 0, -1):
        rng[0] += np.uint64(0x9E3779B97F4A7C15)
        j = np.int64((mix(rng[0]) >> np.uint64(11)) % np.uint64(i + 1))
        order[i], order[j] = order[j], order[i]


@scalar
def run_tile(net, context, work, number, first, n_samples, scale, regather, mode, key, place, back):
    """Call `tiles.tile_pass` for one of this thread's tiles; returns its cost."""
    return call(
        net.descriptor[layout.PASS], net.descriptor, context.X, context.T, context.weights,
        context.order, context.weighted, context.ordered, work, context.n_lanes,
        context.cached_tiles, number, first, n_samples, regather, scale, mode, key, place, back,
    )  # fmt: skip


@scalar
def tile_gradient(net, context, work, number, n_samples, grad, part, parts, accumulates):
    """Call `tiles.tile_gradient` for a tile of this or another thread."""
    call(
        net.descriptor[layout.GRADIENT], net.descriptor, work, grad, context.n_lanes,
        context.cached_tiles, number, n_samples, part, parts, accumulates,
    )  # fmt: skip


@scalar
def span(net, q, part, parts):
    """The place in theta, and the size, of a share of layer q; the last one's has all but W.

    Of a frozen layer all shares are empty.
    """
    low, high = tiles.share(net, q, part, parts)
    layer = layer_of(net, q)
    size = (high - low) * layer[layout.WIDTH]
    if high == layer[layout.N_IN] and low < high:
        size += layer[layout.WIDTH] + layer[layout.TRAINED]
    return layer[layout.WEIGHTS] + low * layer[layout.WIDTH], size


@scalar
def samples_of(context, n_rows, chunk, part):
    """Place in the batch of a part's tile in a chunk of tiles, and how many samples it has."""
    first = (chunk * context.parts + part) * context.tile
    return first, max(0, min(context.tile, n_rows - first))


@scalar
def wait_for_team(context, ticket):
    """Wait for the others."""
    return wait(pointer(context.control, ARRIVED), ticket, context.threads, context.give_way)


@scalar
def accumulate(net, context, start, n_rows, scale, regather, key, done, ticket):
    """Gradient of one batch, as far as it goes before the team has met; returns the turn.

    Looks for a stop at every tile, and then leaves off: the step will not be taken.
    """
    chunks = -(-n_rows // (context.parts * context.tile))
    for part in range(context.thread, context.parts, context.threads):
        context.sums[part * LINE + PARTIAL] = 0.0
    for chunk in range(chunks):
        if context.control[STOP] and (context.own or context.thread == 0):
            context.control[HALT] = done + 1
            if context.own:
                break
        for part in range(context.thread, context.parts, context.threads):
            run_part(net, context, part, chunk, start, n_rows, scale, regather, key)
        if not context.own:
            ticket = wait_for_team(context, ticket)
            if context.control[HALT] == done + 1:
                break
            for part in range(context.thread, context.parts, context.threads):
                shared_gradient(net, context, part, n_rows, chunk)
            if chunk + 1 < chunks:
                ticket = wait_for_team(context, ticket)
    return ticket


@scalar
def run_part(net, context, part, chunk, start, n_rows, scale, regather, key):
    """A part's tile of a chunk; with its gradient, where the part has one of its own."""
    place, n_samples = samples_of(context, n_rows, chunk, part)
    if n_samples == 0:
        return
    work, mode = part_work(net, context, part), tiles.DROPOUT
    cost = run_tile(
        net, context, work, chunk, start + place, n_samples, scale, regather, mode, key, place, 1
    )
    context.sums[part * LINE + PARTIAL] += cost
    if context.own:
        grad = pointer(context.grads, part * context.stride)
        tile_gradient(net, context, work, chunk, n_samples, grad, 0, 1, chunk > 0)


@scalar
def part_work(net, context, part):
    """The workspace of a part."""
    return pointer(context.work, part * tiles.work_size(net, context.n_lanes, context.cached_tiles))


@scalar
def shared_gradient(net, context, part, n_rows, chunk):
    """A part's share of the gradient, from the tiles of all parts."""
    for other in range(context.parts):
        _, n_samples = samples_of(context, n_rows, chunk, other)
        if n_samples > 0:
            work, accumulates = part_work(net, context, other), chunk + other > 0
            tile_gradient(
                net, context, work, chunk, n_samples, context.grads, part, context.parts,
                accumulates,
            )  # fmt: skip


@scalar
def collect(net, context, part, n_rows, weight):
    """Finish a part's share of the gradient: sums over the parts, penalties, squares.

    weight: of the penalties in this step.
    """
    active = min(context.parts, -(-n_rows // context.tile)) if context.own else 1
    squares = penalty = 0.0
    for q in range(net.depth):
        place, size = span(net, q, part, context.parts)
        g = pointer(context.grads, place)
        for other in range(1, active):
            add(g, pointer(context.grads, other * context.stride + place), size)
        if layer_of(net, q)[layout.PENALTY]:
            penalty += penalty_of(net, context, q, part, weight)
        squares += sum_of_squares(g, size)
    sums = pointer(context.sums, part * LINE)
    sums[SQUARES], sums[PENALTY] = squares, penalty


@scalar
def penalty_of(net, context, q, part, weight):
    """Penalty of a part's weights of layer q; its gradient is added to theirs.

    That of a frozen layer is a number of the first part's, and has no gradient.
    """
    layer = layer_of(net, q)
    low, high = tiles.share(net, q, part, context.parts)
    if layer[layout.TRAINABLE] == 0 and part == 0:
        high = layer[layout.N_IN]
    hyper, place = pointer(net.hyper, layer[layout.HYPER_OFFSET]), layer[layout.WEIGHTS]
    place += low * layer[layout.WIDTH]
    w, g = pointer(net.theta, place), pointer(context.grads, place)
    l1, l2, moved = (
        weight * hyper[layout.L1],
        weight * hyper[layout.L2],
        float(layer[layout.TRAINABLE]),
    )
    return penalise(w, g, l1, l2, moved, (high - low) * layer[layout.WIDTH])


@scalar
def weight_of(context, start, n_rows):
    """What some samples count together: their number, or the sum of their weights."""
    if not context.weighted:
        return float(n_rows)
    total = 0.0
    for r in range(start, start + n_rows):
        total += context.weights[context.order[r] if context.ordered else r]
    return total


@scalar
def penalty_weight(net, context, start, n_rows, count, whole):
    """The weight of the penalties in the step of a batch.

    The cost of all samples has them once. A mean over the batch stands for the mean over all, so
    they are whole; of a sum they have the batch's share. whole: see `weight_of`, of all samples.
    """
    if net.descriptor[layout.PENALISED] == 0 or net.descriptor[layout.MEAN] or n_rows == count:
        return 1.0
    return weight_of(context, start, n_rows) / whole if whole > 0.0 else n_rows / count


@scalar
def prepare(net, context, rate, step):
    """Set this thread's numbers of the rule: the rate, the scale of the clipping, the loss.

    Returns whether the step is so large that it must be tried first.
    """
    squares = 0.0
    for part in range(context.parts):
        squares += context.sums[part * LINE + SQUARES]
    context.hyper[rule.LOSS] = step_loss(context)
    factor, scaled = rule.rescaling(context.hyper, squares, itemsize(net.theta)), 0.0
    if factor > 0.0:  # rare: each thread looks for itself
        scaled = sum_of_scaled_squares(context.grads, net.size, factor)
    tries = rule.prepare(context.hyper, squares, factor, scaled, rate, itemsize(net.theta))
    call(
        net.descriptor[layout.RULE], net.theta, net.theta, net.theta, context.hyper, 0, step, 0,
        rule.BEGIN,
    )  # fmt: skip
    return tries


@scalar
def step_loss(context):
    """The cost of this step as the network gives it, penalties included."""
    total = 0.0
    for part in range(context.parts):
        total += context.sums[part * LINE + PARTIAL] + context.sums[part * LINE + PENALTY]
    return total


@scalar
def update(net, context, part, step, flag):
    """Run the rule on a part's share, see its flags. Whether a result is not finite."""
    bad = 0.0
    target = net.descriptor[layout.RULE]
    whole = context.parts == 1 and net.descriptor[layout.FROZEN] == 0
    for q in range(1 if whole else net.depth):
        place, size = span(net, q, part, context.parts)
        if whole:
            size = net.size
        if size:
            p, g = pointer(net.theta, place), pointer(context.grads, place)
            s = pointer(data(net.descriptor[layout.STATE], p), place)
            where = flag + rule.FIRST * place
            bad += call(target, p, g, s, context.hyper, size, step, net.size, where)
    return bad


@scalar
def take_step(net, context, rate, n_rows, weight, steps, done, ticket):
    """From gradients to new parameters; returns the turn, and whether the training goes on.

    weight: of the penalties. steps: taken before this call, done: in it, those left out too. What
    other threads read is written after one meeting and read after the next. The parameters of a
    small network are the first part's.
    """
    control, first, parts = context.control, context.thread, context.parts
    alone = is_small(net)
    updating = 1 if alone else parts
    if context.own:
        ticket = wait_for_team(context, ticket)
    taken, step = control[HALT] != done + 1, steps + done + 1 - control[SKIPPED]
    for part in range(first, parts, context.threads):
        context.sums[part * LINE + COST] = context.sums[part * LINE + PARTIAL]
    for part in range(first, updating, context.threads):
        collect(net, context, part, n_rows, weight)
    if not alone:
        ticket = wait_for_team(context, ticket)
    if taken and first < updating:
        if prepare(net, context, rate, step):
            for part in range(first, updating, context.threads):
                bad = update(net, context, part, step, rule.DRY_RUN)
                context.sums[part * LINE + BAD] = bad
            if not alone:
                ticket = wait_for_team(context, ticket)
            for part in range(updating):
                taken = taken and context.sums[part * LINE + BAD] == 0.0
        if taken:
            for part in range(first, updating, context.threads):
                update(net, context, part, step, rule.APPLY)
        elif first == 0 and context.hyper[rule.SKIP] != 0.0:
            control[SKIPPED] += 1
        elif first == 0:
            control[STATUS], control[HALT] = 1, done + 1
    ticket = wait_for_team(context, ticket)
    return ticket, control[HALT] != done + 1


@scalar
def step_cost(net, context, n_rows):
    """Cost of a step, penalties included; of a mean, times the samples."""
    total = penalty = 0.0
    for part in range(context.parts):
        total += context.sums[part * LINE + COST]
        penalty += context.sums[part * LINE + PENALTY]
    return (total + penalty) * n_rows if net.descriptor[layout.MEAN] else total + penalty


@kernel
def train(model, batches, team, rates, costs, times, work, epochs, thread, threads):
    """Train for `epochs` passes over the samples, in batches, all in this one call.

    Each of the threads makes this call with its number; there may be fewer than parts of the work.

    Parameters
    ----------
    model : Model
    batches : Batches
    team : Team
    rates : float64 array, the learning rate of each step; the last one for all that follow
    costs, times : float64 and int64 arrays (epochs,), set to the cost of each epoch (of its
        samples, as the parameters were at each step, without those of steps that were left out; NaN
        if all were) and to the clock at its end
    work : workspace of `work_size` elements for each part
    epochs, thread, threads : int

    At each tile the call looks at ``control[STOP]``. If a parameter would no longer be finite
    the call ends with ``control[STATUS] = 1``; parameters and state are those of the step before.

    """
    if epochs == 0:  # called to be compiled, before there are samples
        return
    check(model, batches, team, work)
    if rates.size < 1 or costs.size < epochs or times.size < epochs:
        raise ValueError("a rate and room for the cost and time of every epoch are expected")
    context = thread_context(batches, team, work, thread, threads)
    net = view(pointer(model.descriptor, 0), context.work)
    control, count, mean = context.control, batches.X.shape[0], model.descriptor[layout.MEAN] != 0
    counter, last_rate, seed = (
        integers(net.descriptor[layout.STEPS]),
        rates.size - 1,
        net.descriptor[layout.SEED],
    )
    steps = counter[0]
    whole = weight_of(context, 0, count) if net.descriptor[layout.PENALISED] else 0.0
    ticket = done = 0
    for epoch in range(epochs):
        if context.ordered:
            if thread == 0:
                shuffle(batches.order, batches.rng)
            ticket = wait_for_team(context, ticket)
        total, seen = 0.0, 0
        for start in range(0, count, context.batch):
            n_rows = min(context.batch, count - start)
            if thread == 0:
                control[START] = start
            scale = 1.0 / n_rows if mean else 1.0
            key = np.int64(mix(np.uint64(seed + steps + done)))
            regather = context.cached_tiles == 0 or epoch == 0
            ticket = accumulate(net, context, start, n_rows, scale, regather, key, done, ticket)
            rate, skipped = rates[min(done, last_rate)], control[SKIPPED]
            weight = penalty_weight(net, context, start, n_rows, count, whole)
            ticket, taken = take_step(net, context, rate, n_rows, weight, steps, done, ticket)
            if not taken:
                return
            done += 1
            if thread == 0:
                control[STEPS] += 1
                counter[0] = steps + done - control[SKIPPED]
                if control[SKIPPED] == skipped:
                    total += step_cost(net, context, n_rows)
                    seen += n_rows
        if thread == 0:
            control[EPOCH] += 1
            costs[epoch] = total / (seen if mean else 1) if seen else np.nan
            times[epoch] = now(team.clock)


@kernel
def gradient(model, batches, team, work, dX):
    """Gradient of the cost of all samples, ``team.grads[0]`` and, unless it is empty, `dX`.

    Returns the cost. One thread; penalties are included, nothing is dropped out. That of frozen
    parameters is left as it is, and must be zero.
    """
    check(model, batches, team, work)
    if dX.size not in (0, batches.X.size):
        raise ValueError("the gradient by the samples does not have their size")
    context = thread_context(batches, team, work, 0, 1)
    net = view(pointer(model.descriptor, 0), context.work)
    n_rows, n_lanes, width = batches.X.shape[0], context.n_lanes, n_in(net)
    scale, back = 1.0 / n_rows if model.descriptor[layout.MEAN] else 1.0, 2 if dX.size else 1
    total = 0.0
    for first in range(0, n_rows, context.tile):
        n_samples = min(context.tile, n_rows - first)
        total += run_tile(
            net, context, context.work, 0, first, n_samples, scale, 1, tiles.DERIVATIVES, 0, first,
            back,
        )  # fmt: skip
        tile_gradient(net, context, context.work, 0, n_samples, context.grads, 0, 1, first > 0)
        if back == 2:
            layers = tiles.tile_parts(net, context.work, n_lanes, 0, 0)[4]
            call(
                net.descriptor[layout.TRANSPOSE], tiles.error_of(net, -1, layers, n_lanes),
                net.descriptor, pointer(dX, first * width), n_lanes, n_samples, -1, width - 1,
                width, width,
            )  # fmt: skip
    collect(net, context, 0, n_rows, 1.0)
    return total + context.sums[PENALTY]


@kernel
def evaluate(model, batches, team, work):
    """Cost of all samples as the network predicts them, without penalties. One thread."""
    check(model, batches, team, work)
    context = thread_context(batches, team, work, 0, 1)
    net = view(pointer(model.descriptor, 0), context.work)
    n_rows, total = batches.X.shape[0], 0.0
    scale = 1.0 / n_rows if model.descriptor[layout.MEAN] else 1.0
    for first in range(0, n_rows, context.tile):
        n_samples = min(context.tile, n_rows - first)
        total += run_tile(
            net, context, context.work, 0, first, n_samples, scale, 1, tiles.OUTPUTS, 0, first, -1
        )
    return total


@kernel
def tile_sizes(model, share, cached_tiles):
    """Samples and lanes of a full tile where a thread has `share` samples of a batch.

    And the elements of a thread's workspace, if it keeps as many of its tiles, or all (kept < 0),
    and how many those are.
    """
    net = view(pointer(model.descriptor, 0), pointer(model.theta, 0))
    n_samples = tile_samples(net, share)
    n_lanes = tile_lanes(net, n_samples)
    cached_tiles = -(-share // n_samples) if cached_tiles < 0 else cached_tiles
    return n_samples, n_lanes, cached_tiles, tiles.work_size(net, n_lanes, cached_tiles)


@kernel
def clock(address):
    """Nanoseconds of the clock that `train` writes down."""
    return now(address)
