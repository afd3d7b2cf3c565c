"""Predictions of more than one array in memory: maps, lazy arrays, blocks, and other processes."""

from __future__ import annotations

import copy
import uuid
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator
from threading import Lock
from typing import Any

import numpy as np

from . import inference
from ._core.arrays import Array, check_out
from ._core.mapped import release
from .kernels.engine import layout
from .layers import Layer
from .model.block_sources import is_chunked
from .model.stack import Stack

__all__ = ["Predictor", "predict"]

_PIECE = 1 << 24  # bytes of the samples that are converted at once
_KEPT = 2  # networks that a process keeps for the predictors that it is sent


def predict(network: Stack, X: Any, out: Array | None = None) -> Any:
    """See `NeuralNetwork.predict`."""
    if hasattr(X, "__next__") or (callable(X) and not hasattr(X, "shape")):
        if out is not None:
            raise TypeError("out is given, but X is blocks, whose predictions come one by one")
        return _of_blocks(network, X)
    if is_chunked(X):
        if out is None and hasattr(X, "map_blocks"):
            return _lazily(network, X)
        return _in_pieces(network, X, out)
    if isinstance(X, np.ndarray) and X.ndim == 2 and _is_large(network, X, out):
        return _in_pieces(network, X, out)
    return inference.predict(network, X, out)


def _is_large(network: Stack, X: Array, out: Array | None) -> bool:
    """Whether so much would be copied, or stay mapped, that it is taken in pieces."""
    if X.nbytes <= _PIECE or isinstance(X, np.ma.MaskedArray):
        return False
    if isinstance(out, np.ndarray) and np.may_share_memory(X, out):
        return False
    mapped = isinstance(X, np.memmap) or isinstance(out, np.memmap)
    as_it_is = X.flags.carray or X.flags.c_contiguous
    return mapped or not as_it_is or X.dtype != _dtype(network)


def _dtype(network: Stack) -> np.dtype[Any]:
    first = network.layers[0]
    return first.dtype if isinstance(first, Layer) else np.dtype(np.float64)


def _in_pieces(network: Stack, X: Any, out: Array | None) -> Array:
    """The predictions, a piece of the rows after the other; of chunks along with these."""
    if len(X.shape) != 2:
        return inference.predict(network, np.asarray(X), out)
    sample = _of_no_sample(network, int(X.shape[1]))
    shape = (int(X.shape[0]), *sample.shape[1:])
    if out is None:
        out = np.empty(shape, sample.dtype)
    else:
        check_out(out, shape, sample.dtype)
    each = int(X.shape[1]) * np.dtype(X.dtype).itemsize
    rows = max(1, _PIECE // max(1, each) // layout.TILE) * layout.TILE
    for first in range(0, shape[0], rows):
        piece, target = X[first : first + rows], out[first : first + rows]
        inference.predict(network, np.asarray(piece), target)
        release(piece)
        release(target)
    return out


def _of_no_sample(network: Stack, width: int) -> Array:
    """What predictions look like; refuses samples of another width."""
    return np.asarray(inference.predict(network, np.zeros((1, width), _dtype(network)), None))[:0]


def _lazily(network: Stack, X: Any) -> Any:
    """The predictions for an array of dask, as one of dask."""
    from dask.delayed import delayed  # it is there: X is its

    if X.dtype.kind not in "fiub":
        raise TypeError(f"X must hold real numbers, not {X.dtype}")
    if X.ndim not in (1, 2):
        width = network.layers[0].w.shape[0]
        raise ValueError(f"X has shape {X.shape}, expected ({width},) or (rows, {width})")
    sample = _of_no_sample(network, int(X.shape[-1]))
    whole = X.rechunk({X.ndim - 1: -1}) if X.numblocks[-1] > 1 else X
    # one key of the graph, which all tasks refer to
    predictor = delayed(Predictor(network), name=f"predictor-{uuid.uuid4().hex}", traverse=False)
    meta = sample if X.ndim == 2 else sample.reshape(-1)[:0]
    return whole.map_blocks(
        _call, predictor, dtype=sample.dtype, chunks=(*whole.chunks[:-1], sample.shape[1:]),
        meta=meta, name=f"predict-{uuid.uuid4().hex}",
    )  # fmt: skip


def _call(X: Any, predictor: Predictor) -> Array:
    """What a task of dask does."""
    return np.asarray(predictor(np.asarray(X)))


def _of_blocks(network: Stack, blocks: Any) -> Iterator[Array]:
    """The predictions for each of some blocks of samples."""
    given: Iterable[Any] = blocks() if callable(blocks) else blocks
    return (np.asarray(predict(network, block)) for block in given)


class Predictor:
    """A network as it was at one instant, for predictions anywhere: what `predictor` returns.

    Called as ``predictor(X, out=None)`` it does what `NeuralNetwork.predict` does. It has copies of
    layers and cost, and neither optimizer nor caches: a pickle holds each parameter once. A process
    that is sent pickles of one predictor again and again, a task each, makes its network of the
    first and keeps that for the others.

    Parameters
    ----------
    network : NeuralNetwork
        May be trained further; that does not change the predictor.

    Examples
    --------
    >>> from fastnn import LinearLayer, NeuralNetwork, SumSquaresError
    >>> nn = NeuralNetwork([LinearLayer(2, 1, init=[[1.0], [10.0]])], SumSquaresError())
    >>> predictor = nn.predictor()
    >>> nn.parameters[:] = 0.0
    >>> predictor([3.0, 4.0])
    array([43.])

    """

    def __init__(self, network: Stack) -> None:
        layers, cost = copy.deepcopy((network.layers, network.cost_function))
        self._network, self._token = _stack(layers, cost), uuid.uuid4().hex

    def __call__(self, X: Any, out: Array | None = None) -> Any:
        """Output of the network for the samples X."""
        return predict(self._network, X, out)

    def __reduce__(self) -> tuple[Callable[..., Predictor], tuple[Any, ...]]:
        """A name, by which a process knows it again, and the network."""
        network = self._network
        return _received, (self._token, network.layers, network.cost_function)

    def __repr__(self) -> str:
        return f"Predictor({self._network!r})"


def _stack(layers: list[Any], cost: Any) -> Stack:
    """A network that warns of nothing: it was one before."""
    network = object.__new__(Stack)
    network.layers, network.cost_function = layers, cost
    return network


_received_before: OrderedDict[str, Stack] = OrderedDict()
_guard = Lock()


def _received(token: str, layers: list[Any], cost: Any) -> Predictor:
    """The predictor of a pickle; its network is that of the pickle before, if it is the same."""
    found: Predictor = object.__new__(Predictor)
    with _guard:
        network = _received_before.get(token)
        if network is None:
            network = _received_before[token] = _stack(layers, cost)
            if len(_received_before) > _KEPT:
                _received_before.popitem(last=False)
        _received_before.move_to_end(token)
    found._network, found._token = network, token
    return found
