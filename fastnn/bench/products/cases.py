"""What is compared: the three products of a layer, of networks small and large."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["KINDS", "LAYERS", "Case", "Layer", "bound", "operands", "oracle"]

Array = npt.NDArray[Any]

_NETWORKS = (  # widths and samples of a batch
    ((64, 32, 10), 32),
    ((64, 100, 10), 200),
    ((784, 256, 10), 128),
    ((300, 300, 300), 128),
    ((512, 512, 512), 512),
    ((784, 1024, 1024, 10), 256),
)


@dataclass(frozen=True)
class Layer:
    """A layer of a network, and how many samples go through it at once."""

    sizes: tuple[int, ...]  # of the network, whose widest layer decides about packing
    n_in: int
    n_out: int
    batch: int


LAYERS = {
    f"{n}-{m} b{batch}": Layer(sizes, n, m, batch)
    for sizes, batch in _NETWORKS
    for n, m in pairwise(sizes)
}

KINDS = {
    "forward": "Forward product Wᵀ X",
    "backward": "Backward product W D",
    "gradient": "Gradient product X Dᵀ",
}
"""Features are rows here and samples columns; D is the gradient with respect to the output."""


@dataclass(frozen=True)
class Case:
    """One product.

    Attributes
    ----------
    name : str
        A key of `LAYERS`.
    kind : str
        A key of `KINDS`.
    dtype : str

    """

    name: str
    kind: str
    dtype: str

    @property
    def layer(self) -> Layer:
        """What is known by the name."""
        return LAYERS[self.name]

    @property
    def operations(self) -> int:
        """Additions and multiplications."""
        return 2 * self.layer.n_in * self.layer.n_out * self.layer.batch

    @property
    def moved(self) -> int:
        """Bytes, if both operands were read and the result written once."""
        n, m, batch = self.layer.n_in, self.layer.n_out, self.layer.batch
        return np.dtype(self.dtype).itemsize * (n * m + batch * (n + m))


def operands(case: Case) -> tuple[Array, Array, Array]:
    """W (inputs, outputs), X (samples, inputs) and D (samples, outputs), within -1 … 1."""
    layer, rng = case.layer, np.random.default_rng(0)
    shapes = (layer.n_in, layer.n_out), (layer.batch, layer.n_in), (layer.batch, layer.n_out)
    w, x, d = (rng.uniform(-1, 1, shape).astype(case.dtype) for shape in shapes)
    return w, x, d


_PRODUCTS: dict[str, Callable[[Array, Array, Array], Array]] = {
    "forward": lambda w, x, d: x @ w,
    "backward": lambda w, x, d: d @ w.T,
    "gradient": lambda w, x, d: x.T @ d,
}


def oracle(case: Case) -> Array:
    """The product in float64: (samples, features), of a gradient (inputs, outputs)."""
    w, x, d = (array.astype(np.float64) for array in operands(case))
    return _PRODUCTS[case.kind](w, x, d)


def bound(case: Case) -> float:
    """What sums of so many roundings of numbers within -1 … 1 may be off."""
    layer = case.layer
    terms = {"forward": layer.n_in, "backward": layer.n_out, "gradient": layer.batch}[case.kind]
    return float(2 * (terms + 2) * np.finfo(case.dtype).eps)
