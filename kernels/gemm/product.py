"""Blocks of products, kept in vector registers.

`stripe`      a few rows of C = A B, in blocks of rows of A against vectors of columns of B
`panel_block` a block of packed operands, see `packing`
`dots`        a block of C = A Bᵀ, summed along the vectors
"""

import functools

from numba import types
from numba.extending import intrinsic

from .registers import WORD, Vectors, counted_loop, kept_here, machine

SET, ADD, MULTIPLY = 0, 1, 2  # what a product does with what C holds


def _shapes(registers):
    """Blocks of C: rows to the numbers of vectors they come with, the largest first."""
    if registers == 32:
        wide = {12: (2, 1), 10: (2, 1), 8: (2, 1), 6: (4, 2, 1), 4: (4, 2, 1)}
    else:
        wide = {6: (2, 1), 4: (2, 1)}
    return wide | {2: (4, 2, 1), 1: (8, 4, 2, 1)}


@intrinsic
def block_rows(typingctx, rows):
    """Rows of the block that begins a stretch of `rows`, at least one."""

    def codegen(context, builder, sig, args):
        result = WORD(1)
        for size in sorted(_shapes(machine(context)[1])):
            fits = builder.icmp_signed(">=", args[0], WORD(size))
            result = builder.select(fits, WORD(size), result)
        return result

    return types.int64(types.int64), codegen


@intrinsic
def stripe(
    typingctx, a, a_row_stride, a_term_stride, b, b_term_stride, c, c_row_stride, n, k, rows, flag
):
    """A few rows of C = A B, C + A B or C ∘ A B (flag SET, ADD or MULTIPLY), all n columns.

    a, b, c: pointers to where the rows begin. Element (i, l) of A stands at
    ``i*a_row_stride + l*a_term_stride``, row l of B at ``l*b_term_stride``, row i of C at
    ``i*c_row_stride``. k: terms of the sum, at least one. rows: as `block_rows` says. What a small
    product takes is the way to its blocks, so their shape is chosen once, not at each of them.
    """
    word = types.int64
    sig = types.void(a, word, word, b, word, c, word, word, word, word, word)

    def codegen(context, builder, sig, args):
        *operands, n, k, rows, flag = args
        emit = Vectors(context, builder, sig.args[0].dtype)
        done = builder.append_basic_block("done")
        choice = builder.switch(rows, done)
        for size, counts in _shapes(emit.registers).items():
            start = builder.append_basic_block(f"rows_{size}")
            choice.add_case(WORD(size), start)
            builder.position_at_end(start)
            column, (n_, k_, *known) = WORD(0), kept_here(builder, [n, k, *operands])
            for count in sorted(counts, reverse=True):
                width = count * emit.lanes
                whole = builder.and_(builder.sub(n_, column), WORD(-width))
                end = builder.add(column, whole) if count > 1 else n_
                block = functools.partial(_product_block, emit, size, count, known, n_, k_, flag)
                counted_loop(builder, column, end, WORD(width), [], block)
                column = end
            builder.branch(done)
        builder.position_at_end(done)
        return context.get_dummy_value()

    return sig, codegen


_UNROLLED = 4  # terms of packed operands in a turn of the loop


PANEL_VECTORS = 2  # of columns of B, in a panel


@intrinsic
def panel_rows(typingctx):
    """Rows of A in a panel: as many as a block of so many vectors may have."""

    def codegen(context, builder, sig, args):
        return WORD(max(_shapes(machine(context)[1])))

    return types.int64(), codegen


