"""Networks inside your own compiled functions: `predict`, `train_step`, `jacobian`, `vjp`.

Call these in a function under ``numba.njit`` (or its relatives), with a model that
``network.compiled()`` gave and that your function takes as an argument:

    @njit(nogil=True, cache=True)
    def rollout(model, x, out, workspace):
        for _ in range(1000):
            kernels.predict(model, x, out, workspace)
            ...

Arrays are C-contiguous and of the network's dtype: one sample (features,), or a batch
(rows, features). Nothing is allocated and the GIL is not needed. A wrong type is a TypeError when
the function compiles, a wrong shape a ValueError when it runs. ``model.parameters`` is the flat
vector of all weights and biases, the network's own: writing to it changes the network.
`workspace` is a 1-D array of the network's dtype with at least ``workspace_size(model, rows)``
elements. Without it the model's own scratch memory serves, which is enough for one sample, and for
one thread at a time.
"""

from numba import types
from numba.extending import models, overload, overload_attribute, register_model, typeof_impl

from ..codegen.cache import stamps
from ..codegen.declare import kernel, scalar
from ..codegen.intrinsics import data, field, pointer
from ..engine import layout
from ..engine.model import Model
from .functions import call_jacobian, call_predict, call_train_step, call_vjp, workspace_elements

__all__ = ["jacobian", "predict", "train_step", "vjp", "workspace_size"]


class ModelType(types.NamedTuple):
    """The type of a model, which tells kernels of other sources apart.

    Users' own cached functions have places of `engine.layout` compiled in, and numba looks at the
    users' files only: with another type it compiles them again.
    """

    def __init__(self, members, stamp):
        self.stamp = stamp
        super().__init__(members, Model)
        self.name = f"{self.name}[{stamp}]"

    @property
    def key(self):
        """What makes two types equal."""
        return *super().key, self.stamp


register_model(ModelType)(models.TupleModel)


@typeof_impl.register(Model)
def _(model, context):
    return ModelType([typeof_impl(array, context) for array in model], stamps()[1])


@overload_attribute(ModelType, "parameters")
def _(model):
    return lambda model: model.theta


@kernel
def _workspace_size(model, rows):
    return workspace_elements(pointer(model.descriptor, 0), pointer(model.theta, 0), rows)


def workspace_size(model, rows):
    """Elements of a workspace for up to `rows` samples at once.

    Parameters
    ----------
    model : Model
        From ``network.compiled()``.
    rows : int

    Returns
    -------
    int

    """
    return _workspace_size(model, rows)


@overload(workspace_size)
def _(model, rows):
    def elements(model, rows):
        return workspace_elements(pointer(model.descriptor, 0), pointer(model.theta, 0), rows)

    return elements


_WRITTEN = ("out", "workspace", "y", "dy", "ly", "grad")


def check_array(name, array, dtype, dimensions=(1, 2)):
    """Refuse an argument that kernels cannot take, where its type already tells.

    By a TypeError: numba hides its own errors in a listing of all that it has tried.
    """
    if not isinstance(array, types.Array):
        raise TypeError(f"{name} must be an array, not {array}")
    if array.layout != "C" or array.ndim not in dimensions:
        shapes = " or ".join(f"{n}-dimensional" for n in dimensions)
        raise TypeError(f"{name} must be a C-contiguous {shapes} array, not {array}")
    if name in _WRITTEN and not array.mutable:
        raise TypeError(f"{name} must be writable, but is read-only")
    if array.dtype != dtype:
        raise TypeError(f"{name} must be of the network's dtype, {dtype}, not {array.dtype}")


def check_workspace(workspace, dtype):
    """The same for a workspace, which may be left out."""
    if not (workspace is None or isinstance(workspace, (types.NoneType, types.Omitted))):
        check_array("workspace", workspace, dtype, (1,))


def check_all(model, workspace, *arrays):
    """Check arrays of samples, given as (name, array): as many dimensions each."""
    dtype = model.types[1].dtype
    for name, array in arrays:
        check_array(name, array, dtype)
    if len({array.ndim for _, array in arrays}) > 1:
        given = ", ".join(f"{name} {array.ndim}" for name, array in arrays)
        raise TypeError(f"arrays must be one sample or a batch alike, but dimensions are {given}")
    check_workspace(workspace, dtype)


descriptor_of = field(Model._fields.index("descriptor"))
theta_of = field(Model._fields.index("theta"))


