"""The table of activations, `get_act`, and a class for each entry.

To add an activation: its formulas in ``kernels/activations/``, its twin in
``fastnn/reference/activations/``, and an entry here. Classes, ufuncs, layers, engine,
documentation, tests and benchmarks take it from the entry. Of one that acts on all features
together: kernels in ``kernels/activations/vector.py``, the twin in
``fastnn/reference/vector_activations.py``, an entry here and a class.
"""

from __future__ import annotations

import copyreg
import inspect
from collections.abc import Mapping
from typing import Any

from .._core.names import lookup
from .base import Activator, Elementwise
from .spec import EXACT, Activation
from .vector import AlongAxis, GatedUnit, Maxout, ParametricReLU

__all__ = ["ACTIVATIONS", "Activation", "Activator", "Maxout", "find", "get_act"]

_COMPOSITE = (4.0, 4.0, 8.0)
_PARABOLA = (2.0, 4.0, 0.5)  # pieces of second degree
_AT_LEAST_0 = {"lambda_": "at least 0"}

_GELU_TANH = Activation(
    "GELU-tanh", "gelu_tanh", "x/2 (1 + tanh(sqrt(2/π) (x + 0.044715 x³)))", "GELUTanh",
    bounds=_COMPOSITE, reference="Hendrycks and Gimpel, 2016, arXiv:1606.08415",
)  # fmt: skip

_SPECS = (
    Activation("step", "step", "1 for x > 0, else 0", "Step", "step", bounds=EXACT),
    Activation(
        "identity", "identity", "x", "Identity", "identity", aliases=("linear",), bounds=EXACT
    ),
    Activation(
        "bent-identity", "bent_identity", "(sqrt(x² + 1) - 1) / 2 + x", "BentIdentity",
        "bentIdentity",
    ),
    Activation(
        "hard-shrink", "hard_shrink", "0 for |x| <= lambda_, else x", "HardShrink", "hardShrink",
        limits=_AT_LEAST_0, bounds=EXACT,
    ),
    Activation(
        "soft-shrink", "soft_shrink", "0 for |x| <= lambda_, else x - lambda_ sign(x)",
        "SoftShrink", "softShrink", limits=_AT_LEAST_0, bounds=EXACT,
    ),
    Activation(
        "threshold", "threshold", "x for x > threshold, else value", "Threshold", "threshold",
        bounds=EXACT,
    ),
    Activation(
        "sigmoid", "sigmoid", "1 / (1 + exp(-x))", "Sigmoid", "sigmoid", aliases=("logistic",)
    ),
    Activation(
        "hard-sigmoid", "hard_sigmoid", "slope x + offset, within 0 and 1", "HardSigmoid",
        "hardSigmoid", bounds=EXACT,
    ),
    Activation("log-sigmoid", "log_sigmoid", "-log(1 + exp(-x))", "LogSigmoid", "logSigmoid"),
    Activation("tanh", "tanh", "tanh(x)", "Tanh", "act_tanh"),
    Activation(
        "tanh-shrink", "tanh_shrink", "x - tanh(x)", "TanhShrink", "tanhShrink", bounds=_COMPOSITE
    ),
    Activation(
        "hard-tanh", "hard_tanh", "x, within min_val and max_val", "HardTanh", "hardtanh",
        limits={"max_val": "above min_val"}, bounds=EXACT,
    ),
    Activation("ReLU", "relu", "max(x, 0)", "ReLU", "ReLU", bounds=EXACT),
    Activation("ReLU6", "relu6", "min(max(x, 0), 6)", "ReLU6", "ReLU6", bounds=EXACT),
    Activation(
        "leaky-ReLU", "leaky_relu", "x for x >= 0, else alpha x", "LeakyReLU", "leakyReLU",
        bounds=EXACT,
    ),
    Activation(
        "ELU", "elu", "x for x >= 0, else alpha (exp(x) - 1)", "ELU", "ELU",
        reference="Clevert, Unterthiner and Hochreiter, 2016, arXiv:1511.07289",
    ),
    Activation(
        "SELU", "selu", "lambda_ x for x >= 0, else lambda_ alpha (exp(x) - 1)", "SELU", "SELU",
        reference="Klambauer et al., Self-normalizing neural networks, 2017, arXiv:1706.02515",
    ),
    Activation(
        "CELU", "celu", "x for x >= 0, else alpha (exp(x / alpha) - 1)", "CELU", "CELU",
        limits={"alpha": "other than 0"},
        reference="Barron, Continuously differentiable exponential linear units, 2017, "
        "arXiv:1704.07483",
    ),
    Activation("softmax", "softmax", "exp(x) / Σ exp(x)", "Softmax", "softmax"),
    Activation("softmin", "softmin", "exp(-x) / Σ exp(-x)", "Softmin", "softmin"),
    Activation("log-softmax", "log_softmax", "x - log Σ exp(x)", "LogSoftmax", "logSoftmax"),
    Activation("softplus", "softplus", "log(1 + exp(x))", "Softplus", "softplus"),
    Activation("softsign", "softsign", "x / (1 + |x|)", "Softsign", "softsign"),
    Activation(
        "Swish", "swish", "x / (1 + exp(-beta x))", "Swish", "Swish", aliases=("silu",),
        reference="Ramachandran, Zoph and Le, Searching for activation functions, 2017, "
        "arXiv:1710.05941",
    ),
    Activation(
        "Mish", "mish", "x tanh(log(1 + exp(x)))", "Mish", "Mish",
        bounds=(4.0, 4.0, 10.0),  # f'' is a product of seven factors, each of them rounded
        reference="Misra, 2019, arXiv:1908.08681",
    ),
    Activation(
        "tanhExp", "tanh_exp", "x tanh(exp(x))", "TanhExp", "tanhExp",
        # f'' falls as exp(-2 exp(x)), whose error is that of its exponent, up to 750
        bounds=(4.0, 4.0, 80.0),
        reference="Liu and Di, 2020, arXiv:2003.09855",
    ),
    Activation(
        "maxout", "maxout", "the largest of k", "Maxout", "maxout",
        reference="Goodfellow et al., Maxout networks, 2013, arXiv:1302.4389",
    ),
    Activation(
        "GELU", "gelu", "x Φ(x), Φ the normal distribution's", "GELU", bounds=_COMPOSITE,
        variants={"approximate": {"none": None, "tanh": _GELU_TANH}},
        reference="Hendrycks and Gimpel, 2016, arXiv:1606.08415",
    ),
    _GELU_TANH,
    Activation(
        "hard-Swish", "hard_swish", "x min(max(x + 3, 0), 6) / 6", "HardSwish",
        aliases=("hard-silu",), bounds=_PARABOLA,
        reference="Howard et al., Searching for MobileNetV3, 2019, arXiv:1905.02244",
    ),
    Activation(
        "squareplus", "squareplus", "(x + sqrt(x² + b)) / 2", "Squareplus",
        limits={"b": "at least 0"}, reference="Barron, Squareplus, 2021, arXiv:2112.11687",
    ),
    Activation("log-cosh", "log_cosh", "log(cosh(x))", "LogCosh", bounds=_COMPOSITE),
    Activation("exponential", "exponential", "exp(x)", "Exponential"),
    Activation(
        "sparse-plus", "sparse_plus", "0 for x <= -1, x for x >= 1, else (x + 1)²/4", "SparsePlus",
        bounds=_PARABOLA,
    ),
    Activation(
        "sparse-sigmoid", "sparse_sigmoid", "(x + 1)/2, within 0 and 1", "SparseSigmoid",
        bounds=EXACT,
    ),
    Activation(
        "PReLU", "prelu", "x for x >= 0, else alpha x, alpha trained", "PReLU", bounds=EXACT,
        reference="He et al., Delving deep into rectifiers, 2015, arXiv:1502.01852",
    ),
    Activation(
        "GLU", "glu", "a / (1 + exp(-b)), x = (a, b)", "GLU",
        reference="Dauphin et al., Language modeling with gated convolutional networks, 2017, "
        "arXiv:1612.08083",
    ),
)  # fmt: skip

