"""Entities of the simulated world: accounts, vehicles, trips, alerts, alarms and collisions."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Protocol

import attrs

from stellantis_hal.simulator.world.car_control_state import NO_CONTROLS, CarControlState

__all__ = [
    "BRANDS",
    "SCOPES",
    "Account",
    "Alarm",
    "Alert",
    "BrandFacts",
    "ChargingState",
    "Collision",
    "Energy",
    "GeoPoint",
    "HasId",
    "Trip",
    "Vehicle",
    "VehicleState",
]

SCOPES = (
    "data:telemetry",
    "data:position",
    "data:trip",
    "data:alert",
    "data:collision",
    "data:vehicle:devices:pnc",
    "remote:door:write",
    "remote:preconditioning:write",
    "remote:horn:write",
    "remote:charging:write",
    "remote:lights:write",
    "remote:wakeup:write",
    "remote:navigation:write",
)
"""Every scope the vendor documents."""


@attrs.frozen(kw_only=True)
class BrandFacts:
    """Facts of a brand: identity domain, realms of its users, VIN prefix, models."""

    domain: str
    realms: tuple[str, ...]
    vin_prefix: str
    models: tuple[str, ...]


BRANDS: Mapping[str, BrandFacts] = MappingProxyType(
    {
        "Peugeot": BrandFacts(
            domain="peugeot.com",
            realms=("clientsB2CPeugeot", "clientsB2CPeugot", "OTPPeugeot"),
            vin_prefix="VF3",
            models=("208", "2008", "308", "3008", "508"),
        ),
        "Citroën": BrandFacts(
            domain="citroen.com",
            realms=("clientsB2CCitroen", "OTPCitroen"),
            vin_prefix="VF7",
            models=("C3", "C4", "C5 X", "Berlingo"),
        ),
        "DS": BrandFacts(
            domain="driveds.com",
            realms=("clientsB2CDS", "OTPDS"),
            vin_prefix="VR1",
            models=("DS 3", "DS 4", "DS 7"),
        ),
        "Opel": BrandFacts(
            domain="opel.com",
            realms=("clientsB2COpel", "OTPOpel"),
            vin_prefix="W0V",
            models=("Corsa", "Mokka", "Astra", "Grandland"),
        ),
        "Vauxhall": BrandFacts(
            domain="vauxhall.co.uk",
            realms=("clientsB2CVauxhall", "OTPVauxhall"),
            vin_prefix="W0L",
            models=("Corsa", "Mokka", "Astra", "Grandland"),
        ),
    }
)


class HasId(Protocol):
    """An object with an id, such as a vehicle of the world, or one that a client has read."""

    @property
    def id(self) -> str | None:
        """The id, as the API shows it."""
        ...


@attrs.frozen(kw_only=True)
class Account:
    """An end user.

    Attributes:
        key: the account's name in the world.
        brand: one of the keys of :data:`BRANDS`.
        vehicles: number of vehicles.
    """

    key: str
    index: int
    brand: str
    email: str
    first_name: str
    last_name: str
    vehicles: int

    @property
    def realm(self) -> str:
        """The realm of the account's brand, as observed in the field."""
        return BRANDS[self.brand].realms[0]

    @property
    def domain(self) -> str:
        """The brand's identity domain."""
        return BRANDS[self.brand].domain


@attrs.frozen
class GeoPoint:
    """A position: longitude and latitude in degrees (WGS 84), altitude in metres."""

    longitude: float
    latitude: float
    altitude: float = 0.0


@attrs.frozen(kw_only=True)
class Vehicle:
    """A vehicle.

    Attributes:
        motorization: ``Electric``, ``Hybrid`` or ``Thermic``.
        energies: ``Electric``, ``Fuel`` or both.
        home: where it stands at night.
        has_maintenance: whether the server has maintenance data of the vehicle.
    """

    id: str
    index: int
    vin: str
    account: str
    brand: str
    label: str
    motorization: str
    energies: tuple[str, ...]
    home: GeoPoint
    has_maintenance: bool


@attrs.frozen(kw_only=True)
class Energy:
    """The level of one of a vehicle's energies, in percent."""

    type: str
    level: float


@attrs.frozen(kw_only=True)
class Trip:
    """A trip.

    Attributes:
        distance: km.
        start_mileage: odometer at the start, km.
        before, after: energy levels at the start and at the end.
        average_speed: km/h (the API serves m/s).
        used: the consumption of each energy: Wh or centilitres.
        electric_km: km driven by electricity.
        temperature: of the air, in degrees Celsius.
        fault: None for a nominal trip, otherwise ``DataLacking``, ``Unstarted`` or ``Unfinished``.
    """

    id: str
    index: int
    vehicle: str
    started_at: datetime
    duration: timedelta
    distance: float
    start_mileage: float
    start: GeoPoint
    stop: GeoPoint
    before: tuple[Energy, ...]
    after: tuple[Energy, ...]
    average_speed: float
    max_speed: float
    used: tuple[float, ...] = ()
    electric_km: float = 0.0
    temperature: float = 12.5
    fault: str | None = None
    done: bool = True

    @property
    def stopped_at(self) -> datetime:
        """The time of its end, or of its last update while it goes on."""
        return self.started_at + self.duration

    @property
    def state(self) -> str:
        """The value of the API's filter ``states``."""
        return self.fault or "Nominal"


@attrs.frozen(kw_only=True)
class ChargingState:
    """The charge of a vehicle's battery.

    Attributes:
        plugged: whether the cable is in.
        status: ``Disconnected``, ``Stopped``, ``InProgress`` or ``Finished``.
        rate: percent per hour.
        remaining: the time until the charge ends.
        quick: whether the power is that of a public charging point.
    """

    plugged: bool
    status: str
    rate: float = 0.0
    remaining: timedelta = timedelta()
    quick: bool = False


@attrs.frozen(kw_only=True)
class VehicleState:
    """The state of a vehicle at some time.

    Attributes:
        at: time of its last report.
        spot: where it is.
        mileage: odometer, km.
        levels: energy levels.
        moving: whether it is on a trip.
        speed: km/h.
        locked: whether the doors are locked.
        charging: the charge of the battery; None: there is no battery to charge.
        load: its consumption on the last trip, as a multiple of the usual one.
        temperature: of the air, in degrees Celsius.
        controls: what was set on the car.
    """

    at: datetime
    spot: GeoPoint
    mileage: float
    levels: tuple[Energy, ...]
    moving: bool
    speed: float = 0.0
    locked: bool = True
    charging: ChargingState | None = None
    load: float = 1.0
    temperature: float = 12.5
    controls: CarControlState = NO_CONTROLS


@attrs.frozen(kw_only=True)
class Alert:
    """An alert of a vehicle."""

    id: str
    vehicle: str
    type: str
    severity: str
    active: bool
    started_at: datetime
    ended_at: datetime | None
    spot: GeoPoint
    trip: str | None


@attrs.frozen(kw_only=True)
class Alarm:
    """A triggered burglar alarm."""

    id: str
    vehicle: str
    type: str
    active: bool
    started_at: datetime
    spot: GeoPoint


@attrs.frozen(kw_only=True)
class Collision:
    """A collision; ``sides`` are pairs of side and severity."""

    id: str
    vehicle: str
    at: datetime
    tipped_over: bool
    pedestrian: bool
    sides: tuple[tuple[str, str], ...]
    trip: str
