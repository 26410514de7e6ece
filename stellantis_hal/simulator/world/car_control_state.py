"""What can be set on a car: doors, climate, lights, programs, privacy, theft."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import attrs

if TYPE_CHECKING:
    from stellantis_hal.simulator.world.entities import GeoPoint

__all__ = [
    "CHARGE_TYPES",
    "DOORS",
    "NO_CONTROLS",
    "PRIVACY_STATES",
    "CarControlState",
    "ChargeProgram",
    "ClimateProgram",
]

DOORS = ("Driver", "Passenger", "RearLeft", "RearRight", "Trunk")
PRIVACY_STATES = ("None", "Geolocation", "Full")
CHARGE_TYPES = ("Partial", "Full")


@attrs.frozen(kw_only=True)
class ClimateProgram:
    """A program of the air conditioning.

    Attributes:
        slot: its number, 1 to 4.
        start: the time of day.
        days: its days, ``Mon`` to ``Sun``; none: no day.
        recurrence: ``Daily`` or ``None``.
    """

    slot: int
    start: timedelta
    days: tuple[str, ...] = ()
    enabled: bool = True
    recurrence: str = "Daily"


@attrs.frozen(kw_only=True)
class ChargeProgram:
    """A program of the charge: times of day of its start and end, and its days; ``slot`` with fleet owners only."""

    start: timedelta
    end: timedelta | None = None
    days: tuple[str, ...] = ()
    enabled: bool = True
    slot: int | None = None


@attrs.frozen(kw_only=True)
class CarControlState:
    """Settings of a car. The default is a car that stands closed, with everything off.

    Attributes:
        open_doors: those of :data:`DOORS` that are open.
        lights_until: until when the lights are on.
        horn_until: until when the horn sounds.
        climate_since: when the air conditioning was started.
        climate_until: when it ends.
        climate_programs: by slot.
        charge_programs: in the order in which they were sent.
        charge_level: the charging power, ``Level1`` to ``Level5``.
        charge_type: ``Full``, or ``Partial``: the charge ends at 80 %.
        charge_at: the next delayed start of a charge.
        charge_until: when charges end, and whether this is enabled.
        privacy: one of :data:`PRIVACY_STATES`.
        destination: the positions sent to the navigation, the last is the destination.
        stolen_since: None: not reported as stolen.
        tracking: seconds between reports of a stolen car while it runs, and while it stands.
        battery: health of the 12 V battery in percent.
        reachable: whether the car has network.
    """

    open_doors: tuple[str, ...] = ()
    lights_until: datetime | None = None
    horn_until: datetime | None = None
    climate_since: datetime | None = None
    climate_until: datetime | None = None
    climate_programs: tuple[ClimateProgram, ...] = ()
    charge_programs: tuple[ChargeProgram, ...] = ()
    charge_level: str = "Level3"
    charge_type: str = "Full"
    charge_at: datetime | None = None
    charge_until: datetime | None = None
    ends_charges: bool = False
    privacy: str = "None"
    destination: tuple[GeoPoint, ...] = ()
    stolen_since: datetime | None = None
    tracking: tuple[float, float] | None = None
    immobilized: bool = False
    battery: float = 91.5
    reachable: bool = True


NO_CONTROLS = CarControlState()
