"""An update rule with its numbers and its state: what `get_opt` returns."""

from __future__ import annotations

import copy
import itertools
import operator
import weakref
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Literal, NamedTuple, get_args

import numpy as np
import numpy.typing as npt

from .._core.arrays import Array, aligned, convert, count, float_dtype, number, positive
from .._core.foreign import shown
from .._core.names import nearest
from .._core.random import RNG, uniform_source
from .._core.threads import get_num_threads, together
from ..kernels.codegen import barrier, headers
from ..kernels.codegen.declare import address
from ..kernels.optimizers import apply, rules
from ..kernels.ufuncs.arguments import refuse_masked
from ..schedules import Constant, Schedule, as_schedule
from .spec import CHOICES, Rule

__all__ = ["NonFinite", "Optimizer"]

NonFinite = Literal["raise", "skip", "ignore"]

_SAFE_EPS = 1e-30
_LINE = 8  # numbers in a cache line
_NEVER_NEGATIVE = ("v", "vhat", "s", "step")  # states that roots are taken of, and sizes

_RENAMED = {"_numbers": "_hyperparameters"}  # attributes in pickles of version 0.1.0

_OWN = headers.table([])  # of arrays that nobody else has

# From this number of parameters on, a step is shared by several threads.
PARALLEL = 2**19
_MOST_THREADS = 64


class _Ready(NamedTuple):
    """Arrays that a step has seen before, and what compiled code wants of them."""

    params: list[Array]
    grads: list[Array]
    places: npt.NDArray[np.int64]
    headers: npt.NDArray[np.int64]
    state: Array  # a vector
    target: int
    sums: npt.NDArray[np.float64]
    counter: npt.NDArray[np.int64]


def _optional(name: str) -> Callable[[Any], float | None]:
    return lambda value: None if value is None else positive(name, value)


def _on_nonfinite(value: Any) -> NonFinite:
    for known in get_args(NonFinite):
        if known == value:
            return known  # type: ignore[no-any-return]
    known = ", ".join(map(repr, get_args(NonFinite)))
    raise ValueError(f"on_nonfinite must be one of {known}, not {value!r}")


# What every rule has, and how it is checked; a weight decay of None is the rule's own.
_COMMON: dict[str, Callable[[Any], Any]] = {
    "weight_decay": lambda value: None if value is None else number("weight_decay", value, least=0),
    "clip_norm": _optional("clip_norm"),
    "clip_value": _optional("clip_value"),
    "on_nonfinite": _on_nonfinite,
}


def _setting(name: str, doc: str) -> Any:
    """An attribute that is checked wherever it is set."""
    return property(
        lambda opt: opt._settings[name], lambda opt, value: opt.set(name, value), doc=doc
    )


