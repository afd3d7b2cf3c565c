"""Looking things up by name, forgivingly, with a helpful refusal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

T = TypeVar("T")


def lookup(kind: str, name: str, table: Mapping[str, T]) -> T:
    """The entry called `name`, whatever its case and hyphens.

    Examples
    --------
    >>> lookup("fruit", "Red-Apple", {"red_apple": 1})
    1
    >>> lookup("fruit", "pare", {"pear": 1, "fig": 2})
    Traceback (most recent call last):
        ...
    ValueError: unknown fruit 'pare'; nearest: pear

    """
    if not isinstance(name, str):
        raise TypeError(f"{kind} must be given by its name, a str, not {type(name).__name__}")
    plain = {_plain(known): known for known in table}
    if _plain(name) in plain:
        return table[plain[_plain(name)]]
    import difflib

    near = difflib.get_close_matches(_plain(name), plain, n=3, cutoff=0.4) or sorted(plain)
    raise ValueError(f"unknown {kind} {name!r}; nearest: {', '.join(plain[n] for n in near)}")


def _plain(name: str) -> str:
    return name.lower().replace("-", "").replace("_", "")


def same_name(one: str, other: str) -> bool:
    """Whether two spellings differ by case and hyphens only.

    >>> same_name("red_apple", "Red-Apple")
    True
    """
    return _plain(one) == _plain(other)
