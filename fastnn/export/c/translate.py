"""From the kernels' Python to C, so that both compute the same.

Formulas and loops of the kernels are written in a small part of Python: assignments, arithmetic,
comparisons, selects, calls of one another, loops over ranges, and the instructions of
``kernels/codegen/intrinsics.py``. A call here walks through the source of a function with values
that are either known now, such as sizes, tables and functions, or pieces of C. What is known is
computed; of the rest come statements. Calls are put in line, so that tuples, and functions that are
given as arguments, leave nothing behind. Whatever else a kernel has is refused with its place.
"""

from __future__ import annotations

import ast
import functools
import inspect
import itertools
import textwrap
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import FunctionType
from typing import Any, NamedTuple

from ...kernels.codegen.declare import by_dtype, carray
from .operations import BINARY, COMPARISONS, INSTRUCTIONS, binary, both, compare, select, unary
from .values import Block, Refused, Value

__all__ = ["View", "call"]

_CHOICE = f"{by_dtype.__qualname__}.<locals>.chosen"
_NOW = {bool, float, int, max, min}  # computed while translating, of numbers
_WRONG = (Refused, ArithmeticError, AttributeError, IndexError, KeyError, TypeError, ValueError)


class View(NamedTuple):
    """An array of C: where it begins in which one, and its shape; none of a pointer."""

    base: str
    offset: Any = 0
    shape: tuple[int, ...] = ()
    writable: bool = True


class _Unknown(NamedTuple):
    """Stands for a variable that a loop assigns, outside that turn of it."""

    name: str


def call(block: Block, function: Callable[..., Any], arguments: Sequence[Any]) -> Any:
    """What a function of the kernels returns; its statements go to the block.

    Parameters
    ----------
    block : Block
    function : callable
        A scalar formula or a tile kernel.
    arguments : sequence
        Numbers and functions that are known, `Value` and `View`.

    Raises
    ------
    NotImplementedError
        For anything that is not translated, naming the function and the line.

    """
    try:
        return _called(block, function, arguments)
    except Refused as error:
        raise NotImplementedError(f"not translated to C: {error}") from error


def _called(block: Block, function: Any, arguments: Sequence[Any]) -> Any:
    """The same, within another function."""
    if not isinstance(function, FunctionType):
        raise Refused(f"a call of {getattr(function, '__name__', function)!r}")
    if function.__qualname__ == _CHOICE:
        both_ways = inspect.getclosurevars(function).nonlocals
        return _called(block, both_ways["single" if block.dialect.single else "double"], arguments)
    definition = _parsed(function)
    names = [argument.arg for argument in definition.args.args]
    left_out = len(names) - len(arguments)
    defaults = (function.__defaults__ or ())[-left_out:] if left_out > 0 else ()
    given = [*arguments, *defaults]
    if len(given) != len(names) or definition.args.vararg:
        raise Refused(f"a call of {function.__name__} with {len(arguments)} arguments")
    variables = {n: block.bind(n, value) for n, value in zip(names, given, strict=True)}
    return _Frame(block, function, variables).run(definition.body)


@functools.cache
def _parsed(function: FunctionType) -> ast.FunctionDef:
    """The syntax tree of a function; its lines are numbered as in the file."""
    try:
        lines, first = inspect.getsourcelines(function)
    except OSError as error:
        raise Refused(f"a call of {function.__name__}, whose source is not there") from error
    module = ast.parse(textwrap.dedent("".join(lines)))
    ast.increment_lineno(module, first - 1)
    definition = module.body[0]
    assert isinstance(definition, ast.FunctionDef)
    return definition


