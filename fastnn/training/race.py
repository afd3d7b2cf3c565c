"""Many trainings, each on one thread, as many at once as there are threads."""

from __future__ import annotations

import itertools
import threading
from contextlib import ExitStack, closing
from typing import Any

from .._core import collector
from .._core.locks import Helper
from .._core.threads import start_threads
from ..history import History
from .compiled import CompiledTrainer
from .epochs import Training
from .fit import Task, training_of

__all__ = ["train"]


def train(tasks: list[Task], threads: int) -> tuple[list[History], dict[int, ValueError]]:
    """Train all; the histories, and the errors of networks that diverge."""
    trainings: list[Training] = []
    known: dict[Any, CompiledTrainer] = {}
    with ExitStack() as stack:
        with collector.paused():  # all that is made here stays
            for task in tasks:
                with task.network._lock.held():
                    trainings.append(training_of(task, known))
                stack.callback(trainings[-1].close)
        for task, training in zip(tasks, trainings, strict=True):  # of none, if one is refused
            training.keep_optimizer(task.settings)
        errors = _Race(trainings).run(threads)
    return [training.run.history for training in trainings], errors


class _Race:
    """Trainings that threads take one after the other."""

    def __init__(self, trainings: list[Training]) -> None:
        self._trainings, self._stopping = trainings, False
        self.errors: dict[int, ValueError] = {}
        self._helper = Helper("to train it in fit_many")
        compiled = [isinstance(training.trainer, CompiledTrainer) for training in trainings]
        self._fast = [k for k, found in enumerate(compiled) if found]
        self._slow = [k for k, found in enumerate(compiled) if not found]
        self._free = itertools.count()

    def run(self, threads: int) -> dict[int, ValueError]:
        """Run all of them to their ends; the errors of those that diverge."""
        for k in self._slow:  # Python code of the caller's, which Ctrl-C ends where it is
            self._drive(k)
        threads, main = min(threads, len(self._fast)), threading.main_thread()
        pool = None
        if threads > 1 or (threads == 1 and threading.current_thread() is main):
            threads, pool = start_threads(threads, always=True)
        if pool is None:
            self._take(0)
        else:
            try:
                pool.run(self._help, threads, self._stop)
            finally:
                pool.close()
        return dict(sorted(self.errors.items()))

    def _help(self, thread: int) -> None:
        """What a thread of its own does: it must not ask for networks that this one holds."""
        with self._helper.at_work():
            self._take(thread)

    def _take(self, _: int) -> None:
        """Take trainings until none is left: what a thread does."""
        while (place := next(self._free)) < len(self._fast) and not self._stopping:
            try:
                self._drive(self._fast[place])
            except BaseException:
                self._stop()
                raise

    def _drive(self, k: int) -> None:
        training = self._trainings[k]
        with training.run.network._lock.held(), closing(training):
            training.begin()
            while training.goes_on and not self._stopping:
                training.plan()
                training.train()
                if error := training.tell():
                    self.errors[k] = error

    def _stop(self) -> None:
        """End all of them after the tiles at hand."""
        self._stopping = True
        for k in self._fast:
            if not self._trainings[k].closed:
                self._trainings[k].trainer.stop()  # type: ignore[attr-defined]
