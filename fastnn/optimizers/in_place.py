"""Steps in place: on arrays of the caller's, and on the vectors of a network."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from .._core.arrays import Array, number
from .._core.threads import get_num_threads
from ..kernels.codegen import headers
from ..kernels.optimizers import apply, layout
from .configured import Configured
from .step import PreparedStep, checked_arrays, not_finite, run_together, same_arrays

__all__ = ["PARALLEL", "InPlace"]

# From this number of parameters on, a step is shared by several threads.
PARALLEL = 2**19
_MOST_THREADS = 64


class InPlace(Configured):
    """A rule with its state and its settings, which takes steps."""

    __slots__ = ()

    def step(
        self,
        params: Array | Sequence[Array],
        grads: npt.ArrayLike | Sequence[npt.ArrayLike],
        *,
        f: float | None = None,
    ) -> bool:
        """One step, in place, in one pass over memory.

        Parameters
        ----------
        params : array, or list of arrays
            C-contiguous, writable, all float32 or all float64, of any shapes; they must not
            overlap.
        grads : array, or list of as many arrays
            Of the shapes of `params`.
        f : float, optional
            The loss that the gradients are of, for rules that use it (Eve, from its second step
            on).

        Returns
        -------
        bool
            Whether the step was taken; False only with ``on_nonfinite="skip"``.

        Raises
        ------
        TypeError, ValueError
            For arrays that do not fit, and where a parameter would become infinite or NaN; nothing
            has changed then.

        """
        prepared = self._prepared
        if prepared is None or not same_arrays(prepared, params, grads):
            prepared = self._prepare(params, grads)
        before = self.steps
        rate = self._rate(before)
        code = self._run(prepared, rate, before + 1, f)
        if code == apply.CHANGED:  # the same objects, which were given another shape or the like
            prepared = self._prepare(params, grads)
            code = self._run(prepared, rate, before + 1, f)
        if code != apply.TAKEN:
            if self.on_nonfinite == "skip":
                return False
            raise self._refusal(before + 1, prepared.grads, "grads")
        return True

    def _prepare(self, params: Any, grads: Any) -> PreparedStep:
        """Check arrays; what a step needs of them is kept for the next with the same ones."""
        targets, converted, are_own = checked_arrays(params, grads)
        size, dtype = sum(p.size for p in targets), targets[0].dtype
        state = self._state_of(size, dtype, tuple(p.shape for p in targets))
        threads = max(1, min(_MOST_THREADS, size // (PARALLEL // 2)))
        known = headers.table([*targets, *converted])
        prepared = PreparedStep.of(
            targets, converted, state, self.rule.address(dtype), threads, known
        )
        # what had to be copied is another array at the next step
        self._prepared = prepared if are_own else None
        return prepared

    def take(
        self,
        p: Array,
        g: Array,
        rate: float,
        f: float | None = None,
        spans: Sequence[tuple[int, int]] | None = None,
    ) -> bool:
        """One step on contiguous vectors; False, and nothing changed, where it is not finite.

        spans: first and last + 1 of the parameters that are trained; default: all.
        """
        if g.shape != p.shape or g.dtype != p.dtype:
            raise ValueError(
                f"the gradient is {g.dtype} of shape {g.shape}, expected {p.dtype} of {p.shape}, "
                "as the parameters"
            )
        prepared = PreparedStep.of([p], [g], self.state_for(p), self.rule.address(p.dtype))
        if spans is not None:
            each, begin = p.itemsize, (p.ctypes.data, g.ctypes.data)
            parts = [(*(a + each * i for a in begin), end - i, i) for i, end in spans]
            parts.append((*begin, 0, p.size))  # the last one tells the size of a state
            prepared = prepared._replace(places=np.array(parts, np.int64))
        return bool(self._run(prepared, rate, self.steps + 1, f) == apply.TAKEN)

    def _run(self, prepared: PreparedStep, rate: float, step: int, f: float | None) -> int:
        """Run the kernel; its code, `apply.TAKEN` if the step was taken."""
        rule, hyperparameters = self.rule, self._hyperparameters
        if rule.needs_loss:
            if f is None and step > 1:
                raise TypeError(f"{rule.name} needs f, the loss, from its second step on")
            hyperparameters[layout.LOSS] = np.nan if f is None else number("f", f)
        if self._needs_python:
            self._call_annealing(step)
        most = prepared.sums.shape[0]
        threads = 1 if most == 1 else min(most, get_num_threads())
        arguments = (
            prepared.target, prepared.places, prepared.headers, prepared.state, hyperparameters,
            prepared.sums, prepared.counter, rate, step,
        )  # fmt: skip
        if threads == 1:
            code: int = apply.take_step(*arguments, 0, 1, 0)
        else:
            code = run_together(prepared, arguments, threads)
        if code == apply.TAKEN:
            self.counter[0] = step
            if rule.memory:  # what this step left is remembered from now on, whatever comes next
                hyperparameters[-1] = 0.0
        return code

    def _refusal(self, step: int, grads: list[Array], *names: str) -> ValueError:
        """Why a step was refused."""
        if error := not_finite(grads, names):
            return error
        states = f" or a state ({', '.join(self.rule.states)})" if self.rule.states else ""
        return ValueError(
            f"step {step} of {self!r} would make a parameter{states} infinite or NaN, from finite "
            f"gradients up to {max(np.abs(g).max(initial=0.0) for g in grads):.3g}; nothing was "
            "changed"
        )
