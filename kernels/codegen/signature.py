"""Signatures of C functions: one object for where a function is compiled and where it is called.

A call by address cannot be checked when it runs. So a `Signature` names every argument and its
kind; `declare.address` refuses a function with other arguments, and a call that does not fit is a
TypingError while the caller compiles.
"""

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.core.errors import TypingError
from numba.extending import intrinsic

__all__ = [
    "C_INT",
    "DATA",
    "FLOAT",
    "FLOATS",
    "INT",
    "INTS",
    "TILE_KERNEL",
    "Signature",
    "call_tile_kernel",
]

DATA = "pointer to data of the dtype"
FLOATS = "pointer to float64 numbers"
INTS = "pointer to int64 numbers"
INT = "int64"
C_INT = "C int"
FLOAT = "float64"

_TYPES = {
    FLOATS: types.CPointer(types.float64),
    INTS: types.CPointer(types.int64),
    INT: types.int64,
    C_INT: types.intc,
    FLOAT: types.float64,
}
_CAST = {INT: (types.Integer, types.Boolean), C_INT: types.Integer, FLOAT: types.Float}


class Signature:
    """Names and kinds of the arguments of a C function, which returns a float64 or an int64.

    `call(address, …)` calls such a function in compiled code, with its arguments by position.
    """

    def __init__(self, name, *, returns=FLOAT, **arguments):
        self.name, self.arguments, self.returns = name, arguments, _TYPES[returns]
        self.call = _caller(self)

    def __repr__(self):
        """The name, and the arguments in order."""
        return f"{self.name}({', '.join(self.arguments)})"

    def check(self, function):
        """Refuse a function whose arguments have other names, or another order."""
        code = function.__code__
        names = code.co_varnames[: code.co_argcount]
        if names != tuple(self.arguments):
            given = f"{function.__name__}({', '.join(names)})"
            raise TypeError(f"{given} does not have the arguments of {self!r}")

    def types(self, data):
        """The types of the arguments for data of a numba type."""
        return tuple(_TYPES.get(kind, types.CPointer(data)) for kind in self.arguments.values())

    def cast(self, given):
        """What arguments of these types are cast to; a TypingError if one does not fit."""
        if len(given) != len(self.arguments):
            raise TypingError(f"{self!r} takes {len(self.arguments)} arguments, not {len(given)}")
        dtypes = {kind.dtype for kind in given if isinstance(kind, types.CPointer)}
        data = types.float32 if types.float32 in dtypes else types.float64
        for (name, kind), passed, wanted in zip(
            self.arguments.items(), given, self.types(data), strict=True
        ):
            if passed != wanted and not isinstance(passed, _CAST.get(kind, ())):
                raise TypingError(f"{name} of {self!r} is a {kind}, not {passed}")
        return self.types(data)


def _caller(signature):
    """The instruction that calls a function of this signature."""

    @intrinsic
    def call(typingctx, target, *args):
        """Call the function at the address `target`."""
        wanted = signature.cast(args)
        sig = signature.returns(types.int64, types.StarArgTuple(args))

        def codegen(context, builder, sig, args):
            values = [
                context.cast(builder, value, passed, kind)
                for value, passed, kind in zip(
                    cgutils.unpack_tuple(builder, args[1]), sig.args[1], wanted, strict=True
                )
            ]
            result = context.get_value_type(signature.returns)
            function = ir.FunctionType(result, [context.get_value_type(kind) for kind in wanted])
            return builder.call(builder.inttoptr(args[0], function.as_pointer()), values)

        return sig, codegen

    return call


TILE_KERNEL = Signature(
    "tile kernel", a=DATA, b=DATA, c=DATA, hyper=FLOATS, n_features=INT, n_lanes=INT,
    n_targets=INT, flag=INT,
)  # fmt: skip
call_tile_kernel = TILE_KERNEL.call
