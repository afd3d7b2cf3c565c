"""Every public name of the article's ``neural_network.py``, spelled as it spells them.

``from fastnn.dropin import *`` in place of ``from neural_network import *``.
"""

from .layers import Layer, LinearLayer, ReLULayer, SigmoidLayer, TanhLayer
from .losses import SigmoidCrossEntropy, SoftmaxCrossEntropy, SumSquaresError
from .network import NeuralNetwork

__all__ = [
    "Layer",
    "LinearLayer",
    "NeuralNetwork",
    "ReLULayer",
    "SigmoidCrossEntropy",
    "SigmoidLayer",
    "SoftmaxCrossEntropy",
    "SumSquaresError",
    "TanhLayer",
]
