"""Bodies as the vendor sends them, for tests."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

VIN = "VF3ABCDE0FG123456"
START = datetime(2026, 3, 1, tzinfo=UTC)


def body(document: Any) -> bytes:
    return json.dumps(document).encode()


def monitor_message(number: int = 0, **members: Any) -> dict[str, Any]:
    """Return a monitor's message of an account; each number is another event."""
    return {
        "callbackId": "callback-1",
        "type": "Monitor",
        "date": (START + timedelta(seconds=number)).isoformat(),
        "attributes": [{"key": "vin", "value": VIN}, {"key": "token", "value": "s3cr3t"}],
        "monitorEvent": {
            "monitorId": "monitor-1",
            "refresh": False,
            "values": [
                {
                    "data": "vehicle.energy.electric.level",
                    "value": {"type": "string", "body": {"literalValue": "19"}},
                    "previous": "21",
                }
            ],
        },
        **members,
    }


def remote_message(status: str = "Success", phase: str = "Done", **members: Any) -> dict[str, Any]:
    return {
        "callbackId": "callback-1",
        "type": "Remote",
        "date": "2026-03-01T12:00:00Z",
        "attributes": [{"key": "vin", "value": VIN}],
        "remoteEvent": {
            "remoteActionId": "remote-1",
            "remoteType": "Doors",
            "eventStatus": {"type": phase, "status": status},
        },
        **members,
    }


def fleet_envelope(*events: Any, **members: Any) -> dict[str, Any]:
    return {
        "monitorId": "monitor-1",
        "attributes": [{"key": "token", "value": "s3cr3t"}],
        "events": list(events),
        **members,
    }


def fleet_event(number: int = 0, **members: Any) -> dict[str, Any]:
    return {
        "fleetId": "fleet-1",
        "vin": VIN,
        "eventDate": f"2026-03-01T12:00:{number:02}Z",
        "refresh": False,
        "values": [{"data": "stolen.state", "value": {"type": "string", "body": {"literalValue": "true"}}}],
        **members,
    }
