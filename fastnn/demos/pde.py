"""A physics-informed network: the Poisson equation Δu = -1 on the unit square, u = 0 on its edge.

The solution is sought as u = x (1 - x) y (1 - y) N(x, y): 0 on the edge whatever the network N is.
Its Laplacian, from those of both factors, is to be -1 at random points inside. `gradient` and
`train` are all that is needed.

Lagaris, Likas and Fotiadis, Artificial neural networks for solving ordinary and partial
differential equations, 1998; Raissi, Perdikaris and Karniadakis, Physics-informed neural networks,
2019.
"""

from __future__ import annotations

import importlib.util
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from threadpoolctl import threadpool_limits
from tqdm import tqdm

from .. import LinearLayer, NeuralNetwork, SumSquaresError, TanhLayer, get_init, get_opt
from .._core.arrays import Array
from .._core.threads import get_num_threads, set_num_threads
from ..bench.limits import held
from ..bench.results import Ratio
from ..bench.timing import pulse
from ..optimizers import Optimizer
from ..schedules import Cosine

__all__ = [
    "Run",
    "edge",
    "errors",
    "exact",
    "gradient",
    "grid",
    "network",
    "points",
    "race",
    "report",
    "residual",
    "solution",
    "train",
]


def network(seed: int, dtype: npt.DTypeLike) -> NeuralNetwork:
    """The factor N, 2-32-32-1; each tanh of the first layer is 0 at some point of the square."""
    rng, init = np.random.default_rng(seed), get_init("glorot_normal", gain=2.0)
    options: dict[str, Any] = {"init": init, "dtype": dtype, "rng": rng}
    layers = [TanhLayer(2, 32, **options), TanhLayer(32, 32, **options)]
    layers[0].b = -(layers[0].w * rng.random((2, 32))).sum(axis=0)
    return NeuralNetwork([*layers, LinearLayer(32, 1, **options)], SumSquaresError())


def edge(X: Any) -> tuple[Any, Any, Any]:
    """The factor x (1 - x) y (1 - y), (rows, 1), its gradient (rows, 2), and its Laplacian."""
    other = 1 - X
    both = X * other
    swapped = both[:, ::-1]
    return both[:, :1] * both[:, 1:], (other - X) * swapped, -2 * (both[:, :1] + both[:, 1:])


def residual(X: Any, u: Any, grad: Any, lap: Any) -> Any:
    """Δ(d N) + 1 = d ΔN + 2 ∇d·∇N + N Δd + 1, from N, ∇N (rows, 2) and ΔN; d is `edge`."""
    d, slope, curvature = edge(X)
    return d * lap + 2 * (slope * grad).sum(axis=1, keepdims=True) + curvature * u + 1


def gradient(nn: NeuralNetwork, X: Array) -> tuple[float, Array]:
    """The mean square of the residual at X, and its gradient by the parameters."""
    u, grad, lap, pullback = nn.laplacian(X, pullback=True)
    left = residual(X, u, grad[:, 0], lap)
    d, slope, curvature = edge(X)
    by_residual = 2 / len(X) * left
    found = pullback(
        g_u=by_residual * curvature,
        g_grad=(2 * by_residual * slope)[:, np.newaxis],
        g_lap=by_residual * d,
    )
    return float(np.mean(left**2)), found


def train(nn: NeuralNetwork, opt: Optimizer, steps: int, rng: np.random.Generator) -> list[float]:
    """Steps at new points each; returns their costs."""
    costs = []
    for _ in range(steps):
        cost, found = gradient(nn, points(rng, nn.dtype))
        opt.step(nn.parameters, found)
        costs.append(cost)
    return costs


def solution(nn: NeuralNetwork, X: Array) -> Array:
    """u at points (rows, 2)."""
    found: Array = edge(X)[0] * nn.predict(X)
    return found


# What follows measures the above, and is no part of the example.

STEPS, RATE = 3000, 2e-2  # by default; the rate falls to 0 by a half cosine
_POINTS = 1000  # of a step
_ROUNDS = 10
_TERMS = 200  # of the series, each way
_LINE = np.linspace(0.0, 1.0, 101)


def points(rng: np.random.Generator, dtype: npt.DTypeLike) -> Array:
    """Random points of the square."""
    found: Array = rng.random((_POINTS, 2), dtype)  # type: ignore[arg-type]
    return found


def grid(dtype: npt.DTypeLike) -> Array:
    """101 by 101 points of the square, (rows, 2)."""
    corners = np.meshgrid(_LINE, _LINE, indexing="ij")
    return np.stack(corners, axis=-1).reshape(-1, 2).astype(dtype)


def exact() -> Array:
    """The solution on the grid, (101, 101), by its double Fourier series."""
    odd = np.arange(1, 2 * _TERMS, 2)
    squares = odd[:, np.newaxis] ** 2 + odd**2
    terms = 16 / (np.pi**4 * odd[:, np.newaxis] * odd * squares)
    waves = np.sin(np.pi * np.outer(_LINE, odd))
    found: Array = waves @ terms @ waves.T
    return found


