"""Python's collector of cyclic garbage, and when it is better left out."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def paused() -> Iterator[None]:
    """Without collections, as in a measurement, or an import: its thousands of objects stay.

    Each full collection would look at all that numba holds, and cost as much as a quarter of the
    import of this library.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()
