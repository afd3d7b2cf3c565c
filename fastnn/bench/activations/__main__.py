"""``python -m fastnn.bench.activations``."""

from __future__ import annotations

import argparse
import sys
from itertools import chain
from pathlib import Path
from typing import Any

from ..limits import limit

_SIZES = "1k,16k,1M,8M"
_PARTS = "forward,vjp,both,axis,call"
_UNITS = {"k": 10**3, "M": 10**6}


def main() -> None:
    given = _arguments()
    limit(1)
    from . import cases, contest, report  # only now: they import the peers

    try:
        chosen = cases.choose(
            given.names, given.parts, given.dtypes, given.sizes, short=given.quick
        )
    except ValueError as error:
        sys.exit(f"activations: error: {error}")
    results = contest.hold(chosen, given.rounds, 0.0005 if given.quick else 0.002)
    pieces = []
    for piece in chain([report.heading(given.rounds)], report.tables(results)):
        print(piece, end="\n\n", flush=True)
        pieces.append(piece)
    if given.out:
        given.out.write_text("\n\n".join(pieces) + "\n", encoding="utf-8")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="activations",
        description="Activations of fastnn beside NumPy, PyTorch and JAX, on one core",
        epilog="PyTorch and JAX come with the extra peers: pip install -e '.[peers]'; "
        "wheels for the CPU are enough. What is not installed is left out.",
    )
    parser.add_argument("names", nargs="*", help="of fastnn.get_act; default: all")
    parser.add_argument(
        "--dtypes", type=_listed, help="separated by commas; default float32,float64"
    )
    parser.add_argument("--sizes", type=_listed, help=f"of arrays; default {_SIZES}")
    parser.add_argument(
        "--parts", type=_listed, default=_PARTS,
        help="forward; vjp; both, forward and vjp in one; axis, the softmax family; call, of 64 "
        f"numbers; default {_PARTS}",
    )  # fmt: skip
    parser.add_argument("--rounds", type=int, help="measurements of each; default 5, quick 3")
    parser.add_argument("--quick", action="store_true", help="float32, 16k, few short rounds")
    parser.add_argument("--out", type=Path, metavar="FILE.md", help="write the tables there too")
    given = parser.parse_args()
    given.rounds = given.rounds or (3 if given.quick else 5)
    given.dtypes = given.dtypes or (["float32"] if given.quick else ["float32", "float64"])
    try:
        default = "16k" if given.quick else _SIZES
        given.sizes = [_number(size) for size in given.sizes or _listed(default)]
    except ValueError:
        parser.error("--sizes must be numbers, of which k and M are a thousand and a million")
    if given.rounds < 2 or min(given.sizes) < 2:
        parser.error("--rounds and --sizes must be at least 2")
    for name, known in (("dtypes", "float32,float64"), ("parts", _PARTS)):
        if unknown := [each for each in getattr(given, name) if each not in _listed(known)]:
            parser.error(f"--{name}: {unknown[0]} is none of {known}")
    return given


def _listed(text: Any) -> list[str]:
    return str(text).split(",")


def _number(text: str) -> int:
    """Numbers like 16k and 8M."""
    unit = _UNITS.get(text[-1:], 1)
    return int(text[:-1] if unit > 1 else text) * unit


if __name__ == "__main__":
    main()
