"""Plots of networks with one or two inputs, some of which show every moment of a training."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import ScalarFormatter

from .. import MixtureDensityError, NeuralNetwork
from .._core.arrays import Array
from .tasks import Task, curve

__all__ = [
    "BLUE",
    "RED",
    "CurvePlot",
    "Plot",
    "SurfacePlot",
    "draw_bars",
    "draw_costs",
    "draw_density",
    "draw_field",
    "draw_inverse",
    "draw_mixing",
    "draw_phases",
    "new_figure",
]

# The article's blue and red, in shades that stay apart in every kind of colour blindness.
BLUE, RED = "#0a4fd0", "#d7261e"


class Plot(Protocol):
    """A figure that shows a network."""

    figure: Figure
    axes: Axes
    moving: list[Artist]  # what changes from frame to frame or lies above it, bottom up

    def show(self, network: NeuralNetwork, title: str) -> None:
        """Draw the network's outputs in place of those drawn before."""


def new_figure(width: float, height: float, dpi: int) -> Figure:
    """A figure outside pyplot, so that nobody else's figures are touched."""
    return Figure(figsize=(width, height), dpi=dpi, layout="constrained")


class SurfacePlot:
    """Decision surface of a network with two inputs and one probability, under its points."""

    def __init__(self, task: Task, dpi: int, cells: int = 100) -> None:
        self.figure = new_figure(5.4, 4.5, dpi)
        self.axes = self.figure.add_subplot()
        line = np.linspace(-1, 1, cells)
        self._grid = np.meshgrid(line, line)
        self._inputs = np.stack(self._grid, axis=-1).reshape(-1, 2)
        self._surface: list[Any] = []
        self._above: list[Artist] = [*self.axes.spines.values(), self.axes.title]
        for label, color in enumerate((BLUE, RED)):
            x, y = task.X[task.t[:, 0] == label].T
            points = self.axes.plot(x, y, "o", ms=3.2, color=color, mec="white", mew=0.3, zorder=3)
            self._above[:0] = points
        self.axes.set(xlim=(-1, 1), ylim=(-1, 1), xlabel="$x_1$", ylabel="$x_2$", aspect="equal")
        self.axes.set_xticks(np.linspace(-1, 1, 5))
        self.axes.set_yticks(np.linspace(-1, 1, 5))
        self._has_bar = False

    def show(self, network: NeuralNetwork, title: str) -> None:
        """Draw the surface of `network`, and the line where it is undecided."""
        for artist in self._surface:
            artist.remove()
        p = network(self._inputs).reshape(self._grid[0].shape)
        surface = self.axes.contourf(
            *self._grid, p, np.linspace(0, 1, 11), cmap="RdBu_r", alpha=0.6, zorder=1
        )
        self._surface = [surface]
        if p.min() < 0.5 < p.max():  # matplotlib warns of a line that is nowhere
            line = self.axes.contour(
                self._grid[0], self._grid[1], p, [0.5], colors="black", linewidths=1.2, zorder=2
            )
            self._surface.append(line)
        if not self._has_bar:
            self.figure.colorbar(surface, label="output of the network: probability of red")
            self._has_bar = True
        self.axes.set_title(title)
        self.moving = [*self._surface, *self._above]


class CurvePlot:
    """Fit of a network with one input and one output, with its observations."""

    def __init__(self, task: Task, dpi: int) -> None:
        self.figure = new_figure(5.6, 4.2, dpi)
        self.axes = self.figure.add_subplot()
        self._x = np.linspace(0, 1, 400)[:, np.newaxis]
        self.axes.plot(
            *(task.X[:, 0], task.t[:, 0]), "o", ms=5, mfc="none", mec=BLUE, alpha=0.6,
            label="observation",
        )  # fmt: skip
        label = r"$x+0.3\,\sin(2\pi x)$"
        self.axes.plot(self._x, curve(self._x), "--", color=BLUE, lw=1.6, label=label)
        (self._fit,) = self.axes.plot([], [], color=RED, lw=2.2, label="regression")
        self.axes.set(xlim=(-0.02, 1.02), ylim=(-0.4, 1.4), xlabel="x", ylabel="y")
        legend = self.axes.legend(loc="upper left")
        self.moving = [self._fit, legend, self.axes.title]

    def show(self, network: NeuralNetwork, title: str) -> None:
        """Draw the curve of `network`."""
        self._fit.set_data(self._x[:, 0], network(self._x)[:, 0])
        self.axes.set_title(title)


