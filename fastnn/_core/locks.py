"""A lock that a thread may take again, and that ends a wait which nothing else could end."""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["Helper", "Lock"]

# Of what follows, so that of two threads the second sees the first; `__del__` may come in between.
_guard = threading.RLock()
_waits: dict[int, Lock] = {}  # what each thread, by its number, waits for
_helpers: dict[int, Helper] = {}  # of the threads that work for another one, which waits for them
_all: weakref.WeakSet[Lock] = weakref.WeakSet()


def _renew() -> None:
    """In a forked child, which has one thread, and that waits for nothing."""
    global _guard
    _guard = threading.RLock()
    _waits.clear()
    _helpers.clear()


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
        with _guard:
            _all.add(self)

    # A generator with `with` inside: wherever Ctrl-C comes, the lock is let go.
    @contextmanager
    def held(self) -> Iterator[None]:
        """Hold the lock in a ``with`` block.

        Raises
        ------
        RuntimeError
            If the owner waits for a lock that this thread holds, or for this thread's work: both
            would wait for ever.

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
            others, seen = self._owners(), {me}
            while others:
                other = others.pop()
                if other == me:
                    raise RuntimeError(self._trouble(me))
                if other not in seen and other in _waits:
                    others += _waits[other]._owners()
                seen.add(other)
            _waits[me] = self

    def _owners(self) -> list[int]:
        """The threads that must go on before the lock is free: its owner, and who works for it."""
        owner = self._owner
        if owner is None:
            return []
        return [owner, *(k for k, helper in _helpers.items() if helper.is_lent(self))]

    def _trouble(self, me: int) -> str:
        helper, why = _helpers.get(me), "waits for one that this thread is using"
        if helper is not None and helper.is_lent(self):
            why = f"waits for this one {helper.purpose}"
        return f"{self._name} is in use by another thread, which {why}: neither would ever go on"


class Helper:
    """What other threads do for this one, which holds its locks until they are done.

    So they must not ask for these, which is refused as by `Lock.held`.

    Parameters
    ----------
    purpose : str
        What this thread waits for them to do, for the error: "to …".

    """

    def __init__(self, purpose: str) -> None:
        self.purpose, self._asker = purpose, threading.get_ident()
        with _guard:
            self._lent = {lock for lock in list(_all) if lock._owner == self._asker}

    def is_lent(self, lock: Lock) -> bool:
        """Whether the asking thread holds the lock, and did so before it asked for help."""
        return lock._owner == self._asker and lock in self._lent

    @contextmanager
    def at_work(self) -> Iterator[None]:
        """Around the work, in the thread that does it."""
        me = threading.get_ident()
        try:
            with _guard:
                _helpers[me] = self
            yield
        finally:
            with _guard:
                _helpers.pop(me, None)
