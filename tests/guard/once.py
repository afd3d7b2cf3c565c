"""Work that several processes, which test side by side, do once."""

import json
import time

import pytest

__all__ = ["once"]

PATIENCE = 3000  # seconds


def once(place, work):
    """What `work` finds, done by the first of the processes that test side by side."""
    answer, partial = place.with_suffix(".json"), place.with_suffix(".part")
    try:
        place.touch(exist_ok=False)
    except FileExistsError:
        give_up = time.monotonic() + PATIENCE
        while not answer.exists() and time.monotonic() < give_up:
            time.sleep(0.2)
    else:
        try:
            found = {"found": work()}
        except Exception as error:
            found = {"error": repr(error)}
        partial.write_text(json.dumps(found))
        partial.rename(answer)
    found = json.loads(answer.read_text())
    if "error" in found:
        pytest.fail(f"{place.name}: {found['error']}")
    return found["found"]
