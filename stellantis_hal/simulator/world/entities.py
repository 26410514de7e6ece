"""Knows the things of the simulated world as values: accounts, vehicles, trips, warnings.

Must not know how the API words them, nor how they are generated.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from types import MappingProxyType

import attrs

__all__ = [
    "BRANDS",
    "SCOPES",
    "Account",
    "Alarm",
    "Alert",
    "BrandFacts",
    "Collision",
    "Energy",
    "Snapshot",
    "Spot",
    "Trip",
    "Vehicle",
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
    """What sets a brand apart: its identity domain, the realms its users live in, its VIN prefix, its models."""

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


@attrs.frozen(kw_only=True)
class Account:
    """An end user.

    Attributes:
        key: the name by which the world knows the account.
        brand: one of the keys of :data:`BRANDS`.
        vehicles: how many cars the account has.
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
        """The realm seen in the field for the account's brand."""
        return BRANDS[self.brand].realms[0]

    @property
    def domain(self) -> str:
        """The brand's identity domain."""
        return BRANDS[self.brand].domain


@attrs.frozen
class Spot:
    """A place on earth, in degrees and metres."""

    longitude: float
    latitude: float
    altitude: float = 0.0


@attrs.frozen(kw_only=True)
class Vehicle:
    """A car.

    Attributes:
        motorization: ``Electric``, ``Hybrid`` or ``Thermic``.
        energies: ``Electric``, ``Fuel`` or both.
        home: about where it drives.
        has_maintenance: whether the back end has maintenance data for it.
    """

    id: str
    index: int
    vin: str
    account: str
    brand: str
    label: str
    motorization: str
    energies: tuple[str, ...]
    home: Spot
    has_maintenance: bool


@attrs.frozen(kw_only=True)
class Energy:
    """How full one of a car's energies is, in percent."""

    type: str
    level: float


@attrs.frozen(kw_only=True)
class Trip:
    """A drive.

    Attributes:
        distance: km.
        start_mileage: km on the odometer at its start.
        average_speed: km/h (the API words it in m/s).
        fault: None for a nominal trip, else ``DataLacking``, ``Unstarted`` or ``Unfinished``.
    """

    id: str
    index: int
    vehicle: str
    started_at: datetime
    duration: timedelta
    distance: float
    start_mileage: float
    start: Spot
    stop: Spot
    before: tuple[Energy, ...]
    after: tuple[Energy, ...]
    average_speed: float
    max_speed: float
    fault: str | None = None
    done: bool = True

    @property
    def stopped_at(self) -> datetime:
        """When it ended, or how far it has come."""
        return self.started_at + self.duration

    @property
    def state(self) -> str:
        """What the ``states`` filter of the API calls it."""
        return self.fault or "Nominal"


@attrs.frozen(kw_only=True)
class Snapshot:
    """How a car is at some time.

    Attributes:
        at: when it last reported.
        mileage: km on its odometer.
    """

    at: datetime
    spot: Spot
    mileage: float
    levels: tuple[Energy, ...]
    moving: bool


@attrs.frozen(kw_only=True)
class Alert:
    """A warning of a car."""

    id: str
    vehicle: str
    type: str
    severity: str
    active: bool
    started_at: datetime
    ended_at: datetime | None
    spot: Spot
    trip: str | None


@attrs.frozen(kw_only=True)
class Alarm:
    """A triggered burglar alarm."""

    id: str
    vehicle: str
    type: str
    active: bool
    started_at: datetime
    spot: Spot


@attrs.frozen(kw_only=True)
class Collision:
    """An accident, with its sides as (side, severity) pairs."""

    id: str
    vehicle: str
    at: datetime
    tipped_over: bool
    pedestrian: bool
    sides: tuple[tuple[str, str], ...]
    trip: str
