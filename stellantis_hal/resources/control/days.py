"""Days of the week, as programs and triggers name them."""

from __future__ import annotations

from collections.abc import Iterable

from stellantis_hal.resources.blocks.energy import Day

__all__ = ["parse_days"]

_WEEK = tuple(Day)


def parse_days(days: Iterable[str] | str) -> tuple[Day, ...]:
    """Return days of the week in their order, of ``"Mon-Fri"``, ``"Sat,Sun"``, ``"Fri-Mon"`` or a list of names.

    Raises:
        ValueError: a name is not that of a day, or there is none.
    """
    texts = days.split(",") if isinstance(days, str) else list(days)
    found: set[Day] = set()
    for text in texts:
        first, dash, last = str(text).partition("-")
        start = _index(first)
        end = _index(last) if dash else start
        found.update(_WEEK[(start + step) % 7] for step in range((end - start) % 7 + 1))
    if not found:
        raise ValueError("days must name at least one day of the week, as 'Mon-Fri' does")
    return tuple(day for day in _WEEK if day in found)


def _index(name: str) -> int:
    key = name.strip().capitalize()
    if key not in _WEEK:
        raise ValueError(f"{name[:40]!r} is not a day of the week: they are {', '.join(_WEEK)}, as in 'Mon-Fri'")
    return _WEEK.index(Day(key))
