"""Which pictures belong to which demo."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from .. import NeuralNetwork
from . import gif, ode, pde
from .plots import (
    BLUE,
    RED,
    CurvePlot,
    Plot,
    SurfacePlot,
    draw_bars,
    draw_costs,
    draw_density,
    draw_field,
    draw_inverse,
    draw_mixing,
    draw_phases,
    new_figure,
)
from .tasks import Task
from .training import Training

__all__ = ["draw", "draw_densities", "draw_paths", "draw_poisson"]

_FINE, _COARSE = 150, 100  # dots an inch of a still and of an animation
_PLOTS: dict[str, Callable[[Task, int], Plot]] = {"xor": SurfacePlot, "regression": CurvePlot}
_GRID = 4  # misclassified images a side, at most


def draw(task: Task, training: Training, out: Path) -> list[Path]:
    """Write the pictures of a finished training into `out`; returns their paths."""
    still = out / f"{task.name}.png"
    if task.name not in _PLOTS:
        _digits(task, training).savefig(still)
        return [still]
    plot = _PLOTS[task.name](task, _FINE)
    score = task.judge(task.network)[0]
    merit = f"accuracy {score:.3f}" if task.name == "xor" else f"RMS distance {score:.4f}"
    plot.show(task.network, f"after {training.steps:,} steps: {merit}")
    plot.figure.savefig(still)
    film = out / f"{task.name}.gif"
    gif.write(film, _PLOTS[task.name](task, _COARSE), task, training.snapshots)
    return [still, film]


def draw_paths(task: Task, race: ode.Race, out: Path) -> Path:
    """Write the picture of a learned equation of motion into `out`; returns its path."""
    nn, still = task.network, out / f"{task.name}.png"
    figure = new_figure(11, 4.6, _FINE)
    left, right = figure.subplots(1, 2, width_ratios=(1.25, 1))
    draw_phases(left, nn, [(ode.follow_truth(at), ode.follow(nn, at)) for at in ode.PATHS])
    left.set_title(f"a damped pendulum, RMS error of its law {task.judge(nn)[0]:.4f}")
    draw_bars(right, race.seconds)
    right.set_title(f"one thread, {nn.dtype}, medians of {race.rounds} rounds")
    figure.savefig(still)
    return still


def draw_densities(task: Task, fit: NeuralNetwork, out: Path) -> Path:
    """Write the picture of a mixture beside a least-squares fit into `out`; returns its path."""
    still = out / f"{task.name}.png"
    figure = new_figure(13, 4.4, _FINE)
    first, second, third = figure.subplots(1, 3, width_ratios=(1, 1.2, 1))
    draw_inverse(first, task, fit)
    first.set_title("least squares: the mean of all answers")
    draw_density(second, task)
    second.set_title("mixture density network: p(t | x)")
    draw_mixing(third, task.network)
    third.set_title("mixing coefficients")
    figure.savefig(still)
    return still


def draw_poisson(run: pde.Run, out: Path) -> Path:
    """Write the picture of a physics-informed network into `out`; returns its path."""
    still = out / "pde.png"
    found, wrong = pde.errors(run.network)
    figure = new_figure(13.5, 4.1, _FINE)
    first, second, third = figure.subplots(1, 3, width_ratios=(1, 1, 1.1))
    draw_field(first, found, "viridis", float(found.max()), "u")
    first.set_title(r"$\Delta u=-1$ on a square, $u=0$ on its edge")
    draw_field(second, wrong, "RdBu_r", float(np.abs(wrong).max()), "u - exact solution")
    second.set_title(f"error, {float(np.sqrt(np.mean(wrong**2))):.1e} RMS")
    draw_costs(third, run.costs, run.totals)
    third.set_title(f"{len(run.costs['fastnn']):,} steps of Adam, one thread")
    figure.savefig(still)
    return still


def _digits(task: Task, training: Training) -> Figure:
    """Learning curve, and the held-out images that the network takes for another digit."""
    figure = new_figure(10, 5, 120)
    left, right = figure.subfigures(1, 2, width_ratios=(1.15, 1), squeeze=False)[0]
    _learning_curve(left, task, training)
    _mistakes(right, task, task.network)
    return figure


def _learning_curve(figure: Figure, task: Task, training: Training) -> None:
    nn = copy.deepcopy(task.network)
    epochs = [moment.epoch for moment in training.snapshots]
    accuracy = []
    for moment in training.snapshots:
        nn.parameters = moment.parameters
        accuracy.append(task.judge(nn)[0])
    costs = figure.subplots()
    costs.set(
        xlabel="epoch",
        title=f"held-out accuracy {accuracy[-1]:.4f} at the end",
        xlim=(0, epochs[-1]),
    )
    costs.semilogy(epochs, [m.cost / len(task.X) for m in training.snapshots], color=BLUE)
    costs.set_ylabel("training cost per sample", color=BLUE)
    costs.grid(axis="x", alpha=0.3)
    scores = costs.twinx()
    scores.plot(epochs, accuracy, "--", color=RED)
    scores.set_ylim(0.8 if accuracy[-1] > 0.9 else 0, 1)  # a good one starts below the picture
    scores.set_ylabel("held-out accuracy", color=RED)


def _mistakes(figure: Figure, task: Task, nn: NeuralNetwork) -> None:
    assert task.held_out is not None
    images, truth = task.held_out[0], task.held_out[1].argmax(axis=1)
    predicted = nn(images).argmax(axis=1)
    wrong = np.flatnonzero(predicted != truth)
    shown = wrong[: _GRID**2]
    some = "" if len(shown) == len(wrong) else f", the first {len(shown)}"
    figure.suptitle(f"{len(wrong)} of {len(truth)} held-out images misclassified{some}")
    side = max(1, math.ceil(math.sqrt(len(shown))))
    tall = max(1, math.ceil(len(shown) / side))
    for index, axes in enumerate(figure.subplots(tall, side, squeeze=False).flat):
        axes.set_axis_off()
        if index < len(shown):
            k = shown[index]
            axes.imshow(images[k].reshape(8, 8), cmap="gray_r", vmin=0, vmax=1)
            axes.set_title(f"{truth[k]} taken for {predicted[k]}", fontsize=9)
