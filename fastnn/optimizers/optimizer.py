"""An update rule with its numbers and its state: what `get_opt` returns."""

from __future__ import annotations

import copy
import weakref
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from .._core.arrays import Array, count
from .._core.prepared import never
from .._core.random import RNG, uniform_source
from ..kernels.codegen.declare import address
from ..kernels.optimizers import apply, layout, santa
from . import article_update, settings
from .configured import Configured
from .in_place import PARALLEL, InPlace
from .settings import NonFinite
from .spec import Rule
from .state import Stateful
from .step import PreparedStep

__all__ = ["PARALLEL", "NonFinite", "Optimizer"]

# Attributes in pickles of version 0.1.0, and what they are called now.
_RENAMED = {"_numbers": "_hyperparameters", "_ready": "_prepared"}


class Optimizer(InPlace):
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

    __slots__ = ()

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
        given = {**rule.defaults, **settings.by_article_names(rule, hyper)}
        if rng is not None and not rule.noisy:
            raise TypeError(f"{rule.name} has no rng: it draws no random numbers")
        common = weight_decay, clip_norm, clip_value, on_nonfinite
        given |= zip(settings.COMMON, common, strict=True)
        super().__init__(rule, given)
        self._set_seed(int(uniform_source(rng).uniform() * 2**53) if rule.noisy else 0)
        self._write()

    def __getstate__(self) -> dict[str, Any]:
        """Copies and pickles keep neither the caller's arrays nor whom the optimizer serves."""
        dropped = ("__weakref__", "_move", "_served", "_users")
        slots = *Stateful.__slots__, *Configured.__slots__
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
        return self._careful_moves(grad_w, grad_b, t, f, (w, b), (dfw, dfb), nargs)

    def _careful_moves(
        self,
        grad_w: Any,
        grad_b: Any,
        t: int | None,
        f: float | None,
        parameters: tuple[Any, Any],
        functions: tuple[Any, Any],
        nargs: int | None,
    ) -> tuple[Any, Any]:
        """What `update` gives, of arguments that are looked at."""
        ahead = False
        if self.rule.ahead:
            calls = any(function is not None for function in functions)
            nargs = article_update.checked_nargs(nargs, calls)
            ahead = calls or nargs == 0
            if calls and nargs:
                grad_w, grad_b = self._grads_ahead(*parameters, *functions, nargs)
        grads = article_update.of_one_dtype(("grad_w", "grad_b"), (grad_w, grad_b))
        decayed = article_update.decayed(*parameters, grads) if self.weight_decay else None
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

    def noise(self, size: int, dtype: npt.DTypeLike = np.float64) -> Array:
        """The standard normal numbers that the next step draws for so many parameters."""
        out = np.empty(size, dtype)
        seed = np.array([float(self._seed)])
        apply.noise(
            address(santa.normals, out.dtype, layout.UPDATE_KERNEL), out, seed, self.steps + 1
        )
        return out

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
