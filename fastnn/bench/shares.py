"""Products beside the multiply-adds that a core can make."""

from __future__ import annotations

from typing import Any

from matplotlib.figure import Figure
from matplotlib.patches import Patch

from .drawing import COLOURS, Picture, drawn
from .results import LIBRARIES, OURS, Row

__all__ = ["shares"]


def shares(rows: list[Row], roofs: dict[str, Any]) -> list[Picture]:
    """What part of the peak products reach: a picture for each number of threads and dtype."""
    found: dict[tuple[int, str], list[Row]] = {}
    for row in rows:
        if row.part == "products":
            found.setdefault((row.threads, row.dtype), []).append(row)
    return [_picture(*key, group, roofs) for key, group in found.items()]


def _picture(threads: int, dtype: str, rows: list[Row], roofs: dict[str, Any]) -> Picture:
    """A panel for each kind of product, in it a group of bars for each layer."""
    kinds: dict[str, list[Row]] = {}
    for row in rows:
        kinds.setdefault(row.table, []).append(row)
    names = list(dict.fromkeys(row.name for row in rows))[::-1]
    used = [OURS, *(name for name in LIBRARIES if any(row.form(name) for row in rows))]
    figure = Figure(figsize=(9, 1.2 + 0.34 * len(names)), layout="constrained")
    panels = figure.subplots(1, len(kinds), squeeze=False, sharey=True, sharex=True).ravel()
    for panel, (table, found) in zip(panels, kinds.items(), strict=True):
        for k, library in enumerate(used):
            there = [row for row in found if row.form(library)]
            panel.barh(
                [names.index(row.name) + 0.4 * ((len(used) - 1) / 2 - k) for row in there],
                [100 * row.share(row.form(library), roofs) for row in there], 0.36,
                color=COLOURS[library],
            )  # fmt: skip
        panel.axvline(100, color="#222222", linewidth=1)
        panel.set(title=table.partition(",")[0], xlabel="% of the peak")
        panel.set_yticks(range(len(names)), names)
        panel.grid(visible=False, axis="y")
    legend = [Patch(color=COLOURS[library], label=library) for library in used]
    figure.legend(handles=legend, loc="outside upper left", ncols=len(legend))
    return Picture(
        "products", f"Products, {dtype}, {threads} thread{'s' * (threads > 1)}: share of the peak",
        "Additions and multiplications a second, as a part of the measured peak of fused "
        "multiply-adds on as many cores, the line at 100; each in its best round.",
        drawn(figure),
    )  # fmt: skip
