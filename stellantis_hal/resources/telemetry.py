"""Telemetry: the state of a vehicle's components at one moment."""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar

import attrs

from stellantis_hal.resources.alarm import AlarmState
from stellantis_hal.resources.blocks.adas import Adas
from stellantis_hal.resources.blocks.energy import Energy
from stellantis_hal.resources.blocks.environment import Environment
from stellantis_hal.resources.blocks.equipment import (
    Doors,
    Lighting,
    LightSwitches,
    Privacy,
    Safety,
    StarterBattery,
    WipingBlades,
)
from stellantis_hal.resources.blocks.powertrain import (
    DrivingBehavior,
    Engine,
    Ignition,
    Kinetic,
    Odometer,
    Powertrain,
    Transmission,
)
from stellantis_hal.resources.cross_checks import check_energies
from stellantis_hal.resources.maintenance import Maintenance
from stellantis_hal.resources.position import Position
from stellantis_hal.structuring.field_mapping import names
from stellantis_hal.structuring.model import Model
from stellantis_hal.structuring.problems import ConsistencyCheck
from stellantis_hal.structuring.typed_resource import TypedResource

__all__ = ["Telemetry", "TelemetryExtension", "VehicleTelemetry"]


@attrs.frozen(kw_only=True, weakref_slot=False)
class VehicleTelemetry(Model):
    """State of the vehicle's components; the blocks are those of a status."""

    __check__: ClassVar[ConsistencyCheck] = ConsistencyCheck(check_energies)

    engines: tuple[Engine, ...] = attrs.field(default=(), metadata=names("engines", "engine"))
    energies: tuple[Energy, ...] = attrs.field(default=(), metadata=names("energies", "energy"))
    transmission: Transmission | None = None
    powertrain: Powertrain | None = None
    adas: Adas | None = None
    lighting: Lighting | None = attrs.field(default=None, metadata=names("lightingSystem"))
    light_switches: LightSwitches | None = attrs.field(default=None, metadata=names("lighting"))
    ignition: Ignition | None = None
    doors: Doors | None = attrs.field(default=None, metadata=names("doorsState"))
    battery: StarterBattery | None = None
    safety: Safety | None = None
    wiping_blades: WipingBlades | None = None
    odometer: Odometer | None = attrs.field(default=None, metadata=names("odometer", "timed.odometer"))
    kinetic: Kinetic | None = None
    driving_behavior: DrivingBehavior | None = None
    alarm: AlarmState | None = None


@attrs.frozen(kw_only=True, weakref_slot=False)
class TelemetryExtension(Model):
    """The extensions asked for by ``extensions=("location", "maintenance")``."""

    location: Position | None = None
    maintenance: Maintenance | None = None


@attrs.frozen(kw_only=True, weakref_slot=False)
class Telemetry(TypedResource):
    """Measurements of one moment.

    Attributes:
        created_at: the moment.
        privacy: the privacy mode.
        vehicle: state of the vehicle's components.
        environment: daylight and air outside.
        extension: location and maintenance, where asked for.
    """

    created_at: datetime | None = None
    privacy: Privacy | None = None
    vehicle: VehicleTelemetry | None = None
    environment: Environment | None = None
    extension: TelemetryExtension | None = attrs.field(default=None, metadata=names(("_embedded", "extension")))

    @property
    def location(self) -> Position | None:
        """Where the vehicle was, where asked for."""
        return None if self.extension is None else self.extension.location

    @property
    def maintenance(self) -> Maintenance | None:
        """When the next maintenance is due, where asked for."""
        return None if self.extension is None else self.extension.maintenance
