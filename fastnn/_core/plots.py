"""Axes to draw on, where Matplotlib is installed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .extras import needed

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["new_axes"]


def new_axes(what: str) -> Axes:
    """Those of a new figure of pyplot; what: needs them.

    Raises
    ------
    ImportError
        If Matplotlib is not installed.

    """
    with needed(f"{what} needs matplotlib: pip install 'fastnn-numba[demo]'", "matplotlib"):
        from matplotlib import pyplot
    return pyplot.subplots(layout="constrained")[1]
