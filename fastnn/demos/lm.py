"""Levenberg-Marquardt beside Adam and L-BFGS on two curves, and error bars from the evidence."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from threadpoolctl import threadpool_limits

from .. import History, LinearLayer, MeanSquaredError, NeuralNetwork, TanhLayer, get_opt
from .._core.arrays import Array
from ..optimizers import LevenbergMarquardt
from .plots import BLUE, RED, new_figure

__all__ = ["run"]

_ITERATIONS = 600  # of Levenberg-Marquardt, at most
_STEPS, _LINES = 20, 3  # of Adam, and iterations of L-BFGS, for each


@dataclass(frozen=True)
class _Curve:
    """What is to be fitted: a curve on [-1, 1], and how well."""

    title: str
    hidden: int
    rows: int
    curve: Callable[[Array], Array]
    goal: float
    rate: float  # of Adam: the best of 1, 2, 5 times a power of ten

    def data(self) -> tuple[Array, Array]:
        x = np.linspace(-1.0, 1.0, self.rows)[:, np.newaxis]
        return x, self.curve(x)


def _network(hidden: int, seed: int, dtype: npt.DTypeLike) -> NeuralNetwork:
    rng = np.random.default_rng(seed)
    first = TanhLayer(1, hidden, dtype=dtype, rng=rng)
    return NeuralNetwork([first, LinearLayer(hidden, 1, dtype=dtype, rng=rng)], MeanSquaredError())


_CURVES = (
    _Curve("sin πx, 41 points, 1-5-1", 5, 41, lambda x: np.sin(np.pi * x), 0.002, 0.05),
    _Curve(
        "sin(10 x) / 10 x, 2000 points, 1-20-1", 20, 2000,
        lambda x: np.sinc(10 * x / np.pi), 3.3e-7, 0.02,
    ),
)  # fmt: skip


def _contest(task: _Curve, iterations: int, seed: int, dtype: npt.DTypeLike) -> dict[str, History]:
    """The trainings of the same network by three methods, on one thread."""
    x, t = task.data()
    methods: dict[str, tuple[Callable[[], Any], int]] = {
        "Adam": (lambda: get_opt("Adam", alpha=task.rate), _STEPS * iterations),
        "L-BFGS": (lambda: "L-BFGS", _LINES * iterations),
        "Levenberg-Marquardt": (LevenbergMarquardt, iterations),
    }
    found = {}
    for name, (method, epochs) in methods.items():
        for length in (1, epochs):  # the first one compiles
            nn = _network(task.hidden, seed, dtype)
            history = nn.fit(x, t, optimizer=method(), epochs=length, n_threads=1)
        history.extend(nn.cost(x, t), 1.0, 0.0)  # after the last epoch
        found[name] = history
    return found


def _report(task: _Curve, found: dict[str, History]) -> str:
    """Who comes to the goal, and when."""
    lines = [f"  {task.title}, to a mean squared error of {task.goal:g}"]
    for name, history in found.items():
        times, reached = np.cumsum(history.seconds), history.cost <= task.goal
        end = f"reached after {_time(times[reached.argmax() - 1])}, {reached.argmax()} epochs"
        if not reached.any():
            end = f"{history.cost.min():.2g} after {_time(times[-1])}, {len(history) - 1} epochs"
        lines.append(f"    {name:20} {end}")
    return "\n".join(lines)


def _time(seconds: float) -> str:
    return f"{seconds * 1e3:.3g} ms"


def _noisy(seed: int) -> tuple[Array, Array]:
    """Thirty observations of sin πx with noise of 0.1, none of them between -0.1 and 0.4."""
    rng = np.random.default_rng(seed)
    x = np.concatenate([rng.uniform(-1, -0.1, 18), rng.uniform(0.4, 1, 12)])[:, np.newaxis]
    return x, np.sin(np.pi * x) + 0.1 * rng.standard_normal(x.shape)


def _draw_costs(axes: Axes, task: _Curve, found: dict[str, History]) -> None:
    """Costs over the time, and where it is enough."""
    for (name, history), color in zip(found.items(), ("0.55", BLUE, RED), strict=True):
        times = 1e3 * np.cumsum(history.seconds)[:-1]
        least = np.minimum.accumulate(history.cost)  # Adam's jumps would hide the others
        axes.loglog(times, least[1:], color=color, label=name)
        axes.plot(times[-1:], least[-1:], "o", color=color, markersize=5)
    axes.axhline(task.goal, color="0.3", linestyle=":", linewidth=1)
    axes.annotate(
        f"goal {task.goal:g}", (0.99, task.goal), xycoords=("axes fraction", "data"), ha="right",
        va="bottom",
    )  # fmt: skip
    axes.set(xlabel="milliseconds", ylabel="least mean squared error so far", title=task.title)
    axes.grid(alpha=0.3)
    axes.legend(loc="lower left")


def _draw_error_bars(axes: Axes, nn: NeuralNetwork, x: Array, t: Array) -> None:
    """Observations, the curve behind them, and what the network says, with two deviations."""
    grid = np.linspace(-1.3, 1.3, 400)[:, np.newaxis]
    line = grid[:, 0]
    mean, std = (found[:, 0] for found in nn.predict(grid, return_std=True))
    axes.fill_between(
        line, mean - 2 * std, mean + 2 * std, color=BLUE, alpha=0.2, linewidth=0,
        label="± 2 standard deviations",
    )  # fmt: skip
    axes.plot(line, mean, color=BLUE, label="prediction")
    axes.plot(line, np.sin(np.pi * line), "--", color="0.3", label="true curve")
    axes.plot(x[:, 0], t[:, 0], ".", color=RED, markersize=7, label="observations")
    axes.set(xlabel="x", xlim=(-1.3, 1.3), ylim=(-2.4, 2.4))
    axes.legend(loc="upper left", fontsize=8)


def run(out: Path, iterations: int | None, seed: int, dtype: npt.DTypeLike) -> list[Path]:
    """Train, print who came how far, and draw it: see `fastnn.demos.run`."""
    iterations = _ITERATIONS if iterations is None else iterations
    print(f"lm: Levenberg-Marquardt beside Adam and L-BFGS, {np.dtype(dtype)}, seed {seed}")
    figure = new_figure(15, 4.6, 150)
    axes = figure.subplots(1, 3)
    with threadpool_limits(limits=1):
        for task, place in zip(_CURVES, axes, strict=False):
            found = _contest(task, iterations, seed, dtype)
            print(_report(task, found))
            _draw_costs(place, task, found)
        x, t = _noisy(seed)
        nn = _network(8, seed, dtype)
        nn.fit(x, t, optimizer=LevenbergMarquardt(bayesian=True), epochs=iterations)
    posterior = nn.posterior
    assert posterior
    noise = 1 / math.sqrt(posterior.beta)
    print(
        f"  evidence   noise {noise:.3f}, where it is 0.1; {posterior.gamma:.1f} of "
        f"{nn.parameters.size} parameters are determined by {len(x)} observations"
    )
    _draw_error_bars(axes[-1], nn, x, t)
    axes[-1].set_title(f"error bars from the evidence: noise {noise:.3f}")
    still = out / "lm.png"
    figure.savefig(still)
    return [still]
