"""Events of a watch."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

import attrs

from stellantis_hal.errors import StellantisError
from stellantis_hal.fleet.snapshot_diff import ValueChange
from stellantis_hal.hal.redaction import hide, redacted_repr
from stellantis_hal.resources.status import Status
from stellantis_hal.resources.trip import Trip
from stellantis_hal.resources.vehicle import Vehicle
from stellantis_hal.structuring.typed_resource import TypedResource

__all__ = [
    "AccountEmpty",
    "AccountLost",
    "CallbackFailed",
    "Outage",
    "Recovered",
    "Update",
    "ValueChange",
    "VehicleRemoved",
    "VehicleUnavailable",
    "WatchEvent",
    "loss_id",
    "outage_id",
]


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
        source: "poll", or "event" where a notification had the status.
    """

    __repr__ = redacted_repr

    id: str
    account: str | None
    vehicle: Vehicle
    what: str
    changes: tuple[ValueChange, ...]
    resource: TypedResource
    age: float | None
    late: bool = False
    source: Literal["poll", "event"] = "poll"

    @property
    def trip(self) -> Trip | None:
        """The trip; None in an update of another kind of data."""
        return self.resource if isinstance(self.resource, Trip) else None

    @property
    def status(self) -> Status | None:
        """The status; None in an update of another kind of data."""
        return self.resource if isinstance(self.resource, Status) else None


@attrs.frozen(kw_only=True)
class AccountEmpty:
    """The API lists no vehicles for an account: as a rule in the first minutes after a log-in, or after a sale.

    The account is listed again soon, at first after 15 s, later every 15 minutes; :class:`Recovered` tells when it has
    vehicles. An account that had vehicles counts as empty after several empty listings in a row, in about a quarter of
    an hour; these vehicles are then no longer watched.

    Attributes:
        account: key of the account.
        again_in: seconds until it is listed again.
    """

    __repr__ = redacted_repr

    account: str
    again_in: float


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
        id: unique id of the loss, the same in every delivery, also by the next process that uses the checkpoints.
    """

    __repr__ = redacted_repr

    id: str = ""
    account: str | None
    error: StellantisError
    again_in: float


@attrs.frozen(kw_only=True)
class VehicleUnavailable:
    """One kind of data of a vehicle cannot be read. It is retried at growing intervals; nothing else is affected.

    What the server refuses (400, 403, 404) is told for each vehicle, also where it refuses all of them.

    Attributes:
        account: key of the account; None for a vehicle added without its account.
        vehicle: the vehicle.
        what: "status", "maintenance", "position" or "trips".
        error: the failure; None where the API has no data of this kind (yet).
        again_in: seconds until the next attempt, at least.
    """

    __repr__ = redacted_repr

    account: str | None
    vehicle: Vehicle
    what: str
    error: StellantisError | None
    again_in: float


@attrs.frozen(kw_only=True)
class VehicleRemoved:
    """The API does not list a vehicle any more for the account that had it, and it is no longer watched.

    As a rule it was sold, or its holder has withdrawn it. Listings now and then leave out vehicles: this comes after
    five of them in a row, in about a quarter of an hour. A vehicle that another watched account has goes on without
    this event; one that is listed again later is watched again, from its checkpoint. Where an account has no vehicles
    left, :class:`AccountEmpty` comes instead.

    Attributes:
        account: key of the account.
        vehicle: the vehicle.
    """

    __repr__ = redacted_repr

    account: str | None
    vehicle: Vehicle


@attrs.frozen(kw_only=True)
class Outage:
    """All requests to a server fail: the network or the server is down, or the rate limit is exhausted.

    Polls are paused, except for one now and then that probes. In an outage of an identity server, where tokens are not
    renewed, these are the polls of accounts whose token has expired; the probes are at most 5 minutes apart.

    With ``what``, the reads of one kind of data fail for all vehicles, while the API responds to others. Only these
    reads are paused, and there is no :class:`VehicleUnavailable` for them until :class:`Recovered` with that ``what``.

    With ``accounts``, a server fails for several accounts and serves others. There is no `Outage` for each of them
    until :class:`Recovered`, which comes when fewer than three are left.

    Attributes:
        error: the failure that revealed the outage.
        since: time of the first failure, by the client's clock.
        server: host of the API or of the identity server (``idpcvs.peugeot.com``); None where the client's own limit
            is exhausted.
        account: key of the account, where the server fails for this one only: its token is not renewed, or its
            vehicles are not listed. None where all accounts are concerned.
        what: "status", "maintenance", "position" or "trips", where only the reads of this kind of data fail, or
            "vehicles" where the listings of several accounts do.
        accounts: number of accounts that had failed when this was found, where there are several and the server
            serves others; None otherwise.
        id: unique id of the outage, the same in every delivery.
    """

    __repr__ = redacted_repr

    id: str = ""
    error: StellantisError
    since: datetime
    server: str | None = None
    account: str | None = None
    what: str | None = None
    accounts: int | None = None


@attrs.frozen(kw_only=True)
class Recovered:
    """A failure is over: of one kind of data of a vehicle, of an account, or else an outage.

    Attributes:
        account: key of the account that works again, or has vehicles, or is lost instead of waiting for its server;
            None otherwise.
        vehicle: the vehicle that is available again; None otherwise.
        what: the kind of its data, or the ``what`` of the :class:`Outage` that is over; None otherwise.
        after: duration of the failure in seconds, by the backend's clock.
        server: host of the server whose outage is over, as in the :class:`Outage`; None otherwise.
    """

    __repr__ = redacted_repr

    account: str | None = None
    vehicle: Vehicle | None = None
    what: str | None = None
    after: float
    server: str | None = None


@attrs.frozen(kw_only=True)
class CallbackFailed:
    """Notifications of a vehicle that had arrived do not arrive any more; it is polled as often as without them.

    It comes when they were silent for twice the time ``refresh=`` of the watch, or when their callback is found not to
    run after a silence. Where they arrive again, polls become rarer again.

    Attributes:
        account: key of the account; None for a vehicle added without its account.
        vehicle: the vehicle.
        callback_id: the callback; None where the notifications did not say it.
        status: the callback's by the API, "Deleted" where it is gone: "Running", "Paused", "Failed"; None if unknown.
        silent_for: seconds since the last notification.
    """

    __repr__ = redacted_repr

    account: str | None
    vehicle: Vehicle
    callback_id: str | None = attrs.field(repr=hide)
    status: str | None
    silent_for: float


WatchEvent = (
    Update | AccountEmpty | AccountLost | CallbackFailed | VehicleRemoved | VehicleUnavailable | Outage | Recovered
)
"""An item of the stream of :func:`watch` or :func:`backfill`."""


def loss_id(owner: str, since: datetime) -> str:
    """Return the id of the loss of an account, or of a vehicle that was added without its account."""
    return f"{owner}/lost/{since.timestamp():.0f}"


def outage_id(server: str | None, account: str | None, since: datetime, what: str | None = None) -> str:
    """Return the id of an outage."""
    parts = (part for part in (server, account, what) if part is not None)
    return "/".join([*parts, f"outage/{since.timestamp():.0f}"])
