"""Writes the table of `optimizers.md` and its picture: ``python docs/convergence.py``.

Every rule goes down an ill-conditioned quadratic, Rosenbrock's valley and the XOR task, from given
settings, by its reference in `fastnn/reference/optimizers`. ``--tune`` looks for learning rates.
"""

from __future__ import annotations

import datetime
import functools
import platform
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from tables import filled

import fastnn
from fastnn import info
from fastnn.optimizers.table import LBFGS
from fastnn.reference import ReferenceOptimizer
from fastnn.reference.optimizers import DEFAULTS, RULES
from fastnn.training import lbfgs

PAGE = Path(__file__).parent / "optimizers.md"
PICTURE = Path(__file__).parent / "pictures" / "rosenbrock.svg"

Array = npt.NDArray[np.float64]
Function = Callable[[Array], tuple[float, Array]]
Step = Callable[[Array, Array, float], Array]

STAY = 100  # steps that a cost must stay low for


@dataclass(frozen=True)
class Task:
    """A function that gives cost and gradient, where it begins, and what counts as converged."""

    function: Function
    start: Array
    enough: float
    limit: int


def quadratic() -> Task:
    """½ Σ λ y², λ = 1, 10, 100, where y are turned coordinates of p − 1."""
    turn = np.linalg.qr(np.random.default_rng(1).standard_normal((3, 3)))[0]
    matrix = turn @ np.diag([1.0, 10.0, 100.0]) @ turn.T

    def function(p: Array) -> tuple[float, Array]:
        slope = matrix @ (p - 1)
        return float((p - 1) @ slope) / 2, slope

    return Task(function, 1 + turn @ np.array([3.0, 1.0, 1.0]), 1e-3, 3000)


def rosenbrock() -> Task:
    """(1 − x)² + 100 (y − x²)², from (−1.2, 1)."""

    def function(p: Array) -> tuple[float, Array]:
        x, y = p
        beside = y - x * x
        slope = np.array([-2 * (1 - x) - 400 * x * beside, 200 * beside])
        return float((1 - x) ** 2 + 100 * beside**2), slope

    return Task(function, np.array([-1.2, 1.0]), 0.01, 10_000)


def xor() -> Task:
    """Four samples, 2-4-1 tanh, sum of the sigmoid cross-entropies."""
    samples = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], np.float64)
    targets = np.array([[0], [1], [1], [0]], np.float64)
    layers = [fastnn.TanhLayer(2, 4, rng=3), fastnn.LinearLayer(4, 1, rng=4)]
    network = fastnn.NeuralNetwork(layers, fastnn.SigmoidCrossEntropy())

    def function(p: Array) -> tuple[float, Array]:
        if not np.isfinite(p).all():  # which the network refuses
            return np.inf, p
        network.parameters[...] = p
        return network.cost(samples, targets), network.gradient(samples, targets)[0]

    return Task(function, network.parameters.copy(), 0.05, 3000)


MAKERS = {"quadratic": quadratic, "Rosenbrock": rosenbrock, "XOR": xor}


@functools.cache
def tasks() -> dict[str, Task]:
    """All of them, by name."""
    return {name: make() for name, make in MAKERS.items()}


# What is given beside the learning rate: the papers' momentum, and numbers for problems that have
# no mini-batches and end after some thousand steps; decay would move the minimum.
SETTINGS: dict[str, dict[str, Any]] = {
    "RMSpropGraves": {"momentum": 0.9},
    "AdamW": {"weight_decay": 0.0},
    "NadamW": {"weight_decay": 0.0},
    "SantaE": {"N": 1, "burnin": 20},
    "SantaSSS": {"N": 1, "burnin": 20},
}

# The best of 1, 2, 5 times a power of ten, in the order of `MAKERS`.
RATES: dict[str, tuple[float, float, float]] = {
    "SGD": (0.01, 0.002, 1.0),
    "MSGD": (0.1, 0.02, 10.0),
    "NAG": (0.1, 0.01, 5.0),
    "AdaGrad": (1.0, 0.2, 0.5),
    "RMSprop": (0.02, 0.005, 0.05),
    "AdaDelta": (0.2, 0.05, 100.0),
    "Adam": (1.0, 0.2, 1.0),
    "RMSpropGraves": (0.002, 0.005, 0.05),
    "SMORMS3": (0.1, 0.02, 0.2),
    "AdaMax": (1.0, 0.2, 2.0),
    "Nadam": (1.0, 0.2, 0.5),
    "Eve": (1.0, 0.2, 0.5),
    "SantaE": (0.002, 0.002, 0.0001),
    "SantaSSS": (0.0005, 0.001, 0.005),
    "AMSGrad": (0.5, 0.1, 0.5),
    "AdaBound": (0.5, 0.1, 0.1),
    "AMSBound": (0.5, 0.1, 0.1),
    "AdamW": (1.0, 0.2, 0.5),
    "NadamW": (1.0, 0.1, 0.5),
    "RAdam": (0.02, 0.002, 2.0),
    "Lion": (0.002, 0.002, 0.2),
    "AdaBelief": (0.5, 0.2, 0.5),
    "Rprop": (0.05, 0.002, 0.5),
}


