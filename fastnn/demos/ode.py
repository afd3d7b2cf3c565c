"""A network inside your own compiled loop: the equation of motion of a pendulum, learned.

The network learns the right-hand side of dx/dt = f(x) from samples; a Runge-Kutta loop under
``numba.njit`` then follows it through time, and calls the network four times a step. `integrate`
and `add` are all that is needed, with ``integrate(network.compiled(), path, dt)``.
"""

from __future__ import annotations

import copy
import importlib.util
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from numba import njit
from threadpoolctl import threadpool_limits

from .. import NeuralNetwork, kernels
from .._core.arrays import Array
from ..bench.results import Ratio
from ..bench.timing import pulse
from .tasks import Task, pendulum

__all__ = ["PATHS", "Race", "follow", "follow_truth", "integrate", "prepare", "race"]


def _can_cache() -> bool:
    """Whether numba finds a folder for this file's code; otherwise it refuses ``cache=True``."""
    try:
        njit(cache=True)(_can_cache)
    except RuntimeError:
        return False
    return True


CACHE = _can_cache()  # in a file of your own: True


@njit(nogil=True, cache=CACHE)
def add(x: Array, slope: Array, dt: float, out: Array) -> None:
    """out = x + dt slope."""
    for j in range(x.size):
        out[j] = x[j] + dt * slope[j]


@njit(nogil=True, cache=CACHE)
def integrate(model: Any, path: Array, dt: float) -> None:
    """Fill `path` from its first row on, by the classical Runge-Kutta method of order four."""
    n = path.shape[1]
    y, k = np.empty(n, path.dtype), np.empty((4, n), path.dtype)
    for i in range(path.shape[0] - 1):
        x, following = path[i], path[i + 1]
        kernels.predict(model, x, k[0])
        add(x, k[0], dt / 2, y)
        kernels.predict(model, y, k[1])
        add(x, k[1], dt / 2, y)
        kernels.predict(model, y, k[2])
        add(x, k[2], dt, y)
        kernels.predict(model, y, k[3])
        for j in range(n):
            following[j] = x[j] + dt / 6 * (k[0, j] + 2 * k[1, j] + 2 * k[2, j] + k[3, j])


# What follows measures the above against other ways, and is no part of the example.

STEPS, DT = 500, 0.05
PATHS = ((2.6, 0.0), (-2.0, 0.8), (0.0, -1.7))  # angle and speed at the start
_ROUNDS = 9


@dataclass(frozen=True)
class Race:
    """The same path by several programs: seconds an evaluation of the network, and the ends."""

    seconds: dict[str, float]  # medians of several rounds in turn
    ratios: dict[str, Ratio]  # of the others' to the first one's, by round
    pulses: list[float]  # µs of a fixed loop, between the rounds
    distance: float  # the largest between the path of `integrate` and another program's
    allowed: float  # what roundings explain
    rounds: int
    evaluations: int

    @property
    def agrees(self) -> bool:
        """Whether all programs found the same path, up to roundings."""
        return self.distance <= self.allowed


def prepare(network: NeuralNetwork) -> float:
    """Compile `integrate`, or load it from the cache; returns the seconds."""
    start = time.perf_counter()
    integrate(network.compiled(), _path(network.dtype, PATHS[0], 2), DT)
    return time.perf_counter() - start


def _path(dtype: npt.DTypeLike, start: tuple[float, float], steps: int = STEPS) -> Array:
    path = np.empty((steps + 1, 2), dtype)
    path[0] = start
    return path


def follow(network: NeuralNetwork, start: tuple[float, float]) -> Array:
    """The path of the learned pendulum from a start, (STEPS + 1, 2)."""
    path = _path(network.dtype, start)
    integrate(network.compiled(), path, DT)
    return path


def follow_truth(start: tuple[float, float]) -> Array:
    """The path of the true pendulum, at the same times."""
    from scipy.integrate import solve_ivp

    times = np.linspace(0.0, DT * STEPS, STEPS + 1)
    found = solve_ivp(
        lambda _, x: pendulum(x), (0.0, DT * STEPS), list(start), t_eval=times,
        rtol=1e-9, atol=1e-9,
    )  # fmt: skip
    return np.asarray(found.y.T)


