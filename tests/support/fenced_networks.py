"""What `children.use_fenced_memory` does with networks: every call, at many numbers of rows."""

import numpy as np
from numba import njit

from fastnn import DenseLayer, NeuralNetwork, kernels
from fastnn.kernels.codegen.declare import address, kernel
from fastnn.kernels.codegen.intrinsics import pointer
from fastnn.kernels.gemm import packing
from fastnn.kernels.gemm.product import SET
from support import fenced
from support.networks import COSTS
from support.tolerance import assert_close

# Rows one by one, tiles before and after a cut, of one part and of several.
ROWS = [2, 4, 5, 8, 17, 105, 121, 144, 152, 177, 209, 304, 368, 512, 513, 600]
FEW_ROWS = [5, 144, 209]

# Sizes and activations; of the first rows that need more memory than larger numbers of them do.
NETWORKS = {
    "tanh 20": ((20, 64, 64, 4), ("tanh", "tanh", "identity"), "SumSquaresError"),
    "tanh 4": ((4, 64, 64, 2), ("tanh", "tanh", "identity"), "SumSquaresError"),
    "two layers": ((30, 60, 20), ("tanh", "identity"), "SumSquaresError"),
    "four layers": ((34, 15, 37, 35, 14), ("tanh",) * 4, "SigmoidCrossEntropy"),
    "wide": ((3, 300, 10), ("ReLU", "identity"), "SoftmaxCrossEntropy"),
    "packed": ((130, 131, 133), ("tanh", "ReLU"), "SumSquaresError"),
    "one": ((1, 1), ("identity",), "SumSquaresError"),
    "gated": ((9, 33, 17, 3), ("GLU", "softmax", "GLU"), "SoftmaxCrossEntropy"),
    "maxout": ((5, 21, 3), ("Maxout", "Maxout"), "SumSquaresError"),
    "trained": ((7, 19, 2), ("PReLU", "identity"), "SumSquaresError"),
}


@njit(nogil=True)
def _predict(model, x, out, work):
    kernels.predict(model, x, out, work)


@njit(nogil=True)
def _vjp(model, x, g, out, work):
    kernels.vjp(model, x, g, out, work)


@njit(nogil=True)
def _step(model, x, t, work):
    return kernels.train_step(model, x, t, 1e-4, work)


@njit(nogil=True)
def _jacobian(model, x, out, work):
    kernels.jacobian(model, x, out, work)


@kernel
def _multiply(target, a, b, c, row_stride, term_stride, m, n, k, room):
    packing.call_packed_gemm(
        target, pointer(a, 0), pointer(b, 0), pointer(c, 0), row_stride, term_stride, n, n, m, n, k,
        SET, pointer(room, 0), room.size,
    )  # fmt: skip


def multiply(dtype):
    """Packed products of operands whose last panels are not full."""
    target = address(packing.packed_gemm, dtype, packing.PACKED_GEMM)
    room = fenced.empty(3 << 16, dtype)
    for m, n, k in ((13, 17, 20), (7, 33, 300), (25, 5, 16)):
        b = fenced.copy(np.ones((k, n), dtype))
        for shape, steps in (((m, k), (k, 1)), ((k, m), (1, m))):
            a, c = fenced.copy(np.ones(shape, dtype)), fenced.empty((m, n), dtype)
            _multiply(target, a.ravel(), b.ravel(), c.ravel(), *steps, m, n, k, room)
            assert (c == k).all()
            fenced.check()


def make(name, dtype):
    """The network of that name, samples and targets."""
    sizes, activations, cost = NETWORKS[name]
    rng = np.random.default_rng(0)
    layers = [
        DenseLayer(m, n, activation=a, std=m**-0.5, dtype=dtype, rng=rng)
        for m, n, a in zip(sizes, sizes[1:], activations, strict=False)
    ]
    X = rng.uniform(-1, 1, (max(ROWS), sizes[0])).astype(dtype)
    t = np.eye(sizes[-1], dtype=dtype)[rng.integers(0, sizes[-1], max(ROWS))]
    return NeuralNetwork(layers, COSTS[cost]()), X, t


def use(name, dtype):
    """Ask and train a network at all row counts."""
    nn, X, t = make(name, dtype)
    operations = 2 * sum(NETWORKS[name][0]) + 64
    expected = nn(X)
    nn.predict(fenced.copy(X[:1]))  # its scratch is for as many rows as are predicted at once
    for rows in ROWS:
        x = fenced.copy(X[:rows])
        assert_close(nn.predict(x), expected[:rows], operations=operations)
        out = fenced.empty((rows, nn.layers[-1].dim_output), dtype)
        nn.predict(x, out=out)
        assert_close(out, expected[:rows], operations=operations)
        fenced.check()
    inside(nn, X, expected, operations)
    train(nn, X, t)


def inside(nn, X, expected, operations):
    """The same in compiled code: one workspace for all numbers of rows up to one."""
    model, dtype = nn.compiled(), X.dtype
    for most in (1, *FEW_ROWS, max(ROWS)):
        work = fenced.empty(kernels.workspace_size(model, most), dtype)
        matrix = fenced.empty((expected.shape[1], X.shape[1]), dtype)
        _jacobian(model, fenced.copy(X[0]), matrix, work)
        assert np.isfinite(matrix).all()
        for rows in {min(n, most) for n in (1, 2, most // 2 + 1, most - 1, most)} - {0}:
            x, out = fenced.copy(X[:rows]), fenced.empty((rows, expected.shape[1]), dtype)
            _predict(model, x, out, work)
            assert_close(out, expected[:rows], operations=operations)
            below = fenced.empty(x.shape, dtype)
            _vjp(model, x, out, below, work)
            assert np.isfinite(below).all()
        fenced.check()
    assert np.isfinite(nn.vjp(X, expected)).all()
    assert np.isfinite(nn.jacobian(X[0])).all()


def train(nn, X, t):
    """Every way to a gradient."""
    for rows in (1, *FEW_ROWS):
        x, targets = fenced.copy(X[:rows]), fenced.copy(t[:rows])
        model = nn.compiled("Adam")
        work = fenced.empty(kernels.workspace_size(model, rows), X.dtype)
        assert np.isfinite(_step(model, x, targets, work))
        assert all(np.isfinite(found).all() for found in nn.gradient(x, targets))
        assert np.isfinite(nn.cost(x, targets))
        weights = fenced.copy(np.ones(rows, X.dtype))
        for batch, threads in ((None, 1), (None, 2), (-(-2 * rows // 3), 1), (100, 2)):
            nn.fit(
                x, targets, optimizer="Adam", epochs=2, batch_size=batch, rng=0, n_threads=threads,
                validation_data=(x, targets), sample_weight=weights,
            )  # fmt: skip
            fenced.check()
    nn.fit(x, targets, optimizer="L-BFGS", epochs=2)
    assert np.isfinite(nn.parameters).all()
