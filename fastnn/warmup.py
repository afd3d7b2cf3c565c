"""What ``fastnn warmup`` does: compile into the cache now what later processes then only load.

Tiny networks of every entry of the tables run through everything that compiles something, and every
ufunc and error is made; a new entry is covered by being in its table.

This process takes all steps in their order. Others take them from the end on, so that it finds
their kernels in the cache when it comes there.
"""

from __future__ import annotations

import contextlib
import importlib.util
import multiprocessing
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numba.core.dispatcher import Dispatcher

from . import kernels
from ._core.arrays import Array
from ._core.threads import get_num_threads
from .activations import ACTIVATIONS, get_act
from .errors import ERRORS, get_err
from .kernels.codegen import declare
from .kernels.codegen.cache import folder, folders
from .kernels.codegen.compiler import imported, silence
from .kernels.gemm import packing
from .kernels.ufuncs.elementwise import known
from .layers import DenseLayer
from .losses import COSTS, SumSquaresError
from .network import NeuralNetwork
from .optimizers import RULES, get_opt
from .optimizers.table import LBFGS
from .training import lbfgs
from .training.mpi import load

__all__ = ["Report", "warm_up"]


@dataclass(frozen=True)
class Report:
    """How many kernels were compiled, how many the cache had, and where it is."""

    compiled: int
    loaded: int
    seconds: float
    folder: Path

    def __str__(self) -> str:
        total = sum(path.stat().st_size for path in self.folder.glob("*.nbc")) / 1e6
        return (
            f"{self.compiled} kernels compiled, {self.loaded} found in the cache, "
            f"{self.seconds:.1f} s\nkernel cache: {self.folder} ({total:.1f} MB)"
        )


def warm_up(dtypes: Iterable[str], quiet: bool = False, derivatives: bool = False) -> Report:
    """Compile what networks of these dtypes use.

    Parameters
    ----------
    dtypes : iterable of str
        "float32", "float64".
    quiet : bool
        Do not show what is being compiled.
    derivatives : bool
        What `jvp`, `hvp`, `parameter_jacobian` and `laplacian` use, too: many networks do without.

    Returns
    -------
    Report

    Raises
    ------
    OSError
        If nothing can be written, or not everything was: later processes would compile again.

    """
    cache = folder()
    if cache is None:
        raise OSError(
            "the kernel cache is not writable, so nothing would be kept; NUMBA_CACHE_DIR names "
            "a folder for it"
        )
    silence()  # what is compiled is shown here
    before, present = counts(), _kept()
    start = time.perf_counter()
    todo = steps(dtypes, derivatives)
    with _helpers(todo):
        for _, step in todo if quiet else shown(todo):
            step()
    seconds = time.perf_counter() - start
    used = sum(counts()) - sum(before)
    kept = _kept()
    if len(kept) < used:  # a full disk, say
        raise OSError(f"only {len(kept)} of {used} kernels could be kept in the cache, {cache}")
    compiled = len(kept - present)
    return Report(compiled, used - compiled, seconds, cache)


def _kept() -> set[str]:
    """Names of the kernels in the cache."""
    return {path.name for place in folders() for path in place.glob("*.nbc")}


_Step = tuple[str, Callable[[], None]]


_MOST_PROCESSES = 4  # each takes up to a gigabyte


@contextlib.contextmanager
def _helpers(todo: list[_Step]) -> Iterator[None]:
    """Processes that take the steps from the end on, until the block is left."""
    context = multiprocessing.get_context("spawn")
    helpers = min(get_num_threads(), _MOST_PROCESSES, len(todo)) - 1
    enough, processes = context.Event(), []
    backwards = todo[::-1]
    try:
        for k in range(helpers):  # each from a place of its own
            first = k * len(todo) // helpers
            order = backwards[first:] + backwards[:first]
            process = context.Process(target=_help, args=(order, enough), daemon=True)
            process.start()
            processes.append(process)
        yield
    finally:
        enough.set()
        for process in processes:
            process.join()


