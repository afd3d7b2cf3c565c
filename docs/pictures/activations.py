"""Draws `activations.svg` from the kernels: ``python docs/pictures/activations.py``."""

from __future__ import annotations

from pathlib import Path

import matplotlib as mpl
import numpy as np

import fastnn
from fastnn.activations import ACTIVATIONS

mpl.use("Agg")
mpl.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": "fastnn", "font.size": 7})

PARAMETERS = {"threshold": {"threshold": 0.5, "value": -1.0}, "PReLU": {"alpha": 0.25}}
COLUMNS = 7


def main() -> None:
    """A panel for each activation of numbers: the function and its derivative."""
    from matplotlib import pyplot as plt

    specs = [spec for spec in ACTIVATIONS.values() if not spec.kind or spec.name == "PReLU"]
    lines = -(-len(specs) // COLUMNS)
    figure, axes = plt.subplots(lines, COLUMNS, figsize=(10, 1.45 * lines), sharex=True)
    x = np.linspace(-4, 4, 401)
    for panel, spec in zip(axes.flat, specs, strict=False):
        act = fastnn.get_act(spec.name, **PARAMETERS.get(spec.name, {}))
        panel.plot(x, act.forward(x), color="#1f5fa8", linewidth=1.4)
        panel.plot(x, act.backward(x), color="#d9822b", linewidth=0.9)
        panel.set_title(spec.name, fontsize=8, pad=2)
        panel.set_ylim(-2, 4)
        panel.grid(color="#dddddd", linewidth=0.4)
        panel.tick_params(length=0)
    for panel in axes.flat[len(specs) :]:
        panel.axis("off")
    axes.flat[0].plot([], [], color="#1f5fa8", label="function")
    axes.flat[0].plot([], [], color="#d9822b", label="derivative")
    figure.legend(loc="lower right", bbox_to_anchor=(0.98, 0.03), frameon=False, fontsize=9)
    figure.tight_layout(pad=0.4)
    figure.savefig(Path(__file__).with_suffix(".svg"), metadata={"Date": None})


if __name__ == "__main__":
    main()