def race(network: NeuralNetwork) -> Race:
    """Integrate one path by all programs in turn, on one thread, and compare times and paths."""
    nn = copy.deepcopy(network)
    with threadpool_limits(limits=1), _programs(nn) as programs:
        times: dict[str, list[float]] = {name: [] for name in programs}
        paths: dict[str, Array] = {}
        for program in programs.values():
            program(_path(nn.dtype, PATHS[0], 20))  # whatever they prepare
        pulses = [pulse()]
        for _ in range(_ROUNDS):
            for name, program in programs.items():
                path = _path(nn.dtype, PATHS[0])
                start = time.perf_counter()
                program(path)
                times[name].append(time.perf_counter() - start)
                paths[name] = path
            pulses.append(pulse())
    ours, *theirs = times
    first, *others = paths.values()
    evaluations = 4 * STEPS
    return Race(
        {name: statistics.median(found) / evaluations for name, found in times.items()},
        {name: Ratio.of(times[ours], times[name]) for name in theirs},
        pulses,
        max(float(np.abs(first - other).max()) for other in others),
        _roundings(nn, first),
        _ROUNDS,
        evaluations,
    )


def _roundings(network: NeuralNetwork, path: Array) -> float:
    """How far two programs may be apart: the roundings of a chain add like a random walk.

    The chain: an addition a step, and the longest sums of the network once, since they come into
    the path times dt. To sqrt(n) eps / 2, that is; a factor of eight is left over.
    """
    operations = len(path) + sum(layer.dim_input + 1 for layer in network.layers)
    largest = float(np.abs(path).max())
    return 4 * float(operations**0.5) * float(np.finfo(path.dtype).eps) * largest


@contextmanager
def _programs(network: NeuralNetwork) -> Iterator[dict[str, Callable[[Array], None]]]:
    """By name, functions that fill a path as `integrate` does."""
    model = network.compiled()
    found: dict[str, Callable[[Array], None]] = {
        "fastnn in njit": lambda path: integrate(model, path, DT),
        "NumPy": lambda path: _in_python(_numpy_field(network), path),
    }
    if importlib.util.find_spec("torch") is None:
        yield found
        return
    import torch

    field, threads = _torch_field(network), torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with torch.inference_mode():
            found["PyTorch"] = lambda path: _in_python(field, torch.from_numpy(path))
            yield found
    finally:
        torch.set_num_threads(threads)


def _in_python(field: Callable[[Any], Any], path: Any) -> None:
    """The same loop for arrays and for tensors."""
    x = path[0]
    for i in range(len(path) - 1):
        k1 = field(x)
        k2 = field(x + DT / 2 * k1)
        k3 = field(x + DT / 2 * k2)
        k4 = field(x + DT * k3)
        x = x + DT / 6 * (k1 + 2 * k2 + 2 * k3 + k4)
        path[i + 1] = x


def _numpy_field(network: NeuralNetwork) -> Callable[[Array], Array]:
    (w1, b1), (w2, b2), (w3, b3) = [(layer.w, layer.b) for layer in network.layers]

    def field(x: Array) -> Array:
        found: Array = np.tanh(np.tanh(x @ w1 + b1) @ w2 + b2) @ w3 + b3
        return found

    return field


def _torch_field(network: NeuralNetwork) -> Callable[[Any], Any]:
    import torch

    modules: list[Any] = []
    for layer in network.layers:
        linear = torch.nn.Linear(layer.dim_input, layer.dim_output)
        with torch.no_grad():
            linear.weight = torch.nn.Parameter(torch.from_numpy(layer.w.T.copy()))
            linear.bias = torch.nn.Parameter(torch.from_numpy(layer.b.copy()))
        modules += [linear, torch.nn.Tanh()]
    found: Callable[[Any], Any] = torch.nn.Sequential(*modules[:-1]).eval()
    return found


def report(task: Task, found: Race) -> str:
    """What was measured, in lines."""
    first = next(iter(found.seconds))
    lines = [
        f"  {first:14} {found.seconds[first] * 1e6:.2f} µs an evaluation of the network in a "
        f"Runge-Kutta loop (compiled, {task.network.dtype})"
    ]
    lines += [
        f"  {name:14} {found.seconds[name] * 1e6:.2f} µs, {ratio} times as long "
        f"({task.network.dtype})"
        for name, ratio in found.ratios.items()
    ]
    lines += [
        f"  {'':14} medians of {found.rounds} rounds in turn of {found.evaluations} evaluations, "
        "threads=1",
        f"  paths          of all programs differ by {found.distance:.1e} at most, "
        + ("as roundings do" if found.agrees else f"more than by roundings, {found.allowed:.1e}"),
    ]
    return "\n".join(lines)
