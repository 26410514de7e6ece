"""The latest known state of a vehicle."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar, Final

import attrs

from stellantis_hal.resources.alarm import AlarmState
from stellantis_hal.resources.blocks.adas import Adas
from stellantis_hal.resources.blocks.energy import Energy, EnergyType, Occurrence
from stellantis_hal.resources.blocks.environment import Environment
from stellantis_hal.resources.blocks.equipment import (
    Doors,
    Lighting,
    Privacy,
    Safety,
    Service,
    StarterBattery,
    WipingBlades,
)
from stellantis_hal.resources.blocks.measured import MeasuredBlock
from stellantis_hal.resources.blocks.powertrain import (
    DrivingBehavior,
    Engine,
    Ignition,
    IgnitionType,
    Kinetic,
    Odometer,
    Powertrain,
    Transmission,
)
from stellantis_hal.resources.cross_checks import check_energies
from stellantis_hal.resources.missing_value_codes import TimeOfDay
from stellantis_hal.resources.position import Position
from stellantis_hal.resources.rows import STATUS_COLUMNS, Cell, to_row
from stellantis_hal.resources.theft import Theft
from stellantis_hal.resources.tri_state import any_true
from stellantis_hal.structuring.field_mapping import Path, names
from stellantis_hal.structuring.model import Model
from stellantis_hal.structuring.open_enum import OpenEnum
from stellantis_hal.structuring.problems import ConsistencyCheck
from stellantis_hal.structuring.typed_resource import TypedResource

__all__ = [
    "AirConditioning",
    "Preconditioning",
    "PreconditioningFailure",
    "PreconditioningProgram",
    "PreconditioningStartingCause",
    "PreconditioningStatus",
    "Recurrence",
    "Status",
]


class PreconditioningStatus(OpenEnum):
    """State of the preconditioning."""

    ENABLED = "Enabled"
    DISABLED = "Disabled"
    FINISHED = "Finished"
    FAILURE = "Failure"


class PreconditioningStartingCause(OpenEnum):
    """What started the preconditioning."""

    IMMEDIATE = "Immediate"
    SCHEDULED = "Scheduled"


class PreconditioningFailure(OpenEnum):
    """Why the preconditioning failed."""

    DEFECT = "Defect"
    DOOR_OPENED = "DoorOpened"
    LOW_BATTERY = "LowBattery"
    LOW_FUEL_LEVEL = "LowFuelLevel"
    TOO_MANY_UNUSED_PROG = "TooManyUnusedProg"
    WINDOWS_ROOF_OPENED = "WindowsRoofOpened"
    HOOD_OPENED = "HoodOpened"
    NOT_PARKED = "NotParked"
    OTHER_FAILURES = "OtherFailures"


class Recurrence(OpenEnum):
    """Whether a program runs again."""

    NONE = "None"
    DAILY = "Daily"


@attrs.frozen(kw_only=True, weakref_slot=False)
class PreconditioningProgram(Model):
    """A time of day at which the cabin is to be at temperature.

    Attributes:
        start: the time of day; whose local time, the API does not say.
        occurrence: the days of the week.
        recurrence: whether the program runs again.
        enabled: whether the program is on.
        slot: the program's number.
    """

    start: TimeOfDay | None = None
    occurrence: Occurrence | None = attrs.field(default=None, metadata=names("occurence", "occurrence"))
    recurrence: Recurrence | None = None
    enabled: bool | None = None
    slot: int | None = attrs.field(default=None, metadata=names(unit="1"))


@attrs.frozen(kw_only=True, weakref_slot=False)
class AirConditioning(Model):
    """Heating or cooling before a drive.

    Attributes:
        created_at: when it was made.
        updated_at: when it was changed last.
    """

    status: PreconditioningStatus | None = None
    starting_cause: PreconditioningStartingCause | None = None
    failure_cause: PreconditioningFailure | None = None
    programs: tuple[PreconditioningProgram, ...] = ()
    created_at: datetime | None = None
    updated_at: datetime | None = None


def _block(*paths: str | Path) -> Mapping[str, Any]:
    """Return the metadata of a block that older generations have in ``_embedded.extension`` too."""
    return names(*paths, *(("_embedded", "extension", path) for path in paths if isinstance(path, str)))


@attrs.frozen(kw_only=True, weakref_slot=False)
class Preconditioning(Model):
    """Preparation of the vehicle before a drive."""

    air_conditioning: AirConditioning | None = None


@attrs.frozen(kw_only=True, weakref_slot=False)
class Status(TypedResource):
    """The latest known state of a vehicle. Each block has its own ``created_at``, which may be much older.

    Attributes:
        created_at: when it was created; may be None.
        updated_at: when it was last changed.
        vin: the vehicle's VIN, where a fleet owner reads it.
        last_position: the last known position.
        energies: each energy with its level and range.
        ignition: the state of the ignition.
        engines: the engines.
        powertrain: whether the powertrain runs.
        preconditioning: heating or cooling before a drive.
        doors: locked and open ones.
        battery: the 12 V battery.
        kinetic: speed and acceleration.
        odometer: the mileage.
        environment: daylight and air outside.
        lighting: turn signals and fog lights.
        driving_behavior: the mode selected.
        privacy: the privacy mode.
        safety: seat belts and the emergency call.
        alarm: the burglar alarm.
        service: the kind of vehicle that the service contract is for.
        adas: driver assistance; not in the vendor's schema, but in responses.
        transmission: the gearbox, where a response has it.
        wiping_blades: the wipers, where a fleet owner reads it.
        stolen: the theft, while a vehicle of a fleet is reported stolen.
    """

    __check__: ClassVar[ConsistencyCheck] = ConsistencyCheck(check_energies)

    created_at: datetime | None = None
    updated_at: datetime | None = None
    vin: str | None = attrs.field(default=None, repr=False)
    last_position: Position | None = attrs.field(default=None, metadata=_block("lastPosition"))
    energies: tuple[Energy, ...] = attrs.field(default=(), metadata=_block("energies", "energy"))
    ignition: Ignition | None = attrs.field(default=None, metadata=_block("ignition"))
    engines: tuple[Engine, ...] = attrs.field(default=(), metadata=_block("engines", "engine"))
    powertrain: Powertrain | None = attrs.field(default=None, metadata=_block("powertrain"))
    preconditioning: Preconditioning | None = attrs.field(
        default=None, metadata=_block("preconditioning", "preconditionning")
    )
    doors: Doors | None = attrs.field(default=None, metadata=_block("doorsState"))
    battery: StarterBattery | None = attrs.field(default=None, metadata=_block("battery"))
    kinetic: Kinetic | None = attrs.field(default=None, metadata=_block("kinetic"))
    odometer: Odometer | None = attrs.field(
        default=None, metadata=_block("odometer", ("timed", "odometer"), "timed.odometer")
    )
    environment: Environment | None = attrs.field(default=None, metadata=_block("environment"))
    lighting: Lighting | None = attrs.field(default=None, metadata=_block("lightingSystem"))
    driving_behavior: DrivingBehavior | None = attrs.field(default=None, metadata=_block("drivingBehavior"))
    privacy: Privacy | None = attrs.field(default=None, metadata=_block("privacy"))
    safety: Safety | None = attrs.field(default=None, metadata=_block("safety"))
    alarm: AlarmState | None = attrs.field(default=None, metadata=_block("alarm"))
    service: Service | None = attrs.field(default=None, metadata=_block("service"))
    adas: Adas | None = attrs.field(default=None, metadata=_block("adas"))
    transmission: Transmission | None = attrs.field(default=None, metadata=_block("transmission"))
    wiping_blades: WipingBlades | None = attrs.field(default=None, metadata=_block("wipingBlades"))
    stolen: Theft | None = attrs.field(default=None, metadata=_block("stolen"))

    @property
    def electric(self) -> Energy | None:
        """The electric energy: ``.level`` in percent, ``.autonomy`` in km, ``.charging``; None where there is none."""
        return self._energy(EnergyType.ELECTRIC)

    @property
    def fuel(self) -> Energy | None:
        """The fuel: ``.level`` in percent, ``.autonomy`` in km; None where there is none."""
        return self._energy(EnergyType.FUEL)

    def _energy(self, kind: EnergyType) -> Energy | None:
        return next((energy for energy in self.energies if energy.type == kind), None)

    @property
    def is_charging(self) -> bool | None:
        """Whether the vehicle is being charged; None where that is not known."""
        return any_true(
            energy.charging.in_progress
            for energy in self.energies
            if energy.type == EnergyType.ELECTRIC and energy.charging is not None
        )

    @property
    def is_locked(self) -> bool | None:
        """Whether all doors are locked; None where that is not known."""
        return None if self.doors is None else self.doors.is_locked

    @property
    def is_moving(self) -> bool | None:
        """Whether the vehicle moves; None where unknown.

        By ``kinetic``: its ``moving``, else its speed. With the ignition off it does not move, unless ``kinetic`` is
        at least as new. An ignition turned on more than 5 minutes after ``kinetic`` was measured makes that unknown.
        """
        kinetic, ignition = self.kinetic, self.ignition
        moves = None if kinetic is None else kinetic.is_moving
        if ignition is None or ignition.type is None or not ignition.type.is_known:
            return moves
        is_off = ignition.type == IgnitionType.STOP
        if kinetic is None or moves is None:
            return False if is_off else None
        lag = _lag(kinetic, ignition)
        if is_off:
            return moves and lag <= timedelta()
        return moves if lag <= _SAME_TIME else None

    @property
    def mileage(self) -> float | None:
        """The odometer in kilometres."""
        return None if self.odometer is None else self.odometer.mileage

    def row(self) -> dict[str, Cell]:
        """Return it as a flat row, for a table: one value for each column, with units in the columns' names.

        ``mileage_km``, ``battery_percent``, ``battery_range_km``, positions in degrees, aware instants in UTC; None
        where unknown. Blocks that are older than the status have their own instant (``battery_at``). Every status has
        the same columns. What a row leaves out, as each door and unknown members, is in :meth:`to_dict`.
        """
        return to_row(self, STATUS_COLUMNS)

    def _repr_html_(self) -> str:
        """Return it as a notebook shows it: a table without VIN, ids and places."""
        from stellantis_hal.resources.notebook import status_html

        return status_html(self)

    def is_newer_than(self, other: Status) -> bool:
        """Return whether this status is of a later time than another; they may arrive out of order.

        Compared by the later of ``created_at`` and ``updated_at``, then by ``created_at``; a status without instants
        is the oldest.
        """
        return _times(self) > _times(other)


def _lag(block: MeasuredBlock, other: MeasuredBlock) -> timedelta:
    """Return by how much a block is older than another; nothing where either has no instant."""
    mine, others = block.measured_at, other.measured_at
    return timedelta() if mine is None or others is None else others - mine


_SAME_TIME: Final = timedelta(minutes=5)
_NEVER = datetime.min.replace(tzinfo=UTC)


def _times(status: Status) -> tuple[datetime, datetime]:
    created = status.created_at or _NEVER
    return max(created, status.updated_at or _NEVER), created
