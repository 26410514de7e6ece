"""The habits of a vehicle's owner: when and where to it drives on a day, and when it is charged."""

from __future__ import annotations

import attrs

from stellantis_hal.simulator.world.seeded import draws

__all__ = ["Departure", "Habits", "day_plan", "habits_of"]

Departure = tuple[float, str]
"""Hours since 04:00 local time, and the place to drive to."""

_EARLIEST = 4.0  # a day's plan begins at 04:00


@attrs.frozen(kw_only=True)
class Habits:
    """Habits of an owner.

    Attributes:
        works: days of the week (Monday is 0) on which it drives to work.
        leaves: the hour at which it leaves for work.
        plugs_below: the level in percent below which it is plugged in at home.
        charges_at: the local hour at which charges at home begin, in the evening; None: on arrival.
        target: the level up to which it is charged, in percent.
        refuels_below: the level of the tank in percent below which it is filled.
    """

    works: frozenset[int]
    leaves: float
    plugs_below: float
    charges_at: float | None
    target: float
    refuels_below: float


def habits_of(*parts: object) -> Habits:
    """Return the habits of an owner, derived from the parts."""
    works, leaves, below, night, target, tank, *_ = draws("habits", *parts)
    days = 5 if works < 0.6 else 3 if works < 0.8 else 0
    return Habits(
        works=frozenset(range(days)),
        leaves=6.6 + 2.0 * leaves,
        plugs_below=round(38 + 22 * below, 1),
        charges_at=None if night < 0.55 else 22.5,
        target=80.0 if target < 0.6 else 100.0,
        refuels_below=round(12 + 14 * tank, 1),
    )


def day_plan(habits: Habits, weekday: int, *parts: object) -> tuple[Departure, ...]:
    """Return the departures of a day in order; consecutive places differ, and the last one is home."""
    chance = draws("plan", *parts)
    plan: list[Departure] = []
    if weekday in habits.works and chance[0] > 0.08:
        back = habits.leaves + 8.4 + 1.4 * chance[2]
        plan.append((habits.leaves + 0.5 * chance[1], "work"))
        if chance[3] < 0.08:
            plan += [(habits.leaves + 4.6, "shop"), (habits.leaves + 5.3, "work")]
        if chance[4] < 0.25:
            plan.append((back, "shop" if chance[5] < 0.5 else "market"))
            back += 1.0 + 0.4 * chance[6]
        plan.append((back, "home"))
        if chance[7] < 0.18:
            plan += [(19.2 + 0.7 * chance[8], "leisure"), (21.8 + 1.2 * chance[9], "home")]
    elif weekday == 6 and chance[0] < 0.28:
        plan += [(9.6 + 1.6 * chance[1], "relatives"), (16.5 + 2.5 * chance[2], "home")]
    else:
        if chance[3] < (0.8 if weekday == 5 else 0.45 if weekday < 5 else 0.12):
            plan += [(9.3 + 1.9 * chance[4], "market"), (12.0 + 0.7 * chance[5], "home")]
        if chance[6] < 0.5:
            leaves = 13.8 + 2.0 * chance[7]
            plan += [(leaves, "leisure"), (leaves + 1.8 + 3.0 * chance[8], "home")]
        if not plan and chance[9] < 0.4:
            plan += [(16.0 + 2.0 * chance[10], "shop"), (18.5 + chance[11], "home")]
    return tuple((hour - _EARLIEST, place) for hour, place in plan)
