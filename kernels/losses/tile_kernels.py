"""Costs as tile kernels: sum over a tile, its gradient, and the activation that goes with it.

All take a: activities (n_features, n_lanes), b: targets (n_targets, n_lanes) and one more row, the
weights w of the samples, c: scratch of four rows, and the cost's hyperparameters. ``value`` returns
the sum; ``step`` returns it too, and turns the activities into its gradient; both may use a as
memory. ``activate`` turns activities into the network's output, and ``vjp`` a gradient by that
output (a; b: the output) into one by the activities; these two have no targets. `densities` has
some more.

``grad``, of a cost of each output alone, is the gradient for one weight of all samples, out of
place: a: activities, b: targets, c: the gradient, whose first number comes in as the weight.
"""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

from .. import vecmath
from ..codegen.declare import carray, scalar
from ..codegen.intrinsics import cast_like, wide
from ..codegen.parameters import with_two
from ..vecmath.reductions import total_of
from ..vecmath.softmax import SOFTMAX_ROWS, softmax, softmax_vjp
from . import cosine, cross_entropy, densities
from . import elementwise as elementwise_formulas
from .elementwise import weighted


@functools.cache
def elementwise_value(formula, averaged):
    """Tile kernel: Σ w formula(a, t); averaged: over the outputs of a sample."""
    formula = with_two(formula, 2)

    def elementwise_value_kernel(a, b, c, hyper, n_features, n_lanes, n_targets, flag):
        wide()
        x, t = carray(a, (n_features, n_lanes)), carray(b, (n_features + 1, n_lanes))
        scratch = carray(c, (n_lanes,))
        p, q = cast_like(scratch[0], hyper[0]), cast_like(scratch[0], hyper[1])
        share = cast_like(scratch[0], n_features if averaged else 1)
        total = 0.0
        for j in range(n_features):  # vectorised formula first, sum after
            for r in range(n_lanes):
                w = t[n_features, r] / share if averaged else t[n_features, r]
                scratch[r] = weighted(w, formula(x[j, r], t[j, r], p, q))
            total += total_of(scratch, n_lanes)
        return total

    return elementwise_value_kernel


@functools.cache
def elementwise_step(formula, delta, averaged):
    """Tile kernel: Σ w formula(a, t); then a = w delta(a, t), in place."""
    formula, delta = with_two(formula, 2), with_two(delta, 2)

    def elementwise_step_kernel(a, b, c, hyper, n_features, n_lanes, n_targets, flag):
        wide()
        x, t = carray(a, (n_features, n_lanes)), carray(b, (n_features + 1, n_lanes))
        scratch = carray(c, (n_lanes,))
        p, q = cast_like(scratch[0], hyper[0]), cast_like(scratch[0], hyper[1])
        share = cast_like(scratch[0], n_features if averaged else 1)
        total = 0.0
        for j in range(n_features):
            for r in range(n_lanes):
                w, activity, target = t[n_features, r], x[j, r], t[j, r]
                w = w / share if averaged else w
                scratch[r] = weighted(w, formula(activity, target, p, q))
                x[j, r] = weighted(w, delta(activity, target, p, q))
            total += total_of(scratch, n_lanes)
        return total

    return elementwise_step_kernel


@functools.cache
def elementwise_grad(delta):
    """Tile kernel: c = w delta(a, b), w = c[0]."""
    delta = with_two(delta, 2)

    def elementwise_grad_kernel(a, b, c, hyper, n_features, n_lanes, n_targets, flag):
        wide()
        w, p, q = c[0], cast_like(c[0], hyper[0]), cast_like(c[0], hyper[1])
        for i in range(n_features * n_lanes):
            c[i] = weighted(w, delta(a[i], b[i], p, q))
        return 0.0

    return elementwise_grad_kernel


@functools.cache
def elementwise_activation(formula):
    """Tile kernel: a = formula(a), in place."""

    def elementwise_activation_kernel(a, b, c, hyper, n_features, n_lanes, n_targets, flag):
        wide()
        x = carray(a, (n_features * n_lanes,))
        for i in range(n_features * n_lanes):
            x[i] = formula(x[i])
        return 0.0

    return elementwise_activation_kernel


