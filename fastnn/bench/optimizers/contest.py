"""Build all competitors of a case and check them."""

from __future__ import annotations

from typing import Any

import numpy as np

import fastnn

from ..field import Field, installed, warm
from ..timing import REST, Calls
from . import cases, numpy_peer
from .cases import TASKS, Case, Entry

__all__ = ["Contest"]

_STEPS = 3  # that all are checked for
_TOLERANCE = 1e-3  # of the way gone, in float32 beside parameters ten times as large
_MOST_OF_REFERENCE = 1_000_000  # parameters


class Contest:
    """Steps of update rules on so many threads.

    Parameters
    ----------
    threads : int
    seconds : float
        Of a measurement.
    peers : bool
        Whether the other libraries take part.

    """

    def __init__(self, threads: int, seconds: float, *, peers: bool) -> None:
        fastnn.set_num_threads(threads)
        self._threads, self._seconds = threads, seconds
        self.rest = REST if threads > 1 else 0.0
        modules = ("torch_peer", "jax_peer") if peers else ()
        self._peers = installed(__package__, modules, threads)
        self.missing = self._peers.missing

    def field(self, given: dict[str, Any]) -> tuple[Case, Field]:
        """The case, and who takes part in it."""
        case = Case(**given)
        entries = [cases.ours(case), *numpy_peer.entries(case)]
        if case.elements <= _MOST_OF_REFERENCE:
            entries.append(cases.reference(case))
        left_out = {}
        for library, peer in self._peers.found.items():
            if case.name in TASKS:
                entries += peer.entries(case)
            else:
                left_out[library] = "has no such rule, or is not asked for it"
        wrong = _check(case, entries)
        entries = [one for one in entries if one[0] not in wrong]
        entries += cases.copy(case, self._threads)
        runs = [warm(Calls(name, call), self._seconds) for name, call, _ in entries]
        return case, Field(runs, {**left_out, **wrong})


def _check(case: Case, entries: list[Entry]) -> dict[str, str]:
    """Find all to go the same way; a peer that does not is left out."""
    if case.rule.noisy:  # each draws another beginning
        return {}
    known, first, wrong = cases.oracle(case, _STEPS), _flat(case.params()), {}
    for name, step, parameters in entries:
        if name == "reference":
            continue
        for _ in range(_STEPS):
            step()
        found: Any = _flat(parameters()) - first
        error = np.abs(found - known).max() / np.abs(known).max()
        if not error <= _TOLERANCE:
            if name == "fastnn":
                raise ValueError(f"{case}: {name} computes something else, off by {error:.1e}")
            wrong[name] = f"computes something else, off by {error:.1e}"
    return wrong


def _flat(arrays: cases.Arrays) -> Any:
    return np.concatenate([a.ravel() for a in arrays]).astype(np.float64)
