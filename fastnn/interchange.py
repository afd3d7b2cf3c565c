"""Networks of files that other programs write."""

from __future__ import annotations

import os

from ._core.extras import needed
from .losses.base import CostFunction
from .network import NeuralNetwork

__all__ = ["from_onnx"]


def from_onnx(
    path: str | os.PathLike[str],
    cost_function: CostFunction | None = None,
    *,
    output: str | None = None,
) -> NeuralNetwork:
    """A network from an ONNX file: one of `NeuralNetwork.export_onnx`, PyTorch or skl2onnx.

    The graph must be that of a dense network: products with constant matrices (``Gemm``, or
    ``MatMul`` and ``Add``) and activations one after the other. Casts, reshapes, ``Flatten``,
    ``Identity`` and ``Dropout`` on the way are left out. What `predict` gives is the graph's
    output. Of two classes scikit-learn's files have (1 - p, p); the network has the softmax of two
    logits then, the first of them 0. Nothing but this file is read, and nothing in it is executed.

    Parameters
    ----------
    path : str or path
    cost_function : cost, optional
        Of the new network. The last activation of the graph is the cost's, if that brings the same
        with it, and otherwise the last layer's. Left out: the first cost of the table with that
        activation, as `SoftmaxCrossEntropy` of a softmax, else `SumSquaresError`.
    output : str, optional
        Which output of the graph; left out, the only one of floating-point numbers.

    Returns
    -------
    NeuralNetwork
        Of the dtype of the matrices, float32 or float64.

    Raises
    ------
    ImportError
        If onnx is not installed, the extra ``onnx``.
    ValueError
        For a file that is damaged, that keeps data in other files, or whose graph has anything
        else; the message names the node.

    """
    if cost_function is not None and not isinstance(cost_function, CostFunction):
        raise TypeError(f"cost_function is {cost_function!r}, expected a cost of fastnn.losses")
    message = "from_onnx needs onnx: pip install 'fastnn-numba[onnx]'"
    with needed(message, "onnx", "google", "google.protobuf"):
        from .export.onnx.read import read
    return NeuralNetwork(*read(path, cost_function, output))
