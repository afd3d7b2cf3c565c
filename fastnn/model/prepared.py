"""Calls of a network that are worked out once: what is left for Python are a few comparisons.

A `Prepared` call answers for as long as the network is what it was: its layers, their storage and
settings, and the cost. Where anything does not fit it answers None, and whoever asked goes the
careful way, which does what is rarer or says what is wrong.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from .._core.arrays import Array, aligned
from .._core.prepared import never
from ..kernels.calls import network as calls
from ..kernels.codegen.builtin import prepared
from ..kernels.engine import layout
from ..kernels.engine.model import Model
from ..kernels.inference.overloads import workspace_size
from ..layers.changes import changes, passing
from ..losses.base import CostFunction
from ..optimizers import Optimizer
from .compile import Use, model
from .evaluation import SHARED
from .snapshot import Snapshot, snapshot

__all__ = ["Prepared", "ask", "prepare"]

_USES = {
    "predict": Use(predicting=True),
    "forward": Use(predicting=True, training=True),
    "cost": Use(evaluating=True),
    "step": Use(stepping=True),
}

# Multiplications and additions, see `work_of`: of a call at most, so that Ctrl-C waits for some
# 10 ms, or beyond which threads share it; and of one that holds the GIL, some 20 µs.
_WORK = {"predict": SHARED, "forward": 1e8, "cost": SHARED, "step": 1e8}
_LIGHT = 2e6
_BYTES = 1 << 23  # of the memory of a call
_ROWS = 32  # samples that this is made for at least


class Prepared:
    """One call of a network as it stands, for up to so many samples.

    Attributes
    ----------
    call : callable
        ``predict(X)``, ``predict(X, out)``, ``forward(X)``, ``cost(X, t)`` or ``step(X, t, rate)``;
        None where that does not fit.
    most : int
        Samples that it takes.
    optimizer : Optimizer or None
        Whose step it is.
    model : Model or None
        What it runs.
    lock : Lock
        That of the network's trainings in this process.

    """

    call: Callable[..., Any] = staticmethod(never)

    def __init__(
        self, network: Any, what: str, rows: int, optimizer: Optimizer | None = None
    ) -> None:
        self.layers, self.cost_function = list(network.layers), network.cost_function
        self.reduction = getattr(self.cost_function, "reduction", None)
        self.changes, self.most, self._limit = changes(), 0, 0
        self.optimizer, self.lock = optimizer, network._lock
        self.model: Model | None = None
        now = snapshot(network)
        if now.known is not None:
            self.changes = now.known.changes
        if now.compiled and _suits(now, what):
            self._compile(now, what, rows)

    def _compile(self, now: Snapshot, what: str, rows: int) -> None:
        optimizer, dtype = self.optimizer, now.theta.dtype
        grad = np.zeros_like(now.theta) if optimizer else None
        made = model(now.layers, now.cost_function, now.theta, _USES[what], optimizer, grad)
        features, work = calls.tile_features(made.descriptor), float(made.descriptor[layout.WORK])
        self._limit = int(min(_WORK[what] / work, _BYTES / (features * dtype.itemsize)))
        most = min(self._limit, max(rows, _ROWS))
        if most < 1:
            return
        size = workspace_size(made, most)
        if what == "forward":
            size = features * (most + calls.most_padding(most, dtype.itemsize))
            size += int(made.descriptor[layout.PACKING])
        if optimizer is not None:
            optimizer.serve(self.layers)
            self.state, self.served = optimizer.state_for(now.theta), optimizer._served
        self.known, self.model, self.most = now.known, made, most
        self._scratch = aligned(size, dtype)
        limits = _limits(now.cost_function, dtype)
        light, headers = int(_LIGHT / work), now.known.headers  # type: ignore[union-attr]
        self.record = calls.network(made.descriptor, self._scratch, most, light, limits, headers)
        self.call = prepared(calls.CALLS[what], dtype, self.record)

    def fits(self, network: Any) -> bool:
        """Whether the network is still the one that this was made of."""
        cost = network.cost_function
        return (
            self.changes == changes()
            and self.layers == network.layers
            and self.cost_function is cost
            and self.reduction == getattr(cost, "reduction", None)
        )

    def serves(self, optimizer: Optimizer) -> bool:
        """Whether the step is that of this optimizer, and goes on from its state."""
        return (
            self.optimizer is optimizer
            and self.state is optimizer._state
            and self.served is optimizer._served
        )

    def is_short_of(self, X: Any) -> bool:
        """Whether a call for more samples would take these."""
        return self.most < _rows(X) <= self._limit

    def mark(self) -> None:
        """Let the layers ask for what the last forward pass has left."""
        if all(layer._passed is self for layer in self.layers):
            return
        with passing().held():  # not in the middle of a pass by another thread
            for layer in self.layers:
                layer.__dict__["_passed"] = self

    def unpack(self) -> None:
        """Give each layer its part of what the last forward pass has left."""
        assert self.model is not None
        rows, tile, lanes, features = (
            int(self.record[place])
            for place in (calls.ROWS, calls.TILE, calls.LANES, calls.FEATURES)
        )
        x = calls.samples_of(self.record)
        tiles = -(-rows // tile)
        work = self._scratch[: tiles * features * lanes].reshape(tiles, features, lanes)[..., :tile]
        first = calls.first_layer(self.model.descriptor)

        def part(place: int, count: int) -> Array:
            """So many rows of all tiles, a sample a row."""
            begin = first + int(place)
            values = work[:, begin : begin + count].transpose(0, 2, 1)
            found: Array = values.reshape(-1, count)[:rows].copy()
            return found

        table = self.model.descriptor.base.kept[layout.LAYERS]
        for layer, line in zip(self.layers, table, strict=True):
            y, slope = part(line[layout.Y], line[layout.N_OUT]), None
            if line[layout.MEMORY]:
                slope = np.ascontiguousarray(part(line[layout.Z], line[layout.MEMORY]).T)
            elif line[layout.SCALED]:
                slope = part(line[layout.FACTORS], line[layout.N_OUT])
            if layer._passed is self:  # else another pass has gone through it since
                layer.remember(x, y, slope)
            x = y


def _suits(now: Snapshot, what: str) -> bool:
    """Whether compiled code has all that the call is about."""
    if what == "cost":  # penalties are added by the careful way
        return not any(layer.l1 or layer.l2 for layer in now.layers)
    if what == "step":
        return any(layer.trainable for layer in now.layers) and not any(
            layer.dropout for layer in now.layers
        )
    return True


def _limits(cost: CostFunction, dtype: np.dtype[Any]) -> npt.NDArray[np.float64]:
    """Least and most of the targets, which are finite, and whether they are whole numbers."""
    form, largest = cost.spec.form, float(np.finfo(dtype).max)
    return np.array([max(form.least, -largest), min(form.most, largest), form.whole], np.float64)


def ask(network: Any, what: str, *given: Any) -> Any:
    """What the call answers to what is given, samples first; None: go the careful way."""
    ready = network._prepared.get(what)
    if ready is not None and ready.fits(network):
        found = ready.call(*given)
        if found is not None or not ready.is_short_of(given[0]):
            return found
    ready = prepare(network, what, what, given[0])
    return None if ready is None else ready.call(*given)


def prepare(
    network: Any, name: str, what: str, X: Any, optimizer: Optimizer | None = None
) -> Prepared | None:
    """A new call for samples like X, kept under that name; None: the network is at fault."""
    try:
        ready = Prepared(network, what, _rows(X), optimizer)
    except (TypeError, ValueError, AttributeError):  # the careful way says so in its own words
        return None
    network._prepared[name] = ready
    return ready


def _rows(X: Any) -> int:
    """Samples in X, where it is a plain matrix of them."""
    return int(X.shape[0]) if type(X) is np.ndarray and X.ndim == 2 else 1
