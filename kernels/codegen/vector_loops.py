"""A loop over a block of numbers that the compiler always vectorises, and what blocks need.

A loop of any length leaves a remainder, which runs number by number and may fuse other operations:
slower, and with other last bits. Here every number, wherever it stands, goes through one piece of
straight vector code for `BLOCK` bytes of each operand. Short pieces are padded. So results do not
depend on how an array is cut, for threads or otherwise.
"""

import contextlib
import functools
import itertools

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from .cache_lines import LINE_BYTES
from .intrinsics import prefer_wide
from .signature import DATA, INT, INTS, Signature

__all__ = [
    "BLOCK",
    "BLOCKS",
    "as_written",
    "blocks",
    "call_blocks",
    "each",
    "flags",
    "flush",
    "halves",
    "restore",
    "stack",
    "stream",
    "sweep",
]

BLOCK = 256  # bytes: four of the widest vectors, whose chains of operations overlap
_VECTORS = 4
_OVERLAPPING = 2  # vectors at a time of a sweep, whose formulas have many arguments
_INT32, _INT64 = ir.IntType(32), ir.IntType(64)


class _Distinct(ir.MDValue):
    """A metadata node that equals no other; loops and their memory accesses are named by such."""

    def descr(self, buffer):
        operands = ", ".join(
            operand.get_reference()
            if isinstance(operand, (ir.MDValue, ir.MetaDataString))
            else f"{operand.type} {operand.get_reference()}"
            for operand in self.operands
        )
        buffer += (f"distinct !{{ {operands} }}", "\n")


def _distinct(module, *operands):
    node = _Distinct(module, [], name=str(len(module.metadata)))
    node.operands = operands
    return node


def _metadata(module, name, *operands):
    return module.add_metadata([ir.MetaDataString(module, name), *operands])


def _independent(module, vectors):
    """Metadata of a loop, and of its accesses to memory, that works on so many vectors at a time.

    No turn of the loop reads what another wrote, even where an output is an input.
    """
    group, loop = _distinct(module), _distinct(module)
    loop.operands = (
        loop,  # a loop's name is its own first operand
        _metadata(module, "llvm.loop.parallel_accesses", group),
        _metadata(module, "llvm.loop.interleave.count", _INT32(vectors)),
        _metadata(module, "llvm.loop.unroll.disable"),  # before it could vectorise
    )
    return group, loop


def as_written(module):
    """Metadata of a loop whose turns are not unrolled."""
    loop = _distinct(module)
    loop.operands = loop, _metadata(module, "llvm.loop.unroll.disable")
    return loop


def packed(context, builder, signature, values):
    """Values as the arguments of a function, which may end in ``*args``."""
    last = signature.args[-1]
    if not isinstance(last, (types.StarArgTuple, types.StarArgUniTuple)):
        return values
    first = len(signature.args) - 1
    return [*values[:first], context.make_tuple(builder, last, values[first:])]


@contextlib.contextmanager
def _loop(builder, count, vectors, name):
    """A loop of at least one turn that is vectorised: its index, and a list for what it builds.

    The list takes the loads and stores of a turn, which are marked as independent of the others'.
    """
    group, loop = _independent(builder.module, vectors)
    before = builder.block
    body, done = (builder.append_basic_block(f"{name}.{part}") for part in ("body", "done"))
    builder.branch(body)
    builder.position_at_end(body)
    i, accesses = builder.phi(_INT64), []
    i.add_incoming(_INT64(0), before)
    yield i, accesses
    for access in accesses:
        access.set_metadata("llvm.access.group", group)
    following = builder.add(i, _INT64(1), flags=["nsw", "nuw"])
    i.add_incoming(following, builder.block)
    more = builder.icmp_signed("<", following, count)
    builder.cbranch(more, body, done).set_metadata("llvm.loop", loop)
    builder.position_at_end(done)


