"""JSON body of a vehicle's status, each block with its own timestamp."""

from __future__ import annotations

from typing import Any

from stellantis_hal.simulator.api.messages import format_instant
from stellantis_hal.simulator.api.serializer import SUBTYPES, Serializer, link
from stellantis_hal.simulator.world.entities import Energy, Vehicle, VehicleState

__all__ = ["status"]


def status(serializer: Serializer, vehicle: Vehicle, state: VehicleState) -> dict[str, Any]:
    """Return the body of a vehicle's status, including blocks set by :meth:`World.update_status`."""
    at = format_instant(state.at)
    moving = state.moving
    url = serializer.vehicle_url(vehicle.id)
    body: dict[str, Any] = {
        "createdAt": at,
        "updatedAt": at,
        "ignition": {"createdAt": at, "type": "Start" if moving else "Stop"},
        "preconditioning": {
            "airConditioning": {"createdAt": at, "updatedAt": at, "status": "Disabled", "programs": []}
        },
        "energies": [_energy(energy, at) for energy in state.levels],
        "powertrain": {"createdAt": at, "status": "Running" if moving else "Stopped"},
        "doorsState": {
            "createdAt": at,
            "lockedStates": ["Unlocked"] if moving else ["Locked"],
            "opening": [
                {"identifier": door, "state": "Closed"}
                for door in ("Driver", "Passenger", "RearLeft", "RearRight", "Trunk")
            ],
        },
        "privacy": {"createdAt": at, "state": "None"},
        "battery": {"createdAt": at, "voltage": 91.5},
        "service": {"createdAt": at, "type": _service(vehicle)},
        "safety": {
            "createdAt": at,
            "beltStatus": [{"id": "Driver", "belt": "Normal"}, {"id": "Passenger", "belt": "Normal"}],
            "autoECallTriggering": "NotDetected",
        },
        "odometer": {"createdAt": at, "mileage": state.mileage},
        "kinetic": {"createdAt": at, "acceleration": 0.0, "speed": 42.0 if moving else 0.0, "moving": moving},
        "environment": {
            "luminosity": {"createdAt": at, "day": True},
            "air": {"createdAt": at, "temp": 12.5},
        },
        "drivingBehavior": {"createdAt": at, "mode": "Normal"},
        "lightingSystem": {
            "createdAt": at,
            "turn": [{"direction": "Left", "position": "Front", "status": "Off"}],
            "fog": [{"direction": "Right", "position": "Rear", "status": "Off"}],
        },
        "alarm": {"status": {"createdAt": at, "activation": "Inactive"}},
        "_links": {"self": link(f"{url}/status"), "vehicle": link(url)},
    }
    if serializer.shows_positions:
        body["lastPosition"] = serializer.last_position(state)
    for name, block in serializer.world.changes(vehicle.id).items():
        if block is None:
            body.pop(name, None)
        else:
            body[name] = block
    return body


def _service(vehicle: Vehicle) -> str:
    return vehicle.motorization if vehicle.motorization in {"Electric", "Hybrid"} else "Unknown"


def _energy(energy: Energy, at: str) -> dict[str, Any]:
    body: dict[str, Any] = {
        "createdAt": at,
        "updatedAt": at,
        "type": energy.type,
        "subType": SUBTYPES[energy.type],
        "level": energy.level,
    }
    if energy.type == "Fuel":
        body["autonomy"] = round(energy.level * 7)
        body["extension"] = {"fuel": {"consumptions": {"total": 1250.0, "instant": 0.0}}}
        return body
    body["autonomy"] = round(energy.level * 3.5)
    body["extension"] = {
        "electric": {
            "residual": {"consumption": round(energy.level * 0.5, 1)},
            "battery": {
                "capacity": 50_000.0,
                "load": {"createdAt": at, "capacity": 50_000, "residual": round(energy.level * 500)},
                "health": {"createdAt": at, "capacity": 96, "resistance": 97},
            },
            "charging": {
                "plugged": energy.level < 50,
                "status": "InProgress" if energy.level < 50 else "Disconnected",
                "remainingTime": "PT2H30M" if energy.level < 50 else "PT0S",
                "chargingRate": 21 if energy.level < 50 else 0,
                "chargingMode": "Slow" if energy.level < 50 else "No",
                "nextDelayedTime": "PT22H30M",
                "schedule": {"programs": []},
            },
        }
    }
    return body
