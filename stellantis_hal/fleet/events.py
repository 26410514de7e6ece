"""What a watch has to say.

Knows values. Must not know how they came about.
"""

from __future__ import annotations

from datetime import datetime

import attrs

from stellantis_hal.errors import StellantisError
from stellantis_hal.fleet.changes import Change
from stellantis_hal.resources.status import Status
from stellantis_hal.resources.trip import Trip
from stellantis_hal.resources.vehicle import Vehicle
from stellantis_hal.structuring.typed_resource import TypedResource

__all__ = ["AccountLost", "Change", "Outage", "Recovered", "Update", "VehicleUnavailable", "WatchEvent"]


@attrs.frozen(kw_only=True)
class Update:
    """Something new about a vehicle.

    Attributes:
        id: the same whenever the same thing is delivered again, different for everything else.
        account: the key of the account that the vehicle was read by; None for a vehicle that was given by itself.
        vehicle: whose.
        what: "status", "maintenance", "position" or "trips".
        changes: what differs from the snapshot given before, all of it for the first. A trip has one change: ``trips``
            when it is new, ``done`` when it is over by now.
        resource: the snapshot, or the trip.
        age: seconds since it was made, by the client's clock, when it was read; None if unknown.
        late: whether newer trips had been delivered before this one was found.
    """

    id: str
    account: str | None
    vehicle: Vehicle
    what: str
    changes: tuple[Change, ...]
    resource: TypedResource
    age: float | None
    late: bool = False

    @property
    def trip(self) -> Trip | None:
        """The trip, where it is one."""
        return self.resource if isinstance(self.resource, Trip) else None

    @property
    def status(self) -> Status | None:
        """The status, where it is one."""
        return self.resource if isinstance(self.resource, Status) else None


@attrs.frozen(kw_only=True)
class AccountLost:
    """An account cannot be used: as a rule its holder has to log in and consent again.

    Its vehicles are left alone, but those that another account has too are read by that one; everything else goes on.
    It is tried again now and then, in case that a new token was put in its store; :meth:`Watch.add` with the account
    brings it back at once.

    Attributes:
        account: its key; None for a vehicle that was given by itself.
        error: why.
        again_in: seconds until it is tried again.
    """

    account: str | None
    error: StellantisError
    again_in: float


@attrs.frozen(kw_only=True)
class VehicleUnavailable:
    """One thing about one vehicle cannot be had. It is asked for less and less often; everything else goes on.

    Attributes:
        account: the key of the account; None for a vehicle that was given by itself.
        vehicle: which.
        what: "status", "maintenance", "position" or "trips".
        error: why; None where the API says that it has no data (yet).
        again_in: seconds until it is tried again, at least.
    """

    account: str | None
    vehicle: Vehicle
    what: str
    error: StellantisError | None
    again_in: float


@attrs.frozen(kw_only=True)
class Outage:
    """Nothing gets through: the network, the server, or the subscription's budget is at its end.

    Polls stop, but for one now and then that tries.

    Attributes:
        error: the failure that made it certain.
        since: when the first of these failures happened, by the client's clock.
    """

    error: StellantisError
    since: datetime


@attrs.frozen(kw_only=True)
class Recovered:
    """What was out of order works again: the vehicle's ``what``, else the account, else everything after an outage.

    Attributes:
        account: the key of the account that was lost; None otherwise.
        vehicle: the vehicle that was unavailable; None otherwise.
        what: what of it.
        after: seconds that it took, by the backend's clock.
    """

    account: str | None = None
    vehicle: Vehicle | None = None
    what: str | None = None
    after: float


WatchEvent = Update | AccountLost | VehicleUnavailable | Outage | Recovered
"""Whatever comes along the stream."""
