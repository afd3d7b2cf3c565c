"""Callbacks that write down every epoch: to a file, or wherever a function of the caller's does."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from .._core.arrays import count
from .._core.writing import checked_path
from .base import Callback, Run, shown

__all__ = ["CSVLog", "Log"]

_COLUMNS = ("cost", "validation_cost", "learning_rate", "seconds")


class CSVLog(Callback):
    """Write a row for each epoch to a file of comma-separated values.

    Its columns are epoch, cost, validation_cost (empty without validation data), learning_rate and
    seconds, as in `History`. Rows are in the file as soon as they are written, whatever interrupts
    the training. A training that goes on adds its rows to those of the one before: a row that was
    torn is cut off, and the header stands there once.

    Parameters
    ----------
    path : str or path
        Where to; folders that are missing are made.
    every : int
        Write after each so many epochs, the rows of all of them.
    start : int, optional
        Complete epochs before the training, as a checkpoint tells them: rows of later ones, which
        are trained anew, are replaced. Default: all that the file has.

    Examples
    --------
    >>> CSVLog("digits.csv")
    CSVLog(path='digits.csv', every=1, start=None)

    """

    def __init__(
        self, path: str | os.PathLike[str], every: int = 1, start: int | None = None
    ) -> None:
        self.path = checked_path(path)
        self.every = count("every", every, least=1)
        self.start = None if start is None else count("start", start, least=0)
        self._before = self._written = 0

    def on_begin(self, run: Run) -> None:
        """Look what the file has already, and write the header where there is none."""
        os.makedirs(os.path.dirname(self.path) or ".", exist_ok=True)
        with open(self.path, "a+b") as file:
            file.seek(0)
            kept, last = _kept(self.path, file.read(), self.start)
            file.truncate(len(kept))
            if not kept:
                file.write(_line("epoch", *_COLUMNS))
        self._before, self._written = last if self.start is None else self.start, 0

    def on_epoch(self, run: Run) -> None:
        """Write the epochs since the last call."""
        self._write(run)

    def on_end(self, run: Run) -> None:
        """Write what an error or Ctrl-C has left."""
        self._write(run)

    def _write(self, run: Run) -> None:
        new = range(self._written, len(run.history))
        rows = []
        for k in new:
            columns = (getattr(run.history, name) for name in _COLUMNS)
            cells = ["" if not column.size else repr(float(column[k])) for column in columns]
            rows.append(_line(str(self._before + k + 1), *cells))
        if rows:
            with open(self.path, "ab") as file:
                file.write(b"".join(rows))
            self._written = new.stop

    def __repr__(self) -> str:
        return shown(self, "path", "every", "start")


def _line(*cells: str) -> bytes:
    return (",".join(cells) + "\n").encode()


def _kept(path: str, data: bytes, start: int | None) -> tuple[bytes, int]:
    """What stays of a file, and the last epoch of it."""
    header = _line("epoch", *_COLUMNS)
    lines = [line for line in data.splitlines(keepends=True) if line.endswith(b"\n")]
    if not lines and header.startswith(data):  # nothing, or a header that was torn
        return b"", 0
    if not lines or lines[0] != header:
        first = data.splitlines()[0][:60].decode(errors="replace")
        raise ValueError(f"{path!r} is no file of CSVLog: its first line is {first!r}")
    epochs = []
    for number, line in enumerate(lines[1:], 2):
        epoch = line.partition(b",")[0]
        if not epoch.isdigit() or line.count(b",") != len(_COLUMNS):
            text = line[:60].decode(errors="replace")
            raise ValueError(f"{path!r} is no file of CSVLog: its line {number} is {text!r}")
        epochs.append(int(epoch))
    many = len(epochs) if start is None else sum(epoch <= start for epoch in epochs)
    return b"".join(lines[: 1 + many]), epochs[many - 1] if many else 0


class Log(Callback):
    """Hand the values of every epoch to a function.

    Parameters
    ----------
    write : callable
        Called as ``write(values, epoch)``. The values are a dict of floats: ``cost``,
        ``learning_rate`` and ``seconds``, and ``validation_cost`` if there is one.
    every : int
        Call it after each so many epochs, and after the last.
    start : int
        Complete epochs before the training, from which `epoch` counts on.

    Examples
    --------
    >>> Log(print, every=10)
    Log(write=<built-in function print>, every=10, start=0)

    For MLflow::

        nn.fit(X, t, 0.01, epochs=100, callbacks=Log(mlflow.log_metrics))

    For TensorBoard::

        writer = torch.utils.tensorboard.SummaryWriter()
        add = lambda values, epoch: [writer.add_scalar(k, v, epoch) for k, v in values.items()]
        nn.fit(X, t, 0.01, epochs=100, callbacks=Log(add))

    """

    def __init__(
        self, write: Callable[[dict[str, float], int], Any], every: int = 1, start: int = 0
    ) -> None:
        if isinstance(write, type) or not callable(write):
            raise TypeError(f"write is {write!r}, expected a function of the values and the epoch")
        self.write = write
        self.every = count("every", every, least=1)
        self.start = count("start", start, least=0)

    def on_epoch(self, run: Run) -> None:
        """Hand over the values of the last epoch."""
        columns = {name: getattr(run.history, name) for name in _COLUMNS}
        values = {name: float(column[-1]) for name, column in columns.items() if column.size}
        self.write(values, self.start + run.epoch)

    def __repr__(self) -> str:
        return shown(self, "write", "every", "start")
