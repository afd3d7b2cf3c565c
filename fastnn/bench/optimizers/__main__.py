"""``python -m fastnn.bench.optimizers``."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from itertools import chain
from pathlib import Path

from ..limits import limit

_NAMES = "SGD,momentum,AdaGrad,RMSprop,Adam,AdamW,AMSGrad"
_SIZES = "1k,7.5k,100k,1M,10M"


def main() -> None:
    given = _arguments()
    if len(given.threads) == 1:
        _run(given)
        return
    texts = [_in_a_process(given, threads) for threads in given.threads]
    if given.out:
        # one heading is enough
        rest = [text.split("```\n\n", 1)[-1] for text in texts[1:]]
        given.out.write_text("\n".join([texts[0], *rest]), encoding="utf-8")


def _in_a_process(given: argparse.Namespace, threads: int) -> str:
    """Threads are counted when libraries are loaded."""
    command = [sys.executable, "-m", "fastnn.bench.optimizers", *given.names]
    command += ["--threads", str(threads), "--sizes", ",".join(given.sizes)]
    command += ["--rounds", str(given.rounds), *(["--quick"] * given.quick)]
    found = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout
    print(found, flush=True)
    return found


def _run(given: argparse.Namespace) -> None:
    threads = limit(given.threads[0])
    if threads == 1:
        os.environ["XLA_FLAGS"] = (
            f"{os.environ.get('XLA_FLAGS', '')} --xla_cpu_multi_thread_eigen=false "
            "intra_op_parallelism_threads=1"
        )
    from . import cases, contest, report  # only now: they import the peers

    chosen = cases.choose(given.names, given.sizes)
    results = contest.hold(chosen, given.rounds, 0.01 if given.quick else 0.05, threads)
    pieces = []
    for piece in chain([report.heading(given.rounds)], report.tables(results, threads)):
        print(piece, end="\n\n", flush=True)
        pieces.append(piece)
    if given.out:
        given.out.write_text("\n\n".join(pieces) + "\n", encoding="utf-8")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="optimizers",
        description="A step of the optimizers of fastnn beside PyTorch and JAX",
        epilog="PyTorch and JAX come with the extra peers: pip install -e '.[peers]'; "
        "wheels for the CPU are enough. What is not installed is left out.",
    )
    parser.add_argument("names", nargs="*", help=f"of {_NAMES}; default: all")
    parser.add_argument("--sizes", help=f"of {_SIZES}, separated by commas; default: all")
    parser.add_argument("--threads", type=int, nargs="+", help="default 1 2, quick 1")
    parser.add_argument("--rounds", type=int, help="measurements of each; default 9, quick 3")
    parser.add_argument("--quick", action="store_true", help="1k and 100k, few short rounds")
    parser.add_argument("--out", type=Path, metavar="FILE.md", help="write the tables there too")
    given = parser.parse_args()
    given.rounds = given.rounds or (3 if given.quick else 9)
    given.threads = given.threads or ([1] if given.quick else [1, 2])
    given.names = given.names or _NAMES.split(",")
    given.sizes = (given.sizes or ("1k,100k" if given.quick else _SIZES)).split(",")
    if given.rounds < 2 or min(given.threads) < 1:
        parser.error("--rounds must be at least 2, --threads at least 1")
    for name, known in (("names", _NAMES), ("sizes", _SIZES)):
        if unknown := [each for each in getattr(given, name) if each not in known.split(",")]:
            parser.error(f"{name}: {unknown[0]} is none of {known}")
    return given


if __name__ == "__main__":
    main()
