"""What a run says: where it was, ours against the best peer and the goal, then all figures."""

from __future__ import annotations

import json
import os
import platform
import statistics
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from fastnn.info import cpu_name

from .tasks import Task, Training

__all__ = [
    "Times",
    "details",
    "environment",
    "figure",
    "heading",
    "machine",
    "save",
    "table",
    "warnings",
]

_PACKAGES = (
    "fastnn-numba", "numpy", "scipy", "numba", "jax", "jaxlib", "torch", "scikit-learn",
    "onnxruntime",
)  # fmt: skip
_WIDE = 0.15  # quartile spread over median, above which a figure is not to be trusted
_BUSY = 0.5  # other processes waiting for a core


@dataclass(frozen=True)
class Times:
    """Of one task: µs a step of every competitor, one a round; ours first."""

    task: Task
    rounds: dict[str, list[float]]

    @property
    def ours(self) -> str:
        return next(iter(self.rounds))

    @property
    def best(self) -> str:
        """The peer with the smallest median."""
        return min(list(self.rounds)[1:], key=self.median)

    def median(self, name: str) -> float:
        return statistics.median(self.rounds[name])

    def quartiles(self, name: str) -> tuple[float, float]:
        low, _, high = statistics.quantiles(self.rounds[name], n=4, method="inclusive")
        return low, high

    def spread(self, name: str) -> float:
        low, high = self.quartiles(name)
        return (high - low) / self.median(name)

    @property
    def usual(self) -> str:
        """The best peer that keeps one sample a row, as everybody writes it."""
        usual = [name for name in list(self.rounds)[1:] if "columns" not in name]
        return min(usual, key=self.median)

    @property
    def ratio(self) -> float:
        """Of ours to the best peer."""
        return self.ratio_to(self.best)

    def ratio_to(self, peer: str) -> float:
        """Median over the rounds of ours / peer: a slow minute of the machine hits both."""
        pairs = zip(self.rounds[self.ours], self.rounds[peer], strict=True)
        return statistics.median(ours / other for ours, other in pairs)

    @property
    def met(self) -> bool:
        relative = isinstance(self.task, Training)
        return (self.ratio if relative else self.median(self.ours)) <= self.task.goal

    @property
    def goal(self) -> str:
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


def machine() -> dict[str, Any]:
    """Where this is, and the versions of what runs there."""
    usable = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else None
    return {
        "CPU": cpu_name(),
        "cores": os.cpu_count(),
        "cores in use": usable or "all",
        "load": _load(),
        "system": f"{platform.system()} {platform.machine()}, Python {platform.python_version()}",
        "versions": {name: _version(name) for name in _PACKAGES},
    }


def _load() -> str:
    """Of the last minute; ours has hardly begun, so it is that of others."""
    if not hasattr(os, "getloadavg"):
        return "unknown"
    load = os.getloadavg()[0]
    return f"{load:.2f}" + (" (busy: figures are not to be trusted)" if load > _BUSY else "")


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"


def heading(found: dict[str, Any]) -> str:
    lines = []
    for name, value in found.items():
        if isinstance(value, dict):
            value = ", ".join(f"{key} {text}" for key, text in value.items())
        lines.append(f"{name:14}{value}")
    return "\n".join(lines)


def table(results: list[Times]) -> str:
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


def details(one: Times) -> str:
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


def warnings(results: list[Times]) -> list[str]:
    """Figures that the noise of the machine makes doubtful."""
    return [
        f"warning: {one.task.name}: {name}: the quartiles are {one.spread(name):.0%} apart"
        for one in results
        for name in one.rounds
        if one.spread(name) > _WIDE
    ]


def save(path: Path, found: dict[str, Any], results: list[Times]) -> None:
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


def figure(microseconds: float) -> str:
    """Three significant digits, no exponent."""
    digits = (
        0 if microseconds >= 100 else 1 if microseconds >= 10 else 2 if microseconds >= 1 else 3
    )
    return f"{microseconds:.{digits}f}"


def _aligned(rows: list[tuple[str, ...]], sides: str) -> str:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if side == "l" else cell.rjust(width)
            for cell, width, side in zip(row, widths, sides, strict=True)
        ).rstrip()
        for row in rows
    )
