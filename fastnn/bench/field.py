"""What contests share: the peers that are there, runs of a fitting length, and rounds."""

from __future__ import annotations

import importlib
import random
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from .timing import Competitor, in_turn

__all__ = ["LIBRARIES", "Field", "Peers", "installed", "rounds_of", "warm"]

LIBRARIES = {
    "torch_peer": "PyTorch",
    "jax_peer": "JAX",
    "sklearn_peer": "scikit-learn",
    "onnx_peer": "ONNX Runtime",
}

_PACKAGES = "torch", "jax", "jaxlib", "sklearn", "onnx", "onnxruntime"


@dataclass
class Field:
    """The competitors of a case, ours first, all checked and warm.

    Attributes
    ----------
    competitors : list
    left_out : dict
        Of those that are not among them, why.

    """

    competitors: list[Any] = field(default_factory=list)
    left_out: dict[str, str] = field(default_factory=dict)


@dataclass
class Peers:
    """Modules by the names of their libraries, and why others are missing."""

    found: dict[str, Any] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)


def installed(package: str, modules: Sequence[str], *settings: Any) -> Peers:
    """The modules of peers in a package, as far as their libraries can be imported.

    settings: of their function `prepare`, which is called if there are any.
    """
    peers = Peers()
    for module in modules:
        name = LIBRARIES[module]
        try:
            peers.found[name] = importlib.import_module(f".{module}", package)
        except ImportError as error:
            absent = isinstance(error, ModuleNotFoundError) and error.name in _PACKAGES
            peers.missing[name] = f"{error.name} is not installed" if absent else str(error)
    for peer in peers.found.values() if settings else ():
        peer.prepare(*settings)
    return peers


def warm(one: Competitor, seconds: float) -> Competitor:
    """A competitor that has compiled, and whose runs take about the given time."""
    one.steps = 1
    one.run()
    start = time.perf_counter()
    one.run()
    one.steps = max(1, round(seconds / (time.perf_counter() - start)))
    return one


def rounds_of(
    competitors: Sequence[Competitor],
    order: random.Random,
    rounds: int,
    seconds: float,
    rest: float = 0.0,
) -> dict[str, list[float]]:
    """µs a step of every competitor, one a round."""
    times: dict[str, list[float]] = {one.name: [] for one in competitors}
    for _ in range(rounds):
        for name, spent in in_turn(competitors, order, seconds, rest).items():
            times[name].append(spent)
    return times
