"""The chain rule of a jet at one feature of a layer, there and back.

    y = f(z),  ∂y = f' ∂z,  Δy = f'' Σ (∂z)² + f' Δz

What f' and its derivatives multiply is kept for the way back, which takes a cotangent of each. With
d = f', e_k = f'' ∂_k z and m = f''' Σ (∂z)² + f'' Δz:

    z̄ = d ȳ + Σ_k e_k ∂_k ȳ + m Δȳ,  ∂_k z̄ = d ∂_k ȳ + 2 e_k Δȳ,  Δz̄ = d Δȳ

Each function here takes a row of a tile and its stretch of what is kept, blocks of `n_lanes` both:
value, derivatives along the tangents, Laplacian. d: f', f'', f''', and a row of scratch.
"""

from ..codegen.declare import scalar
from ..codegen.intrinsics import cast_like, pointer, wide
from ..codegen.vector_loops import sweep


@scalar
def spread(row, saved, d, n_lanes, tangents, keeps):
    """The jet of y = f(z), with its Laplacian, from that of z; the value y stands already."""
    wide()
    second, third, squares = (
        pointer(d, n_lanes), pointer(d, 2 * n_lanes), pointer(d, 3 * n_lanes)
    )  # fmt: skip
    last, m = pointer(row, (1 + tangents) * n_lanes), pointer(saved, (1 + tangents) * n_lanes)
    for r in range(n_lanes):
        squares[r] = cast_like(squares[0], 0)
    for k in range(1, 1 + tangents):
        s, e = pointer(row, k * n_lanes), pointer(saved, k * n_lanes)
        if keeps:
            sweep(_kept_tangent, (s, squares, e, d, second), 0b111, n_lanes, ())
        else:
            sweep(_tangent, (s, squares, d), 0b11, n_lanes, ())
    if keeps:
        sweep(_kept_laplacian, (last, m, saved, squares, d, second, third), 0b111, n_lanes, ())
    else:
        sweep(_laplacian, (last, squares, d, second), 0b1, n_lanes, ())


@scalar
def _tangent(values, i):
    s, squares, d = values
    return d * s, squares + s * s


@scalar
def _kept_tangent(values, i):
    s, squares, _, d, second = values
    return d * s, squares + s * s, second * s


@scalar
def _laplacian(values, i):
    last, squares, d, second = values
    return (second * squares + d * last,)


@scalar
def _kept_laplacian(values, i):
    last, _, _, squares, d, second, third = values
    return second * squares + d * last, third * squares + second * last, d


@scalar
def spread_first(row, saved, d, n_lanes, w, stride, tangents, keeps):
    """`spread` in the first layer, where ∂_k z is the weight ``w[k * stride]``, and Δz = 0."""
    wide()
    second, third = pointer(d, n_lanes), pointer(d, 2 * n_lanes)
    last, m = pointer(row, (1 + tangents) * n_lanes), pointer(saved, (1 + tangents) * n_lanes)
    squares = cast_like(w[0], 0)
    for k in range(tangents):
        s, e = pointer(row, (1 + k) * n_lanes), pointer(saved, (1 + k) * n_lanes)
        weight = w[k * stride]
        squares += weight * weight
        sweep(_times, (s, d), 0b1, n_lanes, (weight,))
        if keeps:
            sweep(_times, (e, second), 0b1, n_lanes, (weight,))
    sweep(_times, (last, second), 0b1, n_lanes, (squares,))
    if keeps:
        sweep(_times, (m, third), 0b1, n_lanes, (squares,))
        sweep(_times, (saved, d), 0b1, n_lanes, (cast_like(w[0], 1),))


@scalar
def _times(values, i, factor):
    _, a = values
    return (factor * a,)


@scalar
def pull(row, saved, n_lanes, tangents):
    """The cotangent of z's jet from that of y's, in place."""
    wide()
    last, m = pointer(row, (1 + tangents) * n_lanes), pointer(saved, (1 + tangents) * n_lanes)
    sweep(_pull_value, (row, last, saved, m), 0b1, n_lanes, ())
    for k in range(1, 1 + tangents):
        s, e = pointer(row, k * n_lanes), pointer(saved, k * n_lanes)
        sweep(_pull_tangent, (row, s, last, saved, e), 0b11, n_lanes, ())
    sweep(_product, (last, saved), 0b1, n_lanes, ())


@scalar
def _pull_value(values, i):
    row, last, d, m = values
    return (d * row + m * last,)


@scalar
def _pull_tangent(values, i):
    row, s, last, d, e = values
    twice = e * last
    return row + e * s, d * s + (twice + twice)


@scalar
def _product(values, i):
    last, d = values
    return (last * d,)


@scalar
def spread_along(row, saved, d, n_lanes):
    """`spread` of a value and its derivative along one direction; always keeps."""
    wide()
    s, e, second = pointer(row, n_lanes), pointer(saved, n_lanes), pointer(d, n_lanes)
    sweep(_along, (s, saved, e, d, second), 0b111, n_lanes, ())


@scalar
def _along(values, i):
    s, _, _, d, second = values
    return d * s, d, second * s


@scalar
def pull_along(row, saved, n_lanes):
    """`pull` of the cotangents of a value and of its derivative along one direction."""
    wide()
    s, e = pointer(row, n_lanes), pointer(saved, n_lanes)
    sweep(_pull_along, (row, s, saved, e), 0b11, n_lanes, ())


@scalar
def _pull_along(values, i):
    row, s, d, e = values
    return d * row + e * s, d * s
