"""Bodies of full trips of 25 fields, and pages of them."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

__all__ = ["PAGE", "VEHICLE", "full_page", "full_trip", "spoil"]

PAGE = 60
VEHICLE = "https://api.example/connectedcar/v4/user/vehicles/" + "01234a91598cf0c57e856bb88003fd2a" * 3
_FIRST = datetime(2023, 1, 1, 8, 41, 10, tzinfo=UTC)
_BAD = (("distance", "n/a"), ("startedAt", "yesterday"), ("done", "perhaps"), ("startMileage", [1]), ("kinetic", 7))


def _instant(minutes: float) -> str:
    """Return an instant after the start of the first trip."""
    instant = (_FIRST + timedelta(minutes=minutes)).replace(tzinfo=None)
    return f"{instant.isoformat(timespec='milliseconds' if instant.microsecond else 'seconds')}Z"


def _position(number: int, at: str) -> dict[str, Any]:
    return {
        "type": "Feature",
        "geometry": {"type": "Point", "coordinates": [2.1 + number / 1000, 48.2, 35.5]},
        "properties": {"createdAt": at, "heading": 120, "signalQuality": 9, "type": "Acquire", "fixStatus": "3D"},
    }


def _energies(level: float) -> list[dict[str, Any]]:
    return [
        {"type": "Fuel", "subType": "FossilEnergy", "level": level, "autonomy": 400},
        {"type": "Electric", "subType": "ElectricEnergy", "level": level / 2, "autonomy": 40},
    ]


def full_trip(number: int) -> dict[str, Any]:
    """Return a trip of a hybrid vehicle with all fields, two unknown ones and links.

    No value contradicts another one, and each trip has its own instants.
    """
    url = f"{VEHICLE}/trips/t{number}"
    distance = 12.5 + number % PAGE  # in a longer one the mean speed would be above the greatest
    started, stopped, reported = (_instant(97 * number + minutes) for minutes in (0, 50, 50.5 + 0.911 / 60))
    rels = {"self": "", "waypoints": "/wayPoints", "alerts": "/alerts", "collisions": "/collisions"}
    return {
        "id": f"trip-{number:08}",
        "createdAt": reported,
        "updatedAt": reported,
        "startedAt": started,
        "stoppedAt": stopped,
        "startPosition": _position(number, started),
        "stopPosition": _position(number + 1, stopped),
        "duration": 3000 + number % PAGE,
        "distance": distance,
        "startMileage": 12000.5 + number,
        "startEnergies": _energies(80.5),
        "endEnergies": _energies(70.5),
        "energyConsumptions": [
            {"type": "Fuel", "consumption": 6.5 * distance, "avgConsumption": 650.5},
            {"type": "Electric", "consumption": 165.5 * distance, "avgConsumption": 16500.5},
        ],
        "kinetic": {"avgSpeed": distance / 3.25, "maxSpeed": 110.5},
        "segments": [
            {"propulsion": "Thermal", "percent": 60.5, "distance": distance * 0.6},
            {"propulsion": "Electric", "percent": 39.5, "distance": distance * 0.4},
        ],
        "done": True,
        "faults": [{"fault": "DataLacking", "cause": "Connection"}],
        "unknownKey": {"a": 1},
        "another": "x",
        "_links": {rel: {"href": url + tail} for rel, tail in rels.items()} | {"vehicle": {"href": VEHICLE}},
    }


def spoil(trip: dict[str, Any], number: int) -> dict[str, Any]:
    """Return a trip with one value that cannot be read, another one for each of five numbers."""
    key, value = _BAD[number % len(_BAD)]
    return {**trip, key: value}


def full_page(first: int = 0, size: int = PAGE, *, spoiled: bool = False) -> bytes:
    """Return a page, as bytes that share no memory; spoiled: with one value in each trip that cannot be read."""
    items = [full_trip(first + number) for number in range(size)]
    if spoiled:
        items = [spoil(trip, number) for number, trip in enumerate(items)]
    body = {"_links": {"self": {"href": f"{VEHICLE}/trips"}}, "total": size, "_embedded": {"trips": items}}
    return bytes(bytearray(json.dumps(body, separators=(",", ":")).encode()))
