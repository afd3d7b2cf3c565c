"""How a training step of fastnn grows with the width and the batch, and what memory it takes.

::

    python benchmarks/scaling.py --out scaling.png   # µs a step, two sweeps, log-log
    python benchmarks/scaling.py --memory            # peak memory against what is needed; Linux

A step should get cheaper for each multiply-add as it gets larger, and never dearer: where it does,
one way of computing took over from another too early or too late. The dearest such place is named.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import statistics
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
from tqdm import tqdm

import fastnn

_BATCHES = 16  # of an epoch
_STATES = {"SGD": 0, "Adam": 2}  # vectors as long as the parameters that an optimizer keeps
_ITEM = np.dtype(np.float32).itemsize


@dataclass(frozen=True)
class Case:
    """A network and its batch."""

    sizes: tuple[int, ...]
    batch: int
    optimizer: str = "Adam"

    @property
    def multiply_adds(self) -> int:
        """Of a step: forward, gradient by weights and, but for the first layer, by inputs."""
        products = [n * m for n, m in pairwise(self.sizes)]
        return self.batch * (3 * sum(products) - products[0])

    @property
    def parameters(self) -> int:
        return sum((n + 1) * m for n, m in pairwise(self.sizes))

    @property
    def given(self) -> int:
        """Bytes that a training finds: parameters and a batch."""
        return _ITEM * (self.parameters + self.batch * (self.sizes[0] + self.sizes[-1]))

    @property
    def needed(self) -> int:
        """Bytes of a plain training: the given, gradient, state, and all outputs of a batch."""
        vectors = 1 + _STATES[self.optimizer]
        return self.given + _ITEM * (self.parameters * vectors + self.batch * sum(self.sizes[1:]))

    def __str__(self) -> str:
        return f"{'-'.join(map(str, self.sizes))}, batch {self.batch}, {self.optimizer}"


# title: the value on the axis, the cases
_SWEEPS = {
    "hidden width w of 64-w-10, batch 128": {2**k: Case((64, 2**k, 10), 128) for k in range(3, 12)},
    "batch, 64-64-10": {2**k: Case((64, 64, 10), 2**k) for k in range(14)},
}
_THREADS = {"default threads": None, "1 thread": 1}
_MEMORY = [
    Case(sizes, batch, optimizer)
    for sizes, batch in (
        ((64, 64, 10), 8192),
        ((784, 256, 10), 128),
        ((784, 1024, 1024, 10), 256),
        ((784, 4096, 10), 32),
    )
    for optimizer in _STATES
]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--out", type=Path, metavar="PNG", help="draw the sweeps there")
    parser.add_argument("--memory", action="store_true", help="measure memory instead of time")
    parser.add_argument("--rounds", type=int, default=5, help="measurements a point; default 5")
    parser.add_argument("--seconds", type=float, default=0.1, help="of each; default 0.1")
    given = parser.parse_args()
    if given.memory:
        _print_memory()
        return
    found = {title: _sweep(cases, given) for title, cases in _SWEEPS.items()}
    for title, curves in found.items():
        _print_sweep(title, curves)
    if given.out:
        _draw(found, given.out)


class Trainer:
    """A case ready to be trained, with random data."""

    def __init__(self, case: Case) -> None:
        *hidden, last = pairwise(case.sizes)
        layers = [
            fastnn.DenseLayer(*shape, activation="ReLU", dtype=np.float32, rng=0)
            for shape in hidden
        ]
        layers.append(fastnn.DenseLayer(*last, dtype=np.float32, rng=0))
        self._network = fastnn.NeuralNetwork(layers, fastnn.SoftmaxCrossEntropy(reduction="mean"))
        self._initial = self._network.parameters.copy()
        self._case = case
        rng = np.random.default_rng(0)
        rows, outputs = _BATCHES * case.batch, case.sizes[-1]
        self._x = rng.normal(size=(rows, case.sizes[0])).astype(np.float32)
        self._t = np.eye(outputs, dtype=np.float32)[rng.integers(outputs, size=rows)]

    def fit(self, epochs: int, n_threads: int | None) -> float:
        """Train from the initial parameters; returns the seconds."""
        self._network.parameters = self._initial
        # So small a rate that every step does the same work.
        optimizer = fastnn.get_opt(self._case.optimizer, learning_rate=1e-4)
        start = time.perf_counter()
        self._network.fit(
            self._x, self._t, optimizer=optimizer,
            epochs=epochs, batch_size=self._case.batch, shuffle=False, n_threads=n_threads,
        )  # fmt: skip
        return time.perf_counter() - start


def _sweep(cases: dict[int, Case], given: argparse.Namespace) -> dict[str, dict[int, float]]:
    """Medians of µs a step; all thread counts of a case in turn."""
    curves: dict[str, dict[int, float]] = {name: {} for name in _THREADS}
    # disable=None: a bar on a terminal, nothing elsewhere.
    for value, case in tqdm(cases.items(), disable=None, leave=False):
        trainer = Trainer(case)
        epochs = {n: _epochs(trainer, n, given.seconds) for n in _THREADS.values()}
        times: dict[str, list[float]] = {name: [] for name in _THREADS}
        for _ in range(given.rounds):
            for name, n in _THREADS.items():
                times[name].append(1e6 * trainer.fit(epochs[n], n) / (epochs[n] * _BATCHES))
        for name, found in times.items():
            curves[name][value] = statistics.median(found)
    return curves


def _epochs(trainer: Trainer, n_threads: int | None, seconds: float) -> int:
    """As many as fill the time; finding out is the warm-up."""
    epochs = 1
    trainer.fit(epochs, n_threads)  # compiles
    while (spent := trainer.fit(epochs, n_threads)) < seconds / 2:
        epochs *= 2
    return max(1, round(epochs * seconds / spent))


def _steepest(cases: dict[int, Case], curve: dict[int, float]) -> tuple[int, int, float]:
    """Neighbours with the largest growth of the time per multiply-add, and that growth."""
    unit = {value: curve[value] / cases[value].multiply_adds for value in curve}
    low, high = max(pairwise(unit), key=lambda pair: unit[pair[1]] / unit[pair[0]])
    return low, high, unit[high] / unit[low]


def _print_sweep(title: str, curves: dict[str, dict[int, float]]) -> None:
    cases = _SWEEPS[title]
    print(f"\n{title}\n{'':>8}" + "".join(f"{name + ', µs':>22}{'GFMA/s':>9}" for name in curves))
    for value, case in cases.items():
        cells = (
            (curve[value], case.multiply_adds / curve[value] / 1e3) for curve in curves.values()
        )
        print(f"{value:8}" + "".join(f"{time:22.2f}{rate:9.2f}" for time, rate in cells))
    for name, curve in curves.items():
        low, high, growth = _steepest(cases, curve)
        verdict = "dearer" if growth > 1 else "cheaper everywhere; the least so"
        print(f"{name}: a multiply-add gets {verdict} from {low} to {high}: × {growth:.2f}")


def _draw(found: dict[str, dict[str, dict[int, float]]], path: Path) -> None:
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    figure, panels = plt.subplots(1, len(found), figsize=(11, 4.5), layout="constrained")
    for panel, (title, curves) in zip(panels, found.items(), strict=True):
        for name, curve in curves.items():
            low, high, growth = _steepest(_SWEEPS[title], curve)
            (line,) = panel.loglog(
                list(curve), list(curve.values()), marker="o", markersize=4,
                label=f"{name}; steepest at {high}: × {growth:.2f} a multiply-add",
            )  # fmt: skip
            ends = [low, high]
            panel.loglog(
                ends, [curve[end] for end in ends], color=line.get_color(), linewidth=6, alpha=0.3
            )
        panel.set(xlabel=title, ylabel="µs a step")
        panel.grid(visible=True, which="both", alpha=0.2)
        panel.set_xscale("log", base=2)
        panel.legend(loc="lower center", bbox_to_anchor=(0.5, 1))  # above: the curves fill all
    figure.suptitle("fastnn: a training step, ReLU, softmax cross entropy, Adam, float32")
    figure.savefig(path, dpi=120)
    print(f"\n{path}")


def _print_memory() -> None:
    if not Path("/proc/self/clear_refs").exists():
        sys.exit("scaling: error: peak memory is read from /proc, which only Linux has")
    # Freed memory goes back to the system only with this setting of glibc (arrays of 64 KiB or
    # more; processes read it when they start) and from process to process.
    os.environ["MALLOC_MMAP_THRESHOLD_"] = str(1 << 16)
    context = multiprocessing.get_context("spawn")
    rows = []
    with ProcessPoolExecutor(1, context, max_tasks_per_child=1) as pool:
        for case, peak in zip(_MEMORY, pool.map(_peak, _MEMORY), strict=True):
            rows.append(
                f"{case!s:40}{case.needed / 1e6:12.2f}{peak / 1e6:12.2f}{peak / case.needed:8.2f}"
            )
    print(f"{'MB':40}{'needed':>12}{'peak':>12}{'ratio':>8}")
    print("\n".join(rows))


def _peak(case: Case) -> int:
    """Peak of a training in bytes: what the process grows by, and what was given."""
    trainer = Trainer(case)
    Trainer(Case((4, 4, 2), 2, case.optimizer)).fit(1, None)  # compiles, starts what is started
    before = _status("VmRSS")
    # Compiling took more memory than a training; its peak is forgotten here. The figure of
    # getrusage may also be that of the parent process, which a child inherits.
    Path("/proc/self/clear_refs").write_text("5")
    trainer.fit(2, None)
    return _status("VmHWM") - before + case.given


def _status(name: str) -> int:
    """A figure of this process in bytes."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(f"{name}:"):
            return 1024 * int(line.split()[1])
    raise LookupError(f"/proc/self/status has no {name}")


if __name__ == "__main__":
    main()
