"""The normal equations of least squares: sums of JᵀJ over tiles, and their Cholesky factors.

A matrix of P + 1 rows, contiguous, holds both: below the diagonal JᵀJ, with Jᵀr in the last row;
above it the factor of what is solved. To LAPACK, which reads columns, that is the lower triangle.
The diagonal of JᵀJ stands apart.
"""

import numpy as np

from ..codegen.declare import scalar
from ..codegen.intrinsics import pointer
from ..codegen.signature import FLOATS, INT, INTS, Signature
from ..engine import layout
from ..gemm.loops import call_gemm_nt

POTRF = Signature("dpotrf", returns=INT, uplo=INTS, n=INTS, a=FLOATS, lda=INTS, info=INTS)
"""LAPACK's dpotrf, and dpotri alike. They take C ints and a character by pointers: each is the
beginning of a place of eight bytes. They return nothing: the number that a call gives is none."""

call_potrf = POTRF.call

UPLO, N, LDA, INFO, LAPACK_PLACES = 0, 1, 2, 3, 4  # of what they are given

_BLOCK = 64  # rows of Jᵀ whose products with all others are taken while they are in the cache
_STRIP = 4  # rows of a block of `gemm_nt`


@scalar
def add_products(net, rows, n_rows, n_lanes, matrix, adds):
    """The lower triangle of C = R Rᵀ, or C + R Rᵀ if `adds`; some numbers above it, too.

    rows: R (n_rows, n_lanes), matrix: C (n_rows, n_rows).
    """
    gemm_nt = net.descriptor[layout.GEMM_NT]
    for low in range(0, n_rows, _BLOCK):
        for i in range(low, n_rows, _STRIP):
            m = min(_STRIP, n_rows - i)
            n = min(low + _BLOCK, i + m) - low
            call_gemm_nt(
                gemm_nt, pointer(rows, i * n_lanes), pointer(rows, low * n_lanes),
                pointer(matrix, i * n_rows + low), n_lanes, n_lanes, n_rows, m, n, n_lanes, adds,
            )  # fmt: skip


@scalar
def factor(matrix, diagonal, ridge, damping, scale, size, lapack, potrf):
    """Cholesky factor of scale · JᵀJ + diag(ridge) + damping; whether it is positive definite.

    matrix: (size + 1, size + 1), diagonal, ridge: (size,).
    """
    stride = size + 1
    for j in range(size):
        column = pointer(matrix, j * stride)
        column[j] = scale * diagonal[j] + ridge[j] + damping
        for i in range(j + 1, size):
            column[i] = scale * matrix[i * stride + j]
    return call_lapack(potrf, matrix, lapack)


@scalar
def call_lapack(target, matrix, lapack):
    """Call dpotrf or dpotri; whether it succeeded."""
    lapack[INFO] = 0
    call_potrf(
        target, pointer(lapack, UPLO), pointer(lapack, N), matrix, pointer(lapack, LDA),
        pointer(lapack, INFO),
    )  # fmt: skip
    return lapack[INFO] == 0


@scalar
def solve(matrix, x, size):
    """X = A⁻¹ x by the factor of A, in place."""
    stride = size + 1
    for j in range(size):
        column = pointer(matrix, j * stride)
        x[j] /= column[j]
        for i in range(j + 1, size):
            x[i] -= column[i] * x[j]
    for j in range(size - 1, -1, -1):
        column = pointer(matrix, j * stride)
        x[j] = (x[j] - dot_from(column, x, j + 1, size)) / column[j]


@scalar(reassoc=True)
def dot_from(a, b, first, size):
    """Σ a b from `first` on."""
    total = 0.0
    for i in range(first, size):
        total += a[i] * b[i]
    return total


@scalar
def inverse_trace(matrix, size, lapack, potri):
    """tr A⁻¹ from the factor of A, which is lost; NaN if it has no inverse."""
    if not call_lapack(potri, matrix, lapack):
        return np.nan
    total = 0.0
    for j in range(size):
        total += matrix[j * (size + 1) + j]
    return total


__all__ = [
    "INFO",
    "LAPACK_PLACES",
    "LDA",
    "POTRF",
    "UPLO",
    "N",
    "add_products",
    "call_lapack",
    "dot_from",
    "factor",
    "inverse_trace",
    "solve",
]
