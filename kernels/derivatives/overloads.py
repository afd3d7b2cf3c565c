"""Derivatives inside your own compiled functions: `jvp`, `hvp`, `laplacian` and others.

Of a model that ``network.compiled(derivatives=True)`` gave; see `kernels.inference.overloads` for
arrays and errors. A workspace has at least ``derivatives_workspace_size(model, rows)`` elements.
"""

from numba import types
from numba.extending import overload

from ..codegen.declare import kernel, scalar
from ..codegen.intrinsics import pointer
from ..engine import layout
from ..engine.model import view
from ..inference.overloads import (
    SizeError,
    check_all,
    check_array,
    check_model,
    check_samples,
    descriptor_of,
    rows_of,
    theta_of,
    work_of,
)
from . import jets
from .first_order import call_jvp, call_parameter_jacobian, jvp_rows, parameter_jacobian_rows
from .functions import (
    OF_GRADIENT,
    OF_LAPLACIAN,
    OF_VALUE,
    call_hvp,
    call_laplacian,
    call_laplacian_vjp,
    hvp_rows,
    kept_elements,
    laplacian_rows,
)

__all__ = [
    "derivatives_workspace_size",
    "hvp",
    "jvp",
    "laplacian",
    "laplacian_memory_size",
    "laplacian_vjp",
    "parameter_jacobian",
]


@scalar
def elements_of(descriptor, like, n_rows):
    """Elements of a workspace for up to `n_rows` samples, whichever of the functions is called."""
    net, most = view(descriptor, like), 0
    if descriptor[layout.JVP]:
        rows = jvp_rows(net)[0]
        most = max(most, jets.elements(net, rows, rows, n_rows))
    if descriptor[layout.PARAMETER_JACOBIAN]:
        rows = parameter_jacobian_rows(net)[0]
        most = max(most, jets.elements(net, rows, rows, n_rows))
    if descriptor[layout.HVP]:
        rows = hvp_rows(net)[0]
        most = max(most, jets.elements(net, rows, rows, n_rows))
    if descriptor[layout.LAPLACIAN] or descriptor[layout.LAPLACIAN_VJP]:
        rows, busy = laplacian_rows(net)
        most = max(most, jets.elements(net, rows, busy, n_rows))
    return most


@kernel
def _elements(model, rows):
    return elements_of(pointer(model.descriptor, 0), pointer(model.theta, 0), rows)


def derivatives_workspace_size(model, rows):
    """Elements of a workspace for derivatives of up to `rows` samples at once.

    Parameters
    ----------
    model : Model
        From ``network.compiled(derivatives=True)``.
    rows : int

    Returns
    -------
    int

    """
    return _elements(model, rows)


@overload(derivatives_workspace_size)
def _(model, rows):
    def elements(model, rows):
        return elements_of(descriptor_of(model), theta_of(model), rows)

    return elements


@scalar
def memory_of(descriptor, like, n_rows):
    """Elements of what `laplacian` keeps of up to `n_rows` samples for `laplacian_vjp`."""
    return kept_elements(view(descriptor, like), n_rows)


@kernel
def _memory(model, rows):
    return memory_of(pointer(model.descriptor, 0), pointer(model.theta, 0), rows)


def laplacian_memory_size(model, rows):
    """Elements of a memory that `laplacian` leaves to `laplacian_vjp`, of so many samples.

    Parameters
    ----------
    model : Model
        From ``network.compiled(derivatives=True)``.
    rows : int
        Samples of both calls.

    Returns
    -------
    int

    """
    return _memory(model, rows)


@overload(laplacian_memory_size)
def _(model, rows):
    def elements(model, rows):
        return memory_of(descriptor_of(model), theta_of(model), rows)

    return elements


@scalar
def _check(model, index, rows, workspace):
    """Refuse a model without this function, and a workspace that is too short."""
    descriptor = descriptor_of(model)
    check_model(descriptor, index)
    if workspace is not None or rows > 1:
        needed = elements_of(descriptor, theta_of(model), rows)
        what = "derivatives_workspace_size(model, rows) ="
        if workspace is None:
            raise SizeError("a batch needs a workspace of", what, needed)
        elif workspace.size < needed:
            raise SizeError(
                "workspace is too short:", workspace.size, "elements, expected", what, needed
            )


@scalar
def _check_derivatives(model, name, array, rows):
    """Refuse what is not (…, outputs, inputs)."""
    descriptor = descriptor_of(model)
    inputs, outputs = descriptor[layout.INPUTS], descriptor[layout.OUTPUTS]
    if array.shape[array.ndim - 1] != inputs or array.shape[array.ndim - 2] != outputs:
        raise SizeError(name, "must end with the axes outputs, inputs:", outputs, inputs)
    if array.size != rows * outputs * inputs:
        raise SizeError(name, "has", array.size, "numbers, expected", rows * outputs * inputs)


