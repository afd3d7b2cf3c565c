"""An optimizer's settings as attributes, which may be changed at any time."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Self

from .._core.arrays import number
from ..kernels.optimizers import layout
from ..schedules import Constant, Schedule, as_schedule
from . import settings
from .spec import Rule
from .state import Stateful

__all__ = ["Configured"]


def _setting(name: str, doc: str) -> Any:
    """An attribute that is checked wherever it is set."""
    return property(
        lambda opt: opt._settings[name], lambda opt, value: opt.set(name, value), doc=doc
    )


class Configured(Stateful):
    """A rule with its state and its settings."""

    __slots__ = ("_learning_rate", "_needs_python", "_schedule", "_settings")

    weight_decay = _setting(
        "weight_decay", "What every step shrinks parameters by, times the rate."
    )
    clip_norm = _setting("clip_norm", "Largest norm of a gradient, or None.")
    clip_value = _setting("clip_value", "Largest size of a gradient's numbers, or None.")
    on_nonfinite = _setting("on_nonfinite", "What becomes of steps that are not finite.")

    def __init__(self, rule: Rule, given: dict[str, Any]) -> None:
        super().__init__(rule)
        self.learning_rate = given.pop(rule.rate)
        self._settings = settings.checked(rule, given)

    def renewed(self) -> Self:
        """Another one with these settings, which has taken no step; of rules without noise."""
        new = object.__new__(type(self))
        Stateful.__init__(new, self.rule)
        new._learning_rate, new._schedule = self._learning_rate, self._schedule
        new._settings, new._needs_python = dict(self._settings), self._needs_python
        own = slice(0, self.rule.memory_place)
        new._hyperparameters[own] = self._hyperparameters[own]
        return new

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

    @property
    def needs_more(self) -> bool:
        """Whether an update needs more than its gradients, or Python."""
        return bool(self.weight_decay or self._needs_python)

    def _rate(self, step: int) -> float:
        schedule = self._schedule
        return schedule.rate if type(schedule) is Constant else float(schedule(step))

    def _call_annealing(self, step: int) -> None:
        """Call what is the caller's own, the annealing of Santa."""
        for index, (name, value) in enumerate(self.hyper.items()):
            if callable(value):
                result = number(f"{name}({step})", value(step, self._settings["anne_rate"]))
                if result <= 0.0:
                    raise ValueError(f"{name}({step}) must be above 0, but is {result!r}")
                self._hyperparameters[layout.OWN + index] = result
