"""Items that a thread makes while the ones before are in use."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator
from contextlib import closing
from queue import SimpleQueue
from typing import Any, Generic, TypeVar

from .locks import Helper

__all__ = ["ahead"]

T = TypeVar("T")

_PATIENCE = 5.0  # seconds that an end waits for what is being made


def ahead(make: Callable[[], Generator[T, None, None]]) -> Generator[T, None, None]:
    """The items of a generator, each made by a thread while the one before is in use.

    Two items are alive at a time, if the caller keeps none: the next one is begun when the one
    before it has been taken. Close this iterator, as by ``contextlib.closing``: that ends the
    thread, which closes the generator. An exception of the generator is raised here.
    """
    reader = _Reader(make)
    try:
        if not reader.start():
            with closing(make()) as items:
                yield from items
            return
        while (item := reader.take()) is not _END:
            yield item
            del item
    finally:
        reader.end()


_END: Any = object()


class _Reader(Generic[T]):
    """The thread, and what it has made."""

    def __init__(self, make: Callable[[], Generator[T, None, None]]) -> None:
        self._make, self._over = make, False
        self._helper = Helper("to read its blocks")
        self._made, self._taken = SimpleQueue[Any](), SimpleQueue[None]()
        # A daemon does not hold back the interpreter's exit.
        self._thread = threading.Thread(target=self._run, name="fastnn-reader", daemon=True)

    def start(self) -> bool:
        """Start the thread; False where the system refuses one."""
        try:
            self._thread.start()
        except RuntimeError:  # can't start new thread
            return False
        return True

    def take(self) -> T:
        """The next item, or `_END`; whatever has ended the thread is raised."""
        item, error = self._made.get()  # Ctrl-C reaches a thread that waits here
        if error is not None:
            try:
                raise error
            finally:
                del error  # or its traceback would hold itself
        self._taken.put(None)
        return item  # type: ignore[no-any-return]

    def end(self) -> None:
        """End the thread: at once, or when it has made what it is at."""
        self._over = True
        self._taken.put(None)
        if self._thread.ident is not None:
            self._thread.join(_PATIENCE)

    def _run(self) -> None:
        try:
            with self._helper.at_work(), closing(self._make()) as items:
                for item in items:
                    self._made.put((item, None))
                    del item  # the caller's now
                    self._taken.get()
                    if self._over:
                        return
        except BaseException as error:
            self._made.put((None, error))
        else:
            self._made.put((_END, None))
