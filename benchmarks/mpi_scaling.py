"""Steps and sums of gradients of two ranks, measured, and what follows for more of them.

``mpiexec -n 2 --bind-to none --mca mpi_yield_when_idle 1 python benchmarks/mpi_scaling.py --out
FOLDER`` writes ``mpi.json`` and ``mpi.svg``, and prints the tables of docs/mpi.md. Without
``--bind-to none`` Open MPI gives rank 0 one core, which its two threads then share. ``--from
mpi.json`` computes and draws again what was measured before, without MPI.
"""

import argparse
import json
import math
import statistics
import time
from pathlib import Path

import numpy as np

from fastnn import LinearLayer, NeuralNetwork, ReLULayer, SoftmaxCrossEntropy

WIDTHS = 64, 256, 1024
BATCH = 512
RANKS = 2, 8, 32, 128, 512, 1024
SMALL = 1 << 18  # bytes of all gradients up to which one message is all, as in fastnn
# Assumed, not measured: bytes a second into and out of a node, seconds of a message.
NETWORKS = {"100 Gbit/s, 2 µs": (12.5e9, 2e-6), "10 Gbit/s, 20 µs": (1.25e9, 20e-6)}


def network(width):
    options = {"init": "he_normal", "dtype": "f4"}
    return NeuralNetwork(
        [
            ReLULayer(784, width, rng=0, **options),
            ReLULayer(width, width, rng=1, **options),
            LinearLayer(width, 10, rng=2, **options),
        ],
        SoftmaxCrossEntropy("mean"),
    )


def data(rows):
    rng = np.random.default_rng(0)
    return rng.normal(size=(rows, 784)).astype("f4"), rng.integers(0, 10, rows)


def processor_seconds(net, batch, steps):
    """Seconds of the processor, which other programs on the machine do not lengthen much."""
    X, t = data(batch)
    options = {"optimizer": "Adam", "batch_size": batch, "n_threads": 1}
    net.fit(X, t, **options)
    begin = time.process_time()
    net.fit(X, t, epochs=steps, **options)
    return (time.process_time() - begin) / steps


def seconds_a_step(net, batch, steps, **options):
    X, t = data(batch)
    history = net.fit(X, t, optimizer="Adam", epochs=steps + 1, batch_size=batch, **options)
    return float(np.median(history.seconds[1:]))


def measure(comm, width, rounds):
    """Medians of several rounds in turn, of the sum the least; idle ranks sleep meanwhile."""
    from fastnn.training.ranks import Sum

    alone, shared = network(width), network(width)
    steps = max(3, 3000 // width)
    found = {"one": [], "half": [], "threads": [], "ranks": [], "sum": []}
    gradient = np.zeros(alone.parameters.size, "f4")
    add_up = Sum(comm, gradient.size, gradient.dtype)
    for _ in range(rounds):
        if comm.rank == 0:
            found["one"].append(processor_seconds(alone, BATCH, steps))
            found["half"].append(processor_seconds(alone, BATCH // 2, steps))
            found["threads"].append(seconds_a_step(alone, BATCH, steps, n_threads=2))
        request = comm.Ibarrier()
        while not request.Test():
            time.sleep(0.005)
        given = {"comm": comm, "shard": True}
        found["ranks"].append(seconds_a_step(shared, BATCH, steps, **given))
        for _ in range(20):
            comm.Barrier()
            begin = time.perf_counter()
            add_up(gradient, (0.0, 0.0, 0.0))
            found["sum"].append(time.perf_counter() - begin)
    least = {"parameters": gradient.size, "sum": min(found.pop("sum"))}
    return least | {name: statistics.median(values) for name, values in found.items() if values}


def expected(found, ranks, bandwidth, latency, batch):
    """Seconds of a step of so many ranks and so many samples of all."""
    each = 2.0 * (found["one"] - found["half"]) / BATCH  # a sample
    fixed = max(found["one"] - BATCH * each, 0.0)  # the update, which every rank makes
    size = 4.0 * found["parameters"]
    if size * ranks <= SMALL:
        message = (ranks - 1) * size / bandwidth + math.log2(ranks) * latency
    else:
        message = 2.0 * (ranks - 1) / ranks * size / bandwidth
        message += (ranks - 1 + 2.0 * math.log2(ranks)) * latency
    return fixed + batch / ranks * each + message


def tables(measured):
    lines = [
        "| width | parameters | 1 thread | 2 threads | 2 ranks | sum | speed of ranks / threads |",
        "|---|---|---|---|---|---|---|",
    ]
    for width, found in measured.items():
        times = [f"{found[name] * 1e3:.3g} ms" for name in ("one", "threads", "ranks", "sum")]
        ratio = found["threads"] / found["ranks"]
        cells = [width, f"{found['parameters']:,}", *times, f"{ratio:.2f}"]
        lines.append(f"| {' | '.join(map(str, cells))} |")
    for name, (bandwidth, latency) in NETWORKS.items():
        lines += ["", f"{name}:", "", "| width | " + " | ".join(f"P = {p}" for p in RANKS) + " |"]
        lines.append("|---" * (len(RANKS) + 1) + "|")
        for width, found in measured.items():
            cells = [f"{efficiency(found, p, bandwidth, latency):.0%}" for p in RANKS]
            lines.append(f"| {width} | {' | '.join(cells)} |")
    return "\n".join(lines)


def efficiency(found, ranks, bandwidth, latency):
    """Samples a second and rank against those of one, at 512 samples a rank."""
    return found["one"] / expected(found, ranks, bandwidth, latency, BATCH * ranks)


def draw(measured, path):
    import matplotlib as mpl

    mpl.use("svg")
    mpl.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": "fastnn", "font.size": 8})
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(1, len(NETWORKS), figsize=(7, 2.8), sharey=True)
    ranks = 2 ** np.arange(11)
    for ax, (name, values) in zip(axes, NETWORKS.items(), strict=True):
        for width, found in measured.items():
            speed = [p * efficiency(found, p, *values) if p > 1 else 1.0 for p in ranks.tolist()]
            ax.loglog(ranks, speed, ".-", base=2, label=f"784-{width}-{width}-10")
        ax.loglog(ranks, ranks, ":", base=2, color="0.6", label="perfect")
        ax.set(title=f"assumed: {name}", xlabel="ranks")
    axes[0].set_ylabel(f"speed, {BATCH} samples a rank")
    axes[0].legend(frameon=False)
    figure.tight_layout()
    figure.savefig(path, metadata={"Date": None})


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("."))
    parser.add_argument("--from", dest="file", type=Path)
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    if given.file:
        measured = json.loads(given.file.read_text())
    else:
        from mpi4py import MPI

        comm = MPI.COMM_WORLD
        measured = {width: measure(comm, width, given.rounds) for width in WIDTHS}
        if comm.rank:
            return
        (given.out / "mpi.json").write_text(json.dumps(measured, indent=1) + "\n")
    print(tables(measured), flush=True)
    draw(measured, given.out / "mpi.svg")


if __name__ == "__main__":
    main()
