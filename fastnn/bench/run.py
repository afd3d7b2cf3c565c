"""Run jobs in processes of their own, and collect what they find."""

from __future__ import annotations

import datetime
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from .limits import environment, held
from .machine import load, machine
from .plan import Job, Wishes, jobs
from .results import Row, noise

__all__ = ["ChildError", "Results", "collect"]


class ChildError(Exception):
    """A job's process failed."""


class Results:
    """A whole run.

    Attributes
    ----------
    about : dict
        Date, seconds, command, machine, wishes, missing libraries and the verdict on the noise.
    rows : list of Row
    roofs : dict
        What `fastnn.bench.roofs.measured` gives; empty if nobody measured them.

    """

    def __init__(self, about: dict[str, Any], rows: list[Row], roofs: dict[str, Any]) -> None:
        self.about, self.rows, self.roofs = about, rows, roofs

    def as_json(self) -> dict[str, Any]:
        """Everything, for results.json."""
        return {**self.about, "roofs": self.roofs, "rows": [row.as_json() for row in self.rows]}


def collect(wishes: Wishes, command: str) -> Results:
    """Do all jobs of a run, with a progress bar on a terminal, elsewhere a line for each case."""
    begin, date, before = time.monotonic(), datetime.datetime.now(datetime.UTC), load()
    planned = jobs(wishes)
    rows: list[Row] = []
    roofs: dict[str, Any] = {}
    missing: dict[str, str] = {}
    with _bar() as bar:
        at = _Progress(bar, sum(max(1, len(job.cases)) for job in planned))
        for job in planned:
            at(_starting(job))
            for message in _messages(job):
                missing |= message.get("missing", {})
                roofs |= message.get("roofs", {})
                if "at" in message:
                    at(message["at"])
                if "row" in message:
                    rows.append(Row.from_json(message["row"]))
                if "row" in message or "roofs" in message:
                    at.advance()
    about = {
        "date": date.strftime("%Y-%m-%d %H:%M UTC"),
        "seconds": round(time.monotonic() - begin, 1),
        "command": command,
        "machine": machine(),
        "wishes": asdict(wishes),
        "missing": missing,
        "noise": noise(rows, before),
        "units": "times in µs a call or step, one a round; ratios: other / fastnn",
    }
    return Results(about, rows, roofs)


class _Progress:
    """Says what is measured: on a terminal beside a bar, elsewhere in a line of its own."""

    def __init__(self, bar: Progress, total: int) -> None:
        self._bar, self._task = bar, bar.add_task("", total=total)

    def __call__(self, what: str) -> None:
        bar = self._bar
        bar.update(self._task, description=what)
        if bar.disable:
            of = bar.tasks[self._task]
            print(f"{of.completed:.0f}/{of.total:.0f} {what}", file=sys.stderr, flush=True)

    def advance(self) -> None:
        """One more is done."""
        self._bar.advance(self._task)


def _bar() -> Progress:
    console = Console(stderr=True)
    return Progress(
        BarColumn(30), MofNCompleteColumn(), TimeElapsedColumn(), TextColumn("{task.description}"),
        console=console, transient=True, disable=not console.is_terminal,
    )  # fmt: skip


def _starting(job: Job) -> str:
    if job.part == "roofs":
        return "the limits of this machine"
    return f"{job.part}, {job.threads} thread{'s' * (job.threads > 1)}"


def _messages(job: Job) -> Iterator[dict[str, Any]]:
    """What the process of a job says, as it comes."""
    command = [sys.executable, "-m", "fastnn.bench.child"]
    with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as complaints:
        with held(job.threads):
            process = subprocess.Popen(
                command, env=environment(job.threads), text=True, encoding="utf-8",
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=complaints,
            )  # fmt: skip
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            with process.stdin as given:
                json.dump(asdict(job), given)
            for line in process.stdout:
                yield json.loads(line)
        except BrokenPipeError:
            pass  # it ended before it had read its job; its exit code says so
        finally:
            if process.poll() is None and sys.exc_info()[0] is not None:
                process.terminate()
            process.stdout.close()
            code = process.wait()
        if code:
            complaints.seek(0)
            *_, last = ["", *(line.strip() for line in complaints if line.strip())]
            raise ChildError(f"{_starting(job)}: {last or f'the process ended with code {code}'}")
