"""What was measured of one task: medians, spreads, and ratios of ours to others."""

from __future__ import annotations

import statistics
from dataclasses import dataclass
from typing import Any

__all__ = ["Times", "figure"]


@dataclass(frozen=True)
class Times:
    """Of one task: µs a step of every competitor, one a round; ours first."""

    task: Any
    rounds: dict[str, list[float]]

    @property
    def ours(self) -> str:
        """The name of ours."""
        return next(iter(self.rounds))

    @property
    def best(self) -> str:
        """The peer with the smallest median."""
        return min(list(self.rounds)[1:], key=self.median)

    def median(self, name: str) -> float:
        """Of all rounds."""
        return statistics.median(self.rounds[name])

    def quartiles(self, name: str) -> tuple[float, float]:
        """Between which half of the rounds lie."""
        low, _, high = statistics.quantiles(self.rounds[name], n=4, method="inclusive")
        return low, high

    def spread(self, name: str) -> float:
        """Distance of the quartiles, as a part of the median."""
        low, high = self.quartiles(name)
        return (high - low) / self.median(name)

    @property
    def ratio(self) -> float:
        """Of ours to the best peer."""
        return self.ratio_to(self.best)

    def ratio_to(self, peer: str) -> float:
        """Median over the rounds of ours / peer: a slow minute of the machine hits both."""
        pairs = zip(self.rounds[self.ours], self.rounds[peer], strict=True)
        return statistics.median(ours / other for ours, other in pairs)


def figure(microseconds: float) -> str:
    """Three significant digits, no exponent."""
    digits = (
        0 if microseconds >= 100 else 1 if microseconds >= 10 else 2 if microseconds >= 1 else 3
    )
    return f"{microseconds:.{digits}f}"
