"""Draws README's pictures of a report, from its figures: ``python docs/pictures/bench.py``.

The report is that of ``fastnn bench --peers --quick --out docs/bench``.
"""

from __future__ import annotations

import json
from pathlib import Path

from fastnn.bench.pictures import pictures
from fastnn.bench.results import Row

DOCS = Path(__file__).parent.parent
PICTURES = DOCS.parent / ".github" / "pictures"


def main() -> None:
    """The bars of trainings, and activations under the roofs of the machine."""
    report = json.loads((DOCS / "bench" / "results.json").read_text(encoding="utf-8"))
    drawn = pictures([Row.from_json(row) for row in report["rows"]], report["roofs"])
    for part in ("training", "roofline"):
        found = next(picture for picture in drawn if picture.part == part)
        path = PICTURES / f"bench-{part}.svg"
        path.write_text(found.svg, encoding="utf-8")
        print(f"{path.name}: {found.title}")


if __name__ == "__main__":
    main()
