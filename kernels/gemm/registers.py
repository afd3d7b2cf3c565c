"""Matrix products and transpositions in vector registers, written as instructions.

The compiler does not find these forms in plain loops. Each is an intrinsic that emits LLVM's vector
instructions for the machine at hand: the vectors are as long as its registers, and a product keeps
a block of the result in as many of them as there are.

`product`     a block of C = A B, rows of A against vectors of columns of B
`dots`        a block of C = A Bᵀ, summed along the vectors
`transpose`   rows chosen by an index, into columns
"""

import functools

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from ..codegen.declare import prefer_wide

__all__ = [
    "ADD",
    "MULTIPLY",
    "SET",
    "block_rows",
    "block_vectors",
    "dots",
    "product",
    "vector_lanes",
]

SET, ADD, MULTIPLY = 0, 1, 2  # what a product does with what C holds

_WORD, _INT = ir.IntType(64), ir.IntType(32)


@functools.cache
def _registers(features, triple):
    """Bytes of a vector register, and how many there are."""
    if "+avx512f" in features:
        return 64, 32
    if "+avx" in features:
        return 32, 16
    return 16, 32 if triple.startswith(("aarch64", "arm64")) else 16


def _machine(context):
    triple, _, features = context.codegen().magic_tuple()
    return _registers(features, triple)


def _shapes(registers):
    """Blocks of C: rows to the numbers of vectors they come with, the largest first."""
    if registers == 32:
        wide = {12: (2, 1), 10: (2, 1), 8: (2, 1), 6: (4, 2, 1), 4: (4, 2, 1)}
    else:
        wide = {6: (2, 1), 4: (2, 1)}
    return wide | {2: (4, 2, 1), 1: (8, 4, 2, 1)}


class _Vectors:
    """Emits vector instructions of one dtype for the machine at hand."""

    def __init__(self, context, builder, kind):
        size, registers = _machine(context)
        prefer_wide(builder.function)
        self.builder, self.single = builder, kind == types.float32
        self.number = ir.FloatType() if self.single else ir.DoubleType()
        self.itemsize = 4 if self.single else 8
        self.lanes = size // self.itemsize
        self.shapes = _shapes(registers)
        self.kind = ir.VectorType(self.number, self.lanes)
        self.zero = ir.Constant(self.kind, None)
        self._suffix = f"v{self.lanes}f{8 * self.itemsize}"

    def _intrinsic(self, name, result, *arguments):
        return cgutils.get_or_insert_function(
            self.builder.module, ir.FunctionType(result, arguments), name
        )

    def at(self, pointer, offset):
        """Pointer to the vector that begins `offset` elements on."""
        element = self.builder.gep(pointer, [offset])
        return self.builder.bitcast(element, self.kind.as_pointer())

    def load(self, pointer, offset):
        vector = self.builder.load(self.at(pointer, offset))
        vector.align = self.itemsize
        return vector

    def store(self, value, pointer, offset):
        self.builder.store(value, self.at(pointer, offset)).align = self.itemsize

    def mask(self, count):
        """The first `count` lanes."""
        wide = ir.VectorType(_INT, self.lanes)
        numbers = ir.Constant(wide, list(range(self.lanes)))
        limit = self._spread(self.builder.trunc(count, _INT), wide)
        return self.builder.icmp_signed("<", numbers, limit)

    def load_some(self, pointer, offset, mask):
        """Load the lanes of the mask; the others are zero and their memory is not touched."""
        address = self.at(pointer, offset)
        function = self._intrinsic(
            f"llvm.masked.load.{self._suffix}.p0",
            self.kind, address.type, _INT, mask.type, self.kind,
        )  # fmt: skip
        align = ir.Constant(_INT, self.itemsize)
        return self.builder.call(function, [address, align, mask, self.zero])

    def store_some(self, value, pointer, offset, mask):
        address = self.at(pointer, offset)
        function = self._intrinsic(
            f"llvm.masked.store.{self._suffix}.p0",
            ir.VoidType(), self.kind, address.type, _INT, mask.type,
        )  # fmt: skip
        align = ir.Constant(_INT, self.itemsize)
        self.builder.call(function, [value, address, align, mask])

    def spread(self, number):
        """A vector of one number."""
        return self._spread(number, self.kind)

    def _spread(self, number, kind):
        nothing = ir.Constant(kind, ir.Undefined)
        first = self.builder.insert_element(nothing, number, ir.Constant(_INT, 0))
        lanes = ir.Constant(ir.VectorType(_INT, self.lanes), [0] * self.lanes)
        return self.builder.shuffle_vector(first, nothing, lanes)

    def fma(self, a, b, c):
        function = self._intrinsic(f"llvm.fma.{self._suffix}", self.kind, *[self.kind] * 3)
        return self.builder.call(function, [a, b, c])

    def total(self, vector):
        """Sum of the lanes, halves first: always the same order."""
        lanes = self.lanes
        nothing = ir.Constant(self.kind, ir.Undefined)
        while lanes > 1:
            lanes //= 2
            order = [k + lanes if k < lanes else 0 for k in range(self.lanes)]
            indices = ir.Constant(ir.VectorType(_INT, self.lanes), order)
            upper = self.builder.shuffle_vector(vector, nothing, indices)
            vector = self.builder.fadd(vector, upper)
        return self.builder.extract_element(vector, ir.Constant(_INT, 0))

    def mix(self, a, b, order):
        indices = ir.Constant(ir.VectorType(_INT, self.lanes), order)
        return self.builder.shuffle_vector(a, b, indices)


