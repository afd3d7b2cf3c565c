"""Compiled kernels: arrays and scalars in, arrays out; no validation, no classes, no allocation.

Nothing here knows the API above. Start reading at `codegen` (how everything is compiled), `engine`
(a whole training), `gemm` (products in registers) and `vecmath` (the functions that activations
are made of). For your own compiled functions: `predict`, `train_step`, `jacobian`, `vjp`, and
`workspace_size`, of a model that ``net.compiled()`` gives; and of
``net.compiled(derivatives=True)`` `jvp`, `hvp`, `parameter_jacobian`, `laplacian`, `laplacian_vjp`
and `derivatives_workspace_size`.
"""

from importlib.util import find_spec

from .codegen.compiler import imported
from .inference.overloads import jacobian, predict, train_step, vjp, workspace_size

__all__ = [
    "derivatives_workspace_size",
    "hvp",
    "jacobian",
    "jvp",
    "laplacian",
    "laplacian_vjp",
    "parameter_jacobian",
    "predict",
    "train_step",
    "vjp",
    "workspace_size",
]


_OF_DERIVATIVES = {
    "derivatives_workspace_size", "hvp", "jvp", "laplacian", "laplacian_memory_size",
    "laplacian_vjp", "parameter_jacobian",
}  # fmt: skip


def _ufuncs():
    """The module of ufuncs, left out of ``import fastnn``: it takes a while."""
    return imported(".ufuncs.elementwise", __name__)


def __getattr__(name):
    """Ufuncs of activations by their names, see `ufuncs`, and functions of derivatives.

    Made or imported when first asked for.
    """
    if name in _OF_DERIVATIVES:
        function = getattr(imported(".derivatives.overloads", __name__), name)
        globals()[name] = function
        return function
    # `from fastnn.kernels import` asks here first for modules too
    if name.startswith("_") or find_spec(f".{name}", __name__):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    ufunc = _ufuncs().find(name)
    if ufunc is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = ufunc  # where pickle looks for it
    return ufunc


def __dir__():
    return [*globals(), *_OF_DERIVATIVES, *_ufuncs().known()]
