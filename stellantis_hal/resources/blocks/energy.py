"""Fuel and electricity: what is left, how far it goes, how it is charged.

Knows the vendor's units, some of them odd. Must not know the vehicle around it.
"""

from __future__ import annotations

from datetime import datetime, timedelta

import attrs

from stellantis_hal.resources.sentinels import TimeOfDay
from stellantis_hal.structuring.model import Model
from stellantis_hal.structuring.open_enum import OpenEnum
from stellantis_hal.structuring.schema import names
from stellantis_hal.structuring.typed_resource import TypedResource

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
]


class EnergyType(OpenEnum):
    """What a vehicle runs on."""

    FUEL = "Fuel"
    ELECTRIC = "Electric"


class EnergySubType(OpenEnum):
    """What a vehicle runs on, more precisely."""

    FOSSIL_ENERGY = "FossilEnergy"
    ELECTRIC_ENERGY = "ElectricEnergy"
    HYDROGEN = "Hydrogen"


class ChargingStatus(OpenEnum):
    """How the charging goes."""

    DISCONNECTED = "Disconnected"
    IN_PROGRESS = "InProgress"
    FAILURE = "Failure"
    STOPPED = "Stopped"
    FINISHED = "Finished"


class ChargingPowerLevel(OpenEnum):
    """How much power the vehicle takes, from 1 to 5."""

    LEVEL_1 = "Level1"
    LEVEL_2 = "Level2"
    LEVEL_3 = "Level3"
    LEVEL_4 = "Level4"
    LEVEL_5 = "Level5"


class ChargingMode(OpenEnum):
    """How fast it charges; ``NO`` where it does not."""

    NO = "No"
    SLOW = "Slow"
    QUICK = "Quick"


class ChargingType(OpenEnum):
    """Whether it charges to the full, or stops earlier to spare the battery."""

    PARTIAL = "Partial"
    FULL = "Full"


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
    """The days on which a program runs."""

    days: tuple[Day, ...] = attrs.field(default=(), metadata=names("day"))


@attrs.frozen(kw_only=True, weakref_slot=False)
class ChargeProgram(Model):
    """A time of day to charge at, on some days.

    Attributes:
        start: local time of the vehicle.
        end: local time of the vehicle.
        occurrence: the days.
        enabled: whether it is in force.
        charge_until_full: whether it goes on past ``end`` until the battery is full.
    """

    start: TimeOfDay | None = None
    end: TimeOfDay | None = None
    occurrence: Occurrence | None = attrs.field(default=None, metadata=names("occurence", "occurrence"))
    enabled: bool | None = None
    charge_until_full: bool | None = None


@attrs.frozen(kw_only=True, weakref_slot=False)
class ChargingSchedule(Model):
    """The programs to charge by."""

    programs: tuple[ChargeProgram, ...] = ()


@attrs.frozen(kw_only=True, weakref_slot=False)
class Charging(Model):
    """How an electric vehicle is being charged.

    Attributes:
        plugged: whether the cable is in.
        status: how it goes.
        remaining_time: until the battery is full.
        charging_rate: kilometres of range gained per hour.
        power_level: the vehicle's own scale.
        mode: slow or quick.
        next_delayed_time: the time of day, in the vehicle's local time, at which charging will start.
        schedule: the programs to charge by.
        type: to the full or not.
    """

    plugged: bool | None = None
    status: ChargingStatus | None = None
    remaining_time: timedelta | None = None
    charging_rate: float | None = None
    power_level: ChargingPowerLevel | None = attrs.field(default=None, metadata=names("chargingPowerLevel"))
    mode: ChargingMode | None = attrs.field(default=None, metadata=names("chargingMode"))
    next_delayed_time: TimeOfDay | None = None
    schedule: ChargingSchedule | None = None
    type: ChargingType | None = None

    @property
    def in_progress(self) -> bool | None:
        """Whether energy flows in; None where the status is unknown."""
        return None if self.status is None else self.status == ChargingStatus.IN_PROGRESS


