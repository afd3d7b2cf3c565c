"""Products and transposes by themselves, against NumPy, with nothing written beside them."""

import itertools

import numpy as np
import pytest

from fastnn.kernels.codegen.declare import address, kernel
from fastnn.kernels.codegen.intrinsics import pointer
from fastnn.kernels.gemm import loops, packing
from fastnn.kernels.gemm.product import ADD, MULTIPLY, SET

DTYPES = "f4", "f8"
FLAGS = SET, ADD, MULTIPLY
ROOM = 3 << 16  # elements
SMALL = tuple(range(1, 71))
EDGES = 1, 5, 6, 7, 15, 16, 17, 31, 33, 95, 97, 255, 256, 257, 300, 513
FENCE, INK = 64, 7.25


@kernel
def run_gemm(target, a, b, c, steps, m, n, k, flag):
    loops.call_gemm(
        target, pointer(a, 0), pointer(b, 0), pointer(c, FENCE), steps[0], steps[1], steps[2],
        steps[3], m, n, k, flag,
    )  # fmt: skip


@kernel
def run_packed(target, a, b, c, steps, m, n, k, flag, room):
    packing.call_packed_gemm(
        target, pointer(a, 0), pointer(b, 0), pointer(c, FENCE), steps[0], steps[1], steps[2],
        steps[3], m, n, k, flag, pointer(room, FENCE), room.size - 2 * FENCE,
    )  # fmt: skip


@kernel
def run_gemm_nt(target, a, b, c, steps, m, n, k, flag):
    loops.call_gemm_nt(
        target, pointer(a, 0), pointer(b, 0), pointer(c, FENCE), steps[0], steps[1], steps[2], m, n,
        k, flag,
    )  # fmt: skip


@kernel
def run_transpose(target, source, order, out, steps, n_columns, first, last, n_out_columns):
    loops.call_transpose(
        target, pointer(source, 0), pointer(order, 0), pointer(out, FENCE), steps[0], n_columns,
        first, last, steps[1], n_out_columns,
    )  # fmt: skip


def check_product(dtype, shape, flag, turned, packed, seed=0):
    """One product: A by rows or by columns, with gaps behind the rows of all three matrices."""
    m, n, k = shape
    rng = np.random.default_rng(seed)
    gap = int(rng.integers(0, 5))
    rows, columns = (k, m) if turned else (m, k)
    a = rng.uniform(-1, 1, (rows, columns + gap)).astype(dtype)
    b = rng.uniform(-1, 1, (k, n + gap)).astype(dtype)
    c = np.full(2 * FENCE + m * (n + gap), INK, dtype)
    matrix = c[FENCE:-FENCE].reshape(m, n + gap)
    matrix[:, :n] = before = rng.uniform(-1, 1, (m, n)).astype(dtype)
    steps = np.array([1, columns + gap] if turned else [columns + gap, 1])
    steps = np.array([*steps, n + gap, n + gap])
    if packed:
        room = np.full(ROOM + 2 * FENCE, INK, dtype)
        target = address(packing.packed_gemm, dtype, packing.PACKED_GEMM)
        run_packed(target, a.ravel(), b.ravel(), c, steps, m, n, k, flag, room)
        assert (room[:FENCE] == INK).all()
        assert (room[-FENCE:] == INK).all()
    else:
        target = address(loops.gemm, dtype, loops.GEMM)
        run_gemm(target, a.ravel(), b.ravel(), c, steps, m, n, k, flag)
    left = a[:, :columns].astype(float)
    exact = (left.T if turned else left) @ b[:, :n].astype(float)
    exact = {SET: exact, ADD: before + exact, MULTIPLY: before * exact}[flag]
    bound = 2 * (k + 2) * np.finfo(dtype).eps
    np.testing.assert_allclose(matrix[:, :n], exact, rtol=0, atol=bound, err_msg=f"{shape}")
    assert (matrix[:, n:] == INK).all()
    assert (c[:FENCE] == INK).all()
    assert (c[-FENCE:] == INK).all()


