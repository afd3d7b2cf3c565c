"""What `NeuralNetwork.fit` does with data in blocks."""

from __future__ import annotations

from contextlib import closing
from typing import Any

from .._core.random import RNG
from ..callbacks import Run
from ..history import History
from ..losses.base import check_total
from ..model.block_sources import Source, is_chunked, source_of_arrays, source_of_blocks
from ..model.blocks import Blocks
from ..model.data import validation_pair
from ..model.draws import BLOCKS, Draws
from ..model.snapshot import Pinned, Snapshot, snapshot
from ..model.stack import Stack
from . import methods
from .block_trainer import BlockTrainer
from .epochs import Training, drive, first_rate
from .fit import optimizer_for
from .settings import Settings

__all__ = ["are_blocks", "fit_blocks"]


def are_blocks(X: Any, t: Any) -> bool:
    """Whether the data of a training come in blocks; refuses those that have targets beside them.

    Arrays of dask and zarr are read by their chunks.
    """
    if t is None:
        return True
    calls = callable(X) and not hasattr(X, "shape")
    if isinstance(t, (int, float)) and (calls or _is_list_of_blocks(X)):
        raise TypeError(
            f"t is {t}, a number, beside blocks, which bring their targets along: a learning rate "
            "is given by its name, fit(blocks, learning_rate=...)"
        )
    if calls:
        raise TypeError(
            "X is a function of blocks, which bring their targets along, but t is given: expected "
            "fit(blocks, learning_rate=..., optimizer=...)"
        )
    return is_chunked(X) or is_chunked(t)


def _is_list_of_blocks(X: Any) -> bool:
    return isinstance(X, (list, tuple)) and len(X) > 0 and isinstance(X[0], tuple)


def fit_blocks(network: Stack, X: Any, t: Any, settings: Settings) -> History:
    """See `NeuralNetwork.fit`; the settings are checked."""
    epochs, shuffle = settings.epochs, settings.shuffle
    now = _snapshot(network, settings.optimizer)
    source = _source(X, t, settings.sample_weight, epochs)
    blocks = Blocks(source, now.layers, now.cost_function, settings.class_weight)
    validation = validation_pair(now.layers, now.cost_function, settings.validation_data)
    pinned = Pinned(network, now, *(validation or ()))
    opt, given = optimizer_for(network, settings)
    rate = first_rate(opt, given, epochs)
    draws = _draws(now.layers, shuffle, settings.rng, opt.steps)
    pinned.check()  # a schedule of the caller's has run
    cut = blocks, settings.batch_size, shuffle, draws
    with closing(BlockTrainer(network, pinned, *cut, opt, epochs, settings.n_threads)) as trainer:
        run = Run(
            network, History(), epochs=epochs, steps_per_epoch=trainer.steps_per_epoch,
            optimizer=opt, learning_rate=rate, training_cost=trainer.cost, draws=draws,
        )  # fmt: skip
        training = Training(run, trainer, pinned, given, settings.hooks, validation)
        training.keep_optimizer(settings)
        drive(training)
    return run.history


def _snapshot(network: Stack, optimizer: object) -> Snapshot:
    """The network as it is, which must be one that trains step by step."""
    if (method := methods.find(optimizer)) is not None:
        raise TypeError(
            f"{method.name} takes all samples at once, so it does not train on blocks: give X and "
            "t as arrays in memory, or an optimizer that goes by batches"
        )
    now = snapshot(network)
    if not now.layers:
        raise ValueError("layers is empty, expected at least one layer")
    check_total(now.cost_function)
    return now


def _source(X: Any, t: Any, sample_weight: Any, epochs: int) -> Source:
    """Where the blocks come from."""
    if t is not None:
        return source_of_arrays(X, t, sample_weight)
    if sample_weight is not None:
        raise TypeError(
            "sample_weight is given beside blocks, which bring theirs along: (X, t, sample_weight)"
        )
    return source_of_blocks(X, epochs)


def _draws(layers: list[Any], shuffle: bool, rng: RNG | Draws, steps: int) -> Draws | None:
    """Where the random numbers begin; None: nothing is random."""
    if not shuffle and not any(getattr(layer, "dropout", 0.0) for layer in layers):
        return None
    return Draws.begin(rng, BLOCKS if shuffle else 0, steps)
