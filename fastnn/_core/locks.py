"""A lock that a thread may take again, and that ends a wait which nothing else could end."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["Lock"]

_guard = threading.Lock()  # of the next, so that of two threads the second sees the first
_waits: dict[int, Lock] = {}  # what each thread, by its number, waits for


def _renew() -> None:
    """In a forked child, which has one thread, and that waits for nothing."""
    global _guard
    _guard = threading.Lock()
    _waits.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew)


class Lock:
    """Reentrant; refuses to wait for a thread that waits for this one, directly or over others.

    Parameters
    ----------
    name : str
        Of what it guards, for the error.

    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._lock = threading.RLock()
        self._owner: int | None = None

    # A generator with `with` inside: wherever Ctrl-C comes, the lock is let go.
    @contextmanager
    def held(self) -> Iterator[None]:
        """Hold the lock in a ``with`` block.

        Raises
        ------
        RuntimeError
            If the owner waits for a lock that this thread holds: both would wait for ever.

        """
        me = threading.get_ident()
        again = self._owner == me
        try:
            if not again:
                self._announce(me)
            with self._lock:
                try:
                    self._owner = me
                    _waits.pop(me, None)
                    yield
                finally:
                    if not again:
                        self._owner = None
        finally:
            _waits.pop(me, None)

    def _announce(self, me: int) -> None:
        """Say what this thread is about to wait for, unless that would close a circle."""
        with _guard:
            lock: Lock | None = self
            seen: set[int] = set()
            while lock is not None and (owner := lock._owner) is not None and owner not in seen:
                if owner == me:
                    raise RuntimeError(
                        f"{self._name} is in use by another thread, which waits for one that this "
                        "thread is using: neither would ever go on"
                    )
                seen.add(owner)
                lock = _waits.get(owner)
            _waits[me] = self
