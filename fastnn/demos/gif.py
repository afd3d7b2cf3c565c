"""The animation of a training, one frame a snapshot."""

from __future__ import annotations

import copy
from pathlib import Path

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from PIL import Image

from .plots import Plot
from .tasks import Task
from .training import Snapshot

__all__ = ["write"]

_COLORS = 64
_FRAME, _FIRST, _LAST = 60, 600, 2500  # milliseconds a frame is seen


def write(path: Path, plot: Plot, task: Task, snapshots: list[Snapshot]) -> None:
    """Write the plot of every snapshot as an endless GIF."""
    canvas, network = FigureCanvasAgg(plot.figure), copy.deepcopy(task.network)
    images = []
    for moment in snapshots:
        network.parameters = moment.parameters
        plot.show(network, f"step {moment.step:,}, cost {moment.cost:.4g}")
        canvas.draw()  # type: ignore[no-untyped-call]
        # The layout of the first frame stays: finding one takes longer than drawing.
        plot.figure.set_layout_engine("none")
        pixels = np.asarray(canvas.buffer_rgba())  # type: ignore[no-untyped-call]
        images.append(Image.fromarray(pixels[..., :3].copy()))
    # One palette for all frames, of one that holds every colour: nothing flickers.
    palette = images[-1].quantize(_COLORS)
    frames = [image.quantize(palette=palette, dither=Image.Dither.NONE) for image in images]
    middle = [_FRAME] * (len(frames) - 2)
    frames[0].save(
        path,
        save_all=True,
        append_images=frames[1:],
        duration=[_FIRST, *middle, _LAST][-len(frames) :],
        loop=0,
        optimize=False,
    )
