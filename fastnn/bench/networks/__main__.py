"""``python -m fastnn.bench.networks``: trainings and predictions."""

from __future__ import annotations

import argparse
from pathlib import Path

from ..limits import limit
from ..machine import heading
from .tasks import TASKS, quick


def main() -> None:
    given = _arguments()
    threads = limit(given.threads)
    from . import contest, report  # only now: they import the peers

    environment = report.environment(threads)
    print(heading(environment))
    names = given.task or list(TASKS)
    tasks = [quick(TASKS[name]) if given.quick else TASKS[name] for name in names]
    rounds = given.rounds or (5 if given.quick else 11)
    results = contest.hold(tasks, rounds, 0.05 if given.quick else 0.2)
    print(f"\nmedians of {rounds} interleaved rounds\n\n{report.table(results)}")
    for one in results:
        print(f"\n{report.details(one)}")
    if doubts := report.warnings(results):
        print("", *doubts, sep="\n")
    if given.json:
        report.save(given.json, environment, results)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="peers",
        description="fastnn beside its peers",
        epilog="The other libraries come with the extra peers: pip install -e '.[peers]'",
    )
    parser.add_argument(
        "--task", action="append", choices=TASKS, metavar="NAME",
        help=f"only this one; may be repeated; one of {', '.join(TASKS)}",
    )  # fmt: skip
    parser.add_argument("--rounds", type=int, help="measurements of each competitor, 2 or more")
    parser.add_argument("--quick", action="store_true", help="short measurements, few rounds")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all measurements there")
    parser.add_argument("--threads", type=int, default=2, help="cores to run on; default 2")
    given = parser.parse_args()
    if given.threads < 1 or (given.rounds is not None and given.rounds < 2):
        parser.error("--threads must be at least 1, --rounds at least 2")
    return given


if __name__ == "__main__":
    main()