def _elements(builder, pointers, i):
    """Pointers to element i of each array, and loads of them."""
    elements = [builder.gep(pointer, [i], inbounds=True) for pointer in pointers]
    return elements, [builder.load(element) for element in elements]


def _operands(builder, addresses, count, block, kind):
    """Pointers to a block of each operand, see `each`."""
    words = [builder.load(builder.gep(addresses, [_INT64(k)])) for k in range(2 * count)]
    return [
        builder.inttoptr(builder.add(start, builder.mul(block, step)), kind)
        for start, step in zip(words[:count], words[count:], strict=True)
    ]


@intrinsic
def each(typingctx, formula, inputs, outputs, addresses, block, like):
    """The formula for the numbers of one block, vectorised.

    addresses: int64 pointer to the addresses of the operands, as many inputs as told, then outputs,
    and then to the bytes from one of its blocks to the next: 0 where all blocks have the same
    numbers. block: which, from there. like: any pointer of the operands' type. An output may be one
    of the inputs.
    """
    if not all(isinstance(kind, types.IntegerLiteral) for kind in (inputs, outputs)):
        return None
    nin, nout, element = inputs.literal_value, outputs.literal_value, like.dtype
    inner = formula.get_call_type(typingctx, (element,) * nin, {})
    sig = types.void(formula, inputs, outputs, addresses, types.int64, like)
    length = BLOCK // (4 if element == types.float32 else 8)

    def codegen(context, builder, sig, args):
        prefer_wide(builder.function)
        function = context.get_function(sig.args[0], inner)
        kind = context.get_value_type(sig.args[5])
        pointers = _operands(builder, args[3], nin + nout, args[4], kind)
        with _loop(builder, _INT64(length), _VECTORS, "each") as (i, accesses):
            _, values = _elements(builder, pointers[:nin], i)
            y = function(builder, packed(context, builder, inner, values))
            results = cgutils.unpack_tuple(builder, y, nout) if nout > 1 else [y]
            targets = [builder.gep(pointer, [i], inbounds=True) for pointer in pointers[nin:]]
            stores = [builder.store(y, at) for y, at in zip(results, targets, strict=True)]
            accesses += values + stores
        return context.get_dummy_value()

    return sig, codegen


@intrinsic
def sweep(typingctx, formula, arrays, written, count, shared):
    """``a[i], b[i], … = formula((a[i], b[i], …), i, *shared)`` for all i, vectorised.

    arrays: tuple of pointers of one type, which may be equal but must not overlap otherwise;
    written: literal bits, which of them take results, in order; the others only give. Without any
    the results are looked at, and what is returned is whether any is not finite.
    """
    if not isinstance(written, types.IntegerLiteral):
        return None
    kept = [bool(written.literal_value >> k & 1) for k in range(len(arrays))]
    values = types.UniTuple(arrays.dtype.dtype, len(arrays))
    inner = formula.get_call_type(typingctx, (values, types.int64, *shared), {})
    sig = types.int64(formula, arrays, written, types.int64, shared)

    def codegen(context, builder, sig, args):
        prefer_wide(builder.function)
        function = context.get_function(sig.args[0], inner)
        pointers, given = (cgutils.unpack_tuple(builder, args[k]) for k in (1, 4))
        before, zero = builder.block, _INT64(0)
        with builder.if_then(builder.icmp_signed(">", args[3], zero)):
            start = builder.block
            with _loop(builder, args[3], _OVERLAPPING, "sweep") as (i, accesses):
                bad = builder.phi(_INT64)
                elements, read = _elements(builder, pointers, i)
                pack = context.make_tuple(builder, values, read)
                results = cgutils.unpack_tuple(builder, function(builder, [pack, i, *given]))
                worse = bad if any(kept) else _or_not_finite(builder, bad, results)
                stores = map(builder.store, results, itertools.compress(elements, kept))
                accesses += [*read, *stores]
                bad.add_incoming(zero, start)
                bad.add_incoming(worse, builder.block)
            swept = builder.block
        result = builder.phi(_INT64)
        result.add_incoming(zero, before)
        result.add_incoming(worse, swept)
        return result

    return sig, codegen


