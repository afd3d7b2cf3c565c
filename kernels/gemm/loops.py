"""The products of a layer and the movement of its samples, by blocks in registers.

A *tile* holds some samples features-major: feature i of sample r stands at ``i * lanes + r``. Every
loop then runs along the samples, whatever the layer's width, and a bias or a class is one scalar a
row. Its rows are whole cache lines: lanes beyond the last sample repeat it, with a weight of zero.

These loops are reached by their address, so that they are compiled once a dtype.
"""

from ..codegen.declare import scalar
from ..codegen.intrinsics import pointer
from ..codegen.signature import DATA, INT, INTS, Signature
from .product import block_rows, dots, dots_columns, stripe
from .registers import vector_lanes
from .transpose import transpose_vectors

GEMM = Signature(
    "gemm", a=DATA, b=DATA, c=DATA, a_row_stride=INT, a_term_stride=INT, b_term_stride=INT,
    c_row_stride=INT, m=INT, n=INT, k=INT, flag=INT,
)  # fmt: skip
GEMM_NT = Signature(
    "gemm_nt", a=DATA, b=DATA, c=DATA, a_row_stride=INT, b_row_stride=INT, c_row_stride=INT, m=INT,
    n=INT, k=INT, flag=INT,
)  # fmt: skip
TRANSPOSE = Signature(
    "transpose", source=DATA, order=INTS, out=DATA, source_stride=INT, n_columns=INT, first=INT,
    last=INT, out_stride=INT, n_out_columns=INT,
)  # fmt: skip
call_gemm, call_gemm_nt, call_transpose = GEMM.call, GEMM_NT.call, TRANSPOSE.call


def gemm(a, b, c, a_row_stride, a_term_stride, b_term_stride, c_row_stride, m, n, k, flag):
    """C (m, n) = A B, summed over k terms; flag: SET, ADD or MULTIPLY of `registers`.

    Element (i, l) of A stands at ``i*a_row_stride + l*a_term_stride``; rows of B and C are
    contiguous.
    """
    i = 0
    while i < m:
        rows = block_rows(m - i)
        stripe(
            pointer(a, i * a_row_stride), a_row_stride, a_term_stride, b, b_term_stride,
            pointer(c, i * c_row_stride), c_row_stride, n, k, rows, flag,
        )  # fmt: skip
        i += rows
    return 0.0


def gemm_nt(a, b, c, a_row_stride, b_row_stride, c_row_stride, m, n, k, flag):
    """C (m, n) = A Bᵀ, or C + A Bᵀ if flag, over k contiguous terms, whole vectors of them."""
    i = 0
    while i < m:
        rows = _dots_rows(m - i)
        j = 0
        while j < n:
            n_columns = dots_columns(n - j)
            dots(
                pointer(a, i * a_row_stride), a_row_stride, pointer(b, j * b_row_stride),
                b_row_stride, pointer(c, i * c_row_stride + j), c_row_stride, k, rows, n_columns,
                flag,
            )  # fmt: skip
            j += n_columns
        i += rows
    return 0.0


@scalar
def _dots_rows(left):
    return 4 if left >= 4 else (2 if left >= 2 else 1)


def transpose(source, order, out, source_stride, n_columns, first, last, out_stride, n_out_columns):
    """Rows ``order[first … last]`` of `source` become the first columns of `out`.

    first < 0: rows ``-1 - first … last``. Rows of `source` are `source_stride` apart and have
    `n_columns` elements; rows of `out` are `out_stride` apart, and filled up to `n_out_columns`
    with the last column.
    """
    for column in range(0, n_out_columns, vector_lanes(source)):
        begin = first + column if first >= 0 else first - column
        transpose_vectors(
            source, source_stride, n_columns, order, begin, last, out, out_stride, column,
            n_out_columns,
        )  # fmt: skip
    return 0.0


@scalar
def prefers_gemm_nt(n_in, n_out, rows, size):
    """Whether a layer's gradient is summed along the samples, or with the error transposed.

    Both in half-cycles of a core with two multipliers: the first pays for adding up the lanes of
    every weight, the second for lanes that a narrow layer leaves empty.
    """
    along = n_in * n_out * (rows // size + 20)
    across = n_in * -(-n_out // size) * max(rows, 8) + n_out * rows
    if n_in < 4:
        across += n_in * rows * 4  # too few sums at once to keep the multipliers busy
    return along < across


__all__ = [
    "GEMM",
    "GEMM_NT",
    "TRANSPOSE",
    "call_gemm",
    "call_gemm_nt",
    "call_transpose",
    "gemm",
    "gemm_nt",
    "prefers_gemm_nt",
    "transpose",
]
