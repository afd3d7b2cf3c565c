"""One step of a training: the gradient of a batch by all threads, then the update."""

from ..codegen.cache_lines import LINE_WORDS as LINE
from ..codegen.declare import scalar
from ..codegen.intrinsics import data, itemsize, pointer
from ..optimizers import layout as rule
from ..optimizers import update as update_rule
from ..optimizers.layout import call_update_kernel
from ..vecmath.reductions import add, penalise, sum_of_scaled_squares, sum_of_squares
from . import layout
from . import tile as tiles
from .model import is_small, layer_of
from .team import (
    BAD,
    COST,
    HALT,
    PARTIAL,
    PENALTY,
    SKIPPED,
    SQUARES,
    STATUS,
    STOP,
    wait_for_team,
)
from .tile import call_tile_gradient, call_tile_pass


@scalar
def run_tile(net, context, work, number, first, n_samples, scale, regather, mode, key, place, back):
    """Call `tiles.tile_pass` for one of this thread's tiles; returns its cost."""
    return call_tile_pass(
        net.descriptor[layout.PASS], net.descriptor, context.X, context.T, context.weights,
        context.order, context.weighted, context.ordered, work, context.n_lanes,
        context.cached_tiles, number, first, n_samples, regather, scale, mode, key, place, back,
    )  # fmt: skip


@scalar
def tile_gradient(net, context, work, own, number, n_samples, grad, part, parts, accumulates):
    """Call `tiles.tile_gradient` for a tile in the workspace of this or another thread."""
    call_tile_gradient(
        net.descriptor[layout.GRADIENT], net.descriptor, work, own, grad, context.n_lanes,
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
    """Index in the batch of a part's tile in a chunk of tiles, and how many samples it has."""
    first = (chunk * context.parts + part) * context.tile
    return first, max(0, min(context.tile, n_rows - first))


@scalar
def accumulate(net, context, start, n_rows, scale, regather, key, position, done, ticket):
    """Gradient of one batch, as far as it goes before the team has met; returns the ticket.

    It stands in ``context.grads``: (parts, stride), a row for each part, or (1, stride) for all.
    key: of the dropout; position: of the first sample in the whole batch, for that; done: steps of
    this call. Looks for a stop at every tile, and then leaves off: the step will not be taken.
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
            run_part(net, context, part, chunk, start, n_rows, scale, regather, key, position)
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
def run_part(net, context, part, chunk, start, n_rows, scale, regather, key, position):
    """A part's tile of a chunk; with its gradient, where the part has one of its own."""
    place, n_samples = samples_of(context, n_rows, chunk, part)
    if n_samples == 0:
        return
    work, mode = part_work(net, context, part), tiles.DROPOUT
    cost = run_tile(
        net, context, work, chunk, start + place, n_samples, scale, regather, mode, key,
        position + place, 1,
    )  # fmt: skip
    context.sums[part * LINE + PARTIAL] += cost
    if context.own:
        grad = pointer(context.grads, part * context.stride)
        tile_gradient(net, context, work, work, chunk, n_samples, grad, 0, 1, chunk > 0)


@scalar
def part_work(net, context, part):
    """The workspace of a part."""
    return pointer(context.work, part * tiles.work_size(net, context.n_lanes, context.cached_tiles))


@scalar
def shared_gradient(net, context, part, n_rows, chunk):
    """A part's share of the gradient, from the tiles of all parts, into ``context.grads[0]``."""
    own = part_work(net, context, part)
    for other in range(context.parts):
        _, n_samples = samples_of(context, n_rows, chunk, other)
        if n_samples > 0:
            work, accumulates = part_work(net, context, other), chunk + other > 0
            tile_gradient(
                net, context, work, own, chunk, n_samples, context.grads, part, context.parts,
                accumulates,
            )  # fmt: skip


@scalar
def collect(net, context, part, n_rows, weight):
    """Finish a part's share of the gradient: sums over the parts, penalties, squares.

    ``context.grads``: (parts or 1, stride); the sums of ``context.sums`` (parts, LINE) that it
    leaves are SQUARES and PENALTY. weight: of the penalties in this step.
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
    factor, scaled = update_rule.rescaling(context.hyper, squares, itemsize(net.theta)), 0.0
    if factor > 0.0:  # rare: each thread looks for itself
        scaled = sum_of_scaled_squares(context.grads, net.size, factor)
    tries = update_rule.prepare(context.hyper, squares, factor, scaled, rate, itemsize(net.theta))
    call_update_kernel(
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
            bad += call_update_kernel(target, p, g, s, context.hyper, size, step, net.size, where)
    return bad


@scalar
def take_step(net, context, rate, n_rows, weight, steps, done, ticket):
    """From gradients to new parameters; returns the ticket, and whether the training goes on.

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