class _Frame:
    """A call under way: variables by name, and where the statements go."""

    def __init__(self, block: Block, function: FunctionType, variables: dict[str, Any]) -> None:
        self._block, self._function, self._variables = block, function, variables
        around = inspect.getclosurevars(function)
        self._around = {**around.builtins, **around.globals, **around.nonlocals}

    def run(self, body: Sequence[ast.stmt]) -> Any:
        """Translate the statements of the function; what the last one returns."""
        *before, last = body
        if not isinstance(last, ast.Return):
            return self._run(body)
        self._run(before)
        with self._placed(last):
            return self._value(last.value) if last.value else None

    def _run(self, body: Sequence[ast.stmt]) -> None:
        for statement in body:
            with self._placed(statement):
                translate = _STATEMENTS.get(type(statement))
                if translate is None:
                    raise Refused(f"`{ast.unparse(statement).splitlines()[0]}`")
                translate(self, statement)

    @contextmanager
    def _placed(self, statement: ast.stmt) -> Iterator[None]:
        """What is refused within gets its place; once, in the function where it stands."""
        try:
            yield
        except _WRONG as error:
            raise NotImplementedError(
                f"{self._function.__module__}.{self._function.__name__}, line {statement.lineno}, "
                f"is not translated to C: {error}"
            ) from error

    def _expression(self, node: ast.Expr) -> None:
        self._value(node.value)

    def _assign(self, node: ast.Assign) -> None:
        value, first = self._value(node.value), node.targets[0]
        if isinstance(first, ast.Tuple):  # all of them before the first is assigned
            value = tuple(map(self._bound, first.elts, value))
        elif len(node.targets) > 1:
            value = self._bound(first, value)
        for target in node.targets:
            self._set(target, value)

    def _bound(self, target: ast.expr, value: Any) -> Any:
        return self._block.bind(target.id if isinstance(target, ast.Name) else "value", value)

    def _augmented(self, node: ast.AugAssign) -> None:
        sign, fold = BINARY[type(node.op)]
        before = self._value(node.target)
        self._set(node.target, binary(self._block, sign, fold, before, self._value(node.value)))

    def _set(self, target: ast.expr, value: Any) -> None:
        if isinstance(target, ast.Tuple):
            for part, one in zip(target.elts, value, strict=True):
                self._set(part, one)
        elif isinstance(target, ast.Name):
            self._variables[target.id] = self._block.bind(target.id, value)
        elif isinstance(target, ast.Subscript):
            view, index = self._value(target.value), self._index(target.slice)
            if not isinstance(view, View) or not view.writable or len(index) < len(view.shape):
                raise Refused(f"`{ast.unparse(target)}` is no element that can be assigned")
            if not isinstance(value, Value) or value.kind != "real":
                raise Refused(f"`{ast.unparse(target)}` gets what is no number of its dtype")
            self._block.store(_element(self._block, view, index), value)
        else:
            raise Refused(f"an assignment to `{ast.unparse(target)}`")

    def _if(self, node: ast.If) -> None:
        condition = self._value(node.test)
        if isinstance(condition, Value):
            raise Refused("a branch on what is not known before the program runs")
        self._run(node.body if condition else node.orelse)

    def _for(self, node: ast.For) -> None:
        if not isinstance(node.target, ast.Name) or node.orelse:
            raise Refused("a loop with several variables, or with an else")
        first, last, step = self._range(node.iter)
        known = not isinstance(first, Value) and not isinstance(last, Value)
        if known and len(range(first, last, step)) <= 1:  # such as the one sample
            for self._variables[node.target.id] in range(first, last, step):
                self._run(node.body)
            return
        begin, end = (x.text if isinstance(x, Value) else str(x) for x in (first, last))
        inside = {
            n.id for n in ast.walk(node) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)
        }
        self._variables |= {name: _Unknown(name) for name in inside}
        with self._block.loop(node.target.id, begin, end, step) as variable:
            self._variables[node.target.id] = variable
            self._run(node.body)
        self._variables |= {name: _Unknown(name) for name in inside}

    def _range(self, node: ast.expr) -> tuple[Any, Any, int]:
        if not isinstance(node, ast.Call) or self._value(node.func) is not range:
            raise Refused("a loop over anything but a range")
        given = [self._value(argument) for argument in node.args]
        first, last, step = (0, *given, 1) if len(given) == 1 else (*given, 1)[:3]
        if not isinstance(step, int) or step < 1:
            raise Refused("a loop backwards, or with a step that is not known")
        return first, last, step

    def _value(self, node: ast.expr) -> Any:
        evaluate = _EXPRESSIONS.get(type(node))
        if evaluate is None:
            raise Refused(f"`{ast.unparse(node)}`")
        return evaluate(self, node)

    def _name(self, node: ast.Name) -> Any:
        for space in (self._variables, self._around):
            if node.id in space:
                found = space[node.id]
                if isinstance(found, _Unknown):
                    raise Refused(f"{node.id}, which another turn of a loop has assigned")
                return found
        raise Refused(f"the unknown name {node.id}")

    def _attribute(self, node: ast.Attribute) -> Any:
        of = self._value(node.value)
        if isinstance(of, (Value, View)):
            raise Refused(f"`{ast.unparse(node)}`")
        return getattr(of, node.attr)

    def _binary(self, node: ast.BinOp) -> Any:
        if type(node.op) not in BINARY:
            raise Refused(f"`{ast.unparse(node)}`")
        left, right = self._value(node.left), self._value(node.right)
        return binary(self._block, *BINARY[type(node.op)], left, right)

    def _compare(self, node: ast.Compare) -> Any:
        values = [self._value(part) for part in (node.left, *node.comparators)]
        if len(values) > 2:
            values = [self._block.bind("value", value) for value in values]
        found = []
        for kind, (a, b) in zip(node.ops, itertools.pairwise(values), strict=True):
            if type(kind) not in COMPARISONS:
                raise Refused(f"`{ast.unparse(node)}`")
            found.append(compare(*COMPARISONS[type(kind)], a, b))
        return both("&", found)

    def _both(self, node: ast.BoolOp) -> Any:
        conditions = [self._value(part) for part in node.values]
        return both("&" if isinstance(node.op, ast.And) else "|", conditions)

    def _select(self, node: ast.IfExp) -> Any:
        condition = self._value(node.test)
        if not isinstance(condition, Value):
            return self._value(node.body if condition else node.orelse)
        return select(condition, self._value(node.body), self._value(node.orelse))

    def _call(self, node: ast.Call) -> Any:
        function, arguments = self._value(node.func), [self._value(a) for a in node.args]
        if node.keywords:
            raise Refused(f"arguments by name in `{ast.unparse(node)}`")
        if function is carray:
            pointer, shape = arguments
            return pointer._replace(shape=shape)
        if _known(INSTRUCTIONS, function):
            return INSTRUCTIONS[function](self._block, *arguments)
        if _known(_NOW, function) and not any(isinstance(a, tuple) for a in arguments):
            return function(*arguments)
        return _called(self._block, function, arguments)

    def _subscript(self, node: ast.Subscript) -> Any:
        of, index = self._value(node.value), self._index(node.slice)
        if not isinstance(of, View):
            return of[index[0] if len(index) == 1 else index]
        if isinstance(index[0], slice):
            start = index[0].start or 0
            if len(index) > 1 or index[0].step or index[0].stop is not None:
                raise Refused(f"`{ast.unparse(node)}`: of slices only those to the end")
            offset = _offset(self._block, of, [start])
            return of._replace(offset=offset, shape=(of.shape[0] - start, *of.shape[1:]))
        if len(index) < len(of.shape):
            offset = _offset(self._block, of, index)
            return of._replace(offset=offset, shape=of.shape[len(index) :])
        # read now, and not where the expression ends: a store may come between
        name = node.value.id if isinstance(node.value, ast.Name) else "value"
        return self._block.declare(name, Value("real", _element(self._block, of, index)))

    def _index(self, node: ast.expr) -> tuple[Any, ...]:
        parts = node.elts if isinstance(node, ast.Tuple) else [node]
        return tuple(
            slice(*(p and self._value(p) for p in (part.lower, part.upper, part.step)))
            if isinstance(part, ast.Slice)
            else self._value(part)
            for part in parts
        )


