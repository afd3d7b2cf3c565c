"""Draw the pictures of ``docs/engine.md``, beside this file or into the folder that is given.

The same matplotlib writes the same bytes: no dates, fixed names inside the files, text as outlines.
"""

import io
import sys
from pathlib import Path

import matplotlib as mpl

mpl.use("svg")
mpl.rcParams.update(
    {"svg.hashsalt": "fastnn", "svg.fonttype": "path", "font.family": "DejaVu Sans"}
)

import matplotlib.pyplot as plt  # noqa: E402
from matplotlib.patches import Circle, FancyArrowPatch, Rectangle  # noqa: E402

# The same thing has the same colour in all pictures.
SAMPLES, ACTIVITY, ERROR = "#cfe2f7", "#d5edd0", "#fbd9bb"
GRADIENT, PARAMETERS, NUMBERS, EMPTY = "#faedb0", "#e3d7f3", "#eeeeee", "#ffffff"
INK, SOFT, MEET = "#222222", "#666666", "#c0272d"
WIDTH, SCALE = 84, 10  # units of a picture's width, and units in an inch


def sheet(height):
    """Axes of WIDTH × height units, with y downwards, on white."""
    figure = plt.figure(figsize=(WIDTH / SCALE, height / SCALE), facecolor="white")
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set(xlim=(0, WIDTH), ylim=(height, 0))
    axes.axis("off")
    return figure, axes


def text(axes, x, y, words, size=9, color=INK, ha="center", **more):
    """Words around (or beside) a point."""
    axes.text(x, y, words, size=size, color=color, ha=ha, va="center", linespacing=1.35, **more)


def box(axes, x, y, width, height, words="", color=EMPTY, size=9, **more):
    """A rectangle with words in it; returns its middle."""
    style = {"edgecolor": INK, "linewidth": 0.9} | more
    axes.add_patch(Rectangle((x, y), width, height, facecolor=color, **style))
    text(axes, x + width / 2, y + height / 2, words, size)
    return x + width / 2, y + height / 2


def arrow(axes, start, end, color=INK, **more):
    """An arrow from point to point."""
    axes.add_patch(
        FancyArrowPatch(
            start,
            end,
            arrowstyle="-|>",
            mutation_scale=10,
            color=color,
            shrinkA=0,
            shrinkB=0,
            linewidth=1.1,
            **more,
        )
    )


def line(axes, *points, color=INK, width=1.1, **more):
    """Straight lines through points."""
    axes.plot(*zip(*points, strict=True), color=color, linewidth=width, **more)


def number(axes, x, y, n):
    """A number in a disc: a stage of the step."""
    axes.add_patch(Circle((x, y), 1.25, facecolor=INK, edgecolor="none", zorder=5))
    text(axes, x, y, str(n), 8, "white", weight="bold", zorder=6)


def brace(axes, x, top, bottom, words, side=-1):
    """A bracket beside a stretch of rows, on the left (-1) or the right (1), with words."""
    line(axes, (x - side, top), (x, top), (x, bottom), (x - side, bottom), color=SOFT)
    text(axes, x + side, (top + bottom) / 2, words, 8.5, SOFT, ha="right" if side < 0 else "left")


def key(axes, x, y, entries):
    """What the colours mean, in one line."""
    for color, words, width in entries:
        box(axes, x, y - 0.9, 2.4, 1.8, "", color, linewidth=0.6)
        text(axes, x + 3.2, y, words, 8, SOFT, ha="left")
        x += width


