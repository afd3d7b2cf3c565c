"""Activations made of straight and of parabolic pieces: exact, or nearly rounded once.

At a kink the derivative is that of one side, as each docstring says.
"""

from ..codegen.declare import scalar
from ..codegen.intrinsics import cast_like, constant, fma
from ..vecmath.exponential import clamp

_SIXTH_HIGH = (0.1666666716337204, 0.16666666666666666)
_SIXTH_LOW = (-4.967053731282552e-09, 9.25185853854297e-18)


@scalar
def _zero(x):
    """0; NaN stays NaN."""
    return cast_like(x, 0) if x == x else x


@scalar
def _one_where(condition, x):
    """1 where the condition holds, else 0; NaN stays NaN."""
    return x if x != x else (cast_like(x, 1) if condition else cast_like(x, 0))


@scalar
def _factor_of(x, slope):
    """x as it may be multiplied by the slope: where that is 0, an infinite x shall not make NaN."""
    most = cast_like(x, float("inf")) if slope != cast_like(x, 0) else cast_like(x, 1)
    return clamp(x, -most, most)


@scalar
def identity(x):
    """x."""
    return x


@scalar
def identity_derivative(x):
    """1."""
    return cast_like(x, 1) if x == x else x


@scalar
def identity_second_derivative(x):
    """0."""
    return _zero(x)


@scalar
def identity_third_derivative(x):
    """0."""
    return _zero(x)


@scalar
def step(x):
    """1 for x > 0, else 0."""
    return _one_where(x > cast_like(x, 0), x)


@scalar
def step_derivative(x):
    """0, at the step too."""
    return _zero(x)


@scalar
def step_second_derivative(x):
    """0."""
    return _zero(x)


@scalar
def step_third_derivative(x):
    """0."""
    return _zero(x)


@scalar
def relu(x):
    """max(x, 0); the comparison is written so that NaN stays NaN."""
    return cast_like(x, 0) if x <= cast_like(x, 0) else x


@scalar
def relu_derivative(x):
    """1 for x > 0, else 0."""
    return relu_from_output(x)


@scalar
def relu_from_output(y):
    """1 where the output is positive, else 0; NaN stays NaN."""
    return y if y != y else (cast_like(y, 1) if y > cast_like(y, 0) else cast_like(y, 0))


@scalar
def relu_second_derivative(x):
    """0."""
    return _zero(x)


@scalar
def relu_third_derivative(x):
    """0."""
    return _zero(x)


@scalar
def relu6(x):
    """min(max(x, 0), 6)."""
    return clamp(x, cast_like(x, 0), cast_like(x, 6))


@scalar
def relu6_derivative(x):
    """1 for 0 < x < 6, else 0."""
    return _one_where(x > cast_like(x, 0) and x < cast_like(x, 6), x)


@scalar
def relu6_second_derivative(x):
    """0."""
    return _zero(x)


@scalar
def relu6_third_derivative(x):
    """0."""
    return _zero(x)


@scalar
def leaky_relu(x, alpha=0.01):
    """x for x >= 0, alpha x below, whatever the sign and the size of alpha."""
    return x if x >= cast_like(x, 0) else alpha * _factor_of(x, alpha)


@scalar
def leaky_relu_derivative(x, alpha):
    """1 for x >= 0, alpha below."""
    return x if x != x else (cast_like(x, 1) if x >= cast_like(x, 0) else alpha)


@scalar
def leaky_relu_second_derivative(x, alpha):
    """0."""
    return _zero(x)


@scalar
def leaky_relu_third_derivative(x, alpha):
    """0."""
    return _zero(x)


@scalar
def prelu(x, alpha):
    """x for x >= 0, alpha x below: leaky ReLU whose alpha is learned."""
    return leaky_relu(x, alpha)


@scalar
def prelu_derivative(x, alpha):
    """1 for x >= 0, alpha below."""
    return leaky_relu_derivative(x, alpha)


@scalar
def prelu_second_derivative(x, alpha):
    """0."""
    return _zero(x)


@scalar
def prelu_third_derivative(x, alpha):
    """0."""
    return _zero(x)


@scalar
def hard_shrink(x, lambda_=0.5):
    """x where |x| > lambda, else 0."""
    return cast_like(x, 0) if abs(x) <= lambda_ else x


@scalar
def hard_shrink_derivative(x, lambda_):
    """0 where |x| <= lambda, else 1."""
    return _one_where(abs(x) > lambda_, x)


@scalar
def hard_shrink_second_derivative(x, lambda_):
    """0."""
    return _zero(x)


@scalar
def hard_shrink_third_derivative(x, lambda_):
    """0."""
    return _zero(x)


@scalar
def soft_shrink(x, lambda_=0.5):
    """x - lambda for x > lambda, x + lambda for x < -lambda, else 0."""
    return x - clamp(x, -lambda_, lambda_)


@scalar
def soft_shrink_derivative(x, lambda_):
    """0 where |x| <= lambda, else 1."""
    return _one_where(abs(x) > lambda_, x)


@scalar
def soft_shrink_second_derivative(x, lambda_):
    """0."""
    return _zero(x)


