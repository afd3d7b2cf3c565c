"""Which route a training takes: on data in memory, on data in blocks, or by several processes."""

from __future__ import annotations

from typing import Any

from ..history import History
from ..kernels.codegen.compiler import imported
from ..model.stack import Stack
from .block_fit import are_blocks, fit_blocks
from .fit import fit
from .settings import Settings

__all__ = ["train"]


def train(network: Stack, X: Any, t: Any, settings: Settings) -> History:
    """See `NeuralNetwork.fit`."""
    blocks = are_blocks(X, t)
    if settings.comm is not None:
        if blocks:
            raise TypeError("comm needs X and t as arrays, not data in blocks")
        by_ranks = imported(".mpi", __package__).fit_by_ranks
        return by_ranks(network, X, t, settings)  # type: ignore[no-any-return]
    settings = settings.checked()
    if settings.shard:
        raise ValueError("shard=True shares rows out among ranks: expected comm, too")
    return (fit_blocks if blocks else fit)(network, X, t, settings)
