"""Build all competitors of a case and check them."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import numpy as np

import fastnn

from ..field import Field, installed, warm
from ..timing import Calls
from . import numpy_peer
from .cases import Case, oracle, ours

__all__ = ["Contest"]

# A peer's own idea of accuracy is not judged here, only whether it is the same function.
_TOLERANCE = {"float32": 1e-4, "float64": 1e-7}
_MOST_OF_REFERENCE = 1_000_000  # numbers; beyond, the textbook takes half a second a call

Entry = tuple[str, Callable[[], Any], Any]  # name, call, and what to call it inside


class Contest:
    """Activations on so many threads.

    Parameters
    ----------
    threads : int
    seconds : float
        Of a measurement.
    peers : bool
        Whether the other libraries take part.

    """

    rest = 0.0  # nobody's threads are still spinning: arrays are cut by calls, not by a team

    def __init__(self, threads: int, seconds: float, *, peers: bool) -> None:
        fastnn.set_num_threads(threads)
        self._seconds = seconds
        modules = ("torch_peer", "jax_peer") if peers else ()
        self._peers = installed(__package__, modules, threads)
        self.missing = self._peers.missing
        self._wrong: dict[tuple[str, str, str], dict[str, str]] = {}

    def field(self, given: dict[str, Any]) -> tuple[Case, Field]:
        """The case, and who takes part in it."""
        case = Case(**{**given, "shape": tuple(given["shape"])})
        key = case.name, case.part, case.dtype
        if key not in self._wrong:
            self._wrong[key] = self._check(case.small)
        wrong = self._wrong[key]
        entries = [entry for entry in self._entries(case) if entry[0] not in wrong]
        runs = [warm(Calls(name, call, inside=inside), self._seconds)
                for name, call, inside in entries]  # fmt: skip
        there = {name for name, *_ in entries}
        absent = {
            name: "has no such function"
            for name in ("NumPy", *self._peers.found)
            if name not in there and name not in wrong
        }
        return case, Field(runs, {**wrong, **absent})

    def _entries(self, case: Case) -> list[Entry]:
        found: list[Entry] = [(*item, nullcontext) for item in ours(case).items()]
        found += [(*item, nullcontext) for item in numpy_peer.calls(case).items()]
        # The textbook's identity has nothing to do.
        if case.elements <= _MOST_OF_REFERENCE and (case.name, case.part) != (
            "identity",
            "forward",
        ):
            found.append(("reference", oracle(case), nullcontext))
        for peer in self._peers.found.values():
            found += [(*item, peer.inside) for item in peer.calls(case).items()]
        return found

    def _check(self, case: Case) -> dict[str, str]:
        """Find all to compute the same; a peer that does not is left out."""
        known, wrong = oracle(case)(), {}
        for name, call, inside in self._entries(case):
            if name in ("copy", "reference"):
                continue
            try:
                with inside():
                    found = call()
            except Exception as error:
                if name == "fastnn":
                    raise
                wrong[name] = f"fails: {error}"
                continue
            if not _same(found, known, case.dtype):
                if name == "fastnn":
                    raise ValueError(f"{case}: {name} computes something else")
                wrong[name] = "computes something else"
        return wrong


def _same(found: Any, known: Any, dtype: str) -> bool:
    pairs = zip(found, known, strict=True) if isinstance(known, tuple) else [(found, known)]
    tolerance = _TOLERANCE[dtype]
    return all(
        str(array.dtype) == dtype and np.allclose(array, right, rtol=tolerance, atol=tolerance)
        for array, right in ((np.asarray(result), right) for result, right in pairs)
    )