@scalar
def _check_parameters(model, name, array):
    """Refuse what is not a vector like the parameters."""
    size = descriptor_of(model)[layout.SIZE]
    if array.size != size:
        raise SizeError(name, "has", array.size, "numbers, expected one a parameter:", size)


def _is_none(argument):
    return argument is None or isinstance(argument, (types.NoneType, types.Omitted))


def _check_more(name, array, x, dtype):
    """An array with one axis more than the samples."""
    check_array(name, array, dtype, (x.ndim + 1,))


def jvp(model, x, v, y, out, workspace=None):
    """Write the outputs for x into `y`, and their derivatives along v, shaped as x, into `out`."""
    raise TypeError("jvp is for compiled functions; from Python, use network.jvp")


@overload(jvp)
def _(model, x, v, y, out, workspace=None):
    check_all(model, workspace, ("x", x), ("v", v), ("y", y), ("out", out))

    def checked_call(model, x, v, y, out, workspace=None):
        descriptor, rows = descriptor_of(model), rows_of(x)
        _check(model, layout.JVP, rows, workspace)
        check_samples(model, "x", x, layout.INPUTS, rows)
        check_samples(model, "v", v, layout.INPUTS, rows)
        check_samples(model, "y", y, layout.OUTPUTS, rows)
        check_samples(model, "out", out, layout.OUTPUTS, rows)
        call_jvp(
            descriptor[layout.JVP], descriptor, pointer(x, 0), pointer(v, 0), pointer(y, 0),
            pointer(out, 0), rows, work_of(model, workspace), 0, 1,
        )  # fmt: skip

    return checked_call


def hvp(model, x, t, v, out, workspace=None):
    """Write the Hessian of the cost of the samples x with targets t, times v, into `out`.

    v, out: vectors as `model.parameters`. Targets have as many columns as the cost asks for, and
    are not checked; classes are one-hot. Penalties of layers are in it.
    """
    raise TypeError("hvp is for compiled functions; from Python, use network.hvp")


@overload(hvp)
def _(model, x, t, v, out, workspace=None):
    check_all(model, workspace, ("x", x), ("t", t))
    for name, array in (("v", v), ("out", out)):
        check_array(name, array, model.types[1].dtype, (1,))

    def checked_call(model, x, t, v, out, workspace=None):
        descriptor, rows = descriptor_of(model), rows_of(x)
        _check(model, layout.HVP, rows, workspace)
        check_samples(model, "x", x, layout.INPUTS, rows)
        check_samples(model, "t", t, layout.TARGETS, rows)
        _check_parameters(model, "v", v)
        _check_parameters(model, "out", out)
        call_hvp(
            descriptor[layout.HVP], descriptor, pointer(x, 0), pointer(t, 0), pointer(v, 0),
            pointer(out, 0), rows, work_of(model, workspace), 0, 1,
        )  # fmt: skip

    return checked_call


def parameter_jacobian(model, x, out, workspace=None):
    """Write ∂output k / ∂parameter p of each sample into ``out[…, k, p]``; 0 of frozen layers."""
    raise TypeError(
        "parameter_jacobian is for compiled functions; from Python, use network.parameter_jacobian"
    )


@overload(parameter_jacobian)
def _(model, x, out, workspace=None):
    check_all(model, workspace, ("x", x))
    _check_more("out", out, x, model.types[1].dtype)

    def checked_call(model, x, out, workspace=None):
        descriptor, rows = descriptor_of(model), rows_of(x)
        _check(model, layout.PARAMETER_JACOBIAN, rows, workspace)
        check_samples(model, "x", x, layout.INPUTS, rows)
        outputs, size = descriptor[layout.OUTPUTS], descriptor[layout.SIZE]
        if out.shape[out.ndim - 1] != size or out.shape[out.ndim - 2] != outputs:
            raise SizeError("out must end with the axes outputs, parameters:", outputs, size)
        if out.size != rows * outputs * size:
            raise SizeError("out has", out.size, "numbers, expected", rows * outputs * size)
        call_parameter_jacobian(
            descriptor[layout.PARAMETER_JACOBIAN], descriptor, pointer(x, 0), pointer(out, 0), rows,
            work_of(model, workspace), 0, 1,
        )  # fmt: skip

    return checked_call


