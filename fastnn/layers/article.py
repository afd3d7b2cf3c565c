"""The layers of the articles: dense, each with one activation."""

from __future__ import annotations

from .dense import DenseLayer

__all__ = ["LinearLayer", "ReLULayer", "SigmoidLayer", "TanhLayer"]


class LinearLayer(DenseLayer):
    """A dense layer whose activation is the identity, f(a) = a.

    Examples
    --------
    >>> layer = LinearLayer(1, 1, bias=0.5, rng=0)
    >>> layer.w = [[2.0]]
    >>> layer([[1.0], [2.0]])
    array([[2.5],
           [4.5]])

    """

    _activation_name = "identity"


class SigmoidLayer(DenseLayer):
    """A dense layer with the logistic sigmoid, f(a) = 1 / (1 + exp(-a)).

    Examples
    --------
    >>> layer = SigmoidLayer(1, 1, rng=0)
    >>> layer([[0.0]])
    array([[0.5]])

    """

    _activation_name = "sigmoid"


class TanhLayer(DenseLayer):
    """A dense layer with the hyperbolic tangent.

    Examples
    --------
    >>> layer = TanhLayer(1, 1, rng=0)
    >>> layer([[0.0]])
    array([[0.]])

    """

    _activation_name = "tanh"


class ReLULayer(DenseLayer):
    """A dense layer with f(a) = max(a, 0); the derivative at 0 is 0.

    Examples
    --------
    >>> layer = ReLULayer(1, 2, rng=0)
    >>> layer.w = [[1.0, -1.0]]
    >>> layer([[3.0]])
    array([[3., 0.]])

    """

    _activation_name = "ReLU"
