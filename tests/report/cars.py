"""Cars, trips and statuses for tests of reports."""

from datetime import UTC, datetime, timedelta
from typing import Any

from stellantis_hal import CarHistory, Status, Telemetry, Trip, Vehicle
from stellantis_hal.report.trip_facts import TripFacts, sorted_facts
from stellantis_hal.structuring.converter import read

NOW = datetime(2025, 12, 31, 19, 0, tzinfo=UTC)
START = datetime(2025, 11, 30, 23, 30, tzinfo=UTC)
HOSTILE = "</script><img src=x onerror=alert(1)>\u2028\u202e\"'&<!--"


def instant(at: datetime) -> str:
    """Return an instant as the API writes it."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def position(longitude: float, latitude: float) -> dict[str, Any]:
    """Return a position as the API writes it."""
    return {"type": "Feature", "geometry": {"type": "Point", "coordinates": [longitude, latitude]}}


def energy(kind: str, level: float, autonomy: float | None = None) -> dict[str, Any]:
    """Return a level as the API writes it."""
    return {"type": kind, "level": level, **({} if autonomy is None else {"autonomy": autonomy})}


def trip(number: int = 0, **changes: Any) -> Trip:
    """Return the trip of a day: 10 km, 2 kWh, from 60 to 55 percent; a change to None leaves a key out."""
    start = START + timedelta(days=number)
    body = {
        "id": f"trip-{number}",
        "startedAt": instant(start),
        "stoppedAt": instant(start + timedelta(minutes=15)),
        "duration": 900,
        "distance": 10.0,
        "startPosition": position(2.25, 48.75),
        "stopPosition": position(2.35, 48.85),
        "startEnergies": [energy("Electric", 60)],
        "endEnergies": [energy("Electric", 55)],
        "energyConsumptions": [{"type": "Electric", "consumption": 2000.0}],
        "kinetic": {"avgSpeed": 11.11},
        "done": True,
        **changes,
    }
    return read({key: value for key, value in body.items() if value is not None}, Trip)


def fuel_trip(number: int = 0, **changes: Any) -> Trip:
    """Return the trip of a combustion car on a day: 10 km, 0.5 l."""
    body = {
        "startEnergies": [energy("Fuel", 40)],
        "endEnergies": [energy("Fuel", 39)],
        "energyConsumptions": [{"type": "Fuel", "consumption": 50.0}],
    }
    return trip(number, **(body | changes))


def facts(*trips: Trip) -> list[TripFacts]:
    """Return trips as facts in UTC."""
    return sorted_facts(trips, UTC)[0]


def vehicle(**changes: Any) -> Vehicle:
    """Return a car."""
    body = {"id": "a", "vin": "VF3AAAAAAAAAA4711", "label": "e-208", "brand": "Peugeot", "motorization": "Electric"}
    return read(body | changes, Vehicle)


def status(level: float = 80, at: datetime = NOW, **changes: Any) -> Status:
    """Return a status with a level, a range and a temperature."""
    body = {
        "updatedAt": instant(at),
        "energies": [energy("Electric", level, 280)],
        "odometer": {"mileage": 60849},
        "environment": {"air": {"temp": 12}},
        **changes,
    }
    return read(body, Status)


def telemetry(at: datetime = NOW, **changes: Any) -> Telemetry:
    """Return a record of telemetry with a level, a range and a temperature."""
    body = {
        "createdAt": instant(at),
        "vehicle": {"energies": [energy("Electric", 50, 150)]},
        "environment": {"air": {"temp": 2}},
        **changes,
    }
    return read(body, Telemetry)


def history(*trips: Trip, **parts: Any) -> CarHistory:
    """Return a car with trips."""
    given: dict[str, Any] = {"vehicle": vehicle(), "trips": trips, **parts}
    return CarHistory(**given)
