"""Check activations and derivatives at every float32 number.

    python tests/accuracy/exhaustive.py [names …] [--orders 0 1 2 3] [--processes N] [--step K]

Each of the 2**32 bit patterns against the float64 reference; or each K-th, and every one of sizes
from 2**-8 to 2**8, where nearly all that functions do is done. Writes ``float32.md``
and ``float32.json`` beside this file; what other functions have there stays. A run that was ended
goes on where it was, as long as the kernels and the step are the same.
"""

import argparse
import datetime
import hashlib
import itertools
import json
import math
import multiprocessing
import os
import sys
import threading
from concurrent.futures import ProcessPoolExecutor, as_completed
from importlib.metadata import version
from pathlib import Path

import numpy as np
from tqdm import tqdm

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

import fastnn  # noqa: E402
from accuracy.kernels import NEIGHBOURHOOD, apply  # noqa: E402
from accuracy.table import FUNCTIONS, suffixed  # noqa: E402
from fastnn import info, kernels  # noqa: E402
from fastnn.kernels.codegen.declare import kernel  # noqa: E402
from fastnn.kernels.codegen.intrinsics import bits_of, cast_like  # noqa: E402
from fastnn.reference import activations as reference  # noqa: E402

RESULTS, TABLE = HERE / "float32.json", HERE / "float32.md"
STATE = HERE / "float32.state.jsonl"
PATTERNS = 2**32
SPAN = 2**26  # patterns of a task: a second of work, and what an ended run loses at most
BLOCK = 2**15  # numbers at once: all arrays in the cache
DENSE = (0x3B800000, 0x43800000)  # patterns of 2**-8 and 2**8

KINK, ZERO = 0, 1  # kinds of intervals that have rules of their own
UNITS = np.exp2(np.maximum(np.arange(256.0), 1) - 150)  # last place by exponent field


@kernel
def judge(x, result, exact, intervals, units, worst, counts):
    """Take the errors of a block into account.

    worst: the largest error in ULP, its x; the largest in neighbourhoods of zeros, in eps or ULP,
    whichever is smaller; its x. counts: numbers judged, and those rounded correctly.
    """
    infinity = np.inf
    for i in range(x.size):
        y, true = result[i], exact[i]
        kind = -1
        for k in range(intervals.shape[0]):
            if intervals[k, 0] <= x[i] <= intervals[k, 1]:
                kind = int(intervals[k, 2]) if kind != 0 else 0
        if kind == 0:
            continue
        rounded = cast_like(y, true)
        counts[0] += 1
        if y == rounded or (y != y and rounded != rounded):
            counts[1] += 1
            if not abs(true) < infinity or not abs(rounded) < infinity:
                continue
        if not abs(y) < infinity or not abs(rounded) < infinity:
            error, absolute = infinity, infinity
        else:
            absolute = abs(y - true)
            error = absolute / units[bits_of(abs(rounded)) >> 23]
            absolute *= 2.0**23
        if kind == 1:
            error = min(error, absolute)
            if error > worst[2]:
                worst[2], worst[3] = error, x[i]
        elif error > worst[0]:
            worst[0], worst[1] = error, x[i]


def intervals_of(row, order):
    """Rows of low, high, kind: where a zero allows an absolute error, and kinks of derivatives."""
    found = [
        (place - NEIGHBOURHOOD * abs(place), place + NEIGHBOURHOOD * abs(place), ZERO)
        for place in row.zeros[order]
    ]
    width = 2.0**-22
    kinks = row.kinks if order else ()
    found += [(p - width * abs(p), p + width * abs(p), KINK) for p in kinks]
    return np.array(found, np.float64).reshape(-1, 3)


def spans(step):
    """First pattern, the one to stop before, and the step: for each task of a function."""
    if step == 1:
        pieces = [(0, PATTERNS, 1)]
    else:
        low, high = DENSE
        half = PATTERNS // 2
        pieces = [
            (first + sign, last + sign, k)
            for sign in (0, half)
            for first, last, k in [(0, low, step), (low, high, 1), (high, half, step)]
        ]
    return [
        (start, min(start + SPAN * k, last), k)
        for first, last, k in pieces
        for start in range(first, last, SPAN * k)
    ]


