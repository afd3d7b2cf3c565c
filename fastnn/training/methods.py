"""Methods of `fit` that take all samples at every iteration, and are no update rules."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

from ..callbacks import Callback
from ..kernels.codegen.compiler import imported
from ..optimizers import levenberg_marquardt as marquardt
from ..optimizers.table import LBFGS
from . import lbfgs

__all__ = ["Method", "find"]


class Method(NamedTuple):
    """What `fit` asks of a method; see `lbfgs.Objective` and `lbfgs.descend`."""

    name: str
    objective: Callable[..., Any]
    descend: Callable[..., Any]
    hooks: Callable[[bool], list[Callback]]  # callbacks of its own; told of validation data


_LBFGS = Method(LBFGS, lbfgs.Objective, lbfgs.descend, lambda validated: [])


@functools.cache
def _levenberg_marquardt() -> Any:
    """The module, imported when first needed: every `fit` would spend a while on asking for it."""
    return imported(".levenberg_marquardt", __package__)


def find(optimizer: object) -> Method | None:
    """The method that a caller means, if it is one."""
    if lbfgs.is_meant(optimizer):
        return _LBFGS
    if marquardt.is_meant(optimizer):
        optimizer = marquardt.LevenbergMarquardt()
    if not isinstance(optimizer, marquardt.LevenbergMarquardt):
        return None
    levenberg_marquardt = _levenberg_marquardt()
    return Method(
        marquardt.NAME,
        functools.partial(levenberg_marquardt.Objective, method=optimizer),
        levenberg_marquardt.descend,
        functools.partial(levenberg_marquardt.hooks, optimizer),
    )
