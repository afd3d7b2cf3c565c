"""A network as one C file: its numbers, a function for each activation, and one for a sample."""

from __future__ import annotations

import copy
import os
import re
from typing import Any

import numpy as np

from ..._core.arrays import Array
from ..._core.writing import checked_path, replacing
from ...activations import Activation
from ...kernels import activations as formulas
from ...layers import DenseLayer
from ...layers.base import check_finite
from ...layers.prepared import goes_own_way
from ...losses.base import CostFunction
from ...model.compile import is_compiled
from ...model.snapshot import snapshot
from ...model.stack import Stack
from . import preamble
from .names import checked_name
from .translate import View, call
from .values import Block, Dialect, Value

__all__ = ["export_c"]

_COLUMNS = 100  # of a line of numbers
_SCRATCH = 4  # numbers that the kernels of costs may use for a sample
_TOGETHER = 4  # inputs whose products are added in one pass over the outputs


def export_c(network: Stack, path: str | os.PathLike[str], name: str = "net") -> None:
    """See `NeuralNetwork.export_c`."""
    place, text = checked_path(path), _text(network, checked_name(name))
    with replacing(place) as file:
        file.write(text.encode("ascii"))


def _text(network: Stack, name: str) -> str:
    """The file."""
    layers, cost = _taken(network)
    program = _Program(Dialect(name, layers[0].dtype))
    for k, layer in enumerate(layers):
        program.add_layer(f"{k + 1}", layer)
    program.add_output(cost, layers[-1].dim_output)
    return program.text(layers, cost)


def _taken(network: Stack) -> tuple[list[DenseLayer], CostFunction]:
    """Layers and cost as they are now, if their code is the kernels'."""
    for k, layer in enumerate(list(network.layers)):
        if not isinstance(layer, DenseLayer) or goes_own_way(layer):
            raise TypeError(
                f"layers[{k}] is {layer!r}, whose code is not the library's, expected a DenseLayer"
            )
    now = snapshot(network)
    cost = now.cost_function
    if not is_compiled(now.layers, cost):
        raise TypeError(
            f"cost_function is {cost!r}, whose code is not the library's, expected a cost of "
            "fastnn.losses"
        )
    layers = copy.deepcopy(now.layers)  # another thread may train the network meanwhile
    for k, layer in enumerate(layers):
        check_finite(layer, k)
    return layers, cost


