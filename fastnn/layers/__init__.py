"""Dense layers, to be used alone or inside a `NeuralNetwork`."""

from .article import LinearLayer, ReLULayer, SigmoidLayer, TanhLayer
from .base import Layer
from .dense import DenseLayer

__all__ = [
    "DenseLayer",
    "Layer",
    "LinearLayer",
    "ReLULayer",
    "SigmoidLayer",
    "TanhLayer",
]
