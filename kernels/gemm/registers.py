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

__all__ = ["ADD", "MULTIPLY", "SET", "block_rows", "block_vectors", "dots", "lanes", "product"]

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
        place = self.builder.gep(pointer, [offset])
        return self.builder.bitcast(place, self.kind.as_pointer())

    def load(self, pointer, offset):
        found = self.builder.load(self.at(pointer, offset))
        found.align = self.itemsize
        return found

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
        place = self.at(pointer, offset)
        function = self._intrinsic(
            f"llvm.masked.load.{self._suffix}.p0",
            self.kind, place.type, _INT, mask.type, self.kind,
        )  # fmt: skip
        align = ir.Constant(_INT, self.itemsize)
        return self.builder.call(function, [place, align, mask, self.zero])

    def store_some(self, value, pointer, offset, mask):
        place = self.at(pointer, offset)
        function = self._intrinsic(
            f"llvm.masked.store.{self._suffix}.p0",
            ir.VoidType(), self.kind, place.type, _INT, mask.type,
        )  # fmt: skip
        align = ir.Constant(_INT, self.itemsize)
        self.builder.call(function, [value, place, align, mask])

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
            places = ir.Constant(ir.VectorType(_INT, self.lanes), order)
            upper = self.builder.shuffle_vector(vector, nothing, places)
            vector = self.builder.fadd(vector, upper)
        return self.builder.extract_element(vector, ir.Constant(_INT, 0))

    def mix(self, a, b, order):
        places = ir.Constant(ir.VectorType(_INT, self.lanes), order)
        return self.builder.shuffle_vector(a, b, places)


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
    for value, start, found in zip([i, *values], [first, *starts], [following, *new], strict=True):
        value.add_incoming(start, before)
        value.add_incoming(found, builder.block)
    builder.branch(head)
    builder.position_at_end(after)
    return values


@intrinsic
def lanes(typingctx, pointer):
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
def product(typingctx, a, a_row, a_step, b, b_step, c, c_row, k, rows, vectors, some, flag):
    """One block of C = A B, C + A B or C ∘ A B (flag SET, ADD or MULTIPLY).

    a, b, c: pointers to where the block begins; element (i, l) of A stands at ``i*a_row +
    l*a_step``, row l of B at ``l*b_step``, row i of C at ``i*c_row``. k: terms of the sum, at least
    one. rows, vectors: as `block_rows` and `block_vectors` say. A single vector takes only its
    first `some` columns and touches no others.
    """
    word = types.int64
    sig = types.void(a, word, word, b, word, c, word, word, word, word, word, word)

    def codegen(context, builder, sig, args):
        a, a_row, a_step, b, b_step, c, c_row, k, rows, vectors, some, flag = args
        emit = _Vectors(context, builder, sig.args[0].dtype)
        shape = builder.add(builder.mul(rows, _WORD(16)), vectors)
        done = builder.append_basic_block("done")
        choice = builder.switch(shape, done)
        for size, counts in emit.shapes.items():
            for count in counts:
                start = builder.append_basic_block(f"block_{size}_{count}")
                choice.add_case(_WORD(16 * size + count), start)
                builder.position_at_end(start)
                places = (a, a_row, a_step, b, b_step, c, c_row)
                _product_block(emit, size, count, places, k, some, flag, done)
        builder.position_at_end(done)
        return context.get_dummy_value()

    return sig, codegen


def _product_block(emit, size, count, places, k, some, flag, done):
    builder = emit.builder
    a, a_row, a_step, b, b_step, c, c_row = places
    mask = emit.mask(some) if count == 1 else None
    offsets = [builder.mul(a_row, _WORD(i)) for i in range(size)]
    cells = [(i, v) for i in range(size) for v in range(count)]

    def add_term(term, sums):
        row = builder.gep(b, [builder.mul(term, b_step)])
        if mask:
            columns = [emit.load_some(row, _WORD(0), mask)]
        else:
            columns = [emit.load(row, _WORD(v * emit.lanes)) for v in range(count)]
        column = builder.gep(a, [builder.mul(term, a_step)])
        factors = [emit.spread(builder.load(builder.gep(column, [o]))) for o in offsets]
        return [emit.fma(factors[i], columns[v], x) for (i, v), x in zip(cells, sums, strict=True)]

    found = _sums(emit, k, len(cells), add_term)
    ways = builder.switch(flag, done)
    for way in (SET, ADD, MULTIPLY):
        block = builder.append_basic_block(f"way_{way}")
        ways.add_case(_WORD(way), block)
        builder.position_at_end(block)
        for (i, v), value in zip(cells, found, strict=True):
            target = builder.gep(c, [builder.mul(c_row, _WORD(i))])
            place = _WORD(v * emit.lanes)
            if way != SET:
                old = emit.load_some(target, place, mask) if mask else emit.load(target, place)
                value = (builder.fadd if way == ADD else builder.fmul)(old, value)
            if mask:
                emit.store_some(value, target, place, mask)
            else:
                emit.store(value, target, place)
        builder.branch(done)


