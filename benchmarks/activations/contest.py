"""Build all competitors of a case, check them, and measure them in turn."""

from __future__ import annotations

import importlib
import random
import time
from contextlib import nullcontext
from typing import Any

import numpy as np
from peers.timing import Calls, in_turn
from tqdm import tqdm

import fastnn

from . import numpy_peer
from .cases import Case, oracle, ours
from .report import Row

__all__ = ["hold"]

_CHECKED = 10_000  # numbers at either end
# A peer's own idea of accuracy is not judged here, only whether it is the same function.
_TOLERANCE = {"float32": 1e-4, "float64": 1e-7}


def _installed() -> list[Any]:
    found = []
    for name in ("torch_peer", "jax_peer"):
        try:
            peer = importlib.import_module(f".{name}", __package__)
        except ImportError as error:
            print(f"left out: {name}: {error}")
            continue
        peer.prepare()
        found.append(peer)
    return found


def hold(cases: list[Case], rounds: int, seconds: float) -> list[Row]:
    """Measure every competitor of every case in as many rounds, for so many seconds each time."""
    fastnn.set_num_threads(1)
    peers, order, results = _installed(), random.Random(0), []
    # disable=None: a bar on a terminal, nothing elsewhere.
    with tqdm(cases, disable=None, leave=False) as bar:
        for case in bar:
            bar.set_description(f"{case.part} {case.name} {case.dtype} {case.shape}")
            field = _field(case, peers, seconds)
            times: dict[str, list[float]] = {one.name: [] for one in field}
            for _ in range(rounds):
                for name, spent in in_turn(field, order, seconds, rest=0).items():
                    times[name].append(spent)
            results.append(Row(case, times))
    return results


def _field(case: Case, peers: list[Any], seconds: float) -> list[Calls]:
    """Ours and the peers, compiled, warmed up, and found to agree."""
    entries = [(*item, nullcontext) for item in (ours(case) | numpy_peer.calls(case)).items()]
    for peer in peers:
        entries += [(*item, peer.inside) for item in peer.calls(case).items()]
    known = oracle(case)() if case.part != "call" else None
    field = []
    for name, call, inside in entries:
        if known is not None and name != "copy":
            with inside():
                _check(case, name, call(), known)
        one = Calls(name, call, inside=inside)
        one.steps = 1
        one.run()
        start = time.perf_counter()
        one.run()
        one.steps = max(1, round(seconds / (time.perf_counter() - start)))
        field.append(one)
    return field


def _ends(x: Any) -> Any:
    flat = np.asarray(x).reshape(-1)
    return np.concatenate([flat[:_CHECKED], flat[-_CHECKED:]])


def _check(case: Case, name: str, found: Any, known: Any) -> None:
    tolerance = _TOLERANCE[case.dtype]
    pair = isinstance(known, tuple)
    for result, right in zip(*((found, known) if pair else ([found], [known])), strict=True):
        array = np.asarray(result)
        if str(array.dtype) != case.dtype or not np.allclose(
            _ends(array), _ends(right), rtol=tolerance, atol=tolerance
        ):
            raise ValueError(f"{case}: {name} computes something else")
