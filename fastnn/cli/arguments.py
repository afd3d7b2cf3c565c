"""What arguments of commands are: argparse types, and errors in one line."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from typing import Any, NoReturn

import numpy as np

__all__ = ["DTYPES", "Parser", "dtype", "fail", "listed", "size", "whole_number"]

DTYPES = ("float32", "float64")


class Parser(argparse.ArgumentParser):
    """Takes names before, between and after options; reports a bad argument in one line."""

    _mixing = False

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Parse as `argparse` does for commands, and with names anywhere for what they take."""
        if self._subparsers is not None or self._mixing:
            return super().parse_known_args(args, namespace)
        self._mixing = True  # the method below calls this one, in Python 3.11
        try:
            return self.parse_known_intermixed_args(args, namespace)
        finally:
            self._mixing = False

    def error(self, message: str) -> NoReturn:
        """End with the message, in one line."""
        fail(message)


def fail(message: str, code: int = 2) -> NoReturn:
    """End the program with one line and an exit code."""
    print("fastnn: error:", " ".join(message.split()), file=sys.stderr)
    raise SystemExit(code)


def dtype(text: str) -> str:
    """An argparse type: the name of a dtype, of any that NumPy has for it; else the text."""
    try:
        return np.dtype(text).name
    except (TypeError, ValueError, SyntaxError):
        return text


class listed:  # noqa: N801
    """An argparse type: values of another type, separated by commas."""

    def __init__(self, kind: Callable[[str], Any]) -> None:
        self.kind = kind

    def __call__(self, text: str) -> list[Any]:
        """The values in a text."""
        return list(dict.fromkeys(self.kind(item.strip()) for item in text.split(",")))


def size(text: str) -> str:
    """A number of which k and M are a thousand and a million."""
    digits = text[:-1] if text[-1:] in ("k", "M") else text
    try:
        if float(digits) > 0:
            return text
    except ValueError:
        pass
    raise argparse.ArgumentTypeError(f"sizes must be numbers like 1000, 16k or 1M, not {text!r}")


class whole_number:  # noqa: N801  (a converter, named as `int` is)
    """An argparse type: an integer within bounds, with a message that says which."""

    def __init__(self, name: str, least: int, most: int | None = None) -> None:
        self.name, self.least, self.most = name, least, most

    def __call__(self, text: str) -> int:
        """The integer that a text is."""
        try:
            value = int(text)
        except ValueError:
            raise argparse.ArgumentTypeError(
                f"{self.name} must be an integer, not {text!r}"
            ) from None
        if value < self.least or (self.most is not None and value > self.most):
            bounds = f"at least {self.least}"
            if self.most is not None:
                bounds = f"between {self.least} and {self.most}"
            raise argparse.ArgumentTypeError(f"{self.name} must be {bounds}, but is {text}")
        return value
