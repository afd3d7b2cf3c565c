"""Build all competitors of a task, check them, and measure them in turn."""

from __future__ import annotations

import random

from tqdm import tqdm

from ..timing import Competitor, in_turn
from . import (
    agreement,
    jax_peer,
    numba_peer,
    numpy_peer,
    onnx_peer,
    ours,
    sklearn_peer,
    torch_peer,
)
from .report import Result
from .tasks import Task

__all__ = ["hold"]

_PEERS = (jax_peer, torch_peer, sklearn_peer, onnx_peer, numpy_peer, numba_peer)


def hold(tasks: list[Task], rounds: int, seconds: float) -> list[Result]:
    """Measure every competitor of every task in as many rounds, for so many seconds each time."""
    results, order = [], random.Random(0)
    # disable=None: a bar on a terminal, nothing elsewhere.
    with tqdm(total=len(tasks) * rounds, disable=None, leave=False) as bar:
        for task in tasks:
            bar.set_description(f"{task.name}, building")
            field = _field(task)
            times: dict[str, list[float]] = {one.name: [] for one in field}
            bar.set_description(task.name)
            for _ in range(rounds):
                for name, spent in in_turn(field, order, seconds).items():
                    times[name].append(spent)
                bar.update()
            results.append(Result(task, times))
    return results


def _field(task: Task) -> list[Competitor]:
    """Ours and the peers, compiled, warmed up by a whole run, and found to agree."""
    field = [ours.competitor(task)]
    field += [one for peer in _PEERS for one in peer.competitors(task)]
    expected = agreement.oracle(task)
    for one in field:
        one.start()
        one.run()
        agreement.check(task, one, expected)
    return field
