"""The products of a layer and the movement of its samples, by blocks in registers.

A *tile* holds some samples features-major: feature i of sample r stands at ``i * lanes + r``. Every
loop then runs along the samples, whatever the layer's width, and a bias or a class is one scalar a
row. Its rows are whole cache lines: lanes beyond the last sample repeat it, with a weight of zero.

These loops are reached by their address, so that they are compiled once a dtype.
"""

from ..codegen.declare import pointer, scalar
from .registers import block_rows, block_vectors, dots, lanes, product
from .registers import transpose as _transpose

MULTIPLY_ARGUMENTS = "dddiiiiiiii"
INNER_ARGUMENTS = "dddiiiiiii"
TRANSPOSE_ARGUMENTS = "dodiiiiii"

LINE_BYTES = 64


def multiply(a, b, c, a_row, a_step, b_step, c_row, m, n, k, flag):
    """C (m, n) = A B, summed over k terms; flag: SET, ADD or MULTIPLY of `registers`.

    Element (i, l) of A stands at ``i*a_row + l*a_step``; rows of B and C are contiguous.
    """
    size = lanes(a)
    i = 0
    while i < m:
        rows = block_rows(m - i)
        j = 0
        while j < n:
            vectors = block_vectors(rows, (n - j) // size)
            product(
                pointer(a, i * a_row), a_row, a_step, pointer(b, j), b_step,
                pointer(c, i * c_row + j), c_row, k, rows, vectors, min(size, n - j), flag,
            )  # fmt: skip
            j += vectors * size
        i += rows
    return 0.0


def inner(a, b, c, a_row, b_row, c_row, m, n, k, flag):
    """C (m, n) = A Bᵀ, or C + A Bᵀ if flag, over k contiguous terms, whole vectors of them."""
    i = 0
    while i < m:
        rows = _dots_rows(m - i)
        j = 0
        while j < n:
            columns = _dots_rows(n - j)
            dots(
                pointer(a, i * a_row), a_row, pointer(b, j * b_row), b_row,
                pointer(c, i * c_row + j), c_row, k, rows, columns, flag,
            )  # fmt: skip
            j += columns
        i += rows
    return 0.0


@scalar
def _dots_rows(left):
    return 4 if left >= 4 else (2 if left >= 2 else 1)


def transpose(source, order, out, width, columns, first, last, stride, limit):
    """Rows ``order[first … last]`` of `source` become the first columns of `out`.

    first < 0: rows ``-1 - first … last``. Rows of `source` are `width` apart and have `columns`
    elements; rows of `out` are `stride` apart, and filled up to `limit` with the last column.
    """
    for place in range(0, limit, lanes(source)):
        begin = first + place if first >= 0 else first - place
        _transpose(source, width, columns, order, begin, last, out, stride, place, limit)
    return 0.0


@scalar
def prefers_inner(n_in, n_out, rows, size):
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
    "INNER_ARGUMENTS",
    "LINE_BYTES",
    "MULTIPLY_ARGUMENTS",
    "TRANSPOSE_ARGUMENTS",
    "inner",
    "multiply",
    "prefers_inner",
    "transpose",
]