@scalar
def soft_shrink_third_derivative(x, lambda_):
    """0."""
    return _zero(x)


@scalar
def threshold(x, threshold=0.0, value=0.0):
    """x where x > threshold, else value."""
    return value if x <= threshold else x


@scalar
def threshold_derivative(x, threshold, value):
    """1 where x > threshold, else 0."""
    return _one_where(x > threshold, x)


@scalar
def threshold_second_derivative(x, threshold, value):
    """0."""
    return _zero(x)


@scalar
def threshold_third_derivative(x, threshold, value):
    """0."""
    return _zero(x)


@scalar
def hard_tanh(x, min_val=-1.0, max_val=1.0):
    """x clipped to [min_val, max_val]."""
    return clamp(x, min_val, max_val)


@scalar
def hard_tanh_derivative(x, min_val, max_val):
    """1 where min_val <= x <= max_val, else 0."""
    return _one_where(x >= min_val and x <= max_val, x)


@scalar
def hard_tanh_second_derivative(x, min_val, max_val):
    """0."""
    return _zero(x)


@scalar
def hard_tanh_third_derivative(x, min_val, max_val):
    """0."""
    return _zero(x)


@scalar
def hard_sigmoid(x, slope=0.2, offset=0.5):
    """slope x + offset, rounded once, clipped to [0, 1]."""
    return clamp(fma(slope, _factor_of(x, slope), offset), cast_like(x, 0), cast_like(x, 1))


@scalar
def hard_sigmoid_derivative(x, slope, offset):
    """slope where 0 <= slope x + offset <= 1, else 0.

    The ends are found by a division: slope x + offset of a rounded slope, were it fused, would
    miss 0 at x = -2.5. The division leaves the loop.
    """
    one, other = -offset / slope, (cast_like(x, 1) - offset) / slope
    low = one if one < other else other
    high = other if one < other else one
    return x if x != x else (slope if x >= low and x <= high else cast_like(x, 0))


@scalar
def hard_sigmoid_second_derivative(x, slope, offset):
    """0."""
    return _zero(x)


@scalar
def hard_sigmoid_third_derivative(x, slope, offset):
    """0."""
    return _zero(x)


@scalar
def hard_swish(x):
    """x relu6(x + 3) / 6. Accuracy: 1.99 ULP."""
    # 1/6 is a pair; -3 and 3 are selected below, so that nothing need be clipped
    t = x + cast_like(x, 3)
    y = x * fma(t, constant(x, _SIXTH_HIGH), t * constant(x, _SIXTH_LOW))
    y = cast_like(x, 0) if x <= cast_like(x, -3) else y
    return x if x >= cast_like(x, 3) else y


@scalar
def hard_swish_derivative(x):
    """(2 x + 3) / 6 for -3 < x < 3, 0 from -3 downwards, 1 from 3 upwards. Accuracy: 1.5 ULP."""
    y = fma(x, cast_like(x, 2), cast_like(x, 3)) * cast_like(x, 1 / 6)
    y = cast_like(x, 0) if x <= cast_like(x, -3) else y
    return cast_like(x, 1) if x >= cast_like(x, 3) else y


@scalar
def hard_swish_second_derivative(x):
    """1/3 for -3 < x < 3, else 0."""
    return x if x != x else (cast_like(x, 1 / 3) if abs(x) < cast_like(x, 3) else cast_like(x, 0))


@scalar
def hard_swish_third_derivative(x):
    """0."""
    return _zero(x)


@scalar
def sparse_plus(x):
    """0 for x <= -1, (x + 1)² / 4 for -1 < x < 1, x for x >= 1. Accuracy: 1.5 ULP."""
    y = sparse_sigmoid(x)
    return x if x >= cast_like(x, 1) else y * y


@scalar
def sparse_plus_derivative(x):
    """(x + 1) / 2 clipped to [0, 1]."""
    return sparse_sigmoid(x)


@scalar
def sparse_plus_second_derivative(x):
    """1/2 for -1 < x < 1, 1/4 at -1 and 1, else 0."""
    return sparse_sigmoid_derivative(x)


@scalar
def sparse_plus_third_derivative(x):
    """0."""
    return _zero(x)


@scalar
def sparse_sigmoid(x):
    """(x + 1) / 2 clipped to [0, 1]; rounded once."""
    return clamp(fma(x, cast_like(x, 0.5), cast_like(x, 0.5)), cast_like(x, 0), cast_like(x, 1))


@scalar
def sparse_sigmoid_derivative(x):
    """1/2 for -1 < x < 1, 1/4 at -1 and 1 (the mean of both sides, as JAX has it), else 0."""
    size = abs(x)
    y = cast_like(x, 0.25) if size == cast_like(x, 1) else cast_like(x, 0)
    return x if x != x else (cast_like(x, 0.5) if size < cast_like(x, 1) else y)


@scalar
def sparse_sigmoid_second_derivative(x):
    """0."""
    return _zero(x)


@scalar
def sparse_sigmoid_third_derivative(x):
    """0."""
    return _zero(x)
