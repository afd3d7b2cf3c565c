"""A network as a table: for terminals, and for notebooks."""

from __future__ import annotations

import html
from typing import Any

import numpy as np

from ..layers.base import is_trainable
from .stack import Stack

__all__ = ["Summary", "as_html", "summary"]

_HEAD = ("layer", "activation", "shape", "parameters", "dtype", "settings")
_RIGHT = ("parameters",)  # columns of numbers
_SETTINGS = ("dropout", "l1", "l2")


class Summary(str):
    """A table as text, which an interpreter shows as it is printed."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)


def summary(network: Stack) -> Summary:
    """See `NeuralNetwork.summary`."""
    rows = [_HEAD, *map(_row, network.layers)]
    used = [k for k in range(len(_HEAD)) if any(row[k] for row in rows[1:])]
    widths = {k: max(len(row[k]) for row in rows) for k in used}
    lines = []
    for row in rows:
        cells = [
            row[k].rjust(widths[k]) if _HEAD[k] in _RIGHT else row[k].ljust(widths[k]) for k in used
        ]
        lines.append("  ".join(cells).rstrip())
    return Summary("\n".join([*lines, *_last_lines(network)]))


def as_html(network: Stack) -> str:
    """The same table for a notebook."""
    rows = list(map(_row, network.layers))
    used = [k for k in range(len(_HEAD)) if any(row[k] for row in rows)]
    head = "".join(_cell("th", _HEAD[k], k) for k in used)
    body = "".join(f"<tr>{''.join(_cell('td', row[k], k) for k in used)}</tr>" for row in rows)
    caption = "<br>".join(html.escape(line) for line in _last_lines(network))
    return (
        f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody>"
        f'<tfoot><tr><td colspan="{len(used)}" style="text-align: left">{caption}</td></tr></tfoot>'
        "</table>"
    )


def _cell(tag: str, text: str, column: int) -> str:
    side = "right" if _HEAD[column] in _RIGHT else "left"
    return f'<{tag} style="text-align: {side}">{html.escape(text)}</{tag}>'


def _row(layer: Any) -> tuple[str, ...]:
    """A layer's cells; one of the caller's own may have no activation of the table."""
    spec = getattr(layer, "activation", None)
    inputs, width = np.shape(layer.w)
    numbers = getattr(layer, "activation_parameters", {})
    inside = ", ".join(f"{name}={value:g}" for name, value in numbers.items())
    settings = [
        f"{name}={getattr(layer, name, 0.0):g}" for name in _SETTINGS if getattr(layer, name, 0.0)
    ]
    return (
        type(layer).__name__,
        getattr(spec, "name", "") + (f"({inside})" if inside else ""),
        f"{inputs} → {getattr(layer, 'dim_output', width)}",
        f"{_size(layer):,}",
        str(layer.w.dtype),
        ", ".join([*settings, *([] if is_trainable(layer) else ["frozen"])]),
    )


def _size(layer: Any) -> int:
    return sum(int(np.size(getattr(layer, name))) for name in getattr(layer, "trained", ("w", "b")))


def _last_lines(network: Stack) -> list[str]:
    """What is said of all layers together: their cost, and the total."""
    layers = network.layers
    total, trained = (sum(map(_size, some)) for some in (layers, filter(is_trainable, layers)))
    size = sum(
        getattr(layer, name).nbytes
        for layer in layers
        for name in getattr(layer, "trained", ("w", "b"))
    )
    frozen = f", {total - trained:,} of them frozen" if total > trained else ""
    return [
        f"cost: {network.cost_function!r}",
        f"total: {total:,} parameters{frozen}, {_bytes(size)}",
    ]


def _bytes(size: int) -> str:
    """A size in a unit that suits it, in three digits.

    >>> _bytes(17), _bytes(23_456), _bytes(3 * 2**30)
    ('17 bytes', '22.9 KiB', '3 GiB')
    """
    value, units = float(size), ["bytes", "KiB", "MiB", "GiB", "TiB"]
    while value >= 999.5 and len(units) > 1:
        value, units = value / 1024, units[1:]
    return f"{value:.3g} {units[0]}"
