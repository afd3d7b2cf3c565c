"""A search for the learning rate: trained for some steps, each with a larger one."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt

from .._core.arrays import Array, count, positive
from .._core.plots import new_axes
from .._core.random import RNG, uniform_source
from ..callbacks import TerminateOnNaN
from ..history import History
from ..model.data import finite_samples, sample_weights
from ..model.snapshot import snapshot
from ..model.stack import Stack
from ..optimizers import Optimizer
from ..optimizers.classes import resolve
from .fit import fit
from .settings import Settings

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["RateSearch", "find_learning_rate"]

_TOO_HIGH = 3  # times as far above the first costs as is usual: it goes nowhere
_NOISE = 5.0  # standard deviations of the smoothed cost that mere noise seldom falls


class RateSearch(NamedTuple):
    """What a search for the learning rate has seen.

    Attributes
    ----------
    rates : array (steps,)
        Learning rates that were tried.
    costs : array (steps,)
        Cost of each step's samples, before its step was taken.
    smoothed : array (steps,)
        Their means, with those of the steps around.
    suggestion : float or None
        The rate where the smoothed cost falls most steeply; None if it falls no further than its
        noise does: larger batches have less.
    stopped : str or None
        Why larger rates were not tried.

    """

    rates: Array
    costs: Array
    smoothed: Array
    suggestion: float | None
    stopped: str | None

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw the costs over the learning rates, and mark the suggestion.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, optional
            Where to draw; a new figure of pyplot if left out.

        Returns
        -------
        matplotlib.axes.Axes

        Raises
        ------
        ImportError
            If matplotlib is not installed.

        """
        if ax is None:
            ax = new_axes("RateSearch.plot")
        ax.plot(self.rates, self.costs, color="0.75", label="cost")
        ax.plot(self.rates, self.smoothed, label="smoothed")
        if self.suggestion is not None:
            label = f"suggestion {self.suggestion:.3g}"
            ax.axvline(self.suggestion, color="0.5", linestyle=":", label=label)
        low, first = self.costs.min(), self.smoothed[0]
        room = 0.1 * (first - low or 1.0)
        ax.set_ylim(low - room, first + 5 * room)
        ax.set(xscale="log", xlabel="learning rate", ylabel="cost")
        ax.legend()
        return ax

    def __repr__(self) -> str:
        found = "None" if self.suggestion is None else f"{self.suggestion:.3g}"
        ends = f"{self.rates[0]:.3g} to {self.rates[-1]:.3g}"
        return f"RateSearch(suggestion={found}, {self.rates.size} rates from {ends})"


def find_learning_rate(
    network: Stack,
    X: npt.ArrayLike,
    t: npt.ArrayLike,
    *,
    optimizer: Optimizer | str | None = None,
    lowest: float = 1e-6,
    highest: float = 10.0,
    steps: int = 100,
    batch_size: int | None = None,
    sample_weight: npt.ArrayLike | None = None,
    class_weight: Any = None,
    rng: RNG = None,
    n_threads: int | None = None,
) -> RateSearch:
    """Try learning rates that grow from step to step, on a copy of the network.

    The k-th of n steps has the rate lowest (highest / lowest)^(k / (n - 1)), k from 0 on. While it
    is too small the cost stays, then it falls, and in the end it rises: the search ends there. What
    is suggested is the rate where the cost, smoothed, falls most steeply. Network and optimizer
    stay as they are.

    Parameters
    ----------
    network : NeuralNetwork
    X, t, sample_weight, class_weight, n_threads
        As of `NeuralNetwork.fit`.
    optimizer : Optimizer or str, optional
        Whose rate is sought. Default: that of the last `fit`; of a network that has none, plain
        gradient descent.
    lowest, highest : float
        The first and the last rate, above 0.
    steps : int
        Rates, at least 2.
    batch_size : int, optional
        Samples a step, drawn anew whenever all were seen; all of them if left out.
    rng : None, int, numpy.random.Generator or RandomState
        Source of the batches and of dropout; None takes the global ``np.random``.

    Returns
    -------
    RateSearch

    Raises
    ------
    TypeError, ValueError
        For arguments that do not fit, and ValueError if even the first step leaves the finite
        numbers.

    References
    ----------
    L. N. Smith, "Cyclical learning rates for training neural networks", WACV 2017, section 3.3.

    Examples
    --------
    >>> from fastnn import LinearLayer, NeuralNetwork, SumSquaresError, TanhLayer
    >>> x = np.linspace(-1, 1, 50)[:, np.newaxis]
    >>> nn = NeuralNetwork([TanhLayer(1, 6, rng=0), LinearLayer(6, 1, rng=1)], SumSquaresError())
    >>> found = find_learning_rate(nn, x, np.sin(3 * x), optimizer="Adam")
    >>> 0.001 < found.suggestion < 1.0
    True

    """
    if not isinstance(network, Stack):
        raise TypeError(f"network must be a NeuralNetwork, not {type(network).__name__}")
    rates = _rates(lowest, highest, count("steps", steps, least=2))
    now, source = snapshot(network), uniform_source(rng)
    x, targets = finite_samples(now.layers, now.cost_function, X, t)
    weights = sample_weights(sample_weight, class_weight, targets)
    batch = len(x) if batch_size is None else count("batch_size", batch_size, least=1)
    opt = network.optimizer if optimizer is None else resolve(optimizer, network.optimizer)
    twin, own = copy.deepcopy(network), copy.deepcopy(opt)
    _share_penalties(twin, min(1.0, batch / len(x)))
    numbers = np.random.default_rng(int(source.uniform() * 2**53))
    draws = _batches(len(x), min(batch, len(x)), numbers)

    def step(rate: float) -> History:
        rows = next(draws)
        some = weights[rows] if weights.size else None
        settings = Settings(
            rate, own, shuffle=False, sample_weight=some, callbacks=TerminateOnNaN(), rng=numbers,
            n_threads=n_threads,
        )  # fmt: skip
        return fit(twin, x[rows], targets[rows], settings.checked())

    costs, stopped = _costs(step, rates)
    if not costs:
        raise ValueError(f"even the first step cannot be taken, {stopped}; give a smaller lowest")
    return _found(rates[: len(costs)], np.array(costs), steps, stopped)


