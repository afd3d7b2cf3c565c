"""Products of large matrices: both operands copied into the order in which registers take them.

A matrix that no cache holds costs a miss a term, where it is read through its strides: rows a power
of two apart share few places of a cache, and each stands on a page of its own. So a block of each
operand is copied first, by *panels* of as many rows, or columns, as a block of registers takes; the
inner loop then reads two streams. A block of A stays in the second cache while the panels of B go
by, each in the first. See Goto and van de Geijn (2008), Anatomy of high-performance matrix
multiplication, doi:10.1145/1356052.1356053.
"""

from ..codegen.declare import scalar
from ..codegen.intrinsics import cast_like, itemsize, pointer
from ..codegen.signature import DATA, INT, Signature
from .product import ADD, MULTIPLY, PANEL_VECTORS, SET, panel_block, panel_rows
from .registers import vector_lanes

__all__ = ["PACKED_GEMM", "call_packed_gemm", "packed_gemm", "packing_pays"]

PACKED_GEMM = Signature(
    "packed_gemm", a=DATA, b=DATA, c=DATA, a_row_stride=INT, a_term_stride=INT, b_term_stride=INT,
    c_row_stride=INT, m=INT, n=INT, k=INT, flag=INT, room=DATA, size=INT,
)  # fmt: skip
call_packed_gemm = PACKED_GEMM.call

_TERMS = 256  # of a panel, between two visits of C: a panel of B takes half of a first cache
_FIRST_CACHE = 1 << 15  # bytes


@scalar
def _panel_columns(a):
    """Columns of B in a panel, for elements of this pointer."""
    return PANEL_VECTORS * vector_lanes(a)


@scalar
def packing_pays(a, m, n, k, flag, size):
    """Whether a product of this size is faster when its operands are packed, and they fit."""
    if m < 2 * panel_rows() or n < _panel_columns(a) or k < 16:
        return False
    if flag == MULTIPLY and 2 * k * (panel_rows() + _panel_columns(a)) > size:
        return False  # that is not the sum of what its parts make
    return itemsize(a) * (m * k + k * n) > 2 * _FIRST_CACHE


def packed_gemm(
    a, b, c, a_row_stride, a_term_stride, b_term_stride, c_row_stride, m, n, k, flag, room, size
):
    """`gemm`, by packed blocks in a room of so many elements."""
    rows, columns = panel_rows(), _panel_columns(a)
    n_terms = k if flag == MULTIPLY else min(k, _TERMS)
    # a third for A
    edge = rows * columns
    most_rows = max(1, (size - edge) // (3 * n_terms) // rows) * rows
    most_columns = (size - edge - most_rows * n_terms) // n_terms // columns * columns
    packed_a = pointer(room, edge)
    packed_b = pointer(packed_a, most_rows * n_terms)
    for j in range(0, n, most_columns):
        n_columns = min(most_columns, n - j)
        for first in range(0, k, n_terms):
            terms, mode = min(n_terms, k - first), flag if first == 0 else ADD
            begin = pointer(b, first * b_term_stride + j)
            _pack(begin, packed_b, 1, b_term_stride, n_columns, terms, columns)
            for i in range(0, m, most_rows):
                n_rows = min(most_rows, m - i)
                begin = pointer(a, i * a_row_stride + first * a_term_stride)
                _pack(begin, packed_a, a_row_stride, a_term_stride, n_rows, terms, rows)
                _multiply_panels(
                    packed_a, packed_b, pointer(c, i * c_row_stride + j), c_row_stride, n_rows,
                    n_columns, terms, mode, room,
                )  # fmt: skip
    return 0.0


@scalar
def _multiply_panels(a, b, c, c_row_stride, m, n, k, flag, room):
    """All panels of A with all of B; a block at an edge is made in `room`."""
    rows, columns = panel_rows(), _panel_columns(a)
    for j in range(0, n, columns):
        for i in range(0, m, rows):
            target = pointer(c, i * c_row_stride + j)
            at, with_ = pointer(a, i * k), pointer(b, j * k)
            if m - i >= rows and n - j >= columns:
                panel_block(at, with_, target, c_row_stride, k, flag)
            else:
                panel_block(at, with_, room, columns, k, SET)
                _merge(room, target, c_row_stride, min(rows, m - i), min(columns, n - j), flag)


@scalar
def _merge(block, c, c_row_stride, m, n, flag):
    """Write the part of a block that C has."""
    for i in range(m):
        row, values = pointer(c, i * c_row_stride), pointer(block, i * _panel_columns(block))
        for j in range(n):
            if flag == SET:
                row[j] = values[j]
            elif flag == ADD:
                row[j] += values[j]
            else:
                row[j] *= values[j]


@scalar
def _pack(a, out, stride, term_stride, count, k, size):
    """Panels of `size` rows of A, or columns of B, term by term: `count`, `stride` apart."""
    if stride == 1:
        for term in range(k):
            for i in range(0, count, size):
                target = pointer(out, i * k + term * size)
                _take(pointer(a, term * term_stride + i), 1, target, size, count - i)
    else:
        for i in range(0, count, size):
            for term in range(k):
                target = pointer(out, i * k + term * size)
                _take(pointer(a, i * stride + term * term_stride), stride, target, size, count - i)


@scalar
def _take(source, stride, target, size, left):
    """One term of a panel; zeros where no row or column is left."""
    if left >= size:
        for r in range(size):
            target[r] = source[r * stride]
    else:
        for r in range(size):
            target[r] = source[r * stride] if r < left else cast_like(source[0], 0)
