"""The products of a dense layer on one tile, features-major, as row kernels.

A tile holds `rows` samples as a matrix of one row a feature and one column a sample, without gaps:
feature i of sample r stands at ``i * rows + r``. Every loop then runs along the samples, whatever
the layer's width, and a bias or a class is one scalar a row. Weights are (n_in, n_out), row-major,
followed by the bias.

Small and narrow layers run in own loops, since a BLAS call costs more than their arithmetic; all
others are one call of BLAS, which reads either orientation of the samples (``by_rows``: one sample
a row).

All kernels here take (m, n, k) = (n_in, n_out, rows).
"""

from typing import NamedTuple

from .jit import carray, gemm, like, pointer, scalar, wide

# Own loops up to this many features on one side, or weights in all. Measured on 32 and 512 rows in
# both dtypes, the three products together take 0.7 to 1.1 of the time of BLAS at 512 weights, 1.05
# to 1.6 at 1024; with up to 4 features on one side less than BLAS at any width.
NARROW = 4
SMALL = 512


class Products(NamedTuple):
    """The three row kernels of one kind of dense layer."""

    outputs: object  # c = Wᵀ a; a: input, b: weights
    gradient: object  # c = a bᵀ followed by Σ b; a: input, b: error; added to c if flag
    below: object  # c = W a; a: error, b: weights


def products(n_in, n_out, by_rows):
    """The kernels for a layer of this shape; by_rows: its input has one sample a row."""
    if is_narrow(n_in, n_out):
        return _NARROW
    return _BLAS_BY_ROWS if by_rows else _BLAS


def is_narrow(n_in, n_out):
    """Whether a layer of this shape runs in own loops."""
    return min(n_in, n_out) <= NARROW or n_in * n_out <= SMALL


def narrow_outputs(a, b, c, parameters, n_in, n_out, rows, flag):
    """Row kernel: c = Wᵀ a."""
    wide()
    _mix(b, n_out, 1, a, n_in, c, n_out, rows)
    return 0.0


def narrow_below(a, b, c, parameters, n_in, n_out, rows, flag):
    """Row kernel: c = W a."""
    wide()
    _mix(b, 1, n_out, a, n_out, c, n_in, rows)
    return 0.0


@scalar
def _mix(w, step_in, step_out, x, n_in, z, n_out, rows):
    """z[j] = Σ_i w[i*step_in + j*step_out] x[i] for whole rows, four inputs a pass.

    The last pass fills up with weights of zero.
    """
    wide()
    zero = like(w[0], 0)
    for i in range(0, n_in, 4):
        left = n_in - i
        x0 = carray(pointer(x, i * rows), (rows,))
        x1 = carray(pointer(x, (i + min(1, left - 1)) * rows), (rows,))
        x2 = carray(pointer(x, (i + min(2, left - 1)) * rows), (rows,))
        x3 = carray(pointer(x, (i + min(3, left - 1)) * rows), (rows,))
        for j in range(n_out):
            wj = pointer(w, i * step_in + j * step_out)
            w0 = wj[0]
            w1 = wj[step_in] if left > 1 else zero
            w2 = wj[2 * step_in] if left > 2 else zero
            w3 = wj[3 * step_in] if left > 3 else zero
            zj = carray(pointer(z, j * rows), (rows,))
            if i == 0:
                for r in range(rows):
                    zj[r] = (w0 * x0[r] + w1 * x1[r]) + (w2 * x2[r] + w3 * x3[r])
            else:
                for r in range(rows):
                    zj[r] += (w0 * x0[r] + w1 * x1[r]) + (w2 * x2[r] + w3 * x3[r])


