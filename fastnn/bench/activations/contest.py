"""Build all competitors of a case, check them, and measure them in turn."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from typing import Any

import numpy as np
from tqdm import tqdm

import fastnn

from ..field import installed, rounds_of, warm
from ..timing import Calls
from . import numpy_peer
from .cases import Case, oracle, ours
from .report import Row

__all__ = ["hold"]

# A peer's own idea of accuracy is not judged here, only whether it is the same function.
_TOLERANCE = {"float32": 1e-4, "float64": 1e-7}


def hold(cases: list[Case], rounds: int, seconds: float) -> Iterator[Row]:
    """Measure every competitor of every case in as many rounds, for so many seconds each time."""
    fastnn.set_num_threads(1)
    peers, order = installed(__package__, ("torch_peer", "jax_peer")), random.Random(0)
    checked: set[tuple[str, str, str]] = set()
    # disable=None: a bar on a terminal, nothing elsewhere.
    with tqdm(cases, disable=None, leave=False) as bar:
        for case in bar:
            bar.set_description(f"{case.part} {case.name} {case.dtype} {case.shape}")
            if (key := (case.name, case.part, case.dtype)) not in checked:
                _check(case.small, peers)
                checked.add(key)
            field = [
                warm(Calls(name, call, inside=inside), seconds)
                for name, call, inside in _entries(case, peers)
            ]
            yield Row(case, rounds_of(field, order, rounds, seconds))


def _entries(case: Case, peers: list[Any]) -> list[tuple[str, Callable[[], Any], Any]]:
    """Names, calls, and what to call them inside."""
    found = [(*item, nullcontext) for item in (ours(case) | numpy_peer.calls(case)).items()]
    return found + [(*item, peer.inside) for peer in peers for item in peer.calls(case).items()]


def _check(case: Case, peers: list[Any]) -> None:
    """Find all to compute the same."""
    known = oracle(case)()
    tolerance = _TOLERANCE[case.dtype]
    for name, call, inside in _entries(case, peers):
        if name == "copy":
            continue
        with inside():
            found = call()
        pair = isinstance(known, tuple)
        for result, right in zip(*((found, known) if pair else ([found], [known])), strict=True):
            array = np.asarray(result)
            if str(array.dtype) != case.dtype or not np.allclose(
                array, right, rtol=tolerance, atol=tolerance
            ):
                raise ValueError(f"{case}: {name} computes something else")
