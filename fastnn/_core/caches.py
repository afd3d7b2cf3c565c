"""The caches of the machine, as far as the system tells."""

from __future__ import annotations

import functools
import os
from pathlib import Path

__all__ = ["second_cache"]

_USUAL, _LEAST, _MOST = 1 << 19, 1 << 18, 1 << 20  # bytes
_FILE = Path("/sys/devices/system/cpu/cpu0/cache/index2/size")


@functools.cache
def second_cache() -> int:
    """Bytes of a core's second-level cache, from 256 KB to 1 MB; 512 KB where none is told."""
    found = _told()
    return min(max(found, _LEAST), _MOST) if found > 0 else _USUAL


def _told() -> int:
    try:
        found = os.sysconf("SC_LEVEL2_CACHE_SIZE")
    except (AttributeError, OSError, ValueError):  # not every system knows the question
        found = 0
    if found <= 0:
        try:
            text = _FILE.read_text().strip()
            found = int(text.removesuffix("K")) * 1024
        except (OSError, ValueError):
            found = 0
    return found
