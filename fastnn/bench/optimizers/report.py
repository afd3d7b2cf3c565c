"""The tables, in Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby

from .. import markdown
from ..times import Times
from .cases import Case

__all__ = ["Row", "heading", "tables"]

_PEERS = "PyTorch fused", "PyTorch foreach", "JAX"
_LARGE = 5_000_000  # parameters, from which on the memory decides
_BYTES = 4  # of a float32


@dataclass(frozen=True)
class Row(Times):
    """Times of a case."""

    task: Case

    @property
    def best(self) -> str:
        """The fastest peer, or the empty string; its ratio is then not to be asked."""
        peers = [name for name in _PEERS if name in self.rounds]
        return min(peers, key=self.median) if peers else ""

    def share(self, name: str) -> float:
        """Of the copy's bandwidth, in bytes that had to be moved."""
        return self.median("copy") / self.median(name) * self.task.task.moved / 2


def heading(rounds: int) -> str:
    """Date, machine and versions."""
    found = {"arrays": "a list, float32"}
    return markdown.title("Speed of optimizers", rounds, found)


def tables(results: Iterable[Row], threads: int) -> Iterator[str]:
    """A table for every size, once it is through; then what was slower."""
    every, counted = [], f"{threads} thread{'s' * (threads > 1)}"
    for size, group in groupby(results, lambda row: row.task.size):
        rows = list(group)
        every += rows
        yield _table(f"{size} parameters, {counted}", rows)
    both = [row for row in every if row.best]
    slower = sorted((row for row in both if row.ratio > 1), key=lambda row: -row.ratio)
    items = [f"- {r.ratio:.2f} × {r.best}: {r.task.name}, {r.task.size}" for r in slower]
    yield f"## Slower than a peer on {counted}: {len(slower)} of {len(both)}"
    yield "\n".join(items) or "None."


def _table(title: str, rows: list[Row]) -> str:
    large = rows[0].task.elements >= _LARGE
    columns = "fastnn", *_PEERS, "copy"
    head = ["", *columns, "/ fastest peer", *(["share of bandwidth", "of the peer"] * large)]
    body = []
    for row in rows:
        ratio = f"{row.ratio:.2f} {row.best}" if row.best else markdown.NONE
        shares = [_share(row, name) for name in ("fastnn", row.best)] if large else []
        times = [markdown.time(row, name) for name in columns]
        body.append([row.task.name, *times, ratio, *shares])
    text = markdown.table(title, head, body)
    if large:
        row = rows[0]
        speed = 2 * _BYTES * row.task.elements / row.median("copy") / 1e3
        text += f"\n\nThe copy moves {speed:.1f} GB/s, read and written."
    return text


def _share(row: Row, name: str) -> str:
    return f"{row.share(name):.0%}" if name in row.rounds else markdown.NONE
