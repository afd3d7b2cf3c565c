"""Networks in other hands: predictions, models for users' kernels, C callbacks, derivatives.

The module `derivatives` is imported when first needed.
"""

from .doors import compiled, jacobian, low_level_callable, predict, vjp

__all__ = [
    "compiled",
    "jacobian",
    "low_level_callable",
    "predict",
    "vjp",
]