def _costs(step: Callable[[float], History], rates: Array) -> tuple[list[float], str | None]:
    """The cost of each step, until they are over or there is a reason to stop."""
    costs: list[float] = []
    for rate in rates.tolist():
        history = step(rate)
        if history.stopped is not None:
            return costs, f"at the rate {rate:.3g}: {history.stopped}"
        costs.append(float(history.cost[-1]))
        if _is_lost(costs, rates.size):
            return costs, f"at the rate {rate:.3g} the cost has risen far above the first ones"
    return costs, None


def _rates(lowest: float, highest: float, steps: int) -> Array:
    first, last = positive("lowest", lowest), positive("highest", highest)
    if not first < last:
        raise ValueError(f"highest must be above lowest, {first!r}, but is {last!r}")
    return np.geomspace(first, last, steps)


def _share_penalties(network: Stack, share: float) -> None:
    """Give each step its share of the penalties, as mini-batches of one training have it."""
    if getattr(network.cost_function, "reduction", "sum") == "sum":
        for layer in network.layers:
            for name in ("l1", "l2"):
                if getattr(layer, name, 0.0):
                    setattr(layer, name, share * getattr(layer, name))


def _batches(rows: int, batch: int, numbers: np.random.Generator) -> Iterator[Any]:
    """Samples of one step after the other, without an end."""
    while True:
        order = numbers.permutation(rows) if batch < rows else np.arange(rows)
        for begin in range(0, rows - batch + 1, batch):
            yield order[begin : begin + batch]


def _is_lost(costs: list[float], steps: int) -> bool:
    """Whether the last costs lie so far above the first that larger rates tell nothing."""
    first = max(2, steps // 10)
    if len(costs) <= first:
        return False
    begin, recent = np.array(costs[:first]), np.mean(costs[-_width(steps) :])
    level = float(begin.mean())
    size = max(level - min(costs), begin.std(), abs(level) / 2)  # of falls, noise and cost itself
    return bool(recent > level + _TOO_HIGH * size)


def _width(steps: int) -> int:
    return 1 + steps // 20


def _found(rates: Array, costs: Array, steps: int, stopped: str | None) -> RateSearch:
    """Smooth the costs and look where they fall most steeply before they are least."""
    width = _width(steps)
    kernel = np.bartlett(2 * width + 1)
    padded = np.convolve(costs, kernel)[width : width + costs.size]
    smoothed = padded / np.convolve(np.ones(costs.size), kernel)[width : width + costs.size]
    least = int(smoothed.argmin())
    falling = np.diff(smoothed[: 1 + least])
    noise = np.sqrt(kernel @ kernel) / kernel.sum() * _noise(costs[: max(1 + least, 2 * width)])
    falls = least > 0 and smoothed[:least].max() - smoothed[least] > _NOISE * noise
    suggestion = float(rates[falling.argmin()]) if falls else None
    return RateSearch(rates, costs, smoothed, suggestion, stopped)


def _noise(costs: Array) -> float:
    """Standard deviation of what differs from one cost to the next without a trend."""
    return float(np.std(np.diff(costs, 2)) / np.sqrt(6.0)) if costs.size > 2 else 0.0
