"""The memory of Levenberg-Marquardt, which waits for the next `fit`."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from .._core.arrays import Array, aligned
from ..kernels.codegen import barrier
from ..kernels.codegen.compiler import imported
from ..kernels.codegen.declare import address
from ..kernels.solvers import jacobian_tile as tiles
from ..kernels.solvers import least_squares as squares
from ..kernels.solvers import levenberg_marquardt as solver
from ..kernels.solvers import normal_equations as lapack
from ..model.compile import Use, model
from ..model.snapshot import Snapshot

__all__ = ["Workspace", "give_back", "taken", "trained"]

_IDLE_BYTES = 1 << 24  # of memory that waits for the next `fit`


def trained(now: Snapshot) -> npt.NDArray[np.bool_]:
    """Which parameters are not frozen."""
    layers = now.layers
    sizes = [sum(getattr(layer, name).size for name in layer.trained) for layer in layers]
    return np.repeat([layer.trainable for layer in layers], sizes)


def _decay(now: Snapshot) -> Array:
    """The l2 of each trained parameter."""
    parts = [
        np.full(getattr(layer, name).size, layer.l2 if name == "w" else 0.0)
        for layer in now.layers
        if layer.trainable
        for name in layer.trained
    ]
    return np.concatenate(parts)


class Workspace:
    """The memory of a minimization, which networks of the same layers use in turn."""

    def __init__(self, key: Any, now: Snapshot, rows: int) -> None:
        self.key = key
        theta = now.theta.astype(np.float64)
        self.model = model(now.layers, now.cost_function, theta, Use(training=True))
        tile, lanes, size, elements = solver.sizes(self.model, rows)
        self.trained, self.decay = trained(now), _decay(now)
        nothing = np.empty((0, 1))
        self.search = squares.Search(
            nothing,
            nothing,
            nothing[:, 0],
            np.zeros((squares.VECTORS, size)),
            np.zeros((size + 1, size + 1)),
            np.zeros(squares.NUMBERS),
            np.zeros(squares.CONTROLS, np.int64),
            aligned(elements, np.float64),
        )
        control = self.search.control
        control[squares.TILE], control[squares.LANES] = tile, lanes
        control[squares.RESIDUALS] = address(tiles.residuals, np.float64, tiles.RESIDUALS)
        control[squares.JACOBIAN] = address(tiles.jacobian, np.float64, tiles.JACOBIAN)
        control[squares.SYSTEM] = barrier.system()
        control[squares.POTRF], control[squares.POTRI] = _lapack("dpotrf"), _lapack("dpotri")
        given = control[squares.LAPACK :]
        given.view(np.int32)[2 * lapack.N] = size  # C ints, see `normal_equations`
        given.view(np.int32)[2 * lapack.LDA] = size + 1
        given.view(np.uint8)[8 * lapack.UPLO] = ord("L")
        self.operations = rows * int(now.layers[-1].dim_output) * size**2 / 2 + size**3 / 3

    @property
    def nbytes(self) -> int:
        """All of it."""
        return int(self.search.matrix.nbytes + self.search.work.nbytes)


def _lapack(name: str) -> int:
    """The address of a function of LAPACK."""
    extending: Any = imported("numba.extending")
    return int(extending.get_cython_function_address("scipy.linalg.cython_lapack", name))


_spare: dict[Any, Workspace] = {}  # the last one that is free


def _key(now: Snapshot, rows: int) -> Any:
    """What a workspace depends on."""
    layers = [
        (
            *(*layer.w.shape, layer.dim_output, layer.activation, layer.l2, layer.trainable),
            *layer.activation_parameters.values(),
        )
        for layer in now.layers
    ]
    cost = now.cost_function
    return cost.spec, cost.reduction, rows, *layers


def taken(now: Snapshot, rows: int) -> Workspace:
    """The last workspace where that fits, or another; nobody else has it."""
    key = _key(now, rows)
    found = _spare.pop(key, None)
    return Workspace(key, now, rows) if found is None else found


def give_back(memory: Workspace) -> None:
    """Keep it for the next `fit` instead of another."""
    _spare.clear()
    if memory.nbytes <= _IDLE_BYTES:
        memory.search.control[squares.STOP] = 0
        _spare[memory.key] = memory