def _or_not_finite(builder, bad, values):
    """1 if `bad` is, or one of the values is not finite."""
    for y in values:
        left = builder.fsub(y, y)  # 0, or NaN
        one = builder.fcmp_unordered("uno", left, left)
        bad = builder.or_(bad, builder.zext(one, _INT64))
    return bad


BLOCKS = Signature("blocks", addresses=INTS, count=INT, like=DATA)
call_blocks = BLOCKS.call


@functools.cache
def blocks(formula, nin, nout):
    """C function: the formula for so many blocks of operands at their addresses; see `each`.

    The last argument is nothing, but its type tells the dtype.
    """

    def blocks_kernel(addresses, count, like):
        for block in range(count):
            each(formula, nin, nout, addresses, block, like)
        return 0.0

    return blocks_kernel


@intrinsic
def stack(typingctx, size):
    """Address of so many bytes of the calling function's own memory, on a cache line."""
    if not isinstance(size, types.IntegerLiteral):
        return None
    bytes_ = size.literal_value

    def codegen(context, builder, sig, args):
        with builder.goto_entry_block():  # numba's own way would fill it with zeros
            memory = builder.alloca(ir.ArrayType(ir.IntType(8), bytes_))
        memory.align = LINE_BYTES
        return builder.ptrtoint(memory, _INT64)

    return types.int64(size), codegen


@intrinsic
def halves(typingctx, address):
    """The float16 numbers at an address, as their bits."""
    sig = types.CPointer(types.uint16)(types.int64)

    def codegen(context, builder, sig, args):
        return builder.inttoptr(args[0], context.get_value_type(sig.return_type))

    return sig, codegen


@intrinsic
def stream(typingctx, source, target):
    """Copy a block to a cache line's address, past the caches: what is not soon read again."""
    lines = ir.VectorType(ir.IntType(64), LINE_BYTES // 8)

    def codegen(context, builder, sig, args):
        hint = builder.module.add_metadata([_INT32(1)])
        source, target = (builder.inttoptr(address, lines.as_pointer()) for address in args)
        for k in range(BLOCK // LINE_BYTES):
            value = builder.load(builder.gep(source, [_INT64(k)]), align=LINE_BYTES)
            store = builder.store(value, builder.gep(target, [_INT64(k)]), align=LINE_BYTES)
            store.set_metadata("nontemporal", hint)
        return context.get_dummy_value()

    return types.void(types.int64, types.int64), codegen


@intrinsic
def flush(typingctx):
    """Let other threads see what `stream` wrote."""

    def codegen(context, builder, sig, args):
        builder.fence("seq_cst")
        return context.get_dummy_value()

    return types.void(), codegen


def _environment(builder, intel, other, address):
    """Read or write the floating-point state at an address."""
    byte = ir.IntType(8).as_pointer()
    on_intel = builder.module.triple.startswith("x86_64")
    result = ir.VoidType() if on_intel else _INT32
    kind = ir.FunctionType(result, [byte])
    name = intel if on_intel else other
    function = cgutils.get_or_insert_function(builder.module, kind, name)
    builder.call(function, [builder.inttoptr(address, byte)])


@intrinsic
def flags(typingctx, address):
    """Write the floating-point state to 64 bytes at an address."""

    def codegen(context, builder, sig, args):
        _environment(builder, "llvm.x86.sse.stmxcsr", "fegetenv", args[0])
        return context.get_dummy_value()

    return types.void(types.int64), codegen


@intrinsic
def restore(typingctx, address):
    """Take the floating-point state back, so that NumPy sees no warnings.

    Formulas choose between values of which one may be infinite or NaN on its way.
    """

    def codegen(context, builder, sig, args):
        _environment(builder, "llvm.x86.sse.ldmxcsr", "fesetenv", args[0])
        return context.get_dummy_value()

    return types.void(types.int64), codegen
