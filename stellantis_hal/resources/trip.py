"""Trips: where from and to, distance, duration, consumption."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import TYPE_CHECKING, Any, ClassVar

import attrs

from stellantis_hal.resources import filters
from stellantis_hal.resources.blocks.consumption import EnergyConsumption, TripConsumption
from stellantis_hal.resources.blocks.energy import Energy
from stellantis_hal.resources.cross_checks import check_trip
from stellantis_hal.resources.missing_value_codes import Mileage
from stellantis_hal.resources.position import Position
from stellantis_hal.resources.profile_parameter import is_of_fleet, profile_parameter
from stellantis_hal.resources.rows import TRIP_COLUMNS, Cell, to_row
from stellantis_hal.resources.time_range import TimeRange
from stellantis_hal.resources.typed_requests import OptionalEndpoint, choose_rel, fetch_by_id, paginate
from stellantis_hal.resources.vehicle_identity import VehicleIdentity
from stellantis_hal.structuring.field_mapping import names, unread
from stellantis_hal.structuring.model import Model
from stellantis_hal.structuring.open_enum import OpenEnum
from stellantis_hal.structuring.problems import ConsistencyCheck
from stellantis_hal.structuring.scalars import Seconds
from stellantis_hal.structuring.typed_resource import TypedResource
from stellantis_hal.structuring.units import convert_unit

if TYPE_CHECKING:
    from stellantis_hal.navigation.pagination.paginator import Paginator
    from stellantis_hal.resources.alert import Alert
    from stellantis_hal.resources.collision import Collision
    from stellantis_hal.resources.telemetry import Telemetry
    from stellantis_hal.resources.vehicle import Vehicle

__all__ = [
    "Propulsion",
    "Trip",
    "TripFault",
    "TripFaultCause",
    "TripFaultKind",
    "TripKinetic",
    "TripSegment",
]


class Propulsion(OpenEnum):
    """The kind of propulsion."""

    THERMAL = "Thermal"
    ELECTRIC = "Electric"
    HYBRID = "Hybrid"


class TripFaultKind(OpenEnum):
    """The part of a trip's record that is missing."""

    UNSTARTED = "Unstarted"
    DATA_LACKING = "DataLacking"
    UNFINISHED = "Unfinished"


class TripFaultCause(OpenEnum):
    """Why part of a trip's record is missing."""

    GEO_PRIVACY = "GeoPrivacy"
    FULL_PRIVACY = "FullPrivacy"
    CONNECTION = "Connection"


@attrs.frozen(kw_only=True, weakref_slot=False)
class TripKinetic(Model):
    """Speeds of a trip.

    Attributes:
        average_speed: metres per second, unlike every other speed; see ``average_speed_kmh``.
        max_speed: km/h.
    """

    average_speed: float | None = attrs.field(default=None, metadata=names("avgSpeed", unit="m/s", minimum=0))
    max_speed: float | None = attrs.field(default=None, metadata=names(unit="km/h", minimum=0))

    @property
    def average_speed_kmh(self) -> float | None:
        """The average speed in km/h."""
        return convert_unit(self.average_speed, "m/s", "km/h")


@attrs.frozen(kw_only=True, weakref_slot=False)
class TripSegment(Model):
    """The part of a trip driven by one kind of propulsion.

    Attributes:
        propulsion: the kind of propulsion.
        percent: percentage of the trip.
        distance: kilometres.
    """

    propulsion: Propulsion | None = None
    percent: float | None = attrs.field(default=None, metadata=names(unit="percent"))
    distance: float | None = attrs.field(default=None, metadata=names(unit="km", minimum=0))


@attrs.frozen(kw_only=True, weakref_slot=False)
class TripFault(Model):
    """A missing part of a trip's record, and why it is missing."""

    fault: TripFaultKind | None = None
    cause: TripFaultCause | None = None


