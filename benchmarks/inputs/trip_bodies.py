"""Bodies of full trips of 25 fields, and pages of them."""

from __future__ import annotations

import json
from typing import Any

__all__ = ["PAGE", "VEHICLE", "full_page", "full_trip", "spoil"]

PAGE = 60
VEHICLE = "https://api.example/connectedcar/v4/user/vehicles/" + "01234a91598cf0c57e856bb88003fd2a" * 3
_AT = "2023-09-12T09:41:10.911Z"
_BAD = (("distance", "n/a"), ("startedAt", "yesterday"), ("done", "perhaps"), ("startMileage", [1]), ("kinetic", 7))


def _position(number: int) -> dict[str, Any]:
    return {
        "type": "Feature",
        "geometry": {"type": "Point", "coordinates": [2.1 + number / 1000, 48.2, 35.5]},
        "properties": {"createdAt": _AT, "heading": 120, "signalQuality": 9, "type": "Acquire", "fixStatus": "3D"},
    }


def _energies(level: float) -> list[dict[str, Any]]:
    return [
        {"type": "Fuel", "subType": "FossilEnergy", "level": level, "autonomy": 400},
        {"type": "Electric", "subType": "ElectricEnergy", "level": level / 2, "autonomy": 40},
    ]


def full_trip(number: int) -> dict[str, Any]:
    """Return a trip of a hybrid vehicle with all fields, two unknown ones and links."""
    url = f"{VEHICLE}/trips/t{number}"
    distance = 12.5 + number
    rels = {"self": "", "waypoints": "/wayPoints", "alerts": "/alerts", "collisions": "/collisions"}
    return {
        "id": f"trip-{number:08}",
        "createdAt": _AT,
        "updatedAt": _AT,
        "startedAt": "2023-09-12T08:41:10Z",
        "stoppedAt": "2023-09-12T09:31:10Z",
        "startPosition": _position(number),
        "stopPosition": _position(number + 1),
        "duration": 3000 + number,
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
