"""How much a case computes and moves, for the roofline.

Operations are counted in LLVM's code of the scalar formula, as optimised for one number: an
addition, subtraction, multiplication, division, square root, comparison, minimum or maximum of
floating-point numbers is one, a fused multiply-add two. Signs, selections, conversions and
operations on integers are none. Of products it is their additions and
multiplications, of trainings and predictions those of their products.

Bytes are those that must be moved, if each number is read and written once.
"""

from __future__ import annotations

import functools
import inspect
import re
from collections.abc import Callable
from typing import Any

import numba
from numba import types as numba_types

from ..activations import find
from ..kernels import activations as formulas
from .activations.cases import Case as Activation
from .dropin.cases import Case as Call
from .networks.tasks import Task
from .optimizers.cases import Case as Step
from .products.cases import Case as Product

__all__ = ["operations_of", "work_of"]

types: Any = numba_types  # partly annotated

_COST = {"fma": 2, "fmuladd": 2}
_COUNTED = re.compile(
    r"= (?:[a-z]+ )*(?P<plain>fadd|fsub|fmul|fdiv|frem|fcmp)\b"
    r"|= .*@llvm\.(?P<called>fma|fmuladd|sqrt|minnum|maxnum|minimum|maximum)\."
)
_ITEM = {"float32": 4, "float64": 8}
_ARRAYS = {"forward": 2, "call": 2, "vjp": 3, "derivative": 2, "both": 4}


def work_of(case: Any) -> dict[str, float | None]:
    """Operations, None where nobody has counted them, and bytes of one call or step."""
    if isinstance(case, Call):  # of which small ones are about, and so no roofline
        return {"operations": None, "bytes": None}
    if isinstance(case, Activation):
        arrays = _ARRAYS[case.part] * case.elements * _ITEM[case.dtype]
        each = _activation(case.name, case.part, case.dtype)
        return {"operations": each and each * case.elements, "bytes": arrays}
    if isinstance(case, Step):
        moved = case.moved * case.elements * _ITEM["float32"]
        return {"operations": _update(case.task.rule) * case.elements, "bytes": moved}
    task: Task | Product = case
    return {"operations": task.operations, "bytes": task.moved}


@functools.cache
def _activation(name: str, part: str, dtype: str) -> int | None:
    """Of one number; None for functions of several."""
    kernel = find(name).kernel
    values, slope = formulas.find(kernel), formulas.find(f"{kernel}_derivative")
    if values is None or slope is None:
        return None
    number = getattr(types, dtype)

    def count(formula: Callable[..., Any]) -> int:
        return operations_of(formula, *[number] * len(inspect.signature(formula).parameters))

    if part in ("forward", "call"):
        return count(values)
    return count(slope) + (part != "derivative") + (count(values) if part == "both" else 0)


@functools.cache
def _update(name: str) -> int:
    """Of one parameter, with the addition of the step."""
    from ..optimizers import RULES

    rule = RULES[name]
    single = types.float32
    constants = _compiled(rule.constants, single, types.float64[::1], types.int64)
    (shared,) = (one.signature.return_type for one in constants.overloads.values())
    states = types.UniTuple(single, len(rule.states))
    return 1 + operations_of(rule.update, single, states, shared, types.int64)


def operations_of(formula: Callable[..., Any], *arguments: Any) -> int:
    """Floating-point operations in the optimised code of a formula without branches."""
    compiled = _compiled(formula, *arguments)
    (text,) = compiled.inspect_llvm().values()
    return sum(
        _COST.get(found["called"] or "", 1)
        for line in text.splitlines()
        if (found := _COUNTED.search(line))
    )


def _compiled(formula: Callable[..., Any], *arguments: Any) -> Any:
    jit: Any = numba.njit  # annotated without these options
    options = {"error_model": "numpy", "fastmath": {"contract"}}
    return jit(arguments, no_cpython_wrapper=True, no_cfunc_wrapper=True, **options)(formula)
