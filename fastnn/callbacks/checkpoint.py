"""A callback that writes parameters and the optimizer's state to files, and reads them."""

from __future__ import annotations

import json
import math
import os
import re
from dataclasses import astuple
from typing import Any

import numpy as np

from .._core.arrays import Array, count
from .._core.writing import checked_path, replacing
from ..kernels.codegen.compiler import imported
from ..model.draws import Draws
from ..model.stack import Stack
from ..optimizers import Optimizer
from .base import Callback, Run, flag, last, shown
from .monitor import Monitor, checked_monitor, monitored_cost

__all__ = ["Checkpoint"]

_OF_STATE = "optimizer."  # before the names of an optimizer's state in an archive
_OF_LAYER = {"inputs": int, "outputs": int, "activation": str, "numbers": dict}
_EPOCH_FIELD = re.compile(r"\{epoch(?::([^{}]*))?\}")


class Checkpoint(Callback):
    """Write the parameters and the optimizer's state to a file as the training goes.

    A file is complete or not there at all: it is written beside its place and then moved there.
    It is an .npz archive of arrays, without pickles; see `load`. A training that goes on from it is
    the one that was never interrupted, to the last bit; where it draws random numbers, for
    mini-batches or dropout, with ``rng=network.draws``. `fastnn.load` makes the network of the
    file, unless something of it is the caller's own.

    Parameters
    ----------
    path : str or path
        Where to; folders that are missing are made. ``{epoch}`` stands for the number of complete
        epochs, ``{epoch:04d}`` for the same in four digits; without it each file replaces the one
        before.
    every : int
        Write after each so many epochs, and after the last.
    best_only : bool
        Whether to write only if the monitored cost is the least so far in this training.
    monitor : "cost", "validation_cost" or None
        For `best_only`. None takes the validation cost if there is one, else the cost. As with
        `EarlyStopping`, it is that of the parameters after the epoch; the file then holds it.

    Examples
    --------
    >>> Checkpoint("digits-{epoch:04d}.npz", every=100)
    Checkpoint(path='digits-{epoch:04d}.npz', every=100, best_only=False, monitor=None)

    In another process, with the same network and optimizer made anew::

        found = Checkpoint.restore("digits-0300.npz", nn, optimizer)
        nn.fit(X, t, optimizer=optimizer, epochs=1000 - found["epoch"], rng=nn.draws)

    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        every: int = 1,
        best_only: bool = False,
        monitor: Monitor | None = None,
    ) -> None:
        self.path = _path(path)
        self.every = count("every", every, least=1)
        self.best_only = flag("best_only", best_only)
        self.monitor = checked_monitor(monitor)
        self._best = math.inf

    def on_begin(self, run: Run) -> None:
        """Start anew."""
        self._best = math.inf

    def on_epoch(self, run: Run) -> None:
        """Write a file, if it is time to."""
        if self.best_only:
            name, value = monitored_cost(self, self.monitor, run)
            if not value < self._best:
                return
            self._write(run, run.history.cost[-1:] if name != "cost" else np.array([value]))
            self._best = value
        else:
            self._write(run, run.history.cost[-1:])

    def _write(self, run: Run, cost: Array) -> None:
        arrays = {
            "parameters": np.array(run.network.parameters),
            "epoch": np.array(run.epoch, np.int64),
            "cost": cost,
            "validation_cost": run.history.validation_cost[-1:],
            "layers": np.array(json.dumps(_files().description.structure(run.network))),
            **_state_of(run.optimizer),
            **_draws_of(run.network),
        }
        text = _text_of(run, arrays)
        path = _at_epoch(self.path, run.epoch)
        os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
        with replacing(path) as file:
            more = {_files().TEXT: np.array(text)} if text else {}
            _files().npz.write(file, {**arrays, **more})

    @staticmethod
    def load(path: str | os.PathLike[str]) -> dict[str, Any]:
        """What a file of this callback holds.

        Returns
        -------
        dict
            ``parameters`` (array), ``epoch`` (int), ``cost`` (float; of the last epoch's batches,
            each before its step, and with ``best_only`` as told there), ``validation_cost`` (float,
            or None without validation data), ``optimizer`` (for `Optimizer.load_state_dict`; None
            if there was none), ``layers`` (a list of mappings: inputs, outputs, activation) and
            ``draws`` (what ``network.draws`` was). The last three are None of files of older
            versions.

        Raises
        ------
        OSError
            If the file cannot be read.
        ValueError
            If it is no such file.

        """
        try:
            archive = _files().npz.read(os.fspath(path))
            missing = {"parameters", "epoch", "cost", "validation_cost"} - set(archive)
            if missing:
                raise ValueError(f"it has no {sorted(missing)}")
            return _read(archive)
        except (TypeError, ValueError, IndexError, RecursionError) as error:
            raise ValueError(f"{os.fspath(path)!r} is not a checkpoint: {error}") from error

    @classmethod
    def restore(
        cls,
        path: str | os.PathLike[str],
        network: Stack,
        optimizer: Optimizer | None = None,
    ) -> dict[str, Any]:
        """Give a network the parameters of a file and its `draws`, and an optimizer its state.

        Parameters
        ----------
        path : str or path
        network : NeuralNetwork
            Of the same layers; its dtype may be another.
        optimizer : Optimizer, optional
            Of the same rule. Default: that of the network's last `fit`, if there was one with an
            optimizer. Else the state is left alone: then give it to the optimizer by
            ``optimizer.load_state_dict(found["optimizer"])``. A training by a learning rate alone
            goes on with ``get_opt("SGD", eta=…)``.

        Returns
        -------
        dict
            All that the file holds; see `load`.

        Raises
        ------
        OSError, ValueError
            As `load` does, and ValueError if the file is of other layers, or of an optimizer of
            another rule, or of none though one was given. Network and optimizer are then as before.

        """
        saved, name = cls.load(path), os.fspath(path)
        shape, expected = saved["parameters"].shape, network.parameters.shape
        theirs, own = saved["layers"], _files().description.structure(network)
        if theirs is not None and theirs != own:
            raise ValueError(
                f"{name!r} is of a network {_as_text(theirs)}, but this one is {_as_text(own)}"
            )
        if shape != expected:
            raise ValueError(f"parameters in {name!r} have shape {shape}, expected {expected}")
        state = saved["optimizer"]
        if state is None and optimizer is not None:
            raise ValueError(f"{name!r} holds no state of an optimizer")
        optimizer = network.optimizer if optimizer is None else optimizer
        if state is not None and optimizer is not None:
            dtype = {"dtype": network.parameters.dtype.name} if "dtype" in state else {}
            optimizer.load_state_dict({**state, **dtype})
        network.parameters[...] = saved["parameters"]
        network.draws = saved["draws"]
        return saved

    def __repr__(self) -> str:
        return shown(self, "path", "every", "best_only", "monitor")


def _files() -> Any:
    """Imported when first needed: most programs begin without."""
    return imported("..files.archive", __package__)


def _read(archive: dict[str, Array]) -> dict[str, Any]:
    """What the arrays of a file say; those of older versions have neither layers nor a text."""
    files = _files()
    if files.TEXT in archive:  # where they are damaged, this says so
        arrays = {key: array for key, array in archive.items() if key != files.TEXT}
        files.document.read(str(archive[files.TEXT]), arrays)
    state = {
        key.removeprefix(_OF_STATE): array
        for key, array in archive.items()
        if key.startswith(_OF_STATE)
    }
    return {
        "parameters": archive["parameters"],
        "epoch": int(archive["epoch"]),
        "cost": last(archive["cost"]),
        "validation_cost": last(archive["validation_cost"]),
        "optimizer": state or None,
        "layers": _layers(str(archive["layers"])) if "layers" in archive else None,
        "draws": Draws(*archive["draws"].tolist()) if "draws" in archive else None,
    }


def _layers(text: str) -> list[dict[str, Any]]:
    """What `structure` told."""
    found = json.loads(text)
    if not isinstance(found, list):
        raise ValueError(f"layers are {text[:60]!r}, expected a list")
    return [
        {name: _files().document.entry(layer, name, kind) for name, kind in _OF_LAYER.items()}
        for layer in found
    ]


def _text_of(run: Run, arrays: dict[str, Array]) -> str | None:
    """What `fastnn.load` makes the network of; None if something of it is the caller's own.

    Without the optimizer where only that has something of the caller's own.
    """
    draws = getattr(run.network, "draws", None)
    for optimizer in (run.optimizer, None):
        try:
            text: str = _files().contents(run.network, optimizer, draws, arrays)[0]
            return text
        except TypeError:
            continue
    return None


def _as_text(layers: list[dict[str, Any]]) -> str:
    """Such a list as text: 9-4-1 (tanh, identity)."""
    widths = [layers[0]["inputs"], *(layer["outputs"] for layer in layers)]
    names = [
        f"{layer['activation']}{layer['numbers'] if layer['numbers'] else ''}" for layer in layers
    ]
    return f"{'-'.join(map(str, widths))} ({', '.join(names)})"


def _state_of(optimizer: Any) -> dict[str, Any]:
    """The state of an optimizer as arrays of an archive; L-BFGS has none."""
    if not hasattr(optimizer, "state_dict"):
        return {}
    return {_OF_STATE + key: np.asarray(value) for key, value in optimizer.state_dict().items()}


def _draws_of(network: Stack) -> dict[str, Any]:
    """Where its random numbers stand, if the training draws any."""
    draws = getattr(network, "draws", None)
    return {} if draws is None else {"draws": np.array(astuple(draws), np.int64)}


def _path(value: Any) -> str:
    path = checked_path(value)
    try:
        _at_epoch(path, 0)
    except ValueError as error:
        raise ValueError(f"path is {path!r}, which has no number format: {error}") from error
    return path


def _at_epoch(path: str, epoch: int) -> str:
    """The path with the epoch in it; other braces are left alone."""
    return _EPOCH_FIELD.sub(lambda field: format(epoch, field[1] or ""), path)