@attrs.frozen(kw_only=True, weakref_slot=False)
class BatteryLoad(Model):
    """What a traction battery holds.

    Attributes:
        capacity: Wh when full.
        residual: Wh left.
        created_at: when it was measured.
    """

    capacity: float | None = None
    residual: float | None = None
    created_at: datetime | None = None

    @property
    def capacity_kwh(self) -> float | None:
        """The capacity in kWh."""
        return None if self.capacity is None else self.capacity / 1000

    @property
    def residual_kwh(self) -> float | None:
        """What is left, in kWh."""
        return None if self.residual is None else self.residual / 1000


@attrs.frozen(kw_only=True, weakref_slot=False)
class BatteryHealth(Model):
    """How a traction battery has aged.

    Attributes:
        capacity: percent of the original capacity.
        resistance: percent, as regards its inner resistance.
        created_at: when it was measured.
    """

    capacity: float | None = None
    resistance: float | None = None
    created_at: datetime | None = None


@attrs.frozen(kw_only=True, weakref_slot=False)
class EnergyBattery(Model):
    """A traction battery.

    Attributes:
        capacity: Wh when full; the older name, ``load.capacity`` is the newer.
        load: what it holds.
        health: how it has aged.
    """

    capacity: float | None = None
    load: BatteryLoad | None = None
    health: BatteryHealth | None = None


@attrs.frozen(kw_only=True, weakref_slot=False)
class Consumption(Model):
    """One number whose unit depends on where it stands.

    Attributes:
        consumption: l/100 km for fuel, kW for electricity; kWh where it is the residual energy.
    """

    consumption: float | None = None


@attrs.frozen(kw_only=True, weakref_slot=False)
class FuelConsumptions(Model):
    """What an engine burns.

    Attributes:
        total: centilitres; see ``total_litres``.
        instant: l/100 km, or kg/100 km for hydrogen.
    """

    total: float | None = None
    instant: float | None = None

    @property
    def total_litres(self) -> float | None:
        """The total in litres."""
        return None if self.total is None else self.total / 100


@attrs.frozen(kw_only=True, weakref_slot=False)
class FuelExtension(Model):
    """More about fuel.

    Attributes:
        consumption: l/100 km at the moment; the older name.
        consumptions: in total and at the moment.
    """

    consumption: Consumption | None = None
    consumptions: FuelConsumptions | None = None


@attrs.frozen(kw_only=True, weakref_slot=False)
class ElectricExtension(Model):
    """More about electricity.

    Attributes:
        residual: kWh left; the older name, ``battery.load.residual`` is the newer.
        battery: the traction battery.
        charging: how it is being charged.
        consumption: kW at the moment.
    """

    residual: Consumption | None = None
    battery: EnergyBattery | None = None
    charging: Charging | None = None
    consumption: Consumption | None = None


@attrs.frozen(kw_only=True, weakref_slot=False)
class EnergyExtension(Model):
    """What is known of an energy beyond its level."""

    fuel: FuelExtension | None = None
    electric: ElectricExtension | None = None


@attrs.frozen(kw_only=True, weakref_slot=False)
class Energy(TypedResource):
    """What a vehicle runs on, and how much of it is left.

    Attributes:
        type: fuel or electric.
        sub_type: more precisely; None where the type says all.
        level: percent left.
        autonomy: kilometres that it suffices for.
        created_at: when it was measured, which may be long before the status around it.
        updated_at: when it was last renewed.
        extension: more about fuel or electricity; what matters most has a shortcut here.
    """

    type: EnergyType | None = None
    sub_type: EnergySubType | None = None
    level: float | None = None
    autonomy: float | None = None
    created_at: datetime | None = None
    updated_at: datetime | None = None
    extension: EnergyExtension | None = None

    @property
    def charging(self) -> Charging | None:
        """How it is being charged, from either generation of bodies."""
        electric = None if self.extension is None else self.extension.electric
        return None if electric is None else electric.charging

    @property
    def battery(self) -> EnergyBattery | None:
        """The traction battery."""
        electric = None if self.extension is None else self.extension.electric
        return None if electric is None else electric.battery

    @property
    def consumptions(self) -> FuelConsumptions | None:
        """What the engine burns."""
        fuel = None if self.extension is None else self.extension.fuel
        return None if fuel is None else fuel.consumptions