def step():
    """One training step of one thread, for a network of two layers."""
    figure, axes = sheet(66)
    # The caller's data, and the part of the tile that is gathered.
    box(axes, 2, 2, 12, 6, "X\nsamples × n_in", SAMPLES)
    box(axes, 66, 2, 16, 6, "T, sample weights\nsamples × n_out, 1", SAMPLES)
    text(axes, 40, 5, "a step's samples, in the order of the shuffle", 8.5, SOFT, style="italic")
    arrow(axes, (8, 8), (8, 17))
    arrow(axes, (76, 8), (76, 17))
    number(axes, 10.2, 12.5, 1)
    text(axes, 12.2, 12.5, "gather", ha="left")
    number(axes, 73.8, 12.5, 1)
    text(axes, 71.8, 12.5, "gather", ha="right")
    # Forward.
    box(axes, 2, 17, 12, 7, "x\nn_in rows", SAMPLES)
    box(axes, 25, 17, 10, 7, "d of\nlayer 0", ACTIVITY)
    box(axes, 35, 17, 10, 7, "y of\nlayer 0", ACTIVITY)
    box(axes, 56, 17, 10, 7, "y of layer 1\n= logits", ACTIVITY, 8.5)
    box(axes, 70, 17, 12, 7, "targets,\nweights", SAMPLES)
    arrow(axes, (14, 20.5), (25, 20.5))
    number(axes, 16.5, 18, 2)
    text(axes, 21, 18, "W₀ᵀ x")
    arrow(axes, (45, 20.5), (56, 20.5))
    number(axes, 47.2, 18, 2)
    text(axes, 51.6, 18, "W₁ᵀ y")
    number(axes, 24.2, 14.7, 3)
    text(axes, 26.2, 14.7, "z + b becomes y = f(z + b), and d = f ′(z + b)", ha="left")
    # Cost and backward.
    box(axes, 25, 34, 10, 7, "error of\nlayer 0", ERROR)
    box(axes, 56, 34, 10, 7, "error of\nlayer 1", ERROR)
    arrow(axes, (61, 24), (61, 34))
    line(axes, (76, 24), (76, 29))
    arrow(axes, (76, 29), (61.2, 29))
    number(axes, 63.4, 26.7, 4)
    text(axes, 65.4, 26.7, "cost", ha="left")
    text(axes, 67, 37.5, "in the place\nof the logits", 8, SOFT, ha="left")
    arrow(axes, (56, 37.5), (35, 37.5))
    number(axes, 46.6, 35, 5)
    text(axes, 48.6, 35, "W₁ δ ∘ d", ha="left")
    arrow(axes, (30, 24), (30, 34))
    text(axes, 28.8, 29, "in the place\nof d", 8, SOFT, ha="right")
    # Gradient and update.
    box(axes, 14, 47, 23, 5.5, "gradient by W₀, b₀", GRADIENT)
    box(axes, 37, 47, 29, 5.5, "gradient by W₁, b₁", GRADIENT)
    box(axes, 14, 57, 52, 4.5, "parameters θ, states of the rule: in the same order", PARAMETERS)
    line(axes, (8, 24), (8, 49.7))
    arrow(axes, (8, 49.7), (14, 49.7))
    arrow(axes, (30, 41), (30, 47))
    arrow(axes, (40, 24), (40, 47))
    arrow(axes, (61, 41), (61, 47))
    number(axes, 21.6, 44.4, 6)
    text(axes, 23.6, 44.4, "x δᵀ", ha="left")
    number(axes, 48.6, 44.4, 6)
    text(axes, 50.6, 44.4, "y δᵀ", ha="left")
    arrow(axes, (40, 52.5), (40, 57))
    number(axes, 42.2, 54.7, 7)
    text(axes, 44.2, 54.7, "meet, update", ha="left")
    entries = [
        (SAMPLES, "samples", 12),
        (ACTIVITY, "forward", 12),
        (ERROR, "errors", 11),
        (GRADIENT, "gradient", 12),
        (PARAMETERS, "parameters", 12),
    ]
    key(axes, 12, 64, entries)
    return figure


