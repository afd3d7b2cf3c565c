"""The table of update rules, which turn gradients into new parameters, and `get_opt`.

To add a rule: its two functions in ``kernels/optimizers.py``, its twin in
``fastnn/reference/optimizers.py``, and a row here. Engine, `get_opt` and tests take it from there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from ._arrays import Array, aligned, convert, count, number
from ._names import lookup
from .kernels import optimizers as kernels
from .kernels import rows
from .kernels.jit import address
from .schedules import Schedule, as_schedule

__all__ = ["RULES", "Optimizer", "Rule", "get_opt"]

_SAFE_EPS = 1e-30
_PLACEMENTS = {"inside": 0.0, "outside": 1.0}


@dataclass(frozen=True, eq=False)
class Rule:
    """One row of the table.

    Attributes
    ----------
    name : str
    formula : str
        The step, for people.
    update, constants : callable
        The kernel's two functions, see ``kernels/optimizers.py``.
    rate : str
        The article's name of the learning rate.
    defaults : mapping
        Names and defaults of the rule's own numbers, in the kernel's order, the learning rate
        first.
    states : tuple of str
        Names of the states, which begin as zeros.
    weight_decay : float
        Default of the decoupled weight decay.
    below_one : tuple of str
        Numbers that must be below one.
    reference : str
        Where it comes from.

    """

    name: str
    formula: str
    update: Callable[..., Any]
    constants: Callable[..., Any]
    rate: str
    defaults: Mapping[str, Any]
    states: tuple[str, ...] = ()
    weight_decay: float = 0.0
    below_one: tuple[str, ...] = field(default=())
    reference: str = ""

    def __reduce__(self) -> tuple[Any, ...]:
        """Copies and pickles are the row itself."""
        return find, (self.name,)

    def address(self, dtype: np.dtype[Any]) -> int:
        """Address of the row kernel that the engine runs."""
        kernel = kernels.updating(self.update, self.constants, len(self.states))
        return int(address(kernel, dtype))


_ADAM = {"alpha": 1e-3, "beta1": 0.9, "beta2": 0.999, "eps": 1e-8}
_KINGMA = "Kingma and Ba, Adam: a method for stochastic optimization, 2015, arXiv:1412.6980"
_ADAM_FORMULA = "p -= alpha m' / sqrt(v' + eps), m' and v' the corrected means of g and g²"

_ROWS = (
    Rule("SGD", "p -= eta g", kernels.sgd, kernels.sgd_constants, "eta", {"eta": 1e-2}),
    Rule(
        "Adam",
        _ADAM_FORMULA,
        kernels.adam,
        kernels.adam_constants,
        "alpha",
        {**_ADAM, "eps_placement": "inside"},
        ("m", "v"),
        below_one=("beta1", "beta2"),
        reference=_KINGMA,
    ),
    Rule(
        "AdamW",
        "p -= alpha weight_decay p, then Adam with eps outside the root",
        kernels.adam,
        kernels.adam_constants,
        "alpha",
        {**_ADAM, "eps_placement": "outside"},
        ("m", "v"),
        weight_decay=0.01,
        below_one=("beta1", "beta2"),
        reference="Loshchilov and Hutter, Decoupled weight decay, 2019, arXiv:1711.05101",
    ),
)

RULES: dict[str, Rule] = {row.name: row for row in _ROWS}
_ALIASES = {**RULES, "SDG": RULES["SGD"]}  # as the article spells it


def find(name: str) -> Rule:
    """The row of that name; upper and lower case and hyphens do not matter."""
    return lookup("optimizer", name, _ALIASES)


def get_opt(name: str, **hyper: Any) -> Optimizer:
    """An optimizer by its name.

    Parameters
    ----------
    name : str
        Of a row of ``fastnn.optimizers.RULES``: "SGD" (also "SDG"), "Adam", "AdamW".
    **hyper
        The rule's own numbers under the articles' names (``eta`` or ``alpha`` for the learning
        rate, also ``learning_rate``; ``beta1``, ``beta2``, ``eps``, ``eps_placement``), and for
        every rule those of `Optimizer`.

    Returns
    -------
    Optimizer

    Raises
    ------
    ValueError
        For an unknown name (the message names the nearest) or a number out of its range.
    TypeError
        For a number that the rule does not have.

    Examples
    --------
    >>> get_opt("Adam", alpha=0.01)
    Adam(alpha=0.01, beta1=0.9, beta2=0.999, eps=1e-08, eps_placement='inside')

    """
    return Optimizer(find(name), **hyper)


def resolve(given: Optimizer | str, last: Optimizer | None) -> Optimizer:
    """The optimizer that a caller means; the name of the last one goes on with its state."""
    if isinstance(given, str):
        found = get_opt(given)
        return last if last is not None and repr(last) == repr(found) else found
    if not isinstance(given, Optimizer):
        raise TypeError(f"optimizer must be a name or what fastnn.get_opt returns, not {given!r}")
    return given


class Optimizer:
    """A rule with its numbers and, once it has been used, its state.

    Made by `get_opt`. One optimizer belongs to one vector of parameters: a second training goes on
    from its state, `reset` forgets it.

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
    **hyper
        The rule's own numbers. The learning rate may be a number, a schedule of
        ``fastnn.schedules``, or any function of the step (0 for the first).

    Attributes
    ----------
    steps : int
        Steps taken so far, in compiled code of yours too.
    learning_rate : number or schedule
        May be changed at any time.

    Examples
    --------
    >>> opt = get_opt("SGD", eta=0.5)
    >>> p = np.array([1.0, 2.0])
    >>> opt.step(p, np.array([1.0, -1.0]))
    >>> p
    array([0.5, 2.5])

    """

    def __init__(
        self,
        rule: Rule,
        *,
        weight_decay: float | None = None,
        clip_norm: float | None = None,
        clip_value: float | None = None,
        **hyper: Any,
    ) -> None:
        self.rule = rule
        if "learning_rate" in hyper and rule.rate in hyper:
            raise TypeError(f"learning_rate and {rule.rate} are the same; give one of them")
        if "learning_rate" in hyper:
            hyper[rule.rate] = hyper.pop("learning_rate")
        unknown = sorted(set(hyper) - set(rule.defaults))
        if unknown:
            known = ", ".join([*rule.defaults, "weight_decay", "clip_norm", "clip_value"])
            raise TypeError(f"{rule.name} has no {', '.join(unknown)}; it has {known}")
        numbers = {**rule.defaults, **hyper}
        self.learning_rate = numbers.pop(rule.rate)
        self.hyper = {key: self._checked(key, value) for key, value in numbers.items()}
        decay = rule.weight_decay if weight_decay is None else weight_decay
        self.weight_decay = number("weight_decay", decay, least=0.0)
        self.clip_norm = None if clip_norm is None else _positive("clip_norm", clip_norm)
        self.clip_value = None if clip_value is None else _positive("clip_value", clip_value)
        # Compiled code has the addresses of both.
        self.counter = np.zeros(1, np.int64)
        self._state: Array = np.empty((0, 0))

    def _checked(self, name: str, value: Any) -> Any:
        if isinstance(self.rule.defaults[name], str):
            if value not in _PLACEMENTS:
                raise ValueError(f"{name} must be 'inside' or 'outside', not {value!r}")
            return value
        found = number(name, value, least=0.0)
        if name in self.rule.below_one and found >= 1.0:
            raise ValueError(f"{name} must be below 1, but is {found!r}")
        return found

    @property
    def learning_rate(self) -> Any:
        """A number or a schedule."""
        return self._learning_rate

    @learning_rate.setter
    def learning_rate(self, value: Any) -> None:
        self.schedule: Schedule = as_schedule(value, self.rule.rate)
        self._learning_rate = value

    @property
    def steps(self) -> int:
        """Steps taken so far."""
        return int(self.counter[0])

    def reset(self) -> None:
        """Forget the state: the next step is the first, of models in compiled code too."""
        self.counter[0] = 0
        self._state[...] = 0

    def state_for(self, theta: Array) -> Array:
        """The state that belongs to this vector of parameters, made if there is none yet.

        Raises
        ------
        ValueError
            If the optimizer has been used with a vector of another size or dtype.

        """
        shape = (len(self.rule.states), theta.size)
        if not shape[0]:  # there is nothing to remember
            return np.empty(shape, theta.dtype)
        if not self.steps and (self._state.shape != shape or self._state.dtype != theta.dtype):
            self._state = aligned(shape[0] * shape[1], theta.dtype).reshape(shape)
            self._state[...] = 0
        if self._state.shape != shape or self._state.dtype != theta.dtype:
            raise ValueError(
                f"this {self.rule.name} has been used with {self._state.shape[1]} parameters of "
                f"{self._state.dtype}, but there are {theta.size} of {theta.dtype}: use another "
                "optimizer, or its reset()"
            )
        return self._state

    def numbers(self) -> npt.NDArray[np.float64]:
        """What the kernel reads, see the places in ``kernels/optimizers.py``."""
        own = [_PLACEMENTS[v] if isinstance(v, str) else v for v in self.hyper.values()]
        limit = np.inf if self.clip_value is None else self.clip_value
        # A tiny eps may be zero in float32, and a zero gradient then divides zero by zero.
        look = float(self.hyper.get("eps", 1.0) < _SAFE_EPS)
        return np.array([0.0, 1.0, limit, self.weight_decay, self.clip_norm or 0.0, look, *own])

    def step(self, params: Array, grads: npt.ArrayLike) -> None:
        """One step on a vector of parameters, in place.

        Parameters
        ----------
        params : contiguous array of float32 or float64, writable
        grads : array of the same shape

        Raises
        ------
        ValueError
            If a parameter would become infinite or NaN; nothing has changed then.

        """
        if not isinstance(params, np.ndarray) or params.dtype not in (np.float32, np.float64):
            raise TypeError("params must be an array of float32 or float64")
        if not (params.flags.c_contiguous and params.flags.writeable and params.flags.aligned):
            raise ValueError("params must be contiguous and writable: it is changed in place")
        g = convert("grads", grads, params.dtype)
        if g.shape != params.shape:
            raise ValueError(f"grads have shape {g.shape}, expected that of params, {params.shape}")
        if not self.take(params.reshape(-1), g.reshape(-1), self.schedule(self.steps)):
            raise ValueError(
                f"{self!r} would make a parameter infinite or NaN in step {self.steps}, expected "
                "finite; nothing was changed"
            )

    def take(self, p: Array, g: Array, rate: float) -> bool:
        """One step on contiguous vectors; False, and nothing changed, where it is not finite."""
        state = self.state_for(p).reshape(-1)
        target = self.rule.address(p.dtype)
        taken = bool(rows.update(target, p, g, state, self.numbers(), rate, self.steps + 1))
        self.counter[0] += taken
        return taken

    @property
    def is_plain(self) -> bool:
        """Whether a step is the learning rate times the gradient, and nothing else."""
        extras = self.weight_decay, self.clip_norm, self.clip_value
        return self.rule is RULES["SGD"] and not any(extras)

    def state_dict(self) -> dict[str, Any]:
        """Everything that a training goes on from, as copies."""
        named = dict(zip(self.rule.states, self._state, strict=False))
        return {
            "name": self.rule.name,
            "steps": self.steps,
            **{key: value.copy() for key, value in named.items()},
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from what `state_dict` gave."""
        if not isinstance(state, Mapping):
            raise TypeError(f"state must be what state_dict() gave, not {state!r}")
        if state.get("name") != self.rule.name:
            raise ValueError(f"state is that of {state.get('name')!r}, expected {self.rule.name!r}")
        missing = [key for key in ("steps", *self.rule.states) if key not in state]
        if missing and (missing != list(self.rule.states) or state["steps"]):
            raise ValueError(f"state lacks {', '.join(missing)}")
        steps = count("steps", int(state["steps"]), least=0)
        found = [convert(key, state[key]) for key in self.rule.states if key in state]
        for key, values in zip(self.rule.states, found, strict=False):
            if values.ndim != 1 or values.shape != found[0].shape:
                raise ValueError(f"{key} has shape {values.shape}, expected {found[0].shape[:1]}")
            if not np.isfinite(values).all() or (key == "v" and (values < 0).any()):
                raise ValueError(f"{key} must be finite{', and not negative' * (key == 'v')}")
        stacked: Array = np.stack(found) if found else np.empty((0, 0))
        if self._state.shape == stacked.shape and self._state.dtype == stacked.dtype:
            self._state[...] = stacked
        else:
            self._state = stacked
        self.counter[0] = steps

    def __repr__(self) -> str:
        numbers = {self.rule.rate: self.learning_rate, **self.hyper}
        if self.weight_decay != self.rule.weight_decay or self.weight_decay:
            numbers["weight_decay"] = self.weight_decay
        for name in ("clip_norm", "clip_value"):
            if getattr(self, name) is not None:
                numbers[name] = getattr(self, name)
        inside = ", ".join(f"{key}={value!r}" for key, value in numbers.items())
        return f"{self.rule.name}({inside})"


def _positive(name: str, value: Any) -> float:
    found = number(name, value, least=0.0)
    if found == 0.0:
        raise ValueError(f"{name} must be above 0, but is {found!r}")
    return found
