"""The whole library again in plain NumPy, float64: obviously correct, never fast.

The oracle of the tests and the baseline of the benchmarks. Nothing here imports a kernel.
"""

from .losses import COSTS
from .network import ReferenceNetwork
from .optimizers import ReferenceOptimizer
from .vector_activations import KINDS

__all__ = ["COSTS", "KINDS", "ReferenceNetwork", "ReferenceOptimizer"]
