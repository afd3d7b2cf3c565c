"""``python -m fastnn.bench.child``: one job, given on stdin as JSON, its results on stdout.

A process of its own, since libraries count threads and cores when they start. Every line that it
writes is a JSON object: ``missing`` libraries, the case that it is ``at``, a ``row`` of results, or
``roofs``.
"""

from __future__ import annotations

import json
import os
import random
import sys
import warnings
from typing import Any

from .plan import Job

__all__ = ["main"]


def main() -> None:
    """Do the job."""
    # What libraries print is not for the parent.
    out = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    warnings.simplefilter("ignore")

    def say(**message: Any) -> None:
        print(json.dumps(message, ensure_ascii=False), file=out, flush=True)

    job = Job(**json.load(sys.stdin))
    if job.part == "roofs":
        from .roofs import measured

        say(roofs=measured())
        return
    contest: Any = _contest(job)
    say(missing=contest.missing)
    order = random.Random(0)
    for case in job.cases:
        say(at=f"{case['table']}: {case['name']}, {job.threads} threads")
        say(row=_row(job, contest, case, order))


def _contest(job: Job) -> Any:
    if job.part == "dropin":
        from .dropin import contest as dropin

        return dropin.Contest(job.threads, job.seconds, peers=job.peers)
    if job.part == "activations":
        from .activations import contest as activations

        return activations.Contest(job.threads, job.seconds, peers=job.peers)
    if job.part == "optimizers":
        from .optimizers import contest as optimizers

        return optimizers.Contest(job.threads, job.seconds, peers=job.peers)
    if job.part == "products":
        from .products import contest as products

        return products.Contest(job.threads, job.seconds, peers=job.peers)
    from .networks import contest as networks

    return networks.Contest(job.threads, job.seconds, peers=job.peers, quick=job.quick)


def _row(job: Job, contest: Any, case: dict[str, Any], order: random.Random) -> dict[str, Any]:
    from .field import rounds_of
    from .timing import pulse
    from .work import work_of

    subject, field = contest.field(case["given"])
    before = pulse()
    times = rounds_of(field.competitors, order, job.rounds, job.seconds, contest.rest)
    return {
        "part": job.part,
        "table": case["table"],
        "name": case["name"],
        "threads": job.threads,
        "series": case["series"],
        "axis": case["axis"],
        "x": case["x"],
        "case": case["given"],
        "work": work_of(subject),
        "µs": times,
        "left out": field.left_out,
        "pulse": [before, pulse()],
    }


if __name__ == "__main__":
    main()