def tile():
    """The memory of one thread: the parts of a tile as rows."""
    figure, axes = sheet(73)
    left, width, samples = 25, 24, 18
    rows = [
        ("targets", 4, SAMPLES, "n_out rows: T, one sample a column"),
        ("weight", 2.6, SAMPLES, "1: weight × scale; zero in the hatched lanes"),
        ("x", 5, SAMPLES, "n_in: X, one sample a column"),
        None,
        ("ones", 2.6, NUMBERS, "1: the input of every bias, for its gradient"),
        ("scratch", 3.4, NUMBERS, "4: maxima and sums of the cost"),
        ("y of layer 0", 5, ACTIVITY, "n₀: its output"),
        ("d, then error", 5, ERROR, "n₀: derivative; on the way back, the error"),
        ("error, turned", 5, ERROR, "s₀: the error again, one sample a row"),
        ("y, then error", 4, ERROR, "n₁ = n_out: logits; their error in place"),
        ("d of layer 1", 4, ACTIVITY, "n₁: its derivative, unless that is always one"),
        ("error, turned", 5, ERROR, "s₁: the error again, one sample a row"),
        ("below", 5, ERROR, "n_in: the error of the input, where it is asked for"),
    ]
    y, tops = 8.0, []
    text(axes, left + samples / 2, 3.2, "samples", 9)
    arrow(axes, (left, 5.2), (left + samples, 5.2))
    text(axes, left + width, 3.2, "lanes", 9, ha="right")
    arrow(axes, (left, 6.6), (left + width, 6.6))
    for row in rows:
        if row is None:
            words = "… the next tiles' samples, if kept …"
            text(axes, left + width / 2, y + 1.9, words, 8, SOFT, style="italic")
            tops.append(y)
            y += 3.8
            continue
        name, height, color, meaning = row
        box(axes, left, y, width, height, "", color)
        if "turned" not in name:
            axes.add_patch(
                Rectangle(
                    (left + samples, y),
                    width - samples,
                    height,
                    facecolor="none",
                    edgecolor="#999999",
                    hatch="////",
                    linewidth=0.0,
                )
            )
        text(axes, left + samples / 2, y + height / 2, name)
        text(axes, left + width + 1.5, y + height / 2, meaning, 8.5, ha="left")
        tops.append(y)
        y += height
    axes.add_patch(
        Rectangle((left, 8), width, y - 8, facecolor="none", edgecolor=INK, linewidth=1.4)
    )
    brace(
        axes, left - 1.5, tops[0] + 0.3, tops[3] - 0.3, "gathered:\nsample_rows =\nn_out + 1 + n_in"
    )
    brace(axes, left - 1.5, tops[6] + 0.3, tops[12] - 0.3, "layers: FEATURES =\nΣ (2 n_q + s_q)")
    text(
        axes,
        2,
        y + 4.0,
        "A row is so many lanes: whole cache lines. Hatched: lanes beyond the last sample, which "
        "repeat it.\n"
        "n_q: outputs of layer q;  s_q: n_q rounded up to whole cache lines.",
        8.5,
        SOFT,
        ha="left",
    )
    key(
        axes,
        2,
        y + 8.4,
        [
            (SAMPLES, "gathered", 14),
            (ACTIVITY, "forward", 13),
            (ERROR, "error, or reused for it", 24),
            (NUMBERS, "helpers", 12),
        ],
    )
    return figure


def _bars(axes, y, rows, names=("thread 0", "thread 1")):
    """Two time lines: for each thread (start, width, words, colour)."""
    for k, (name, bars) in enumerate(zip(names, rows, strict=True)):
        top = y + 5.6 * k
        text(axes, 9, top + 2.1, name, 8.5, ha="right")
        for start, width, words, color in bars:
            idle = words == "waits"
            style = {"linestyle": "--", "linewidth": 0.7} if idle else {}
            box(axes, start, top, width, 4.2, "", EMPTY if idle else color, **style)
            text(axes, start + width / 2, top + 2.1, words, 8, SOFT if idle else INK)


def _meetings(axes, y, places):
    for x in places:
        line(axes, (x, y - 1.2), (x, y + 11.0), color=MEET, width=2.0)


def team():
    """A step of a team of two on a line of time."""
    figure, axes = sheet(65)
    text(axes, 2, 2.6, "Small: a gradient each; one thread updates", 10, ha="left", weight="bold")
    own = (10.5, 36, "own tiles: forward, cost, back, gradient", ACTIVITY)
    _bars(
        axes,
        6,
        [
            [own, (47.5, 24, "add up, norm, update", PARAMETERS)],
            [own, (47.5, 24, "waits", EMPTY)],
        ],
    )
    _meetings(axes, 6, (47, 72))

    y = 26
    text(
        axes,
        2,
        y - 3.4,
        "Between: a gradient each; all update their share",
        10,
        ha="left",
        weight="bold",
    )
    mine = [
        own,
        (47.5, 14, "add up share,\nnorm", GRADIENT),
        (62.5, 14, "update share", PARAMETERS),
    ]
    _bars(axes, y, [mine, mine])
    _meetings(axes, y, (47, 62, 77))

    y = 46
    text(
        axes,
        2,
        y - 3.4,
        "Large: one gradient, each has a share of it (here, two chunks of tiles)",
        10,
        ha="left",
        weight="bold",
    )
    passes = "forward,\nback"
    share = "share of gradient,\ntiles of all"
    mine = [
        (10.5, 8, passes, ACTIVITY),
        (19.5, 15, share, GRADIENT),
        (35.5, 8, passes, ACTIVITY),
        (44.5, 17, share + ", norm", GRADIENT),
        (62.5, 14, "update share", PARAMETERS),
    ]
    _bars(axes, y, [mine, mine])
    _meetings(axes, y, (19, 35, 44, 62, 77))

    arrow(axes, (10.5, 59.2), (81, 59.2), SOFT)
    text(axes, 81, 61.2, "time", 8.5, SOFT, ha="right")
    line(axes, (10.5, 62.2), (13.5, 62.2), color=MEET, width=2.0)
    text(
        axes,
        14.5,
        62.2,
        "meeting: all wait for all.  Lengths are not to scale",
        8.5,
        SOFT,
        ha="left",
    )
    return figure


