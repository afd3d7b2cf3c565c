"""Pictures of results as SVG: speed-up bars, roofline, curves over size and threads."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Iterable
from typing import Any

import matplotlib as mpl
from adjustText import adjust_text
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from .drawing import COLOURS, STYLE, Picture, drawn, plain
from .results import LIBRARIES, OURS, Row, quartiles
from .shares import shares

__all__ = ["Picture", "pictures"]

_SHARED = 100_000  # numbers or parameters, below which nobody asks more threads
_USUAL = 16_000  # numbers of an activation's bars, or the next size to it that was measured


def pictures(rows: Iterable[Row], roofs: dict[str, Any]) -> list[Picture]:
    """All that the results are enough for."""
    rows = list(rows)
    with mpl.rc_context(STYLE):
        found = [_bars(kind) for kind in _kinds(rows)]
        if roofs:
            found += shares(rows, roofs)
            found += [_roofline(title, rows, roofs) for title in _ROOFLINES]
        found += [_sizes(part, rows) for part in dict.fromkeys(row.part for row in rows)]
        found.append(_threads(rows))
    return [picture for picture in found if picture]


def _kinds(rows: list[Row]) -> list[list[Row]]:
    """What bars are drawn of: for each part and function one table, of the least threads."""
    chosen: dict[tuple[str, str], dict[str, list[Row]]] = {}
    least = min((row.threads for row in rows), default=1)
    for row in rows:
        if row.threads == least and (not row.axis or row.axis in ("numbers", "parameters")):
            what = row.table.partition(", float")[0]
            chosen.setdefault((row.part, what), {}).setdefault(row.table, []).append(row)
    return [max(tables.values(), key=_fitness) for tables in chosen.values()]


def _fitness(rows: list[Row]) -> tuple[int, float]:
    """The table with the most rows, and of such the one next to the usual size."""
    return len(rows), -_away(rows[0])


def _bars(rows: list[Row]) -> Picture | None:
    """A group of bars for each case, one for each library, on a logarithmic axis."""
    used = [name for name in LIBRARIES if any(row.form(name) for row in rows)]
    rows = [row for row in rows if row.libraries]
    if not rows:
        return None
    rows.sort(key=lambda row: r.median if (r := row.ratio(used[0])) else 0.0)
    height = 1.3 + len(rows) * max(0.24, 0.12 * len(used))
    figure = Figure(figsize=(8, height), layout="constrained")
    _bar_panel(figure.add_subplot(), rows, used)
    legend = [Patch(color=COLOURS[library], label=library) for library in used]
    figure.legend(handles=legend, loc="outside upper left", ncols=len(legend))
    threads = f"{rows[0].threads} thread{'s' * (rows[0].threads > 1)}"
    return Picture(
        rows[0].part, f"{rows[0].table}, {threads}: speed-up",
        "How many times as fast fastnn is. Thin lines are the quartiles over the rounds; a pale "
        "bar is one that the noise leaves open.",
        drawn(figure),
    )  # fmt: skip


def _bar_panel(panel: Any, rows: list[Row], used: list[str]) -> None:
    """The bars, from 1 to the right where ours is faster."""
    thickness = 0.8 / len(used)
    for k, library in enumerate(used):
        for y, row in enumerate(rows):
            if (ratio := row.ratio(library)) is None:
                continue
            unsure = ratio.verdict == "too noisy to tell"
            height = y + thickness * ((len(used) - 1) / 2 - k)
            panel.barh(
                height, ratio.median - 1, thickness * 0.9, left=1, color=COLOURS[library],
                alpha=0.3 if unsure else 1.0,
            )  # fmt: skip
            panel.plot([ratio.low, ratio.high], [height] * 2, color="#222222", linewidth=0.8)
    panel.set_xscale("log")
    panel.axvline(1, color="#222222", linewidth=1)
    panel.set_yticks(range(len(rows)), [row.name for row in rows])
    panel.set_ylim(-0.6, len(rows) - 0.4)
    panel.grid(visible=False, axis="y")
    plain(panel.xaxis, "{x:g}×")
    panel.set_xlabel("times as fast as …  (right of 1: fastnn is faster)")


_ROOFLINES: dict[str, Callable[[Row], bool]] = {
    "activations": lambda row: ", forward," in row.series,
    "vector-Jacobian products": lambda row: ", vjp," in row.series,
    "optimizer steps": lambda row: row.part == "optimizers",
    "trainings and predictions": lambda row: row.part in ("training", "inference"),
}


def _roofline(title: str, rows: list[Row], roofs: dict[str, Any]) -> Picture | None:
    """Each kernel of one thread in float32: how much it computes a byte, and how fast."""
    found = _points(filter(_ROOFLINES[title], rows))
    if not found:
        return None
    figure = Figure(figsize=(9, 5.2), layout="constrained")
    panel = figure.add_subplot()
    _roofs(panel, roofs, found)
    places = [x for _, x, _ in found], [y for _, _, y in found]
    panel.scatter(*places, s=18, color=COLOURS[OURS], zorder=3)
    panel.set(xlabel="operations a byte", ylabel="GFLOP/s")
    figure.canvas.draw()  # labels go where there is room, which only a drawn figure knows
    adjust_text(
        [panel.text(x, y, name, fontsize=7.5) for name, x, y in found], *places, ax=panel,
        arrowprops={"arrowstyle": "-", "color": "#999999", "linewidth": 0.5},
    )  # fmt: skip
    return Picture(
        "roofline", f"Roofline: {title}, one thread, float32",
        "Each point is a kernel; slanted lines are the measured bandwidth of each memory, the flat "
        "one is the measured peak of fused multiply-adds.",
        drawn(figure),
    )  # fmt: skip


def _points(rows: Iterable[Row]) -> list[tuple[str, float, float]]:
    """Names, operations a byte, GFLOP/s; of every name the case next to the usual size."""
    found: dict[str, Row] = {}
    for row in rows:
        counted = row.threads == 1 and row.dtype == "float32" and row.work["operations"]
        if counted and (not row.axis or row.axis in ("numbers", "parameters")):
            name = row.series.partition(",")[0]
            if name not in found or _away(row) < _away(found[name]):
                found[name] = row
    return [
        (
            name,
            row.work["operations"] / row.work["bytes"],
            row.work["operations"] / row.median(OURS) / 1e3,
        )
        for name, row in found.items()
    ]


def _away(row: Row) -> float:
    """How far from the usual size."""
    return abs(math.log(row.x / _USUAL)) if row.x else 0.0


def _roofs(panel: Any, roofs: dict[str, Any], found: list[tuple[str, float, float]]) -> None:
    peak = roofs["peak"]["float32"]["GFLOP/s"]
    fastest = max(place["GB/s"] for place in roofs["bandwidth"].values())
    intensities, speeds = [x for _, x, _ in found], [y for _, _, y in found]
    low, high = min(intensities) / 2, max(*intensities, peak / fastest) * 2
    panel.set_xscale("log")
    panel.set_yscale("log")
    panel.set_xlim(low, high)
    panel.set_ylim(min(speeds) / 2, peak * 2)
    panel.plot([low, high], [peak, peak], color="#444444", linewidth=1.4)
    panel.annotate(
        f"multiply-adds {peak:.0f} GFLOP/s", (low, peak), (4, 4), fontsize=7.5,
        textcoords="offset points", color="#444444",
    )  # fmt: skip
    for name, place in roofs["bandwidth"].items():
        rate = place["GB/s"]
        if low * rate > peak:
            continue
        edge = min(high, peak / rate)
        panel.plot([low, edge], [low * rate, edge * rate], color="#888888", linewidth=1)
        start = max(low, min(speeds) / 2 / rate)  # where the line comes into the panel
        panel.annotate(
            f"{name} {rate:.0f} GB/s", (start, start * rate), (8, 11), fontsize=7.5,
            textcoords="offset points", rotation=45, rotation_mode="anchor",
            transform_rotates_text=True, color="#444444",
        )  # fmt: skip
    for axis in (panel.xaxis, panel.yaxis):
        plain(axis)


def _sizes(part: str, rows: list[Row]) -> Picture | None:
    """Time for each number or step over the size, a panel for each series."""
    least = min((row.threads for row in rows), default=1)
    series: dict[str, list[Row]] = {}
    for row in rows:
        if row.part == part and row.threads == least and row.axis:
            series.setdefault(row.series, []).append(row)
    curves = {
        name: sorted(found, key=lambda row: row.x)
        for name, found in series.items()
        if len({row.x for row in found}) > 2
    }
    if not curves:
        return None
    curves = dict(list(curves.items())[:8])
    unit = "ns a number" if part == "activations" else "ns a parameter"
    if part == "training":
        unit = "µs a step"
    per = (lambda row: 1e3 / row.x) if part != "training" else (lambda row: 1.0)
    return Picture(
        part, f"{part.capitalize()}: time over size",
        f"In {unit}, {least} thread{'s' * (least > 1)}; the shaded band is the quartiles.",
        _curves(curves, lambda row: row.x, per, lambda row: row.axis, unit),
    )  # fmt: skip


def _threads(rows: list[Row]) -> Picture | None:
    """Speed with more threads beside that with one, and the line of as many times."""
    series: dict[str, list[Row]] = {}
    for row in rows:
        small = row.part in ("activations", "optimizers") and row.x < _SHARED
        if not small and row.part != "products":  # which have their shares of the peak
            series.setdefault(_series(row), []).append(row)
    curves = {name: found for name, found in series.items() if len({r.threads for r in found}) > 1}
    if not curves:
        return None
    parts = {part: {name: found for name, found in curves.items() if found[0].part == part}
             for part in dict.fromkeys(found[0].part for found in curves.values())}  # fmt: skip
    figure = Figure(figsize=(8.4, 0.3 + 3 * len(parts)), layout="constrained")
    panels = figure.subplots(len(parts), 1, squeeze=False).ravel()
    for panel, (part, inside) in zip(panels, parts.items(), strict=True):
        _thread_panel(panel, inside)
        panel.set_title(part.capitalize())
    return Picture(
        "threads", "Speed over threads",
        "How many times as fast as on one thread fastnn is, with quartiles; dotted: as many times "
        "as there are threads. Small cases stay on one. Each number of threads was measured in a "
        "process of its own, one after the other.",
        drawn(figure),
    )  # fmt: skip


def _thread_panel(panel: Any, inside: dict[str, list[Row]]) -> None:
    """A line for each series, with quartiles, and a dotted one of as many times."""
    for name, found in inside.items():
        found.sort(key=lambda row: row.threads)
        one = found[0].median(OURS)
        speeds = [one / row.median(OURS) for row in found]
        ends = [quartiles(row.times[OURS]) for row in found]
        least = [speed - one / high for speed, (_, high) in zip(speeds, ends, strict=True)]
        most = [one / low - speed for speed, (low, _) in zip(speeds, ends, strict=True)]
        panel.errorbar(
            [row.threads for row in found], speeds, (least, most), fmt="o-", label=name,
            markersize=3.5, elinewidth=0.8,
        )  # fmt: skip
    counts = sorted({row.threads for found in inside.values() for row in found})
    panel.plot(counts, [n / counts[0] for n in counts], ":", color="#222222", linewidth=1)
    panel.set_xticks(counts)
    panel.set(xlabel="threads", ylabel="times as fast as one")
    panel.legend(loc="center left", bbox_to_anchor=(1, 0.5), fontsize=7.5)


def _series(row: Row) -> str:
    if not row.axis:
        return row.name
    what = row.series.replace(", float32", "").replace(", forward", "")
    return f"{what}, {row.x / 1e6:.2g} M"


def _curves(
    curves: dict[str, list[Row]],
    x: Callable[[Row], float],
    scale: Callable[[Row], float],
    axis: Callable[[Row], str],
    unit: str,
) -> str:
    """Small panels, two in a row, a line for each library."""
    tall, wide = (len(curves) + 1) // 2, min(2, len(curves))
    figure = Figure(figsize=(4.2 * wide, 0.5 + 2.7 * tall), layout="constrained")
    panels = figure.subplots(tall, wide, squeeze=False).ravel()
    for panel in panels[len(curves) :]:
        panel.remove()
    used: dict[str, Any] = {}
    for panel, (title, found) in zip(panels, curves.items(), strict=False):
        for library in (OURS, *LIBRARIES):
            there = [row for row in found if row.form(library)]
            if there:
                used[library] = _curve(panel, library, there, x, scale)
        panel.set_xscale("log")
        panel.set_yscale("log")
        panel.set(title=title, xlabel=axis(found[0]), ylabel=unit)
        plain(panel.yaxis)
    figure.legend(used.values(), used.keys(), loc="outside upper left", ncols=len(used))
    return drawn(figure)


def _curve(
    panel: Any,
    library: str,
    rows: list[Row],
    x: Callable[[Row], float],
    scale: Callable[[Row], float],
) -> Any:
    """The line of a library's medians, over the band of its quartiles."""
    xs = [x(row) for row in rows]
    times = [(scale(row), row.times[row.form(library)]) for row in rows]
    (line,) = panel.plot(
        xs, [factor * statistics.median(values) for factor, values in times], "o-",
        color=COLOURS[library], markersize=3.5, linewidth=2 if library == OURS else 1.2,
    )  # fmt: skip
    ends = [[factor * end for end in quartiles(values)] for factor, values in times]
    panel.fill_between(
        xs, [low for low, _ in ends], [high for _, high in ends], color=COLOURS[library],
        alpha=0.15, linewidth=0,
    )  # fmt: skip
    return line
