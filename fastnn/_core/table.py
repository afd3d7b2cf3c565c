"""What all tables have in common: entries found by their names, limits of numbers, classes made."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from .names import lookup, nearest

__all__ = ["Spec", "Table", "make_class"]

_LIMITS: dict[str, Callable[[float, Mapping[str, Any]], bool]] = {
    "any number": lambda value, values: True,
    "at least 0": lambda value, values: value >= 0,
    "above 0": lambda value, values: value > 0,
    "at least 1": lambda value, values: value >= 1,
    "other than 0": lambda value, values: value != 0,
    "from 0 to 1": lambda value, values: 0 <= value <= 1,
    "between 0 and 1": lambda value, values: 0 < value < 1,
    "at least 0 and below 1": lambda value, values: 0 <= value < 1,
    "above min_val": lambda value, values: value > values["min_val"],
}
"""What numbers must be, in words: the same for all tables."""


class Spec:
    """An entry of a table: its name, and parameters with their limits.

    Subclasses are frozen dataclasses, compared by identity. Copies and pickles are the entry
    itself.
    """

    noun: ClassVar[str] = "parameters"
    table: ClassVar[Table[Any]]

    name: str
    aliases: tuple[str, ...] = ()
    limits: Mapping[str, str] = MappingProxyType({})

    if TYPE_CHECKING:

        @property
        def parameters(self) -> Mapping[str, Any]:
            """Names and defaults of the parameters; a field or a property of the subclass."""

    def __post_init__(self) -> None:
        for name, limit in self.limits.items():
            if limit not in _LIMITS:
                known = ", ".join(map(repr, _LIMITS))
                raise ValueError(
                    f"limits of {self.name!r}: {name} is {limit!r}, expected one of {known}"
                )

    def __reduce__(self) -> tuple[Any, ...]:
        return _entry, (type(self), self.name)

    @property
    def title(self) -> str:
        """What messages call it."""
        return self.name

    def limit(self, name: str) -> str:
        """What a parameter must be, in words."""
        return self.limits.get(name, "any number")

    def converted(self, name: str, default: Any, value: Any) -> Any:
        """A value of the type that the parameter has, or a TypeError or ValueError."""
        raise NotImplementedError

    def unknown(self, names: str, known: str) -> str:
        """What is said of parameters that the entry does not have."""
        return f"{names}: no parameter of {self.title}, which has {known}"

    def checked(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """All parameters: those given, and the defaults of the others.

        Raises
        ------
        TypeError
            For one that the entry does not have, or that is no number.
        ValueError
            For one out of its range.

        """
        known = self.parameters
        if unknown := [name for name in given if name not in known]:
            told = self.unknown(", ".join(unknown), ", ".join(known) or "none")
            raise TypeError(told + nearest(unknown, known))
        values = {
            name: self.converted(name, default, given.get(name, default))
            for name, default in known.items()
        }
        for name, value in values.items():
            limit = self.limit(name)
            if not _LIMITS[limit](value, values):
                raise ValueError(f"{name} must be {limit}, but is {value!r}")
        return values

    def placed(
        self, names: Sequence[str], args: Sequence[Any], given: Mapping[str, Any]
    ) -> dict[str, Any]:
        """Parameters given by place, in the order of names, and by name, all by name."""
        if len(args) > len(names):
            known = ", ".join(names) or "none"
            raise TypeError(
                f"{self.name} takes {len(names)} {self.noun} ({known}), not {len(args)}"
            )
        placed = dict(zip(names, args, strict=False))
        if twice := ", ".join(name for name in given if name in placed):
            raise TypeError(f"{twice}: given twice to {self.title}")
        return {**placed, **given}


S = TypeVar("S", bound=Spec)


class Table(dict[str, S]):
    """Entries by their names."""

    def __init__(self, kind: str, specs: Iterable[S]) -> None:
        super().__init__((spec.name, spec) for spec in specs)
        self.kind = kind
        for spec in self.values():
            type(spec).table = self
        self._named = {alias: spec for spec in self.values() for alias in spec.aliases} | self

    def find(self, name: str) -> S:
        """The entry of that name or alias; case, hyphens and underscores do not matter.

        Raises
        ------
        ValueError
            If there is none; the message names the nearest known names.

        """
        return lookup(self.kind, name, self._named)


def _entry(kind: type[Spec], name: str) -> Spec:
    """The entry that a pickle names."""
    spec: Spec = kind.table.find(name)
    return spec


def make_class(
    name: str, base: type[Any], package: str | None, doc: str, attributes: Mapping[str, Any]
) -> type[Any]:
    """The class of an entry, as if it was written in that package."""
    return type(name, (base,), {"__module__": package, "__doc__": doc, **attributes})
