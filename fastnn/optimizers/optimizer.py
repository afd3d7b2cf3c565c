"""An update rule with its numbers and its state: what `get_opt` returns."""

from __future__ import annotations

import copy
import weakref
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt

from .._core.arrays import Array, count, number
from .._core.prepared import never
from .._core.random import RNG, uniform_source
from .._core.threads import get_num_threads
from ..kernels.codegen import headers
from ..kernels.codegen.declare import address
from ..kernels.optimizers import apply, layout, santa
from ..schedules import Constant, Schedule, as_schedule
from . import article_update, settings
from .settings import NonFinite
from .spec import Rule
from .state import Stateful
from .step import PreparedStep, checked_arrays, not_finite, run_together, same_arrays

__all__ = ["NonFinite", "Optimizer"]

# Attributes in pickles of version 0.1.0, and what they are called now.
_RENAMED = {"_numbers": "_hyperparameters", "_ready": "_prepared"}

# From this number of parameters on, a step is shared by several threads.
PARALLEL = 2**19
_MOST_THREADS = 64


def _setting(name: str, doc: str) -> Any:
    """An attribute that is checked wherever it is set."""
    return property(
        lambda opt: opt._settings[name], lambda opt, value: opt.set(name, value), doc=doc
    )


class Optimizer(Stateful):
    """A rule with its numbers and, once it has been used, its state.

    Made by `get_opt`. One optimizer serves one set of parameters: a second training of the same
    network goes on from its state, and another network is refused, of the same size too. `reset`
    forgets state and network; a copy keeps the state, and goes on with the network that it serves
    next.

    Parameters
    ----------
    rule : Rule
    weight_decay : float
        Every step shrinks all parameters by the factor 1 - learning rate · weight_decay (decoupled
        from the gradient).
    clip_norm : float, optional
        A gradient whose Euclidean norm over all parameters is larger is scaled down to it.
    clip_value : float, optional
        Each gradient is then held within ± this.
    on_nonfinite : "raise", "skip" or "ignore"
        What a step does that would make a parameter infinite or NaN, as gradients with NaN or
        infinity do: it is an error, or it is left out, and either way nothing changes; or nobody
        looks, and it is taken. Looking costs one more reading of the gradient, which counts where
        that does not fit into the caches.
    rng : int or numpy Generator or RandomState, optional
        Of a rule that draws random numbers.
    **hyper
        The rule's own numbers. The learning rate may be a number, a schedule of
        ``fastnn.schedules``, or any function of the step (0 for the first).

    Attributes
    ----------
    steps : int
        Steps taken so far, in compiled code of yours too.
    learning_rate : number or schedule
    weight_decay, clip_norm, clip_value, on_nonfinite
        As above. These, the learning rate and the rule's own numbers (``opt.beta1`` …) may be
        changed at any time, with the checks that they have here.
    hyper : mapping
        The rule's own numbers.

    Notes
    -----
    A parameter that is infinite or NaN before a step is not looked for: it stays so, and the others
    go on. (`fit` refuses such parameters.)

    A network is known by its layers, whatever cost or memory they have; arrays given to `step` by
    their shapes alone, since programs often put new arrays in the place of old ones.

    During a training, callbacks may call `reset` and `load_state_dict`: the next epoch goes on from
    there. A state of another size or dtype is an error at once.

    Examples
    --------
    >>> from fastnn import get_opt
    >>> opt = get_opt("SGD", eta=0.5)
    >>> p = np.array([1.0, 2.0])
    >>> opt.step(p, np.array([1.0, -1.0]))
    True
    >>> p
    array([0.5, 2.5])
    >>> opt.eta = 0.25

    """

    __slots__ = ("_learning_rate", "_needs_python", "_schedule", "_settings")

    weight_decay = _setting(
        "weight_decay", "What every step shrinks parameters by, times the rate."
    )
    clip_norm = _setting("clip_norm", "Largest norm of a gradient, or None.")
    clip_value = _setting("clip_value", "Largest size of a gradient's numbers, or None.")
    on_nonfinite = _setting("on_nonfinite", "What becomes of steps that are not finite.")

    def __init__(
        self,
        rule: Rule,
        *,
        weight_decay: float | None = None,
        clip_norm: float | None = None,
        clip_value: float | None = None,
        on_nonfinite: NonFinite = "raise",
        rng: RNG = None,
        **hyper: Any,
    ) -> None:
        super().__init__(rule)
        given = {**rule.defaults, **settings.by_article_names(rule, hyper)}
        if rng is not None and not rule.noisy:
            raise TypeError(f"{rule.name} has no rng: it draws no random numbers")
        self.learning_rate = given.pop(rule.rate)
        common = weight_decay, clip_norm, clip_value, on_nonfinite
        given |= zip(settings.COMMON, common, strict=True)
        self._settings = settings.checked(rule, given)
        self._set_seed(int(uniform_source(rng).uniform() * 2**53) if rule.noisy else 0)
        self._write()

    def __getstate__(self) -> dict[str, Any]:
        """Copies and pickles keep neither the caller's arrays nor whom the optimizer serves."""
        dropped = ("__weakref__", "_move", "_served", "_users")
        slots = *Stateful.__slots__, *Optimizer.__slots__
        names = [name for name in slots if name not in dropped]
        return {**{name: getattr(self, name) for name in names}, "_prepared": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """See `__getstate__`."""
        for name, value in state.items():
            setattr(self, _RENAMED.get(name, name), value)
        self._users, self._served, self._move = weakref.WeakSet(), (), None

    def __copy__(self) -> Optimizer:
        """Its state is its own."""
        return copy.deepcopy(self)

    def set(self, name: str, value: Any) -> None:
        """Change a setting; compiled models of this optimizer go on with it."""
        if name == self.rule.rate:
            self.learning_rate = value
        else:
            checked = settings.checked(self.rule, {**self._settings, name: value})
            if callable(value) and self._users:
                raise TypeError(
                    f"{name} is a function of Python's, which compiled code cannot call"
                )
            self._settings = checked
            self._write()

    @property
    def hyper(self) -> Mapping[str, Any]:
        """The rule's own numbers, without the learning rate."""
        return MappingProxyType({name: self._settings[name] for name in self.rule.own})

    @property
    def learning_rate(self) -> Any:
        """A number or a schedule."""
        return self._learning_rate

    @learning_rate.setter
    def learning_rate(self, value: Any) -> None:
        self._schedule: Schedule = as_schedule(value, self.rule.rate)
        self._learning_rate = value

    @property
    def schedule(self) -> Schedule:
        """The learning rate of each step, 0 for the first."""
        return self._schedule

    def check_compiled(self) -> None:
        """Refuse trainings in compiled code where a step needs Python."""
        for name, value in self.hyper.items():
            if callable(value):
                raise TypeError(
                    f"{name} is a function of Python's, which compiled trainings cannot call: "
                    f"leave it out, or take the steps yourself with {self.rule.name}'s step()"
                )

    @property
    def is_plain(self) -> bool:
        """Whether a step is the learning rate times the gradient, and nothing else."""
        extras = self.weight_decay, self.clip_norm, self.clip_value, self.on_nonfinite != "raise"
        return self.rule.name == "SGD" and not any(extras)

    def _write(self) -> None:
        """Put the settings where kernels read them."""
        settings.write(self.rule, self._settings, self._hyperparameters)
        self._needs_python = any(map(callable, self.hyper.values()))
        self._move = None

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

    def update(
        self,
        grad_w: npt.ArrayLike,
        grad_b: npt.ArrayLike,
        *more: Any,
        t: int | None = None,
        f: float | None = None,
        w: npt.ArrayLike | None = None,
        b: npt.ArrayLike | None = None,
        dfw: Callable[..., Any] | None = None,
        dfb: Callable[..., Any] | None = None,
        nargs: int | None = None,
    ) -> tuple[Any, Any]:
        """What to add to weights and biases, as in the article.

        All rules take all of these, and look at what they need.

        Parameters
        ----------
        grad_w, grad_b : arrays of any shapes, or numbers
            Python's own numbers take the dtype of the other, as in NumPy.
        *more
            By place, as in the article: t and f, but of NAG w, b, dfw, dfb and nargs.
        t : int, optional
            Number of the step, from 1 on; default: one more than at the last.
        f : float, optional
            The loss, for Eve.
        w, b : arrays, optional
            The parameters, which NAG with callables and a weight decay need.
        dfw, dfb : callables, optional
            For NAG: gradients by w and b at ``(w, b)``; they get arrays of their own.
        nargs : 0, 1 or 2, optional
            For NAG: how many arguments `dfw` takes. With 1 it is called at ``w`` alone, and biases
            stay. With 0 nothing is called: `grad_w` and `grad_b` are the gradients at the place
            looked ahead to, ``w + mu dw``, and what is returned is the step of w itself, as with
            callables. Default: 2 with callables; without any, w and b are taken to stand where NAG
            looks ahead to.

        Returns
        -------
        dw, db : arrays of the gradients' shapes, or numbers
            New ones, which the caller may change.

        Raises
        ------
        TypeError, ValueError
            For arguments that do not fit, and gradients with NaN or infinity; the state has not
            changed then.

        Examples
        --------
        >>> from fastnn import get_opt
        >>> opt = get_opt("Adam")
        >>> dw, db = opt.update(np.array([1.0, -2.0]), 0.5)
        >>> print(dw.round(6), db.round(6))
        [-0.001  0.001] -0.001

        """
        if dfw is None and dfb is None and nargs is None:
            quick = self._quick_moves(grad_w, grad_b, more, t, f)
            if quick is not None:
                return quick
        if more:
            names = "t", "f", "w", "b", "dfw", "dfb", "nargs"
            values: tuple[Any, ...] = (t, f, w, b, dfw, dfb, nargs)
            both = zip(names, values, strict=True)
            named = {name: value for name, value in both if value is not None}
            return self.update(grad_w, grad_b, **article_update.by_name(self.rule, more), **named)
        if t is not None:
            count("t", t, least=1)
        ahead = False
        if self.rule.ahead:
            calls = dfw is not None or dfb is not None
            nargs = article_update.checked_nargs(nargs, calls)
            ahead = calls or nargs == 0
            if calls and nargs:
                grad_w, grad_b = self._grads_ahead(w, b, dfw, dfb, nargs)
        grads = article_update.of_one_dtype(("grad_w", "grad_b"), (grad_w, grad_b))
        decayed = article_update.decayed(w, b, grads) if self.weight_decay else None
        moves = self._moves(grads, self.steps + 1 if t is None else t, f, ahead, decayed)
        dw, db = (m.copy() if m.ndim else m.dtype.type(m) for m in moves)
        return dw, db

    def _quick_moves(
        self, grad_w: Any, grad_b: Any, more: tuple[Any, ...], t: Any, f: Any
    ) -> tuple[Any, Any] | None:
        """What `update` gives, by a call that is worked out once; None: the careful way."""
        if more:
            if len(more) > 1 or t is not None or self.rule.ahead:
                return None
            (t,) = more
        step = int(self.counter[0]) + 1 if t is None else t
        if type(step) is not int or step < 1:
            return None
        if self.rule.needs_loss:
            if type(f) is not float or f - f != 0.0:
                return None
            self._hyperparameters[layout.LOSS] = f
        move = self._move
        if move is None:
            move = self._move = article_update.prepared(self, grad_w, grad_b)
        moves = move(grad_w, grad_b, self._rate(step - 1), step)
        if moves is None and move is not never:
            self._move = None  # another one, perhaps, for the next gradients
        return moves  # type: ignore[no-any-return]

    @property
    def needs_more(self) -> bool:
        """Whether an update needs more than its gradients, or Python."""
        return bool(self.weight_decay or self._needs_python)

    def _grads_ahead(self, w: Any, b: Any, dfw: Any, dfb: Any, nargs: int) -> list[Array]:
        """Gradients at the place that NAG looks ahead to."""
        here = article_update.point(w, b, dfw, dfb, nargs)
        size, shapes = sum(p.size for p in here), tuple(p.shape for p in here)
        velocity = self._state_of(size, here[0].dtype, shapes)[0]
        functions = (dfw, dfb)[:nargs]
        return article_update.grads_ahead(here, velocity, self._settings["mu"], functions)

    def _moves(
        self, grads: list[Array], step: int, f: float | None, ahead: bool, decayed: Array | None
    ) -> list[Array]:
        """What to add to parameters of these gradients, in their shapes."""
        flat = np.concatenate([g.reshape(-1) for g in grads])
        moves = np.zeros_like(flat)
        shapes = tuple(g.shape for g in grads)
        state = self._state_of(flat.size, flat.dtype, shapes)
        prepared = PreparedStep.of([moves], [flat], state, self.rule.address(flat.dtype, ahead))
        rate = self._rate(step - 1)
        if self._run(prepared, rate, step, f) != apply.TAKEN:
            if self.on_nonfinite == "raise":
                raise self._refusal(step, grads, "grad_w", "grad_b")
            moves[...] = 0
        elif decayed is not None:
            moves -= rate * self.weight_decay * decayed
        size = grads[0].size
        parts = moves[:size], moves[size:]
        return [part.reshape(shape) for part, shape in zip(parts, shapes, strict=True)]

    def _rate(self, step: int) -> float:
        schedule = self._schedule
        return schedule.rate if type(schedule) is Constant else float(schedule(step))

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

    def _call_annealing(self, step: int) -> None:
        """Call what is the caller's own, the annealing of Santa."""
        for index, (name, value) in enumerate(self.hyper.items()):
            if callable(value):
                result = number(f"{name}({step})", value(step, self._settings["anne_rate"]))
                if result <= 0.0:
                    raise ValueError(f"{name}({step}) must be above 0, but is {result!r}")
                self._hyperparameters[layout.OWN + index] = result

    def noise(self, size: int, dtype: npt.DTypeLike = np.float64) -> Array:
        """The standard normal numbers that the next step draws for so many parameters."""
        out = np.empty(size, dtype)
        seed = np.array([float(self._seed)])
        apply.noise(
            address(santa.normals, out.dtype, layout.UPDATE_KERNEL), out, seed, self.steps + 1
        )
        return out

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

    def __repr__(self) -> str:
        known = {self.rule.rate: self.learning_rate, **self._settings}
        shown = {name: known[name] for name in self.rule.places}
        if self.weight_decay != self.rule.weight_decay or self.weight_decay:
            shown["weight_decay"] = self.weight_decay
        for name in ("clip_norm", "clip_value"):
            if getattr(self, name) is not None:
                shown[name] = getattr(self, name)
        if self.on_nonfinite != "raise":
            shown["on_nonfinite"] = self.on_nonfinite
        inside = ", ".join(f"{key}={value!r}" for key, value in shown.items())
        return f"{self.rule.name}({inside})"
