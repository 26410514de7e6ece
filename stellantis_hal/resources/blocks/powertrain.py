"""Powertrain: ignition, engines, gearbox, speed, odometer."""

from __future__ import annotations

from typing import ClassVar

import attrs

from stellantis_hal.resources.blocks.measured import MeasuredBlock
from stellantis_hal.resources.cross_checks import check_kinetic
from stellantis_hal.resources.missing_value_codes import Mileage, Temperature
from stellantis_hal.structuring.field_mapping import names
from stellantis_hal.structuring.model import Model
from stellantis_hal.structuring.open_enum import OpenEnum
from stellantis_hal.structuring.problems import ConsistencyCheck

__all__ = [
    "DrivingBehavior",
    "DrivingMode",
    "Engine",
    "EngineAir",
    "EngineExtension",
    "EngineLiquid",
    "EngineOil",
    "EngineThermic",
    "EngineType",
    "Gear",
    "Gearbox",
    "GearboxMode",
    "Ignition",
    "IgnitionType",
    "Kinetic",
    "Odometer",
    "Powertrain",
    "PowertrainStatus",
    "Transmission",
]


class IgnitionType(OpenEnum):
    """State of the ignition."""

    STOP = "Stop"
    START_UP = "StartUp"
    START = "Start"


class PowertrainStatus(OpenEnum):
    """Whether the powertrain runs."""

    NOT_RUNNING = "NotRunning"
    STARTING = "Starting"
    RUNNING = "Running"
    STOPPING = "Stopping"
    STOPPED = "Stopped"


class EngineType(OpenEnum):
    """The kind of engine."""

    THERMIC = "Thermic"
    ELECTRIC = "Electric"


class DrivingMode(OpenEnum):
    """The mode that the driver selected."""

    NORMAL = "Normal"
    SPORT = "Sport"
    COMFORT = "Comfort"
    ECO = "Eco"
    SAND = "Sand"
    MUD = "Mud"
    SNOW = "Snow"
    ZEV = "ZEV"
    HYBRID = "Hybrid"
    ZEV_ECO = "ZEVEco"
    HYBRID_ECO = "HybridEco"
    ECO_PLUS = "EcoPlus"
    E_AWD = "eAWD"
    FOUR_AWD = "4AWD"
    REINFORCED_LOAD = "ReinforcedLoad"


class Gear(OpenEnum):
    """The engaged gear."""

    RATIO_1 = "Ratio1"
    RATIO_2 = "Ratio2"
    RATIO_3 = "Ratio3"
    RATIO_4 = "Ratio4"
    RATIO_5 = "Ratio5"
    RATIO_6 = "Ratio6"
    RATIO_7 = "Ratio7"
    RATIO_8 = "Ratio8"
    NEUTRAL = "Neutral"
    REVERSE = "Reverse"


@attrs.frozen(kw_only=True, weakref_slot=False)
class Ignition(MeasuredBlock):
    """State of the ignition, and since when."""

    type: IgnitionType | None = None


@attrs.frozen(kw_only=True, weakref_slot=False)
class Powertrain(MeasuredBlock):
    """Whether the powertrain runs, and since when."""

    status: PowertrainStatus | None = None


@attrs.frozen(kw_only=True, weakref_slot=False)
class EngineLiquid(Model):
    """A liquid in an engine.

    Attributes:
        level: percent.
        temperature: degrees Celsius.
    """

    level: float | None = attrs.field(default=None, metadata=names(unit="percent"))
    temperature: Temperature | None = attrs.field(default=None, metadata=names("temp", unit="degC"))


@attrs.frozen(kw_only=True, weakref_slot=False)
class EngineAir(Model):
    """Intake air of an engine.

    Attributes:
        temperature: degrees Celsius.
    """

    temperature: Temperature | None = attrs.field(default=None, metadata=names("temp", unit="degC"))


@attrs.frozen(kw_only=True, weakref_slot=False)
class EngineOil(Model):
    """Oil of an engine, in older responses.

    Attributes:
        temperature: degrees Celsius.
    """

    temperature: Temperature | None = attrs.field(default=None, metadata=names("temp", unit="degC"))


@attrs.frozen(kw_only=True, weakref_slot=False)
class EngineThermic(Model):
    """Coolant, oil and air of a combustion engine."""

    coolant: EngineLiquid | None = None
    oil: EngineLiquid | None = None
    air: EngineAir | None = None


@attrs.frozen(kw_only=True, weakref_slot=False)
class EngineExtension(Model):
    """Further data of an engine."""

    thermic: EngineThermic | None = None


@attrs.frozen(kw_only=True, weakref_slot=False)
class Engine(MeasuredBlock):
    """One engine.

    Attributes:
        type: combustion or electric.
        speed: revolutions per minute, judging by the values; the vendor documents no unit.
        gmp_status: whether it runs, in older responses.
        oil: in older responses; ``extension.thermic.oil`` in newer ones.
        extension: coolant, oil and air of a combustion engine.
        created_at: when this was measured.
    """

    __kind__: ClassVar[tuple[str, ...]] = ("type",)

    type: EngineType | None = None
    speed: float | None = attrs.field(default=None, metadata=names(unit="rpm"))
    gmp_status: PowertrainStatus | None = None
    oil: EngineOil | None = None
    extension: EngineExtension | None = None


@attrs.frozen(kw_only=True, weakref_slot=False)
class Kinetic(MeasuredBlock):
    """Speed and acceleration.

    Attributes:
        acceleration: m/s².
        speed: km/h.
        moving: whether it moves.
        created_at: when this was measured.
    """

    __check__: ClassVar[ConsistencyCheck] = ConsistencyCheck(check_kinetic, given="speed")

    acceleration: float | None = attrs.field(default=None, metadata=names(unit="m/s2"))
    speed: float | None = attrs.field(default=None, metadata=names(unit="km/h", minimum=0))
    moving: bool | None = None

    @property
    def is_moving(self) -> bool | None:
        """Whether the vehicle moved: by ``moving``, else by the speed; None where unknown."""
        if self.moving is not None or self.speed is None:
            return self.moving
        return self.speed > 0


@attrs.frozen(kw_only=True, weakref_slot=False)
class DrivingBehavior(MeasuredBlock):
    """The mode that the driver selected, and when."""

    mode: DrivingMode | None = None


@attrs.frozen(kw_only=True, weakref_slot=False)
class GearboxMode(Model):
    """The gearbox's modes, each on or off.

    Attributes:
        automatic: whether the automatic mode is on.
        sport: whether the mode for sport is on.
        snow: whether the mode for snow is on.
        sequential: whether the sequential mode is on.
        semi_manual: whether the semi-manual mode is on.
    """

    automatic: bool | None = None
    sport: bool | None = None
    snow: bool | None = None
    sequential: bool | None = None
    semi_manual: bool | None = None


@attrs.frozen(kw_only=True, weakref_slot=False)
class Gearbox(Model):
    """The gearbox: its modes and the engaged gear."""

    mode: GearboxMode | None = None
    ratio: Gear | None = None


@attrs.frozen(kw_only=True, weakref_slot=False)
class Transmission(Model):
    """The transmission."""

    gearbox: Gearbox | None = None


@attrs.frozen(kw_only=True, weakref_slot=False)
class Odometer(MeasuredBlock):
    """The odometer.

    Attributes:
        mileage: kilometres; 0 stands for unknown and reads as None.
        created_at: when this was measured.
    """

    mileage: Mileage | None = attrs.field(default=None, metadata=names(unit="km", minimum=0))
