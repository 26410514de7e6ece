"""Events of a watch."""

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
    """New data of a vehicle.

    Attributes:
        id: unique id of the update, the same in every delivery.
        account: key of the account by which the vehicle was read; None for a vehicle added without its account.
        vehicle: the vehicle.
        what: "status", "maintenance", "position" or "trips".
        changes: differences from the snapshot delivered before; for the first snapshot all its values. A trip has one
            change: of ``trips`` when it is new, of ``done`` when it has finished.
        resource: the snapshot, or the trip.
        age: age of the data in seconds when they were read, by the client's clock; None if unknown.
        late: whether a trip that started later was delivered before this one.
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
        """The trip; None in an update of another kind of data."""
        return self.resource if isinstance(self.resource, Trip) else None

    @property
    def status(self) -> Status | None:
        """The status; None in an update of another kind of data."""
        return self.resource if isinstance(self.resource, Status) else None


@attrs.frozen(kw_only=True)
class AccountLost:
    """An account cannot be used: usually its holder has to log in and consent again.

    Its vehicles are not polled, except those that another account can read; other accounts are not affected. The
    account is retried from time to time, in case its store has a new token by then; :meth:`Watch.add` with the account
    retries it at once.

    Attributes:
        account: key of the account; None for a vehicle added without its account.
        error: the failure.
        again_in: seconds until the next attempt.
    """

    account: str | None
    error: StellantisError
    again_in: float


@attrs.frozen(kw_only=True)
class VehicleUnavailable:
    """One kind of data of a vehicle cannot be read. It is retried at growing intervals; nothing else is affected.

    Attributes:
        account: key of the account; None for a vehicle added without its account.
        vehicle: the vehicle.
        what: "status", "maintenance", "position" or "trips".
        error: the failure; None where the API has no data of this kind (yet).
        again_in: seconds until the next attempt, at least.
    """

    account: str | None
    vehicle: Vehicle
    what: str
    error: StellantisError | None
    again_in: float


@attrs.frozen(kw_only=True)
class Outage:
    """All requests fail: the network or the server is down, or the rate limit is exhausted.

    Polls are paused, except for one now and then that probes.

    Attributes:
        error: the failure that revealed the outage.
        since: time of the first failure, by the client's clock.
    """

    error: StellantisError
    since: datetime


@attrs.frozen(kw_only=True)
class Recovered:
    """A failure is over: of one kind of data of a vehicle, of an account, or else an outage.

    Attributes:
        account: key of the account that works again; None otherwise.
        vehicle: the vehicle that is available again; None otherwise.
        what: the kind of its data.
        after: duration of the failure in seconds, by the backend's clock.
    """

    account: str | None = None
    vehicle: Vehicle | None = None
    what: str | None = None
    after: float


WatchEvent = Update | AccountLost | VehicleUnavailable | Outage | Recovered
"""An item of the stream of :func:`watch` or :func:`backfill`."""