def settings_of(name: str, rate: float) -> dict[str, Any]:
    """Everything that differs from the defaults, AdaBound's last learning rate among it."""
    found = {next(iter(DEFAULTS[name])): rate, **SETTINGS.get(name, {})}
    return {**found, "eta": rate} if name in ("AdaBound", "AMSBound") else found


def reference(name: str, settings: dict[str, Any], size: int) -> Step:
    """A step of the reference, from parameters, gradient and cost to parameters."""
    optimizer, rng = ReferenceOptimizer.named(name, **settings), np.random.default_rng(0)
    if name == "Eve":
        return lambda p, g, cost: optimizer.step(p, g, f=cost)
    if not name.startswith("Santa"):
        return lambda p, g, cost: optimizer.step(p, g)
    optimizer.state["u"] = settings["eta"] ** 0.5 * rng.standard_normal(size)
    return lambda p, g, cost: optimizer.step(p, g, noise=rng.standard_normal(size))


def walk(task: Task, step: Step) -> Iterator[tuple[float, Array]]:
    """Cost and parameters, at the start and after each step."""
    p = task.start.copy()
    for _ in range(task.limit + 1):
        cost, gradient = task.function(p)
        yield cost, p
        p = step(p, gradient, cost)


def converged(task: Task, step: Step) -> tuple[int | None, float]:
    """The step from which the cost stays low, and the cost after it has stayed; None: never.

    Nor where it has been above twice the cost at the start.
    """
    since, highest = None, 2 * task.function(task.start)[0]
    with np.errstate(all="ignore"):  # of learning rates that are tried out
        for t, (cost, _) in enumerate(walk(task, step)):
            if not cost <= highest:
                return None, cost
            since = (t if since is None else since) if cost <= task.enough else None
            if since is not None and t >= since + STAY:
                return since, cost
    return None, cost


class Given(lbfgs.Objective):
    """A task's function in place of a network's cost."""

    is_compiled = False

    def __init__(self, task: Task) -> None:
        self.function, self.theta, self.pinned = task.function, task.start.copy(), None
        self.grad = np.zeros_like(self.theta)

    def _compute(self) -> float:
        cost, self.grad[...] = self.function(self.theta)
        return cost


def by_curvature(task: Task) -> tuple[int | None, float]:
    """The same of L-BFGS as `fit` runs it, whose steps are iterations."""
    descent = lbfgs.Descent(Given(task), task.limit, lbfgs.Options())
    costs = descent.iterate(task.limit).costs
    high = [t for t, cost in enumerate(costs) if not cost <= task.enough]
    count = high[-1] + 1 if high else 0
    return (count, costs[min(count + STAY, len(costs) - 1)]) if count < len(costs) else (
        None, costs[-1]
    )  # fmt: skip


def tuned(name: str) -> tuple[float, ...]:
    """The learning rates of fewest steps."""
    tried = [digit * 10.0**power for power in range(-4, 3) for digit in (1, 2, 5)]
    best = []
    for task in tasks().values():
        counted = {}
        for rate in tried:
            step = reference(name, settings_of(name, rate), task.start.size)
            count, cost = converged(task, step)
            counted[rate] = task.limit + 1 if count is None else count, cost
        best.append(min(counted, key=counted.__getitem__))
    return tuple(float(f"{rate:g}") for rate in best)


def table() -> list[str]:
    """A line for each rule."""
    heads = [f"{name}: rate | steps | cost" for name in MAKERS]
    lines = [f"| | {' | '.join(heads)} |", "|---|" + "--:|--:|--:|" * len(heads)]
    for name in RULES:
        cells = [f"`{name}`"]
        for rate, task in zip(RATES[name], tasks().values(), strict=True):
            step = reference(name, settings_of(name, rate), task.start.size)
            count, cost = converged(task, step)
            cells += [f"{rate:g}", "–" if count is None else str(count), f"{cost:.1e}"]
        lines.append(f"| {' | '.join(cells)} |")
    today = datetime.datetime.now(datetime.UTC).date()
    made = f"`python docs/convergence.py`, {today}, fastnn {fastnn.__version__}"
    machine = f"{info.cpu_name()}, Python {platform.python_version()}, NumPy {np.__version__}"
    return [*lines, line_of_lbfgs(), "", f"{made}, {machine}."]