@scalar
def rows_of(array):
    return 1 if array.ndim == 1 else array.shape[0]


@scalar
def work_of(model, workspace):
    if workspace is None:
        return data(descriptor_of(model)[layout.SCRATCH], theta_of(model))
    return pointer(workspace, 0)


@scalar
def _needed(descriptor, like, rows):
    """`workspace_elements`, which are known for one sample."""
    return workspace_elements(descriptor, like, rows) if rows > 1 else descriptor[layout.SINGLE]


class SizeError(ValueError):
    """A wrong size: words and numbers, of which Python makes the message.

    In compiled code a text with numbers would take as long to compile as all else.
    """

    def __init__(self, *words):
        super().__init__(" ".join(map(str, words)))


@scalar
def check_model(descriptor, index):
    """Refuse a model that is no longer the network's, or has no such function."""
    if descriptor[layout.STALE]:
        raise ValueError(
            "the network was changed, or shares a layer with one that was used, since this model "
            "was made: call compiled() again"
        )
    if descriptor[index] == 0:
        raise ValueError("the model lacks this function: see the arguments of compiled()")


@scalar
def _check_sizes(model, index, rows, workspace):
    """Refuse a model without this function, and a workspace that is too short."""
    descriptor = descriptor_of(model)
    check_model(descriptor, index)
    needed = _needed(descriptor, theta_of(model), rows)
    if workspace is None:
        if rows > 1:
            raise SizeError("a batch needs a workspace of workspace_size(model, rows) =", needed)
    elif workspace.size < needed:
        given, what = workspace.size, "elements, expected workspace_size(model, rows) ="
        raise SizeError("workspace is too short:", given, what, needed)


@scalar
def check_samples(model, name, array, index, rows):
    """Refuse shapes that do not fit; kernels would read or write beyond the ends."""
    features, expected = array.shape[array.ndim - 1], descriptor_of(model)[index]
    if features != expected:
        raise SizeError(name, "has", features, "features, expected", expected)
    if rows_of(array) != rows:
        raise SizeError(name, "has", rows_of(array), "rows, expected", rows)


def predict(model, x, out, workspace=None):
    """Write the outputs of the network for x into `out`, which must not share memory with x."""
    raise TypeError("predict is for compiled functions; from Python, use network.predict")


@overload(predict)
def _(model, x, out, workspace=None):
    check_all(model, workspace, ("x", x), ("out", out))

    def checked_call(model, x, out, workspace=None):
        descriptor, rows = descriptor_of(model), rows_of(x)
        _check_sizes(model, layout.PREDICT, rows, workspace)
        check_samples(model, "x", x, layout.INPUTS, rows)
        check_samples(model, "out", out, layout.OUTPUTS, rows)
        work = work_of(model, workspace)
        call_predict(
            descriptor[layout.PREDICT], descriptor, pointer(x, 0), pointer(out, 0), rows, work, 0, 1
        )

    return checked_call


def train_step(model, x, t, learning_rate, workspace=None):
    """One step of the model's update rule on the samples x with the targets t.

    Targets have as many columns as the cost asks for, and are not checked; classes are one-hot.
    The caller gives the learning rate of every step; that of the optimizer is not looked at.
    Returns the cost before the step, summed or averaged as the network's cost says; NaN if the step
    was refused because a parameter would have become infinite or NaN. The samples count as all
    there are: penalties of layers are added whole at every step.
    """
    raise TypeError("train_step is for compiled functions; from Python, use network.fit")


@overload(train_step)
def _(model, x, t, learning_rate, workspace=None):
    check_all(model, workspace, ("x", x), ("t", t))
    if not isinstance(learning_rate, types.Number):
        raise TypeError(f"learning_rate must be a number, not {learning_rate}")

    def checked_call(model, x, t, learning_rate, workspace=None):
        descriptor, rows, rate = descriptor_of(model), rows_of(x), float(learning_rate)
        if rows < 1:
            raise ValueError("x has no rows, expected at least one sample")
        if not rate >= 0.0:  # NaN too; an infinite one is refused as a step
            raise ValueError("learning_rate must be a number, at least 0")
        _check_sizes(model, layout.STEP, rows, workspace)
        check_samples(model, "x", x, layout.INPUTS, rows)
        check_samples(model, "t", t, layout.TARGETS, rows)
        work = work_of(model, workspace)
        return call_train_step(
            descriptor[layout.STEP], descriptor, pointer(x, 0), pointer(t, 0), rows, rate, work
        )

    return checked_call