def draw_phases(axes: Axes, network: NeuralNetwork, paths: list[tuple[Array, Array]]) -> None:
    """The field that a network has learned, with pairs of paths: the true one, the learned one."""
    grid = np.meshgrid(np.linspace(-3.2, 3.2, 22), np.linspace(-2.4, 2.4, 17))
    slopes = network.predict(np.stack(grid, axis=-1).reshape(-1, 2)).T
    axes.quiver(*grid, *slopes, color="0.75", angles="xy", width=0.002, zorder=1)
    for k, (true, learned) in enumerate(paths):
        labels = (None, None) if k else ("true", "learned")
        axes.plot(*true.T, color=BLUE, lw=2.4, alpha=0.6, label=labels[0], zorder=2)
        axes.plot(*learned.T, "--", color=RED, lw=1.3, label=labels[1], zorder=3)
        axes.plot(*true[0], "o", color="black", ms=4, zorder=4)
    axes.set(xlabel="angle", ylabel="angular velocity", xlim=(-3.3, 3.3), ylim=(-2.5, 2.5))
    axes.legend(loc="upper right")


_GRID = np.linspace(0, 1, 301)
_SEEN = 0.1  # of the highest mode: what is worth a dot


def _draw_data(axes: Axes, task: Task, color: str, alpha: float) -> None:
    points = task.X[:, 0], task.t[:, 0]
    axes.plot(*points, "o", ms=3, mfc="none", mec=color, alpha=alpha, label="data", zorder=2)
    axes.set(xlim=(0, 1), ylim=(-0.05, 1.05), xlabel="x", ylabel="t")


def draw_inverse(axes: Axes, task: Task, fit: NeuralNetwork) -> None:
    """A least-squares fit through data of which one x has several t."""
    _draw_data(axes, task, BLUE, 0.55)
    axes.plot(curve(_GRID), _GRID, "--", color=BLUE, lw=1.4, label=r"$x=t+0.3\,\sin(2\pi t)$")
    y = fit.predict(_GRID[:, np.newaxis].astype(fit.dtype))
    axes.plot(_GRID, y[:, 0], color=RED, lw=2.2, label="least squares")
    axes.legend(loc="lower right", fontsize=9)


def draw_density(axes: Axes, task: Task) -> None:
    """The conditional density of a mixture density network, its modes, and the data."""
    nn, x = task.network, _GRID[:, np.newaxis].astype(task.network.dtype)
    cost: MixtureDensityError = nn.cost_function
    outputs, t = nn.predict(x), np.linspace(-0.05, 1.05, 331)
    density = cost.density(outputs[np.newaxis], t[:, np.newaxis, np.newaxis].astype(nn.dtype))
    most = float(np.quantile(density, 0.99))
    levels = np.linspace(0, most, 13)
    filled = axes.contourf(
        _GRID, t, np.minimum(density, most), levels, cmap="Greys", alpha=0.8, zorder=1
    )
    axes.figure.colorbar(filled, ax=axes, ticks=[], label="density, darker is more")
    _draw_data(axes, task, BLUE, 0.4)
    modes, best = cost.modes(outputs), cost.mode(outputs)[..., 0]
    height = cost.density(outputs[:, np.newaxis], modes)
    seen = height > _SEEN * height.max(axis=1, keepdims=True)
    others = np.repeat(_GRID, seen.sum(axis=1)), modes[seen, 0]
    axes.plot(*others, ".", ms=3.5, color="#e0a400", label="modes", zorder=3)
    axes.plot(_GRID, best, ".", ms=5, color=RED, label="most probable mode", zorder=4)
    axes.legend(loc="lower right", markerscale=2, fontsize=9)


