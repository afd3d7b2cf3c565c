"""The report as one HTML file, pictures inside."""

from __future__ import annotations

import base64

import jinja2

from .pictures import Picture, pictures
from .run import Results
from .tables import glance, tables

__all__ = ["page"]

_TITLES = {
    "dropin": "The articles' calls",
    "activations": "Activations",
    "optimizers": "Optimizers",
    "products": "Products",
    "training": "Training",
    "inference": "Inference",
    "roofline": "Roofline",
    "threads": "Threads",
}


def page(results: Results) -> str:
    """HTML that needs nothing else."""
    templates = jinja2.Environment(
        loader=jinja2.PackageLoader("fastnn.bench", "."),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    drawn, shown = pictures(results.rows, results.roofs), tables(results.rows, results.roofs)
    parts = []
    for part, title in _TITLES.items():
        of_part = [table for table in shown if table.part == part]
        pictured = [(picture, _data(picture)) for picture in drawn if picture.part == part]
        if of_part or pictured:
            lines = [found[1:] for found in glance(results.rows) if found[0] == part]
            parts.append((part, title, lines, pictured, of_part))
    return templates.get_template("report.html.jinja").render(
        about=results.about, parts=parts, roofs=results.roofs
    )


def _data(picture: Picture) -> str:
    return "data:image/svg+xml;base64," + base64.b64encode(picture.svg.encode()).decode()