def _help(todo: list[_Step], enough: Any) -> None:
    """Take steps until it is enough; what fails here fails again where it is shown."""
    silence()
    with contextlib.suppress(Exception, KeyboardInterrupt):
        for _, step in todo:
            if enough.is_set():
                break
            step()


def shown(steps: list[_Step]) -> Iterator[_Step]:
    """The steps, with a bar on a terminal that has tqdm, else a line for each."""
    if sys.stderr.isatty() and importlib.util.find_spec("tqdm") is not None:
        with imported("tqdm").tqdm(steps, leave=False) as bar:
            for step in bar:
                bar.set_description(step[0])
                yield step
        return
    for step in steps:
        start = time.perf_counter()
        yield step
        print(f"{step[0]:40}{time.perf_counter() - start:6.1f} s", flush=True)


def counts() -> tuple[int, int]:
    """Kernels that this process has compiled, and those that it has loaded."""
    functions = declare._addresses.values()
    loaded = sum(function.cache_hits for function in functions)
    compiled = len(functions) - loaded
    for dispatcher in _dispatchers():
        loaded += sum(dispatcher.stats.cache_hits.values())
        compiled += sum(dispatcher.stats.cache_misses.values())
    return compiled, loaded


def _dispatchers() -> set[Dispatcher]:
    modules = [module for name, module in sys.modules.items() if name.startswith(kernels.__name__)]
    values = [value for module in modules for value in vars(module).values()]
    return {value for value in values if isinstance(value, Dispatcher)}


def steps(dtypes: Iterable[str], derivatives: bool = False) -> list[_Step]:
    """Names and calls: networks of each dtype, then functions of arrays, which take both."""
    todo = [step for dtype in dtypes for step in _of_networks(dtype, derivatives)]
    todo += [(f"ufunc {name}", partial(_name, name)) for name in known()]
    return todo + [(f"error {name}", partial(_measure, name)) for name in ERRORS]


def _of_networks(dtype: str, derivatives: bool) -> list[_Step]:
    """First what all networks share, then the rows."""
    rows = [
        *((f"activation {name}", _Case(dtype, activation=name)) for name in ACTIVATIONS),
        *((f"cost {name}", _Case(dtype, cost=name)) for name in COSTS),
        *((f"rule {name}", _Case(dtype, rule=name)) for name in RULES),
    ]
    steps: list[_Step] = [
        (f"{dtype} {name}", partial(use, _Case(dtype))) for name, use in _USES.items()
    ]
    steps += [(f"{dtype} {name}", partial(_use, case)) for name, case in rows]
    if derivatives:
        steps += [(f"{dtype} derivatives, {name}", partial(_derive, case)) for name, case in rows]
    return steps


@dataclass(frozen=True)
class _Case:
    """One entry of each table; the first ones where nothing else is asked for."""

    dtype: str
    activation: str = next(iter(ACTIVATIONS))
    cost: str = next(iter(COSTS))
    rule: str = next(iter(RULES))

    def networks(self, kind: type[DenseLayer] = DenseLayer) -> list[NeuralNetwork]:
        """Without and with dropout: another kernel where the derivative is one everywhere."""
        cost = COSTS[self.cost]()
        n = cost.outputs_for(1)
        return [
            NeuralNetwork(
                [kind(1, n, activation=self.activation, dropout=p, dtype=self.dtype, rng=0)], cost
            )
            for p in ((0.0, 0.5) if kind is DenseLayer else (0.0,))
        ]

    def zeros(self, rows: int = 4) -> Array:
        return np.zeros((rows, 1), self.dtype)


def _train_by_ranks(case: _Case) -> None:
    """What each rank of MPI calls, without MPI."""
    x = case.zeros()
    for network in case.networks():
        network.fit(x, x, optimizer=case.rule, batch_size=2, rng=0)
        load(network._trainer[1])  # type: ignore[index]


class _OwnLayer(DenseLayer):
    """A layer that is not the engine's, as users write them."""

    def forward_propagation(self, X: Array) -> Array:
        return super().forward_propagation(X)