def _loop(builder, first, end, step, starts, body):
    """Emit ``for i in range(first, end, step): values = body(i, values)``; returns the values."""
    before = builder.block
    head, inside, after = (builder.append_basic_block(name) for name in ("head", "body", "after"))
    builder.branch(head)
    builder.position_at_end(head)
    i, values = builder.phi(_WORD), [builder.phi(start.type) for start in starts]
    builder.cbranch(builder.icmp_signed("<", i, end), inside, after)
    builder.position_at_end(inside)
    new = body(i, values)
    following = builder.add(i, step)
    for value, start, next_value in zip(
        [i, *values], [first, *starts], [following, *new], strict=True
    ):
        value.add_incoming(start, before)
        value.add_incoming(next_value, builder.block)
    builder.branch(head)
    builder.position_at_end(after)
    return values


@intrinsic
def vector_lanes(typingctx, pointer):
    """Elements in a vector register, for elements of this pointer."""

    def codegen(context, builder, sig, args):
        size = 4 if sig.args[0].dtype == types.float32 else 8
        return _WORD(_machine(context)[0] // size)

    return types.int64(pointer), codegen


@intrinsic
def block_rows(typingctx, rows):
    """Rows of the block that begins a stretch of `rows`, at least one."""

    def codegen(context, builder, sig, args):
        result = _WORD(1)
        for size in sorted(_shapes(_machine(context)[1])):
            fits = builder.icmp_signed(">=", args[0], _WORD(size))
            result = builder.select(fits, _WORD(size), result)
        return result

    return types.int64(types.int64), codegen


@intrinsic
def block_vectors(typingctx, rows, vectors):
    """Vectors of a block of `rows` rows that begins a stretch of `vectors` whole ones, or 1."""

    def codegen(context, builder, sig, args):
        result = _WORD(1)
        for size, counts in _shapes(_machine(context)[1]).items():
            for count in sorted(counts):
                fits = builder.and_(
                    builder.icmp_signed("==", args[0], _WORD(size)),
                    builder.icmp_signed(">=", args[1], _WORD(count)),
                )
                result = builder.select(fits, _WORD(count), result)
        return result

    return types.int64(types.int64, types.int64), codegen


@intrinsic
def product(
    typingctx, a, a_row_stride, a_term_stride, b, b_term_stride, c, c_row_stride, k, rows, vectors,
    some, flag,
):  # fmt: skip
    """One block of C = A B, C + A B or C ∘ A B (flag SET, ADD or MULTIPLY).

    a, b, c: pointers to where the block begins. Element (i, l) of A stands at
    ``i*a_row_stride + l*a_term_stride``, row l of B at ``l*b_term_stride``, row i of C at
    ``i*c_row_stride``. k: terms of the sum, at least one. rows, vectors: as `block_rows` and
    `block_vectors` say. A single vector takes only its first `some` columns and touches no others.
    """
    word = types.int64
    sig = types.void(a, word, word, b, word, c, word, word, word, word, word, word)

    def codegen(context, builder, sig, args):
        (
            a,
            a_row_stride,
            a_term_stride,
            b,
            b_term_stride,
            c,
            c_row_stride,
            k,
            rows,
            vectors,
            some,
            flag,
        ) = args
        emit = _Vectors(context, builder, sig.args[0].dtype)
        shape = builder.add(builder.mul(rows, _WORD(16)), vectors)
        done = builder.append_basic_block("done")
        choice = builder.switch(shape, done)
        for size, counts in emit.shapes.items():
            for count in counts:
                start = builder.append_basic_block(f"block_{size}_{count}")
                choice.add_case(_WORD(16 * size + count), start)
                builder.position_at_end(start)
                operands = (a, a_row_stride, a_term_stride, b, b_term_stride, c, c_row_stride)
                _product_block(emit, size, count, operands, k, some, flag, done)
        builder.position_at_end(done)
        return context.get_dummy_value()

    return sig, codegen


def _product_block(emit, size, count, operands, k, some, flag, done):
    builder = emit.builder
    a, a_row_stride, a_term_stride, b, b_term_stride, c, c_row_stride = operands
    mask = emit.mask(some) if count == 1 else None
    offsets = [builder.mul(a_row_stride, _WORD(i)) for i in range(size)]
    cells = [(i, v) for i in range(size) for v in range(count)]

    def add_term(term, sums):
        row = builder.gep(b, [builder.mul(term, b_term_stride)])
        if mask:
            columns = [emit.load_some(row, _WORD(0), mask)]
        else:
            columns = [emit.load(row, _WORD(v * emit.lanes)) for v in range(count)]
        column = builder.gep(a, [builder.mul(term, a_term_stride)])
        factors = [emit.spread(builder.load(builder.gep(column, [o]))) for o in offsets]
        return [emit.fma(factors[i], columns[v], x) for (i, v), x in zip(cells, sums, strict=True)]

    sums = _sums(emit, k, len(cells), add_term)
    modes = builder.switch(flag, done)
    for mode in (SET, ADD, MULTIPLY):
        block = builder.append_basic_block(f"mode_{mode}")
        modes.add_case(_WORD(mode), block)
        builder.position_at_end(block)
        for (i, v), value in zip(cells, sums, strict=True):
            target = builder.gep(c, [builder.mul(c_row_stride, _WORD(i))])
            column = _WORD(v * emit.lanes)
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
        whole = builder.sub(k, builder.srem(k, _WORD(n_chains)))

        def add_terms(term, values):
            return [
                x
                for chain in range(n_chains)
                for x in add_term(
                    builder.add(term, _WORD(chain)), values[chain * cells : (chain + 1) * cells]
                )
            ]

        sums = _loop(builder, _WORD(0), whole, _WORD(n_chains), sums, add_terms)
        while len(sums) > cells:
            half = len(sums) // 2
            pairs = zip(sums[:half], sums[half:], strict=True)
            sums = [builder.fadd(x, y) for x, y in pairs]
        return _loop(builder, whole, k, _WORD(1), sums, add_term)
    return _loop(builder, _WORD(0), k, _WORD(1), sums, add_term)


_IN_FLIGHT = 8  # sums that keep two multipliers of four cycles busy

_DOTS = (4, 2, 1)  # rows of A, and of B, in a block of `dots`


@intrinsic
def dots(typingctx, a, a_row_stride, b, b_row_stride, c, c_row_stride, k, rows, columns, flag):
    """One block of C = A Bᵀ (or C + A Bᵀ), with 4, 2 or 1 rows of A and of B, of k elements each.

    k is a multiple of the lanes. Each sum is taken lane by lane, then over the lanes by halves.
    """
    word = types.int64
    sig = types.void(a, word, b, word, c, word, word, word, word, word)

    def codegen(context, builder, sig, args):
        a, a_row_stride, b, b_row_stride, c, c_row_stride, k, rows, columns, flag = args
        emit = _Vectors(context, builder, sig.args[0].dtype)
        keep = builder.icmp_signed("!=", flag, _WORD(0))
        done = builder.append_basic_block("done")
        choice = builder.switch(builder.add(builder.mul(rows, _WORD(8)), columns), done)
        for m in _DOTS:
            for n in _DOTS:
                start = builder.append_basic_block(f"dots_{m}_{n}")
                choice.add_case(_WORD(8 * m + n), start)
                builder.position_at_end(start)
                cells = [(i, j) for i in range(m) for j in range(n)]
                new = _loop(
                    builder, _WORD(0), k, _WORD(emit.lanes), [emit.zero] * len(cells),
                    functools.partial(_add_products, emit, a, a_row_stride, b, b_row_stride, cells),
                )  # fmt: skip
                for (i, j), value in zip(cells, new, strict=True):
                    row = builder.mul(c_row_stride, _WORD(i))
                    cell = builder.gep(c, [builder.add(row, _WORD(j))])
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
            k: emit.load(pointer, builder.add(builder.mul(stride, _WORD(k)), at)) for k in set(rows)
        }

    left = vectors(a, a_row_stride, [i for i, _ in cells])
    right = vectors(b, b_row_stride, [j for _, j in cells])
    return [emit.fma(left[i], right[j], x) for (i, j), x in zip(cells, sums, strict=True)]


@intrinsic
def transpose(
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
        emit = _Vectors(context, builder, sig.args[0].dtype)
        natural = builder.icmp_signed("<", first, _WORD(0))
        begin = builder.select(natural, builder.not_(first), first)
        rows = []
        for lane in range(emit.lanes):
            index = builder.add(begin, _WORD(lane))
            index = builder.select(builder.icmp_signed(">", index, last), last, index)
            entry = builder.gep(order, [builder.select(natural, _WORD(0), index)])
            index = builder.select(natural, index, builder.load(entry))
            rows.append(builder.gep(source, [builder.mul(index, source_stride)]))
        out_mask = emit.mask(builder.sub(n_out_columns, out_column))

        def write(at, values):
            _transpose_block(emit, rows, at, n_columns, out, out_stride, out_column, out_mask)
            return values

        _loop(builder, _WORD(0), n_columns, _WORD(emit.lanes), [], write)
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
        offset = builder.add(builder.mul(builder.add(at, _WORD(lane)), out_stride), out_column)
        emit.store_some(value, out, offset, out_mask)
        if lane + 1 < emit.lanes:
            more = builder.append_basic_block("more")
            builder.cbranch(builder.icmp_signed("<", _WORD(lane + 1), left), more, end)
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
