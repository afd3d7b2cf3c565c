"""Rows chosen by an index into columns, as many at once as a vector register has lanes."""

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
        (
            source,
            source_stride,
            n_columns,
            order,
            first,
            last,
            out,
            out_stride,
            out_column,
            n_out_columns,
        ) = args
        emit = Vectors(context, builder, sig.args[0].dtype)
        natural = builder.icmp_signed("<", first, WORD(0))
        begin = builder.select(natural, builder.not_(first), first)
        rows = []
        for lane in range(emit.lanes):
            index = builder.add(begin, WORD(lane))
            index = builder.select(builder.icmp_signed(">", index, last), last, index)
            entry = builder.gep(order, [builder.select(natural, WORD(0), index)])
            index = builder.select(natural, index, builder.load(entry))
            rows.append(builder.gep(source, [builder.mul(index, source_stride)]))
        out_mask = emit.mask(builder.sub(n_out_columns, out_column))

        def write(at, values):
            _transpose_block(emit, rows, at, n_columns, out, out_stride, out_column, out_mask)
            return values

        counted_loop(builder, WORD(0), n_columns, WORD(emit.lanes), [], write)
        return context.get_dummy_value()

    return sig, codegen


def _transpose_block(emit, rows, at, n_columns, out, out_stride, out_column, out_mask):
    """A block of as many columns as rows, from column `at` on; fewer at the end."""
    builder = emit.builder
    left = builder.sub(n_columns, at)
    mask = emit.mask(left)
    block = [emit.load_some(row, at, mask) for row in rows]
    step = 1
    while step < emit.lanes:
        block = _exchange(emit, block, step)
        step *= 2
    end = builder.append_basic_block("end")
    for lane, value in enumerate(block):
        offset = builder.add(builder.mul(builder.add(at, WORD(lane)), out_stride), out_column)
        emit.store_some(value, out, offset, out_mask)
        if lane + 1 < emit.lanes:
            more = builder.append_basic_block("more")
            builder.cbranch(builder.icmp_signed("<", WORD(lane + 1), left), more, end)
            builder.position_at_end(more)
    builder.branch(end)
    builder.position_at_end(end)


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
