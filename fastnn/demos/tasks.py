"""What the demos train: data, network, and how a result is judged."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from .. import (
    LinearLayer,
    MixtureDensityError,
    NeuralNetwork,
    ReLULayer,
    SigmoidCrossEntropy,
    SoftmaxCrossEntropy,
    SumSquaresError,
    TanhLayer,
)
from .._core.arrays import Array

__all__ = ["TASKS", "Task", "curve", "distance_of", "inverse", "pendulum"]


@dataclass(frozen=True)
class Task:
    """One demo: samples, a fresh network, and the settings of its training."""

    name: str
    title: str
    X: Array
    t: Array
    network: NeuralNetwork
    learning_rate: float
    epochs: int
    judge: Callable[[NeuralNetwork], tuple[float, str]]  # figure of merit, and it in words
    batch_size: int | None = None
    optimizer: str | None = None
    held_out: tuple[Array, Array] | None = None

    @property
    def batches(self) -> list[slice]:
        """The samples of each step of an epoch, unshuffled."""
        size = self.batch_size or len(self.X)
        return [slice(start, start + size) for start in range(0, len(self.X), size)]


def xor(seed: int, dtype: npt.DTypeLike) -> Task:
    """The article's binary classification: whether two numbers have the same sign."""
    rng = np.random.default_rng(seed)
    x = rng.uniform(-1.0, 1.0, size=(1000, 2))
    labels = (np.prod(x, axis=1, keepdims=True) > 0).astype(float)
    network = NeuralNetwork(
        [TanhLayer(2, 4, dtype=dtype, rng=rng), LinearLayer(4, 1, dtype=dtype, rng=rng)],
        SigmoidCrossEntropy(),
    )

    def judge(nn: NeuralNetwork) -> tuple[float, str]:
        accuracy = float(np.mean((nn(x) > 0.5) == labels))
        return accuracy, f"accuracy {accuracy:.3f} on the 1000 points"

    return Task("xor", "2-4-1, tanh", x, labels, network, 0.001, 100_000, judge)


