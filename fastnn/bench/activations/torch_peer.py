"""Activations of PyTorch, into arrays that are there, and the kernels that its autograd calls."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch._C import _nn

from .cases import PARAMETERS, Case

__all__ = ["calls", "inside", "prepare"]

Tensor = Any
inside = torch.inference_mode
_aten = torch.ops.aten
_AT, _ELSE = PARAMETERS["threshold"].values()
_ALPHA, _LAMBDA = 1.6732632423543772, 1.0507009873554805  # of SELU


def _times(x: Tensor, factor: Tensor) -> Tensor:
    return torch.mul(x, factor, out=factor)


def _softsign(x: Tensor, out: Tensor) -> Tensor:
    return torch.div(x, torch.abs(x, out=out).add_(1), out=out)


# What torch.nn.functional calls in the end, where that takes an array for the result; compositions
# are those of torch.nn.functional.
_FORWARD: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "step": lambda x, out: torch.gt(x, 0, out=out),
    "identity": lambda x, out: out.copy_(x),
    "hard-shrink": lambda x, out: torch.hardshrink(x, 0.5, out=out),
    "soft-shrink": lambda x, out: _nn.softshrink(x, 0.5, out=out),
    "threshold": lambda x, out: torch.threshold(x, _AT, _ELSE, out=out),
    "sigmoid": lambda x, out: torch.sigmoid(x, out=out),
    "hard-sigmoid": lambda x, out: _nn.hardsigmoid(x, out=out),
    "log-sigmoid": lambda x, out: _nn.log_sigmoid(x, out=out),
    "tanh": lambda x, out: torch.tanh(x, out=out),
    "tanh-shrink": lambda x, out: torch.sub(x, torch.tanh(x, out=out), out=out),
    "hard-tanh": lambda x, out: _nn.hardtanh(x, -1.0, 1.0, out=out),
    "ReLU": lambda x, out: torch.clamp_min(x, 0, out=out),
    "ReLU6": lambda x, out: _nn.hardtanh(x, 0.0, 6.0, out=out),
    "leaky-ReLU": lambda x, out: _nn.leaky_relu(x, 0.01, out=out),
    "ELU": lambda x, out: _nn.elu(x, out=out),
    "SELU": lambda x, out: _nn.elu(x, _ALPHA, _LAMBDA, out=out),
    "CELU": lambda x, out: _nn.elu(x, out=out),
    "softmax": lambda x, out: torch.softmax(x, -1, out=out),
    "softmin": lambda x, out: torch.softmax(torch.neg(x, out=out), -1, out=out),
    "log-softmax": lambda x, out: torch.log_softmax(x, -1, out=out),
    "softplus": lambda x, out: _nn.softplus(x, out=out),
    "softsign": _softsign,
    "Swish": lambda x, out: _nn.silu(x, out=out),
    "Mish": lambda x, out: _nn.mish(x, out=out),
    "GELU": lambda x, out: _nn.gelu(x, out=out),
    "GELU-tanh": lambda x, out: _nn.gelu(x, approximate="tanh", out=out),
    "hard-Swish": lambda x, out: _nn.hardswish(x, out=out),
    "exponential": lambda x, out: torch.exp(x, out=out),
    "PReLU": lambda x, out: torch.prelu(x, _slope(x)),
    "GLU": lambda x, out: _nn.glu(x, -1, out=out),
}

_slopes: dict[torch.dtype, Tensor] = {}


def _slope(x: Tensor) -> Tensor:
    return _slopes.setdefault(x.dtype, torch.full((1,), 0.25, dtype=x.dtype))


# by g, x, y and the array for the gradient; y is the activation, which some start from
_BACKWARD: dict[str, Callable[[Tensor, Tensor, Tensor, Tensor], Any]] = {
    "identity": lambda g, x, y, out: out.copy_(g),
    "hard-shrink": lambda g, x, y, out: _aten.hardshrink_backward(g, x, 0.5, grad_input=out),
    "soft-shrink": lambda g, x, y, out: _aten.softshrink_backward(g, x, 0.5, grad_input=out),
    "threshold": lambda g, x, y, out: _aten.threshold_backward(g, x, _AT, grad_input=out),
    "sigmoid": lambda g, x, y, out: _aten.sigmoid_backward(g, y, grad_input=out),
    "hard-sigmoid": lambda g, x, y, out: _aten.hardsigmoid_backward(g, x, grad_input=out),
    "log-sigmoid": lambda g, x, y, out: _aten.log_sigmoid_backward(
        g, x, _buffer(x), grad_input=out
    ),
    "tanh": lambda g, x, y, out: _aten.tanh_backward(g, y, grad_input=out),
    "hard-tanh": lambda g, x, y, out: _aten.hardtanh_backward(g, x, -1.0, 1.0, grad_input=out),
    "ReLU": lambda g, x, y, out: _aten.threshold_backward(g, y, 0, grad_input=out),
    "ReLU6": lambda g, x, y, out: _aten.hardtanh_backward(g, x, 0.0, 6.0, grad_input=out),
    "leaky-ReLU": lambda g, x, y, out: _aten.leaky_relu_backward(g, x, 0.01, False, grad_input=out),
    "ELU": lambda g, x, y, out: _aten.elu_backward(g, 1, 1, 1, True, y, grad_input=out),
    "SELU": lambda g, x, y, out: _aten.elu_backward(g, _ALPHA, _LAMBDA, 1, True, y, grad_input=out),
    "CELU": lambda g, x, y, out: _aten.elu_backward(g, 1, 1, 1, True, y, grad_input=out),
    "softmax": lambda g, x, y, out: _aten._softmax_backward_data(g, y, -1, y.dtype, grad_input=out),
    "log-softmax": lambda g, x, y, out: _aten._log_softmax_backward_data(
        g, y, -1, y.dtype, out=out
    ),
    "softplus": lambda g, x, y, out: _aten.softplus_backward(g, x, 1, 20, grad_input=out),
    "Swish": lambda g, x, y, out: _aten.silu_backward(g, x, grad_input=out),
    "Mish": lambda g, x, y, out: _aten.mish_backward(g, x),
    "GELU": lambda g, x, y, out: _aten.gelu_backward(g, x, grad_input=out),
    "GELU-tanh": lambda g, x, y, out: _aten.gelu_backward(g, x, approximate="tanh", grad_input=out),
    "hard-Swish": lambda g, x, y, out: _aten.hardswish_backward(g, x),
    "exponential": lambda g, x, y, out: torch.mul(g, y, out=out),
    "PReLU": lambda g, x, y, out: _aten._prelu_kernel_backward(g, x, _slope(x))[0],
    "GLU": lambda g, x, y, out: _aten.glu_backward(g, x, -1, grad_input=out),
}

_buffers: dict[tuple[torch.dtype, torch.Size], Tensor] = {}


def _buffer(x: Tensor) -> Tensor:
    """What the forward pass of log-sigmoid leaves for the backward pass."""
    key = x.dtype, x.shape
    if key not in _buffers:
        _buffers.clear()
        _buffers[key] = _aten.log_sigmoid_forward(x)[1]
    return _buffers[key]


def prepare(threads: int) -> None:
    """So many threads."""
    torch.set_num_threads(threads)


def calls(case: Case) -> dict[str, Callable[[], Any]]:
    """The function or the backward kernel, if there is one."""
    forward, backward = _FORWARD.get(case.name), _BACKWARD.get(case.name)
    data = case.data
    x, g = torch.from_numpy(data.x), torch.from_numpy(data.g)
    out, grad = torch.from_numpy(data.out), torch.from_numpy(data.grad)
    if case.part in ("forward", "call"):
        return {"PyTorch": lambda: forward(x, out)} if forward else {}
    if not forward or not backward:
        return {}
    if case.part == "both":
        return {"PyTorch": lambda: (y := forward(x, out), backward(g, x, y, grad))}
    with torch.inference_mode():
        y = forward(x, torch.empty_like(g)).clone()
    return {"PyTorch": lambda: backward(g, x, y, grad)}