@intrinsic
def panel_block(typingctx, a, b, c, c_row_stride, k, flag):
    """One whole block of C from a panel of A and one of B, of k terms each; flag: of `product`."""
    word = types.int64
    sig = types.void(a, b, c, word, word, word)

    def codegen(context, builder, sig, args):
        a, b, c, c_row_stride, k, flag = args
        emit = Vectors(context, builder, sig.args[0].dtype)
        size = max(_shapes(emit.registers))
        cells = [(i, v) for i in range(size) for v in range(PANEL_VECTORS)]
        for i in range(size):
            emit.prefetch(builder.gep(c, [builder.mul(c_row_stride, WORD(i))]))
        add = functools.partial(_add_panel_terms, emit, size, a, b, cells)
        whole = builder.sub(k, builder.srem(k, WORD(_UNROLLED)))
        sums = counted_loop(
            builder, WORD(0), whole, WORD(_UNROLLED), [emit.zero] * len(cells),
            functools.partial(add, _UNROLLED),
        )  # fmt: skip
        sums = counted_loop(builder, whole, k, WORD(1), sums, functools.partial(add, 1))
        done = builder.append_basic_block("done")
        _write_block(emit, cells, sums, c, c_row_stride, flag, None, done)
        builder.position_at_end(done)
        return context.get_dummy_value()

    return sig, codegen


def _add_panel_terms(emit, size, a, b, cells, terms, at, sums):
    """Add so many terms of two panels, from term `at` on."""
    builder, count = emit.builder, PANEL_VECTORS
    row = builder.gep(a, [builder.mul(at, WORD(size))])
    column = builder.gep(b, [builder.mul(at, WORD(count * emit.lanes))])
    for t in range(terms):
        known = [emit.load(column, WORD((t * count + v) * emit.lanes)) for v in range(count)]
        factors = [
            emit.spread(builder.load(builder.gep(row, [WORD(t * size + i)]))) for i in range(size)
        ]
        sums = [emit.fma(factors[i], known[v], x) for (i, v), x in zip(cells, sums, strict=True)]
    return sums


def _product_block(emit, size, count, operands, n, k, flag, column, values):
    """A block from that column on. A single vector touches no column from n on."""
    builder = emit.builder
    a, a_row_stride, a_term_stride, b, b_term_stride, c, c_row_stride = operands
    b, c = builder.gep(b, [column]), builder.gep(c, [column])
    left, mask = builder.sub(n, column), None
    if count == 1:
        mask = emit.mask(left)
    offsets = [builder.mul(a_row_stride, WORD(i)) for i in range(size)]
    cells = [(i, v) for i in range(size) for v in range(count)]

    def add_term(term, sums):
        row = builder.gep(b, [builder.mul(term, b_term_stride)])
        if mask:
            columns = [emit.load_some(row, WORD(0), mask)]
        else:
            columns = [emit.load(row, WORD(v * emit.lanes)) for v in range(count)]
        at = builder.gep(a, [builder.mul(term, a_term_stride)])
        factors = [emit.spread(builder.load(builder.gep(at, [o]))) for o in offsets]
        return [emit.fma(factors[i], columns[v], x) for (i, v), x in zip(cells, sums, strict=True)]

    sums = _sums(emit, k, len(cells), add_term)
    done = builder.append_basic_block("written")
    if mask:  # a masked store costs many a machine ten others
        whole, part = (builder.append_basic_block(name) for name in ("whole", "part"))
        builder.cbranch(builder.icmp_signed(">=", left, WORD(emit.lanes)), whole, part)
        builder.position_at_end(part)
        _write_block(emit, cells, sums, c, c_row_stride, flag, mask, done)
        builder.position_at_end(whole)
    _write_block(emit, cells, sums, c, c_row_stride, flag, None, done)
    builder.position_at_end(done)
    return values


def _write_block(emit, cells, sums, c, c_row_stride, flag, mask, done):
    """Write the sums as the flag says, only the columns of the mask if there is one; to `done`."""
    builder = emit.builder
    modes = builder.switch(flag, done)
    for mode in (SET, ADD, MULTIPLY):
        block = builder.append_basic_block(f"mode_{mode}")
        modes.add_case(WORD(mode), block)
        builder.position_at_end(block)
        for (i, v), value in zip(cells, sums, strict=True):
            target = builder.gep(c, [builder.mul(c_row_stride, WORD(i))])
            column = WORD(v * emit.lanes)
            if mode != SET:
                old = emit.load_some(target, column, mask) if mask else emit.load(target, column)
                value = (builder.fadd if mode == ADD else builder.fmul)(old, value)
            if mask:
                emit.store_some(value, target, column, mask)
            else:
                emit.store(value, target, column)
        builder.branch(done)


