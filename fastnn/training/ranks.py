"""What the ranks of a training tell one another: who they are, sums in rank order, and errors."""

from __future__ import annotations

import itertools
import sys
import threading
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from .._core.arrays import Array
from ..kernels.codegen.compiler import clock

__all__ = ["Plan", "Ranks", "Sum"]

_here = threading.local()  # has the communicator of the training that this thread is in

_SMALL = 1 << 18  # bytes of all ranks up to which each gets the gradients of all, in one message

# What goes with a gradient, as float64.
_COST, _WEIGHT, _FAILED = range(3)


class _Trouble(NamedTuple):
    """What a rank that cannot go on tells the others."""

    text: str


class Ranks:
    """The ranks of a communicator, in one training.

    All of them make the same calls in the same order. A rank with an error makes the call that the
    others wait in, with the error instead of what they expect.

    Parameters
    ----------
    comm : mpi4py.MPI.Intracomm

    Attributes
    ----------
    rank, size : int
        Which one this is, and how many there are.
    steps_left : int
        Sums that the others expect before anything else.

    """

    def __init__(self, comm: Any) -> None:
        self.comm = _checked(comm)
        self.rank, self.size = comm.Get_rank(), comm.Get_size()
        self.steps_left, self.sum = 0, Sum(comm, 0, np.dtype(np.float64))
        self._agreed = self._over = self._inside = False

    @contextmanager
    def in_training(self) -> Iterator[None]:
        """Around all messages of a training.

        Raises
        ------
        RuntimeError
            In a callback of another one, whose ranks hear only what that has to say.

        """
        outer = getattr(_here, "comm", None)
        if outer is not None and _common(outer, self.comm) > 1:
            raise RuntimeError(
                "a callback of a training by ranks calls fit with comm, but runs on rank 0 alone: "
                "the other ranks would never answer; train without comm there"
            )
        _here.comm = self.comm
        try:
            yield
        finally:
            _here.comm = outer

    @property
    def leads(self) -> bool:
        """Whether this is rank 0, which alone has callbacks and validation data."""
        return bool(self.rank == 0)

    def exchange(self, value: Any) -> list[Any]:
        """What each rank has to say, of all of them, in their order."""
        self._inside = True
        found = self.comm.allgather(value)
        self._inside = False
        self._raise_of_others(found)
        return list(found)

    def agree(self) -> None:
        """End the part in which all exchange; from here on rank 0 tells what to do."""
        self.exchange(None)
        self._agreed = True

    def command(self, *what: Any) -> Any:
        """Tell the others what to do, by rank 0; hear it, by the others."""
        self._inside = True
        found = self.comm.bcast(what if self.leads else None)
        self._inside = False
        if isinstance(found[0], _Trouble):
            self._over = True
            raise RuntimeError(found[0].text)
        return found

    def share(self, *arrays: npt.NDArray[Any]) -> None:
        """Make these, which are contiguous, those of rank 0."""
        self._inside = True
        for array in arrays:
            if array.size:
                self.comm.Bcast(array.reshape(-1).view(np.uint8))
        self._inside = False

    def add_up(self, gradient: Array, cost: float, weight: float) -> tuple[float, float]:
        """Make a gradient that of all ranks, for the next step; returns their cost and weight."""
        self._inside = True
        cost, weight, failed = self.sum(gradient, (cost, weight, 0.0))
        self.steps_left -= 1
        self._inside = False
        if failed:
            self.exchange(None)
        return cost, weight

    def tell(self, error: BaseException) -> None:
        """End the other ranks by this error, unless they have it already."""
        if self._over or self.size == 1:
            return
        name = type(error).__name__
        trouble = _Trouble(f"rank {self.rank} has ended the training: {name}: {error}")
        if self._inside or (self._agreed and not (self.leads or self.steps_left)):
            # in the middle of a message, or nothing is expected of us: there is no other way
            traceback.print_exception(error)
            sys.stderr.flush()
            self.comm.Abort(1)
        self._over = True
        if self.steps_left:
            self.sum.fail()
            self.comm.allgather(trouble)
        elif self._agreed:
            self.comm.bcast((trouble,))
        else:
            self.comm.allgather(trouble)

    def finish(self) -> None:
        """Note that nothing is expected any more, or that all ranks have the same error."""
        self._over = True

    def _raise_of_others(self, found: list[Any]) -> None:
        for value in found:
            if isinstance(value, _Trouble):
                self._over = True
                raise RuntimeError(value.text)


