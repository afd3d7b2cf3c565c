"""What all pictures share: colours, style, SVG, plain numbers on axes."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import Any

from matplotlib import ticker
from matplotlib.figure import Figure

from .results import OURS

__all__ = ["COLOURS", "STYLE", "Picture", "drawn", "plain"]

COLOURS = {
    OURS: "#0b4f9e", "NumPy": "#e69f00", "reference": "#b8a16b", "Numba": "#56b4e9",
    "PyTorch": "#d55e00", "JAX": "#009e73", "scikit-learn": "#cc79a7", "ONNX Runtime": "#6b6b6b",
}  # fmt: skip
STYLE: dict[Any, Any] = {
    "font.size": 9, "axes.spines.top": False, "axes.spines.right": False, "axes.grid": True,
    "grid.alpha": 0.25, "grid.linewidth": 0.6, "axes.axisbelow": True, "svg.hashsalt": "fastnn",
    "legend.frameon": False, "axes.titlesize": 10, "axes.titleweight": "bold",
    "axes.titlelocation": "left",
}  # fmt: skip


@dataclass(frozen=True)
class Picture:
    """An SVG image, what it shows in words, and the part of the report that it belongs to."""

    part: str
    title: str
    caption: str
    svg: str


def drawn(figure: Figure) -> str:
    """The figure as SVG, without a date."""
    file = io.StringIO()
    figure.savefig(file, format="svg", metadata={"Date": None})
    return file.getvalue()


def plain(axis: Any, text: str = "{x:g}") -> None:
    """Numbers like 0.5 and 20 on a logarithmic axis, without powers of ten."""
    axis.set_major_locator(ticker.LogLocator(10, (1.0, 2.0, 5.0)))
    axis.set_major_formatter(ticker.StrMethodFormatter(text))
    axis.set_minor_formatter(ticker.NullFormatter())