@attrs.frozen(kw_only=True, weakref_slot=False)
class Trip(TypedResource):
    """One trip of a vehicle.

    Attributes:
        id: the vendor's id.
        vin: the vehicle's VIN, where a fleet owner reads it.
        created_at: when its record was created.
        updated_at: when its record was last changed.
        started_at: when it began.
        stopped_at: when it ended.
        start_position: the first position.
        stop_position: the last position.
        duration: from start to stop.
        distance: kilometres.
        start_mileage: the odometer at the start, in kilometres.
        start_energies: levels at the start.
        end_energies: levels at the end.
        energy_consumptions: consumption of each energy.
        kinetic: average and highest speed.
        segments: shares of each kind of propulsion.
        done: whether the trip is over.
        faults: missing parts of its record.
    """

    __check__: ClassVar[ConsistencyCheck] = ConsistencyCheck(check_trip)

    id: str | None = None
    vin: str | None = attrs.field(default=None, repr=False)
    created_at: datetime | None = None
    updated_at: datetime | None = None
    started_at: datetime | None = None
    stopped_at: datetime | None = None
    start_position: Position | None = None
    stop_position: Position | None = None
    duration: Seconds | None = attrs.field(default=None, metadata=names(unit="s"))
    distance: float | None = attrs.field(default=None, metadata=names(unit="km", minimum=0))
    start_mileage: Mileage | None = attrs.field(default=None, metadata=names(unit="km", minimum=0))
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
        identity = VehicleIdentity.linked_by(self._resource, "vehicle", "vehicles")
        return identity if self.vin is None else attrs.evolve(identity, vin=self.vin)

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
        """Total consumption: ``.litres``, ``.kilowatt_hours``, and both per 100 km; None where unknown."""
        return TripConsumption.of(self.energy_consumptions, self.distance)

    @property
    def litres(self) -> float | None:
        """Litres of fuel used; None where unknown."""
        return self.consumption.litres

    @property
    def kilowatt_hours(self) -> float | None:
        """kWh of electricity used; None where unknown."""
        return self.consumption.kilowatt_hours

    def row(self) -> dict[str, Cell]:
        """Return it as a flat row, for a table: one value for each column, with units in the columns' names.

        ``distance_km``, ``duration_s``, ``fuel_cl`` (centilitres), ``electricity_wh``, levels in percent, positions in
        degrees, aware instants in UTC; None where unknown, and the faults joined by ``;``. Every trip has the same
        columns. What a row leaves out, as unknown members and segments, is in :meth:`to_dict`.
        """
        return to_row(self, TRIP_COLUMNS)

    def geojson(self) -> dict[str, Any]:
        """Return a GeoJSON Feature: a line from start to stop, or the only one of both points that is known."""
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

    def _repr_html_(self) -> str:
        """Return it as a notebook shows it: a table without VIN, ids and places."""
        from stellantis_hal.resources.notebook import trip_html

        return trip_html(self)

    # --------------------------------------------------------------------------------------------- requests

    async def vehicle(self) -> Vehicle | None:
        """Fetch the vehicle that made the trip."""
        from stellantis_hal.resources.vehicle import Vehicle  # a vehicle leads back to trips

        resource = self.require_resource()
        return await OptionalEndpoint(choose_rel(resource, "vehicle", "vehicles"), Vehicle).fetch(resource)

    def waypoints(
        self,
        *,
        since: datetime | None = None,
        until: datetime | None = None,
        ranges: Iterable[TimeRange] | TimeRange | None = None,
        tolerance: float | None = None,
        index_range: tuple[int, int | None] | None = None,
        page_size: int | None = None,
        profile: str | None = None,
    ) -> Paginator[Position]:
        """Paginate the positions along the trip.

        Args:
            since: positions from then on, aware.
            until: positions until then, aware.
            ranges: up to ten intervals instead of both.
            tolerance: kilometres by which the line may be simplified.
            index_range: the first and the last index, counted from 0, both included.
            page_size: items on a page, 1 to 2000; only of a fleet's vehicle.
            profile: whose view, of a fleet's vehicle: "fleet" or "endUser".

        Raises:
            ValueError: a filter is out of bounds, or an option is for vehicles of a fleet; nothing was sent.
        """
        resource = self.require_resource()
        if page_size is not None and not is_of_fleet(resource):
            raise ValueError("page_size of waypoints is for vehicles of a fleet: the API decides it for an account's")
        return paginate(
            resource,
            ("waypoints", "wayPoints"),
            Position,
            embedded="positions",
            page_size=page_size,
            largest_page=filters.TELEMETRY_PAGE_SIZE,
            index_range=index_range,
            tolerance=filters.tolerance(tolerance),
            profile=profile_parameter(resource, profile),
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
        profile: str | None = None,
    ) -> Paginator[Alert]:
        """Paginate the alerts raised during the trip; the filters are those of ``vehicle.alerts``."""
        from stellantis_hal.resources.alert import Alert

        return paginate(
            self.require_resource(),
            "alerts",
            Alert,
            page_size=page_size,
            index_range=index_range,
            locale=filters.text("locale", locale),
            profile=profile_parameter(self.require_resource(), profile),
            timestamps=filters.timestamps(since, until, ranges),
        )

    async def alert(self, id_: str, *, profile: str | None = None) -> Alert:
        """Fetch one of its alerts by id.

        Raises:
            NotFoundError: the trip has none with this id.
        """
        from stellantis_hal.resources.alert import Alert

        resource = self.require_resource()
        return await fetch_by_id(resource, "alerts", Alert, id_, profile=profile_parameter(resource, profile))

    def collisions(
        self,
        *,
        since: datetime | None = None,
        until: datetime | None = None,
        ranges: Iterable[TimeRange] | TimeRange | None = None,
        index_range: tuple[int, int | None] | None = None,
        page_size: int | None = None,
    ) -> Paginator[Collision]:
        """Paginate the collisions during the trip; the filters are those of ``vehicle.collisions``."""
        from stellantis_hal.resources.collision import Collision

        return paginate(
            self.require_resource(),
            "collisions",
            Collision,
            embedded="Collisions",
            page_size=page_size,
            index_range=index_range,
            timestamps=filters.timestamps(since, until, ranges),
        )

    async def collision(self, id_: str) -> Collision:
        """Fetch one of its collisions by id.

        Raises:
            NotFoundError: the trip has none with this id.
            ValueError: the trip is of a vehicle of a fleet, for which the API has no such address; nothing was sent.
        """
        from stellantis_hal.resources.collision import Collision

        if is_of_fleet(self.require_resource()):
            raise ValueError("the API for fleets has no collision of a trip by its id: read vehicle.collision(id)")
        return await fetch_by_id(self.require_resource(), "collisions", Collision, id_)

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
        profile: str | None = None,
    ) -> Paginator[Telemetry]:
        """Paginate the telemetry of the trip; the filters are those of ``vehicle.telemetry``."""
        from stellantis_hal.resources.telemetry import Telemetry

        return paginate(
            self.require_resource(),
            "telemetry",
            Telemetry,
            segment="telemetry",  # the vendor's trips have no link to it
            embedded="telemetries",
            page_size=page_size,
            largest_page=filters.TELEMETRY_PAGE_SIZE,
            index_range=index_range,
            type=filters.choices("types", types, most=15),
            extension=filters.choices("extensions", extensions, most=2),
            profile=profile_parameter(self.require_resource(), profile),
            timestamps=filters.timestamps(since, until, ranges),
        )