def curve(x: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """The function behind the observations of the regression."""
    return x + 0.3 * np.sin(2 * np.pi * x)


def regression(seed: int, dtype: npt.DTypeLike) -> Task:
    """The article's regression: a curve from 100 noisy observations."""
    rng = np.random.default_rng(seed)
    x = rng.uniform(size=(100, 1))
    t = curve(x) + rng.uniform(-0.1, 0.1, size=x.shape)
    network = NeuralNetwork(
        [
            TanhLayer(1, 6, std=1.0, bias=-0.5, dtype=dtype, rng=rng),
            LinearLayer(6, 1, std=1.0, bias=0.5, dtype=dtype, rng=rng),
        ],
        SumSquaresError(),
    )
    grid = np.linspace(0, 1, 1000)[:, np.newaxis]

    def judge(nn: NeuralNetwork) -> tuple[float, str]:
        distance = float(np.sqrt(np.mean((nn(grid) - curve(grid)) ** 2)))
        return distance, f"cost {nn.cost(x, t):f}, RMS distance to the true curve {distance:.4f}"

    return Task("regression", "1-6-1, tanh", x, t, network, 0.001, 100_000, judge)


def digits(seed: int, dtype: npt.DTypeLike) -> Task:
    """Handwritten digits; the same quarter of them is held out whatever the seed."""
    from sklearn.datasets import load_digits

    images, labels = load_digits(return_X_y=True)
    images, one_hot = images / 16.0, np.eye(10)[labels]  # pixels are counts of 0 to 16
    order = np.random.default_rng(0).permutation(len(images))
    held, kept = np.split(order, [len(images) // 4])
    rng = np.random.default_rng(seed)
    network = NeuralNetwork(
        [
            ReLULayer(64, 64, std=(2 / 64) ** 0.5, dtype=dtype, rng=rng),  # He et al. 2015
            LinearLayer(64, 10, std=(1 / 64) ** 0.5, dtype=dtype, rng=rng),
        ],
        SoftmaxCrossEntropy(),
    )
    test = images[held], one_hot[held]

    def judge(nn: NeuralNetwork) -> tuple[float, str]:
        accuracy = float(np.mean(nn(test[0]).argmax(axis=1) == labels[held]))
        return accuracy, f"held-out accuracy {accuracy:.4f} on {len(held)} images"

    return Task(
        "digits", "64-64-10, ReLU", images[kept], one_hot[kept], network,
        0.02, 50, judge, batch_size=32, held_out=test,
    )  # fmt: skip


def pendulum(x: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Rate of change of angle and speed, x[..., 0] and x[..., 1], of a damped pendulum."""
    angle, speed = x[..., 0], x[..., 1]
    return np.stack([speed, -np.sin(angle) - 0.2 * speed], axis=-1)


def ode(seed: int, dtype: npt.DTypeLike) -> Task:
    """The right-hand side of a differential equation, from samples of it."""
    rng = np.random.default_rng(seed)
    x = rng.uniform((-3.5, -3.0), (3.5, 3.0), size=(1000, 2))
    options: dict[str, Any] = {"init": "glorot_normal", "dtype": dtype, "rng": rng}
    network = NeuralNetwork(
        [TanhLayer(2, 32, **options), TanhLayer(32, 32, **options), LinearLayer(32, 2, **options)],
        SumSquaresError(reduction="mean"),
    )
    grid = np.meshgrid(np.linspace(-3.0, 3.0, 40), np.linspace(-2.5, 2.5, 40))
    points = np.stack(grid, axis=-1).reshape(-1, 2)

    def judge(nn: NeuralNetwork) -> tuple[float, str]:
        error = float(np.sqrt(np.mean((nn.predict(points) - pendulum(points)) ** 2)))
        return error, f"RMS error of the right-hand side {error:.4f}"

    return Task(
        "ode", "2-32-32-2, tanh", x, pendulum(x), network,
        0.001, 2000, judge, batch_size=100, optimizer="Adam",
    )  # fmt: skip


def inverse(seed: int) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Bishop's inverse problem: the t of which x is the noisy curve. Up to three of them fit."""
    rng = np.random.default_rng(seed)
    t = rng.uniform(size=(300, 1))
    return curve(t) + rng.uniform(-0.1, 0.1, size=t.shape), t


def distance_of(x: Array, t: Array) -> float:
    """How far answers t are from right: RMS distance of the curve at t from x."""
    return float(np.sqrt(np.mean((curve(t.astype(np.float64)) - x) ** 2)))


def mdn(seed: int, dtype: npt.DTypeLike) -> Task:
    """A mixture density network for it, as in Bishop's figure 5.21."""
    x, t = inverse(seed)
    cost = MixtureDensityError("mean", components=3)
    rng = np.random.default_rng(seed)
    network = NeuralNetwork(
        [
            TanhLayer(1, 12, dtype=dtype, rng=rng),
            LinearLayer(12, cost.outputs_for(1), std=0.2, dtype=dtype, rng=rng),
        ],
        cost,
    )
    # equal shares, means spread over the answers, and wide enough to see their neighbours
    network.layers[1].b = np.array([0, 0, 0, 0.1, 0.5, 0.9, -1.5, -1.5, -1.5])
    grid = np.linspace(0.05, 0.95, 200)[:, np.newaxis]

    def judge(nn: NeuralNetwork) -> tuple[float, str]:
        distance = distance_of(grid, cost.mode(nn.predict(grid)))
        return distance, f"cost {nn.cost(x, t):f}, RMS error of the conditional mode {distance:.4f}"

    return Task("mdn", "1-12-9, tanh, 3 Gaussians", x, t, network, 0.01, 3000, judge,
                optimizer="Adam")  # fmt: skip


TASKS: dict[str, Callable[[int, Any], Task]] = {
    "xor": xor,
    "regression": regression,
    "digits": digits,
    "ode": ode,
    "mdn": mdn,
}
