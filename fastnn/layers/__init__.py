"""Dense layers, to be used alone or inside a `NeuralNetwork`."""

from .dense import (
    DenseLayer,
    Layer,
    LinearLayer,
    ReLULayer,
    SigmoidLayer,
    TanhLayer,
)

__all__ = [
    "DenseLayer",
    "Layer",
    "LinearLayer",
    "ReLULayer",
    "SigmoidLayer",
    "TanhLayer",
]
