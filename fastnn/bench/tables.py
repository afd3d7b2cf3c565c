"""Tables of results: made once, shown on the terminal, in the page and in Markdown."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from rich.console import Console
from rich.table import Table as RichTable

from .results import LIBRARIES, OURS, Ratio, Row, figure

__all__ = ["Cell", "Table", "glance", "in_markdown", "show", "tables"]

_NONE = "–"
_STYLES = {"faster": "green", "slower": "red", "too noisy to tell": "yellow"}


@dataclass(frozen=True)
class Cell:
    """Text, what it says for ours (a verdict, or nothing), and more of it for those who ask."""

    text: str
    verdict: str = ""
    more: str = ""


@dataclass(frozen=True)
class Table:
    """A title, how many of the columns a terminal shows, and cells."""

    title: str
    part: str
    shown: int
    head: list[str]
    body: list[list[Cell]]


def tables(rows: Iterable[Row], roofs: dict[str, Any] | None = None) -> list[Table]:
    """One for every kind of case and number of threads, in their order.

    roofs: where they were measured, of which what is made of products is told its share.
    """
    return [_table(*kind, list(group), roofs or {}) for kind, group in groupby(rows, _kind)]


def _kind(row: Row) -> tuple[str, str, int]:
    return row.part, row.table, row.threads


_OF_PRODUCTS = "products", "training", "inference"


def _table(part: str, title: str, threads: int, rows: list[Row], roofs: dict[str, Any]) -> Table:
    used = [name for name in LIBRARIES if any(row.form(name) for row in rows)]
    extra = [name for name in ("copy", "two calls") if any(name in row.times for row in rows)]
    head = ["", *(f"× {name}" for name in used)]
    shared = [OURS, *used] if part == "products" else [OURS]
    shared = shared if roofs and part in _OF_PRODUCTS else []
    head += [f"{OURS}, µs", *(f"{name}, % of peak" for name in shared)]
    head += [f"{name}, µs" for name in (*used, *extra)]
    body = []
    for row in rows:
        cells = [Cell(_named(row))]
        cells += [_ratio(row, name) for name in used]
        cells += [_time(row, OURS, OURS)]
        cells += [_share(row, row.form(name), roofs) for name in shared]
        cells += [_time(row, row.form(name), name) for name in used]
        cells += [_time(row, name, name) for name in extra]
        body.append(cells)
    counted = f"{threads} thread{'s' * (threads > 1)}"
    shown = 2 + len(used) + (len(shared) if part == "products" else 0)
    return Table(f"{title}, {counted}", part, shown, head, body)


def _named(row: Row) -> str:
    """The name; of a task also what it is."""
    case = row.case
    if "sizes" not in case or row.axis:
        return row.name
    shape = "-".join(map(str, case["sizes"]))
    more = [f"{shape} {case['activation']}", f"batch {case['batch']}", case.get("optimizer")]
    more += [f"dropout {case['dropout']:g}"] if case.get("dropout") else []
    more += [row.dtype] if row.dtype != "float32" else []
    return f"{row.name}: {', '.join(filter(None, more))}"


def _ratio(row: Row, library: str) -> Cell:
    """No figure that was not measured, and none that the noise would make up."""
    ratio = row.ratio(library)
    if ratio is None:
        why = next((text for name, text in row.left_out.items() if name.startswith(library)), "")
        return Cell(_NONE, more=f"{library}: {why}" if why else "")
    return Cell(_said(ratio), ratio.verdict, f"{ratio.verdict}; beside {row.form(library)}")


def _said(ratio: Ratio) -> str:
    return f"too noisy ({ratio})" if ratio.verdict == "too noisy to tell" else str(ratio)


def _time(row: Row, form: str, name: str) -> Cell:
    if form not in row.times:
        return Cell(_NONE)
    text = f"{figure(row.median(form))} ±{50 * row.spread(form):.0f} %"
    return Cell(text, more=form if form != name else "")


def _share(row: Row, form: str, roofs: dict[str, Any]) -> Cell:
    return Cell(f"{100 * row.share(form, roofs):.0f}" if form else _NONE)


def glance(rows: Iterable[Row]) -> list[tuple[str, str, str]]:
    """For every part and library: how often ours is faster, and by how much in the middle."""
    found: dict[tuple[str, str], list[Ratio]] = {}
    for row in rows:
        for library in row.libraries:
            if (ratio := row.ratio(library)) is not None:
                found.setdefault((row.part, library), []).append(ratio)
    return [(part, library, _sentence(ratios)) for (part, library), ratios in found.items()]


def _sentence(ratios: list[Ratio]) -> str:
    known = [ratio for ratio in ratios if ratio.verdict != "too noisy to tell"]
    counts = {
        verdict: sum(ratio.verdict == verdict for ratio in ratios)
        for verdict in ("faster", "as fast", "slower", "too noisy to tell")
    }
    text = f"faster in {counts.pop('faster')} of {len(ratios)}"
    text += "".join(f", {verdict} in {count}" for verdict, count in counts.items() if count)
    if not known:
        return text
    middle = sorted(ratio.median for ratio in known)[len(known) // 2]
    return f"{text}; {figure(middle)} times as fast in the median"


def show(console: Console, found: Iterable[Table]) -> None:
    """Names, ratios, the time of ours, shares of products: the rest is in the page."""
    for table in found:
        shown = RichTable(title=table.title, title_justify="left", title_style="bold")
        for k, name in enumerate(table.head[: table.shown]):
            shown.add_column(name, justify="right" if k else "left", no_wrap=True)
        for cells in table.body:
            shown.add_row(
                *(
                    f"[{_STYLES[cell.verdict]}]{cell.text}[/]"
                    if cell.verdict in _STYLES
                    else cell.text
                    for cell in cells[: table.shown]
                )
            )
        console.print(shown)
        console.print()


def in_markdown(
    about: dict[str, Any], rows: Iterable[Row], roofs: dict[str, Any] | None = None
) -> str:
    """All tables, under a heading with date, machine and versions."""
    rows, machine = list(rows), about["machine"]
    versions = ", ".join(f"{name} {number}" for name, number in machine["versions"].items())
    lines = [
        f"`{about['command']}`, {about['date']}, {machine['CPU']}, "
        f"{machine['cores in use']} cores, {versions}. {about['noise']['verdict']}",
        "",
        "× NumPy: how many times as fast as NumPy, the median of each round's ratio, or its "
        "quartiles where they are more than 15 % apart. Times are medians in µs ± half the "
        "distance of the quartiles. % of peak: additions and multiplications of the products as a "
        "share of the fused multiply-adds that as many cores can make, each in its best round.",
    ]
    lines += ["", *(f"- {part}, {name}: {text}" for part, name, text in glance(rows))]
    for table in tables(rows, roofs):
        lines += ["", f"### {table.title}", "", _line(table.head)]
        lines.append(_line([":--"] + ["--:"] * (len(table.head) - 1)))
        lines += [_line([cell.text for cell in cells]) for cells in table.body]
    return "\n".join(lines) + "\n"


def _line(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"
