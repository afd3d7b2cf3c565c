"""Straight and parabolic pieces. At a kink the derivative is the one that the docstring tells."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]


def choose(x: Array, condition: Any, a: Any, b: Any) -> Any:
    """``a`` where the condition holds, else ``b``; NaN stays NaN."""
    return np.where(np.isnan(x), x, np.where(condition, a, b))


def constant(x: Array, value: float) -> Any:
    """The value, everywhere but at NaN."""
    return np.where(np.isnan(x), x, value)


def step(x: Array) -> Any:
    """1 for x > 0, else 0."""
    return choose(x, x > 0, 1.0, 0.0)


def step_derivative(x: Array) -> Any:
    """0, at the step too."""
    return constant(x, 0.0)


def step_second_derivative(x: Array) -> Any:
    """0."""
    return constant(x, 0.0)


def step_third_derivative(x: Array) -> Any:
    """0."""
    return constant(x, 0.0)


def identity(x: Array) -> Any:
    """x."""
    return np.asarray(x)


def identity_derivative(x: Array) -> Any:
    """1."""
    return constant(x, 1.0)


def identity_second_derivative(x: Array) -> Any:
    """0."""
    return constant(x, 0.0)


def identity_third_derivative(x: Array) -> Any:
    """0."""
    return constant(x, 0.0)


def hard_shrink(x: Array, lambda_: float = 0.5) -> Any:
    """0 for |x| <= λ, else x."""
    return choose(x, np.abs(x) <= lambda_, 0.0, x)


def hard_shrink_derivative(x: Array, lambda_: float = 0.5) -> Any:
    """0 for |x| <= λ, else 1."""
    return choose(x, np.abs(x) <= lambda_, 0.0, 1.0)


def hard_shrink_second_derivative(x: Array, lambda_: float = 0.5) -> Any:
    """0."""
    return constant(x, 0.0)


def hard_shrink_third_derivative(x: Array, lambda_: float = 0.5) -> Any:
    """0."""
    return constant(x, 0.0)


def soft_shrink(x: Array, lambda_: float = 0.5) -> Any:
    """0 for |x| <= λ, else x by λ nearer to 0."""
    return choose(x, np.abs(x) <= lambda_, 0.0, x - np.copysign(lambda_, x))


def soft_shrink_derivative(x: Array, lambda_: float = 0.5) -> Any:
    """0 for |x| <= λ, else 1."""
    return choose(x, np.abs(x) <= lambda_, 0.0, 1.0)


def soft_shrink_second_derivative(x: Array, lambda_: float = 0.5) -> Any:
    """0."""
    return constant(x, 0.0)


def soft_shrink_third_derivative(x: Array, lambda_: float = 0.5) -> Any:
    """0."""
    return constant(x, 0.0)


def threshold(x: Array, threshold: float, value: float) -> Any:
    """x above the threshold, else the value."""
    return choose(x, x > threshold, x, value)


def threshold_derivative(x: Array, threshold: float, value: float) -> Any:
    """1 above the threshold, else 0."""
    return choose(x, x > threshold, 1.0, 0.0)


def threshold_second_derivative(x: Array, threshold: float, value: float) -> Any:
    """0."""
    return constant(x, 0.0)


def threshold_third_derivative(x: Array, threshold: float, value: float) -> Any:
    """0."""
    return constant(x, 0.0)


def hard_sigmoid(x: Array, slope: float = 0.2, offset: float = 0.5) -> Any:
    """Slope times x + offset, cut off at 0 and 1."""
    return np.clip(slope * x + offset, 0.0, 1.0)


def hard_sigmoid_derivative(x: Array, slope: float = 0.2, offset: float = 0.5) -> Any:
    """The slope between the kinks -offset / slope and (1 - offset) / slope, and at them; else 0."""
    low, high = sorted((-offset / slope, (1.0 - offset) / slope))
    return choose(x, (x >= low) & (x <= high), slope, 0.0)


def hard_sigmoid_second_derivative(x: Array, slope: float = 0.2, offset: float = 0.5) -> Any:
    """0."""
    return constant(x, 0.0)


def hard_sigmoid_third_derivative(x: Array, slope: float = 0.2, offset: float = 0.5) -> Any:
    """0."""
    return constant(x, 0.0)


def hard_tanh(x: Array, min_val: float = -1.0, max_val: float = 1.0) -> Any:
    """x, cut off at the two values."""
    return np.clip(x, min_val, max_val)


def hard_tanh_derivative(x: Array, min_val: float = -1.0, max_val: float = 1.0) -> Any:
    """1 where nothing is cut off, at both kinks too, else 0."""
    return choose(x, (x >= min_val) & (x <= max_val), 1.0, 0.0)


def hard_tanh_second_derivative(x: Array, min_val: float = -1.0, max_val: float = 1.0) -> Any:
    """0."""
    return constant(x, 0.0)


def hard_tanh_third_derivative(x: Array, min_val: float = -1.0, max_val: float = 1.0) -> Any:
    """0."""
    return constant(x, 0.0)


def relu(x: Array) -> Any:
    """x for x > 0, else 0."""
    return np.maximum(x, 0.0)


def relu_derivative(x: Array) -> Any:
    """1 for x > 0, else 0."""
    return step(x)


def relu_second_derivative(x: Array) -> Any:
    """0."""
    return constant(x, 0.0)


def relu_third_derivative(x: Array) -> Any:
    """0."""
    return constant(x, 0.0)


def relu6(x: Array) -> Any:
    """x, cut off at 0 and 6."""
    return np.clip(x, 0.0, 6.0)


def relu6_derivative(x: Array) -> Any:
    """1 for 0 < x < 6, else 0."""
    return choose(x, (x > 0) & (x < 6), 1.0, 0.0)


def relu6_second_derivative(x: Array) -> Any:
    """0."""
    return constant(x, 0.0)


def relu6_third_derivative(x: Array) -> Any:
    """0."""
    return constant(x, 0.0)


def leaky_relu(x: Array, alpha: float = 0.01) -> Any:
    """α x for x < 0, else x."""
    return choose(x, x < 0, alpha * x, x)


def leaky_relu_derivative(x: Array, alpha: float = 0.01) -> Any:
    """α for x < 0, else 1."""
    return choose(x, x < 0, alpha, 1.0)


def leaky_relu_second_derivative(x: Array, alpha: float = 0.01) -> Any:
    """0."""
    return constant(x, 0.0)


def leaky_relu_third_derivative(x: Array, alpha: float = 0.01) -> Any:
    """0."""
    return constant(x, 0.0)


def prelu(x: Array, alpha: Any) -> Any:
    """α x for x < 0, else x; α may be an array, one number a feature."""
    return leaky_relu(x, alpha)


def prelu_derivative(x: Array, alpha: Any) -> Any:
    """α for x < 0, else 1."""
    return leaky_relu_derivative(x, alpha)


def prelu_second_derivative(x: Array, alpha: Any) -> Any:
    """0."""
    return constant(x, 0.0)


def prelu_third_derivative(x: Array, alpha: Any) -> Any:
    """0."""
    return constant(x, 0.0)


def hard_swish(x: Array) -> Any:
    """x relu6(x + 3) / 6."""
    return np.where(x <= -3, 0.0, np.where(x >= 3, x, x * ((x + 3) / 6)))


def hard_swish_derivative(x: Array) -> Any:
    """0 for x <= -3, 1 for x >= 3, between them (2 x + 3) / 6."""
    return np.where(x <= -3, 0.0, np.where(x >= 3, 1.0, (2 * x + 3) / 6))


def hard_swish_second_derivative(x: Array) -> Any:
    """1/3 for |x| < 3, else 0."""
    return choose(x, np.abs(x) < 3, 1 / 3, 0.0)


def hard_swish_third_derivative(x: Array) -> Any:
    """0."""
    return constant(x, 0.0)


def sparse_plus(x: Array) -> Any:
    """0 up to -1, x from 1 on, between them (x + 1)² / 4."""
    return np.where(x <= -1, 0.0, np.where(x >= 1, x, (x + 1) * ((x + 1) / 4)))


def sparse_plus_derivative(x: Array) -> Any:
    """(x + 1) / 2, cut off at 0 and 1."""
    return sparse_sigmoid(x)


def sparse_plus_second_derivative(x: Array) -> Any:
    """1/2 for |x| < 1, 1/4 at -1 and 1, else 0."""
    return sparse_sigmoid_derivative(x)


def sparse_plus_third_derivative(x: Array) -> Any:
    """0."""
    return constant(x, 0.0)


def sparse_sigmoid(x: Array) -> Any:
    """(x + 1) / 2, cut off at 0 and 1."""
    return np.where(x <= -1, 0.0, np.where(x >= 1, 1.0, (x + 1) / 2))


def sparse_sigmoid_derivative(x: Array) -> Any:
    """1/2 for |x| < 1, 1/4 at -1 and 1, else 0."""
    return choose(x, np.abs(x) < 1, 0.5, np.where(np.abs(x) == 1, 0.25, 0.0))


def sparse_sigmoid_second_derivative(x: Array) -> Any:
    """0."""
    return constant(x, 0.0)


def sparse_sigmoid_third_derivative(x: Array) -> Any:
    """0."""
    return constant(x, 0.0)
