"""Activations of JAX, compiled for the shape of the case."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import jax
import jax.numpy as jnp
from jax import nn

from .cases import Case

__all__ = ["calls", "inside", "prepare"]

inside = nullcontext

_FORWARD: dict[str, Callable[[Any], Any]] = {
    "step": lambda x: jnp.heaviside(x, 0),
    "sigmoid": nn.sigmoid,
    "hard-sigmoid": nn.hard_sigmoid,
    "log-sigmoid": nn.log_sigmoid,
    "tanh": jnp.tanh,
    "hard-tanh": nn.hard_tanh,
    "ReLU": nn.relu,
    "ReLU6": nn.relu6,
    "leaky-ReLU": nn.leaky_relu,
    "ELU": nn.elu,
    "SELU": nn.selu,
    "CELU": nn.celu,
    "softmax": nn.softmax,
    "log-softmax": nn.log_softmax,
    "softplus": nn.softplus,
    "softsign": nn.soft_sign,
    "Swish": nn.silu,
    "Mish": nn.mish,
    "GELU": lambda x: nn.gelu(x, approximate=False),
    "GELU-tanh": lambda x: nn.gelu(x, approximate=True),
    "hard-Swish": nn.hard_swish,
    "squareplus": nn.squareplus,
    "exponential": jnp.exp,
    "sparse-plus": nn.sparse_plus,
    "sparse-sigmoid": nn.sparse_sigmoid,
    "GLU": nn.glu,
}


def prepare(threads: int) -> None:
    """float64 too, on the CPU; the threads are as many as the cores of the process."""
    jax.config.update("jax_platforms", "cpu")
    jax.config.update("jax_enable_x64", True)


def calls(case: Case) -> dict[str, Callable[[], Any]]:
    """The compiled function, if there is one."""
    function = _FORWARD.get(case.name)
    if function is None or (case.part != "forward" and case.name == "step"):
        return {}
    x, g = jax.device_put(case.data.x), jax.device_put(case.data.g)
    if case.part in ("forward", "call"):
        compiled = jax.jit(function)
        return {"JAX": lambda: compiled(x).block_until_ready()}

    def both(g: Any, x: Any) -> Any:
        y, pull = jax.vjp(function, x)
        return y, pull(g)[0]

    chosen = jax.jit(both if case.part == "both" else lambda g, x: both(g, x)[1])
    return {"JAX": lambda: jax.block_until_ready(chosen(g, x))}
