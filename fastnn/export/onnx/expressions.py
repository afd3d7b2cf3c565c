"""Activations that other programs write as several operators, found by what they compute."""

from __future__ import annotations

import re
from typing import Any, NamedTuple

import numpy as np
from onnx import NodeProto

from .graph import Graph, attributes

__all__ = ["Expression", "expression"]

_EXPRESSIONS = {
    "Mul(Sigmoid(x),x)": "Swish",
    "Mul(Sigmoid(Mul({beta},x)),x)": "Swish",
    "Mul(Tanh(Softplus(x)),x)": "Mish",
    "Mul(Tanh(Exp(x)),x)": "tanhExp",
    "Sub(x,Tanh(x))": "tanh-shrink",
    "Log(Sigmoid(x))": "log-sigmoid",
    "Softmax(Neg(x))": "softmin",
    "Log(Softmax(x))": "log-softmax",
    "Log(Add(1,Exp(x)))": "softplus",
    "Where(Greater(x,20),x,Softplus(x))": "softplus",
    "Div(x,Add(1,Abs(x)))": "softsign",
    "Max(0,x)": "ReLU",
    "Div(Mul(Clip(Add(3,x),0,6),x),6)": "hard-Swish",
    "Mul(Sigmoid(Split1(x)),Split0(x))": "GLU",
    "Where(LessOrEqual(x,{threshold}),{value},x)": "threshold",
    "Where(LessOrEqual(Abs(x),{lambda_}),0,x)": "hard-shrink",
    "Where(Greater(Abs(x),{lambda_}),Sub(x,Mul({lambda_},Sign(x))),Mul(0,x))": "soft-shrink",
    "Mul(0.5,Mul(Add(1,Erf(Div(x,1.41421))),x))": "GELU",
    "Mul(0.5,Mul(Add(1,Tanh(Mul(0.797885,Add(Mul(0.044715,Mul(Mul(x,x),x)),x)))),x))": "GELU-tanh",
}
"""Of x and numbers in six digits; what commutes is sorted. Names in braces are parameters."""

_COMMUTE = "Add", "Mul", "Max", "Min"
_MOST = 12  # nodes of an activation
_LONGEST = 200  # letters


def _pattern(text: str) -> re.Pattern[str]:
    """A regular expression; a name's second place is the same number again."""
    for name in re.findall(r"{(\w+)}", text):
        text = text.replace(f"{{{name}}}", f"<{name}>", 1).replace(f"{{{name}}}", f"<={name}>")
    text = re.sub(r"<(\w+)>", r"(?P<\1>[-+.e\\d]+)", re.escape(text))
    return re.compile(re.sub(r"<=(\w+)>", r"(?P=\1)", text))


_PATTERNS = [(_pattern(text), name) for text, name in _EXPRESSIONS.items()]


class Expression(NamedTuple):
    """An activation of several nodes."""

    name: str
    parameters: dict[str, float]
    value: str  # what it makes
    node: NodeProto  # its first


def expression(graph: Graph, value: str) -> Expression | None:
    """The activation that begins at a value; the longest, if a shorter one does, too."""
    texts, numbers = {value: "x"}, dict[str, float]()
    inside: list[NodeProto] = []
    found = None
    while len(inside) < _MOST:
        node = _next(graph, texts, inside, numbers)
        if node is None:
            break
        inside.append(node)
        end = _end(graph, texts, inside)
        for pattern, name in _PATTERNS if end else ():
            match = pattern.fullmatch(texts[end or ""])
            if match and end:
                given = {key: numbers[text] for key, text in match.groupdict().items()}
                found = Expression(name, given, end, inside[0])
    return found


def _next(
    graph: Graph, texts: dict[str, str], inside: list[NodeProto], numbers: dict[str, float]
) -> NodeProto | None:
    """A node all of whose inputs are known; its outputs are known then."""
    for known in list(texts):
        for node in graph.consumers(known):
            if any(node is other for other in inside) or node.domain not in ("", "ai.onnx"):
                continue
            text = _text(graph, node, texts, numbers)
            if text is not None and len(text) < _LONGEST:
                several = len(node.output) > 1
                for k, name in enumerate(node.output):
                    texts[name] = text.replace("(", f"{k}(", 1) if several else text
                return node
    return None


def _text(
    graph: Graph, node: NodeProto, texts: dict[str, str], numbers: dict[str, float]
) -> str | None:
    """What a node computes; None if that is not of x and numbers alone."""
    given = attributes(node)
    axis, parts = given.pop("axis", 1), given.pop("num_outputs", 2)
    if given or axis not in (1, -1) or parts != 2:
        return None
    arguments = []
    for k, name in enumerate(node.input):
        text = texts.get(name)
        if text is None:
            constant = graph.constant(node, k)
            if node.op_type == "Split" and _are_halves(constant):
                continue
            if constant is None or constant.size != 1:
                return None
            number = float(constant.ravel()[0])
            text = f"{number:.6g}"
            numbers[text] = number
        arguments.append(text)
    if node.op_type in _COMMUTE:
        arguments.sort()
    return f"{node.op_type}({','.join(arguments)})"


def _are_halves(sizes: np.ndarray[Any, Any] | None) -> bool:
    return sizes is not None and sizes.shape == (2,) and bool(sizes[0] == sizes[1])


def _end(graph: Graph, texts: dict[str, str], inside: list[NodeProto]) -> str | None:
    """The only value that leads on, if there is one only."""
    leading = [
        name
        for name in texts
        if name == graph.output
        or any(all(n is not other for other in inside) for n in graph.consumers(name))
    ]
    return leading[0] if len(leading) == 1 else None
