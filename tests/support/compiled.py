"""Users' compiled functions of networks, and what their tests compare them with."""

import numpy as np
from numba import njit

from fastnn import kernels
from fastnn.reference import ReferenceNetwork
from fastnn.reference.losses import COSTS as REFERENCE_COSTS
from support.networks import COSTS

SQUARES, SIGMOID, SOFTMAX = COSTS


@njit(nogil=True)
def run_predict(model, x, out):
    kernels.predict(model, x, out)


@njit(nogil=True)
def run_predict_with(model, x, out, workspace):
    kernels.predict(model, x, out, workspace)


@njit(nogil=True)
def run_step(model, x, t, rate):
    return kernels.train_step(model, x, t, rate)


@njit(nogil=True)
def run_step_with(model, x, t, rate, workspace):
    return kernels.train_step(model, x, t, rate, workspace)


@njit(nogil=True)
def run_jacobian(model, x, out):
    kernels.jacobian(model, x, out)


@njit(nogil=True)
def run_jacobian_with(model, x, out, workspace):
    kernels.jacobian(model, x, out, workspace)


@njit(nogil=True)
def run_vjp(model, x, g, out):
    kernels.vjp(model, x, g, out)


@njit(nogil=True)
def run_vjp_with(model, x, g, out, workspace):
    kernels.vjp(model, x, g, out, workspace)


@njit(nogil=True)
def size_of_workspace(model, rows):
    return kernels.workspace_size(model, rows)


def hidden(sizes, name="tanh"):
    """Activations of a network whose last layer is linear."""
    return [*[name] * (len(sizes) - 2), "identity"]


def chain(sizes, rows=0):
    """The longest chain of roundings, for the tolerance."""
    return 2 * sum(sizes) + 16 * len(sizes) + rows  # 8: an activation; forth and back


class Guarded:
    """An array between elements that nobody may touch."""

    MARGIN = 64  # more than the widest vector and a cache line

    def __init__(self, shape, dtype):
        size = int(np.prod(shape))
        self._whole = np.full(size + 2 * self.MARGIN, 12345, dtype)
        self.array = self._whole[self.MARGIN : self.MARGIN + size].reshape(shape)
        self.array[...] = np.nan

    def untouched(self):
        ends = self._whole[: self.MARGIN], self._whole[-self.MARGIN :]
        return all((end == 12345).all() for end in ends)


def workspace(model, rows):
    """Exactly what `workspace_size` says, guarded."""
    return Guarded(kernels.workspace_size(model, rows), model.theta.dtype)


def samples(sizes, rows, dtype, seed=1):
    return np.random.default_rng(seed).uniform(-1, 1, (rows, sizes[0])).astype(dtype)


def pulled(nn, X, g):
    """By a reference network: for each sample, gᵀ ∂output/∂input."""
    twin = ReferenceNetwork.like(nn)
    logits, y = twin.forward(X)[0][-1], twin(X)
    error = {
        SQUARES: lambda: g,
        SIGMOID: lambda: g * y * (1 - y),
        SOFTMAX: lambda: y * (g - (g * y).sum(axis=-1, keepdims=True)),
    }[type(nn.cost_function).__name__]()
    twin.cost_function = REFERENCE_COSTS[SQUARES]  # its gradient by the logits is the error
    return twin.gradient(X, logits - error)[1]
