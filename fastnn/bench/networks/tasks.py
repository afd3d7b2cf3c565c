"""What is compared, and the goals. Imports no library, so that threads can be set before one is."""

from __future__ import annotations

from dataclasses import dataclass, replace

__all__ = ["TASKS", "Inference", "Task", "Training", "quick"]


@dataclass(frozen=True)
class Training:
    """A run of `epochs` over `batches` batches; the goal is ours / best peer."""

    name: str
    sizes: tuple[int, ...]
    activation: str
    cost: str  # sigmoid: cross entropy, summed; softmax: its mean; squares: their half, mean
    batch: int
    batches: int
    epochs: int
    optimizer: str
    goal: float
    dtype: str = "float32"
    # So small that nothing diverges or dies out, and no side runs into slow subnormal numbers.
    learning_rate: float = 1e-4
    weight_decay: float = 0.0

    @property
    def steps(self) -> int:
        """Of one run."""
        return self.epochs * self.batches

    @property
    def rows(self) -> int:
        """Samples of an epoch."""
        return self.batch * self.batches

    @property
    def summed(self) -> bool:
        """Whether the cost is the sum over the batch, not its mean."""
        return self.cost == "sigmoid"


@dataclass(frozen=True)
class Inference:
    """A prediction for `batch` samples; the goal is ours in µs."""

    name: str
    sizes: tuple[int, ...]
    batch: int
    inside_njit: bool
    goal: float
    activation: str = "tanh"
    dtype: str = "float32"


Task = Training | Inference

_TASKS: tuple[Task, ...] = (
    Training("xor", (2, 4, 1), "tanh", "sigmoid", 1000, 1, 2000, "SGD", 0.20),
    Training("digits", (64, 32, 10), "ReLU", "softmax", 32, 16, 100, "Adam", 0.35),
    Training("digits-wide", (64, 100, 10), "ReLU", "softmax", 200, 16, 50, "Adam", 0.6),
    Training("mnist", (784, 256, 10), "ReLU", "softmax", 128, 16, 10, "Adam", 0.75),
    Training("mnist-wide", (784, 1024, 1024, 10), "ReLU", "softmax", 256, 16, 2, "Adam", 0.95),
    Training(
        "surrogate", (8, 32, 32, 1), "Swish", "squares", 256, 16, 50, "AdamW", 0.5,
        dtype="float64", weight_decay=0.01,
    ),
    Inference("predict-njit", (4, 64, 64, 2), 1, True, 0.35),
    Inference("predict-one", (4, 64, 64, 2), 1, False, 1.5),
    Inference("predict-batch", (4, 64, 64, 2), 32, False, 5.0),
)  # fmt: skip

TASKS = {task.name: task for task in _TASKS}


def quick(task: Task) -> Task:
    """The same with shorter runs, so that the slowest competitor does not hold up a round."""
    return replace(task, epochs=max(1, task.epochs // 5)) if isinstance(task, Training) else task