@pytest.mark.parametrize(
    ("sizes", "count"), [(SMALL, 200), (EDGES, 60)], ids=["small", "around the edges of blocks"]
)
@pytest.mark.parametrize("packed", [False, True], ids=["plain", "packed"])
@pytest.mark.parametrize("dtype", DTYPES)
def test_products(dtype, packed, sizes, count):
    rng = np.random.default_rng(1)
    for number in range(count):
        shape = rng.choice(sizes, 3)
        check_product(dtype, shape, FLAGS[number % 3], number // 3 % 2, packed, number)


@pytest.mark.sweep
@pytest.mark.parametrize("packed", [False, True], ids=["plain", "packed"])
@pytest.mark.parametrize("dtype", DTYPES)
def test_products_of_all_widths(dtype, packed):
    for number, (m, n) in enumerate(itertools.product(SMALL, SMALL[::3])):
        shape = m, n, 1 + (7 * m + 11 * n) % 70
        check_product(dtype, shape, FLAGS[number % 3], number % 2, packed, number)
    for number, shape in enumerate(itertools.product(EDGES[::2], EDGES[1::2], EDGES[::3])):
        check_product(dtype, shape, FLAGS[number % 3], number % 2, packed, number)


@pytest.mark.parametrize("dtype", DTYPES)
def test_packed_products_larger_than_their_room(dtype):
    for number, shape in enumerate(((700, 1100, 520), (1100, 40, 1500), (13, 1300, 2000))):
        check_product(dtype, shape, FLAGS[number], number % 2, True, number)


@pytest.mark.parametrize("dtype", DTYPES)
def test_what_is_not_a_number_stays_in_its_row_and_column(dtype):
    """What fills the last panels must not spread an infinity."""
    m, n, k = 19, 37, 40
    a, b = np.ones((m, k), dtype), np.ones((k, n), dtype)
    a[18, 3], b[5, 36], b[6, 0] = np.inf, np.nan, -np.inf
    c, room = np.zeros(2 * FENCE + m * n, dtype), np.zeros(ROOM, dtype)
    target = address(packing.packed_gemm, dtype, packing.PACKED_GEMM)
    run_packed(target, a.ravel(), b.ravel(), c, np.array([k, 1, n, n]), m, n, k, SET, room)
    with np.errstate(invalid="ignore"):
        np.testing.assert_array_equal(c[FENCE:-FENCE].reshape(m, n), a @ b)


@pytest.mark.parametrize("dtype", DTYPES)
def test_products_of_two_matrices_by_rows(dtype):
    rng, lanes = np.random.default_rng(3), 16
    for number in range(120):
        m, n = rng.choice(SMALL, 2)
        k = lanes * int(rng.integers(1, 9))
        a, b = (rng.uniform(-1, 1, (rows, k + lanes)).astype(dtype) for rows in (m, n))
        c = np.full(2 * FENCE + m * n, INK, dtype)
        target = address(loops.gemm_nt, dtype, loops.GEMM_NT)
        steps = np.array([k + lanes, k + lanes, n])
        run_gemm_nt(target, a.ravel(), b.ravel(), c, steps, m, n, k, number % 2)
        exact = a[:, :k].astype(float) @ b[:, :k].T.astype(float) + INK * (number % 2)
        bound = 2 * (k + 2) * np.finfo(dtype).eps + 8 * np.finfo(dtype).eps * (number % 2)
        np.testing.assert_allclose(c[FENCE:-FENCE].reshape(m, n), exact, rtol=0, atol=bound)
        assert (c[:FENCE] == INK).all()
        assert (c[-FENCE:] == INK).all()


@pytest.mark.parametrize("dtype", DTYPES)
def test_rows_become_columns(dtype):
    rng = np.random.default_rng(4)
    target = address(loops.transpose, dtype, loops.TRANSPOSE)
    for number in range(150):
        rows, width = rng.choice(SMALL, 2)
        chosen, filled = int(rng.integers(1, rows + 1)), int(rng.integers(0, 20))
        source = rng.uniform(-1, 1, (rows, width + number % 3)).astype(dtype)
        order = rng.permutation(rows)
        stride = chosen + filled + number % 4
        out = np.full(2 * FENCE + width * stride, INK, dtype)
        begin = int(rng.integers(0, rows - chosen + 1))
        taken, first, last = order[begin : begin + chosen], begin, begin + chosen - 1
        if number % 2:
            taken, first = np.arange(begin, begin + chosen), -1 - begin
        steps = np.array([source.shape[1], stride])
        run_transpose(
            target, source.ravel(), order, out, steps, width, first, last, chosen + filled
        )
        found = out[FENCE:-FENCE].reshape(width, stride)
        taken = np.concatenate([taken, np.full(filled, taken[-1])])
        np.testing.assert_array_equal(found[:, : chosen + filled], source[taken, :width].T)
        assert (found[:, chosen + filled :] == INK).all()
        assert (out[:FENCE] == INK).all()
        assert (out[-FENCE:] == INK).all()
