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
from ..codegen.declare import kernel
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
    take_step,
    tile_gradient,
    weight_of,
)
from .team import EPOCH, PENALTY, SKIPPED, START, STEPS, check, thread_context, wait_for_team


@kernel
def shuffle(order, rng):
    """Fisher-Yates shuffle in place, driven by the SplitMix64 generator (Steele et al. 2014)."""
    for i in range(order.size - 1, 0, -1):
        rng[0] += np.uint64(0x9E3779B97F4A7C15)
        j = np.int64((mix(rng[0]) >> np.uint64(11)) % np.uint64(i + 1))
        order[i], order[j] = order[j], order[i]


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
            call_transpose(
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