def check(index, start, stop, step):
    """A span of patterns of one function: the worst errors and the counts."""
    row, order = FUNCTIONS[index]
    name = suffixed(row.name, order)
    exact = reference.find(name)
    numbers = [float(np.float32(number)) for number in row.parameters]
    intervals = intervals_of(row, order)
    worst, counts = np.zeros(4), np.zeros(2, np.int64)
    worst[[1, 3]] = np.nan
    with np.errstate(all="ignore"):
        for first in range(start, stop, BLOCK * step):
            bits = np.arange(first, min(first + BLOCK * step, stop), step, np.uint32)
            x = bits.view(np.float32)
            wide = x.astype(np.float64)
            # patterns of one sign are in order
            low, high = min(wide[0], wide[-1]), max(wide[0], wide[-1])
            inside = ~((intervals[:, 1] < low) | (intervals[:, 0] > high))
            true = np.asarray(exact(wide, *numbers), np.float64)
            judge(
                wide,
                apply(name, x, *row.parameters),
                np.where(np.abs(wide) > row.largest[0], np.nan, true),
                intervals[inside],
                UNITS,
                worst,
                counts,
            )
    return worst.tolist(), counts.tolist()


def end_with_parent():
    """In a worker: a killed run must leave nothing behind."""

    def wait():
        multiprocessing.parent_process().join()
        os._exit(1)

    threading.Thread(target=wait, daemon=True).start()


def fingerprint(step):
    """What must be unchanged for a run to go on."""
    digest = hashlib.sha256(f"{step} {NEIGHBOURHOOD} {FUNCTIONS}".encode())
    sources = [*Path(kernels.__file__).parent.rglob("*.py")]
    sources += Path(reference.__file__).parent.rglob("*.py")
    for path in sorted(sources):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def load_state(key):
    """Answers of spans, by function and first pattern, of an earlier run."""
    found = {}
    if STATE.exists():
        for line in STATE.read_text().splitlines():
            try:
                name, start, theirs, answer = json.loads(line)
            except ValueError:  # the run was ended while it wrote
                continue
            if theirs == key:
                found[name, start] = answer
    return found


def merged(parts):
    """One entry for the answers of all spans of a function."""
    worst = [part[0] for part in parts]
    one, other = max(worst, key=lambda w: w[0]), max(worst, key=lambda w: w[2])
    checked, correct = (sum(part[1][k] for part in parts) for k in (0, 1))
    at = None if math.isnan(one[1]) else one[1]  # no error at all
    entry = {"ulp": one[0], "at": at, "checked": checked, "correct": correct}
    if not math.isnan(other[3]):
        entry |= {"eps_near_zero": other[2], "zero_at": other[3]}
    return entry


def machine(step):
    """Where and when."""
    facts = {"date": datetime.date.today().isoformat(), "fastnn": fastnn.__version__}
    facts |= {name: version(name) for name in ("numba", "llvmlite", "numpy")}
    lines = dict(line.split(maxsplit=1) for line in info.report().splitlines())
    return facts | {"CPU": info.cpu_name(), "vectors": lines["vectors"], "step": step}