@functools.cache
def elementwise_vjp(derivative):
    """Tile kernel: a = a derivative(b), in place; b: outputs."""

    def elementwise_vjp_kernel(a, b, c, hyper, n_features, n_lanes, n_targets, flag):
        wide()
        for i in range(n_features * n_lanes):
            a[i] *= derivative(b[i])
        return 0.0

    return elementwise_vjp_kernel


@scalar
def sigmoid_slope(y):
    """y (1 - y), the derivative of the sigmoid from its output."""
    return y * (cast_like(y, 1) - y)


@scalar
def exp_slope(y):
    """y, the derivative of exp from its output."""
    return y


def softmax_vjp_kernel(a, b, c, hyper, n_features, n_lanes, n_targets, flag):
    """Tile kernel: a = b (a - Σ a b), in place; b: outputs of a softmax."""
    wide()
    g, y = carray(a, (n_features, n_lanes)), carray(b, (n_features, n_lanes))
    softmax_vjp(g, y, carray(c, (n_lanes,)), g, n_features, n_lanes, False)
    return 0.0


def softmax_kernel(a, b, c, hyper, n_features, n_lanes, n_targets, flag):
    """Tile kernel: a = softmax over the features of each sample, shifted by its maximum."""
    wide()
    softmax(
        carray(a, (n_features, n_lanes)), carray(c, (SOFTMAX_ROWS, n_lanes)), n_features, n_lanes
    )
    return 0.0


class Activate(NamedTuple):
    """Tile kernels of an activation of the output; None: the output is the activity itself."""

    activate: Callable[..., Any] | None = None
    vjp: Callable[..., Any] | None = None


ACTIVATIONS = {
    "identity": Activate(),
    "sigmoid": Activate(elementwise_activation(vecmath.sigmoid), elementwise_vjp(sigmoid_slope)),
    "exponential": Activate(elementwise_activation(vecmath.exp), elementwise_vjp(exp_slope)),
    "softmax": Activate(softmax_kernel, softmax_vjp_kernel),
    "mean, variance": Activate(densities.gaussian_kernel, densities.gaussian_vjp_kernel),
    "mixture": Activate(densities.mixture_kernel, densities.mixture_vjp_kernel),
}


class Cost(NamedTuple):
    """Tile kernels of a cost, and names and defaults of its numbers; grad: of outputs alone."""

    value: Callable[..., Any]
    step: Callable[..., Any]
    parameters: tuple[tuple[str, Any], ...] = ()
    grad: Callable[..., Any] | None = None


def _numbers_of(formula):
    """Names and defaults of what follows activity and target, without the cost of `inspect`."""
    code, defaults = formula.__code__, formula.__defaults__ or ()
    return tuple(zip(code.co_varnames[2 : code.co_argcount], defaults, strict=True))


def parameters(name):
    """Names and defaults of a cost's parameters; those of its formula, if it has one."""
    return COSTS[name].parameters if name in COSTS else _numbers_of(elementwise_formulas.find(name))


def elementwise(name, averaged):
    """The cost of the formulas `name` and ``name_delta``, see `elementwise`."""
    formula, delta = elementwise_formulas.find(name), elementwise_formulas.find(f"{name}_delta")
    return Cost(
        elementwise_value(formula, averaged),
        elementwise_step(formula, delta, averaged),
        _numbers_of(formula),
        elementwise_grad(delta),
    )


COSTS = {
    "softmax_entropy": Cost(
        cross_entropy.softmax_entropy(False, False),
        cross_entropy.softmax_entropy(True, False),
        (("label_smoothing", 0.0), ("class_weight", None)),
    ),
    "divergence": Cost(
        cross_entropy.softmax_entropy(False, True), cross_entropy.softmax_entropy(True, True)
    ),
    "cosine": Cost(cosine.cosine(False), cosine.cosine(True)),
    "gaussian": Cost(densities.gaussian(False), densities.gaussian(True)),
    "mixture": Cost(
        densities.mixture(False), densities.mixture(True), (("components", 3), ("targets", 1))
    ),
}
