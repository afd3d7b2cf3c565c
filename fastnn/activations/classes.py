"""A class for each entry of the table, and `get_act`."""

from __future__ import annotations

import inspect
import math
from collections.abc import Mapping
from typing import Any

from .._core.table import make_class
from .base import Activator
from .elementwise import Elementwise
from .glu import GatedUnit
from .maxout import Maxout
from .prelu import ParametricReLU
from .softmax import AlongAxis
from .spec import Activation
from .table import ACTIVATIONS, find

__all__ = ["CLASSES", "choose", "get_act"]

_BASES: dict[str, type[Activator]] = {
    "softmax": AlongAxis,
    "softmin": AlongAxis,
    "log_softmax": AlongAxis,
    "glu": GatedUnit,
    "maxout": Maxout,
    "prelu": ParametricReLU,
}
"""Of activations of several numbers at once, by their kernels."""


def choose(
    given: str | Activation | Activator, parameters: Mapping[str, Any]
) -> tuple[Activation, dict[str, Any]]:
    """The entry that a name and parameters mean, or that an activation has; and all parameters."""
    if isinstance(given, Activator):
        spec = getattr(given, "spec", None)
        if spec is None:
            raise TypeError(
                f"activation {given!r} has no kernels: derive a layer from fastnn.Layer instead"
            )
        own = {name: given.parameters[name] for name in spec.parameters if name in given.parameters}
        return spec, spec.checked({**own, **parameters})
    spec, rest = find(given).variant(parameters)
    return spec, spec.checked(rest)


def get_act(name: str, *args: Any, **parameters: Any) -> Activator:
    """An activation by its name.

    Parameters
    ----------
    name : str
        Of an entry of ``fastnn.activations.ACTIVATIONS``, or an alias: ``"ReLU"``,
        ``"leaky-ReLU"``, ``"silu"`` … Upper and lower case, hyphens and underscores do not matter.
    *args, **parameters
        The activation's parameters, in the articles' order or by name.

    Returns
    -------
    Activator

    Raises
    ------
    ValueError
        For an unknown name (the message names the nearest) or a parameter out of its range.
    TypeError
        For a parameter that the activation does not have.

    Examples
    --------
    >>> act = get_act("leaky-ReLU", alpha=0.5)
    >>> act.forward([-2.0, 3.0])
    array([-1.,  3.])
    >>> act.backward([-2.0, 3.0])
    array([0.5, 1. ])

    """
    return CLASSES[find(name).name](*args, **parameters)


def _class(spec: Activation) -> type[Activator]:
    """The class of an entry."""
    if spec.kernel == "maxout":
        Maxout.spec = spec
        return Maxout
    base = _BASES.get(spec.kernel, Elementwise)
    attributes = {"spec": spec, "name": spec.name}
    return make_class(spec.class_name, base, __package__, _documentation(spec, base), attributes)


def _documentation(spec: Activation, base: type[Activator]) -> str:
    """A class's docstring."""
    lines = [f"{spec.formula}.", ""]
    if base is Elementwise:
        forward, derivative, second, third = spec.bounds
        lines += [
            f"Errors are at most {forward:g} ULP, of the derivative {derivative:g}, of the second "
            f"{second:g}, of the third {third:g}.",
            "",
        ]
        if math.isfinite(spec.largest[0]):
            name, (single, double) = next(iter(spec.parameters)), spec.largest
            lines += [
                f"NaN where abs({name} x) is above {single:.4g} (float32) or {double:.4g}.",
                "",
            ]
        if spec.parameters:
            lines += ["Parameters", "----------"]
            for name, default in spec.parameters.items():
                limit = f", {spec.limits[name]}" if name in spec.limits else ""
                lines += [f"{name} : float, default {default!r}{limit}"]
            lines += [""]
    elif base.__doc__:
        lines += [inspect.cleandoc(base.__doc__), ""]
    if spec.reference:
        lines += ["References", "----------", spec.reference, ""]
    return "\n".join(lines)


CLASSES = {spec.name: _class(spec) for spec in ACTIVATIONS.values()}
"""All classes, by the names of their entries."""
