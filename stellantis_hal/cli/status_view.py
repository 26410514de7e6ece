"""The status of a car, as lines of text for a terminal of any width."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, tzinfo
from typing import Final

import attrs

from stellantis_hal.cli.wording import UNKNOWN, age, amount, bar, clock, ending, remaining
from stellantis_hal.hal.redaction import one_line
from stellantis_hal.resources.alert import Alert
from stellantis_hal.resources.blocks.energy import Energy, EnergyType
from stellantis_hal.resources.maintenance import Maintenance
from stellantis_hal.resources.status import Status
from stellantis_hal.resources.vehicle import Vehicle

__all__ = ["CarState", "reported_at", "status_lines"]

_NARROW: Final = 60
_LABEL: Final = 10
_ENERGY_NAMES: Final[Mapping[EnergyType | None, str]] = {EnergyType.ELECTRIC: "Battery", EnergyType.FUEL: "Fuel"}


@attrs.frozen(kw_only=True)
class CarState:
    """What is shown of a car; each part but the vehicle may be missing.

    Attributes:
        vehicle: the car.
        status: its status; None: the API has no data of it.
        maintenance: its service plan; None: the API has none.
        alerts: those that are active.
    """

    vehicle: Vehicle
    status: Status | None
    maintenance: Maintenance | None = None
    alerts: tuple[Alert, ...] = ()


def reported_at(status: Status) -> datetime | None:
    """Return when the car reported last, as far as the status says."""
    dates = [status.updated_at, status.created_at]
    for part in (*status.energies, status.last_position, status.odometer, status.doors, status.kinetic):
        dates += [getattr(part, "updated_at", None), getattr(part, "created_at", None)]
    return max((date for date in dates if date is not None), default=None)


def status_lines(car: CarState, *, now: datetime, zone: tzinfo | None, width: int) -> list[str]:
    """Return the lines. Below 60 columns there is one value on each, above two.

    Args:
        car: what is shown.
        now: the current time, aware.
        zone: where times are shown; None: the zone of the machine.
        width: of the terminal, in columns.
    """
    status = car.status
    title = f"{one_line(car.vehicle.display_name)}  {ending(car.vehicle.vin)}".rstrip()
    if status is None:
        return [title, "the API has no data of this car yet"]
    reported = f"reported {age(reported_at(status), now)}"
    warnings = [f"! {_alert(alert, now, zone)}" for alert in car.alerts]
    if width < _NARROW:
        lines = [title]
        for energy in status.energies:
            lines.append(f"{bar(energy.level, 15)} {amount(energy.level):>4} %  {amount(energy.autonomy, 'km')}")
            lines += [text for text in (_charging(energy, now, zone),) if text]
        lines.append(" · ".join([_doors(status), amount(status.mileage, "km"), *_air(status)]))
        return [*lines, *warnings, reported]
    state = f"{_motion(status)}, {reported}"
    gap = max(2, width - len(title) - len(state))
    lines = [f"{title}{' ' * gap}{state}" if len(title) + len(state) + gap <= width else title]
    if len(lines[0]) == len(title):
        lines.append(state)
    size = max(10, min(30, width - 50))
    for energy in status.energies:
        name = _ENERGY_NAMES.get(energy.type, one_line(energy.type or "") or "Energy")[:_LABEL]
        parts = [f"{amount(energy.level):>4} %", f"{amount(energy.autonomy):>5} km"]
        lines.append(f"{name:<{_LABEL}} {bar(energy.level, size)} {'  '.join(parts)}   {_charging(energy, now, zone)}")
    lines += _pairs([("Doors", _doors(status)), ("Air", (_air(status) or [UNKNOWN])[0])])
    lines += _pairs([("Odometer", amount(status.mileage, "km")), ("Service", _service(car.maintenance))])
    position = status.last_position
    if position is not None and position.latitude is not None and position.longitude is not None:
        lines.append(f"{'Position':<{_LABEL}} {position.latitude:.4f}, {position.longitude:.4f}")
    else:
        lines.append(f"{'Position':<{_LABEL}} {UNKNOWN}")
    return [line.rstrip() for line in (*lines, *warnings)]


def _pairs(pairs: list[tuple[str, str]]) -> Iterator[str]:
    (left, first), (right, second) = pairs
    yield f"{left:<{_LABEL}} {first:<17} {right:<8} {second}"


def _motion(status: Status) -> str:
    if status.is_moving:
        return "moving"
    return "charging" if status.is_charging else "parked" if status.is_moving is False else "state unknown"


def _doors(status: Status) -> str:
    if status.doors is not None and status.doors.is_open:
        return "open"
    return UNKNOWN if status.is_locked is None else "locked" if status.is_locked else "unlocked"


def _air(status: Status) -> list[str]:
    air = None if status.environment is None else status.environment.air
    return [] if air is None or air.temperature is None else [f"{air.temperature:.0f} °C"]


def _charging(energy: Energy, now: datetime, zone: tzinfo | None) -> str:
    charging = energy.charging
    if charging is None:
        return ""
    if charging.in_progress:
        if charging.ends_at is not None:
            return f"charging, full {clock(charging.ends_at, now, zone)}"
        return f"charging, {remaining(charging.remaining_time)} left"
    return "plugged in" if charging.plugged else ""


def _service(maintenance: Maintenance | None) -> str:
    if maintenance is None or (maintenance.days is None and maintenance.mileage is None):
        return UNKNOWN
    parts = [f"{maintenance.days:,.0f} days"] if maintenance.days is not None else []
    parts += [amount(maintenance.mileage, "km")] if maintenance.mileage is not None else []
    return "due now" if maintenance.is_due else f"in {' or '.join(parts)}"


def _alert(alert: Alert, now: datetime, zone: tzinfo | None) -> str:
    name = one_line(str(alert.type or UNKNOWN))
    since = "" if alert.started_at is None else f" since {clock(alert.started_at, now, zone)}"
    return f"{name}{since}"
