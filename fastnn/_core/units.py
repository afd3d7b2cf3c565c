"""Numbers with units, for messages."""

from __future__ import annotations

__all__ = ["duration"]

_UNITS = ((1.0, "s"), (1e-3, "ms"), (1e-6, "µs"), (1e-9, "ns"))


def duration(seconds: float) -> str:
    """A time in a unit that suits it, in three digits.

    >>> duration(1.234e-5), duration(0.75), duration(4321)
    ('12.3 µs', '750 ms', '4321 s')
    """
    # 0.9995: what three digits would round up to 1000 belongs to the next unit.
    unit, name = next((row for row in _UNITS if seconds >= 0.9995 * row[0]), _UNITS[-1])
    value = seconds / unit
    return f"{value:.0f} {name}" if value >= 999.5 else f"{value:.3g} {name}"
