"""The tables, in Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby

from .. import markdown
from ..times import Times

__all__ = ["Row", "heading", "tables"]

_PEERS = "NumPy", "PyTorch", "JAX"

# title, columns beside fastnn, and ratios of fastnn to others
_TABLES = {
    "forward": ("Activation", (*_PEERS, "copy"), ("copy",)),
    "vjp": ("Vector-Jacobian product", _PEERS[1:], ()),
    "both": ("Activation and vector-Jacobian product", ("two calls", *_PEERS[1:]), ("two calls",)),
    "call": ("A call", ("ufunc", *_PEERS), ()),
}


@dataclass(frozen=True)
class Row(Times):
    """Times of a case."""

    @property
    def best(self) -> str:
        """The fastest peer, or the empty string; its ratio is then not to be asked."""
        peers = [name for name in _PEERS if name in self.rounds]
        return min(peers, key=self.median) if peers else ""


def heading(rounds: int) -> str:
    """Date, machine, versions and threads."""
    return markdown.title("Speed of activations", rounds, {"threads": "1 each, all on one core"})


def tables(results: Iterable[Row]) -> Iterator[str]:
    """A table for every part, dtype and shape, once it is through; then what was slower."""
    every = []
    for found, group in groupby(results, _kind):
        rows = list(group)
        every += rows
        yield _table(*found, rows)
    slower = [row for row in every if row.best and row.ratio > 1]
    slower.sort(key=lambda row: -row.ratio)
    items = [
        f"- {row.ratio:.2f} × {row.best}: {row.task.name}, {', '.join(_kind(row))}"
        for row in slower
    ]
    measured = sum(bool(row.best) for row in every)
    yield f"## Slower than a peer: {len(slower)} of {measured}"
    yield "\n".join(items) or "None."


def _kind(row: Row) -> tuple[str, str, str]:
    return row.task.part, row.task.dtype, _size(row)


def _size(row: Row) -> str:
    shape = row.task.shape
    return str(shape) if len(shape) > 1 else f"{shape[0]:,} numbers".replace(",", " ")


def _table(part: str, dtype: str, size: str, rows: list[Row]) -> str:
    title, others, against = _TABLES[part]
    used = [name for name in others if any(name in row.rounds for row in rows)]
    ratios = [name for name in against if name in used]
    head = ["", "fastnn", *used, *(f"/ {name}" for name in ratios), "/ fastest peer"]
    body = []
    for row in rows:
        cells = [row.task.name, *(markdown.time(row, name) for name in ("fastnn", *used))]
        cells += [markdown.ratio(row, name) for name in ratios]
        cells.append(f"{markdown.ratio(row, row.best)} {row.best}".strip())
        body.append(cells)
    return markdown.table(f"{title}, {dtype}, {size}", head, body)
