"""Small pictures for the site, one for each row of a table, and the lines that show them."""

from __future__ import annotations

import io
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import convergence
import matplotlib as mpl
import numpy as np
import numpy.typing as npt

import fastnn
from fastnn.activations import ACTIVATIONS
from fastnn.optimizers import RULES

mpl.use("svg")
mpl.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": "fastnn", "font.size": 7})

from matplotlib import pyplot as plt  # noqa: E402

FOLDER = Path(__file__).parent / "_pictures"  # written by the build

Array = npt.NDArray[np.float64]

# Where the defaults hide what the parameters do, or there are none.
PARAMETERS: dict[str, dict[str, Any]] = {
    "threshold": {"threshold": 0.5, "value": -1.0},
    "maxout": {"n_prev": 1, "n": 1, "k": 2},
}
OF_WHAT = {"maxout": "of x and −x", "GLU": "of (1, x)"}


def curves(name: str, x: Array) -> tuple[Array, Array, Array]:
    """An activation, its first and its second derivative, as functions of one number.

    Where it acts on several: of the first of two, beside a zero.
    """
    act: Any = fastnn.get_act(name, **PARAMETERS.get(name, {}))
    kind = ACTIVATIONS[name].kind
    if name == "maxout":
        act.w, act.b = np.array([[1.0, -1.0]]), np.zeros(2)
        samples = x[:, np.newaxis]
        found = act.forward(samples), act.vjp(np.ones_like(samples), samples), act.d2y(samples)
        return found[0][:, 0], found[1][:, 0], found[2][:, 0]
    if name == "GLU":
        samples = np.stack([np.ones_like(x), x], axis=1)
        return act.forward(samples)[:, 0], act.backward(samples)[:, 1], act.d2y(samples)[:, 1]
    if kind and not kind.trained:
        samples = np.stack([x, np.zeros_like(x)], axis=1)
        return act.forward(samples)[:, 0], act.backward(samples)[:, 0], act.d2y(samples)[:, 0]
    return act.forward(x), act.backward(x), act.d2y(x)


def _right_end(name: str) -> float:
    """Up to which x to draw: 4, or 8 where a slope at 4 has become another by then, as of ReLU6."""
    slopes = curves(name, np.array([4.0, 8.0]))[1]
    return 8.0 if abs(slopes[0]) > 0.1 and abs(slopes[1]) < abs(slopes[0]) / 2 else 4.0


def activation(name: str) -> str:
    """Draw one activation; returns what it is a function of, if not of x alone."""
    end = _right_end(name)
    x = np.linspace(-4, end, 401)
    figure, axes = plt.subplots(figsize=(2.2, 1.6))
    for line, color, width in zip(
        curves(name, x), ("#1f5fa8", "#d9822b", "#7a9e4b"), (1.6, 1.1, 0.8), strict=True
    ):
        axes.plot(x, line, color=color, linewidth=width)
    axes.set(xlim=(-4, end), ylim=(-2.1, max(4, 0.8 * end)))
    _save(figure, axes, f"activation-{name}")
    alone = not ACTIVATIONS[name].kind or name == "PReLU"
    return OF_WHAT.get(name, "" if alone else "of (x, 0)")


def rule(name: str) -> str:
    """Draw a rule's way down Rosenbrock's valley; returns its learning rate and its steps."""
    points, count = convergence.way(name)
    figure, axes = plt.subplots(figsize=(2.2, 1.6))
    axes.plot(*points.T, color="#1f5fa8", linewidth=1.0)
    axes.plot(*points[-1], "o", color="#d9822b", markersize=3.5)
    convergence.valley(axes)
    _save(figure, axes, f"rule-{name}")
    rate = convergence.RATES[name][list(convergence.MAKERS).index("Rosenbrock")]
    steps = f"{count} steps" if count is not None else "not yet there"
    return f"\\\nrate {rate:g}, {steps}"


def _save(figure: Any, axes: Any, name: str) -> None:
    """Write a picture, where it has changed: Sphinx copies what is newer."""
    axes.grid(color="#e4e4e4", linewidth=0.4)
    axes.tick_params(length=0)
    for spine in axes.spines.values():
        spine.set_color("#bbbbbb")
    figure.tight_layout(pad=0.3)
    drawn = io.StringIO()
    figure.savefig(drawn, format="svg", metadata={"Date": None, "Creator": None})
    plt.close(figure)
    path = FOLDER / f"{name}.svg"
    if not path.exists() or path.read_text(encoding="utf-8") != drawn.getvalue():
        FOLDER.mkdir(exist_ok=True)
        new = path.with_suffix(f".{os.getpid()}")  # another build may be reading the old one
        new.write_text(drawn.getvalue(), encoding="utf-8")
        new.replace(path)


def shown(kind: str, names: list[str], draw: Callable[[str], str], words: str) -> list[str]:
    """Lines that show a picture of each."""
    lines = ["", ":::::{container} gallery"]
    for name in names:
        below = draw(name)
        lines += [f":::{{figure}} _pictures/{kind}-{name}.svg", f":alt: {name}: {words}", ""]
        lines += [f"**{name}** {below}".rstrip(), ":::", ""]
    return [*lines, ":::::", ""]


def activations() -> list[str]:
    """All activations, drawn by the kernels."""
    words = "the function, its derivative and its second derivative"
    return [
        'Each as a function of x, with <span class="first">the function</span>, '
        '<span class="second">its derivative</span> and <span class="third">its second '
        "derivative</span>; parameters at their defaults, except for threshold (0.5 and −1).",
        *shown("activation", list(ACTIVATIONS), activation, words),
    ]


def rules() -> list[str]:
    """The ways of all rules down Rosenbrock's valley."""
    return shown("rule", list(RULES), rule, "its way down Rosenbrock's valley")
