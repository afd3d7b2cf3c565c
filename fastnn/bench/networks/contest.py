"""Build all competitors of a task and check them."""

from __future__ import annotations

import time
from typing import Any

import fastnn

from ..field import LIBRARIES, Field, installed
from ..timing import REST, Competitor
from . import agreement, numba_peer, numpy_peer, ours
from .tasks import Task, task_from

__all__ = ["Contest"]

_SLOW = 2.0  # seconds of a run; a quick look has no time for slower ones

_EAGER = "PyTorch", "scikit-learn"  # the first run of others is mostly compilation


class Contest:
    """Trainings and predictions on at most so many threads, each library as many as it likes.

    Parameters
    ----------
    threads : int
    seconds : float
        Of a measurement; a run that takes longer is measured once a round.
    peers : bool
        Whether the other libraries take part.
    quick : bool
        Whether to leave out forms of peers that are slower than others of theirs, or slow.

    """

    rest = REST

    def __init__(self, threads: int, seconds: float, *, peers: bool, quick: bool) -> None:
        fastnn.set_num_threads(threads)
        self._quick = quick
        self._peers = installed(__package__, tuple(LIBRARIES) if peers else ())
        self.missing = self._peers.missing

    def field(self, given: dict[str, Any]) -> tuple[Task, Field]:
        """The task, and who takes part in it, warmed up by a whole run."""
        task = task_from(given)
        field, expected = Field(), agreement.oracle(task)
        for one in self._competitors(task, field):
            try:
                one.start()
                begin = time.perf_counter()
                one.run()
                spent = time.perf_counter() - begin
                wrong = agreement.wrong(task, one, expected)
            except Exception as error:
                if not field.competitors:
                    raise
                field.left_out[one.name] = f"fails: {error}"
                continue
            if wrong and not field.competitors:
                raise ValueError(f"{task.name}: {one.name}: {wrong}")
            if self._quick and spent > _SLOW and one.name.startswith(_EAGER):
                wrong = wrong or f"too slow for a quick look: {spent:.1f} s a run"
            if wrong:
                field.left_out[one.name] = wrong
            else:
                field.competitors.append(one)
        return task, field

    def _competitors(self, task: Task, field: Field) -> list[Competitor]:
        found = [ours.competitor(task), *ours.loops(task), *numpy_peer.competitors(task)]
        found += numba_peer.competitors(task)
        for library, peer in self._peers.found.items():
            try:
                forms = peer.competitors(task)
            except Exception as error:
                field.left_out[library] = f"fails: {error}"
                continue
            found += [one for one in forms if not self._quick or one.name not in peer.MORE]
            if not forms:
                field.left_out[library] = "cannot do this"
        return found
