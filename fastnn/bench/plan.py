"""What a run measures: jobs, each for a process of its own with a number of threads."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from ..activations import ACTIVATIONS, find
from .activations.cases import case_of
from .dropin.cases import CALLS, cases_of
from .networks.tasks import SWEEPS, TASKS, Inference, Task, Training, quick
from .optimizers.cases import NAMES, SHAPES
from .products.cases import KINDS, LAYERS
from .products.cases import Case as Product

__all__ = ["PARTS", "Job", "Wishes", "jobs", "known", "named", "number", "threads_for"]

PARTS = "dropin", "activations", "optimizers", "products", "training", "inference"

# Those whose time is drawn over the size, and which are given more than one thread: one without
# any arithmetic, a cheap, a usual and a dear one.
_DRAWN = "ReLU", "tanh", "GELU", "softmax"
_DRAWN_RULES = "SGD", "Adam"
_WITHOUT_BOTH = "softmax", "softmin", "log-softmax", "maxout", "GLU", "PReLU"
_CALLED, _CALL = ("tanh", "ReLU", "leaky-ReLU"), 64


@dataclass(frozen=True)
class Wishes:
    """What the user asks for; None and empty: the default.

    Attributes
    ----------
    part : str
        One of `PARTS`, or ``all``.
    names : sequence of str
        Only these activations, rules, layers or tasks.
    sizes : sequence of int or str
        Of arrays; of parameters, a key of `SHAPES`.
    dtypes : sequence of str
        Of activations and products.
    threads : sequence of int
    rounds : int
    peers, quick : bool

    """

    part: str = "all"
    names: Sequence[str] = ()
    sizes: Sequence[Any] = ()
    dtypes: Sequence[str] = ()
    threads: Sequence[int] = (1,)
    rounds: int = 5
    peers: bool = False
    quick: bool = False


@dataclass(frozen=True)
class Job:
    """What one process measures.

    Attributes
    ----------
    part : str
        One of `PARTS`, or ``roofs``.
    threads : int
    cases : list of dict
        ``given``, the fields of the case, and what the report says of it: its table, its name,
        and, for curves, a series, the title of the axis and the value on it.
    seconds : float
        Of a measurement.
    rounds : int
    peers, quick : bool

    """

    part: str
    threads: int
    cases: list[dict[str, Any]] = field(default_factory=list)
    seconds: float = 0.0
    rounds: int = 0
    peers: bool = False
    quick: bool = False


def known(part: str) -> list[str]:
    """The names of a part."""
    if part == "activations":
        return list(ACTIVATIONS)
    if part == "optimizers":
        return list(NAMES)
    if part == "dropin":
        return list(CALLS)
    if part == "products":
        return list(LAYERS)
    kind = Training if part == "training" else Inference
    return [name for name, task in TASKS.items() if isinstance(task, kind)]


def named(part: str, names: Sequence[str]) -> list[str] | str:
    """The names as the tables write them, or what is wrong with them."""
    if part == "all":
        return f"names need a part; {names[0]!r} is none" if names else []
    found, there = [], known(part)
    by_lower = {name.lower(): name for name in there}
    for name in names:
        if part == "activations":
            try:
                found.append(find(name).name)
            except ValueError as error:
                return str(error)
        elif name.lower() in by_lower:
            found.append(by_lower[name.lower()])
        else:
            return f"{name!r} is none of {', '.join(there)}"
    return list(dict.fromkeys(found))


def number(text: str) -> int:
    """Of 16k or 1M."""
    units = {"k": 1_000, "M": 1_000_000}
    return round(float(text.rstrip("kM")) * units.get(text[-1], 1))


def threads_for(cores: int, *, quick: bool) -> list[int]:
    """1, 2, 4 … and all cores; of a quick look the first and the last."""
    every = sorted({1, cores, *(2**k for k in range(cores.bit_length()) if 2**k <= cores)})
    return sorted({every[0], every[-1]}) if quick else every


def jobs(wishes: Wishes) -> list[Job]:
    """A job for every part and number of threads, and one for the limits of the machine."""
    parts = PARTS if wishes.part == "all" else (wishes.part,)
    found = [Job("roofs", 1)] if 1 in wishes.threads else []
    for part in parts:
        for threads in wishes.threads:
            more = threads != min(wishes.threads)
            cases = list(_CASES[part](wishes, more))
            if cases:
                seconds = _SECONDS[part][wishes.quick]
                found.append(
                    Job(part, threads, cases, seconds, wishes.rounds, wishes.peers, wishes.quick)
                )
    return found


_SECONDS = {  # long and quick
    "dropin": (0.005, 0.001),
    "activations": (0.002, 0.0005),
    "optimizers": (0.05, 0.005),
    "products": (0.02, 0.005),
    "training": (0.2, 0.03),
    "inference": (0.2, 0.01),
}


def _size(count: int) -> str:
    return f"{count:,}".replace(",", "\N{NARROW NO-BREAK SPACE}")


def _activations(wishes: Wishes, more: bool) -> Any:
    """With more threads only large arrays of few functions."""
    names = [find(name).name for name in wishes.names] or list(ACTIVATIONS)
    drawn = names if wishes.names else [name for name in names if name in _DRAWN]
    sizes = wishes.sizes or ((16_000,) if wishes.quick else (1_000, 16_000, 1_000_000, 8_000_000))
    dtypes = wishes.dtypes or (("float32",) if wishes.quick else ("float32", "float64"))
    parts = ("forward", "vjp") if wishes.quick else ("forward", "vjp", "both")
    curve = wishes.sizes or (1_000, 16_000, 250_000, 4_000_000)
    for dtype in dtypes:
        for part in parts:
            for size in sizes:
                chosen = drawn if more else names
                if part == "both":
                    chosen = [name for name in chosen if name not in _WITHOUT_BOTH]
                if not more or size >= _SHARED:
                    yield from (_activation(name, part, dtype, size) for name in chosen)
        if not wishes.quick and not wishes.names and not more:
            yield from (_activation(name, "call", dtype, _CALL) for name in _CALLED)
    for size in curve:
        if size not in sizes and (not more or size >= _SHARED):
            for name in drawn:
                one = _activation(name, "forward", dtypes[0], size)
                yield one | {
                    "name": f"{name}, {_size(size)}",
                    "table": f"{_WHAT['forward']}, {dtypes[0]}, other sizes",
                }


# below which nothing is shared among threads
_SHARED = 100_000  # numbers or parameters
_SHARED_OPERATIONS = 10_000_000  # of a training step or a product


def _activation(name: str, part: str, dtype: str, size: int) -> dict[str, Any]:
    # maxout's weights are float64
    case = case_of(name, part, "float64" if name == "maxout" else dtype, size)
    return {
        "given": asdict(case),
        "table": f"{_WHAT[part]}, {dtype}, {_size(size)} numbers",
        "name": name,
        "series": f"{name}, {part}, {dtype}",
        "axis": "numbers",
        "x": size,
    }


_WHAT = {
    "forward": "Activation",
    "vjp": "Vector-Jacobian product",
    "both": "Activation and vector-Jacobian product in one",
    "call": "A call",
}


def _optimizers(wishes: Wishes, more: bool) -> Any:
    names = wishes.names or NAMES
    drawn = names if wishes.names else _DRAWN_RULES
    sizes = wishes.sizes or (("100k",) if wishes.quick else tuple(SHAPES))
    curve = wishes.sizes or (("1k", "100k", "1M") if wishes.quick else tuple(SHAPES))
    for size in SHAPES:
        count = sum(_product(shape) for shape in SHAPES[size])
        if more and count < _SHARED:
            continue
        chosen = names if size in sizes and not more else drawn if size in curve else ()
        for name in chosen:
            yield {
                "given": {"name": name, "size": size},
                "table": f"Optimizer step, float32, {size} parameters",
                "name": name,
                "series": f"{name}, float32",
                "axis": "parameters",
                "x": count,
            }


def _product(shape: tuple[int, ...]) -> int:
    count = 1
    for length in shape:
        count *= length
    return count


def _products(wishes: Wishes, more: bool) -> Any:
    for dtype in wishes.dtypes or (("float32",) if wishes.quick else ("float32", "float64")):
        for kind, title in KINDS.items():
            for name in wishes.names or LAYERS:
                case = Product(name, kind, dtype)
                if not more or case.operations >= _SHARED_OPERATIONS:
                    yield {
                        "given": asdict(case),
                        "table": f"{title}, {dtype}",
                        "name": name,
                        "series": f"{name} {kind}, {dtype}",
                        "axis": "",
                        "x": 0,
                    }


def _training(wishes: Wishes, more: bool) -> Any:
    tasks = [TASKS[name] for name in wishes.names or known("training")]
    for task in tasks:
        if more and task.operations < _SHARED_OPERATIONS:
            continue
        many = task.networks > 1 if isinstance(task, Training) else False
        table = "Step of one of many networks" if many else "Training step"
        yield _network(task, table, "", 0, quick_one=wishes.quick)
    if not wishes.names and not more:
        for axis, sweep in SWEEPS.items():
            for value, task in list(sweep.items())[:: 2 if wishes.quick else 1]:
                yield _network(task, f"Training step, {axis}", axis, value, quick_one=wishes.quick)


def _inference(wishes: Wishes, more: bool) -> Any:
    if not more:  # a few samples are one thread's work
        for name in wishes.names or known("inference"):
            yield _network(TASKS[name], "Prediction", "", 0)


def _network(
    task: Task, table: str, axis: str, value: int, *, quick_one: bool = False
) -> dict[str, Any]:
    return {
        "given": asdict(quick(task) if quick_one else task),
        "table": table,
        "name": task.name,
        "series": axis or task.name,
        "axis": axis,
        "x": value,
    }


def _dropin(wishes: Wishes, more: bool) -> Any:
    """The articles' calls, which one thread makes."""
    if more:
        return
    for door in wishes.names or CALLS:
        for dtype in ("float64",) if wishes.quick else ("float64", "float32"):
            for case in cases_of(door, dtype):
                what = ", ".join(filter(None, (case.name, case.size)))
                yield {
                    "given": asdict(case),
                    "table": f"{door}, {dtype}",
                    "name": what,
                    "series": what,
                    "axis": "",
                    "x": 0,
                }


_CASES = {
    "dropin": _dropin,
    "activations": _activations,
    "optimizers": _optimizers,
    "products": _products,
    "training": _training,
    "inference": _inference,
}
