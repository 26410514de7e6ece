"""OAuth2 scopes, and the scopes that the vendor documents for each address."""

from __future__ import annotations

import enum
import re
from urllib.parse import urlsplit

__all__ = ["Scope", "required_scopes"]


class Scope(enum.StrEnum):
    """A scope of the API. Data beyond the granted scopes are left out of a body, or refused with 403."""

    TELEMETRY = "data:telemetry"
    POSITION = "data:position"
    TRIP = "data:trip"
    ALERT = "data:alert"
    COLLISION = "data:collision"
    VEHICLE = "data:vehicle:devices:pnc"
    REMOTE_DOOR = "remote:door:write"
    REMOTE_PRECONDITIONING = "remote:preconditioning:write"
    REMOTE_HORN = "remote:horn:write"
    REMOTE_CHARGING = "remote:charging:write"
    REMOTE_LIGHTS = "remote:lights:write"
    REMOTE_WAKEUP = "remote:wakeup:write"
    REMOTE_NAVIGATION = "remote:navigation:write"


_DATA = tuple(scope for scope in Scope if scope.startswith("data:") and scope is not Scope.VEHICLE)
_REMOTE = tuple(scope for scope in Scope if scope.startswith("remote:"))

# The vendor's table (B2C 4.17.3), from the top of the path down; `*` is any one segment.
_TABLE: tuple[tuple[str, tuple[Scope, ...]], ...] = (
    ("vehicles", (Scope.VEHICLE,)),
    ("vehicles/*", (Scope.VEHICLE,)),
    ("vehicles/*/telemetry", (Scope.TELEMETRY, Scope.POSITION)),
    ("vehicles/*/lastposition", (Scope.POSITION,)),
    ("vehicles/*/collisions", (Scope.COLLISION,)),
    ("vehicles/*/collisions/*", (Scope.COLLISION,)),
    ("vehicles/*/maintenance", (Scope.TELEMETRY,)),
    ("vehicles/*/status", (Scope.TELEMETRY, Scope.POSITION)),
    ("vehicles/*/alerts", (Scope.ALERT, Scope.POSITION)),
    ("vehicles/*/alerts/*", (Scope.ALERT, Scope.POSITION)),
    ("vehicles/*/alarms", (Scope.TELEMETRY,)),
    ("vehicles/*/alarms/*", (Scope.TELEMETRY,)),
    ("vehicles/*/trips", (Scope.TRIP, Scope.POSITION)),
    ("vehicles/*/trips/*", (Scope.TRIP, Scope.POSITION)),
    ("vehicles/*/trips/*/alerts", (Scope.TRIP, Scope.ALERT, Scope.POSITION)),
    ("vehicles/*/trips/*/alerts/*", (Scope.TRIP, Scope.ALERT, Scope.POSITION)),
    ("vehicles/*/trips/*/collisions", (Scope.TRIP, Scope.COLLISION)),
    ("vehicles/*/trips/*/collisions/*", (Scope.TRIP, Scope.COLLISION)),
    ("vehicles/*/trips/*/waypoints", (Scope.TRIP, Scope.POSITION)),
    ("vehicles/*/trips/*/telemetry", (Scope.TRIP, Scope.TELEMETRY, Scope.POSITION)),
    ("vehicles/*/callbacks/*/monitors", _DATA),
    ("vehicles/*/callbacks/*/monitors/*", _DATA),
    ("vehicles/*/callbacks/*/monitors/*/status", _DATA),
    ("vehicles/*/callbacks/*/remotes", _REMOTE),
    ("vehicles/*/callbacks/*/remotes/*", _REMOTE),
    ("callbacks", _DATA + _REMOTE),
    ("callbacks/*", _DATA + _REMOTE),
    ("callbacks/*/status", _DATA + _REMOTE),
)
_PATTERNS = tuple((re.compile(path.replace("*", "[^/]+"), re.IGNORECASE), scopes) for path, scopes in _TABLE)


def required_scopes(url: str) -> tuple[str, ...]:
    """Return the scopes that the vendor documents for an address; empty where it documents none.

    For data, all of them are needed. For callbacks, monitors and remotes one of them is enough: the vendor's table
    says "any data scope", or that of the action, which the address does not tell.

    Example:
        >>> [str(scope) for scope in required_scopes("https://api.groupe-psa.com/connectedcar/v4/user/vehicles/x/trips")]
        ['data:trip', 'data:position']
    """
    try:
        path = urlsplit(url).path
    except ValueError:
        return ()
    _, found, below = path.partition("/user/")
    if not found:
        return ()
    for pattern, scopes in _PATTERNS:
        if pattern.fullmatch(below.rstrip("/")):
            return scopes
    return ()
