"""JSON body of a telemetry record, limited to the requested types and extensions."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import attrs

from stellantis_hal.simulator.api.driving_range import range_in_trip
from stellantis_hal.simulator.api.http_messages import format_instant
from stellantis_hal.simulator.api.serializer import SUBTYPES, Serializer, link, service
from stellantis_hal.simulator.world.entities import Energy, Trip
from stellantis_hal.simulator.world.weather import is_day

__all__ = ["telemetry"]


def _energies(trip: Trip, share: float) -> list[Energy]:
    """Return the levels at a share of a trip."""
    return [
        attrs.evolve(before, level=round(before.level + share * (after.level - before.level), 1))
        for before, after in zip(trip.before, trip.after, strict=True)
    ]


def telemetry(
    serializer: Serializer, trip: Trip, share: float, types: Iterable[str], extensions: Iterable[str]
) -> dict[str, Any]:
    """Return the telemetry record at a share of a trip (0 to 1); no types select all of them."""
    wanted = frozenset(types)
    at = format_instant(trip.started_at + share * trip.duration)
    moving = 0.0 < share < 1.0
    blocks: dict[str, Any] = {
        "energies": [
            {
                "type": energy.type,
                "subType": SUBTYPES[energy.type],
                "level": energy.level,
                "autonomy": range_in_trip(trip, energy),
            }
            for energy in _energies(trip, share)
        ],
        "engines": [{"type": "Thermic", "speed": 2100.0 if moving else 0.0}],
        "ignition": {"type": "Start" if moving else "Stop", "createdAt": at},
        "doorsState": {"lockedStates": ["Locked"], "opening": [{"identifier": "Trunk", "state": "Closed"}]},
        "battery": {"voltage": 92.5},
        "lightingSystem": {"fog": [{"direction": "Left", "position": "Rear", "status": "Off"}]},
        "transmission": {"gearbox": {"mode": {"automatic": True}, "ratio": "Ratio4" if moving else "Neutral"}},
        "safety": {"beltStatus": [{"id": "Driver", "belt": "Normal"}], "autoECallTriggering": "NotDetected"},
        "adas": {"esp": True, "abs": True, "bsm": "Inactive"},
        "wipingBlades": {**({"createdAt": at} if serializer.is_fleet else {}), "active": False},
    }
    complete = not wanted or "vehicle" in wanted
    vehicle = {name: block for name, block in blocks.items() if complete or f"vehicle.{name}" in wanted}
    if complete:
        vehicle["odometer"] = {"mileage": round(trip.start_mileage + share * trip.distance, 1)}
        vehicle["kinetic"] = {"speed": round(trip.average_speed, 1) if moving else 0.0, "moving": moving}
        vehicle["powertrain"] = {"status": "Running" if moving else "Stopped"}
    body: dict[str, Any] = {
        "createdAt": at,
        "_links": {
            "self": link(f"{serializer.vehicle_url(trip.vehicle)}/telemetry"),
            "vehicle": link(serializer.vehicle_url(trip.vehicle)),
            "trip": link(serializer.trip_url(trip.vehicle, trip.id)),
        },
    }
    if not wanted or "privacy" in wanted:
        body["privacy"] = {"state": "None"}
    if not wanted or "environment" in wanted:
        body["environment"] = {"luminosity": {"day": is_day(trip.started_at)}, "air": {"temp": trip.temperature}}
    if vehicle:
        body["vehicle"] = vehicle
    extension: dict[str, Any] = {}
    if "location" in extensions and serializer.shows_positions:
        location = serializer.waypoint(trip, share)
        location["properties"].pop("createdAt")
        extension["location"] = location
    if "maintenance" in extensions:
        extension["maintenance"] = {**serializer.named(trip.vehicle), "createdAt": at, **service(trip.start_mileage)}
    if extension:
        body["_embedded"] = {"extension": extension}
    return body
