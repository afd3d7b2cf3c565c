"""What was measured, and what may be said of it."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

__all__ = ["LIBRARIES", "OURS", "Ratio", "Row", "figure", "judged", "noise", "quartiles", "spread"]

OURS = "fastnn"
LIBRARIES = (
    "NumPy",
    "reference",
    "loop of fit",
    "Numba",
    "PyTorch",
    "JAX",
    "scikit-learn",
    "ONNX Runtime",
)
"""Whom ours is compared with; the names of a library's forms begin with its own."""

_WIDE = 0.15  # of the median: ratios whose quartiles are further apart are given as a range
_DRIFT = 0.10  # of the pulse, from which on the machine was not quiet
_BUSY = 0.5  # load by others before the run


def quartiles(values: Sequence[float]) -> tuple[float, float]:
    """Between which half of the values lie."""
    if len(values) < 2:
        return values[0], values[0]
    low, _, high = statistics.quantiles(values, n=4, method="inclusive")
    return low, high


def spread(values: Sequence[float]) -> float:
    """Distance of the quartiles, as a part of the median."""
    low, high = quartiles(values)
    return (high - low) / statistics.median(values)


@dataclass(frozen=True)
class Ratio:
    """How many times as fast ours is: the median of each round's ratio, and their quartiles.

    Rounds are compared one by one, so a slow minute of the machine hits both sides.
    """

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, ours: Sequence[float], theirs: Sequence[float]) -> Ratio:
        """From the times of as many rounds."""
        rounds = [other / own for own, other in zip(ours, theirs, strict=True)]
        return cls(statistics.median(rounds), *quartiles(rounds))

    @property
    def wide(self) -> bool:
        """Whether the quartiles are too far apart for a single figure."""
        return (self.high - self.low) / self.median > _WIDE

    @property
    def verdict(self) -> str:
        """``faster``, ``slower``, ``as fast``, or ``too noisy to tell``."""
        if self.low > 1:
            return "faster"
        if self.high < 1:
            return "slower"
        return "too noisy to tell" if self.wide else "as fast"

    def __str__(self) -> str:
        """The figure; its range, where that is all that can be said."""
        if self.wide:
            return f"{figure(self.low)}–{figure(self.high)}"
        return figure(self.median)

    def as_json(self) -> dict[str, Any]:
        """For results.json."""
        return {
            "median": self.median, "low": self.low, "high": self.high,
            "wide": self.wide, "verdict": self.verdict,
        }  # fmt: skip


@dataclass(frozen=True)
class Row:
    """One case: µs a call or step of every competitor, one a round.

    Attributes
    ----------
    part, table, name : str
        Where it stands in the report.
    threads : int
    series, axis : str
    x : int
        Its place in curves.
    case, work : dict
        The fields of the case; operations and bytes.
    times : dict
    left_out : dict
        Who does not take part, and why.
    pulse : list of float
        µs of the same loop before and after.

    """

    part: str
    table: str
    name: str
    threads: int
    series: str
    axis: str
    x: int
    case: dict[str, Any]
    work: dict[str, Any]
    times: dict[str, list[float]]
    left_out: dict[str, str]
    pulse: list[float]

    @classmethod
    def from_json(cls, found: dict[str, Any]) -> Row:
        """From what `as_json` gives, or a child process."""
        names = {"µs": "times", "left out": "left_out"}
        fields = {names.get(name, name): value for name, value in found.items()}
        fields.pop("ratios", None)
        return cls(**fields)

    def as_json(self) -> dict[str, Any]:
        """All single measurements, and the ratios that follow from them."""
        names = {"times": "µs", "left_out": "left out"}
        found = {names.get(name, name): value for name, value in vars(self).items()}
        ratios = {
            library: {"form": self.form(library), **ratio.as_json()}
            for library in self.libraries
            if (ratio := self.ratio(library))
        }
        return {**found, "ratios": ratios}

    @property
    def dtype(self) -> str:
        """Of the numbers."""
        return str(self.case.get("dtype", "float32"))

    @property
    def libraries(self) -> list[str]:
        """Those that were measured."""
        return [library for library in LIBRARIES if self.form(library)]

    def form(self, library: str) -> str:
        """The fastest of a library's forms; empty if none was measured."""
        forms = [name for name in self.times if name.startswith(library)]
        return min(forms, key=self.median, default="")

    def median(self, name: str) -> float:
        """Of all rounds."""
        return statistics.median(self.times[name])

    def spread(self, name: str) -> float:
        """Of all rounds."""
        return spread(self.times[name])

    def share(self, form: str, roofs: dict[str, Any]) -> float:
        """The part of the multiply-adds of as many cores that a form makes: both at their best."""
        peak = roofs["peak"][self.dtype]["GFLOP/s"] * self.threads
        return float(self.work["operations"] / min(self.times[form]) / 1e3 / peak)

    def ratio(self, library: str) -> Ratio | None:
        """Ours against the library's fastest form; None if that was not measured."""
        form = self.form(library)
        return Ratio.of(self.times[OURS], self.times[form]) if form else None


def noise(rows: Iterable[Row], load: float | None) -> dict[str, Any]:
    """Whether the machine was quiet while these rows were measured, see `judged`."""
    rows = list(rows)
    ratios = [ratio for row in rows for name in row.libraries if (ratio := row.ratio(name))]
    return judged(ratios, [value for row in rows for value in row.pulse], load)


def judged(ratios: Sequence[Ratio], pulses: Sequence[float], load: float | None) -> dict[str, Any]:
    """Whether the machine was quiet.

    Parameters
    ----------
    ratios : sequence of Ratio
        All that are shown.
    pulses : sequence of float
        µs of the same loop, between the measurements.
    load : float or None
        Of the minute before the run, so that of others.

    Returns
    -------
    dict
        ``load``; ``drift``, from the first to the last decile of the pulse as a part of its median;
        ``ratios`` and how many of them are ``wide`` or ``too noisy to tell``; ``quiet``, and
        ``verdict``, a sentence.

    """
    drift = 0.0
    if len(pulses) > 1:
        deciles = statistics.quantiles(pulses, n=10, method="inclusive")
        drift = (deciles[-1] - deciles[0]) / statistics.median(pulses)
    wide = sum(ratio.wide for ratio in ratios)
    lost = sum(ratio.verdict == "too noisy to tell" for ratio in ratios)
    reasons = []
    if load is not None and load > _BUSY:
        reasons.append(f"other processes kept {load:.1f} cores busy before the run")
    if drift > _DRIFT:
        reasons.append(f"the same loop took up to {drift:.0%} longer at times")
    counts = f"{wide} of {len(ratios)} ratios are given as a range, {lost} too noisy to tell"
    verdict = f"The machine was quiet; {counts}."
    if reasons:
        verdict = f"The machine was noisy: {', and '.join(reasons)}; {counts}."
    return {
        "load": load,
        "drift": drift,
        "ratios": len(ratios),
        "wide": wide,
        "too noisy to tell": lost,
        "quiet": not reasons,
        "verdict": verdict,
    }


def figure(value: float) -> str:
    """Three significant digits, no exponent."""
    digits = 0 if value >= 100 else 1 if value >= 10 else 2 if value >= 1 else 3
    return f"{value:.{digits}f}"
