"""Settings of an optimizer: how they are checked, and where kernels read them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt

from .._core.arrays import number, positive
from .._core.names import nearest
from ..kernels.optimizers import layout
from .spec import CHOICES, Rule

__all__ = ["COMMON", "NonFinite", "by_article_names", "checked", "write"]

NonFinite = Literal["raise", "skip", "ignore"]

_SAFE_EPS = 1e-30


def _optional(name: str) -> Callable[[Any], float | None]:
    return lambda value: None if value is None else positive(name, value)


def _on_nonfinite(value: Any) -> NonFinite:
    for known in get_args(NonFinite):
        if known == value:
            return known  # type: ignore[no-any-return]
    known = ", ".join(map(repr, get_args(NonFinite)))
    raise ValueError(f"on_nonfinite must be one of {known}, not {value!r}")


# What every rule has, and how it is checked; a weight decay of None is the rule's own.
COMMON: dict[str, Callable[[Any], Any]] = {
    "weight_decay": lambda value: None if value is None else number("weight_decay", value, least=0),
    "clip_norm": _optional("clip_norm"),
    "clip_value": _optional("clip_value"),
    "on_nonfinite": _on_nonfinite,
}


def by_article_names(rule: Rule, hyper: Mapping[str, Any]) -> dict[str, Any]:
    """The rule's numbers as given, the learning rate under the article's name."""
    given = dict(hyper)
    if "learning_rate" in given and rule.rate in given and rule.rate != "learning_rate":
        raise TypeError(f"learning_rate and {rule.rate} are the same; give one of them")
    if "learning_rate" in given:
        given[rule.rate] = given.pop("learning_rate")
    unknown = [name for name in given if name not in rule.defaults]
    if unknown:
        known = ", ".join([*rule.defaults, *COMMON])
        near = nearest(unknown, [*rule.defaults, *COMMON, "learning_rate"])
        raise TypeError(f"{rule.name} has no {', '.join(unknown)}; it has {known}{near}")
    return given


def checked(rule: Rule, settings: Mapping[str, Any]) -> dict[str, Any]:
    """All settings as they should be, or an error."""
    own = {name: value for name, value in settings.items() if name not in COMMON}
    result = rule.checked(own)
    result |= {name: check(settings[name]) for name, check in COMMON.items()}
    if result["weight_decay"] is None:
        result["weight_decay"] = rule.weight_decay
    if result.get("step_min", 0.0) > result.get("step_max", np.inf):
        raise ValueError(
            f"step_min must be at most step_max, {result['step_max']!r}, but is "
            f"{result['step_min']!r}"
        )
    return result


def write(rule: Rule, settings: Mapping[str, Any], out: npt.NDArray[np.float64]) -> None:
    """Put settings where kernels read them."""
    clip_value = settings["clip_value"]
    out[layout.LIMIT] = np.inf if clip_value is None else clip_value
    out[layout.SCALE], out[layout.DECAY] = 1.0, settings["weight_decay"]
    out[layout.CLIP] = settings["clip_norm"] or 0.0
    hyper = {name: settings[name] for name in rule.own}
    # A tiny eps may be zero in float32, and a zero gradient then divides zero by zero.
    eps = min((v for k, v in hyper.items() if k in ("eps", "lambda_")), default=1.0)
    out[layout.LOOK] = rule.tries or eps < _SAFE_EPS
    out[layout.SKIP] = get_args(NonFinite).index(settings["on_nonfinite"])
    for index, (name, value) in enumerate(hyper.items(), int(layout.OWN)):
        coded = CHOICES[name].index(value) if isinstance(value, str) else value
        out[index] = 0.0 if coded is None or callable(coded) else coded
