"""Derivatives of networks from Python: checks, then compiled calls in parts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from .._core.arrays import Array, aligned, convert
from .._core.live_models import Owner
from .._core.threads import get_num_threads, side_by_side
from ..callbacks.base import flag
from ..kernels.codegen import headers
from ..kernels.derivatives import entries
from ..kernels.derivatives import functions as bits
from ..kernels.derivatives.overloads import derivatives_workspace_size, laplacian_memory_size
from ..kernels.engine import layout
from ..kernels.engine.model import Model
from ..losses.base import check_total
from ..model.compile import Use, keep, model
from ..model.derivatives import obstacle
from ..model.evaluation import shares, worth
from ..model.prepared import Prepared
from ..model.snapshot import Snapshot
from ..model.stack import Stack
from .doors import look, samples

__all__ = ["hvp", "jvp", "laplacian", "parameter_jacobian"]

_MANY_PARTS = 16  # of a sum over samples, at most: each has a vector of all parameters
_BYTES = 1 << 22  # of a workspace that is kept for the next call, at most
_MOST_KEPT = 1 << 24  # bytes that are kept for a pullback: more would be read too slowly

Spare: TypeAlias = list[tuple[int, Array]]  # workspaces, and for how many samples


class _Ready(Prepared):
    """The model for such a call, for as long as the network is what it was."""

    def _compile(self, now: Snapshot, what: str, rows: int) -> None:
        self.known = now.known
        self.spare: Spare = []
        self.model = model(now.layers, now.cost_function, now.theta, Use(derivatives=(what,)))


def _ready(network: Stack, name: str) -> _Ready:
    """What calls of this function need."""
    ready = network._prepared.get(name)
    if ready is None or not (ready.fits(network) and headers.unchanged(ready.known.headers)):
        now, _ = look(network)
        check_total(now.cost_function)
        why = obstacle(name, now.layers, now.cost_function)
        if why:
            raise TypeError(why)
        ready = _Ready(network, name, 1)
        if ready.model is None:
            raise TypeError("the network was changed meanwhile, expected it to stay as it is")
        network._prepared[name] = ready
    found: _Ready = ready
    return found


def _made(ready: _Ready) -> Model:
    assert ready.model
    return ready.model


def _apart(made: Model) -> Model:
    """A model with parameters of its own."""
    theta = made.theta.copy()
    result = Model(np.asarray(Owner(made.descriptor.copy(), theta)), theta)
    for index, array in made.descriptor.base.kept.items():
        keep(result, index, theta if index == layout.THETA else array)
    return result


def _rows(x: Array) -> int:
    return 1 if x.ndim == 1 else x.shape[0]


def _numbers(made: Model, *indices: int) -> tuple[int, ...]:
    return tuple(int(made.descriptor[index]) for index in indices)


def _by_rows(ready: _Ready, rows: int, ways: float, call: Callable[..., None]) -> None:
    """``call(rows, workspace, part, parts)`` for all parts, each of which writes its own rows."""
    if rows:
        made = _made(ready)
        _run(made, ready.spare, rows, *shares(made.descriptor[layout.WORK], rows, ways), call)


def _run(
    made: Model, spare: Spare, rows: int, parts: int, threads: int, call: Callable[..., None]
) -> None:
    used = []

    def start() -> Callable[[int], object]:
        try:
            known, work = spare.pop()
        except IndexError:
            known = -1
        if known != rows:
            work = aligned(derivatives_workspace_size(made, rows), made.theta.dtype)
        used.append((rows, work))
        return lambda part: call(rows, work, part, parts)

    side_by_side(parts, threads, start)
    if not spare and used[0][1].nbytes <= _BYTES:
        spare.extend(used)


def _summed(made: Model, spare: Spare, rows: int, ways: float, call: Callable[..., None]) -> Array:
    """Σ over the parts of the vectors that ``call(vector, rows, workspace, part, parts)`` fills.

    How many there are follows from the sizes, not from the threads, and so does every bit.
    """
    parts = min(worth(made.descriptor[layout.WORK], rows, ways), _MANY_PARTS)
    sums = np.zeros((parts, made.theta.size), made.theta.dtype)

    def run(rows: int, work: Array, part: int, parts: int) -> None:
        call(sums[part], rows, work, part, parts)

    _run(made, spare, rows, parts, min(get_num_threads(), parts), run)
    total: Array = sums[0]
    for part in sums[1:]:
        total += part
    return total if parts == 1 else total.copy()


def jvp(network: Stack, X: npt.ArrayLike, V: npt.ArrayLike) -> tuple[Array, Array]:
    """See `NeuralNetwork.jvp`."""
    ready = _ready(network, "jvp")
    made = _made(ready)
    x = samples(made, layout.INPUTS, "X", X)
    v = samples(made, layout.INPUTS, "V", V)
    if v.shape != x.shape:
        raise ValueError(f"V has shape {v.shape}, expected that of X, {x.shape}")
    shape = (*x.shape[:-1], *_numbers(made, layout.OUTPUTS))
    y, out = np.empty(shape, x.dtype), np.empty(shape, x.dtype)
    flat = x.reshape(-1), v.reshape(-1), y.reshape(-1), out.reshape(-1)
    _by_rows(ready, _rows(x), 2 / 3, lambda *part: entries.jvp(made.descriptor, *flat, *part))
    return y, out


def parameter_jacobian(network: Stack, X: npt.ArrayLike) -> Array:
    """See `NeuralNetwork.parameter_jacobian`."""
    ready = _ready(network, "parameter_jacobian")
    made = _made(ready)
    x = samples(made, layout.INPUTS, "X", X)
    outputs, size = _numbers(made, layout.OUTPUTS, layout.SIZE)
    out = np.empty((*x.shape[:-1], outputs, size), x.dtype)
    flat = x.reshape(-1), out.reshape(-1)
    _by_rows(
        ready, _rows(x), float(outputs),
        lambda *part: entries.parameter_jacobian(made.descriptor, *flat, *part),
    )  # fmt: skip
    return out


def hvp(network: Stack, X: npt.ArrayLike, t: npt.ArrayLike, v: npt.ArrayLike) -> Array:
    """See `NeuralNetwork.hvp`."""
    ready = _ready(network, "hvp")
    made = _made(ready)
    x = samples(made, layout.INPUTS, "X", X)
    x = x[np.newaxis] if x.ndim == 1 else x
    cost, (outputs, size) = network.cost_function, _numbers(made, layout.OUTPUTS, layout.SIZE)
    targets = cost.samples_of_targets("t", t, outputs, x.dtype)
    if targets.shape[0] != x.shape[0]:
        raise ValueError(f"t has {targets.shape[0]} rows, expected as many as X, {x.shape[0]}")
    direction = _vector("v", v, size, x.dtype)
    flat = x.reshape(-1), np.ascontiguousarray(targets).reshape(-1), direction
    return _summed(
        made, ready.spare, x.shape[0], 2.0,
        lambda out, *part: entries.hvp(made.descriptor, *flat, out, *part),
    )  # fmt: skip


def _vector(name: str, value: npt.ArrayLike, size: int, dtype: np.dtype[Any]) -> Array:
    """One number a parameter."""
    found = convert(name, value, dtype)
    if found.shape != (size,):
        raise ValueError(f"{name} has shape {found.shape}, expected ({size},), as the parameters")
    return found


def laplacian(network: Stack, X: npt.ArrayLike, pullback: bool) -> tuple[Any, ...]:
    """See `NeuralNetwork.laplacian`."""
    back = flag("pullback", pullback)
    ready = _ready(network, "laplacian_vjp" if back else "laplacian")
    made = _made(ready)
    x = samples(made, layout.INPUTS, "X", X)
    inputs, outputs = _numbers(made, layout.INPUTS, layout.OUTPUTS)
    before = x.shape[:-1]
    y, dy = np.empty((*before, outputs), x.dtype), np.empty((*before, outputs, inputs), x.dtype)
    ly = np.empty_like(y)
    kept = _memory(made, _rows(x)) if back else x[:0].reshape(-1)
    flat = x.reshape(-1), y.reshape(-1), dy.reshape(-1), ly.reshape(-1), kept, kept.size > 0
    ways = (inputs + 2) / 3
    _by_rows(ready, _rows(x), ways, lambda *part: entries.laplacian(made.descriptor, *flat, *part))
    if not back:
        return y, dy, ly
    return y, dy, ly, Pullback(_apart(made), ready.spare, x.copy(), kept, y.shape, dy.shape)


def _memory(made: Model, rows: int) -> Array:
    """What a way forward keeps for the pullback; nothing where that would be too much."""
    size, dtype = laplacian_memory_size(made, rows), made.theta.dtype
    return aligned(size if size * dtype.itemsize <= _MOST_KEPT else 0, dtype)


class Pullback:
    """From cotangents of outputs, derivatives and Laplacians to the gradient by the parameters.

    It holds copies of samples and parameters as they were. See `NeuralNetwork.laplacian`.

    Parameters
    ----------
    made : Model
    spare : list
        Of workspaces.
    x : array
    kept : array
        What the way forward has left; empty if it must be gone once more.
    of_outputs, of_gradients : tuple of int
        Shapes of the cotangents.

    """

    def __init__(
        self, made: Model, spare: Spare, x: Array, kept: Array, of_outputs: tuple[int, ...],
        of_gradients: tuple[int, ...],
    ) -> None:  # fmt: skip
        self._made, self._spare, self._x, self._kept = made, spare, x, kept
        self._shapes = {"g_u": of_outputs, "g_grad": of_gradients, "g_lap": of_outputs}

    def __call__(
        self,
        g_u: npt.ArrayLike | None = None,
        g_grad: npt.ArrayLike | None = None,
        g_lap: npt.ArrayLike | None = None,
    ) -> Array:
        """The gradient by the parameters of Σ g_u u + Σ g_grad grad + Σ g_lap lap.

        Parameters
        ----------
        g_u, g_lap : array (rows, outputs), optional
        g_grad : array (rows, outputs, inputs), optional
            Each shaped as what it belongs to; None counts as zero.

        Returns
        -------
        array (parameters,)
            Zero for parameters of frozen layers.

        """
        made, x, given = self._made, self._x, 0
        cotangents = []
        chosen = zip(self._shapes.items(), (g_u, g_grad, g_lap), _BITS, strict=True)
        for (name, shape), value, bit in chosen:
            found = x[:0] if value is None else convert(name, value, x.dtype)
            if value is not None and found.shape != shape:
                raise ValueError(f"{name} has shape {found.shape}, expected {shape}")
            given |= 0 if value is None else bit
            cotangents.append(found.reshape(-1))
        flat = x.reshape(-1), *cotangents, given, self._kept, self._kept.size > 0
        return _summed(
            made, self._spare, _rows(x), float(made.descriptor[layout.INPUTS] + 2),
            lambda out, *part: entries.laplacian_vjp(made.descriptor, *flat, out, *part),
        )  # fmt: skip


_BITS = bits.OF_VALUE, bits.OF_GRADIENT, bits.OF_LAPLACIAN
