"""Tile kernels of activations that act on each number alone, made from their formulas.

See ``kernels/activations`` for the formulas, `codegen.declare` for what a tile kernel is.
"""

import functools

from ..codegen.declare import carray
from ..codegen.intrinsics import cast_like, wide
from ..codegen.parameters import with_two


def forward(formula):
    """Tile kernel: a = f(a + bias), in place. b: bias of each feature."""
    return _forward(with_two(formula, 1))


@functools.cache
def _forward(formula):
    def forward_kernel(a, b, c, hyper, n_features, n_lanes, n_targets, flag):
        wide()
        z = carray(a, (n_features, n_lanes))
        bias = carray(b, (n_features,))
        p = cast_like(bias[0], hyper[0])
        q = cast_like(bias[0], hyper[1])
        for j in range(n_features):
            shift = bias[j]
            for r in range(n_lanes):
                z[j, r] = formula(z[j, r] + shift, p, q)
        return 0.0

    return forward_kernel


def forward_with_derivative(formula, derivative, from_output):
    """Tile kernel: a = f(a + bias), in place, and c = f'(a + bias), in one pass.

    from_output: the derivative formula takes the output instead of the input.
    """
    return _forward_with_derivative(with_two(formula, 1), with_two(derivative, 1), from_output)


@functools.cache
def _forward_with_derivative(formula, derivative, from_output):
    def forward_with_derivative_kernel(a, b, c, hyper, n_features, n_lanes, n_targets, flag):
        wide()
        z = carray(a, (n_features, n_lanes))
        d = carray(c, (n_features, n_lanes))
        bias = carray(b, (n_features,))
        p = cast_like(bias[0], hyper[0])
        q = cast_like(bias[0], hyper[1])
        for j in range(n_features):
            shift = bias[j]
            for r in range(n_lanes):
                x = z[j, r] + shift
                y = formula(x, p, q)
                z[j, r] = y
                d[j, r] = derivative(y if from_output else x, p, q)
        return 0.0

    return forward_with_derivative_kernel
