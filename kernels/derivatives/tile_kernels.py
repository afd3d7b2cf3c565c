"""Tile kernels: an activation and its derivatives of one feature, made from its formulas.

See ``kernels/activations`` for the formulas.
"""

import functools

from ..activations import find
from ..codegen.declare import carray
from ..codegen.intrinsics import cast_like, wide
from ..codegen.parameters import with_two

_NAMES = ("derivative", "second_derivative", "third_derivative")
_SHORT = ("from_output", "second_from_output", "third_from_output")


def with_derivatives(name, order):
    """Tile kernel of the activation `name`, or None if it has no derivative of that order.

    a = f(a + bias), in place, for one feature; c: (order, n_lanes), f', f'' and perhaps f'''.
    order: 2 or 3.
    """
    short = tuple(find(f"{name}_{suffix}") for suffix in _SHORT[:order])
    plain = tuple(find(f"{name}_{suffix}") for suffix in _NAMES[:order])
    chosen = tuple(a or b for a, b in zip(short, plain, strict=True))
    if None in chosen:
        return None
    formulas = tuple(with_two(formula, 1) for formula in (find(name), *chosen))
    return _tile_kernel(formulas, tuple(formula is not None for formula in short))


@functools.cache
def _tile_kernel(formulas, by_output):
    """by_output: which derivatives take the output instead of the input."""
    order = len(by_output)
    formula, first, second, third = (*formulas, formulas[-1])[:4]  # of order 2, the last is unused
    first_by_y, second_by_y, third_by_y = (*by_output, by_output[-1])[:3]

    def kernel(a, b, c, hyper, n_features, n_lanes, n_targets, flag):
        wide()
        z, d = carray(a, (n_lanes,)), carray(c, (order, n_lanes))
        shift = b[0]
        p, q = cast_like(shift, hyper[0]), cast_like(shift, hyper[1])
        for r in range(n_lanes):
            x = z[r] + shift
            y = formula(x, p, q)
            z[r] = y
            d[0, r] = first(y if first_by_y else x, p, q)
            d[1, r] = second(y if second_by_y else x, p, q)
            if order == 3:
                d[2, r] = third(y if third_by_y else x, p, q)
        return 0.0

    return kernel
