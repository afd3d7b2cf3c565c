"""Files that are complete or not there at all."""

from __future__ import annotations

import errno
import os
import stat
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import IO, Any

__all__ = ["checked_path", "replacing"]


def checked_path(value: Any) -> str:
    """The path of a file as a str."""
    try:
        path = os.fsdecode(value)
    except TypeError as error:
        raise TypeError(f"path must be a str or a path, not {value!r}") from error
    if not os.path.basename(path):
        raise ValueError(f"path is {path!r}, expected the name of a file")
    return path


@contextmanager
def replacing(path: str) -> Iterator[IO[bytes]]:
    """A new file, written beside its place and then moved there.

    Whatever interrupts the ``with`` block leaves the file that was there before. Of a symbolic link
    it is the file that this leads to. The new file has the mode of the old one.
    """
    path = os.path.realpath(path)
    if not os.path.isdir(os.path.dirname(path)):
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path)
    temporary = os.path.join(os.path.dirname(path), f".fastnn-{uuid.uuid4().hex}.tmp")
    try:
        # Opened here and not by `tempfile`, whose files nobody else may read.
        with open(temporary, "xb") as file:
            with suppress(OSError):  # there is none yet, or there are no modes
                os.chmod(temporary, stat.S_IMODE(os.stat(path).st_mode))
            yield file
        os.replace(temporary, path)
    except BaseException:
        if os.path.exists(temporary):
            os.unlink(temporary)
        raise
