"""Looking things up by name, forgivingly, with a helpful refusal."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from typing import TypeVar

T = TypeVar("T")

# What other libraries call numbers that entries have too.
_ELSEWHERE = {
    "lr": ("learning_rate",),
    "step_size": ("learning_rate",),
    "betas": ("beta1", "beta2"),
    "b1": ("beta1",),
    "b2": ("beta2",),
    "epsilon": ("eps",),
    "wd": ("weight_decay",),
    "decay": ("weight_decay",),
    "l2": ("weight_decay",),
    "momentum": ("mu",),
    "clipnorm": ("clip_norm",),
    "max_norm": ("clip_norm",),
    "clipvalue": ("clip_value",),
    "negative_slope": ("alpha",),
}


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
    near = difflib.get_close_matches(_plain(name), plain, n=3, cutoff=0.4) or sorted(plain)
    raise ValueError(f"unknown {kind} {name!r}; nearest: {', '.join(plain[n] for n in near)}")


def nearest(unknown: Iterable[str], known: Iterable[str]) -> str:
    """The end of a refusal of keywords: what may have been meant, or nothing.

    >>> nearest(["lr"], ["alpha", "learning_rate"])
    '; lr: learning_rate?'
    >>> nearest(["bta1"], ["beta1", "eps"]), nearest(["foo"], ["beta1"])
    ('; bta1: beta1?', '')
    """
    plain, hints = {_plain(name): name for name in known}, []
    for name in unknown:
        meant = [k for k in _ELSEWHERE.get(name, ()) if k in plain.values()]
        near = difflib.get_close_matches(_plain(name), plain, n=1, cutoff=0.6)
        meant = meant or [plain[one] for one in near]
        if meant:
            hints.append(f"; {name}: {', '.join(meant)}?")
    return "".join(hints)


def _plain(name: str) -> str:
    return name.lower().replace("-", "").replace("_", "")


def same_name(one: str, other: str) -> bool:
    """Whether two spellings differ by case and hyphens only.

    >>> same_name("red_apple", "Red-Apple")
    True
    """
    return _plain(one) == _plain(other)
