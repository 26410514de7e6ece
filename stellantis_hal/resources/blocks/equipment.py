"""Equipment of a car: doors, lights, belts, wipers, starter battery, services."""

from __future__ import annotations

from typing import Final

import attrs

from stellantis_hal.resources.blocks.measured import MeasuredBlock
from stellantis_hal.resources.tri_state import any_true
from stellantis_hal.structuring.field_mapping import names
from stellantis_hal.structuring.model import Model
from stellantis_hal.structuring.open_enum import OpenEnum

__all__ = [
    "Belt",
    "BeltState",
    "DoorLock",
    "DoorOpening",
    "DoorState",
    "Doors",
    "ECallTriggering",
    "Light",
    "LightDirection",
    "LightPosition",
    "LightStatus",
    "LightSwitches",
    "Lighting",
    "Opening",
    "Privacy",
    "PrivacyState",
    "Safety",
    "Seat",
    "Service",
    "ServiceKind",
    "StarterBattery",
    "WipingBlades",
    "WipingSpeed",
]


class LightDirection(OpenEnum):
    """The side a light is on."""

    LEFT = "Left"
    RIGHT = "Right"


class LightPosition(OpenEnum):
    """The end a light is on."""

    FRONT = "Front"
    REAR = "Rear"


class LightStatus(OpenEnum):
    """Whether a light is on."""

    OFF = "Off"
    ON = "On"


class PrivacyState(OpenEnum):
    """The privacy mode."""

    NONE = "None"
    GEOLOCATION = "Geolocation"
    FULL = "Full"


class ServiceKind(OpenEnum):
    """The kind of vehicle that a service is for."""

    ELECTRIC = "Electric"
    HYBRID = "Hybrid"
    UNKNOWN = "Unknown"


class BeltState(OpenEnum):
    """Whether a seat belt is fastened as required."""

    NORMAL = "Normal"
    OMISSION = "Omission"


class Seat(OpenEnum):
    """A seat."""

    DRIVER = "Driver"
    PASSENGER = "Passenger"


class ECallTriggering(OpenEnum):
    """Whether the automatic emergency call was triggered."""

    NOT_DETECTED = "NotDetected"
    DETECTED = "Detected"
    SHOCK_DETECTION_UNABLED = "ShockDetectionUnabled"


class WipingSpeed(OpenEnum):
    """Speed of the wipers."""

    HIGH = "High"
    LOW = "Low"


class DoorLock(OpenEnum):
    """A lock state of doors."""

    UNLOCKED = "Unlocked"
    LOCKED = "Locked"
    SUPER_LOCKED = "SuperLocked"
    DRIVER_DOOR_UNLOCKED = "DriverDoorUnlocked"
    CABIN_DOORS_UNLOCKED = "CabinDoorsUnlocked"
    CARGO_DOORS_LOCKED = "CargoDoorsLocked"
    CARGO_DOORS_UNLOCKED = "CargoDoorsUnlocked"
    REAR_DOORS_UNLOCKED = "RearDoorsUnlocked"
    REAR_DOORS_LOCKED = "RearDoorsLocked"
    TRUNK_LOCKED = "TrunkLocked"
    TRUNK_UNLOCKED = "TrunkUnLocked"


class Opening(OpenEnum):
    """A door or window."""

    DRIVER = "Driver"
    PASSENGER = "Passenger"
    REAR_LEFT = "RearLeft"
    REAR_RIGHT = "RearRight"
    TRUNK = "Trunk"
    REAR_WINDOW = "RearWindow"
    ROOF_WINDOW = "RoofWindow"


class DoorState(OpenEnum):
    """Whether a door or window is open."""

    OPEN = "Open"
    CLOSED = "Closed"


_WINDOWS: Final = frozenset({Opening.REAR_WINDOW, Opening.ROOF_WINDOW})


@attrs.frozen(kw_only=True, weakref_slot=False)
class Light(Model):
    """One light."""

    direction: LightDirection | None = None
    position: LightPosition | None = None
    status: LightStatus | None = None


@attrs.frozen(kw_only=True, weakref_slot=False)
class Lighting(MeasuredBlock):
    """Turn signals and fog lights."""

    turn: tuple[Light, ...] = ()
    fog: tuple[Light, ...] = ()


