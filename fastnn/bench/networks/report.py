"""What a run says: where it was, ours against the best peer and the goal, then all figures."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..machine import machine
from ..times import Times, figure
from .tasks import Task, Training

__all__ = ["Result", "details", "environment", "save", "table", "warnings"]

_WIDE = 0.15  # quartile spread over median, above which a figure is not to be trusted


@dataclass(frozen=True)
class Result(Times):
    """Times of a task, and its goal."""

    task: Task

    @property
    def usual(self) -> str:
        """The best peer that keeps one sample a row, as everybody writes it."""
        usual = [name for name in list(self.rounds)[1:] if "columns" not in name]
        return min(usual, key=self.median)

    @property
    def met(self) -> bool:
        """Whether the goal is reached."""
        relative = isinstance(self.task, Training)
        return (self.ratio if relative else self.median(self.ours)) <= self.task.goal

    @property
    def goal(self) -> str:
        """As it is printed."""
        return (
            f"{self.task.goal:g}" if isinstance(self.task, Training) else f"{self.task.goal:g} µs"
        )


def environment(threads: int) -> dict[str, Any]:
    """Machine, versions and threads of all sides."""
    import torch

    return {
        **machine(),
        "threads": {
            "fastnn": f"its own choice, at most {threads}",
            "PyTorch": f"1 and {torch.get_num_threads()}",
            "BLAS of NumPy and scikit-learn": threads,
            "JAX": "all cores in use",
            "ONNX Runtime": "1 and 2",
        },
    }


def table(results: list[Result]) -> str:
    """One line a task."""
    head = "task", "ours µs", "best peer µs", "best peer", "ratio", "goal", "met"
    rows: list[tuple[str, ...]] = [(*head, "best in rows", "ratio")]
    rows += [
        (
            one.task.name,
            figure(one.median(one.ours)),
            figure(one.median(one.best)),
            one.best,
            f"{one.ratio:.2f}",
            one.goal,
            "yes" if one.met else "no",
            one.usual,
            f"{one.ratio_to(one.usual):.2f}",
        )
        for one in results
    ]
    return _aligned(rows, "lrrlrrllr")


def details(one: Result) -> str:
    """All competitors of a task, fastest first."""
    task = one.task
    shape = "-".join(map(str, task.sizes))
    more = f"{task.optimizer}, runs of {task.steps} steps" if isinstance(task, Training) else ""
    title = f"{task.name}: {shape} {task.activation}, batch {task.batch}, {task.dtype}"
    rows = [("", "median µs", "quartiles", "spread")]
    for name in sorted(one.rounds, key=one.median):
        low, high = one.quartiles(name)
        rows.append(
            (
                f"  {name}",
                figure(one.median(name)),
                f"{figure(low)} to {figure(high)}",
                f"{one.spread(name):.0%}",
            )
        )
    return f"{title}{', ' * bool(more)}{more}\n{_aligned(rows, 'lrrr')}"


def warnings(results: list[Result]) -> list[str]:
    """Figures that the noise of the machine makes doubtful."""
    return [
        f"warning: {one.task.name}: {name}: the quartiles are {one.spread(name):.0%} apart"
        for one in results
        for name in one.rounds
        if one.spread(name) > _WIDE
    ]


def save(path: Path, found: dict[str, Any], results: list[Result]) -> None:
    """Write every single measurement as JSON."""
    tasks = {
        one.task.name: {
            "dtype": one.task.dtype,
            "goal": one.goal,
            "ratio": one.ratio,
            "best peer": one.best,
            "best peer with one sample a row": one.usual,
            "ratio to it": one.ratio_to(one.usual),
            "met": one.met,
            "µs a step": one.rounds,
        }
        for one in results
    }
    text = json.dumps({"environment": found, "tasks": tasks}, indent=1, ensure_ascii=False)
    path.write_text(text + "\n", encoding="utf-8")


def _aligned(rows: list[tuple[str, ...]], sides: str) -> str:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if side == "l" else cell.rjust(width)
            for cell, width, side in zip(row, widths, sides, strict=True)
        ).rstrip()
        for row in rows
    )