class Sum:
    """Sums over all ranks, each number in rank order: the same bits on every rank, in every run.

    Nothing is added up inside of MPI, whose order may be another one for other sizes, releases or
    machines. Small gradients are sent to all; of large ones each rank adds up a block and sends
    that, so that 2 (P - 1) / P of the bytes go out of each of P ranks, as in the best reductions.

    Parameters
    ----------
    comm : mpi4py.MPI.Intracomm
    size : int
        Of the gradient.
    dtype : dtype

    Attributes
    ----------
    seconds : float
        Spent here so far, or since it was set to zero, waiting for other ranks included.

    """

    def __init__(self, comm: Any, size: int, dtype: np.dtype[Any]) -> None:
        self._comm, self._ranks, self.seconds = comm, comm.Get_size(), 0.0
        self._small = size * dtype.itemsize * self._ranks <= _SMALL
        sent = -(-size * dtype.itemsize // 8) * 8 if self._small else 0
        self._all = np.zeros((self._ranks, sent + 3 * 8), np.uint8)
        self._gradients = self._all[:, : size * dtype.itemsize if self._small else 0].view(dtype)
        self._mores, rank = self._all[:, sent:].view(float), comm.Get_rank()
        self._gradient, self._more = self._gradients[rank], self._mores[rank]
        self._in_place = sys.modules["mpi4py.MPI"].IN_PLACE
        if self._small:
            return
        cuts = [size * r // self._ranks for r in range(self._ranks + 1)]
        self._places = cuts[:-1]
        self._counts = [b - a for a, b in itertools.pairwise(cuts)]
        self._own = slice(cuts[rank], cuts[rank + 1])
        self._blocks = np.empty((self._ranks, self._counts[rank]), dtype)
        from mpi4py.util.dtlib import from_numpy_dtype

        self._kind = from_numpy_dtype(dtype)

    def __call__(self, gradient: Array, more: Sequence[float]) -> tuple[float, float, float]:
        """Make the gradient that of all ranks; returns the sums of what goes with it."""
        begin = clock()
        if self._ranks == 1:
            return more[0], more[1], more[2]
        self._more[:] = more
        if self._small:
            self._gradient[:] = gradient
        self._comm.Allgather(self._in_place, self._all)
        cost, weight, failed = _in_order(self._mores, np.empty(3)).tolist()
        if not failed:
            if self._small:
                _in_order(self._gradients, gradient)
            else:
                self._by_blocks(gradient)
        self.seconds += clock() - begin
        return cost, weight, failed

    def _by_blocks(self, gradient: Array) -> None:
        size, counts = self._blocks.shape[1], self._counts
        self._comm.Alltoallv(
            [gradient, counts, self._places, self._kind],
            [self._blocks, [size] * self._ranks, [size * r for r in range(self._ranks)],
             self._kind],
        )  # fmt: skip
        _in_order(self._blocks, gradient[self._own])
        self._comm.Allgatherv(self._in_place, [gradient, counts, self._places, self._kind])

    def fail(self) -> None:
        """Take part in a sum that the others wait in, and let them know that it is the last."""
        self._more[_FAILED] = 1.0
        self._comm.Allgather(self._in_place, self._all)


def _in_order(rows: Array, out: Array) -> Array:
    """Sum of the rows, from the first to the last; `out` may be the first one."""
    np.add(rows[0], rows[1], out=out)
    for row in rows[2:]:
        np.add(out, row, out=out)
    return out


class Plan:
    """Which samples of a step a rank has.

    A batch is that of all ranks. Where each has rows of its own, batch k of b samples has of those
    of rank r the rows from ``n_r k b // N`` to ``n_r (k + 1) b // N``, N being the rows of all.
    Where all have the same rows, batch k is the one of a training without ranks, and each takes a
    stretch of it.

    Parameters
    ----------
    rows : sequence of int
        Of each rank; of the same arrays everywhere N, 0, 0 …
    rank : int
    batch_size : int or None
        Samples of a step; None: all.
    shard : bool
        Whether all have the same rows.
    weight : float
        Of all samples together.

    Attributes
    ----------
    shard, weight
        As given.
    total, batch, steps : int
        Samples of all ranks; of a step; steps of an epoch.
    most : int
        Samples of this rank in a step, at most.

    """

    def __init__(
        self, rows: Sequence[int], rank: int, batch_size: int | None, shard: bool, weight: float
    ) -> None:
        self._rows, self._rank, self.shard = np.array(rows, np.int64), rank, shard
        self.weight = weight
        self.total = int(self._rows.sum())
        if not self.total:
            raise ValueError("X is empty on every rank, expected at least one row on one of them")
        self.batch = min(batch_size or self.total, self.total)
        if not shard and self.batch < min(len(rows), self.total):
            raise ValueError(
                f"batch_size={batch_size} of all ranks is less than the {len(rows)} ranks, which "
                "have rows of their own: expected at least as many, or shard=True"
            )
        self.steps = -(-self.total // self.batch)
        share, whole = (self.batch, len(rows)) if shard else (rows[rank] * self.batch, self.total)
        self.most = max(1, -(-share // whole))

    def stretch(self, rows: int) -> slice:
        """The part of this rank of all samples, of which its arrays have so many."""
        rank, ranks = (self._rank, self._rows.size) if self.shard else (0, 1)
        return slice(rows * rank // ranks, rows * (rank + 1) // ranks)

    def step(self, k: int) -> tuple[int, int, int, int]:
        """Of batch k: this rank's first sample, how many, their place in the batch, and all."""
        first, rank = k * self.batch, self._rank
        last = min(first + self.batch, self.total)
        if self.shard:
            size, ranks = last - first, self._rows.size
            begin, end = size * rank // ranks, size * (rank + 1) // ranks
            return first + begin, end - begin, begin, size
        begins = self._rows * first // self.total
        counts = self._rows * last // self.total - begins
        place = int(counts[:rank].sum())
        return int(begins[rank]), int(counts[rank]), place, int(counts.sum())


def _common(one: Any, other: Any) -> int:
    """How many processes two communicators have in common."""
    mine, theirs = one.Get_group(), other.Get_group()
    both = type(mine).Intersection(mine, theirs)
    size = both.Get_size()
    for group in (mine, theirs, both):
        group.Free()
    return int(size)


def _checked(comm: Any) -> Any:
    """A communicator of mpi4py, which whoever has one has imported."""
    mpi = sys.modules.get("mpi4py.MPI")
    if mpi is None or not isinstance(comm, mpi.Intracomm):
        raise TypeError(
            f"comm is {comm!r}, expected a communicator of mpi4py, such as MPI.COMM_WORLD"
        )
    if comm == mpi.COMM_NULL:
        raise ValueError("comm is MPI.COMM_NULL, expected a communicator that has this process")
    return comm
