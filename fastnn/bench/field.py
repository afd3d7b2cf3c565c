"""What contests of single calls share: the peers that are there, and runs of a fitting length."""

from __future__ import annotations

import importlib
import random
import sys
import time
from collections.abc import Iterable, Sequence
from typing import Any

from .timing import Calls, in_turn

__all__ = ["installed", "rounds_of", "warm"]


def installed(package: str, names: Iterable[str], *settings: Any) -> list[Any]:
    """The modules of peers, prepared with the settings; one that is missing is left out."""
    found = []
    for name in names:
        try:
            peer = importlib.import_module(f".{name}", package)
        except ImportError as error:
            print(f"left out: {name}: {error}", file=sys.stderr)
            continue
        peer.prepare(*settings)
        found.append(peer)
    return found


def warm(one: Calls, seconds: float) -> Calls:
    """A competitor that has compiled, and whose runs take about the given time."""
    one.steps = 1
    one.run()
    start = time.perf_counter()
    one.run()
    one.steps = max(1, round(seconds / (time.perf_counter() - start)))
    return one


def rounds_of(
    field: Sequence[Calls], order: random.Random, rounds: int, seconds: float, rest: float = 0.0
) -> dict[str, list[float]]:
    """µs a step of every competitor, one a round."""
    times: dict[str, list[float]] = {one.name: [] for one in field}
    for _ in range(rounds):
        for name, spent in in_turn(field, order, seconds, rest).items():
            times[name].append(spent)
    return times