def errors(nn: NeuralNetwork) -> tuple[Array, Array]:
    """The network's solution on that grid, and its distance from the exact one."""
    found = solution(nn, grid(nn.dtype)).astype(np.float64).reshape(_LINE.size, -1)
    return found, found - exact()


@dataclass(frozen=True)
class Run:
    """A training: its network, and of each program, by name, the costs and seconds of the steps."""

    network: NeuralNetwork
    costs: dict[str, list[float]]
    seconds: dict[str, list[float]]  # a step's, by round
    ratios: dict[str, Ratio]  # of the others' to ours, by round
    ready: dict[str, float]  # seconds of compiling, or loading from the cache
    pulses: list[float]
    distance: float  # between the solutions of all programs, at most

    @property
    def totals(self) -> dict[str, float]:
        """Seconds of each program's training."""
        return {
            name: statistics.fmean(found) * len(self.costs[name])
            for name, found in self.seconds.items()
        }


def race(steps: int, seed: int, dtype: npt.DTypeLike) -> Run:
    """Train, in turn with JAX where that is installed: from one start, at the same points."""
    nn, threads = network(seed, dtype), get_num_threads()
    set_num_threads(1)
    try:
        with threadpool_limits(limits=1):
            return _race(nn, steps, seed)
    finally:
        set_num_threads(threads)


def _race(nn: NeuralNetwork, steps: int, seed: int) -> Run:
    start = time.perf_counter()
    train(network(seed, nn.dtype), get_opt("Adam"), 1, np.random.default_rng(seed))
    ready = {"fastnn": time.perf_counter() - start}
    schedule = Cosine(RATE, steps=steps)
    opt, rng = get_opt("Adam", learning_rate=schedule), np.random.default_rng(seed)
    programs: dict[str, Callable[[int], list[float]]] = {"fastnn": lambda n: train(nn, opt, n, rng)}
    peer = _peer(nn, schedule, seed)
    if peer:
        start = time.perf_counter()
        peer.prepare()
        ready["JAX"] = time.perf_counter() - start
        programs["JAX"] = peer.train
    costs: dict[str, list[float]] = {name: [] for name in programs}
    seconds: dict[str, list[float]] = {name: [] for name in programs}
    pulses = [pulse()]
    with tqdm(total=steps, desc="pde", disable=None, leave=False) as bar:
        for part in np.array_split(np.arange(steps), min(_ROUNDS, steps)):
            for name, program in programs.items():
                start = time.perf_counter()
                costs[name] += program(part.size)
                seconds[name].append((time.perf_counter() - start) / part.size)
            pulses.append(pulse())
            mean = statistics.fmean(costs["fastnn"][-part.size :])
            bar.write(f"step {part[-1] + 1:6d}, cost {mean:.2e}")
            bar.update(part.size)
    ratios = {k: Ratio.of(seconds["fastnn"], seconds[k]) for k in programs if k != "fastnn"}
    apart = solution(nn, grid(nn.dtype)) - peer.solution(grid(nn.dtype)) if peer else np.zeros(1)
    return Run(nn, costs, seconds, ratios, ready, pulses, float(np.abs(apart).max()))


def _peer(nn: NeuralNetwork, schedule: Cosine, seed: int) -> Any:
    """The training by JAX, or None."""
    if importlib.util.find_spec("jax") is None:
        return None
    with held(1):  # JAX counts the cores when it starts
        from .jax_peer import Peer

        return Peer(nn, schedule, seed)


def report(run: Run) -> str:
    """What was measured, in lines."""
    error = np.abs(errors(run.network)[1])
    largest = exact().max()
    steps, dtype = len(run.costs["fastnn"]), run.network.dtype
    lines = [
        f"after {steps} steps: error of the solution {np.sqrt(np.mean(error**2)):.1e} RMS, "
        f"{error.max():.1e} at most, where the solution reaches {largest:.4f}",
        f"  kernels    ready after {run.ready['fastnn']:.2f} s, compiled or loaded from the cache",
        f"  training   {run.totals['fastnn']:.3f} s, {_median(run, 'fastnn'):.1f} µs a step of "
        f"{_POINTS} points ({dtype}, threads=1)",
    ]
    lines += [
        f"  JAX        {run.totals[name]:.3f} s, {_median(run, name):.1f} µs a step, {ratio} "
        f"times as long, after {run.ready[name]:.2f} s of\n"
        f"             compiling; the solutions differ by {run.distance:.1e} at most"
        for name, ratio in run.ratios.items()
    ]
    return "\n".join(lines)


def _median(run: Run, name: str) -> float:
    """µs of a step."""
    return statistics.median(run.seconds[name]) * 1e6
