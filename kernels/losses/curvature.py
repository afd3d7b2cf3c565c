"""Second derivatives of costs: tile kernels of their Hessian by the activities, times a vector.

All take a: activities (n_features, n_lanes), which serve as memory too, b: targets
(n_targets, n_lanes) and one more row, the weights w of the samples, c: the vector
(n_features, n_lanes), in whose place the product comes, and four rows of scratch.
"""

import functools

from .. import vecmath
from ..codegen.declare import carray
from ..codegen.intrinsics import cast_like, pointer, wide
from ..codegen.parameters import with_two
from ..vecmath.softmax import SOFTMAX_ROWS, softmax, softmax_vjp
from . import elementwise
from .cross_entropy import smoothing
from .elementwise import product, weighted


@functools.cache
def _elementwise(curvature, averaged):
    """Tile kernel: c = w curvature(a, t) c, of a cost of each output alone."""
    curvature = with_two(curvature, 2)

    def elementwise_curvature_kernel(a, b, c, hyper, n_features, n_lanes, n_targets, flag):
        wide()
        x, t = carray(a, (n_features, n_lanes)), carray(b, (n_features + 1, n_lanes))
        v = carray(c, (n_features, n_lanes))
        p, q = cast_like(v[0, 0], hyper[0]), cast_like(v[0, 0], hyper[1])
        share = cast_like(v[0, 0], n_features if averaged else 1)
        for j in range(n_features):
            for r in range(n_lanes):
                w = t[n_features, r] / share if averaged else t[n_features, r]
                v[j, r] = weighted(w, curvature(x[j, r], t[j, r], p, q) * v[j, r])
        return 0.0

    return elementwise_curvature_kernel


def softmax_curvature_kernel(a, b, c, hyper, n_features, n_lanes, n_targets, flag):
    """Tile kernel: c = w Σt (diag(y) - y yᵀ) c, y the softmax, whose gradient is w (y Σt - t)."""
    wide()
    y, t = carray(a, (n_features, n_lanes)), carray(b, (n_features + 1, n_lanes))
    v = carray(c, (n_features, n_lanes))
    scratch = carray(pointer(c, n_features * n_lanes), (SOFTMAX_ROWS, n_lanes))
    softmax(y, scratch, n_features, n_lanes)
    total, shares = scratch[0], scratch[1]
    softmax_vjp(v, y, total, v, n_features, n_lanes, False)
    for r in range(n_lanes):
        shares[r] = cast_like(shares[0], 0)
    for j in range(n_features):
        keep, spread = smoothing(hyper, j, n_features, shares[0])
        for r in range(n_lanes):
            shares[r] += keep * t[j, r] + spread
    for j in range(n_features):
        for r in range(n_lanes):
            v[j, r] = weighted(t[n_features, r], shares[r] * v[j, r])
    return 0.0


def gaussian_curvature_kernel(a, b, c, hyper, n_features, n_lanes, n_targets, flag):
    """Tile kernel: c = w (u² c_m - z u c_s, z² c_s / 2 - z u c_m), u = exp(-s/2), z = (m - t) u.

    a = (m, s): means and log variances, see `densities.gaussian`.
    """
    wide()
    x, t = carray(a, (n_features, n_lanes)), carray(b, (n_targets + 1, n_lanes))
    v = carray(c, (n_features, n_lanes))
    half = cast_like(v[0, 0], 0.5)
    for j in range(n_targets):
        for r in range(n_lanes):
            s, w = x[n_targets + j, r], t[n_targets, r]
            root = vecmath.exp(cast_like(s, -0.25) * s)
            z = product(product(x[j, r] - t[j, r], root), root)
            of_mean, of_width = v[j, r], v[n_targets + j, r]
            cross = product(product(z, root), root)
            mean = product(product(product(product(of_mean, root), root), root), root)
            v[j, r] = weighted(w, mean - product(cross, of_width))
            width = half * product(product(z, z), of_width) - product(cross, of_mean)
            v[n_targets + j, r] = weighted(w, width)
    return 0.0


_KERNELS = {
    "softmax_entropy": softmax_curvature_kernel,
    "divergence": softmax_curvature_kernel,
    "gaussian": gaussian_curvature_kernel,
}


def find(name, averaged):
    """The tile kernel of the cost `name`, see `tile_kernels`; None if it has none."""
    formula = elementwise.find(f"{name}_curvature")
    return _KERNELS.get(name) if formula is None else _elementwise(formula, averaged)
