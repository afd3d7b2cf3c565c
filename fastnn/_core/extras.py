"""Packages that only an extra brings."""

from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["needed"]


@contextmanager
def needed(message: str, *packages: str) -> Iterator[None]:
    """Around an import: where one of these packages is missing, the error is this message.

    A package that is there and broken says so itself.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        if error.name not in packages:
            raise
        raise ModuleNotFoundError(message, name=packages[0]) from error
