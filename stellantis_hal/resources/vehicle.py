"""Vehicles, and the resources that they link to."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Final, Self, TypeVar

import attrs

from stellantis_hal.hal.redaction import mask_vin, one_line
from stellantis_hal.resources import filters
from stellantis_hal.resources.blocks.capabilities import Branding, Capabilities, VehicleExtension
from stellantis_hal.resources.call_center import CallCenter
from stellantis_hal.resources.profile_parameter import is_of_fleet, profile_parameter
from stellantis_hal.resources.time_range import TimeRange
from stellantis_hal.resources.typed_requests import OptionalEndpoint, choose_rel, fetch_by_id, paginate
from stellantis_hal.resources.vehicle_identity import VehicleIdentity
from stellantis_hal.resources.vin_checks import check_vin
from stellantis_hal.structuring.field_mapping import names
from stellantis_hal.structuring.open_enum import OpenEnum
from stellantis_hal.structuring.typed_resource import TypedResource
from stellantis_hal.validation import require_seconds, require_type

if TYPE_CHECKING:
    from stellantis_hal.navigation.pagination.paginator import Paginator
    from stellantis_hal.navigation.resource import HalResource
    from stellantis_hal.resources.alarm import Alarm
    from stellantis_hal.resources.alert import Alert
    from stellantis_hal.resources.collision import Collision
    from stellantis_hal.resources.control.callback import CallbackReference
    from stellantis_hal.resources.control.monitors import VehicleMonitors
    from stellantis_hal.resources.control.remote import Remote
    from stellantis_hal.resources.fleet import Fleet
    from stellantis_hal.resources.maintenance import Maintenance
    from stellantis_hal.resources.position import Position
    from stellantis_hal.resources.status import Status
    from stellantis_hal.resources.telemetry import Telemetry
    from stellantis_hal.resources.theft import Theft
    from stellantis_hal.resources.trip import Trip
    from stellantis_hal.resources.user import User
    from stellantis_hal.transport.rate_limit.protocol import Priority

__all__ = ["Motorization", "Vehicle"]

T = TypeVar("T")

Seconds = timedelta | float | None

_NAMELESS: Final = "vehicle"


class Motorization(OpenEnum):
    """The kind of drive."""

    ELECTRIC = "Electric"
    HYBRID = "Hybrid"
    THERMIC = "Thermic"
    HYDROGEN = "Hydrogen"


@attrs.frozen(kw_only=True, weakref_slot=False)
class Vehicle(TypedResource):
    """A vehicle. Its methods follow links; they raise ``LinkNotFoundError`` where the vehicle has no such link.

    ``profile`` is for vehicles of a fleet: whose view of the data is read, "fleet" (the default) or "endUser", that of
    the driver, who may see less. For a vehicle of an account it raises ``ValueError``.

    A vehicle without a link does not support the feature: ``vehicle.can("maintenance")`` checks without a request.

    Attributes:
        id: the vendor's id, which is not the VIN.
        vin: the vehicle identification number.
        motorization: the kind of drive.
        brand: its brand; ``branding.brand`` in newer responses.
        label: its version; ``branding.label`` in newer responses.
        pictures: URLs of pictures, on hosts that must not receive credentials.
        call_center: telephone numbers, where a country was asked for.
        extension: the extensions asked for by ``extensions=(…)``.
        created_at: when its record was made.
        updated_at: when its record was last changed.
    """

    id: str | None = None
    vin: str | None = attrs.field(default=None, repr=False)
    motorization: Motorization | None = None
    brand: str | None = None
    label: str | None = None
    pictures: tuple[str, ...] = attrs.field(default=(), repr=False)
    call_center: CallCenter | None = None
    extension: VehicleExtension | None = attrs.field(default=None, metadata=names(("_embedded", "extension")))
    created_at: datetime | None = None
    updated_at: datetime | None = None

    def with_options(self, *, priority: Priority | None = None, max_wait: float | None = None) -> Self:
        """Return this vehicle with another priority of its requests, or another bound on waiting for the limits.

        Resources fetched from it have the same options. A vehicle with a fetch of your own is returned unchanged.

        Args:
            priority: "background" leaves a share of the limits to "interactive".
            max_wait: seconds that one call may wait; a longer wait raises ``BudgetExhaustedError`` at once.

        Raises:
            ValueError: the priority is unknown, or the wait is not a number of seconds.
            DetachedResourceError: the vehicle has no client.
        """
        from stellantis_hal.resources.priority_override import with_request_options

        return with_request_options(self, priority, max_wait)

    # --------------------------------------------------------------------------------------------- extensions

    @property
    def capabilities(self) -> Capabilities:
        """What the vehicle supports; empty where ``extensions=("onboardCapabilities",)`` was not asked for."""
        found = None if self.extension is None else self.extension.onboard_capabilities
        return Capabilities() if found is None else found

    @property
    def branding(self) -> Branding | None:
        """Brand and version, where ``extensions=("branding",)`` was asked for."""
        return None if self.extension is None else self.extension.branding

    @property
    def display_name(self) -> str:
        """A name to show, never empty: the label, else brand and model, else the VIN with all but its maker masked.

        Many vehicles have no label. Where only the brand is known, the masked VIN follows it.
        """
        branding = self.branding or Branding()
        if label := _text(self.label):
            return label
        brand, model = _text(self.brand) or _text(branding.brand), _text(branding.label)
        if model.casefold().startswith(brand.casefold()):
            brand = ""
        vin = _text(self.vin)
        masked = vin and mask_vin(vin)
        return " ".join(part for part in (brand, model or masked) if part) or _NAMELESS

    @property
    def identity(self) -> VehicleIdentity:
        """Which vehicle it is, and the account by which it was read, as its trips keep them."""
        context = None if self._resource is None else self._resource.context
        branding = self.branding
        return VehicleIdentity(
            account=None if context is None else context.principal,
            id=self.id,
            vin=self.vin,
            label=self.label if _text(self.label) or branding is None else branding.label,
        )

    # --------------------------------------------------------------------------------------------- single resources

    async def status(self, *, profile: str | None = None) -> Status | None:
        """Fetch the latest status; None where there are no data yet.

        Raises:
            LinkNotFoundError: the vehicle has no such link; nothing was sent.
            ValueError: ``profile`` for a vehicle of no fleet; nothing was sent.
            ApiError: the server responded with an error.
        """
        from stellantis_hal.resources.latest_endpoints import STATUS

        resource = self.require_resource()
        return await STATUS.fetch(resource, profile=profile_parameter(resource, profile))

    async def maintenance(self, *, profile: str | None = None) -> Maintenance | None:
        """Fetch the next maintenance; None where there are no data yet.

        Raises:
            LinkNotFoundError: the vehicle has no such link; nothing was sent.
            ValueError: ``profile`` for a vehicle of no fleet; nothing was sent.
            ApiError: the server responded with an error.
        """
        from stellantis_hal.resources.latest_endpoints import MAINTENANCE

        resource = self.require_resource()
        return await MAINTENANCE.fetch(resource, profile=profile_parameter(resource, profile))

    async def last_position(self, *, profile: str | None = None) -> Position | None:
        """Fetch the last position; None where there are no data yet.

        Raises:
            LinkNotFoundError: the vehicle has no such link; nothing was sent.
            ValueError: ``profile`` for a vehicle of no fleet; nothing was sent.
            ApiError: the server responded with an error.
        """
        from stellantis_hal.resources.latest_endpoints import LAST_POSITION

        resource = self.require_resource()
        return await LAST_POSITION.fetch(resource, profile=profile_parameter(resource, profile))

    async def user(self) -> User | None:
        """Fetch the account that the vehicle belongs to; a vehicle of a fleet has no such link."""
        from stellantis_hal.resources.user import User  # a user leads back to vehicles

        return await OptionalEndpoint("user", User).fetch(self.require_resource())

    async def fleet(self) -> Fleet | None:
        """Fetch the fleet that the vehicle belongs to; a vehicle of an account has no such link."""
        from stellantis_hal.resources.fleet import Fleet  # a fleet leads back to vehicles

        return await OptionalEndpoint("fleet", Fleet).fetch(self.require_resource())

    # --------------------------------------------------------------------------------------------- control

    def remote(self, callback: CallbackReference | str) -> Remote:
        """Return the commands to this vehicle; nothing is sent.

        Args:
            callback: the callback that its events go to, or its id. The API takes no command without one.

        Raises:
            DetachedResourceError: the vehicle has no client.
            ValueError: the vehicle has no id, or the callback has none, or is for monitors only.
        """
        from stellantis_hal.resources.control.callback import Callback, CallbackType, callback_id
        from stellantis_hal.resources.control.remote import Remote

        if self.id is None:
            raise ValueError("this vehicle has no id, so no command can be sent to it: read it again")
        if isinstance(callback, Callback) and not callback.accepts(CallbackType.REMOTE):
            raise ValueError(
                "this callback is for monitors only: use one for commands, or update(types=('Monitor', 'Remote'))"
            )
        return Remote(
            self.require_resource(),
            callback_id(callback),
            vehicle_id=self.id,
            vin=self.vin,
            capabilities=None if self.extension is None else self.extension.onboard_capabilities,
        )

    def monitors(self, callback: CallbackReference | str | None = None) -> VehicleMonitors:
        """Return the monitors of this vehicle; nothing is sent.

        Args:
            callback: the callback that their events go to, or its id; None: all callbacks, for reading only.

        Raises:
            DetachedResourceError: the vehicle has no client.
            ValueError: the vehicle has no id, or the callback has none, or is for commands only.
        """
        from stellantis_hal.resources.control.monitors import VehicleMonitors

        if self.id is None:
            raise ValueError("this vehicle has no id, so it can have no monitors: read it again")
        return VehicleMonitors(self.require_resource(), vehicle_id=self.id, vin=self.vin, callback=callback)

    async def refresh(
        self,
        callback: CallbackReference | str,
        *,
        older_than: timedelta = timedelta(minutes=10),
        within: float = 120.0,
    ) -> Status | None:
        """Fetch the status; where it is old, wake the car first, if the vendor's own application would.

        That woke a car only where it was plugged in and charging, or said to be disconnected. Otherwise the status is
        returned as old as it is.

        Args:
            callback: as for :meth:`remote`.
            older_than: the age beyond which the car is woken.
            within: seconds to wait for the car, and as many for its status.

        Returns:
            The status; None where there are no data yet.

        Raises:
            TypeError: ``older_than`` is no timedelta, or ``within`` no number; nothing was sent.
            ValueError: ``within`` is less than 0, or NaN; nothing was sent.
            RemoteRefusedError: the policy refuses the wake-up.
            RemoteFailedError: the car was not woken.
            OutcomeUnknownError: the response of the wake-up was lost.
            TimeoutError: the car, or its status, took longer.
            ApiError: the server responded with an error.
        """
        from stellantis_hal.resources.control.fresh_status import refresh_status

        require_type("older_than", older_than, timedelta)
        require_seconds("within", within)
        remote = self.remote(callback)
        resource = self.require_resource()
        return await refresh_status(
            self.status,
            remote.wake_up,
            older_than=older_than,
            clock=resource.require_context().clock,
            within=within,
        )

    # --------------------------------------------------------------------------------------------- collections

    def status_history(self, *, profile: str | None = None) -> Paginator[Status]:
        """Paginate the statuses that the API keeps, or the latest one alone."""
        from stellantis_hal.resources.status import Status
        from stellantis_hal.resources.status_history import paginate_history

        resource = self.require_resource()
        converter = resource.require_context().converter
        chosen = profile_parameter(resource, profile)
        follow = resource.follow("status", params={"profile": chosen}, embedded="prefer" if chosen is None else "never")
        statuses = paginate_history(follow, partial(converter.report_invalid_items, kind=Status))
        return statuses.map(partial(converter.structure, kind=Status))

    def trips(
        self,
        *,
        since: datetime | None = None,
        until: datetime | None = None,
        ranges: Iterable[TimeRange] | TimeRange | None = None,
        distance: tuple[float | None, float | None] | None = None,
        duration: tuple[Seconds, Seconds] | None = None,
        states: Iterable[str] | str | None = None,
        index_range: tuple[int, int | None] | None = None,
        page_size: int | None = None,
        newest_first: bool = False,
        profile: str | None = None,
    ) -> Paginator[Trip]:
        """Paginate the trips, the oldest first by default.

        Args:
            since: trips from then on, aware.
            until: trips until then, aware.
            ranges: up to ten intervals instead of both.
            distance: kilometres, from and to.
            duration: timedeltas or seconds, from and to.
            states: of :class:`~stellantis_hal.resources.filters.TripState`.
            index_range: the first and the last index, counted from 0, both included.
            page_size: items on a page, 1 to 60.
            newest_first: whether to start from the last page.
            profile: whose view, of a fleet's vehicle: "fleet" or "endUser".

        Raises:
            ValueError: a filter is out of bounds; nothing was sent.
        """
        from stellantis_hal.resources.trip import Trip

        trips = paginate(
            self.require_resource(),
            "trips",
            Trip,
            newest_first=newest_first,
            page_size=page_size,
            index_range=index_range,
            profile=profile_parameter(self.require_resource(), profile),
            timestamps=filters.timestamps(since, until, ranges),
            distance=filters.span("distance", distance),
            duration=filters.seconds_range("duration", duration),
            states=filters.choices("states", states),
        )
        return trips.map(partial(_attribute, vehicle=self.identity))

    async def trip(self, id_: str, *, profile: str | None = None) -> Trip:
        """Fetch a trip by its id.

        Raises:
            NotFoundError: the vehicle has none with this id.
        """
        from stellantis_hal.resources.trip import Trip

        resource = self.require_resource()
        trip = await fetch_by_id(resource, "trips", Trip, id_, profile=profile_parameter(resource, profile))
        return _attribute(trip, self.identity)

    def alerts(
        self,
        *,
        since: datetime | None = None,
        until: datetime | None = None,
        ranges: Iterable[TimeRange] | TimeRange | None = None,
        index_range: tuple[int, int | None] | None = None,
        page_size: int | None = None,
        newest_first: bool = False,
        profile: str | None = None,
    ) -> Paginator[Alert]:
        """Paginate the alerts; the filters are those of :meth:`trips`."""
        from stellantis_hal.resources.alert import Alert

        found = paginate(
            self.require_resource(),
            "alerts",
            Alert,
            newest_first=newest_first,
            page_size=page_size,
            index_range=index_range,
            profile=profile_parameter(self.require_resource(), profile),
            timestamps=filters.timestamps(since, until, ranges),
        )
        return found.map(self._checked)

    async def alert(self, id_: str, *, profile: str | None = None) -> Alert:
        """Fetch an alert by its id.

        Raises:
            NotFoundError: the vehicle has none with this id.
        """
        from stellantis_hal.resources.alert import Alert

        resource = self.require_resource()
        found = await fetch_by_id(resource, "alerts", Alert, id_, profile=profile_parameter(resource, profile))
        return self._checked(found)

    def alarms(
        self,
        *,
        types: Iterable[str] | str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        ranges: Iterable[TimeRange] | TimeRange | None = None,
        index_range: tuple[int, int | None] | None = None,
        page_size: int | None = None,
        newest_first: bool = False,
    ) -> Paginator[Alarm]:
        """Paginate the events of the alarm.

        Args:
            types: of :class:`~stellantis_hal.resources.filters.AlarmEventType`.
            since: as in :meth:`trips`.
            until: as in :meth:`trips`.
            ranges: as in :meth:`trips`.
            index_range: as in :meth:`trips`.
            page_size: as in :meth:`trips`.
            newest_first: as in :meth:`trips`.
        """
        from stellantis_hal.resources.alarm import Alarm

        return paginate(
            self.require_resource(),
            "alarms",
            Alarm,
            segment=self._alarms_segment(),
            newest_first=newest_first,
            page_size=page_size,
            index_range=index_range,
            type=filters.choices("types", types),
            timestamps=filters.timestamps(since, until, ranges),
        )

    async def alarm(self, id_: str) -> Alarm:
        """Fetch an event of the alarm by its id.

        Raises:
            NotFoundError: the vehicle has none with this id.
        """
        from stellantis_hal.resources.alarm import Alarm

        return await fetch_by_id(self.require_resource(), "alarms", Alarm, id_, segment=self._alarms_segment())

    def collisions(
        self,
        *,
        since: datetime | None = None,
        until: datetime | None = None,
        ranges: Iterable[TimeRange] | TimeRange | None = None,
        index_range: tuple[int, int | None] | None = None,
        page_size: int | None = None,
        newest_first: bool = False,
        profile: str | None = None,
    ) -> Paginator[Collision]:
        """Paginate the collisions; the filters are those of :meth:`trips`."""
        from stellantis_hal.resources.collision import Collision

        found = paginate(
            self.require_resource(),
            ("collisions", "collision"),
            Collision,
            embedded="Collisions",
            newest_first=newest_first,
            page_size=page_size,
            index_range=index_range,
            profile=profile_parameter(self.require_resource(), profile),
            timestamps=filters.timestamps(since, until, ranges),
        )
        return found.map(self._checked)

    async def collision(self, id_: str, *, profile: str | None = None) -> Collision:
        """Fetch a collision by its id.

        Raises:
            NotFoundError: the vehicle has none with this id.
        """
        from stellantis_hal.resources.collision import Collision

        resource = self.require_resource()
        rel = choose_rel(resource, "collisions", "collision")
        found = await fetch_by_id(resource, rel, Collision, id_, profile=profile_parameter(resource, profile))
        return self._checked(found)

    def telemetry(
        self,
        *,
        types: Iterable[str] | str | None = None,
        extensions: Iterable[str] | str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        ranges: Iterable[TimeRange] | TimeRange | None = None,
        index_range: tuple[int, int | None] | None = None,
        page_size: int | None = None,
        newest_first: bool = False,
        profile: str | None = None,
    ) -> Paginator[Telemetry]:
        """Paginate the telemetry.

        Args:
            types: up to 15 of :class:`~stellantis_hal.resources.filters.TelemetryType`.
            extensions: ``location``, ``maintenance``.
            since: as in :meth:`trips`.
            until: as in :meth:`trips`.
            ranges: as in :meth:`trips`.
            index_range: as in :meth:`trips`.
            page_size: items on a page, 1 to 2000.
            newest_first: as in :meth:`trips`.
            profile: as in :meth:`trips`.
        """
        from stellantis_hal.resources.telemetry import Telemetry

        return paginate(
            self.require_resource(),
            "telemetry",
            Telemetry,
            embedded="telemetries",
            newest_first=newest_first,
            page_size=page_size,
            largest_page=filters.TELEMETRY_PAGE_SIZE,
            index_range=index_range,
            type=filters.choices("types", types, most=15),
            extension=filters.choices("extensions", extensions, most=2),
            profile=profile_parameter(self.require_resource(), profile),
            timestamps=filters.timestamps(since, until, ranges),
        )

    def thefts(
        self,
        *,
        since: datetime | None = None,
        until: datetime | None = None,
        ranges: Iterable[TimeRange] | TimeRange | None = None,
        index_range: tuple[int, int | None] | None = None,
        page_size: int | None = None,
        newest_first: bool = False,
    ) -> Paginator[Theft]:
        """Paginate the thefts of a vehicle of a fleet; the filters are those of :meth:`trips`.

        Raises:
            ValueError: a filter is out of bounds, or the vehicle belongs to no fleet; nothing was sent.
        """
        from stellantis_hal.resources.theft import Theft

        return paginate(
            self._require_fleet("thefts"),
            "stolen",
            Theft,
            segment="stolen",  # the vendor's vehicles have no link to it
            newest_first=newest_first,
            page_size=page_size,
            index_range=index_range,
            timestamps=filters.timestamps(since, until, ranges),
        )

    async def theft(self, id_: str) -> Theft:
        """Fetch a theft by its id.

        Raises:
            NotFoundError: the vehicle has none with this id.
            ValueError: the vehicle belongs to no fleet; nothing was sent.
        """
        from stellantis_hal.resources.theft import Theft

        return await fetch_by_id(self._require_fleet("thefts"), "stolen", Theft, id_, segment="stolen")

    def _checked(self, found: T) -> T:
        return check_vin(found, lambda: self.vin)

    def _alarms_segment(self) -> str | None:
        # The vehicles of a fleet's list have no link to their alarms; a vehicle that was read alone has one.
        resource = self.require_resource()
        return "alarms" if resource.is_embedded and is_of_fleet(resource) else None

    def _require_fleet(self, what: str) -> HalResource:
        resource = self.require_resource()
        if not is_of_fleet(resource):
            raise ValueError(f"{what} are read of vehicles of a fleet, by FleetOwnerClient: this one is of an account")
        return resource


def _text(value: str | None) -> str:
    """Return a text as one line; empty where there is none."""
    return one_line(value).strip() if isinstance(value, str) else ""


def _attribute(trip: Trip, vehicle: VehicleIdentity) -> Trip:
    """Return the trip with the vehicle it was read of: the same object, as it is not yet handed out."""
    from stellantis_hal.resources.trip import Trip

    if isinstance(trip, Trip):  # a hook of the user may return something else
        object.__setattr__(trip, "_read_of", vehicle)
    return check_vin(trip, lambda: vehicle.vin)