class Optimizer:
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

    __slots__ = (
        "__weakref__",
        "_hyperparameters",
        "_learning_rate",
        "_needs_python",
        "_ready",
        "_schedule",
        "_seed",
        "_served",
        "_settings",
        "_shapes",
        "_state",
        "_users",
        "counter",
        "rule",
    )  # fmt: skip

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
        self.rule = rule
        if "learning_rate" in hyper and rule.rate in hyper and rule.rate != "learning_rate":
            raise TypeError(f"learning_rate and {rule.rate} are the same; give one of them")
        if "learning_rate" in hyper:
            hyper[rule.rate] = hyper.pop("learning_rate")
        unknown = sorted(set(hyper) - set(rule.defaults))
        if unknown:
            known = ", ".join([*rule.defaults, *_COMMON])
            near = nearest(unknown, [*rule.defaults, *_COMMON, "learning_rate"])
            raise TypeError(f"{rule.name} has no {', '.join(unknown)}; it has {known}{near}")
        if rng is not None and not rule.noisy:
            raise TypeError(f"{rule.name} has no rng: it draws no random numbers")
        given = {**rule.defaults, **hyper}
        self.learning_rate = given.pop(rule.rate)
        common = weight_decay, clip_norm, clip_value, on_nonfinite
        self._settings = self._checked({**given, **dict(zip(_COMMON, common, strict=True))})
        self._seed = int(uniform_source(rng).uniform() * 2**53) if rule.noisy else 0
        # Compiled code has the addresses of these.
        self.counter = np.zeros(1, np.int64)
        self._hyperparameters = np.zeros(rule.memory_place + 2 * len(rule.memory) + 1)
        self._state: Array = np.empty((0, 0))
        self._shapes: tuple[tuple[int, ...], ...] = ()
        self._ready: _Ready | None = None
        self._users: weakref.WeakSet[Any] = weakref.WeakSet()  # compiled models and trainings
        self._served: tuple[Callable[[], Any], ...] = ()  # layers, by weak references
        self._write()
        self._forget()

    def __getstate__(self) -> dict[str, Any]:
        """Copies and pickles keep neither the caller's arrays nor whom the optimizer serves."""
        dropped = ("__weakref__", "_served", "_users")
        names = [name for name in Optimizer.__slots__ if name not in dropped]
        return {**{name: getattr(self, name) for name in names}, "_ready": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """See `__getstate__`."""
        for name, value in state.items():
            setattr(self, _RENAMED.get(name, name), value)
        self._users, self._served = weakref.WeakSet(), ()

    def __copy__(self) -> Optimizer:
        """Its state is its own."""
        return copy.deepcopy(self)

    def _checked(self, settings: dict[str, Any]) -> dict[str, Any]:
        """All settings as they should be, or an error."""
        own = {name: value for name, value in settings.items() if name not in _COMMON}
        found = self.rule.checked(own)
        found |= {name: check(settings[name]) for name, check in _COMMON.items()}
        if found["weight_decay"] is None:
            found["weight_decay"] = self.rule.weight_decay
        if found.get("step_min", 0.0) > found.get("step_max", np.inf):
            raise ValueError(
                f"step_min must be at most step_max, {found['step_max']!r}, but is "
                f"{found['step_min']!r}"
            )
        return found

    def set(self, name: str, value: Any) -> None:
        """Change a setting; compiled models of this optimizer go on with it."""
        if name == self.rule.rate:
            self.learning_rate = value
        else:
            checked = self._checked({**self._settings, name: value})
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

    @property
    def steps(self) -> int:
        """Steps taken so far."""
        return int(self.counter[0])

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

    def reset(self) -> None:
        """Forget the state: the next step is the first, of models in compiled code too."""
        self.counter[0] = 0
        self._forget()
        self._leave()

    def _leave(self) -> None:
        """Serve anyone from now on, unless somebody is being served."""
        if not self._users:
            self._served = ()

    def _forget(self) -> None:
        """Put states and memory to what they begin as."""
        for values, initial in zip(self._state, self.rule.states.values(), strict=False):
            values[...] = initial(self, values.size) if callable(initial) else initial
        memory = list(self.rule.memory.values())
        self._hyperparameters[self.rule.memory_place :] = [*memory, *memory, 0.0]
        self._shapes, self._ready = (), None

    def serve(self, layers: Sequence[Any]) -> None:
        """Belong to these layers from now on.

        Raises
        ------
        ValueError
            If the optimizer has taken steps for other layers, or is at work for them.

        """
        served = self._served
        if len(served) == len(layers) and all(
            known() is layer for known, layer in zip(served, layers, strict=True)
        ):
            return
        if served and (self.steps or self._users):
            did = f"has taken {self.steps} step{'s' * (self.steps != 1)} for"
            raise ValueError(
                f"this {self.rule.name} {did if self.steps else 'is at work for'} the layers of "
                "another network, whose state it has: give each network a new one of get_opt (or a "
                "copy of this one, which keeps the state), or call its reset()"
            )
        self._served = tuple(map(_reference, layers))

    def state_for(self, theta: Array, shapes: tuple[tuple[int, ...], ...] = ()) -> Array:
        """The state that belongs to this vector of parameters, made if there is none yet.

        shapes: those of the arrays it is made of; default: the vector itself.

        Raises
        ------
        ValueError
            If the optimizer has been used with parameters of other shapes or another dtype.

        """
        return self._state_of(theta.size, theta.dtype, shapes or ((theta.size,),))

    def _state_of(
        self, size: int, dtype: np.dtype[Any], shapes: tuple[tuple[int, ...], ...]
    ) -> Array:
        names, shape = self.rule.states, (len(self.rule.states), size)
        if not names:  # there is nothing to remember
            return np.empty(shape, dtype)
        fits = self._state.shape == shape and self._state.dtype == dtype
        free = not self.steps and not self._users
        if free and not fits:
            self._state = aligned(shape[0] * shape[1], dtype).reshape(shape)
            self._forget()
        elif not fits or (self._shapes and not free and self._shapes != shapes):
            before = self._shapes or ((self._state.shape[1],),)
            used, reset = "has been used", ", or its reset()"
            if self._users:
                used, reset = "is at work", ""
            raise ValueError(
                f"this {self.rule.name} {used} with {self._state.shape[1]} parameters of "
                f"{self._state.dtype}{_listed(before)}, but there are {size} of {dtype}"
                f"{_listed(shapes)}: use another optimizer{reset}"
            )
        self._shapes = shapes
        return self._state

    def bind(self, user: Any) -> None:
        """Until it is released or gone, this runs with the state, which stays in its place."""
        self._users.add(user)

    @property
    def is_at_work(self) -> bool:
        """Whether a compiled model or a training runs with the state."""
        return bool(self._users)

    def release(self, user: Any) -> None:
        """See `bind`."""
        self._users.discard(user)

    def numbers(self) -> npt.NDArray[np.float64]:
        """What the kernel reads, see ``kernels/optimizers/rules.py``; always one array."""
        return self._hyperparameters

    def _write(self) -> None:
        """Put the settings where kernels read them."""
        n, rule, hyper = self._hyperparameters, self.rule, self.hyper
        n[rules.LIMIT] = np.inf if self.clip_value is None else self.clip_value
        n[rules.SCALE], n[rules.DECAY] = 1.0, self.weight_decay
        n[rules.CLIP] = self.clip_norm or 0.0
        # A tiny eps may be zero in float32, and a zero gradient then divides zero by zero.
        eps = min((v for k, v in hyper.items() if k in ("eps", "lambda_")), default=1.0)
        n[rules.LOOK] = rule.tries or eps < _SAFE_EPS
        n[rules.SKIP] = get_args(NonFinite).index(self.on_nonfinite)
        for place, (name, value) in enumerate(hyper.items(), int(rules.OWN)):
            known = CHOICES[name].index(value) if isinstance(value, str) else value
            n[place] = 0.0 if known is None or callable(known) else known
        if rule.noisy:
            n[rule.memory_place - 1] = self._seed
        self._needs_python = any(map(callable, hyper.values()))

    def remember(self, numbers: npt.NDArray[np.float64]) -> None:
        """Take over what a training's own numbers remember."""
        place = self.rule.memory_place
        self._hyperparameters[place:] = numbers[place : self._hyperparameters.size]

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
        ready = self._ready
        if ready is None or not _same(ready, params, grads):
            ready = self._prepare(params, grads)
        before = self.steps
        rate = self._rate(before)
        code = self._take(ready, rate, before + 1, f)
        if code == apply.CHANGED:  # the same objects, which were given another shape or the like
            ready = self._prepare(params, grads)
            code = self._take(ready, rate, before + 1, f)
        if code != apply.TAKEN:
            if self.on_nonfinite == "skip":
                return False
            raise self._refusal(before + 1, ready.grads, "grads")
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
        if more:
            places = self.rule.places_of_update
            if len(more) > len(places):
                raise TypeError(
                    f"update of {self.rule.name} takes grad_w, grad_b, {', '.join(places)} by "
                    f"place, not {2 + len(more)} arguments"
                )
            named: dict[str, Any] = {
                "t": t,
                "f": f,
                "w": w,
                "b": b,
                "dfw": dfw,
                "dfb": dfb,
                "nargs": nargs,
            }
            named = {name: value for name, value in named.items() if value is not None}
            return self.update(grad_w, grad_b, **dict(zip(places, more, strict=False)), **named)
        if t is not None:
            count("t", t, least=1)
        names, ahead = ("grad_w", "grad_b"), False
        if self.rule.ahead:
            calls = dfw is not None or dfb is not None
            nargs = 2 if nargs is None and calls else nargs
            if nargs is not None and (type(nargs) is not int or nargs not in (0, 1, 2)):
                raise ValueError(f"nargs must be 0, 1 or 2, not {nargs!r}")
            ahead = calls or nargs == 0
            if calls and nargs:
                grad_w, grad_b = self._looked_ahead(w, b, dfw, dfb, nargs)
        grads = _alike(names, (grad_w, grad_b))
        decayed = self._decayed(w, b, grads) if self.weight_decay else None
        flat = np.concatenate([g.reshape(-1) for g in grads])
        moves = np.zeros_like(flat)
        shapes = tuple(g.shape for g in grads)
        state = self._state_of(flat.size, flat.dtype, shapes)
        target = self.rule.address(flat.dtype, ahead)
        ready = _made([moves], [flat], state.reshape(-1), target, 1)
        step = self.steps + 1 if t is None else t
        rate = self._rate(step - 1)
        if self._take(ready, rate, step, f) != apply.TAKEN:
            if self.on_nonfinite == "raise":
                raise self._refusal(step, grads, *names)
            moves[...] = 0
        elif decayed is not None:
            moves -= rate * self.weight_decay * decayed
        size = grads[0].size
        found = [m.reshape(s) for m, s in zip((moves[:size], moves[size:]), shapes, strict=True)]
        dw, db = (m.copy() if m.ndim else m.dtype.type(m) for m in found)
        return dw, db

    def _looked_ahead(self, w: Any, b: Any, dfw: Any, dfb: Any, nargs: int) -> list[Array]:
        """Gradients at the place that NAG looks ahead to."""
        needed = {"w": w, "dfw": dfw, **({"b": b, "dfb": dfb} if nargs == 2 else {})}
        missing = [name for name, value in needed.items() if value is None]
        if missing:
            raise TypeError(f"NAG with nargs={nargs} and callables needs {', '.join(missing)} too")
        here = _alike(("w", "b"), (w, 0.0 if b is None else b))
        size, shapes = sum(p.size for p in here), tuple(p.shape for p in here)
        velocity = self._state_of(size, here[0].dtype, shapes)[0]
        parts = velocity[: here[0].size], velocity[here[0].size :]
        mu = self._settings["mu"]
        there = [p + mu * v.reshape(p.shape) for p, v in zip(here, parts, strict=True)][:nargs]
        found = []
        for name, function, p in zip(("dfw", "dfb"), (dfw, dfb)[:nargs], here, strict=False):
            called = f"{name}({', '.join('wb'[:nargs])})"
            g = convert(called, function(*(place.copy() for place in there)), p.dtype)
            if g.shape != p.shape:
                raise ValueError(f"{called} has shape {g.shape}, expected {p.shape}")
            found.append(g)
        return found if nargs == 2 else [*found, np.zeros_like(here[1])]

    def _decayed(self, w: Any, b: Any, grads: list[Array]) -> Array:
        """The parameters that a weight decay shrinks, as a vector."""
        if w is None or b is None:
            raise TypeError("update with a weight_decay needs w and b")
        found = [convert("w", w, grads[0].dtype), convert("b", b, grads[0].dtype)]
        for name, given, g in zip(("w", "b"), found, grads, strict=True):
            if given.shape != g.shape:
                raise ValueError(f"{name} has shape {given.shape}, expected {g.shape}")
        return np.concatenate([p.reshape(-1) for p in found])

    def _rate(self, step: int) -> float:
        schedule = self._schedule
        return schedule.rate if type(schedule) is Constant else float(schedule(step))

    def _prepare(self, params: Any, grads: Any) -> _Ready:
        """Check arrays; what a step needs of them is kept for the next with the same ones."""
        single = isinstance(params, np.ndarray)
        for name, value in (("params", params), ("grads", grads)):
            if not (single or isinstance(value, (list, tuple))):
                expected = (
                    "an array or a list of arrays" if name == "params" else "a list, as params"
                )
                raise TypeError(f"{name} must be {expected}, not {shown(value)}")
        given = [params] if single else list(params)
        theirs = [grads] if single else list(grads)
        names = ["params" if single else f"params[{k}]" for k in range(len(given))]
        if len(theirs) != len(given):
            raise ValueError(f"grads has {len(theirs)} arrays, expected {len(given)}, as params")
        if not given:
            raise ValueError("params is empty, expected at least one array")
        for name, p in zip(names, given, strict=True):
            _check_parameters(name, p, getattr(given[0], "dtype", None))
        found = []
        for name, p, g in zip(names, given, theirs, strict=True):
            other = name.replace("params", "grads")
            array = convert(other, g, p.dtype)
            if array.shape != p.shape:
                raise ValueError(
                    f"{other} has shape {array.shape}, expected that of {name}, {p.shape}"
                )
            found.append(array)
        _check_apart(names, given, found)
        size, dtype = sum(p.size for p in given), given[0].dtype
        state = self._state_of(size, dtype, tuple(p.shape for p in given))
        most = max(1, min(_MOST_THREADS, size // (PARALLEL // 2)))
        target, known = self.rule.address(dtype), headers.table([*given, *found])
        ready = _made(given, found, state.reshape(-1), target, most, known)
        # what had to be copied is another array at the next step
        self._ready = ready if all(map(operator.is_, found, theirs)) else None
        return ready

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
        state = self.state_for(p).reshape(-1)
        ready = _made([p], [g], state, self.rule.address(p.dtype), 1)
        if spans is not None:
            each, begin = p.itemsize, (p.ctypes.data, g.ctypes.data)
            parts = [(*(a + each * i for a in begin), end - i, i) for i, end in spans]
            parts.append((*begin, 0, p.size))  # the last one tells the size of a state
            ready = ready._replace(places=np.array(parts, np.int64))
        return bool(self._take(ready, rate, self.steps + 1, f) == apply.TAKEN)

    def _take(self, ready: _Ready, rate: float, step: int, f: float | None) -> int:
        """Run the kernel; its code, `apply.TAKEN` if the step was taken."""
        rule, numbers = self.rule, self._hyperparameters
        if rule.needs_loss:
            if f is None and step > 1:
                raise TypeError(f"{rule.name} needs f, the loss, from its second step on")
            numbers[rules.LOSS] = np.nan if f is None else number("f", f)
        if self._needs_python:
            self._ask(step)
        most = ready.sums.shape[0]
        threads = 1 if most == 1 else min(most, get_num_threads())
        arguments = (
            ready.target, ready.places, ready.headers, ready.state, numbers, ready.sums,
            ready.counter, rate, step,
        )  # fmt: skip
        if threads == 1:
            code: int = apply.take_step(*arguments, 0, 1, 0)
        else:
            code = self._take_together(ready, arguments, threads)
        if code == apply.TAKEN:
            self.counter[0] = step
            if rule.memory:  # what this step left is remembered from now on, whatever comes next
                numbers[-1] = 0.0
        return code

    def _take_together(self, ready: _Ready, arguments: tuple[Any, ...], threads: int) -> int:
        """The same by several threads, or by one where others are at work."""
        if not headers.unchanged(ready.headers):  # a thread that found that would leave the others
            return int(apply.CHANGED)
        codes: list[int] = [apply.REFUSED] * threads
        ready.counter[...] = 0
        give_way = barrier.yield_address()

        def part(thread: int) -> None:
            codes[thread] = int(apply.take_step(*arguments, thread, threads, give_way))

        if together(threads, part):
            return codes[0]
        alone: int = apply.take_step(*arguments, 0, 1, 0)
        return alone

    def _ask(self, step: int) -> None:
        """Call what is the caller's own, the annealing of Santa."""
        for place, (name, value) in enumerate(self.hyper.items()):
            if callable(value):
                found = number(f"{name}({step})", value(step, self._settings["anne_rate"]))
                if found <= 0.0:
                    raise ValueError(f"{name}({step}) must be above 0, but is {found!r}")
                self._hyperparameters[rules.OWN + place] = found

    def noise(self, size: int, dtype: npt.DTypeLike = np.float64) -> Array:
        """The standard normal numbers that the next step draws for so many parameters."""
        out = np.empty(size, dtype)
        seed = np.array([float(self._seed)])
        apply.noise(address(rules.normals, out.dtype), out, seed, self.steps + 1)
        return out

    def _refusal(self, step: int, grads: list[Array], *names: str) -> ValueError:
        """Why a step was refused."""
        shown = (
            names if len(names) == len(grads) else [f"{names[0]}[{k}]" for k in range(len(grads))]
        )
        if len(grads) == 1:
            shown = names
        for name, g in zip(shown, grads, strict=True):
            bad = np.argwhere(~np.isfinite(g))
            if bad.size or (not g.ndim and len(bad)):
                place = tuple(int(k) for k in bad[0])
                where = f"[{', '.join(map(str, place))}]" if place else ""
                return ValueError(
                    f"{name}{where} is {g[place]}, expected a finite number; nothing was changed"
                )
        states = f" or a state ({', '.join(self.rule.states)})" if self.rule.states else ""
        return ValueError(
            f"step {step} of {self!r} would make a parameter{states} infinite or NaN, from finite "
            f"gradients up to {max(np.abs(g).max(initial=0.0) for g in grads):.3g}; nothing was "
            "changed"
        )

    def _remembered(self) -> list[float]:
        """The memory after the last step that was taken."""
        place, size = self.rule.memory_place, len(self.rule.memory)
        known, of_step = self._hyperparameters[place : place + 2 * size], self._hyperparameters[-1]
        refused = of_step == self.steps + 1
        return [float(x) for x in (known[:size] if refused else known[size:])]

    def state_dict(self) -> dict[str, Any]:
        """Everything that a training goes on from, as copies.

        Arrays may be written down as lists, for JSON: `load_state_dict` takes these too.
        """
        named = dict(zip(self.rule.states, self._state, strict=False))
        return {
            "name": self.rule.name,
            "steps": self.steps,
            **({"dtype": self._state.dtype.name} if named else {}),
            **{key: value.copy() for key, value in named.items()},
            **dict(zip(self.rule.memory, self._remembered(), strict=True)),
            **({"seed": self._seed} if self.rule.noisy else {}),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from what `state_dict` gave; of any network whose parameters are as many.

        Raises
        ------
        TypeError, ValueError
            If it is no such state, or that of another rule; and, for an optimizer at work in a
            compiled model or, by a callback, in a training, of another size or dtype. Nothing has
            changed then.

        """
        if not isinstance(state, Mapping):
            raise TypeError(f"state must be what state_dict() gave, not {state!r}")
        state = {  # NumPy's archives have arrays only
            key: value.item() if isinstance(value, np.ndarray) and not value.ndim else value
            for key, value in state.items()
        }
        if state.get("name") != self.rule.name:
            raise ValueError(f"state is that of {state.get('name')!r}, expected {self.rule.name!r}")
        rest = [*self.rule.memory, *(["seed"] if self.rule.noisy else [])]
        missing = [key for key in ("steps", *self.rule.states, *rest) if key not in state]
        if missing and (missing != list(self.rule.states) or state["steps"]):
            raise ValueError(f"state lacks {', '.join(missing)}")
        steps = count("steps", state["steps"], least=0)
        dtype = float_dtype(state["dtype"]) if "dtype" in state else None
        found = {key: convert(key, state[key], dtype) for key in self.rule.states if key in state}
        lengths = {values.shape for values in found.values()}
        if len(lengths) > 1 or any(len(shape) != 1 for shape in lengths):
            shapes = ", ".join(f"{key} has {values.shape}" for key, values in found.items())
            raise ValueError(f"states must be vectors of one length, but of the shapes {shapes}")
        for key, values in found.items():
            positive = key in _NEVER_NEGATIVE
            if not np.isfinite(values).all() or (positive and (values < 0).any()):
                raise ValueError(f"{key} must be finite{', and not negative' * positive}")
        memory = [
            first if first != first and state[key] != state[key] else number(key, state[key])
            for key, first in self.rule.memory.items()  # NaN: nothing is known so far
        ]
        seed = count("seed", state["seed"], least=0) if self.rule.noisy else 0
        stacked: Array = np.stack(list(found.values())) if found else np.empty((0, 0))
        fits = self._state.shape == stacked.shape and self._state.dtype == stacked.dtype
        if found and not fits and self._users:
            raise ValueError(
                f"this {self.rule.name} is at work with {self._state.shape[1]} parameters of "
                f"{self._state.dtype}, but the state is that of {stacked.shape[1]} of "
                f"{stacked.dtype}"
            )
        self._seed, self.counter[0] = seed, steps
        self._forget()  # which is all, for a state of before the first step
        self._leave()
        if fits:
            self._state[...] = stacked
        elif found:
            self._state = stacked
        self._hyperparameters[self.rule.memory_place :] = [*memory, *memory, 0.0]
        self._write()

    def __repr__(self) -> str:
        known = {self.rule.rate: self.learning_rate, **self._settings}
        numbers = {name: known[name] for name in self.rule.places}
        if self.weight_decay != self.rule.weight_decay or self.weight_decay:
            numbers["weight_decay"] = self.weight_decay
        for name in ("clip_norm", "clip_value"):
            if getattr(self, name) is not None:
                numbers[name] = getattr(self, name)
        if self.on_nonfinite != "raise":
            numbers["on_nonfinite"] = self.on_nonfinite
        inside = ", ".join(f"{key}={value!r}" for key, value in numbers.items())
        return f"{self.rule.name}({inside})"


def _reference(layer: Any) -> Callable[[], Any]:
    """A weak reference, if the layer can have one."""
    try:
        return weakref.ref(layer)
    except TypeError:  # a class of the caller's with __slots__
        return lambda: layer


def _alike(names: tuple[str, ...], values: tuple[Any, ...]) -> list[Array]:
    """Arrays of one dtype, where Python's own numbers have no say, as in NumPy."""
    found = [convert(name, value) for name, value in zip(names, values, strict=True)]
    own = (bool, int, float)
    said = [a.dtype for a, value in zip(found, values, strict=True) if type(value) not in own]
    dtype = np.result_type(*said) if said else np.dtype(np.float64)
    return [convert(name, a, dtype) for name, a in zip(names, found, strict=True)]


def _same(ready: _Ready, params: Any, grads: Any) -> bool:
    """Whether these are the arrays of the last step; compiled code looks at their headers."""
    if isinstance(params, np.ndarray):
        return params is ready.params[0] and grads is ready.grads[0]
    return (
        type(params) is list
        and type(grads) is list
        and len(params) == len(grads) == len(ready.params)
        and all(map(operator.is_, params, ready.params))
        and all(map(operator.is_, grads, ready.grads))
    )


def _made(
    params: list[Array],
    grads: list[Array],
    state: Array,
    target: int,
    threads: int,
    known: npt.NDArray[np.int64] = _OWN,
) -> _Ready:
    places = np.empty((len(params), 4), np.int64)
    first = 0
    for k, (p, g) in enumerate(zip(params, grads, strict=True)):
        places[k] = p.ctypes.data, g.ctypes.data, p.size, first
        first += p.size
    sums, counter = np.zeros((threads, _LINE)), np.zeros(_LINE, np.int64)
    return _Ready(params, grads, places, known, state, target, sums, counter)


def _check_parameters(name: str, p: Any, dtype: np.dtype[Any] | None) -> None:
    if not isinstance(p, np.ndarray) or p.dtype not in (np.float32, np.float64):
        kind = p.dtype if isinstance(p, np.ndarray) else type(p).__name__
        raise TypeError(f"{name} must be an array of float32 or float64, not {kind}")
    if p.dtype != dtype:
        raise TypeError(f"{name} is of {p.dtype}, expected that of params[0], {dtype}")
    refuse_masked(name, p)
    if not p.flags.writeable:
        raise ValueError(f"{name} is read-only, but it is changed in place")
    if not (p.flags.c_contiguous and p.flags.aligned and p.dtype.isnative):
        raise ValueError(f"{name} must be C-contiguous: it is changed in place")


def _check_apart(names: list[str], params: list[Array], grads: list[Array]) -> None:
    """Refuse arrays that overlap: a step would read what it wrote."""
    spans = sorted(
        (p.ctypes.data, p.ctypes.data + p.nbytes, name)
        for name, p in zip(names, params, strict=True)
        if p.size
    )
    for (_, end, name), (begin, _, other) in itertools.pairwise(spans):
        if begin < end:
            raise ValueError(f"{name} and {other} share memory")
    for name, p in zip(names, params, strict=True):
        for k, g in enumerate(grads):
            if np.may_share_memory(p, g):
                raise ValueError(
                    f"{name} and {'grads' if len(grads) == 1 else f'grads[{k}]'} share memory"
                )


def _listed(shapes: tuple[tuple[int, ...], ...]) -> str:
    """Shapes of several arrays, for messages."""
    return f" in arrays of {', '.join(map(str, shapes))}" if len(shapes) > 1 else ""
