"""Fuel and electricity: level, range, charging."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import ClassVar

import attrs

from stellantis_hal.resources.blocks.measured import MeasuredBlock
from stellantis_hal.resources.cross_checks import check_charging, check_energy
from stellantis_hal.resources.missing_value_codes import TimeOfDay
from stellantis_hal.structuring.field_mapping import Path, names, unread
from stellantis_hal.structuring.model import Model
from stellantis_hal.structuring.open_enum import OpenEnum
from stellantis_hal.structuring.problems import ConsistencyCheck
from stellantis_hal.structuring.typed_resource import TypedResource
from stellantis_hal.structuring.units import convert_unit

__all__ = [
    "BatteryHealth",
    "BatteryLoad",
    "ChargeProgram",
    "Charging",
    "ChargingMode",
    "ChargingPowerLevel",
    "ChargingSchedule",
    "ChargingStatus",
    "ChargingType",
    "Consumption",
    "Day",
    "ElectricExtension",
    "Energy",
    "EnergyBattery",
    "EnergyExtension",
    "EnergySubType",
    "EnergyType",
    "FuelConsumptions",
    "FuelExtension",
    "Occurrence",
    "StopChargeStatus",
]


class EnergyType(OpenEnum):
    """Fuel or electricity."""

    FUEL = "Fuel"
    ELECTRIC = "Electric"


class EnergySubType(OpenEnum):
    """The precise kind of energy."""

    FOSSIL_ENERGY = "FossilEnergy"
    ELECTRIC_ENERGY = "ElectricEnergy"
    HYDROGEN = "Hydrogen"


class ChargingStatus(OpenEnum):
    """State of the charging."""

    DISCONNECTED = "Disconnected"
    IN_PROGRESS = "InProgress"
    FAILURE = "Failure"
    STOPPED = "Stopped"
    FINISHED = "Finished"


class ChargingPowerLevel(OpenEnum):
    """Charging power, from 1 to 5."""

    LEVEL_1 = "Level1"
    LEVEL_2 = "Level2"
    LEVEL_3 = "Level3"
    LEVEL_4 = "Level4"
    LEVEL_5 = "Level5"


class ChargingMode(OpenEnum):
    """Speed of charging; ``NO``: not charging."""

    NO = "No"
    SLOW = "Slow"
    QUICK = "Quick"


class ChargingType(OpenEnum):
    """Whether charging goes on to the full, or stops earlier to spare the battery."""

    PARTIAL = "Partial"
    FULL = "Full"


class StopChargeStatus(OpenEnum):
    """State of the programmed end of charging."""

    DEACTIVATED = "Deactivated"
    ACTIVATED = "Activated"
    SUCCESSFUL = "Successful"
    STOP_CHARGE_FAILED = "StopChargeFailed"
    CHARGE_END_TIME_SCHEDULE_FAILED = "ChargeEndTimeScheduleFailed"


class Day(OpenEnum):
    """A day of the week."""

    MON = "Mon"
    TUE = "Tue"
    WED = "Wed"
    THU = "Thu"
    FRI = "Fri"
    SAT = "Sat"
    SUN = "Sun"


@attrs.frozen(kw_only=True, weakref_slot=False)
class Occurrence(Model):
    """The days of the week on which a program runs."""

    days: tuple[Day, ...] = attrs.field(default=(), metadata=names("day"))


@attrs.frozen(kw_only=True, weakref_slot=False)
class ChargeProgram(Model):
    """A period of charging on some days of the week.

    Attributes:
        slot: the program's number, where a fleet owner reads it.
        start: the time of day at which charging starts; whose local time, the API does not say.
        end: the time of day at which it ends; whose local time, the API does not say.
        occurrence: the days of the week.
        enabled: whether the program is on.
        charge_until_full: whether charging continues after ``end`` until the battery is full.
    """

    start: TimeOfDay | None = None
    end: TimeOfDay | None = None
    occurrence: Occurrence | None = attrs.field(default=None, metadata=names("occurence", "occurrence"))
    enabled: bool | None = None
    charge_until_full: bool | None = None
    slot: int | None = attrs.field(default=None, metadata=names(unit="1"))


@attrs.frozen(kw_only=True, weakref_slot=False)
class ChargingSchedule(Model):
    """The charging programs."""

    programs: tuple[ChargeProgram, ...] = ()


@attrs.frozen(kw_only=True, weakref_slot=False)
class Charging(Model):
    """Charging of an electric vehicle.

    Attributes:
        plugged: whether the cable is plugged in.
        status: the state of the charging.
        remaining_time: until the battery is full, counted from ``measured_at``; see ``ends_at``.
        charging_rate: kilometres of range gained per hour.
        power_level: on the vehicle's own scale.
        mode: slow or quick.
        next_delayed_time: the time of day at which charging will start; whose local time, the API does not say.
        charging_end_time: when charging is programmed to stop.
        stop_charge_status: the state of that program.
        schedule: the charging programs.
        type: to the full, or partial.
        measured_at: the later instant of the energy that it is of; not part of its value.
    """

    __check__: ClassVar[ConsistencyCheck] = ConsistencyCheck(check_charging, given="status")

    plugged: bool | None = None
    status: ChargingStatus | None = None
    remaining_time: timedelta | None = None
    charging_rate: float | None = attrs.field(default=None, metadata=names(unit="km/h", minimum=0))
    power_level: ChargingPowerLevel | None = attrs.field(default=None, metadata=names("chargingPowerLevel"))
    mode: ChargingMode | None = attrs.field(default=None, metadata=names("chargingMode"))
    next_delayed_time: TimeOfDay | None = None
    charging_end_time: datetime | None = attrs.field(default=None, metadata=names(may_be_ahead=True))
    stop_charge_status: StopChargeStatus | None = None
    schedule: ChargingSchedule | None = None
    type: ChargingType | None = None
    measured_at: datetime | None = attrs.field(default=None, eq=False, repr=False, metadata=unread())

    @property
    def ends_at(self) -> datetime | None:
        """When the battery will be full; None where that is unknown or the vehicle is not charging.

        The remaining time counts from when it was measured, not from now.
        """
        if self.measured_at is None or self.remaining_time is None or self.in_progress is False:
            return None
        if self.remaining_time < timedelta():
            return None
        try:
            return self.measured_at + self.remaining_time
        except OverflowError:
            return None

    @property
    def in_progress(self) -> bool | None:
        """Whether the vehicle is charging; None where unknown, as by a status that this library does not list."""
        return self.status == ChargingStatus.IN_PROGRESS if self.status is not None and self.status.is_known else None


@attrs.frozen(kw_only=True, weakref_slot=False)
class BatteryLoad(MeasuredBlock):
    """Charge of a traction battery.

    Attributes:
        capacity: Wh when full.
        residual: Wh left.
        created_at: when it was measured.
    """

    capacity: float | None = attrs.field(default=None, metadata=names(unit="Wh", minimum=0))
    residual: float | None = attrs.field(default=None, metadata=names(unit="Wh", minimum=0))

    @property
    def capacity_kwh(self) -> float | None:
        """The capacity in kWh."""
        return convert_unit(self.capacity, "Wh", "kWh")

    @property
    def residual_kwh(self) -> float | None:
        """The energy left, in kWh."""
        return convert_unit(self.residual, "Wh", "kWh")


@attrs.frozen(kw_only=True, weakref_slot=False)
class BatteryHealth(MeasuredBlock):
    """State of health of a traction battery.

    Attributes:
        capacity: percent of the original capacity.
        resistance: percent, by its internal resistance.
        created_at: when it was measured.
    """

    capacity: float | None = attrs.field(default=None, metadata=names(unit="percent"))
    resistance: float | None = attrs.field(default=None, metadata=names(unit="percent"))


@attrs.frozen(kw_only=True, weakref_slot=False)
class EnergyBattery(Model):
    """A traction battery.

    Attributes:
        capacity: Wh when full, in older responses; ``load.capacity`` in newer ones.
        load: its charge.
        health: its state of health.
    """

    capacity: float | None = attrs.field(default=None, metadata=names(unit="Wh", minimum=0))
    load: BatteryLoad | None = None
    health: BatteryHealth | None = None


@attrs.frozen(kw_only=True, weakref_slot=False)
class Consumption(Model):
    """A consumption whose unit depends on its place.

    Attributes:
        consumption: l/100 km for fuel, kW for electricity; kWh where it is the residual energy.
    """

    consumption: float | None = attrs.field(default=None, metadata=names(unit="L/100km|kW|kWh"))


@attrs.frozen(kw_only=True, weakref_slot=False)
class FuelConsumptions(Model):
    """Fuel consumption of an engine.

    Attributes:
        total: centilitres; see ``total_litres``.
        instant: l/100 km, or kg/100 km for hydrogen.
    """

    total: float | None = attrs.field(default=None, metadata=names(unit="cL", minimum=0))
    instant: float | None = attrs.field(default=None, metadata=names(unit="L/100km|kg/100km"))

    @property
    def total_litres(self) -> float | None:
        """The total in litres."""
        return convert_unit(self.total, "cL", "L")


@attrs.frozen(kw_only=True, weakref_slot=False)
class FuelExtension(Model):
    """Further data of fuel.

    Attributes:
        consumption: current l/100 km, in older responses.
        consumptions: total and current consumption.
    """

    consumption: Consumption | None = attrs.field(default=None, metadata=names(unit="L/100km"))
    consumptions: FuelConsumptions | None = None


@attrs.frozen(kw_only=True, weakref_slot=False)
class ElectricExtension(Model):
    """Further data of electricity.

    Attributes:
        residual: kWh left, in older responses; ``battery.load.residual`` (Wh) in newer ones.
        battery: the traction battery.
        charging: the state of the charging.
        consumption: current kW.
    """

    residual: Consumption | None = attrs.field(default=None, metadata=names(unit="kWh"))
    battery: EnergyBattery | None = None
    charging: Charging | None = None
    consumption: Consumption | None = attrs.field(default=None, metadata=names(unit="kW"))


@attrs.frozen(kw_only=True, weakref_slot=False)
class EnergyExtension(Model):
    """Further data of an energy."""

    fuel: FuelExtension | None = None
    electric: ElectricExtension | None = None


@attrs.frozen(kw_only=True, weakref_slot=False)
class Energy(TypedResource):
    """An energy of a vehicle, with its level and range.

    Attributes:
        type: fuel or electric.
        sub_type: the precise kind; None where the type says it.
        level: percent left.
        autonomy: range in kilometres.
        created_at: when it was measured; may be much older than the status.
        updated_at: when it was last updated.
        extension: further data; the main parts have shortcuts here.
    """

    __kind__: ClassVar[tuple[str, ...]] = ("type", "sub_type")
    __completed_by__: ClassVar[str] = "extension"
    __check__: ClassVar[ConsistencyCheck] = ConsistencyCheck(check_energy, given="extension")
    __flat__: ClassVar[Mapping[str, Path]] = {
        "charging": ("extension", "electric", "charging"),
        "battery": ("extension", "electric", "battery"),
        "residual": ("extension", "electric", "residual"),
        "consumptions": ("extension", "fuel", "consumptions"),
    }

    type: EnergyType | None = None
    sub_type: EnergySubType | None = None
    level: float | None = attrs.field(default=None, metadata=names(unit="percent"))
    autonomy: float | None = attrs.field(default=None, metadata=names(unit="km", minimum=0))
    created_at: datetime | None = None
    updated_at: datetime | None = None
    extension: EnergyExtension | None = None

    def __attrs_post_init__(self) -> None:
        """Note in the charging when it was measured."""
        extension = self.extension  # a hook of the user may have made something else of any part
        electric = extension.electric if isinstance(extension, EnergyExtension) else None
        charging = electric.charging if isinstance(electric, ElectricExtension) else None
        moments = [moment for moment in (self.created_at, self.updated_at) if isinstance(moment, datetime)]
        if extension is None or electric is None or not isinstance(charging, Charging) or not moments:
            return
        measured_at = max(moments)
        if charging.measured_at is None:
            object.__setattr__(charging, "measured_at", measured_at)
        elif charging.measured_at != measured_at:  # it is part of another energy too
            charging = attrs.evolve(charging, measured_at=measured_at)
            electric = attrs.evolve(electric, charging=charging)
            object.__setattr__(self, "extension", attrs.evolve(extension, electric=electric))

    @property
    def charging(self) -> Charging | None:
        """The state of the charging, of either generation of responses."""
        electric = None if self.extension is None else self.extension.electric
        return None if electric is None else electric.charging

    @property
    def battery(self) -> EnergyBattery | None:
        """The traction battery."""
        electric = None if self.extension is None else self.extension.electric
        return None if electric is None else electric.battery

    @property
    def consumptions(self) -> FuelConsumptions | None:
        """Fuel consumption of the engine."""
        fuel = None if self.extension is None else self.extension.fuel
        return None if fuel is None else fuel.consumptions
