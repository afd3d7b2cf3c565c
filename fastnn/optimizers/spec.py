"""What the library knows of an update rule: an entry of the table in `optimizers`."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np

from .._core.arrays import number
from .._core.table import Spec
from ..kernels.codegen.declare import address
from ..kernels.optimizers import layout
from ..kernels.optimizers.update import update_kernel

__all__ = ["Rule"]

_BELOW_ONE = ("beta1", "beta2", "beta3", "mu", "nu", "rho", "sigma", "momentum")

CHOICES: dict[str, tuple[str, ...]] = {
    "eps_placement": ("inside", "outside", "uncorrected"),
    "variant": ("paper", "authors"),
}
"""Numbers of rules that have names, which kernels know by their places."""

_MEANINGS = {
    "mu": "Weight of the past in the velocity.",
    "nu": "Weight of the past in the mean of g².",
    "rho": "Weight of the past in the means.",
    "sigma": "Weight of the past in the mean of g².",
    "beta1": "Weight of the past in the mean of g.",
    "beta2": "Weight of the past in the mean of g².",
    "beta3": "Weight of the past in the mean of the loss's changes.",
    "momentum": "Part of the last step that is taken again; 0.9 in the paper, 0 in the article.",
    "eps": "Keeps the divisor from 0; also bounds the step where all gradients are tiny.",
    "eps_placement": (
        "'inside' the root, as in the article and as its formula here; 'outside' adds eps to the "
        "root of the corrected mean, sqrt(v') + eps, as in the papers; 'uncorrected' to that of "
        "the mean before it is corrected, sqrt(v) + eps, as Keras and scikit-learn."
    ),
    "variant": (
        "'paper' is the formula here; 'authors' that of the authors' package, with corrected means "
        "and without 1 / sqrt(t)."
    ),
    "eta": "The rate that both bounds close in on: that of gradient descent in the end.",
    "c": "Most that one change of the loss counts, and its inverse the least.",
    "fstar": "The least loss that is to be expected, below which none falls.",
    "lambda_": "Keeps the divisor from 0, as eps elsewhere.",
    "anne_func": (
        "The inverse temperature of step t as anne_func(t, anne_rate), which should grow without "
        "bound. A function of Python's is for `step` and `update` only."
    ),
    "anne_rate": "The power of t that the inverse temperature is, without anne_func.",
    "burnin": "Steps that explore, with noise, before the rule only descends.",
    "C": "The friction of the first step is C sqrt(eta).",
    "N": "Mini-batches that the samples are cut into.",
    "eta_minus": "What a step size is multiplied by where the sign of g changes.",
    "eta_plus": "What it is multiplied by while the sign stays.",
    "step_min": "Least step size.",
    "step_max": "Largest step size.",
}
"""What numbers mean where their rule does not say otherwise."""


@dataclass(frozen=True, eq=False)  # an entry is itself: hashable, compared by identity
class Rule(Spec):
    """One entry of the table.

    Attributes
    ----------
    name : str
    formula : str
        The step, in words; a dash marks what the step leaves behind.
    update, constants : callable
        The kernel's functions, see ``kernels/optimizers``.
    rate : str
        The article's name of the learning rate.
    defaults : mapping
        Names and defaults of the rule's numbers, in the kernel's order, the learning rate first.
        A str is one of `CHOICES`; None a function, which Python calls at every step.
    states : mapping
        Names of what is kept of each parameter, and what that begins as: a number, or a function of
        the optimizer and the number of parameters.
    advance : callable, optional
        The kernel's function for `memory`.
    memory : mapping
        What is kept of a step for all parameters together, and what that begins as.
    meanings : mapping
        What its numbers mean, where the name does not tell.
    limits : mapping
        What numbers must be; default: at least 0, and below 1 where the name is that of a mean.
    weight_decay : float
        Default of the decoupled weight decay.
    needs_loss : bool
        Whether a step must be told the loss, from the second on.
    noisy : bool
        Whether it draws random numbers.
    tries : bool
        Whether even a small gradient may end in infinity or NaN.
    ahead : callable, optional
        The kernel's function where gradients are those of the place that the step looks ahead to.
    peers : str
        Where PyTorch, Keras or optax differ.
    reference : str
        Where it comes from.
    latex : tuple of str
        The step as lines of LaTeX, an equation each, aligned at ``&``; see ``latex.py``.
    where : str
        What those leave open.
    aliases : tuple of str
        More names.

    """

    name: str
    formula: str
    update: Callable[..., Any]
    constants: Callable[..., Any]
    rate: str
    defaults: Mapping[str, Any]
    states: Mapping[str, Any] = field(default_factory=dict)
    advance: Callable[..., Any] | None = None
    memory: Mapping[str, float] = field(default_factory=dict)
    meanings: Mapping[str, str] = field(default_factory=dict)
    limits: Mapping[str, str] = field(default_factory=dict)
    weight_decay: float = 0.0
    needs_loss: bool = False
    noisy: bool = False
    tries: bool = False
    ahead: Callable[..., Any] | None = None
    peers: str = ""
    reference: str = ""
    latex: tuple[str, ...] = ()
    where: str = ""
    aliases: tuple[str, ...] = ()
    noun: ClassVar[str] = "numbers"

    @property
    def documentation(self) -> str:
        """A docstring: the step, its numbers, where others differ, where it comes from."""
        states = ", ".join(self.states) or "none"
        lines = [
            *textwrap.wrap(f"{self.formula}.", 99),
            "",
            f"p are the parameters, g is the gradient, t counts steps from 1. States: {states}.",
            "",
            *textwrap.wrap(f"Beside others: {self.peers}.", 99),
            "",
            "Parameters",
            "----------",
            *self._documented_numbers(),
            "**more",
            "    clip_norm, clip_value and on_nonfinite, see `Optimizer`.",
            "",
            "References",
            "----------",
            *textwrap.wrap(self.reference, 99),
            "",
        ]
        return "\n".join(lines)

    def _documented_numbers(self) -> list[str]:
        """Lines of a docstring: each number with its meaning."""
        lines = []
        for name in self.places:
            meaning = textwrap.wrap(self.meaning(name), 95)
            lines += [self._described(name), *(f"    {line}" for line in meaning)]
        lines += [
            f"weight_decay : float, default {self.weight_decay!r}, at least 0",
            "    Every step shrinks parameters by this times the learning rate, beside the rule.",
        ]
        if self.noisy:
            lines += [
                "rng : int or numpy Generator or RandomState, optional",
                "    Of the noise.",
            ]
        return lines

    def _described(self, name: str) -> str:
        """Name, type, default and range of a number."""
        default = self.defaults[name]
        if default is None:
            return f"{name} : callable, optional"
        if isinstance(default, str):
            return f"{name} : {' or '.join(map(repr, CHOICES[name]))}, default {default!r}"
        kind = "float, schedule or function of the step" if name == self.rate else "float"
        return f"{name} : {kind}, default {default!r}, {self.limit(name)}"

    def meaning(self, name: str) -> str:
        """What a number means, in words."""
        usual = "The learning rate." if name == self.rate else _MEANINGS.get(name, "")
        return self.meanings.get(name, usual)

    @property
    def places(self) -> list[str]:
        """Names of its numbers as the article orders them; one that it does not have is last."""
        return [*self.own, self.rate] if self.rate == "learning_rate" else list(self.defaults)

    @property
    def places_of_update(self) -> tuple[str, ...]:
        """What `update` takes by place, after the gradients, as in the article."""
        return ("w", "b", "dfw", "dfb", "nargs") if self.ahead else ("t", "f")

    @property
    def own(self) -> list[str]:
        """Names of its numbers, without the learning rate."""
        return [name for name in self.defaults if name != self.rate]

    @property
    def memory_place(self) -> int:
        """Where in the kernel's numbers the memory begins."""
        return int(layout.OWN) + len(self.own) + self.noisy

    @property
    def parameters(self) -> dict[str, Any]:
        """Names and defaults of its numbers, without the learning rate."""
        return {name: self.defaults[name] for name in self.own}

    def limit(self, name: str) -> str:
        """What a number must be, in words."""
        if not isinstance(self.defaults[name], (int, float)):
            return "any number"
        usual = "at least 0 and below 1" if name in _BELOW_ONE else "at least 0"
        return self.limits.get(name, usual)

    def converted(self, name: str, default: Any, value: Any) -> Any:
        """A number; where the default is a str, one of `CHOICES`; where it is None, a function."""
        if isinstance(default, str):
            if value not in CHOICES[name]:
                known = " or ".join(map(repr, CHOICES[name]))
                raise ValueError(f"{name} must be {known}, not {value!r}")
            return value
        if default is None:
            if value is not None and not callable(value):
                raise TypeError(f"{name} must be a function or None, not {value!r}")
            return value
        return number(name, value, least=0.0 if self.limit(name) != "any number" else -math.inf)

    def checked(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """All of its numbers but the learning rate, whole ones as ints where the default is one."""
        return {
            name: int(value)
            if isinstance(self.defaults[name], int) and value.is_integer()
            else value
            for name, value in super().checked(given).items()
        }

    def kernel(self, ahead: bool = False) -> Callable[..., Any]:
        """The tile kernel that the engine runs; ahead: for gradients where NAG looks ahead to."""
        update = self.ahead if ahead and self.ahead else self.update
        offset = self.memory_place if self.memory else 0
        function: Callable[..., Any] = update_kernel(
            update, self.constants, len(self.states), self.advance, len(self.memory), offset
        )
        return function

    def address(self, dtype: np.dtype[Any], ahead: bool = False) -> int:
        """Address of that kernel for data of a dtype."""
        return int(address(self.kernel(ahead), dtype, layout.UPDATE_KERNEL))