def draw_mixing(axes: Axes, network: NeuralNetwork) -> None:
    """How much each component counts, over x."""
    cost: MixtureDensityError = network.cost_function
    outputs = network.predict(_GRID[:, np.newaxis].astype(network.dtype))
    mixing, means, _ = cost.split(outputs)
    order = np.argsort(means[_GRID.size // 2, :, 0])  # from below to above in the middle
    kinds = (BLUE, "-", "lower"), ("#5a5a5a", "--", "middle"), (RED, "-.", "upper")
    for k, (color, style, name) in zip(order, kinds, strict=True):
        axes.plot(_GRID, mixing[:, k], style, color=color, lw=2, label=name)
    axes.set(xlim=(0, 1), ylim=(-0.02, 1.13), xlabel="x", ylabel=r"$\pi_k(x)$")
    axes.grid(alpha=0.3)
    axes.legend(loc="upper center", ncols=3, fontsize=8)


def draw_bars(axes: Axes, seconds: dict[str, float]) -> None:
    """Times by name, from the shortest down."""
    names = sorted(seconds, key=seconds.__getitem__, reverse=True)
    values = [seconds[name] * 1e6 for name in names]
    bars = axes.barh(names, values, color=[BLUE] * (len(names) - 1) + [RED], height=0.6)
    axes.bar_label(bars, [f"{value:.3g} µs" for value in values], padding=4)
    axes.set_xlim(0, max(values) * 1.25)
    axes.set_xlabel("µs an evaluation of the right-hand side")
    axes.grid(axis="x", alpha=0.3)
    axes.set_axisbelow(True)


def draw_field(axes: Axes, values: Array, colors: str, largest: float, label: str) -> None:
    """Values on a grid of the unit square, with a bar of their colours; signed ones around 0."""
    signed = colors == "RdBu_r"
    levels = np.linspace(-largest if signed else 0.0, largest, 25)
    line = np.linspace(0, 1, len(values))
    shown = np.clip(values, levels[0], levels[-1])
    filled = axes.contourf(line, line, shown.T, levels, cmap=colors)
    filled.set_edgecolor("face")  # no hairlines between the levels
    if not signed:
        axes.contour(line, line, shown.T, levels[4::4], colors="white", linewidths=0.6, alpha=0.7)
    form = ScalarFormatter(useMathText=True)
    form.set_powerlimits((-2, 2))
    axes.figure.colorbar(filled, ax=axes, label=label, ticks=levels[::6], format=form)
    axes.set(xlabel="x", ylabel="y", aspect="equal", xticks=(0, 0.5, 1), yticks=(0, 0.5, 1))


def draw_costs(axes: Axes, costs: dict[str, list[float]], seconds: dict[str, float]) -> None:
    """Costs of steps over the seconds of each program's training, smoothed over fifty steps."""
    for k, name in enumerate(costs):
        color, found = (RED, BLUE)[k % 2], np.array(costs[name])
        times = seconds[name] * np.arange(1, found.size + 1) / found.size
        axes.semilogy(times, found, color=color, lw=0.5, alpha=0.25)
        width = min(50, found.size)
        smooth = np.exp(np.convolve(np.log(found), np.full(width, 1 / width), "valid"))
        label = f"{name}, {seconds[name]:.1f} s"
        axes.semilogy(times[width - 1 :], smooth, color=color, lw=2, label=label)
    axes.set(xlim=(0, None), xlabel="seconds, without compiling", ylabel=r"mean $(\Delta u+1)^2$")
    axes.grid(alpha=0.3)
    axes.legend(loc="upper right")