def narrow_gradient(a, b, c, parameters, n_in, n_out, rows, flag):
    """Row kernel: c[i, j] = a[i] · b[j], then Σ b[j]; four inputs a pass over b[j]."""
    wide()
    for j in range(n_out):
        error = carray(pointer(b, j * rows), (rows,))
        for i in range(0, n_in, 4):
            s0, s1, s2, s3 = _dot4(a, i, n_in - 1, error, rows)
            _put(c, i * n_out + j, s0, flag)
            if i + 1 < n_in:
                _put(c, (i + 1) * n_out + j, s1, flag)
            if i + 2 < n_in:
                _put(c, (i + 2) * n_out + j, s2, flag)
            if i + 3 < n_in:
                _put(c, (i + 3) * n_out + j, s3, flag)
        _put(c, n_in * n_out + j, _sum(error, rows), flag)
    return 0.0


@scalar
def _put(grad, place, value, keep):
    """Set a gradient, or add to it if `keep`."""
    grad[place] = grad[place] + value if keep else value


@scalar(reassoc=True)
def _sum(x, rows):
    wide()
    total = like(x[0], 0)
    for r in range(rows):
        total += x[r]
    return total


@scalar(reassoc=True)
def _dot4(x, i, last, error, rows):
    """Products of the rows i … i + 3 of x (none beyond `last`) with `error`."""
    wide()
    x0 = carray(pointer(x, i * rows), (rows,))
    x1 = carray(pointer(x, min(i + 1, last) * rows), (rows,))
    x2 = carray(pointer(x, min(i + 2, last) * rows), (rows,))
    x3 = carray(pointer(x, min(i + 3, last) * rows), (rows,))
    s0 = like(error[0], 0)
    s1 = like(error[0], 0)
    s2 = like(error[0], 0)
    s3 = like(error[0], 0)
    for r in range(rows):
        s0 += x0[r] * error[r]
        s1 += x1[r] * error[r]
        s2 += x2[r] * error[r]
        s3 += x3[r] * error[r]
    return s0, s1, s2, s3


def blas_outputs(a, b, c, parameters, n_in, n_out, rows, flag):
    """Row kernel: c = Wᵀ a by BLAS."""
    gemm(False, True, rows, n_out, n_in, a, rows, b, n_out, like(c[0], 0), c, rows)
    return 0.0


def blas_outputs_by_rows(a, b, c, parameters, n_in, n_out, rows, flag):
    """Row kernel: c = Wᵀ a by BLAS, a with one sample a row."""
    gemm(True, True, rows, n_out, n_in, a, n_in, b, n_out, like(c[0], 0), c, rows)
    return 0.0


def blas_below(a, b, c, parameters, n_in, n_out, rows, flag):
    """Row kernel: c = W a by BLAS."""
    gemm(False, False, rows, n_in, n_out, a, rows, b, n_out, like(c[0], 0), c, rows)
    return 0.0


def blas_gradient(a, b, c, parameters, n_in, n_out, rows, flag):
    """Row kernel: c = a bᵀ by BLAS, then Σ b."""
    gemm(True, False, n_out, n_in, rows, b, rows, a, rows, like(c[0], flag), c, n_out)
    _bias_gradient(b, c, n_in, n_out, rows, flag)
    return 0.0


def blas_gradient_by_rows(a, b, c, parameters, n_in, n_out, rows, flag):
    """Row kernel: c = a bᵀ by BLAS, a with one sample a row, then Σ b."""
    gemm(True, True, n_out, n_in, rows, b, rows, a, n_in, like(c[0], flag), c, n_out)
    _bias_gradient(b, c, n_in, n_out, rows, flag)
    return 0.0


@scalar
def _bias_gradient(b, c, n_in, n_out, rows, flag):
    wide()
    for j in range(n_out):
        total = _sum(carray(pointer(b, j * rows), (rows,)), rows)
        _put(c, n_in * n_out + j, total, flag)


_NARROW = Products(narrow_outputs, narrow_gradient, narrow_below)
_BLAS = Products(blas_outputs, blas_gradient, blas_below)
_BLAS_BY_ROWS = Products(blas_outputs_by_rows, blas_gradient_by_rows, blas_below)
