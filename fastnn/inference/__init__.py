"""Networks in other hands: predictions, derivatives, models for users' kernels, C callbacks."""

from .derivatives import hvp, jvp, laplacian, parameter_jacobian
from .doors import compiled, jacobian, low_level_callable, predict, vjp

__all__ = [
    "compiled",
    "hvp",
    "jacobian",
    "jvp",
    "laplacian",
    "low_level_callable",
    "parameter_jacobian",
    "predict",
    "vjp",
]
