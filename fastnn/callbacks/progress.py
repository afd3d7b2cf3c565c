"""A callback that shows how far the training is."""

from __future__ import annotations

import sys
from typing import Any

from .._core.arrays import count
from .._core.units import duration
from ..kernels.codegen.compiler import imported
from .base import Callback, Run

__all__ = ["Progress", "bar"]

_UPDATES = 100  # of a progress display, at most


class Progress(Callback):
    """Show how far the training is.

    On a terminal with tqdm installed, a bar on stderr. Otherwise a line of print now and then::

        epoch 30/100  cost 0.123456  validation 0.2345  12 µs/step

    Parameters
    ----------
    every : int, optional
        Epochs between updates. Default: so many that there are at most 100 updates.

    """

    def __init__(self, every: int | None = None) -> None:
        self._chosen = None if every is None else count("every", every, least=1)
        self.every = self._chosen or 1
        self._bar: Any = None
        self._shown = 0

    def on_begin(self, run: Run) -> None:
        """Open the bar, if there is to be one."""
        self.every = self._chosen or max(1, -(-run.epochs // _UPDATES))
        self._shown = 0
        self._bar = bar(run.epochs)

    def on_epoch(self, run: Run) -> None:
        """Show the epochs since the last update."""
        new, self._shown = run.epoch - self._shown, run.epoch
        costs = f"cost {run.cost:.6g}"
        if run.validation_cost is not None:
            costs += f"  validation {run.validation_cost:.6g}"
        if self._bar is not None:
            self._bar.set_postfix_str(costs, refresh=False)
            self._bar.update(new)
            return
        step = float(run.history.seconds[-new:].mean()) / run.steps_per_epoch
        _print(f"epoch {run.epoch}/{run.epochs}  {costs}  {duration(step)}/step")

    def on_end(self, run: Run) -> None:
        """Show what is left to show: the last epochs, and why there were no more."""
        try:
            if run.epoch > self._shown and run.cost is not None:
                self.on_epoch(run)
        finally:
            if self._bar is not None:
                self._bar.close()
                self._bar = None
        if run.history.stopped is not None:
            _print(f"stopped: {run.history.stopped}")

    def __getstate__(self) -> dict[str, Any]:
        """Copies and pickles have no bar on the terminal."""
        return {**vars(self), "_bar": None}

    def __repr__(self) -> str:
        return f"Progress(every={self._chosen})"


def bar(epochs: int) -> Any:
    """A bar of tqdm; None where there is no terminal, or no tqdm."""
    if sys.stderr is None or not sys.stderr.isatty():
        return None
    try:
        tqdm = imported("tqdm").tqdm
    except ModuleNotFoundError as error:
        if error.name != "tqdm":
            raise
        return None
    return tqdm(total=epochs, unit="epoch", file=sys.stderr)


def _print(line: str) -> None:
    try:
        print(line)
    except UnicodeEncodeError:  # an output that knows ASCII only
        print(line.replace("µ", "u").encode("ascii", "replace").decode("ascii"))
