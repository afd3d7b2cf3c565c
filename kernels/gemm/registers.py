"""Vector registers as instructions: what the compiler does not find in plain loops.

Vectors are as long as the registers of the machine at hand.
"""

import functools

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from ..codegen.intrinsics import prefer_wide
from ..codegen.vector_loops import as_written

WORD = ir.IntType(64)
_INT = ir.IntType(32)


@functools.cache
def _registers(features, triple):
    """Bytes of a vector register, and how many there are."""
    if "+avx512f" in features:
        return 64, 32
    if "+avx" in features:
        return 32, 16
    return 16, 32 if triple.startswith(("aarch64", "arm64")) else 16


def machine(context):
    """Bytes of a vector register of the machine at hand, and how many there are."""
    triple, _, features = context.codegen().magic_tuple()
    return _registers(features, triple)


class Vectors:
    """Emits vector instructions of one dtype for the machine at hand."""

    def __init__(self, context, builder, kind):
        size, registers = machine(context)
        prefer_wide(builder.function)
        self.builder, self.single = builder, kind == types.float32
        self.number = ir.FloatType() if self.single else ir.DoubleType()
        self.itemsize = 4 if self.single else 8
        self.lanes = size // self.itemsize
        self.registers = registers
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
        """The vector that begins `offset` elements on."""
        vector = self.builder.load(self.at(pointer, offset))
        vector.align = self.itemsize
        return vector

    def store(self, value, pointer, offset):
        """Write a vector there."""
        self.builder.store(value, self.at(pointer, offset)).align = self.itemsize

    def prefetch(self, pointer):
        """Ask for the cache line at a pointer, to write to it soon."""
        address = self.builder.bitcast(pointer, ir.IntType(8).as_pointer())
        function = self._intrinsic(
            "llvm.prefetch.p0", ir.VoidType(), address.type, _INT, _INT, _INT
        )
        self.builder.call(function, [address, *(ir.Constant(_INT, k) for k in (1, 3, 1))])

    def mask(self, count):
        """The first `count` lanes."""
        wide = ir.VectorType(_INT, self.lanes)
        numbers = ir.Constant(wide, list(range(self.lanes)))
        most = WORD(self.lanes)
        count = self.builder.select(self.builder.icmp_signed("<", count, most), count, most)
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
        """Store the lanes of the mask."""
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
        """a b + c, rounded once where the machine can; elsewhere a call for each lane would be."""
        function = self._intrinsic(f"llvm.fmuladd.{self._suffix}", self.kind, *[self.kind] * 3)
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
        """Lanes of both vectors, in that order."""
        indices = ir.Constant(ir.VectorType(_INT, self.lanes), order)
        return self.builder.shuffle_vector(a, b, indices)


def counted_loop(builder, first, end, step, starts, body):
    """Emit ``for i in range(first, end, step): values = body(i, values)``; returns the values."""
    before = builder.block
    head, inside, after = (builder.append_basic_block(name) for name in ("head", "body", "after"))
    builder.branch(head)
    builder.position_at_end(head)
    i, values = builder.phi(WORD), [builder.phi(start.type) for start in starts]
    builder.cbranch(builder.icmp_signed("<", i, end), inside, after)
    builder.position_at_end(inside)
    new = body(i, values)
    following = builder.add(i, step)
    for value, start, next_value in zip(
        [i, *values], [first, *starts], [following, *new], strict=True
    ):
        value.add_incoming(start, before)
        value.add_incoming(next_value, builder.block)
    builder.branch(head).set_metadata("llvm.loop", as_written(builder.module))
    builder.position_at_end(after)
    return values


def kept_here(builder, values):
    """The same values, of which nothing is computed before this place.

    Else the compiler prepares all ways through a function at its beginning, and each call pays.
    """
    kinds = [ir.FunctionType(value.type, [value.type]) for value in values]
    return [builder.asm(t, "", "=r,0", [v], False) for t, v in zip(kinds, values, strict=True)]


@intrinsic
def vector_lanes(typingctx, pointer):
    """Elements in a vector register, for elements of this pointer."""

    def codegen(context, builder, sig, args):
        size = 4 if sig.args[0].dtype == types.float32 else 8
        return WORD(machine(context)[0] // size)

    return types.int64(pointer), codegen
