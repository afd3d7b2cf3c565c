"""Samples, labels and the weights that all competitors start from. Random, from fixed seeds."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from scipy.linalg import expm

from .tasks import Inference, Task, Training

__all__ = [
    "Weights",
    "flat",
    "flat_of_all",
    "from_flat",
    "labels",
    "one_sample",
    "samples",
    "targets",
    "weights",
]

Weights = list[tuple[np.ndarray, np.ndarray]]  # w (inputs, outputs) and b, layer by layer


def weights(task: Task, number: int = 0) -> Weights:
    """Scaled to keep the size of the signal; the biases are not zero, so that a lost one shows.

    number: of the network, where there are several.
    """
    rng = np.random.default_rng([1, number] if number else 1)
    return [
        (
            (rng.normal(size=(n, m)) / np.sqrt(n)).astype(task.dtype),
            (0.1 * rng.normal(size=m)).astype(task.dtype),
        )
        for n, m in pairwise(task.sizes)
    ]


def flat(found: Weights) -> np.ndarray:
    """All in one vector, as fastnn keeps them: layer by layer, w before b."""
    return np.concatenate([part.ravel() for pair in found for part in pair])


def flat_of_all(task: Training) -> np.ndarray:
    """What all networks start from, (networks, parameters)."""
    return np.stack([flat(weights(task, number)) for number in range(task.networks)])


def from_flat(vector, sizes):
    """Views of the vector as weights; works on the arrays of JAX too."""
    found, start = [], 0
    for n, m in pairwise(sizes):
        middle, end = start + n * m, start + n * m + m
        found.append((vector[start:middle].reshape(n, m), vector[middle:end]))
        start = end
    return found


def samples(task: Task) -> np.ndarray:
    """Inputs (rows, features)."""
    rows = task.rows if isinstance(task, Training) else task.batch
    return np.random.default_rng(2).normal(size=(rows, task.sizes[0])).astype(task.dtype)


def one_sample(task: Inference) -> np.ndarray:
    """The input of a task with a batch of one, as a vector."""
    return samples(task)[0]


def labels(task: Training) -> np.ndarray:
    """The class of each sample as a whole number, for cross entropies."""
    classes = max(2, task.sizes[-1])
    return np.random.default_rng(3).integers(classes, size=task.rows)


def targets(task: Training) -> np.ndarray:
    """What the output is compared with (rows, outputs); classes are one-hot."""
    if task.cost == "softmax":
        return np.eye(task.sizes[-1], dtype=task.dtype)[labels(task)]
    if task.cost == "sigmoid":
        return labels(task)[:, np.newaxis].astype(task.dtype)
    if task.target == "expm":
        matrices = samples(task).astype(float).reshape(-1, 2, 2)
        return expm(matrices).reshape(-1, 4).astype(task.dtype)
    return np.random.default_rng(3).normal(size=(task.rows, task.sizes[-1])).astype(task.dtype)
