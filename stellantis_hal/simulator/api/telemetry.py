"""Knows how the API words what a car measured on its way, narrowed to the types and extensions asked for.

Must not know routes or paging.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from stellantis_hal.simulator.api.bodies import SUBTYPES, Serializer, link, service
from stellantis_hal.simulator.api.messages import spell
from stellantis_hal.simulator.world.entities import Trip

__all__ = ["telemetry"]


def telemetry(
    bodies: Serializer, trip: Trip, share: float, types: Iterable[str], extensions: Iterable[str]
) -> dict[str, Any]:
    """Word what a car measured when a share of a trip had passed; no types: all of them."""
    wanted = frozenset(types)
    at = spell(trip.started_at + share * trip.duration)
    moving = 0.0 < share < 1.0
    parts: dict[str, Any] = {
        "energies": [
            {
                "type": before.type,
                "subType": SUBTYPES[before.type],
                "level": round(before.level + share * (after.level - before.level), 1),
                "autonomy": round(before.level * 3),
            }
            for before, after in zip(trip.before, trip.after, strict=True)
        ],
        "engines": [{"type": "Thermic", "speed": 2100.0 if moving else 0.0}],
        "ignition": {"type": "Start" if moving else "Stop", "createdAt": at},
        "doorsState": {"lockedStates": ["Locked"], "opening": [{"identifier": "Trunk", "state": "Closed"}]},
        "battery": {"voltage": 92.5},
        "lightingSystem": {"fog": [{"direction": "Left", "position": "Rear", "status": "Off"}]},
        "transmission": {"gearbox": {"mode": {"automatic": True}, "ratio": "Ratio4" if moving else "Neutral"}},
        "safety": {"beltStatus": [{"id": "Driver", "belt": "Normal"}], "autoECallTriggering": "NotDetected"},
        "adas": {"esp": True, "abs": True, "bsm": "Inactive"},
        "wipingBlades": {"active": False},
    }
    everything = not wanted or "vehicle" in wanted
    vehicle = {name: part for name, part in parts.items() if everything or f"vehicle.{name}" in wanted}
    if everything:
        vehicle["odometer"] = {"mileage": round(trip.start_mileage + share * trip.distance, 1)}
        vehicle["kinetic"] = {"speed": round(trip.average_speed, 1) if moving else 0.0, "moving": moving}
        vehicle["powertrain"] = {"status": "Running" if moving else "Stopped"}
    body: dict[str, Any] = {
        "createdAt": at,
        "_links": {
            "self": link(f"{bodies.vehicle_url(trip.vehicle)}/telemetry"),
            "vehicle": link(bodies.vehicle_url(trip.vehicle)),
            "trip": link(bodies.trip_url(trip.vehicle, trip.id)),
        },
    }
    if not wanted or "privacy" in wanted:
        body["privacy"] = {"state": "None"}
    if not wanted or "environment" in wanted:
        body["environment"] = {"luminosity": {"day": True}, "air": {"temp": 12.5}}
    if vehicle:
        body["vehicle"] = vehicle
    extension: dict[str, Any] = {}
    if "location" in extensions and bodies.places:
        place = bodies.waypoint(trip, share)
        place["properties"].pop("createdAt")
        extension["location"] = place
    if "maintenance" in extensions:
        extension["maintenance"] = {"createdAt": at, **service(trip.start_mileage)}
    if extension:
        body["_embedded"] = {"extension": extension}
    return body
