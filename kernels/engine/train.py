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

import numpy as np

from ..codegen.barrier import now
from ..codegen.cache_lines import LINE_WORDS as LINE
from ..codegen.declare import kernel, scalar
from ..codegen.intrinsics import integers, pointer
from ..gemm.loops import call_transpose
from ..vecmath.random import mix
from . import layout
from . import tile as tiles
from .model import n_in, tile_lanes, tile_samples, view
from .step import (
    accumulate,
    collect,
    penalty_weight,
    run_tile,
    step_cost,
    step_loss,
    take_step,
    tile_gradient,
    weight_of,
)
from .team import (
    EPOCH,
    PARTIAL,
    SEEN,
    SKIPPED,
    START,
    STEPS,
    TOOK,
    check,
    thread_context,
    wait_for_team,
)


@kernel
def shuffle(order, rng):
    """Fisher-Yates shuffle in place, driven by the SplitMix64 generator (Steele et al. 2014)."""
    for i in range(order.size - 1, 0, -1):
        rng[0] += np.uint64(0x9E3779B97F4A7C15)
        j = np.int64((mix(rng[0]) >> np.uint64(11)) % np.uint64(i + 1))
        order[i], order[j] = order[j], order[i]


@kernel
def train(model, batches, team, rates, costs, times, work, first, last, thread, threads):
    """Take the steps ``first … last - 1`` of a training in batches, all in this one call.

    Each of the threads makes this call with its number; there may be fewer than parts of the work.
    Steps are counted from the first one of the first epoch; calls follow one another.

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
    first, last, thread, threads : int

    At each tile the call looks at ``control[STOP]``. If a parameter would no longer be finite
    the call ends with ``control[STATUS] = 1``; parameters and state are those of the step before.

    """
    if first == last:  # called to be compiled, before there are samples
        return
    check(model, batches, team, work, team.parts)
    count = batches.X.shape[0]
    each = -(-count // batches.batch)
    most = min(costs.size, times.size) * each
    if rates.size < 1 or not 0 <= first <= last <= most:
        raise ValueError("a rate and room for the cost and time of every epoch are expected")
    context = thread_context(batches, team, work, thread, threads)
    net = view(pointer(model.descriptor, 0), context.work)
    control, mean = context.control, model.descriptor[layout.MEAN] != 0
    steps = integers(net.descriptor[layout.STEPS])[0] + control[SKIPPED] - first
    whole = weight_of(context, 0, count) if net.descriptor[layout.PENALISED] else 0.0
    ticket, begin = 0, now(team.system)
    for done in range(first, last):
        epoch, place = done // each, done % each
        if place == 0 and context.ordered:
            if thread == 0:
                shuffle(batches.order, batches.rng)
            ticket = wait_for_team(context, ticket)
        start = place * context.batch
        n_rows = min(context.batch, count - start)
        if thread == 0:
            begin_step(context, costs, epoch, start)
        scale = 1.0 / n_rows if mean else 1.0
        key = np.int64(mix(np.uint64(net.descriptor[layout.SEED] + steps + done)))
        regather = context.cached_tiles == 0 or done == first
        ticket = accumulate(net, context, start, n_rows, scale, regather, key, 0, done, ticket)
        rate, skipped = rates[min(done, rates.size - 1)], control[SKIPPED]
        weight = penalty_weight(net, context, start, n_rows, count, whole)
        ticket, taken = take_step(net, context, rate, n_rows, weight, steps, done, ticket)
        if not taken:
            return
        if thread == 0:
            end_step(net, context, costs, epoch, n_rows, steps + done + 1, skipped)
            if place == each - 1:
                end_epoch(context, costs, epoch, mean)
                times[epoch] = now(team.system)
    if thread == 0:
        control[TOOK] = now(team.system) - begin


@scalar
def begin_step(context, costs, epoch, start):
    """Note where the training stands, by the first thread; an epoch's cost begins at 0."""
    context.control[START] = start
    if start == 0:
        costs[epoch], context.control[SEEN] = 0.0, 0


@scalar
def end_step(net, context, costs, epoch, n_rows, steps, skipped):
    """Count a step, and what it cost, by the first thread; skipped: as many as before it."""
    control = context.control
    control[STEPS] += 1
    integers(net.descriptor[layout.STEPS])[0] = steps - control[SKIPPED]
    if control[SKIPPED] == skipped:
        costs[epoch] += step_cost(net, context, n_rows)
        control[SEEN] += n_rows


@scalar
def end_epoch(context, costs, epoch, mean):
    """Make the cost of an epoch of those of its steps."""
    control = context.control
    control[EPOCH] += 1
    if control[SEEN] == 0:
        costs[epoch] = np.nan
    elif mean:
        costs[epoch] /= control[SEEN]


@kernel
def gradient(model, batches, team, work, dX, first, last, sums):
    """Gradient of the cost of all samples, a part of them at a time.

    Parts ``first … last - 1`` leave theirs in ``team.grads``, and the rows of their samples in
    `dX`, unless it is empty; other threads may have others. sums: then add up those of all parts,
    and the penalties', in ``team.grads[0]``; what is returned then is the cost. Nothing is dropped
    out. The gradient of frozen parameters is left as it is, and must be zero.
    """
    check(model, batches, team, work, 1)
    if not 0 <= first <= last <= (team.parts if team.own else 0):
        raise ValueError("parts that have gradients are expected")
    if dX.size not in (0, batches.X.size):
        raise ValueError("the gradient by the samples does not have their size")
    for part in range(first, last):
        context = thread_context(batches, team, work, part, team.parts)
        net = view(pointer(model.descriptor, 0), context.work)
        part_gradient(net, context, batches.X.shape[0], pointer(dX, 0), dX.size > 0)
    context = thread_context(batches, team, work, 0, 1)
    if not sums:
        return 0.0
    net = view(pointer(model.descriptor, 0), context.work)
    for part in range(team.parts):
        collect(net, context, part, batches.X.shape[0], 1.0)
    return step_loss(context)


@scalar
def part_gradient(net, context, n_rows, dX, below):
    """Gradient of the samples of a part, which is this thread's; below: that by them, too."""
    n_lanes, width, back = context.n_lanes, n_in(net), 2 if below else 1
    scale = 1.0 / n_rows if net.descriptor[layout.MEAN] else 1.0
    part, share = context.thread, -(-n_rows // context.parts)
    grad, total = pointer(context.grads, part * context.stride), 0.0
    begin, end = part * share, min(n_rows, (part + 1) * share)
    for first in range(begin, end, context.tile):
        n_samples = min(context.tile, end - first)
        total += run_tile(
            net, context, context.work, 0, first, n_samples, scale, 1, tiles.DERIVATIVES, 0, first,
            back,
        )  # fmt: skip
        tile_gradient(
            net, context, context.work, context.work, 0, n_samples, grad, 0, 1, first > begin
        )
        if below:
            layers = tiles.tile_parts(net, context.work, n_lanes, 0, 0)[4]
            call_transpose(
                net.descriptor[layout.TRANSPOSE], tiles.error_of(net, -1, layers, n_lanes),
                net.descriptor, pointer(dX, first * width), n_lanes, n_samples, -1, width - 1,
                width, width,
            )  # fmt: skip
    context.sums[part * LINE + PARTIAL] = total


@kernel
def evaluate(model, batches, team, work, costs, part):
    """Costs of a part's tiles as the network predicts them, without penalties.

    Each has its own place in `costs`: their sum does not depend on how many parts there are.
    """
    check(model, batches, team, work, 1)
    context = thread_context(batches, team, work, part, team.parts)
    net = view(pointer(model.descriptor, 0), context.work)
    n_rows = batches.X.shape[0]
    n_tiles = -(-n_rows // context.tile)
    if costs.size != n_tiles or not 0 <= part < team.parts:
        raise ValueError("a cost for each tile, and one of the parts, are expected")
    scale = 1.0 / n_rows if model.descriptor[layout.MEAN] else 1.0
    for k in range(n_tiles * part // team.parts, n_tiles * (part + 1) // team.parts):
        first = k * context.tile
        n_samples = min(context.tile, n_rows - first)
        costs[k] = run_tile(
            net, context, context.work, 0, first, n_samples, scale, 1, tiles.OUTPUTS, 0, first, -1
        )


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
def clock(system):
    """Nanoseconds of the clock that `train` writes down."""
    return now(system)