def _grid(axes, x, y, columns, rows, cell, color, chosen=None, dark=None):
    """A matrix; chosen(i, j) tells which cells stand out in the colour `dark`."""
    for i in range(rows):
        for j in range(columns):
            picked = chosen is not None and chosen(i, j)
            box(
                axes,
                x + j * cell,
                y + i * cell,
                cell,
                cell,
                "",
                dark if picked else color,
                edgecolor="#888888",
                linewidth=0.4,
            )
    box(axes, x, y, columns * cell, rows * cell, "", "none")


def block():
    """One block of a product in vector registers."""
    figure, axes = sheet(52)
    cell, terms, vectors, size, rows = 1.9, 8, 2, 8, 6
    x0, y0 = 19.0, 27.0
    x1, y1 = x0 + terms * cell + 11, y0 - terms * cell - 5
    at = 4
    _grid(axes, x0, y0, terms, rows, cell, EMPTY, lambda i, j: j == at, "#b79ddb")
    _grid(axes, x1, y1, vectors * size, terms, cell, EMPTY, lambda i, j: i == at, "#8fbbe8")
    _grid(axes, x1, y0, vectors * size, rows, cell, ACTIVITY)
    for v in range(1, vectors):
        line(axes, (x1 + v * size * cell, y0), (x1 + v * size * cell, y0 + rows * cell), width=1.6)
        line(axes, (x1 + v * size * cell, y1), (x1 + v * size * cell, y1 + terms * cell), width=1.6)
    for i in range(1, rows):
        line(axes, (x1, y0 + i * cell), (x1 + vectors * size * cell, y0 + i * cell), width=1.0)
    middle, bottom = x1 + vectors * size * cell / 2, y0 + rows * cell
    text(axes, x0 + terms * cell / 2, bottom + 2.2, "A: rows × k terms", 9)
    text(axes, middle, y1 - 2, "B: k terms × columns, here two vectors of eight lanes", 9)
    text(axes, middle, bottom + 2.2, "C: 6 × 2 sums, each a register", 9)
    arrow(axes, (x0 + terms * cell + 0.6, y0 + rows * cell / 2), (x1 - 0.6, y0 + rows * cell / 2))
    arrow(axes, (middle, y1 + terms * cell + 0.5), (middle, y0 - 0.5))
    text(axes, middle + 1.2, y0 - 2.5, "2 loads a term", 8.5, SOFT, ha="left")
    text(axes, x0 + at * cell + cell / 2, y0 - 1.6, "term l", 8.5, SOFT)
    text(axes, x1 - 1.0, y1 + (at + 0.5) * cell, "term l", 8.5, SOFT, ha="right")
    text(axes, x1 - 5.5, y0 + rows * cell / 2 - 2.2, "each number\nbroadcast", 8, SOFT)
    text(
        axes,
        3,
        7.5,
        "for each term l:\n"
        "    b₀, b₁ = vectors of row l of B\n"
        "    for each row i of the block:\n"
        "        a = A[i, l] in all lanes\n"
        "        C[i, 0] += a · b₀      (fma)\n"
        "        C[i, 1] += a · b₁      (fma)\n"
        "after the last term: store C, once",
        8.5,
        ha="left",
    )
    text(
        axes,
        3,
        46.8,
        "Forward, A is Wᵀ and B the samples: the columns are lanes of the tile, "
        "so a layer of any width fills the vectors.\n"
        "Blocks: 6 × 2 and smaller with 16 registers, 12 × 2 and smaller with 32; "
        "a last, incomplete vector is masked.",
        8.5,
        SOFT,
        ha="left",
    )
    return figure


PICTURES = {"step": step, "tile": tile, "team": team, "block": block}


def main(folder):
    """Write all pictures into a folder."""
    for name, draw in PICTURES.items():
        figure = draw()
        drawn = io.StringIO()
        nothing = {"Date": None, "Creator": None}
        figure.savefig(drawn, format="svg", metadata=nothing, facecolor="white")
        plt.close(figure)
        lines = [row.rstrip() + "\n" for row in drawn.getvalue().splitlines()]
        (folder / f"{name}.svg").write_text("".join(lines), encoding="utf-8", newline="\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent)