ACTIVATIONS: dict[str, Activation] = {spec.name: spec for spec in _SPECS}
"""All entries, by name."""
_NAMES = {**{alias: spec for spec in _SPECS for alias in spec.aliases}, **ACTIVATIONS}

_SEVERAL: dict[str, type[Activator]] = {
    "softmax": AlongAxis,
    "softmin": AlongAxis,
    "log_softmax": AlongAxis,
    "glu": GatedUnit,
    "maxout": Maxout,
    "prelu": ParametricReLU,
}


def find(name: str | Activation) -> Activation:
    """The entry of that name; upper and lower case, hyphens and underscores do not matter.

    Raises
    ------
    ValueError
        If there is none; the message names the nearest known names.

    Examples
    --------
    >>> find("relu").formula
    'max(x, 0)'

    """
    return name if isinstance(name, Activation) else lookup("activation", name, _NAMES)


# Copies and pickles are the entry itself.
copyreg.pickle(Activation, lambda spec: (find, (spec.name,)))


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
    return _CLASSES[find(name).name](*args, **parameters)


def _class(spec: Activation) -> type[Activator]:
    """The class of an entry."""
    if spec.kernel == "maxout":
        Maxout.spec = spec
        return Maxout
    base = _SEVERAL.get(spec.kernel, Elementwise)
    return type(spec.class_name, (base,), {
        "spec": spec,
        "name": spec.name,
        "__module__": __package__,
        "__doc__": _documentation(spec, base),
    })  # fmt: skip


def _documentation(spec: Activation, base: type[Activator]) -> str:
    """A class's docstring."""
    lines = [f"{spec.formula}.", ""]
    if base is Elementwise:
        forward, derivative, second = spec.bounds
        lines += [
            f"Errors are at most {forward:g} ULP, of the derivative {derivative:g}, of the second "
            f"{second:g}.",
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


_CLASSES = {spec.name: _class(spec) for spec in _SPECS}
for _spec in _SPECS:
    globals()[_spec.class_name] = _CLASSES[_spec.name]
__all__ += [spec.class_name for spec in _SPECS if spec.class_name != "Maxout"]


def __getattr__(name: str) -> type[Activator]:  # types of what the loop above defines
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