class _Program:
    """The parts of a file while it is written."""

    def __init__(self, dialect: Dialect) -> None:
        self._dialect = dialect
        self._data: list[str] = []
        self._functions: dict[tuple[Any, ...], tuple[str, str]] = {}  # their names and texts
        self._main: list[str] = []
        self._source = "x"  # where the output of the last layer stands
        self._room = 1  # numbers that p and q must hold

    def add_layer(self, number: str, layer: DenseLayer) -> None:
        """The products of a layer, and its activation."""
        dialect, spec, w = self._dialect, layer.activation, layer.w
        weights, biases = dialect.own(f"w{number}"), dialect.own(f"b{number}")
        self._add_data(weights, w)
        self._add_data(biases, np.concatenate([getattr(layer, part) for part in layer.trained[1:]]))
        source, z = self._source, "q" if self._source == "p" else "p"
        self._main.append(f"\n    /* layer {number}: {spec.name} */")
        start = "0" if spec.kind else f"{biases}[j]"  # kernels of whole layers add it themselves
        self._main += _product(dialect, weights, w.shape, source, z, start)
        self._room = max(self._room, w.shape[1] + (spec.kind.spare if spec.kind else 0))
        self._source = z
        if spec.kind:
            y, hyper = "p" if z == "q" else "q", spec.numbers(layer.activation_parameters)
            arrays = View(z), View(biases, writable=False), View(y)
            self._add_kernel(spec.kind.forward, (*arrays, hyper, layer.dim_output, 1, 0, 0))
            self._source = y
        elif not spec.is_identity:
            function = self._function(spec, layer.activation_parameters)
            self._add_loop(layer.dim_output, f"{z}[j] = {function}({z}[j]);")

    def add_output(self, cost: CostFunction, outputs: int) -> None:
        """The activation that the cost gives the output, which goes to y in the end."""
        cost.targets_for(outputs)
        activate, hyper = cost.kernels().activate, tuple(cost.numbers(outputs).tolist())
        self._main.append(f"\n    /* output: {type(cost).__name__} */")
        if activate is not None:
            y, scratch = View(self._source), View("scratch")
            self._add_kernel(activate, (y, y, scratch, hyper, outputs, 1, 0, 0))
        self._add_loop(outputs, f"y[j] = {self._source}[j];")

    def _add_data(self, name: str, array: Array) -> None:
        shape = "".join(f"[{n}]" for n in array.shape)
        head = f"static const {self._dialect.real} {name}{shape} {self._dialect.own('aligned')} = "
        self._data.append(f"{head}{_numbers(self._dialect, array.tolist())};\n")

    def _add_loop(self, count: int, statement: str) -> None:
        self._main += [f"    for (int j = 0; j < {count}; j++)", f"        {statement}"]

    def _add_kernel(self, kernel: Any, arguments: tuple[Any, ...]) -> None:
        """A tile kernel on one sample."""
        block = Block(self._dialect)
        call(block, kernel, arguments)
        self._main += ["    {", *block.lines(set(), 2), "    }"]

    def _function(self, spec: Activation, parameters: dict[str, float]) -> str:
        """The name of the C function of an activation, which is made at its first use."""
        key = spec.kernel, *parameters.values()
        if key not in self._functions:
            same = sum(other[0] == spec.kernel for other in self._functions)
            name = self._dialect.own(spec.kernel + (f"_{same + 1}" if same else ""))
            self._functions[key] = name, self._defined(name, spec, parameters)
        return self._functions[key][0]

    def _defined(self, name: str, spec: Activation, parameters: dict[str, float]) -> str:
        """The text of that function."""
        dialect, block = self._dialect, Block(self._dialect)
        x = Value("real", block.fresh("x"))
        numbers = [block.declare(k, dialect.constant(value)) for k, value in parameters.items()]
        y = block.bind("y", call(block, formulas.find(spec.kernel), (x, *numbers)))
        live = {y.text}
        lines = block.lines(live)
        if x.text not in live:
            lines.append(f"    (void){x.text};")
        head = f"{dialect.own('inline')} {dialect.real} {name}({dialect.real} {x.text})"
        return "\n".join(
            [f"/* {spec.name} */", head, "{", *lines, f"    return {y.text};", "}", ""]
        )

    def text(self, layers: list[DenseLayer], cost: CostFunction) -> str:
        """The whole file."""
        dialect, main = self._dialect, "\n".join(self._main)
        arrays = {"p": self._room, "q": self._room, "scratch": _SCRATCH}
        used = {name: n for name, n in arrays.items() if re.search(rf"\b{name}\[", main)}
        memory = [
            f"    {dialect.real} {name}[{n}] {dialect.own('aligned')} = {{0}};"
            for name, n in used.items()
        ]
        head = f"void {dialect.prefix}(const {dialect.real} *x, {dialect.real} *y)"
        body = [text for _, text in self._functions.values()] + self._data
        body += [f"{head};\n", "\n".join([head, "{", *memory, main, "}", ""])]
        kinds = [(layer.dim_output, layer.activation.name) for layer in layers]
        inputs, words = layers[0].dim_input, type(cost).__name__
        return "\n".join(
            [
                preamble.title(dialect, inputs, kinds, words, sum(used.values())),
                preamble.guards(dialect),
                preamble.sizes(dialect, inputs, kinds[-1][0]),
                preamble.functions(dialect, "\n".join(body)),
                *body,
                preamble.ending(dialect),
            ]
        )


def _product(
    dialect: Dialect, w: str, shape: tuple[int, ...], x: str, z: str, start: str
) -> list[str]:
    """Loops for z = start + x w: along the outputs, which stand side by side, in vectors."""
    inputs, columns = shape
    add = dialect.own("multiply_add")
    over = f"for (int j = 0; j < {columns}; j++)"
    lines = [f"    {over}", f"        {z}[j] = {start};"]
    whole = inputs - inputs % _TOGETHER
    if whole:
        lines += [f"    for (int i = 0; i < {whole}; i += {_TOGETHER}) {{"]
        lines += [f"        {over} {{", f"            {dialect.real} sum = {z}[j];"]
        for i in ("i", *(f"i + {k}" for k in range(1, _TOGETHER))):
            lines += [f"            sum = {add}({w}[{i}][j], {x}[{i}], sum);"]
        lines += [f"            {z}[j] = sum;", "        }", "    }"]
    for last in range(whole, inputs):
        lines += [f"    {over}", f"        {z}[j] = {add}({w}[{last}][j], {x}[{last}], {z}[j]);"]
    return lines


def _numbers(dialect: Dialect, values: list[Any], indent: str = "") -> str:
    """An initializer, in lines of so many columns."""
    inner = indent + "    "
    if isinstance(values[0], list):
        rows = [f"{inner}{_numbers(dialect, row, inner)}," for row in values]
        return "\n".join(["{", *rows, f"{indent}}}"])
    lines, line = [], inner[:-1]
    for word in map(dialect.number, values):
        if len(line) + len(word) + 2 > _COLUMNS:
            lines.append(line)
            line = inner[:-1]
        line += f" {word},"
    return "\n".join(["{", *lines, line, f"{indent}}}"])
