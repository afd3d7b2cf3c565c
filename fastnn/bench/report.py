"""Measure, then write results.json, report.html and report.md, and show the tables."""

from __future__ import annotations

import json
from pathlib import Path

from rich.console import Console

from .page import page
from .plan import Wishes
from .run import collect
from .tables import glance, in_markdown, show, tables

__all__ = ["bench"]

_WIDTH = 120  # of tables that no terminal shows


def bench(wishes: Wishes, out: Path, command: str) -> list[Path]:
    """A whole run; returns the files written."""
    results = collect(wishes, command)
    found = {
        "results.json": json.dumps(results.as_json(), indent=1, ensure_ascii=False) + "\n",
        "report.html": page(results),
        "report.md": in_markdown(results.about, results.rows, results.roofs),
    }
    paths = []
    for name, text in found.items():
        path = out / name
        path.write_text(text, encoding="utf-8")
        paths.append(path)
    console = Console(highlight=False)
    if not console.is_terminal:
        console = Console(highlight=False, width=_WIDTH)
    show(console, tables(results.rows, results.roofs))
    machine = results.about["machine"]
    console.print(f"{machine['CPU']}, {machine['cores in use']} cores, {results.about['date']}")
    console.print(", ".join(f"{name} {text}" for name, text in machine["versions"].items()))
    for part, library, text in glance(results.rows):
        console.print(f"{part}, beside {library}: {text}")
    for name, why in results.about["missing"].items():
        console.print(f"left out: {name}: {why}")
    console.print(results.about["noise"]["verdict"])
    for path in paths:
        console.print(f"wrote {path}", soft_wrap=True)
    return paths