def _train(case: _Case, kind: type[DenseLayer] = DenseLayer) -> None:
    x = case.zeros()
    for network in case.networks(kind):
        network.fit(x, x, optimizer=case.rule, batch_size=2, validation_data=(x, x), rng=0)
        network.gradient(x, x)


def _minimize(case: _Case) -> None:
    x = case.zeros()
    case.networks()[0].fit(x, x, optimizer=LBFGS)
    lbfgs.load()


def _solve(case: _Case) -> None:
    """In float64 whatever the dtype, so that one case is enough."""
    if case == _Case(case.dtype):
        x, layer = case.zeros(), DenseLayer(1, 1, dtype=case.dtype, rng=0)
        network = NeuralNetwork([layer], SumSquaresError())
        network.fit(x, x, optimizer=get_opt("LM", bayesian=True))
        network.predict(x, return_std=True)


def _train_layer_by_layer(case: _Case) -> None:
    _train(case, _OwnLayer)
    x = case.zeros()
    for network in case.networks():
        network.cost(x, x)
        network.cost_function.delta(network(x), x)
        type(network.cost_function)("none")(network(x), x)
    optimizer, spec = get_opt(case.rule), RULES[case.rule]
    optimizer.step(x, case.zeros())
    if spec.ahead:
        spec.address(x.dtype, ahead=True)
    if spec.noisy:
        optimizer.noise(1, x.dtype)


def _predict(case: _Case) -> None:
    for network in case.networks():
        x = case.zeros()
        for samples in (x, x[0], x.tolist()):  # a list goes the careful way
            network.predict(samples)
        if network.layers[-1].dim_output == 1:
            network.low_level_callable()


def _embed(case: _Case) -> None:
    x = case.zeros()
    for network in case.networks():
        kernels.workspace_size(network.compiled(case.rule), 1)
        network.jacobian(x[0])
        network.vjp(x, network.predict(x))


def _call(case: _Case) -> None:
    """The articles' calls, one by one."""
    x = case.zeros()
    for network in case.networks():
        layer, y = network.layers[0], network(x)
        if not layer.dropout:
            network.fit(x, x, 0.0)
        network.cost(x, x)
        layer(x)
        layer.back_propagation(y, 0.0)
        cost = network.cost_function
        for logits in (y, y.tolist()):
            cost.delta(logits, x), cost(logits, x), cost.activate(logits)
        layer.activation.kind or get_act(case.activation).forward(x)
    optimizer = get_opt(case.rule)
    optimizer.update(x, x[0], f=1.0, w=x, b=x[0])
    error = get_err(next(iter(ERRORS)))
    error.forward(x, x)
    error.total_error()
    get_act("softmax").forward(x)


def _multiply(case: _Case) -> None:
    """What only large layers want."""
    declare.address(packing.packed_gemm, case.dtype, packing.PACKED_GEMM)


def _derive(case: _Case) -> None:
    """Derivatives of the network, as far as its activation and its cost have them."""
    x, network = case.zeros(), case.networks()[0]
    module = imported(".model.derivatives", __package__)
    known = module.possible(network.layers, network.cost_function)
    network.compiled(derivatives=True)
    network.jvp(x, x)
    network.parameter_jacobian(x)
    if "hvp" in known:
        network.hvp(x, x, network.parameters)
    if "laplacian_vjp" in known:
        u, _, _, pullback = network.laplacian(x, pullback=True)
        pullback(u)


_USES: dict[str, Callable[[_Case], None]] = {
    "training": _train,
    LBFGS: _minimize,
    "Levenberg-Marquardt": _solve,
    "training by ranks": _train_by_ranks,
    "training layer by layer": _train_layer_by_layer,
    "prediction": _predict,
    "users' kernels": _embed,
    "calls one by one": _call,
    "products of large layers": _multiply,
}


def _name(ufunc: str) -> None:
    getattr(kernels, ufunc)  # makes it


def _measure(name: str) -> None:
    for y in (0.5, np.full(1, 0.5), np.full(1, 0.5, np.float32)):
        get_err(name).forward(y, y)


def _use(case: _Case) -> None:
    for use in _USES.values():
        use(case)