def write(entries):
    """Both files, in the order of the table."""
    names = [suffixed(row.name, order) for row, order in FUNCTIONS]
    entries = {name: entries[name] for name in names if name in entries}
    RESULTS.write_text(json.dumps(entries, indent=1) + "\n")
    lines = [
        "# Accuracy of activations in float32",
        "",
        "Largest errors over the bit patterns of float32, against the float64 reference, written",
        "by `python tests/accuracy/exhaustive.py`. Where a derivative is zero away from x = 0,",
        "terms of the size of 1 cancel; in that neighbourhood errors are in eps = 2⁻²³ (or in ULP,",
        "where that is less) and have the same bound. Parameters have their defaults; those of",
        "threshold are 0.1 and 20.",
        "",
        "| function | bound | ULP | at x = | near zeros: eps | at x = | rounded correctly | run |",
        "|---|---|---|---|---|---|---|---|",
    ]
    runs = []
    for row, order in FUNCTIONS:
        name = suffixed(row.name, order)
        if name not in entries:
            continue
        entry = entries[name]
        if entry["run"] not in runs:
            runs.append(entry["run"])
        near = ("", "")
        if "zero_at" in entry:
            near = (f"{entry['eps_near_zero']:.2f}", f"{entry['zero_at']:.9g}")
        share = 100 * entry["correct"] / entry["checked"]
        at = "" if entry["at"] is None else f"{entry['at']:.9g}"
        cells = [name, f"{row.bounds[order]:g}", f"{entry['ulp']:.3f}", at, *near]
        cells += [f"{share:.3f} %", str(runs.index(entry["run"]) + 1)]
        lines.append(f"| {' | '.join(cells)} |")
    lines += ["", "Runs:", ""]
    for number, run in enumerate(runs, 1):
        facts = ", ".join(f"{name} {fact}" for name, fact in run.items() if name != "step")
        each = "every pattern"
        if run["step"] > 1:
            each += f" from 2⁻⁸ to 2⁸, and each {run['step']}th elsewhere"
        lines.append(f"{number}. {facts}; {each}")
    TABLE.write_text("\n".join(lines) + "\n")


def broken(row, order, entry):
    """Whether a promise is."""
    return max(entry["ulp"], entry.get("eps_near_zero", 0.0)) > row.bounds[order]


def parse(arguments):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", help="activations; all by default")
    parser.add_argument(
        "--orders", type=int, nargs="+", choices=range(4), default=range(4), metavar="N",
        help="derivatives of these orders only; 0: the activation",
    )  # fmt: skip
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--step", type=int, default=1, help="each K-th bit pattern")
    options = parser.parse_args(arguments)
    unknown = set(options.names) - {row.name for row, _ in FUNCTIONS}
    if unknown:
        parser.error(f"unknown: {', '.join(sorted(unknown))}")
    return options


def main(arguments=None):
    """Run what is left, write the results, and say by the exit status whether all bounds hold."""
    options = parse(arguments)
    step, key = options.step, fingerprint(options.step)
    chosen = [
        (index, suffixed(row.name, order))
        for index, (row, order) in enumerate(FUNCTIONS)
        if order in options.orders and row.name in (options.names or [row.name])
    ]
    parts = spans(step)
    state, entries = load_state(key), json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    run, failed = machine(step), []
    tasks = [t for t in itertools.product(chosen, parts) if (t[0][1], t[1][0]) not in state]
    context = multiprocessing.get_context("spawn")  # a fork of threads in waiting may hang
    with (
        ProcessPoolExecutor(options.processes, context, end_with_parent) as pool,
        STATE.open("a") as log,
        tqdm(total=len(chosen) * len(parts), unit=" spans") as bar,
    ):
        bar.update(len(chosen) * len(parts) - len(tasks))
        futures = {
            pool.submit(check, index, *part): (name, part[0]) for (index, name), part in tasks
        }
        for future in as_completed(futures):
            name, start = futures[future]
            state[name, start] = future.result()
            log.write(json.dumps([name, start, key, state[name, start]]) + "\n")
            log.flush()
            bar.update()
    for index, name in chosen:
        row, order = FUNCTIONS[index]
        entries[name] = merged([state[name, part[0]] for part in parts]) | {"run": run}
        if broken(row, order, entries[name]):
            failed.append(name)
    write(entries)
    STATE.unlink()
    print(f"{TABLE}: {len(chosen)} functions, beyond the bound: {', '.join(failed) or 'none'}")
    return bool(failed)


if __name__ == "__main__":
    sys.exit(main())
