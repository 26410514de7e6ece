"""Generated alerts, alarms and collisions."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from stellantis_hal.simulator.world.entities import Alarm, Alert, Collision, Trip, Vehicle
from stellantis_hal.simulator.world.seeded import hex_digits, seeded_random

__all__ = ["alarms", "alerts", "collisions"]

_FUEL_LEVEL_LOW = ("FuelLevelLow", "Information")
_LOW = 15.0  # percent
_ALERTS = (
    ("AddWasherFluid", "Information"),
    ("LeftFrontTireUnderInflated", "Warning"),
    ("RightRearTirePuncture", "Critical"),
    ("EngineOilPressureFailure", "Critical"),
    ("RiskOfIce", "Information"),
    ("ReplaceBrakePads", "Warning"),
)
_ALARMS = ("TrunkDoorBreakIn", "VolumetricBreakIn", "VehicleLifting", "FrontLeftDoorBreakIn")


def alerts(seed: int, vehicle: Vehicle, trips: Iterable[Trip], now: datetime) -> list[Alert]:
    """Return one alert per trip."""
    found: list[Alert] = []
    for trip in trips:
        random = seeded_random(seed, "alert", vehicle.index, trip.index)
        is_low = any(energy.type == "Fuel" and energy.level < _LOW for energy in trip.after)
        type_, severity = _FUEL_LEVEL_LOW if is_low else random.choice(_ALERTS)
        ended = trip.stopped_at + timedelta(minutes=random.randrange(600))
        found.append(
            Alert(
                id=hex_digits(seed, "alert", vehicle.index, trip.index, size=10),
                vehicle=vehicle.id,
                type=type_,
                severity=severity,
                active=ended >= now,
                started_at=trip.started_at,
                ended_at=None if ended >= now else ended,
                spot=trip.start,
                trip=trip.id,
            )
        )
    return found


def alarms(seed: int, vehicle: Vehicle, trips: Iterable[Trip]) -> list[Alarm]:
    """Return one alarm per trip, raised after it."""
    found: list[Alarm] = []
    for trip in trips:
        random = seeded_random(seed, "alarm", vehicle.index, trip.index)
        found.append(
            Alarm(
                id=hex_digits(seed, "alarm", vehicle.index, trip.index, size=10),
                vehicle=vehicle.id,
                type=random.choice(_ALARMS),
                active=random.random() < 0.5,
                started_at=trip.stopped_at + timedelta(minutes=random.randrange(60)),
                spot=trip.stop,
            )
        )
    return found


def collisions(seed: int, vehicle: Vehicle, trips: Iterable[Trip]) -> list[Collision]:
    """Return one collision per trip, at its end."""
    found: list[Collision] = []
    for trip in trips:
        random = seeded_random(seed, "collision", vehicle.index, trip.index)
        sides = random.sample(("Front", "Rear", "Lateral"), random.randint(1, 2))
        found.append(
            Collision(
                id=hex_digits(seed, "collision", vehicle.index, trip.index, size=10),
                vehicle=vehicle.id,
                at=trip.stopped_at,
                tipped_over=random.random() < 0.05,
                pedestrian=random.random() < 0.05,
                sides=tuple((side, random.choice(("Minimal", "Minor", "Major"))) for side in sides),
                trip=trip.id,
            )
        )
    return found
