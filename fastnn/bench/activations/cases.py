"""What is compared: which activation, what of it, on which numbers; and how ours does it."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

import fastnn

from ...activations import find
from ...reference import activations as reference
from ...reference.vector_activations import KINDS

__all__ = ["PARAMETERS", "Case", "Data", "case_of", "oracle", "ours"]

Array = npt.NDArray[Any]

# of ours, where the peers have others; maxout has no defaults for its weights
PARAMETERS: dict[str, dict[str, Any]] = {
    "threshold": {"threshold": 0.1, "value": 2.0},
    "hard-sigmoid": {"slope": 1 / 6},
    "maxout": {"n_prev": 32, "n": 16, "k": 2, "rng": 0},
}
_ALONG_AXIS = ("softmax", "softmin", "log-softmax")


@dataclass(frozen=True)
class Case:
    """One comparison.

    Attributes
    ----------
    name : str
        Of the activation.
    part : str
        ``forward``, ``derivative``, ``vjp``, ``both`` of them, or ``call``, which is forward too.
    dtype : str
    shape : tuple of int
        Of x.

    """

    name: str
    part: str
    dtype: str
    shape: tuple[int, ...]

    @property
    def small(self) -> Case:
        """The same for fewer numbers."""
        rows, *rest = self.shape
        return replace(self, shape=(min(rows, 10_000), *rest))

    @property
    def elements(self) -> int:
        """Numbers in x."""
        return math.prod(self.shape)

    @property
    def along_axis(self) -> bool:
        """Whether all numbers of a row belong together."""
        return self.name in _ALONG_AXIS

    @property
    def result_shape(self) -> tuple[int, ...]:
        """Of the activation."""
        if self.name == "GLU":
            return (*self.shape[:-1], self.shape[-1] // 2)
        if self.name == "maxout":
            return (*self.shape[:-1], PARAMETERS["maxout"]["n"])
        return self.shape

    @property
    def data(self) -> Data:
        """Shared by all cases of this dtype and shape."""
        return _data(self.dtype, self.shape, self.result_shape)


@dataclass(frozen=True)
class Data:
    """The numbers of a case; all competitors write to the same arrays."""

    x: Array
    g: Array  # by the activation
    out: Array  # of the activation
    grad: Array  # by x


@functools.lru_cache(maxsize=2)  # of GLU, and of all others with the same shape
def _data(dtype: str, shape: tuple[int, ...], result_shape: tuple[int, ...]) -> Data:
    rng: Any = np.random.default_rng(0)
    x = 2 * rng.standard_normal(shape, dtype)
    g = rng.standard_normal(result_shape, dtype)
    return Data(x, g, np.zeros_like(g), np.zeros_like(x))


def case_of(name: str, part: str, dtype: str, size: int) -> Case:
    """Of about that many numbers, in rows if the activation needs them."""
    if name == "maxout":
        n = PARAMETERS["maxout"]["n_prev"]
        return Case(name, part, dtype, (size // n, n))
    if name in _ALONG_AXIS:
        return Case(name, part, dtype, (size // 10, 10))
    return Case(name, part, dtype, (size - size % 2,))


def _activation(case: Case) -> Any:
    return fastnn.get_act(case.name, **PARAMETERS.get(case.name, {}))


def ours(case: Case) -> dict[str, Callable[[], Any]]:
    """Calls by their names, the one that is compared with the peers first."""
    act, data = _activation(case), case.data
    x, g, out, grad = data.x, data.g, data.out, data.grad
    if case.part == "derivative":
        if case.name == "maxout":  # has no derivative without g
            act.forward(x)
            return {"fastnn": lambda: act.backward(g)[0]}
        return {"fastnn": lambda: act.backward(x, out=grad)}
    if case.part == "vjp":
        return {"fastnn": lambda: act.vjp(g, x, out=grad)}
    if case.part == "both":
        arrays = out, grad
        return {
            "fastnn": lambda: act.forward_and_vjp(g, x, out=arrays),
            "two calls": lambda: (act.forward(x, out=out), act.vjp(g, x, out=grad)),
        }
    calls: dict[str, Callable[[], Any]] = {"fastnn": lambda: act.forward(x, out=out)}
    if case.part == "call":
        kernel = getattr(fastnn.kernels, find(case.name).kernel)
        calls["ufunc"] = lambda: kernel(x, out=out)
    elif case.result_shape == case.shape:
        calls["copy"] = lambda: np.copyto(out, x)
    return calls


def oracle(case: Case) -> Callable[[], Any]:
    """The same by the reference, in float64; of both parts a pair."""
    row, act = find(case.name), _activation(case)
    x, g = case.data.x.astype(np.float64), case.data.g.astype(np.float64)
    if case.name == "maxout":
        return _maxout_oracle(act, g, x, pulls=case.part != "forward")
    if case.name == "GLU":
        kind = KINDS["glu"]
        flat = x.reshape(-1, x.shape[-1])
        ones = g if case.part == "vjp" else np.ones_like(g)
        pulled = ones.reshape(len(flat), -1)
        if case.part == "forward":
            return lambda: kind.forward(flat).reshape(g.shape)
        return lambda: kind.vjp(pulled, flat).reshape(x.shape)
    own = not (case.along_axis or row.variants)
    values = tuple(act.parameters.values()) if own else ()
    forward = reference.find(row.kernel)
    slope = reference.find(f"{row.kernel}_derivative")
    pull = reference.find(f"{row.kernel}_vjp") if case.along_axis else None
    parts: dict[str, Callable[[], Any]] = {
        "forward": lambda: forward(x, *values),
        "derivative": lambda: slope(x, *values),
        "vjp": lambda: pull(g, x) if pull else g * slope(x, *values),
        "both": lambda: (forward(x, *values), g * slope(x, *values)),
    }
    parts["call"] = parts["forward"]
    return parts[case.part]


def _maxout_oracle(act: Any, g: Array, x: Array, *, pulls: bool) -> Callable[[], Any]:
    kind = KINDS["maxout"]
    if pulls:
        return lambda: kind.vjp(g, x @ act.w + act.b, act.k) @ act.w.T
    return lambda: kind.forward(x @ act.w + act.b, act.k)