def _known(functions: Any, function: Any) -> bool:
    try:
        return function in functions
    except TypeError:  # nothing that can be a key
        return False


def _offset(block: Block, view: View, index: Sequence[Any]) -> Any:
    """Where an element or a row begins."""
    place: Any = 0
    for k, i in enumerate(index):
        if not isinstance(i, int) and not (isinstance(i, Value) and i.kind == "index"):
            raise Refused(f"{i!r} as an index")
        rows = 1
        for size in view.shape[k + 1 :]:
            rows *= size
        part = i if rows == 1 else _sum(block, "*", i, rows)
        place = _sum(block, "+", place, part)
    return _sum(block, "+", view.offset, place)


def _sum(block: Block, sign: str, a: Any, b: Any) -> Any:
    return binary(block, sign, BINARY[ast.Add if sign == "+" else ast.Mult][1], a, b)


def _element(block: Block, view: View, index: Sequence[Any]) -> str:
    place = _offset(block, view, index)
    text = place.text if isinstance(place, Value) else str(place)
    return f"{view.base}[{text[1:-1] if text.startswith('(') else text}]"


_STATEMENTS: dict[type[ast.stmt], Callable[[_Frame, Any], None]] = {
    ast.Assign: _Frame._assign,
    ast.AugAssign: _Frame._augmented,
    ast.Expr: _Frame._expression,
    ast.For: _Frame._for,
    ast.If: _Frame._if,
}
_EXPRESSIONS: dict[type[ast.expr], Callable[[_Frame, Any], Any]] = {
    ast.Attribute: _Frame._attribute,
    ast.BinOp: _Frame._binary,
    ast.BoolOp: _Frame._both,
    ast.Call: _Frame._call,
    ast.Compare: _Frame._compare,
    ast.Constant: lambda frame, node: node.value,
    ast.IfExp: _Frame._select,
    ast.Name: _Frame._name,
    ast.Subscript: _Frame._subscript,
    ast.Tuple: lambda frame, node: tuple(frame._value(part) for part in node.elts),
    ast.UnaryOp: lambda frame, node: unary(node.op, frame._value(node.operand)),
}