def _sums(emit, k, cells, add_term):
    """The sums of a block over k terms.

    A multiplier takes some cycles, so a small block adds several terms at once, each to sums of its
    own, which come together at the end.
    """
    builder = emit.builder
    n_chains = max(1, _IN_FLIGHT // cells)
    sums = [emit.zero] * (cells * n_chains)
    if n_chains > 1:
        whole = builder.sub(k, builder.srem(k, WORD(n_chains)))

        def add_terms(term, values):
            return [
                x
                for chain in range(n_chains)
                for x in add_term(
                    builder.add(term, WORD(chain)), values[chain * cells : (chain + 1) * cells]
                )
            ]

        sums = counted_loop(builder, WORD(0), whole, WORD(n_chains), sums, add_terms)
        while len(sums) > cells:
            half = len(sums) // 2
            pairs = zip(sums[:half], sums[half:], strict=True)
            sums = [builder.fadd(x, y) for x, y in pairs]
        return counted_loop(builder, whole, k, WORD(1), sums, add_term)
    return counted_loop(builder, WORD(0), k, WORD(1), sums, add_term)


_IN_FLIGHT = 8  # sums that keep two multipliers of four cycles busy

_DOTS = (4, 2, 1)  # rows of A, and of B, in a block of `dots`


@intrinsic
def dots_columns(typingctx, left):
    """Rows of B in the block that begins a stretch of so many, at least one.

    Two at most where there are few registers: four and their sums would not stay in them.
    """

    def codegen(context, builder, sig, args):
        result = WORD(1)
        for size in (2, 4) if machine(context)[1] >= 32 else (2,):
            fits = builder.icmp_signed(">=", args[0], WORD(size))
            result = builder.select(fits, WORD(size), result)
        return result

    return types.int64(types.int64), codegen


@intrinsic
def dots(typingctx, a, a_row_stride, b, b_row_stride, c, c_row_stride, k, rows, columns, flag):
    """One block of C = A Bᵀ (or C + A Bᵀ), with 4, 2 or 1 rows of A and of B, of k elements each.

    k is a multiple of the lanes. Each sum is taken lane by lane, then over the lanes by halves.
    """
    word = types.int64
    sig = types.void(a, word, b, word, c, word, word, word, word, word)

    def codegen(context, builder, sig, args):
        a, a_row_stride, b, b_row_stride, c, c_row_stride, k, rows, columns, flag = args
        emit = Vectors(context, builder, sig.args[0].dtype)
        keep = builder.icmp_signed("!=", flag, WORD(0))
        done = builder.append_basic_block("done")
        choice = builder.switch(builder.add(builder.mul(rows, WORD(8)), columns), done)
        for m in _DOTS:
            for n in _DOTS:
                start = builder.append_basic_block(f"dots_{m}_{n}")
                choice.add_case(WORD(8 * m + n), start)
                builder.position_at_end(start)
                cells = [(i, j) for i in range(m) for j in range(n)]
                new = counted_loop(
                    builder, WORD(0), k, WORD(emit.lanes), [emit.zero] * len(cells),
                    functools.partial(_add_products, emit, a, a_row_stride, b, b_row_stride, cells),
                )  # fmt: skip
                for (i, j), value in zip(cells, new, strict=True):
                    row = builder.mul(c_row_stride, WORD(i))
                    cell = builder.gep(c, [builder.add(row, WORD(j))])
                    old = builder.load(cell)
                    total = emit.total(value)
                    total = builder.select(keep, builder.fadd(old, total), total)
                    builder.store(total, cell)
                builder.branch(done)
        builder.position_at_end(done)
        return context.get_dummy_value()

    return sig, codegen


def _add_products(emit, a, a_row_stride, b, b_row_stride, cells, at, sums):
    """Add the products of one vector of each row."""
    builder = emit.builder

    def vectors(pointer, stride, rows):
        return {
            k: emit.load(pointer, builder.add(builder.mul(stride, WORD(k)), at)) for k in set(rows)
        }

    left = vectors(a, a_row_stride, [i for i, _ in cells])
    right = vectors(b, b_row_stride, [j for _, j in cells])
    return [emit.fma(left[i], right[j], x) for (i, j), x in zip(cells, sums, strict=True)]