def laplacian(model, x, y, dy, ly, workspace=None, memory=None):
    """Write outputs, their derivatives by the inputs and their Laplacians, in one pass.

    y and ly: (rows, outputs), dy: (rows, outputs, inputs); of one sample without rows. memory: of
    ``laplacian_memory_size(model, rows)`` elements, takes what `laplacian_vjp` would else compute
    again.
    """
    raise TypeError("laplacian is for compiled functions; from Python, use network.laplacian")


@overload(laplacian)
def _(model, x, y, dy, ly, workspace=None, memory=None):
    dtype = model.types[1].dtype
    check_all(model, workspace, ("x", x), ("y", y), ("ly", ly))
    _check_more("dy", dy, x, dtype)
    keeps = _keeps(memory, dtype)
    if keeps and not memory.mutable:
        raise TypeError("memory must be writable, but is read-only")

    def checked_call(model, x, y, dy, ly, workspace=None, memory=None):
        descriptor, rows = descriptor_of(model), rows_of(x)
        _check(model, layout.LAPLACIAN, rows, workspace)
        if keeps:
            _check_memory(model, rows, memory)
        check_samples(model, "x", x, layout.INPUTS, rows)
        check_samples(model, "y", y, layout.OUTPUTS, rows)
        check_samples(model, "ly", ly, layout.OUTPUTS, rows)
        _check_derivatives(model, "dy", dy, rows)
        call_laplacian(
            descriptor[layout.LAPLACIAN], descriptor, pointer(x, 0), pointer(y, 0), pointer(dy, 0),
            pointer(ly, 0), rows, work_of(model, workspace), _pointer(memory, y), keeps, 0, 1,
        )  # fmt: skip

    return checked_call


def _keeps(memory, dtype):
    """Whether there is a memory: one that kernels can take."""
    if _is_none(memory):
        return False
    check_array("memory", memory, dtype, (1,))
    return True


@scalar
def _check_memory(model, rows, memory):
    """Refuse a memory that is too short, and a model without the function that reads it."""
    check_model(descriptor_of(model), layout.LAPLACIAN_VJP)
    needed = memory_of(descriptor_of(model), theta_of(model), rows)
    if memory.size < needed:
        what = "elements, expected laplacian_memory_size(model, rows) ="
        raise SizeError("memory is too short:", memory.size, what, needed)


@scalar
def _pointer(array, like):
    if array is None:
        return pointer(like, 0)
    return pointer(array, 0)


def laplacian_vjp(model, x, gy, gdy, gly, grad, workspace=None, memory=None):
    """Write the gradient by the parameters of Σ gy y + Σ gdy ∂y + Σ gly Δy into `grad`.

    gy, gdy and gly are shaped as y, dy and ly of `laplacian`; each may be None, which counts as
    zero. Of frozen layers the gradient is zero. memory: what `laplacian` has left there, of the
    same model, parameters and samples; without it they go forward once more.
    """
    raise TypeError(
        "laplacian_vjp is for compiled functions; from Python, use network.laplacian(X, "
        "pullback=True)"
    )


@overload(laplacian_vjp)
def _(model, x, gy, gdy, gly, grad, workspace=None, memory=None):
    dtype = model.types[1].dtype
    given = [(name, array) for name, array in (("gy", gy), ("gly", gly)) if not _is_none(array)]
    check_all(model, workspace, ("x", x), *given)
    if not _is_none(gdy):
        _check_more("gdy", gdy, x, dtype)
    check_array("grad", grad, dtype, (1,))
    keeps = _keeps(memory, dtype)
    cotangents = (gy, OF_VALUE), (gdy, OF_GRADIENT), (gly, OF_LAPLACIAN)
    bits = sum(bit for array, bit in cotangents if not _is_none(array))

    def checked_call(model, x, gy, gdy, gly, grad, workspace=None, memory=None):
        descriptor, rows = descriptor_of(model), rows_of(x)
        _check(model, layout.LAPLACIAN_VJP, rows, workspace)
        if keeps:
            _check_memory(model, rows, memory)
        check_samples(model, "x", x, layout.INPUTS, rows)
        if gy is not None:
            check_samples(model, "gy", gy, layout.OUTPUTS, rows)
        if gdy is not None:
            _check_derivatives(model, "gdy", gdy, rows)
        if gly is not None:
            check_samples(model, "gly", gly, layout.OUTPUTS, rows)
        _check_parameters(model, "grad", grad)
        call_laplacian_vjp(
            descriptor[layout.LAPLACIAN_VJP], descriptor, pointer(x, 0), _pointer(gy, x),
            _pointer(gdy, x), _pointer(gly, x), bits, pointer(grad, 0), rows,
            work_of(model, workspace), _pointer(memory, x), keeps, 0, 1,
        )  # fmt: skip

    return checked_call
