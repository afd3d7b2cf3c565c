"""How far a network's outputs may be wrong, from the Gauss-Newton matrix of its training."""

from ..codegen.declare import kernel, scalar
from ..codegen.intrinsics import pointer, wide
from ..engine import layout
from ..engine.model import n_in, n_out, view
from ..gemm.loops import call_gemm
from ..gemm.product import SET
from .jacobian_tile import (
    call_jacobian,
    forward,
    parts,
    tile_shape,
    trained_parameters,
    work_elements,
)


@kernel
def variance_elements(model, n_rows):
    """Elements of the workspace of `variances`."""
    net = view(pointer(model.descriptor, 0), pointer(model.theta, 0))
    _, n_lanes = tile_shape(net, n_rows)
    return work_elements(net, n_lanes) + trained_parameters(net) * n_lanes


@kernel
def variances(model, jacobian, X, root, work, out):
    """out = |R j|², j the derivatives of an output by the trained parameters.

    jacobian: address of `jacobian_tile.jacobian`. X: (rows, n_in), root: R (parameters,
    parameters), out: (rows, n_out); all float64.
    """
    wide()
    net = view(pointer(model.descriptor, 0), pointer(work, 0))
    n_rows, size, outputs = X.shape[0], trained_parameters(net), n_out(net)
    tile, n_lanes = tile_shape(net, max(n_rows, 1))
    if X.shape[1] != n_in(net) or out.shape != (n_rows, outputs) or root.shape != (size, size):
        raise ValueError("samples, outputs and a matrix that fit the network are expected")
    if work.size < work_elements(net, n_lanes) + size * n_lanes:
        raise ValueError("the workspace is too small")
    memory, target = pointer(work, 0), pointer(out, 0)
    products = pointer(work, work_elements(net, n_lanes))
    for first in range(0, n_rows, tile):
        n_samples = min(tile, n_rows - first)
        forward(net, pointer(X, 0), memory, n_lanes, first, n_samples, 1)
        _, _, _, _, _, rows, roots = parts(net, memory, n_lanes)
        for r in range(n_lanes):
            roots[r] = 1.0
        for k in range(outputs):
            call_jacobian(jacobian, net.descriptor, memory, n_lanes, k)
            call_gemm(
                net.descriptor[layout.GEMM], pointer(root, 0), rows, products, size, 1, n_lanes,
                n_lanes, size, n_lanes, size, SET,
            )  # fmt: skip
            lengths(
                products, size, n_lanes, n_samples, pointer(target, first * outputs + k), outputs
            )


@scalar
def lengths(products, size, n_lanes, n_samples, out, stride):
    """Squared lengths of the columns of `products` (size, n_lanes), `stride` apart in `out`."""
    for r in range(n_samples):
        total = 0.0
        for i in range(size):
            value = products[i * n_lanes + r]
            total += value * value
        out[r * stride] = total