def _sums(emit, k, cells, add_term):
    """The sums of a block over k terms.

    A multiplier takes some cycles, so a small block adds several terms at once, each to sums of its
    own, which come together at the end.
    """
    builder = emit.builder
    ways = max(1, _IN_FLIGHT // cells)
    sums = [emit.zero] * (cells * ways)
    if ways > 1:
        whole = builder.sub(k, builder.srem(k, _WORD(ways)))

        def add_terms(term, values):
            return [
                x
                for way in range(ways)
                for x in add_term(
                    builder.add(term, _WORD(way)), values[way * cells : (way + 1) * cells]
                )
            ]

        sums = _loop(builder, _WORD(0), whole, _WORD(ways), sums, add_terms)
        while len(sums) > cells:
            half = len(sums) // 2
            pairs = zip(sums[:half], sums[half:], strict=True)
            sums = [builder.fadd(x, y) for x, y in pairs]
        return _loop(builder, whole, k, _WORD(1), sums, add_term)
    return _loop(builder, _WORD(0), k, _WORD(1), sums, add_term)


_IN_FLIGHT = 8  # sums that keep two multipliers of four cycles busy

_DOTS = (4, 2, 1)  # rows of A, and of B, in a block of `dots`


@intrinsic
def dots(typingctx, a, a_row, b, b_row, c, c_row, k, rows, columns, flag):
    """One block of C = A Bᵀ (or C + A Bᵀ), with 4, 2 or 1 rows of A and of B, of k elements each.

    k is a multiple of the lanes. Each sum is taken lane by lane, then over the lanes by halves.
    """
    word = types.int64
    sig = types.void(a, word, b, word, c, word, word, word, word, word)

    def codegen(context, builder, sig, args):
        a, a_row, b, b_row, c, c_row, k, rows, columns, flag = args
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
                    functools.partial(_add_products, emit, a, a_row, b, b_row, cells),
                )  # fmt: skip
                for (i, j), value in zip(cells, new, strict=True):
                    row = builder.mul(c_row, _WORD(i))
                    place = builder.gep(c, [builder.add(row, _WORD(j))])
                    old = builder.load(place)
                    total = emit.total(value)
                    total = builder.select(keep, builder.fadd(old, total), total)
                    builder.store(total, place)
                builder.branch(done)
        builder.position_at_end(done)
        return context.get_dummy_value()

    return sig, codegen


def _add_products(emit, a, a_row, b, b_row, cells, at, sums):
    """Add the products of one vector of each row."""
    builder = emit.builder

    def vectors(pointer, stride, rows):
        return {
            k: emit.load(pointer, builder.add(builder.mul(stride, _WORD(k)), at)) for k in set(rows)
        }

    left = vectors(a, a_row, [i for i, _ in cells])
    right = vectors(b, b_row, [j for _, j in cells])
    return [emit.fma(left[i], right[j], x) for (i, j), x in zip(cells, sums, strict=True)]


@intrinsic
def transpose(typingctx, source, width, columns, order, first, last, out, stride, place, limit):
    """Write a few rows of `source` as columns of `out`, as many as a vector has lanes.

    The rows have the indices ``order[min(first + l, last)]`` (without `order`, if `first` is
    negative: ``min(-1 - first + l, last)``), `width` elements apart; their first `columns` elements
    become rows of `out`, `stride` apart, from column `place` on. Columns from `limit` on are left.
    """
    word = types.int64
    sig = types.void(source, word, word, order, word, word, out, word, word, word)

    def codegen(context, builder, sig, args):
        source, width, columns, order, first, last, out, stride, place, limit = args
        emit = _Vectors(context, builder, sig.args[0].dtype)
        natural = builder.icmp_signed("<", first, _WORD(0))
        begin = builder.select(natural, builder.not_(first), first)
        rows = []
        for lane in range(emit.lanes):
            index = builder.add(begin, _WORD(lane))
            index = builder.select(builder.icmp_signed(">", index, last), last, index)
            entry = builder.gep(order, [builder.select(natural, _WORD(0), index)])
            index = builder.select(natural, index, builder.load(entry))
            rows.append(builder.gep(source, [builder.mul(index, width)]))
        kept = emit.mask(builder.sub(limit, place))

        def write(at, values):
            _transpose_block(emit, rows, at, columns, out, stride, place, kept)
            return values

        _loop(builder, _WORD(0), columns, _WORD(emit.lanes), [], write)
        return context.get_dummy_value()

    return sig, codegen


def _transpose_block(emit, rows, at, columns, out, stride, place, kept):
    """A block of as many columns as rows, from column `at` on; fewer at the end."""
    builder = emit.builder
    left = builder.sub(columns, at)
    mask = emit.mask(left)
    block = [emit.load_some(row, at, mask) for row in rows]
    step = 1
    while step < emit.lanes:
        block = _exchange(emit, block, step)
        step *= 2
    end = builder.append_basic_block("end")
    for lane, value in enumerate(block):
        offset = builder.add(builder.mul(builder.add(at, _WORD(lane)), stride), place)
        emit.store_some(value, out, offset, kept)
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
