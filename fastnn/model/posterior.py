"""What is known of a network's parameters after a training with `bayesian=True`."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from .._core.arrays import Array, aligned, convert
from ..kernels.codegen.declare import address
from ..kernels.engine import layout
from ..kernels.solvers import jacobian_tile as tiles
from ..kernels.solvers import predictive
from .compile import Use, model
from .snapshot import Snapshot, snapshot

__all__ = ["Posterior", "deviations"]


class Posterior:
    """The normal distribution of the parameters about those that were found.

    Its precision is the Gauss-Newton matrix A = β JᵀJ + α, where J are the derivatives of all
    outputs by the trained parameters. Of `NeuralNetwork.fit` with
    ``fastnn.optimizers.LevenbergMarquardt(bayesian=True)``, as ``network.posterior``.

    Attributes
    ----------
    alpha : float
        Precision of the parameters beforehand: their decay.
    beta : float
        Precision of the targets: 1 / sqrt(beta) is the standard deviation of their noise.
    gamma : float
        How many parameters the data determine, P - alpha tr(A⁻¹).
    log_evidence : float
        Of the data, given alpha and beta: networks with more of it explain them better.

    References
    ----------
    MacKay, "A practical Bayesian framework for backpropagation networks", Neural Computation 4,
    1992; Bishop, *Pattern Recognition and Machine Learning* (2006), sections 3.5 and 5.7.

    """

    def __init__(
        self, alpha: float, beta: float, gamma: float, log_evidence: float, root: Array, of: Any
    ) -> None:
        self.alpha, self.beta, self.gamma, self.log_evidence = alpha, beta, gamma, log_evidence
        self._root, self._of = root, of  # rootᵀ root = A⁻¹; the network as it was

    @classmethod
    def of(
        cls,
        now: Snapshot,
        matrix: Array,
        point: Array,
        *,
        alpha: float,
        beta: float,
        squares: float,
        count: float,
    ) -> Posterior:
        """From JᵀJ (parameters, parameters) at a point, and Σ (y - t)² of `count` targets."""
        found, vectors = np.linalg.eigh(matrix)
        eigenvalues = beta * np.maximum(found, 0.0)  # rounding may put one below
        precisions = eigenvalues + alpha
        log_evidence = 0.5 * (
            len(point) * math.log(alpha)
            + count * math.log(beta / (2 * math.pi))
            - beta * squares
            - alpha * float(np.vdot(point, point))
            - float(np.log(precisions).sum())
        )
        root = np.ascontiguousarray((vectors / np.sqrt(precisions)).T)
        gamma = float((eigenvalues / precisions).sum())
        return cls(alpha, beta, gamma, log_evidence, root, _state(now))

    def check(self, now: Snapshot) -> None:
        """Refuse a network that is not as it was."""
        if not now.compiled:
            raise TypeError("a layer or the cost is your own now: there are no error bars")
        structure, theta = _state(now)
        if structure != self._of[0]:
            raise ValueError(
                "the network's layers are not those that the posterior belongs to: fit again"
            )
        if not np.array_equal(theta, self._of[1]):
            raise ValueError(
                "the network's parameters have changed since the posterior was found: fit again "
                "with bayesian=True"
            )

    def variances(self, now: Snapshot, x: Array) -> Array:
        """Of the targets at the samples x (rows, dim_input): (rows, dim_output)."""
        made = model(
            now.layers, now.cost_function, now.theta.astype(np.float64), Use(training=True)
        )
        out = np.empty((len(x), int(made.descriptor[layout.OUTPUTS])))
        if len(x):
            work = aligned(predictive.variance_elements(made, len(x)), np.float64)
            jacobian = address(tiles.jacobian, np.float64, tiles.JACOBIAN)
            predictive.variances(made, jacobian, x, self._root, work, out)
        return 1.0 / self.beta + out

    def __repr__(self) -> str:
        return (
            f"Posterior(alpha={self.alpha:.4g}, beta={self.beta:.4g}, gamma={self.gamma:.4g} of "
            f"{len(self._root)} parameters, log_evidence={self.log_evidence:.6g})"
        )


def _state(now: Snapshot) -> tuple[list[Any], npt.NDArray[Any]]:
    """What a posterior holds for: layers and parameters."""
    layers = [
        (layer.w.shape, layer.activation.name, dict(layer.activation_parameters), layer.trainable)
        for layer in now.layers
    ]
    return layers, now.theta.copy()


def deviations(network: Any, X: npt.ArrayLike) -> Array:
    """Standard deviations of the targets at the samples X, of `NeuralNetwork.predict`."""
    posterior: Posterior | None = network.posterior
    if posterior is None:
        raise ValueError(
            "return_std needs a network that was trained with "
            "fastnn.optimizers.LevenbergMarquardt(bayesian=True)"
        )
    now = snapshot(network)
    posterior.check(now)
    dtype, width = now.theta.dtype, now.layers[0].w.shape[0]
    x = convert("X", X, dtype)
    if x.ndim not in (1, 2) or x.shape[-1] != width:
        raise ValueError(f"X has shape {x.shape}, expected ({width},) or (rows, {width})")
    samples = np.ascontiguousarray(x.reshape(-1, width), np.float64)
    found: Array = np.sqrt(posterior.variances(now, samples)).astype(dtype)
    return found.reshape(*x.shape[:-1], found.shape[1])
