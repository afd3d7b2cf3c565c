"""Build all competitors of a case, check them, and measure them in turn."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

import numpy as np
from tqdm import tqdm

import fastnn

from ..field import installed, rounds_of, warm
from ..timing import Calls
from . import cases
from .cases import Case, Entry
from .report import Row

__all__ = ["hold"]

_STEPS = 3  # that all are checked for
_TOLERANCE = 1e-3  # of the way gone, in float32 beside parameters ten times as large
_REST = 0.02  # seconds, in which the spinning threads of the one before fall asleep


def hold(chosen: list[Case], rounds: int, seconds: float, threads: int) -> Iterator[Row]:
    """Measure every competitor of every case in as many rounds, for so many seconds each time."""
    fastnn.set_num_threads(threads)
    peers = installed(__package__, ("torch_peer", "jax_peer"), threads)
    order = random.Random(0)
    # disable=None: a bar on a terminal, nothing elsewhere.
    with tqdm(chosen, disable=None, leave=False) as bar:
        for case in bar:
            bar.set_description(f"{case.name} {case.size}, {threads} threads")
            entries = [cases.ours(case)] + [one for peer in peers for one in peer.entries(case)]
            _check(case, entries)
            entries += cases.copy(case, threads)
            field = [warm(Calls(name, call), seconds) for name, call, _ in entries]
            rest = _REST if threads > 1 else 0.0
            yield Row(case, rounds_of(field, order, rounds, seconds, rest))


def _check(case: Case, entries: list[Entry]) -> None:
    """Find all to go the same way."""
    known, first = cases.oracle(case, _STEPS), _flat(case.params())
    for name, step, parameters in entries:
        for _ in range(_STEPS):
            step()
        found: Any = _flat(parameters()) - first
        error = np.abs(found - known).max() / np.abs(known).max()
        if not error <= _TOLERANCE:
            raise ValueError(f"{case}: {name} computes something else, off by {error:.1e}")


def _flat(arrays: cases.Arrays) -> Any:
    return np.concatenate([a.ravel() for a in arrays]).astype(np.float64)
