"""Rows chosen by an index into columns, as many at once as a vector register has lanes."""

import functools

from numba import types
from numba.extending import intrinsic

from .registers import WORD, Vectors, counted_loop


@intrinsic
def transpose_vectors(
    typingctx, source, source_stride, n_columns, order, first, last, out, out_stride, out_column,
    n_out_columns,
):  # fmt: skip
    """Write a few rows of `source` as columns of `out`, as many as a vector has lanes.

    The rows have the indices ``order[min(first + l, last)]`` (without `order`, if `first` is
    negative: ``min(-1 - first + l, last)``), `source_stride` elements apart; their first
    `n_columns` elements become rows of `out`, `out_stride` apart, from column `out_column` on.
    Columns from `n_out_columns` on are left.
    """
    word = types.int64
    sig = types.void(source, word, word, order, word, word, out, word, word, word)

    def codegen(context, builder, sig, args):
        (source, stride, n_columns, order, first, last, *target, n_out_columns) = args
        emit = Vectors(context, builder, sig.args[0].dtype)
        rows = _rows(emit, source, stride, order, first, last)
        missing = builder.sub(n_out_columns, target[2])
        full, some = builder.icmp_signed(">=", missing, WORD(emit.lanes)), emit.mask(missing)
        with builder.if_else(full) as (then, otherwise):
            with then:
                _strip(emit, rows, n_columns, target, None)
            with otherwise:
                _strip(emit, rows, n_columns, target, some)
        return context.get_dummy_value()

    return sig, codegen


def _rows(emit, source, stride, order, first, last):
    """Pointers to the rows, as many as a vector has lanes."""
    builder = emit.builder
    natural = builder.icmp_signed("<", first, WORD(0))
    begin = builder.select(natural, builder.not_(first), first)
    rows = []
    for lane in range(emit.lanes):
        index = builder.add(begin, WORD(lane))
        index = builder.select(builder.icmp_signed(">", index, last), last, index)
        entry = builder.gep(order, [builder.select(natural, WORD(0), index)])
        index = builder.select(natural, index, builder.load(entry))
        rows.append(builder.gep(source, [builder.mul(index, stride)]))
    return rows


def _strip(emit, rows, n_columns, target, out_mask):
    """Whole blocks, then what is left: a masked store costs many a machine ten others."""
    builder = emit.builder
    whole = builder.sub(n_columns, builder.srem(n_columns, WORD(emit.lanes)))

    def write(end, masked, at, values):
        mask = emit.mask(builder.sub(end, at)) if masked else None
        block = _transposed(emit, rows, at, mask)
        _write_rows(emit, block, at, end if masked else None, *target, out_mask)
        return values

    step = WORD(emit.lanes)
    counted_loop(builder, WORD(0), whole, step, [], functools.partial(write, whole, False))
    counted_loop(builder, whole, n_columns, step, [], functools.partial(write, n_columns, True))


def _transposed(emit, rows, at, mask):
    """A block of as many columns as rows, from column `at` on; without a mask all are there."""
    block = [emit.load_some(row, at, mask) if mask else emit.load(row, at) for row in rows]
    step = 1
    while step < emit.lanes:
        block = _exchange(emit, block, step)
        step *= 2
    return block


def _write_rows(emit, block, at, end, out, out_stride, out_column, mask):
    """Columns from `at` on as rows of `out`: all of the block, or those before `end`."""
    builder = emit.builder
    after = builder.append_basic_block("after")
    for lane, value in enumerate(block):
        offset = builder.add(builder.mul(builder.add(at, WORD(lane)), out_stride), out_column)
        if mask:
            emit.store_some(value, out, offset, mask)
        else:
            emit.store(value, out, offset)
        if end is not None and lane + 1 < emit.lanes:
            more = builder.append_basic_block("more")
            following = builder.add(at, WORD(lane + 1))
            builder.cbranch(builder.icmp_signed("<", following, end), more, after)
            builder.position_at_end(more)
    builder.branch(after)
    builder.position_at_end(after)


def _exchange(emit, block, step):
    """Swap, for all pairs of vectors `step` apart, the off-diagonal lanes of that bit."""
    lanes = range(emit.lanes)
    low = [lane if not lane & step else emit.lanes + (lane ^ step) for lane in lanes]
    high = [lane ^ step if not lane & step else emit.lanes + lane for lane in lanes]
    result = list(block)
    for i in lanes:
        if not i & step:
            result[i] = emit.mix(block[i], block[i + step], low)
            result[i + step] = emit.mix(block[i], block[i + step], high)
    return result
