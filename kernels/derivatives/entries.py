"""Derivatives of a batch from Python: a part of its samples, whose other parts other threads have.

Arrays are flat. All sizes are looked at here, also where a thread has changed them.
"""

from ..codegen.declare import kernel, scalar
from ..codegen.intrinsics import pointer
from ..engine import layout
from ..inference.overloads import SizeError
from .first_order import call_jvp, call_parameter_jacobian
from .functions import OF_GRADIENT, OF_LAPLACIAN, OF_VALUE, call_hvp, call_laplacian
from .functions import call_laplacian_vjp as call_pullback
from .overloads import elements_of, memory_of


@scalar
def _check(descriptor, x, rows, work, part, parts):
    """Refuse parts that are none, a short workspace, and samples of another size."""
    if not 0 <= part < parts:
        raise SizeError("the part", part, "is none of", parts)
    needed = elements_of(pointer(descriptor, 0), pointer(x, 0), rows)
    if work.size < needed:
        raise SizeError("the workspace has", work.size, "elements, expected", needed)
    _check_size("samples", x, rows * descriptor[layout.INPUTS])


@scalar
def _check_size(name, array, expected):
    if array.size != expected:
        raise SizeError("the", name, "have", array.size, "numbers, expected", expected)


@kernel
def jvp(descriptor, x, v, y, out, rows, work, part, parts):
    """See `first_order.jvp`."""
    _check(descriptor, x, rows, work, part, parts)
    _check_size("directions", v, rows * descriptor[layout.INPUTS])
    _check_size("outputs", y, rows * descriptor[layout.OUTPUTS])
    _check_size("derivatives", out, rows * descriptor[layout.OUTPUTS])
    call_jvp(
        descriptor[layout.JVP], pointer(descriptor, 0), pointer(x, 0), pointer(v, 0), pointer(y, 0),
        pointer(out, 0), rows, pointer(work, 0), part, parts,
    )  # fmt: skip


@kernel
def hvp(descriptor, x, t, v, out, rows, work, part, parts):
    """See `functions.hvp`."""
    _check(descriptor, x, rows, work, part, parts)
    _check_size("targets", t, rows * descriptor[layout.TARGETS])
    _check_size("directions", v, descriptor[layout.SIZE])
    _check_size("products", out, descriptor[layout.SIZE])
    call_hvp(
        descriptor[layout.HVP], pointer(descriptor, 0), pointer(x, 0), pointer(t, 0), pointer(v, 0),
        pointer(out, 0), rows, pointer(work, 0), part, parts,
    )  # fmt: skip


@kernel
def parameter_jacobian(descriptor, x, out, rows, work, part, parts):
    """See `first_order.parameter_jacobian`."""
    _check(descriptor, x, rows, work, part, parts)
    size = descriptor[layout.OUTPUTS] * descriptor[layout.SIZE]
    _check_size("derivatives", out, rows * size)
    call_parameter_jacobian(
        descriptor[layout.PARAMETER_JACOBIAN], pointer(descriptor, 0), pointer(x, 0),
        pointer(out, 0), rows, pointer(work, 0), part, parts,
    )  # fmt: skip


@scalar
def _check_kept(descriptor, x, rows, kept, keeps):
    """Refuse a short memory, and a model without the third derivatives that fill it."""
    if keeps:
        if descriptor[layout.LAPLACIAN_VJP] == 0:
            raise SizeError("the model has no pullback")
        needed = memory_of(pointer(descriptor, 0), pointer(x, 0), rows)
        if kept.size < needed:
            raise SizeError("the memory has", kept.size, "elements, expected", needed)


@kernel
def laplacian(descriptor, x, y, dy, ly, kept, keeps, rows, work, part, parts):
    """See `functions.laplacian`."""
    _check(descriptor, x, rows, work, part, parts)
    _check_kept(descriptor, x, rows, kept, keeps)
    outputs = rows * descriptor[layout.OUTPUTS]
    _check_size("outputs", y, outputs)
    _check_size("derivatives", dy, outputs * descriptor[layout.INPUTS])
    _check_size("Laplacians", ly, outputs)
    call_laplacian(
        descriptor[layout.LAPLACIAN], pointer(descriptor, 0), pointer(x, 0), pointer(y, 0),
        pointer(dy, 0), pointer(ly, 0), rows, pointer(work, 0), pointer(kept, 0), keeps, part,
        parts,
    )  # fmt: skip


@kernel
def laplacian_vjp(descriptor, x, gy, gdy, gly, given, kept, keeps, grad, rows, work, part, parts):
    """See `functions.laplacian_vjp`; cotangents that are not given are empty."""
    _check(descriptor, x, rows, work, part, parts)
    _check_kept(descriptor, x, rows, kept, keeps)
    outputs = rows * descriptor[layout.OUTPUTS]
    if given & OF_VALUE:
        _check_size("cotangents of outputs", gy, outputs)
    if given & OF_GRADIENT:
        _check_size("cotangents of derivatives", gdy, outputs * descriptor[layout.INPUTS])
    if given & OF_LAPLACIAN:
        _check_size("cotangents of Laplacians", gly, outputs)
    _check_size("gradients", grad, descriptor[layout.SIZE])
    call_pullback(
        descriptor[layout.LAPLACIAN_VJP], pointer(descriptor, 0), pointer(x, 0), pointer(gy, 0),
        pointer(gdy, 0), pointer(gly, 0), given, pointer(grad, 0), rows, pointer(work, 0),
        pointer(kept, 0), keeps, part, parts,
    )  # fmt: skip
