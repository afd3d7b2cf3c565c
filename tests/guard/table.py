"""Every kernel that is made from an entry of a table or built on `vecmath`, and how it is called.

Nothing is listed here by name: an entry that is added is guarded.
"""

import ctypes
import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from fastnn import get_opt
from fastnn.activations import ACTIVATIONS
from fastnn.kernels import activations as formulas
from fastnn.kernels import vecmath
from fastnn.kernels.activations import tile_kernels as elementwise
from fastnn.kernels.codegen import vector_loops as loops
from fastnn.kernels.codegen.signature import INT, TILE_KERNEL, Signature
from fastnn.kernels.losses import tile_kernels as costs
from fastnn.kernels.optimizers import layout
from fastnn.kernels.ufuncs import softmax_formulas
from fastnn.losses import COSTS
from fastnn.optimizers import RULES

__all__ = ["DTYPES", "KERNELS", "Memory"]

DTYPES = "float32", "float64"
_LANES = 4096  # at most, of a row
_ROWS = 64  # that any kernel reads or writes


class Memory:
    """Numbers that kernels may read and write, good for all of them."""

    def __init__(self, dtype):
        rng = np.random.default_rng(0)
        self.dtype = np.dtype(dtype)
        self.arrays = [rng.uniform(0.1, 0.9, _ROWS * _LANES).astype(dtype) for _ in range(3)]
        self.places = np.zeros(32, np.int64)
        self.numbers = np.zeros(64)


@dataclass(frozen=True)
class Blocks:
    """A formula of single numbers, as ufuncs run it."""

    name: str
    function: Callable[..., Any]
    operands: int
    signature: ClassVar[Signature] = loops.BLOCKS
    has_remainder: ClassVar[bool] = False
    calls: ClassVar[frozenset[str]] = frozenset()

    def given(self, memory, size):
        """Arguments of a call for so many elements."""
        places = memory.places
        places[: self.operands] = [
            memory.arrays[0].ctypes.data + k * 16 * loops.BLOCK for k in range(self.operands)
        ]
        places[self.operands : 2 * self.operands] = 0  # the same numbers for all blocks
        return places.ctypes.data, size * memory.dtype.itemsize // loops.BLOCK, None


@dataclass(frozen=True)
class Row:
    """A tile kernel of a layer or a cost."""

    name: str
    function: Callable[..., Any]
    numbers: tuple[float, ...]
    features: int
    k: int = 0
    signature: ClassVar[Signature] = TILE_KERNEL
    has_remainder: ClassVar[bool] = True
    calls: ClassVar[frozenset[str]] = frozenset({"memset", "memcpy"})

    def given(self, memory, size):
        """Arguments of a call for so many elements."""
        memory.numbers[: len(self.numbers)] = self.numbers
        places = [array.ctypes.data for array in (*memory.arrays, memory.numbers)]
        return *places, self.features, size // self.features, self.k, 0


@dataclass(frozen=True)
class Rule:
    """The tile kernel of an update rule."""

    name: str
    function: Callable[..., Any]
    signature: ClassVar[Signature] = layout.UPDATE_KERNEL
    has_remainder: ClassVar[bool] = True
    calls: ClassVar[frozenset[str]] = frozenset({"pow", "memset"})  # pow: once a step

    def given(self, memory, size):
        """Arguments of a call for so many elements."""
        numbers = get_opt(self.name.removesuffix(" step")).numbers()
        memory.numbers[: numbers.size] = numbers
        memory.numbers[layout.RATE] = 1e-3
        places = [array.ctypes.data for array in (*memory.arrays, memory.numbers)]
        return *places, size, 1, memory.arrays[2].size // 8, layout.APPLY


def _blocks(name, formula, outputs=1):
    inputs = len(inspect.signature(formula).parameters)
    return Blocks(name, loops.blocks(formula, inputs, outputs), inputs + outputs)


def _activations():
    for name, spec in ACTIVATIONS.items():
        numbers = spec.numbers()
        if spec.kind:
            for part, function in zip(("forward", "training", "back"), spec.kind[:3], strict=True):
                yield Row(f"{name} {part}", function, numbers, 4)
            continue
        for part in formulas.ORDERS:
            formula = formulas.find(f"{spec.kernel}{part}")
            if formula is None:
                continue
            yield _blocks(f"{name}{part.replace('_', ' ') or ' forward'}", formula)
        forward, slope = (formulas.find(f"{spec.kernel}{part}") for part in ("", "_from_output"))
        both = elementwise.forward_with_derivative(
            forward, slope or formulas.find(f"{spec.kernel}_derivative"), slope is not None
        )
        yield Row(f"{name} training", both, numbers, 8)


def _along_axis():
    for name in softmax_formulas.TABLE:
        for step, (formula, inputs, outputs) in enumerate(softmax_formulas.steps(name), 1):
            function = loops.blocks(formula, inputs, outputs)
            yield Blocks(f"{name.replace('_', ' ')} ufunc step {step}", function, inputs + outputs)


def _costs():
    """A cost's value alone is the same function as its step, without what comes after."""
    for name, kind in COSTS.items():
        cost = kind()
        k = getattr(cost, "targets", 8)
        features = cost.outputs_for(k)
        numbers = tuple(map(float, cost.numbers(features)))
        yield Row(f"{name} cost", cost.kernels().value_and_grad, numbers, features, k)
    for name, output in costs.ACTIVATIONS.items():
        for part, function in zip(("forward", "back"), output, strict=True):
            if function:
                yield Row(f"output {name} {part}", function, (2.0, 0.0), 8)


def _all():
    yield from (_blocks(f"vecmath {name}", getattr(vecmath, name)) for name in vecmath.ELEMENTARY)
    yield from _activations()
    yield from _along_axis()
    yield from _costs()
    yield from (Rule(f"{name} step", rule.kernel()) for name, rule in RULES.items())


def _kernels():
    """By name; a function that several entries share stands under its first one."""
    found = {}
    for kernel in _all():
        found.setdefault((kernel.function, kernel.signature), kernel)
    return {kernel.name: kernel for kernel in found.values()}


KERNELS = _kernels()


def prototype(kernel):
    """Its C function, for ctypes."""
    kinds = kernel.signature.arguments.values()
    kinds = [ctypes.c_int64 if kind is INT else ctypes.c_void_p for kind in kinds]
    return ctypes.CFUNCTYPE(ctypes.c_double, *kinds)