def line_of_lbfgs() -> str:
    """Its line, which has no rates."""
    cells = [f"`{LBFGS}`"]
    for task in tasks().values():
        count, cost = by_curvature(task)
        cells += ["", "–" if count is None else str(count), f"{cost:.1e}"]
    return f"| {' | '.join(cells)} |"


PANELS = {
    "one size for all": ("SGD", "MSGD", "NAG", "Lion", "Rprop"),
    "scaled by squares": ("AdaGrad", "RMSprop", "AdaDelta", "RMSpropGraves", "SMORMS3"),
    "Adam and its kin": ("Adam", "AdaMax", "Nadam", "Eve", "RAdam", "AdaBelief"),
    "bounded, and with noise": ("AMSGrad", "AdaBound", "AMSBound", "SantaE", "SantaSSS"),
}


def way(name: str) -> tuple[Array, int | None]:
    """A rule's way down Rosenbrock's valley, and the steps until it has converged; None: never."""
    task, rate = tasks()["Rosenbrock"], RATES[name][list(MAKERS).index("Rosenbrock")]
    count, _ = converged(task, reference(name, settings_of(name, rate), 2))
    step = reference(name, settings_of(name, rate), 2)
    points = [p for _, p in islice(walk(task, step), (count or task.limit) + 1)]
    return np.array(_thinned(points)), count


def valley(panel: Any) -> None:
    """Rosenbrock's valley, where ways down it begin, and the minimum."""
    x, y = np.meshgrid(np.linspace(-1.8, 1.6, 171), np.linspace(-0.7, 1.9, 131))
    heights = np.log10(1e-2 + (1 - x) ** 2 + 100 * (y - x * x) ** 2)
    panel.contour(x, y, heights, levels=12, colors="#cccccc", linewidths=0.4, zorder=0)
    panel.plot(*tasks()["Rosenbrock"].start, "o", color="#333333", markersize=3, zorder=3)
    panel.plot(1, 1, "*", color="#333333", markersize=6, zorder=3)
    panel.set(xlim=(-1.8, 1.6), ylim=(-0.7, 1.9))
    panel.tick_params(length=0)


def draw() -> None:
    """The ways down Rosenbrock's valley, until they are converged."""
    import matplotlib as mpl

    mpl.use("Agg")
    mpl.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": "fastnn", "font.size": 7})
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(2, 2, figsize=(9, 6.4), sharex=True, sharey=True)
    for panel, (title, names) in zip(axes.flat, PANELS.items(), strict=True):
        for k, name in enumerate(names):
            points, count = way(name)
            rate = RATES[name][list(MAKERS).index("Rosenbrock")]
            label = f"{name}, {rate:g}: {'not yet' if count is None else count}"
            # thin ones over thick ones: in the valley all go the same way
            panel.plot(*points.T, linewidth=3.2 - 0.5 * k, label=label, marker="o", markevery=[-1],
                       markersize=4)  # fmt: skip
        valley(panel)
        panel.set(title=title)
        panel.legend(loc="upper center", frameon=False, title="rule, rate: steps")
    figure.tight_layout(pad=0.4)
    figure.savefig(PICTURE, metadata={"Date": None})


def _thinned(points: list[Array], least: float = 0.01) -> list[Array]:
    """Points that are so far from the one before; the last one too."""
    found = points[:1]
    for point in points:
        if np.abs(point - found[-1]).max() >= least:
            found.append(point)
    return [*found, points[-1]]


TABLES = {"convergence": table}


def main() -> None:
    """Write page and picture, or print learning rates."""
    if "--tune" in sys.argv:
        for name in sys.argv[2:] or RULES:
            sys.stdout.write(f'    "{name}": {tuned(name)},\n')
            sys.stdout.flush()
        return
    PAGE.write_text(filled(PAGE.read_text(encoding="utf-8"), TABLES), encoding="utf-8")
    draw()
    sys.stdout.write(f"{PAGE.name}: {len(RULES)} rules; {PICTURE.name}\n")


if __name__ == "__main__":
    main()
