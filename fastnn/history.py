"""`History`: what a training was like, epoch by epoch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ._core.arrays import Array, convert
from ._core.plots import new_axes
from ._core.units import duration

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["History"]

_ALWAYS = ("cost", "learning_rate", "seconds")
_OPTIONAL = ("validation_cost", "reduction_seconds")  # of all epochs of a history, or of none
_COLUMNS = _ALWAYS + _OPTIONAL
_NONE: frozenset[str] = frozenset()
_FIRST_ROOM = 16  # epochs; doubled whenever it is used up


class History:
    """Cost, learning rate and time of every epoch of a training.

    ``len(history)`` is the number of epochs. All arrays are float64 with one entry an epoch; they
    are read-only views of what is known by now, and keep their entries when the history grows.

    Attributes
    ----------
    cost : array (epochs,)
        Cost of the training data, of steps that were taken; NaN if an epoch has none.
    validation_cost : array (epochs,)
        Cost of the validation data; empty for a training without.
    learning_rate : array (epochs,)
        Factor of the gradient; of L-BFGS the length of the step along its direction.
    seconds : array (epochs,)
        Time that each epoch took.
    reduction_seconds : array (epochs,)
        What of it rank 0 spent in sums of gradients over all ranks of MPI, with the time that it
        waited for the others there; empty for a training without ranks.
    stopped : str or None
        Why the training was ended before its time; None if it was not.

    Examples
    --------
    >>> history = History()
    >>> history.extend([4.0, 2.0, 1.0], learning_rate=0.1, seconds=0.25)
    >>> history
    History(3 epochs, cost 1, 750 ms)
    >>> history.learning_rate
    array([0.1, 0.1, 0.1])
    >>> history.validation_cost.size
    0

    """

    def __init__(self) -> None:
        self.stopped: str | None = None
        self._epochs = 0
        self._present = _NONE
        self._table = np.empty((len(_COLUMNS), _FIRST_ROOM))

    @classmethod
    def of_one(cls, cost: float, learning_rate: float, seconds: float) -> History:
        """The history of one epoch, whose table is made when somebody looks at it."""
        history = object.__new__(cls)
        history.stopped, history._epochs, history._present = None, 1, _NONE
        history._first = cost, learning_rate, seconds
        return history

    _first: tuple[float, float, float]

    def __getattr__(self, name: str) -> Any:
        """The table, of a history that was made without it."""
        if name != "_table" or "_first" not in self.__dict__:
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        table = np.empty((len(_COLUMNS), _FIRST_ROOM))
        table[:3, 0] = self.__dict__.pop("_first")
        self._table = table
        return table

    @property
    def cost(self) -> Array:
        """Cost of the training data in each epoch."""
        return self._column("cost")

    @property
    def validation_cost(self) -> Array:
        """Cost of the validation data in each epoch; empty without such data."""
        return self._column("validation_cost")

    @property
    def learning_rate(self) -> Array:
        """Learning rate in each epoch."""
        return self._column("learning_rate")

    @property
    def seconds(self) -> Array:
        """Seconds of each epoch."""
        return self._column("seconds")

    @property
    def reduction_seconds(self) -> Array:
        """Seconds of each epoch in sums over all ranks of MPI; empty without ranks."""
        return self._column("reduction_seconds")

    def extend(
        self,
        cost: npt.ArrayLike,
        learning_rate: npt.ArrayLike,
        seconds: npt.ArrayLike,
        validation_cost: npt.ArrayLike | None = None,
        reduction_seconds: npt.ArrayLike | None = None,
    ) -> None:
        """Add the epochs that came next, one or many.

        Parameters
        ----------
        cost : float or array (epochs,)
            Says how many epochs are added: a float is one.
        learning_rate, seconds : float or array (epochs,)
            A float holds for each of these epochs.
        validation_cost, reduction_seconds : float or array (epochs,), optional
            As these; each belongs either to all epochs of a history or to none, and NaN stands for
            a validation cost that was not computed.

        Raises
        ------
        TypeError, ValueError
            For what does not fit, before anything is added.

        """
        more = {"validation_cost": validation_cost, "reduction_seconds": reduction_seconds}
        present = {name: value for name, value in more.items() if value is not None}
        columns = _columns(cost, learning_rate=learning_rate, seconds=seconds, **present)
        before, after = self._epochs, self._epochs + columns["cost"].size
        if before == after:
            return
        for name in _OPTIONAL if before else ():
            if (name in present) != (name in self._present):
                raise ValueError(
                    f"{name} is {'given' if name in present else 'missing'}, but was not so for "
                    f"the {before} epochs before"
                )
        self._make_room(after)
        for name, values in columns.items():
            self._table[_COLUMNS.index(name), before:after] = values
        self._present = frozenset(present)
        self._epochs = after  # at last: whatever interrupts, the epochs counted are whole

    def to_dict(self) -> dict[str, Any]:
        """The history as lists of floats, ready for JSON.

        A cost that is infinite or NaN stays so, and Python's ``json`` writes and reads it.

        >>> history = History()
        >>> history.extend(0.5, learning_rate=0.1, seconds=0.25)
        >>> for name, values in history.to_dict().items():
        ...     print(name, values)
        cost [0.5]
        validation_cost []
        learning_rate [0.1]
        seconds [0.25]
        reduction_seconds []
        stopped None
        """
        return {
            "cost": self.cost.tolist(),
            "validation_cost": self.validation_cost.tolist(),
            "learning_rate": self.learning_rate.tolist(),
            "seconds": self.seconds.tolist(),
            "reduction_seconds": self.reduction_seconds.tolist(),
            "stopped": self.stopped,
        }

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw the costs over the epochs.

        The scale is logarithmic if all costs are positive. A learning rate that varies gets an axis
        of its own on the right. Costs that are infinite or NaN are left out.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, optional
            Where to draw; a new figure of pyplot if left out.

        Returns
        -------
        matplotlib.axes.Axes
            That with the costs.

        Raises
        ------
        ImportError
            If matplotlib is not installed.

        """
        if ax is None:
            ax = new_axes("History.plot")
        costs = {"cost": self.cost}
        if self.validation_cost.size:
            costs["validation cost"] = self.validation_cost
        lines = [_draw(ax, values, label) for label, values in costs.items()]
        shown = np.concatenate([line.get_ydata() for line in lines])
        ax.set_yscale("log" if shown.size and shown.min() > 0 else "linear")
        ax.set(xlabel="epoch", ylabel="cost")
        rate = self.learning_rate
        if rate.size and rate.min() < rate.max():
            right = ax.twinx()
            right.set_ylabel("learning rate")
            lines.append(_draw(right, rate, "learning rate", color="0.5", linestyle=":"))
        ax.legend(handles=lines)
        return ax

    def _column(self, name: str) -> Array:
        epochs = self._epochs if name in _ALWAYS or name in self._present else 0
        values = self._table[_COLUMNS.index(name), :epochs]
        values.flags.writeable = False
        return values

    def _make_room(self, epochs: int) -> None:
        room = self._table.shape[1]
        if epochs <= room:
            return
        larger = np.empty((len(_COLUMNS), max(epochs, 2 * room)))
        larger[:, : self._epochs] = self._table[:, : self._epochs]
        self._table = larger

    def __len__(self) -> int:
        return self._epochs

    def __getstate__(self) -> dict[str, Any]:
        """Without the room for more, so that copies neither share it nor keep it."""
        table = self._table[:, : self._epochs].copy()  # made now, where nobody has looked at it
        return {**self.__dict__, "_table": table}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Of an earlier version, too, which knew fewer columns."""
        state = dict(state)
        if state.pop("_validated", False):
            state["_present"] = frozenset({"validation_cost"})
        self.__dict__.update({"_present": _NONE, **state})
        table = np.empty((len(_COLUMNS), self._epochs))
        table[: len(self._table)] = self._table
        self._table = table

    def __repr__(self) -> str:
        epochs = f"{self._epochs} epoch{'s' if self._epochs != 1 else ''}"
        if not self._epochs:
            return f"History({epochs})"
        shown = f"{epochs}, cost {self.cost[-1]:.6g}, {duration(self.seconds.sum())}"
        if self.reduction_seconds.size:
            shown += f" with {duration(self.reduction_seconds.sum())} of reduction"
        return f"History({shown})"


def _columns(cost: npt.ArrayLike, **others: npt.ArrayLike) -> dict[str, Array]:
    """Costs of some epochs, and what else is given of them: as many numbers, or one for all."""
    costs = convert("cost", cost, np.dtype(np.float64))
    if costs.ndim > 1:
        raise ValueError(f"cost has shape {costs.shape}, expected a number or (epochs,)")
    columns = {"cost": costs}
    for name, value in others.items() if costs.size else ():
        array = convert(name, value, np.dtype(np.float64))
        if array.shape not in ((), (costs.size,)):
            raise ValueError(
                f"{name} has shape {array.shape}, expected a number or ({costs.size},), "
                "as many as cost"
            )
        columns[name] = array
    return columns


def _draw(ax: Axes, values: Array, label: str, **style: Any) -> Any:
    """A line over the epochs, from 1 on, of those values that are finite."""
    finite = np.isfinite(values)
    epochs = 1 + np.flatnonzero(finite)
    marker = "." if epochs.size == 1 else ""  # one point alone makes no line
    return ax.plot(epochs, values[finite], marker=marker, label=label, **style)[0]
