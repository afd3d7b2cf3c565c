"""Compiled kernels: arrays and scalars in, arrays out; no validation, no classes, no allocation.

Nothing here knows the API above. Start reading at `jit` (how everything is compiled), `engine` (a
whole training), `blocks` (products in registers) and `vecmath` (the functions that activations are
made of). For your own compiled functions: `predict`, `train_step`, `jacobian`, `vjp`, and
`workspace_size`, of a model that ``net.compiled()`` gives.
"""

from . import ufuncs as _ufuncs
from .api import jacobian, predict, train_step, vjp, workspace_size

__all__ = ["jacobian", "predict", "train_step", "vjp", "workspace_size"]


def __getattr__(name):
    """Ufuncs of activations by their names, see `ufuncs`; made when first asked for."""
    found = None if name.startswith("_") else _ufuncs.find(name)
    if found is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = found  # where pickle looks for it
    return found


def __dir__():
    return [*globals(), *_ufuncs.known()]