def jacobian(model, x, out, workspace=None):
    """Write ∂output k / ∂input i of one sample x into ``out[k, i]``."""
    raise TypeError("jacobian is for compiled functions; from Python, use network.jacobian")


@overload(jacobian)
def _(model, x, out, workspace=None):
    dtype = model.types[1].dtype
    check_array("x", x, dtype, (1,))
    check_array("out", out, dtype, (2,))
    check_workspace(workspace, dtype)

    def checked_call(model, x, out, workspace=None):
        descriptor = descriptor_of(model)
        _check_sizes(model, layout.JACOBIAN, 1, workspace)
        check_samples(model, "x", x, layout.INPUTS, 1)
        check_samples(model, "out", out, layout.INPUTS, descriptor[layout.OUTPUTS])
        work = work_of(model, workspace)
        call_jacobian(descriptor[layout.JACOBIAN], descriptor, pointer(x, 0), pointer(out, 0), work)

    return checked_call


def vjp(model, x, g, out, workspace=None):
    """Write gᵀ ∂output/∂input, for each sample of x, into `out`; g has the shape of the outputs."""
    raise TypeError("vjp is for compiled functions; from Python, use network.vjp")


@overload(vjp)
def _(model, x, g, out, workspace=None):
    check_all(model, workspace, ("x", x), ("g", g), ("out", out))

    def checked_call(model, x, g, out, workspace=None):
        descriptor, rows = descriptor_of(model), rows_of(x)
        _check_sizes(model, layout.VJP, rows, workspace)
        check_samples(model, "x", x, layout.INPUTS, rows)
        check_samples(model, "g", g, layout.OUTPUTS, rows)
        check_samples(model, "out", out, layout.INPUTS, rows)
        p, q, work = pointer(g, 0), pointer(out, 0), work_of(model, workspace)
        call_vjp(descriptor[layout.VJP], descriptor, pointer(x, 0), p, q, rows, work, 0, 1)

    return checked_call


@scalar
def _check_flat(descriptor, rows, x, inputs, y, outputs, work, part, parts):
    """Refuse arrays of other sizes than `rows` samples have, also where a thread changed them."""
    if not 0 <= part < parts:
        raise SizeError("the part", part, "is none of", parts)
    n, m = rows * descriptor[inputs], rows * descriptor[outputs]
    if x.size != n:
        raise SizeError("the samples have", x.size, "numbers, expected", n)
    if y.size != m:
        raise SizeError("the outputs have", y.size, "numbers, expected", m)
    needed = _needed(pointer(descriptor, 0), pointer(x, 0), rows)
    if work.size < needed:
        raise SizeError("the workspace has", work.size, "elements, expected", needed)


@kernel
def predict_rows(descriptor, x, out, rows, work, part, parts):
    """A part of a batch from Python, whose other parts other threads have."""
    _check_flat(descriptor, rows, x, layout.INPUTS, out, layout.OUTPUTS, work, part, parts)
    call_predict(
        descriptor[layout.PREDICT],
        pointer(descriptor, 0),
        pointer(x, 0),
        pointer(out, 0),
        rows,
        pointer(work, 0),
        part,
        parts,
    )


@kernel
def jacobian_one(descriptor, x, out, work):
    """The Jacobian of one sample from Python."""
    _check_flat(descriptor, 1, x, layout.INPUTS, x, layout.INPUTS, work, 0, 1)
    if out.size != descriptor[layout.INPUTS] * descriptor[layout.OUTPUTS]:
        raise SizeError("the Jacobian has", out.size, "numbers, the network another size")
    call_jacobian(
        descriptor[layout.JACOBIAN],
        pointer(descriptor, 0),
        pointer(x, 0),
        pointer(out, 0),
        pointer(work, 0),
    )


@kernel
def vjp_rows(descriptor, x, g, out, rows, work, part, parts):
    """A part of a vector-Jacobian product from Python, see `predict_rows`."""
    _check_flat(descriptor, rows, x, layout.INPUTS, g, layout.OUTPUTS, work, part, parts)
    _check_flat(descriptor, rows, out, layout.INPUTS, g, layout.OUTPUTS, work, part, parts)
    call_vjp(
        descriptor[layout.VJP], pointer(descriptor, 0), pointer(x, 0), pointer(g, 0),
        pointer(out, 0), rows, pointer(work, 0), part, parts,
    )  # fmt: skip
