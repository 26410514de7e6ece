"""Fleets of a fleet owner, and their vehicles."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, Self, TypeVar

import attrs

from stellantis_hal.resources import filters
from stellantis_hal.resources.priority_override import with_request_options
from stellantis_hal.resources.profile_parameter import profile_parameter
from stellantis_hal.resources.time_range import TimeRange
from stellantis_hal.resources.typed_requests import fetch_by_id, paginate
from stellantis_hal.structuring.typed_resource import TypedResource

if TYPE_CHECKING:
    from stellantis_hal.navigation.pagination.paginator import Paginator
    from stellantis_hal.navigation.resource import HalResource
    from stellantis_hal.resources.alert import Alert
    from stellantis_hal.resources.collision import Collision
    from stellantis_hal.resources.control.callbacks import FleetCallbacks
    from stellantis_hal.resources.control.monitors import FleetMonitors
    from stellantis_hal.resources.maintenance import Maintenance
    from stellantis_hal.resources.status import Status
    from stellantis_hal.resources.trip import Trip
    from stellantis_hal.resources.vehicle import Vehicle
    from stellantis_hal.transport.rate_limit.protocol import Priority

__all__ = ["Fleet"]

R = TypeVar("R", bound=TypedResource)
Seconds = timedelta | float | None

_CAPABILITIES = "onboardCapabilities"


@attrs.frozen(kw_only=True, weakref_slot=False)
class Fleet(TypedResource):
    """A fleet of a fleet owner.

    Attributes:
        id: the vendor's id.
        name: its name.
        description: what it is for.
        created_at: when its record was made.
        updated_at: when its record was last changed.
    """

    id: str | None = None
    name: str | None = None
    description: str | None = None
    created_at: datetime | None = None
    updated_at: datetime | None = None

    def with_options(self, *, priority: Priority | None = None, max_wait: float | None = None) -> Self:
        """Return this fleet with another priority of its requests, or another bound on waiting for the limits.

        Resources fetched from it have the same options; see :meth:`Vehicle.with_options`.
        """
        return with_request_options(self, priority, max_wait)

    # --------------------------------------------------------------------------------------------- vehicles

    def vehicles(
        self,
        *,
        locale: str | None = None,
        extensions: Iterable[str] | str | None = None,
        vin_prefix: str | None = None,
        page_size: int | None = None,
    ) -> Paginator[Vehicle]:
        """Paginate the vehicles of the fleet. The API pages them by token only: there are no index ranges.

        Args:
            locale: the language of labels (``fr-FR``).
            extensions: more data of each vehicle: ``branding``, ``pictures``.
            vin_prefix: only vehicles whose VIN begins with this.
            page_size: items on a page, 1 to 60.

        Raises:
            ValueError: a filter is out of bounds, or ``onboardCapabilities`` is asked for, which the API has for single
                vehicles only; nothing was sent.
        """
        from stellantis_hal.resources.vehicle import Vehicle

        wanted = filters.choices("extensions", extensions, most=2)
        if _CAPABILITIES in (wanted or ()):
            raise ValueError(
                f"a fleet's list has no {_CAPABILITIES}: read one vehicle with fleet.vehicle(id, "
                f'extensions="{_CAPABILITIES}"), or client.capabilities(vin)'
            )
        return paginate(
            self._own_resource(),
            ("vehicles", "vehicle"),
            Vehicle,
            segment="vehicles",
            embedded="vehicles",
            page_size=page_size,
            ranged=False,
            locale=filters.text("locale", locale),
            extension=wanted,
            vinPrefix=filters.text("vin_prefix", vin_prefix),
        )

    async def vehicle(
        self,
        id_: str | None = None,
        *,
        vin: str | None = None,
        locale: str | None = None,
        extensions: Iterable[str] | str | None = None,
    ) -> Vehicle:
        """Fetch a vehicle by its id, or by its VIN.

        Args:
            id_: the API's id, which is not the VIN.
            vin: the whole VIN, in any case: it is looked for in the list of vehicles, and the vehicle is then read.
            locale: the language of labels (``fr-FR``).
            extensions: more data of the vehicle: ``onboardCapabilities``, ``branding``, ``pictures``.

        Raises:
            NotFoundError: the fleet has no such vehicle.
            ValueError: not exactly one of ``id_`` and ``vin`` was passed, or the VIN has a wrong form; nothing was
                sent.
        """
        from stellantis_hal.resources.by_vin import find_by_vin, require_vin, vin_hint
        from stellantis_hal.resources.vehicle import Vehicle

        if id_ is None or vin is not None:
            vin = require_vin(vin, id_=id_)
            list_vehicles = partial(self.vehicles, locale=locale)
            found = await find_by_vin(vin, list_vehicles(vin_prefix=vin), list_vehicles(), among="fleet")
            if extensions is None or found.id is None:
                return found
            id_ = found.id
        with vin_hint(id_):
            return await fetch_by_id(
                self._own_resource(),
                "vehicles",
                Vehicle,
                id_,
                segment="vehicles",
                extension=filters.choices("extensions", extensions, most=3),
                locale=filters.text("locale", locale),
            )

    # --------------------------------------------------------------------------------------------- whole fleet

    def statuses(
        self,
        *,
        profile: str | None = None,
        index_range: tuple[int, int | None] | None = None,
        page_size: int | None = None,
    ) -> Paginator[Status]:
        """Paginate the latest status of each vehicle, which has its ``vin``. The vendor calls this deprecated.

        Like every collection of a whole fleet it warns once with ``HalDeprecationWarning``; ``vehicle.status()`` and
        ``watch([fleet])`` read the same. A fleet that never had any data is empty.

        Args:
            profile: whose view: "fleet" (the default) or "endUser".
            index_range: the first and the last index, counted from 0, both included.
            page_size: items on a page, 1 to 60.

        Raises:
            ValueError: a filter is out of bounds; nothing was sent.
        """
        from stellantis_hal.resources.status import Status

        return self._whole(
            "status", Status, "vehicle.status()", profile=profile, index_range=index_range, page_size=page_size
        )

    def maintenances(
        self,
        *,
        profile: str | None = None,
        index_range: tuple[int, int | None] | None = None,
        page_size: int | None = None,
    ) -> Paginator[Maintenance]:
        """Paginate the next maintenance of each vehicle; deprecated as :meth:`statuses`, whose filters it has."""
        from stellantis_hal.resources.maintenance import Maintenance

        return self._whole(
            "maintenances",
            Maintenance,
            "vehicle.maintenance()",
            profile=profile,
            index_range=index_range,
            page_size=page_size,
        )

    def alerts(
        self,
        *,
        since: datetime | None = None,
        until: datetime | None = None,
        ranges: Iterable[TimeRange] | TimeRange | None = None,
        profile: str | None = None,
        index_range: tuple[int, int | None] | None = None,
        page_size: int | None = None,
    ) -> Paginator[Alert]:
        """Paginate the alerts of all vehicles; deprecated as :meth:`statuses`. Filters: those of ``vehicle.alerts``."""
        from stellantis_hal.resources.alert import Alert

        return self._whole(
            "alerts",
            Alert,
            "vehicle.alerts()",
            profile=profile,
            index_range=index_range,
            page_size=page_size,
            timestamps=filters.timestamps(since, until, ranges),
        )

    async def alert(self, id_: str, *, profile: str | None = None) -> Alert:
        """Fetch an alert of any vehicle by its id; deprecated as :meth:`statuses`.

        Raises:
            NotFoundError: the fleet has none with this id.
        """
        from stellantis_hal.resources.alert import Alert

        return await self._one("alerts", Alert, "vehicle.alert(id)", id_, profile)

    def trips(
        self,
        *,
        since: datetime | None = None,
        until: datetime | None = None,
        ranges: Iterable[TimeRange] | TimeRange | None = None,
        distance: tuple[float | None, float | None] | None = None,
        duration: tuple[Seconds, Seconds] | None = None,
        states: Iterable[str] | str | None = None,
        profile: str | None = None,
        index_range: tuple[int, int | None] | None = None,
        page_size: int | None = None,
    ) -> Paginator[Trip]:
        """Paginate the trips of all vehicles; deprecated as :meth:`statuses`. Filters: those of ``vehicle.trips``."""
        from stellantis_hal.resources.trip import Trip

        return self._whole(
            "trips",
            Trip,
            "vehicle.trips()",
            profile=profile,
            index_range=index_range,
            page_size=page_size,
            timestamps=filters.timestamps(since, until, ranges),
            distance=filters.span("distance", distance),
            duration=filters.seconds_range("duration", duration),
            states=filters.choices("states", states),
        )

    def collisions(
        self,
        *,
        since: datetime | None = None,
        until: datetime | None = None,
        ranges: Iterable[TimeRange] | TimeRange | None = None,
        profile: str | None = None,
        index_range: tuple[int, int | None] | None = None,
        page_size: int | None = None,
    ) -> Paginator[Collision]:
        """Paginate the collisions of all vehicles; deprecated as :meth:`statuses`, filters as of :meth:`alerts`."""
        from stellantis_hal.resources.collision import Collision

        return self._whole(
            "collisions",
            Collision,
            "vehicle.collisions()",
            embedded="Collisions",
            profile=profile,
            index_range=index_range,
            page_size=page_size,
            timestamps=filters.timestamps(since, until, ranges),
        )

    async def collision(self, id_: str, *, profile: str | None = None) -> Collision:
        """Fetch a collision of any vehicle by its id; deprecated as :meth:`statuses`.

        Raises:
            NotFoundError: the fleet has none with this id.
        """
        from stellantis_hal.resources.collision import Collision

        return await self._one("collisions", Collision, "vehicle.collision(id)", id_, profile)

    def _whole(
        self, rel: str, kind: type[R], instead: str, *, profile: str | None, embedded: str | None = None, **options: Any
    ) -> Paginator[R]:
        resource = self._own_resource()
        options["profile"] = profile_parameter(resource, profile)
        items = paginate(resource, rel, kind, segment=rel, embedded=embedded, **options)
        self._warn(rel, instead)
        return items

    async def _one(self, rel: str, kind: type[R], instead: str, id_: str, profile: str | None) -> R:
        resource = self._own_resource()
        chosen = profile_parameter(resource, profile)
        self._warn(rel, instead)
        return await fetch_by_id(resource, rel, kind, id_, segment=rel, profile=chosen)

    def _warn(self, rel: str, instead: str) -> None:
        text = (
            f"the {rel} of a whole fleet are deprecated by the vendor, since 3.17 of its API: read those of each "
            f"vehicle, with {instead}"
        )
        self.require_resource().require_context().warn_once(("fleet", rel), text)

    # --------------------------------------------------------------------------------------------- control

    @property
    def callbacks(self) -> FleetCallbacks:
        """Where steps of commands to its vehicles are delivered to: ``fleet.callbacks()`` lists them.

        Raises:
            DetachedResourceError: the fleet has no client.
        """
        from stellantis_hal.resources.control.callbacks import FleetCallbacks

        return FleetCallbacks(partial(_locate, self.require_resource(), "callbacks", "remote/callbacks"))

    @property
    def monitors(self) -> FleetMonitors:
        """Conditions that are watched on every vehicle of the fleet: ``fleet.monitors()`` lists them.

        Raises:
            DetachedResourceError: the fleet has no client.
        """
        from stellantis_hal.resources.control.monitors import FleetMonitors

        return FleetMonitors(partial(_locate, self.require_resource(), "monitors", "monitors"), for_fleets=True)

    def _own_resource(self) -> HalResource:
        """Return its resource, by which what is read knows the fleet that it was read of."""
        resource = self.require_resource()
        context = resource.require_context()
        if self.id is None or context.principal == self.id:
            return resource
        return resource.rebind(attrs.evolve(context, principal=self.id))


async def _locate(fleet: HalResource, rel: str, path: str) -> tuple[HalResource, str]:
    """Return a fleet's resource, and the URL of a collection: behind its link, else below it."""
    below = f"{fleet.url.partition('?')[0].rstrip('/')}/{path}"
    return fleet, fleet.expand(rel) if fleet.can(rel) else below
