"""A class for each entry of the table."""

from __future__ import annotations

import inspect
from typing import Any

from .._core.table import make_class
from .base import REDUCTIONS, CostFunction
from .mixture import MixtureDensityError
from .spec import Loss
from .table import LOSSES

__all__ = ["COSTS"]

_TARGETS = {
    "numbers": "Numbers.",
    "probabilities": "Probabilities.",
    "classes": "One-hot rows or probabilities; or labels, one axis less.",
    "counts": "Numbers, at least 0.",
    "signs": "-1 and 1, or 0 and 1.",
}


def _class(spec: Loss) -> type[CostFunction]:
    """The class of an entry."""
    if spec.kernel == "mixture":
        MixtureDensityError.spec = spec
        return MixtureDensityError
    own = [name for name in spec.parameters if not hasattr(CostFunction, name)]
    attributes: dict[str, Any] = {
        "spec": spec,
        "reduction": spec.reduction,
        "__signature__": _signature(spec),
        **{name: _attribute(name) for name in own},
    }
    return make_class(spec.name, CostFunction, __package__, _documentation(spec), attributes)


def _signature(spec: Loss) -> inspect.Signature:
    positional, keyword = inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY
    return inspect.Signature(
        [
            inspect.Parameter("reduction", positional, default=spec.reduction),
            *(inspect.Parameter(k, keyword, default=v) for k, v in spec.parameters.items()),
        ]
    )


def _attribute(name: str) -> property:
    return property(lambda cost: cost._parameters[name], doc=f"The parameter {name}.")


def _documentation(spec: Loss) -> str:
    """A class's docstring."""
    lines = [f"{spec.formula}, of each sample.", ""]
    lines += [spec.notes, ""] if spec.notes else []
    lines += ["Parameters", "----------"]
    known = " or ".join([", ".join(map(repr, REDUCTIONS[:-1])), repr(REDUCTIONS[-1])])
    lines += [f"reduction : {known}, default {spec.reduction!r}"]
    for name, default in spec.parameters.items():
        if default is None:
            lines += [f"{name} : sequence of numbers, optional", "    One for each class."]
        else:
            limit = f", {spec.limits[name]}" if name in spec.limits else ""
            lines += [f"{name} : {type(default).__name__}, default {default!r}{limit}"]
    shape = (
        "logits" if spec.per_target == 1 else f"logits, with 1/{spec.per_target} of the last axis"
    )
    lines += ["", "Targets", "-------", f"{_TARGETS[spec.targets]} Shape: that of the {shape}.", ""]
    if spec.peers:
        lines += ["Notes", "-----", spec.peers, ""]
    if spec.reference:
        lines += ["References", "----------", spec.reference, ""]
    return "\n".join([*lines, "Examples", "--------", spec.example, ""])


COSTS: dict[str, type[CostFunction]] = {spec.name: _class(spec) for spec in LOSSES.values()}
"""Their classes, by name."""
