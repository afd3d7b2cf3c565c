"""Axes to draw on, where Matplotlib is installed."""

from __future__ import annotations

from typing import TYPE_CHECKING

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
    try:
        from matplotlib import pyplot
    except ModuleNotFoundError as error:
        if error.name != "matplotlib":  # one that is broken says so itself
            raise
        message = f"{what} needs matplotlib: pip install 'fastnn-numba[demo]'"
        raise ImportError(message) from error
    return pyplot.subplots(layout="constrained")[1]
