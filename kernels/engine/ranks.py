"""A step that several processes share: the gradient of some of its samples, and the update.

In between, outside of compiled code, the processes add up their gradients, costs and weights. Each
then takes the whole step, from the same numbers to the same parameters. Whether it would leave the
finite numbers is looked at after the sum, so that all of them come to the same answer.
"""

import numpy as np

from ..codegen.declare import kernel
from ..codegen.intrinsics import integers, pointer
from ..vecmath.random import mix
from ..vecmath.reductions import add
from . import layout
from .model import view
from .step import accumulate, span, take_step, weight_of
from .team import SKIPPED, check, thread_context, wait_for_team
from .train import begin_step, end_epoch, end_step


@kernel
def shared_gradient(
    model, batches, team, work, start, n_rows, position, scale, regather, thread, threads
):
    """Gradient of a process's samples of a step, without penalties, into ``team.grads[0]``.

    Each of the threads makes this call with its number. ``team.sums[:, PARTIAL]`` are the costs of
    the parts.

    Parameters
    ----------
    model, batches, team, work
        See `train.train`.
    start, n_rows : int, the first of the samples in the order of this epoch, and how many they are
    position : int, of the first one in the batch of all processes
    scale : float, of the cost: of a mean, 1 / samples of all processes
    regather : bool, whether samples are gathered that an earlier call may have
    thread, threads : int

    Returns
    -------
    float
        Sum of the weights of the samples, where penalties ask for it; else 0.

    """
    if threads == 0:  # called to be compiled, before there are samples
        return 0.0
    check(model, batches, team, work, team.parts)
    if n_rows < 0 or n_rows > batches.batch or start < 0 or start + n_rows > batches.X.shape[0]:
        raise ValueError("samples of the data, at most a batch of them, are expected")
    context = thread_context(batches, team, work, thread, threads)
    net = view(pointer(model.descriptor, 0), context.work)
    steps = integers(net.descriptor[layout.STEPS])[0] + context.control[SKIPPED]
    key = np.int64(mix(np.uint64(net.descriptor[layout.SEED] + steps)))
    ticket = accumulate(
        net, context, start, n_rows, scale, regather, key, position, 0, 0
    )  # fmt: skip
    if context.own and context.parts > 1:
        wait_for_team(context, ticket)
        active = min(context.parts, -(-n_rows // context.tile))
        for part in range(thread, context.parts, threads):
            for q in range(net.depth):
                place, size = span(net, q, part, context.parts)
                for other in range(1, active):
                    copy = pointer(context.grads, other * context.stride + place)
                    add(pointer(context.grads, place), copy, size)
    return weight_of(context, start, n_rows) if net.descriptor[layout.PENALISED] else 0.0


@kernel
def shared_update(
    model, batches, team, work, costs, epoch, start, n_rows, rate, weight, is_last, thread, threads
):
    """Take the step whose gradient, of all processes, stands in ``team.grads[0]``.

    Each of the threads makes this call with its number. ``team.sums[:, PARTIAL]`` add up to its
    cost without penalties. If a parameter would no longer be finite, ``control[STATUS]`` is 1
    afterwards and nothing has changed, or the step is left out, as in `train.train`.

    Parameters
    ----------
    model, batches, work
        See `train.train`.
    team : Team, of which `own` is False: there is one gradient
    costs : float64 array (epochs,); of the epoch at hand, it takes the cost of the step
    epoch : int
    start, n_rows : int, the first sample of the batch in the epoch, and samples of all processes
    rate, weight : float, the learning rate, and the weight of the penalties
    is_last : bool, whether the epoch is over
    thread, threads : int

    """
    if threads == 0:  # called to be compiled, before there are samples
        return
    check(model, batches, team, work, 0)
    if team.own or not 0 <= epoch < costs.size:
        raise ValueError("one gradient, and room for the cost of the epoch, are expected")
    context = thread_context(batches, team, work, thread, threads)
    net = view(pointer(model.descriptor, 0), context.work)
    skipped = context.control[SKIPPED]
    steps = integers(net.descriptor[layout.STEPS])[0] + skipped
    if thread == 0:
        begin_step(context, costs, epoch, start)
    _, taken = take_step(net, context, rate, n_rows, weight, steps, 0, 0)
    if taken and thread == 0:
        end_step(net, context, costs, epoch, n_rows, steps + 1, skipped)
        if is_last:
            end_epoch(context, costs, epoch, net.descriptor[layout.MEAN] != 0)
