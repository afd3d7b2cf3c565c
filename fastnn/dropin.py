"""Every public name of the articles' modules, spelled as they spell them.

``from fastnn.dropin import *`` in place of ``from neural_network import *``, of ``from activators
import *``, ``from optimizers import *``, ``from errors import *``, and of ``from get_act import
get_act`` and its like.
"""

from typing import Any

from .activations import ACTIVATIONS, Activator, get_act
from .activations.classes import CLASSES as _CLASSES
from .errors import BinaryCrossEntropy, CrossEntropy, Error, SquareError, get_err
from .layers import Layer, LinearLayer, ReLULayer, SigmoidLayer, TanhLayer
from .losses import SigmoidCrossEntropy, SoftmaxCrossEntropy, SumSquaresError
from .network import NeuralNetwork
from .optimizers import Optimizer, get_opt
from .optimizers.classes import CLASSES as _RULES

__all__ = [
    "Activator",
    "BinaryCrossEntropy",
    "CrossEntropy",
    "Error",
    "Layer",
    "LinearLayer",
    "NeuralNetwork",
    "Optimizer",
    "ReLULayer",
    "SigmoidCrossEntropy",
    "SigmoidLayer",
    "SoftmaxCrossEntropy",
    "SquareError",
    "SumSquaresError",
    "TanhLayer",
    "get_act",
    "get_err",
    "get_opt",
]

_OPTIMIZERS = (
    "SGD", "MSGD", "NAG", "AdaGrad", "RMSprop", "AdaDelta", "Adam", "RMSpropGraves", "SMORMS3",
    "AdaMax", "Nadam", "Eve", "SantaE", "SantaSSS", "AMSGrad", "AdaBound", "AMSBound",
)  # fmt: skip

for _spec in ACTIVATIONS.values():
    if _spec.seed:
        globals()[_spec.seed] = _CLASSES[_spec.name]
        __all__ += [_spec.seed]


for _name in _OPTIMIZERS:
    globals()[_name] = _RULES[_name]
__all__ += _OPTIMIZERS


def __getattr__(name: str) -> Any:  # types of what the loop above defines
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
