"""Tables and headings in Markdown."""

from __future__ import annotations

import datetime
from typing import Any

from .machine import heading, machine
from .times import Times, figure

__all__ = ["NONE", "ratio", "table", "time", "title"]

NONE = "–"
_WIDE = 0.1  # quartile spread over median from which on it is told


def title(text: str, rounds: int, found: dict[str, Any]) -> str:
    """Date, machine, versions, and what is found beside them."""
    lines = {
        "date": datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d %H:%M UTC"),
        **machine(),
        **found,
        "figures": f"µs a call, medians of {rounds} interleaved rounds",
        "ratios": "fastnn / other, medians over the rounds; the smaller the better",
    }
    return "\n".join([f"# {text}", "", "```text", heading(lines), "```"])


def table(text: str, head: list[str], body: list[list[str]]) -> str:
    """Cells under a heading of the second level, numbers to the right."""
    lines = [head, [":--"] + ["--:"] * (len(head) - 1), *body]
    return f"## {text}\n\n" + "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def time(row: Times, name: str) -> str:
    """The median, and half the spread if it is wide."""
    if name not in row.rounds:
        return NONE
    spread = row.spread(name)
    return figure(row.median(name)) + (f" ±{50 * spread:.0f} %" if spread > _WIDE else "")


def ratio(row: Times, name: str) -> str:
    return f"{row.ratio_to(name):.2f}" if name in row.rounds else NONE