@attrs.frozen(kw_only=True, weakref_slot=False)
class LightSwitches(Model):
    """Lights as older telemetry of fleets lists them: sides, ends and states, apart from each other."""

    turn: tuple[LightDirection, ...] = ()
    light: tuple[LightPosition, ...] = ()
    status: tuple[LightStatus, ...] = ()


@attrs.frozen(kw_only=True, weakref_slot=False)
class Privacy(MeasuredBlock):
    """The privacy mode, and since when."""

    state: PrivacyState | None = None


@attrs.frozen(kw_only=True, weakref_slot=False)
class StarterBattery(MeasuredBlock):
    """The 12 V battery.

    Attributes:
        voltage: the state of health in percent, despite the vendor's name; see ``health``.
        created_at: when this was measured.
    """

    voltage: float | None = attrs.field(default=None, metadata=names(unit="percent"))

    @property
    def health(self) -> float | None:
        """The state of health in percent, which the API names ``voltage``."""
        return self.voltage


@attrs.frozen(kw_only=True, weakref_slot=False)
class Service(MeasuredBlock):
    """The kind of vehicle that a service is for."""

    type: ServiceKind | None = None


@attrs.frozen(kw_only=True, weakref_slot=False)
class Belt(Model):
    """One seat belt."""

    belt: BeltState | None = None
    seat: Seat | None = attrs.field(default=None, metadata=names("id"))


@attrs.frozen(kw_only=True, weakref_slot=False)
class Safety(MeasuredBlock):
    """Seat belts and the automatic emergency call."""

    belts: tuple[Belt, ...] = attrs.field(default=(), metadata=names("beltStatus"))
    e_call: ECallTriggering | None = attrs.field(default=None, metadata=names("autoECallTriggering"))


@attrs.frozen(kw_only=True, weakref_slot=False)
class WipingBlades(MeasuredBlock):
    """The wipers: whether they are on, and their speed.

    Attributes:
        active: whether they are on.
    """

    active: bool | None = None
    speed: WipingSpeed | None = None


@attrs.frozen(kw_only=True, weakref_slot=False)
class DoorOpening(Model):
    """A door or window, and whether it is open."""

    identifier: Opening | None = None
    state: DoorState | None = None

    @property
    def is_open(self) -> bool | None:
        """Whether it is open; None where unknown, as by a state that this library does not list."""
        return self.state == DoorState.OPEN if self.state is not None and self.state.is_known else None

    @property
    def is_listed(self) -> bool:
        """Whether this library lists the identifier; True for a missing one, which only doors have."""
        return self.identifier is None or self.identifier.is_known


@attrs.frozen(kw_only=True, weakref_slot=False)
class Doors(MeasuredBlock):
    """Locked and open doors."""

    locked_states: tuple[DoorLock, ...] = attrs.field(default=(), metadata=names("lockedStates", "lockedState"))
    openings: tuple[DoorOpening, ...] = attrs.field(default=(), metadata=names("opening"))

    @property
    def is_locked(self) -> bool | None:
        """Whether all doors are locked; None where unknown: only some are, or an unknown state says unlocked."""
        unlocked = [state for state in self.locked_states if state.lower().endswith("unlocked")]
        if unlocked:
            return False if any(state.is_known for state in unlocked) else None
        return True if {DoorLock.LOCKED, DoorLock.SUPER_LOCKED} & set(self.locked_states) else None

    @property
    def is_open(self) -> bool | None:
        """Whether any door or the trunk is open; None where unknown. Windows and the sunroof are no doors."""
        doors = [opening for opening in self.openings if opening.identifier not in _WINDOWS]
        if any(opening.is_open and opening.is_listed for opening in doors):
            return True
        states = {opening.is_open for opening in doors if opening.state is not None}
        return False if states == {False} else None

    @property
    def is_sunroof_open(self) -> bool | None:
        """Whether the sunroof is open; None where unknown."""
        return self._is_open(Opening.ROOF_WINDOW)

    @property
    def is_rear_window_open(self) -> bool | None:
        """Whether the rear window is open; None where unknown."""
        return self._is_open(Opening.REAR_WINDOW)

    def _is_open(self, identifier: Opening) -> bool | None:
        return any_true(opening.is_open for opening in self.openings if opening.identifier == identifier)
