"""What is compared: trainings, predictions, and sweeps of trainings over width and batch."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

__all__ = ["SWEEPS", "TASKS", "Inference", "Task", "Training", "quick", "task_from"]


@dataclass(frozen=True)
class Training:
    """A run of `epochs` over `batches` batches."""

    name: str
    sizes: tuple[int, ...]
    activation: str
    cost: str  # sigmoid: cross entropy, summed; softmax: its mean; squares: their half, mean
    batch: int
    batches: int
    epochs: int
    optimizer: str
    dtype: str = "float32"
    # So small that nothing diverges or dies out, and no side runs into slow subnormal numbers.
    learning_rate: float = 1e-4
    weight_decay: float = 0.0
    dropout: float = 0.0  # of the hidden layers
    target: str = "random"  # or expm: the exponentials of the samples, as matrices of 2 x 2
    networks: int = 1  # on the same data, each from weights of its own

    @property
    def steps(self) -> int:
        """Of one network in a run."""
        return self.epochs * self.batches

    @property
    def rows(self) -> int:
        """Samples of an epoch."""
        return self.batch * self.batches

    @property
    def operations(self) -> int:
        """Additions and multiplications of the products in a step.

        Forward, gradient by weights and, but for the first layer, gradient by inputs.
        """
        products = [n * m for n, m in pairwise(self.sizes)]
        return 2 * self.batch * (3 * sum(products) - products[0])

    @property
    def moved(self) -> int:
        """Bytes, if each number were read once a step and what changes written once."""
        states = 0 if self.optimizer == "SGD" else 2
        numbers = _parameters(self.sizes) * (4 + 2 * states)  # p and its gradient, both ways
        return _item(self.dtype) * (numbers + self.batch * (self.sizes[0] + self.sizes[-1]))

    @property
    def summed(self) -> bool:
        """Whether the cost is the sum over the batch, not its mean."""
        return self.cost == "sigmoid"


@dataclass(frozen=True)
class Inference:
    """A prediction for `batch` samples."""

    name: str
    sizes: tuple[int, ...]
    batch: int
    inside_njit: bool
    activation: str = "tanh"
    dtype: str = "float32"

    @property
    def operations(self) -> int:
        """Additions and multiplications of the products."""
        return 2 * self.batch * sum(n * m for n, m in pairwise(self.sizes))

    @property
    def moved(self) -> int:
        """Bytes: parameters and inputs read, outputs written."""
        ends = self.batch * (self.sizes[0] + self.sizes[-1])
        return _item(self.dtype) * (_parameters(self.sizes) + ends)


def _parameters(sizes: tuple[int, ...]) -> int:
    return sum((n + 1) * m for n, m in pairwise(sizes))


def _item(dtype: str) -> int:
    return 4 if dtype == "float32" else 8


Task = Training | Inference

_TASKS: tuple[Task, ...] = (
    Training("xor", (2, 4, 1), "tanh", "sigmoid", 1000, 1, 2000, "SGD"),
    Training("digits", (64, 32, 10), "ReLU", "softmax", 32, 16, 100, "Adam"),
    Training("digits-wide", (64, 100, 10), "ReLU", "softmax", 200, 16, 50, "Adam"),
    Training("mnist", (784, 256, 10), "ReLU", "softmax", 128, 16, 10, "Adam"),
    Training("mnist-wide", (784, 1024, 1024, 10), "ReLU", "softmax", 256, 16, 2, "Adam"),
    Training(
        "surrogate", (8, 32, 32, 1), "Swish", "squares", 256, 16, 50, "AdamW",
        dtype="float64", weight_decay=0.01,
    ),
    # The two examples of SimpleChains.jl, full batch.
    Training(
        "dropout", (24, 8, 2), "tanh", "squares", 200, 1, 1000, "Adam", dtype="float64", dropout=0.2
    ),
    Training(
        "matrix-exponential", (4, 32, 16, 4), "tanh", "squares", 10_000, 1, 50, "Adam",
        target="expm",
    ),
    Training("100-networks", (4, 16, 16, 1), "tanh", "squares", 32, 16, 30, "Adam", networks=100),
    Inference("predict-njit", (4, 64, 64, 2), 1, True),
    Inference("predict-one", (4, 64, 64, 2), 1, False),
    Inference("predict-batch", (4, 64, 64, 2), 32, False),
)  # fmt: skip

TASKS = {task.name: task for task in _TASKS}


def quick(task: Task) -> Task:
    """The same with shorter runs, so that the slowest competitor does not hold up a round."""
    if not isinstance(task, Training):
        return task
    if task.epochs < 5:
        return replace(task, epochs=1, batches=4)
    return replace(task, epochs=task.epochs // 5)


def task_from(given: dict[str, Any]) -> Task:
    """A task from its fields as JSON gives them back."""
    fields = {**given, "sizes": tuple(given["sizes"])}
    return Inference(**fields) if "inside_njit" in fields else Training(**fields)


def _step(name: str, sizes: tuple[int, ...], batch: int) -> Training:
    """A training for a sweep, as long as the clock needs."""
    one = Training(name, sizes, "ReLU", "softmax", batch, 16, 1, "Adam")
    return replace(one, epochs=min(50, max(1, 10**9 // (one.operations * one.batches))))


# title of the axis: the value there, and the task
SWEEPS: dict[str, dict[int, Training]] = {
    "hidden width w of 64-w-10, batch 128": {
        w: _step(f"64-{w}-10, batch 128", (64, w, 10), 128) for w in (8, 32, 128, 512, 2048)
    },
    "batch, 64-64-10": {
        n: _step(f"64-64-10, batch {n}", (64, 64, 10), n) for n in (1, 8, 64, 512, 4096)
    },
}
