"""`fit` for one step on all samples, as the articles call it: by a prepared call."""

from __future__ import annotations

from typing import Any

from ..history import History
from ..kernels.codegen.compiler import clock
from ..layers.base import forget
from ..model.prepared import Prepared, prepare
from ..model.stack import Stack
from ..optimizers import get_opt

__all__ = ["one_step"]


def one_step(network: Stack, X: Any, t: Any, learning_rate: Any, optimizer: Any) -> History | None:
    """The history of the step; None, and nothing has changed, where the careful way must go.

    It must for whatever is not as the step was prepared for, for schedules in the place of plain
    descent's learning rate, and for a step that would not be finite.
    """
    if type(learning_rate) is int and abs(learning_rate) < 1 << 53:
        learning_rate = float(learning_rate)
    if optimizer is None and learning_rate is not None:
        return _descend(network, X, t, learning_rate)
    opt = network.optimizer
    if opt is None or not (optimizer is None or optimizer is opt or optimizer == opt.rule.name):
        return None
    rate = opt._rate(opt.steps) if learning_rate is None else learning_rate
    ready = network._prepared.get("step")
    if ready is None or not ready.fits(network) or not ready.serves(opt) or ready.is_short_of(X):
        ready = prepare(network, "step", "step", X, opt)
    return None if ready is None else _taken(ready, X, t, rate)


def _descend(network: Stack, X: Any, t: Any, rate: Any) -> History | None:
    """Plain gradient descent, which begins anew with every `fit`."""
    ready = network._prepared.get("descent")
    if ready is None or not ready.fits(network) or ready.is_short_of(X):
        ready = prepare(network, "descent", "step", X, get_opt("SGD"))
    if ready is None:
        return None
    history = _taken(ready, X, t, rate)
    if history is not None and network._plain_descent is not None:
        network._plain_descent = None
    return history


def _taken(ready: Prepared, X: Any, t: Any, rate: Any) -> History | None:
    """The step, while no other training of the network is under way."""
    begin = clock()
    with ready.lock.held():
        cost = ready.call(X, t, rate)
    if cost is None:
        return None
    seconds = clock() - begin
    forget(ready.layers)
    return History.of_one(cost, rate, seconds)
