"""The animation of a training, one frame a snapshot."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

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
    images, background = [], None
    for moment in snapshots:
        network.parameters = moment.parameters
        plot.show(network, f"step {moment.step:,}, cost {moment.cost:.4g}")
        if background is None:
            background = _background(canvas, plot)
        canvas.restore_region(background)  # type: ignore[no-untyped-call]
        for artist in plot.moving:
            plot.axes.draw_artist(artist)
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


def _background(canvas: FigureCanvasAgg, plot: Plot) -> Any:
    """What is the same in all frames: drawing ticks and labels anew would double the time."""
    for artist in plot.moving:
        artist.set_animated(True)  # leaves it out of the figure's own drawing
    canvas.draw()  # type: ignore[no-untyped-call]
    return canvas.copy_from_bbox(plot.figure.bbox)  # type: ignore[no-untyped-call]
