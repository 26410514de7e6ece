"""Trips: from where to where, how far, on what.

Knows the vendor's units, some of them odd. Must not know how trips are found.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import TYPE_CHECKING, Any

import attrs

from stellantis_hal.resources import filters
from stellantis_hal.resources.alert import Alert
from stellantis_hal.resources.blocks.consumption import EnergyConsumption, TripConsumption
from stellantis_hal.resources.blocks.energy import Energy
from stellantis_hal.resources.collision import Collision
from stellantis_hal.resources.position import Position
from stellantis_hal.resources.queries import OptionalEndpoint, by_id, many, rel_of
from stellantis_hal.resources.sentinels import Mileage
from stellantis_hal.resources.telemetry import Telemetry
from stellantis_hal.resources.time_range import TimeRange
from stellantis_hal.resources.vehicle_identity import VehicleIdentity
from stellantis_hal.structuring.model import Model
from stellantis_hal.structuring.open_enum import OpenEnum
from stellantis_hal.structuring.scalars import Seconds
from stellantis_hal.structuring.schema import names, unread
from stellantis_hal.structuring.typed_resource import TypedResource

if TYPE_CHECKING:
    from stellantis_hal.navigation.pagination.paginator import Paginator
    from stellantis_hal.resources.vehicle import Vehicle

__all__ = [
    "FaultCause",
    "FaultKind",
    "Propulsion",
    "Trip",
    "TripFault",
    "TripKinetic",
    "TripSegment",
]


class Propulsion(OpenEnum):
    """What drove the vehicle."""

    THERMAL = "Thermal"
    ELECTRIC = "Electric"
    HYBRID = "Hybrid"


class FaultKind(OpenEnum):
    """Which part of a trip is lacking."""

    UNSTARTED = "Unstarted"
    DATA_LACKING = "DataLacking"
    UNFINISHED = "Unfinished"


class FaultCause(OpenEnum):
    """Why it is lacking."""

    GEO_PRIVACY = "GeoPrivacy"
    FULL_PRIVACY = "FullPrivacy"
    CONNECTION = "Connection"


@attrs.frozen(kw_only=True, weakref_slot=False)
class TripKinetic(Model):
    """How fast a trip was.

    Attributes:
        average_speed: metres per second, unlike every other speed; see ``average_speed_kmh``.
        max_speed: km/h.
    """

    average_speed: float | None = attrs.field(default=None, metadata=names("avgSpeed"))
    max_speed: float | None = None

    @property
    def average_speed_kmh(self) -> float | None:
        """The average speed in km/h."""
        return None if self.average_speed is None else self.average_speed * 3.6


@attrs.frozen(kw_only=True, weakref_slot=False)
class TripSegment(Model):
    """The part of a trip that was driven by one propulsion.

    Attributes:
        propulsion: which.
        percent: of the trip.
        distance: kilometres.
    """

    propulsion: Propulsion | None = None
    percent: float | None = None
    distance: float | None = None


@attrs.frozen(kw_only=True, weakref_slot=False)
class TripFault(Model):
    """Something that a trip lacks, and why."""

    fault: FaultKind | None = None
    cause: FaultCause | None = None


@attrs.frozen(kw_only=True, weakref_slot=False)
class Trip(TypedResource):
    """One trip of a vehicle.

    Attributes:
        id: the vendor's.
        created_at: when its record was made.
        updated_at: when its record was last changed.
        started_at: when it began.
        stopped_at: when it ended.
        start_position: where it began.
        stop_position: where it ended.
        duration: how long it took.
        distance: kilometres.
        start_mileage: the odometer at the start, in kilometres.
        start_energies: what there was at the start.
        end_energies: what was left at the end.
        energy_consumptions: what it used.
        kinetic: how fast it was.
        segments: what it was driven by.
        done: whether it is over.
        faults: what its record lacks.
    """

    id: str | None = None
    created_at: datetime | None = None
    updated_at: datetime | None = None
    started_at: datetime | None = None
    stopped_at: datetime | None = None
    start_position: Position | None = None
    stop_position: Position | None = None
    duration: Seconds | None = None
    distance: float | None = None
    start_mileage: Mileage | None = None
    start_energies: tuple[Energy, ...] = ()
    end_energies: tuple[Energy, ...] = ()
    energy_consumptions: tuple[EnergyConsumption, ...] = ()
    kinetic: TripKinetic | None = None
    segments: tuple[TripSegment, ...] = ()
    done: bool | None = None
    faults: tuple[TripFault, ...] = ()
    _read_of: VehicleIdentity | None = attrs.field(default=None, eq=False, repr=False, metadata=unread())

    @property
    def vehicle_identity(self) -> VehicleIdentity | None:
        """Which vehicle made it, as the vehicle told that gave it, else as its link tells; None where neither does.

        It is no part of the trip's value: the same trip is equal, read by whichever account.
        """
        if self._read_of is not None or self._resource is None:
            return self._read_of
        return VehicleIdentity.linked_by(self._resource, "vehicle", "vehicles")

    @property
    def average_speed_kmh(self) -> float | None:
        """The average speed in km/h, from the vendor's metres per second."""
        return None if self.kinetic is None else self.kinetic.average_speed_kmh

    @property
    def max_speed_kmh(self) -> float | None:
        """The highest speed in km/h."""
        return None if self.kinetic is None else self.kinetic.max_speed

    @property
    def consumption(self) -> TripConsumption:
        """What it used in all: ``.litres``, ``.kilowatt_hours``, and both per 100 km; None where nothing is said."""
        return TripConsumption.of(self.energy_consumptions, self.distance)

    @property
    def litres(self) -> float | None:
        """Litres of fuel used; None where nothing is said of fuel."""
        return self.consumption.litres

    @property
    def kilowatt_hours(self) -> float | None:
        """KWh of electricity used; None where nothing is said of electricity."""
        return self.consumption.kilowatt_hours

    def geojson(self) -> dict[str, Any]:
        """Write it as a GeoJSON Feature: a line from start to stop, or the one of both points that is known."""
        ends = [position.coordinates for position in (self.start_position, self.stop_position) if position is not None]
        points = [list(point) for point in ends if point is not None]
        geometry: dict[str, Any] | None = None
        if len(points) == 2:
            geometry = {"type": "LineString", "coordinates": points}
        elif points:
            geometry = {"type": "Point", "coordinates": points[0]}
        left_out = {"startPosition", "stopPosition"}
        properties = {name: value for name, value in self.to_dict().items() if name not in left_out}
        return {"type": "Feature", "id": self.id, "geometry": geometry, "properties": properties}

    # --------------------------------------------------------------------------------------------- ways on

    async def vehicle(self) -> Vehicle | None:
        """Read the vehicle that made it."""
        from stellantis_hal.resources.vehicle import Vehicle  # noqa: PLC0415 - a vehicle leads back to trips

        resource = self.require_resource()
        return await OptionalEndpoint(rel_of(resource, "vehicle", "vehicles"), Vehicle).ask(resource)

    def waypoints(
        self,
        *,
        since: datetime | None = None,
        until: datetime | None = None,
        ranges: Iterable[TimeRange] | TimeRange | None = None,
        tolerance: float | None = None,
        index_range: tuple[int, int | None] | None = None,
    ) -> Paginator[Position]:
        """Walk the positions on its way.

        Args:
            since: positions from then on, aware.
            until: positions until then, aware.
            ranges: up to ten intervals instead of both.
            tolerance: kilometres by which the line may be simplified.
            index_range: the first and the last index, counted from 0, both included.

        Raises:
            ValueError: a filter is out of bounds; nothing was sent.
        """
        resource = self.require_resource()
        return many(
            resource,
            rel_of(resource, "waypoints", "wayPoints"),
            Position,
            embedded="positions",
            index_range=index_range,
            tolerance=filters.tolerance(tolerance),
            timestamps=filters.timestamps(since, until, ranges),
        )

    def alerts(
        self,
        *,
        since: datetime | None = None,
        until: datetime | None = None,
        ranges: Iterable[TimeRange] | TimeRange | None = None,
        locale: str | None = None,
        index_range: tuple[int, int | None] | None = None,
        page_size: int | None = None,
    ) -> Paginator[Alert]:
        """Walk the alerts that came up on its way; the filters are those of the vehicle's."""
        return many(
            self.require_resource(),
            "alerts",
            Alert,
            page_size=page_size,
            index_range=index_range,
            locale=filters.text("locale", locale),
            timestamps=filters.timestamps(since, until, ranges),
        )

    async def alert(self, id_: str) -> Alert:
        """Look one of its alerts up by its id.

        Raises:
            NotFoundError: there is none.
        """
        return await by_id(self.require_resource(), "alerts", Alert, id_)

    def collisions(
        self,
        *,
        since: datetime | None = None,
        until: datetime | None = None,
        ranges: Iterable[TimeRange] | TimeRange | None = None,
        index_range: tuple[int, int | None] | None = None,
        page_size: int | None = None,
    ) -> Paginator[Collision]:
        """Walk the collisions on its way; the filters are those of the vehicle's."""
        return many(
            self.require_resource(),
            "collisions",
            Collision,
            embedded="Collisions",
            page_size=page_size,
            index_range=index_range,
            timestamps=filters.timestamps(since, until, ranges),
        )

    async def collision(self, id_: str) -> Collision:
        """Look one of its collisions up by its id.

        Raises:
            NotFoundError: there is none.
        """
        return await by_id(self.require_resource(), "collisions", Collision, id_)

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
    ) -> Paginator[Telemetry]:
        """Walk the telemetry of its way; the filters are those of the vehicle's."""
        return many(
            self.require_resource(),
            "telemetry",
            Telemetry,
            embedded="telemetries",
            page_size=page_size,
            largest_page=filters.TELEMETRY_PAGE_SIZE,
            index_range=index_range,
            type=filters.choices("types", types, most=15),
            extension=filters.choices("extensions", extensions, most=2),
            timestamps=filters.timestamps(since, until, ranges),
        )
