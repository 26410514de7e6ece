"""Knows which warnings the trips of a seeded world gave rise to.

Must not know the world's books, HTTP or HAL.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from stellantis_hal.simulator.world.entities import Alarm, Alert, Collision, Trip, Vehicle
from stellantis_hal.simulator.world.seeded import dice, mark

__all__ = ["alarms", "alerts", "collisions"]

_ALERTS = (
    ("FuelLevelLow", "Information"),
    ("AddWasherFluid", "Information"),
    ("LeftFrontTireUnderInflated", "Warning"),
    ("RightRearTirePuncture", "Critical"),
    ("EngineOilPressureFailure", "Critical"),
    ("RiskOfIce", "Information"),
    ("ReplaceBrakePads", "Warning"),
)
_ALARMS = ("TrunkDoorBreakIn", "VolumetricBreakIn", "VehicleLifting", "FrontLeftDoorBreakIn")


def alerts(seed: int, vehicle: Vehicle, trips: Iterable[Trip], epoch: datetime) -> list[Alert]:
    """Raise one alert for each trip."""
    found: list[Alert] = []
    for trip in trips:
        rolls = dice(seed, "alert", vehicle.index, trip.index)
        type_, severity = rolls.choice(_ALERTS)
        ended = trip.stopped_at + timedelta(minutes=rolls.randrange(600))
        found.append(
            Alert(
                id=mark(seed, "alert", vehicle.index, trip.index, size=10),
                vehicle=vehicle.id,
                type=type_,
                severity=severity,
                active=ended >= epoch,
                started_at=trip.started_at,
                ended_at=None if ended >= epoch else ended,
                spot=trip.start,
                trip=trip.id,
            )
        )
    return found


def alarms(seed: int, vehicle: Vehicle, trips: Iterable[Trip]) -> list[Alarm]:
    """Set one alarm off after each trip."""
    found: list[Alarm] = []
    for trip in trips:
        rolls = dice(seed, "alarm", vehicle.index, trip.index)
        found.append(
            Alarm(
                id=mark(seed, "alarm", vehicle.index, trip.index, size=10),
                vehicle=vehicle.id,
                type=rolls.choice(_ALARMS),
                active=rolls.random() < 0.5,
                started_at=trip.stopped_at + timedelta(minutes=rolls.randrange(60)),
                spot=trip.stop,
            )
        )
    return found


def collisions(seed: int, vehicle: Vehicle, trips: Iterable[Trip]) -> list[Collision]:
    """Let each trip end badly."""
    found: list[Collision] = []
    for trip in trips:
        rolls = dice(seed, "collision", vehicle.index, trip.index)
        sides = rolls.sample(("Front", "Rear", "Lateral"), rolls.randint(1, 2))
        found.append(
            Collision(
                id=mark(seed, "collision", vehicle.index, trip.index, size=10),
                vehicle=vehicle.id,
                at=trip.stopped_at,
                tipped_over=rolls.random() < 0.05,
                pedestrian=rolls.random() < 0.05,
                sides=tuple((side, rolls.choice(("Minimal", "Minor", "Major"))) for side in sides),
                trip=trip.id,
            )
        )
    return found
