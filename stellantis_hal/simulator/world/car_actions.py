"""A car of the world, as its driver and remote commands act upon it."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import attrs

from stellantis_hal.simulator.world.car_control_state import (
    CHARGE_TYPES,
    DOORS,
    PRIVACY_STATES,
    CarControlState,
    ChargeProgram,
    ClimateProgram,
)
from stellantis_hal.simulator.world.entities import GeoPoint, VehicleState

if TYPE_CHECKING:
    from stellantis_hal.simulator.world.world import World

__all__ = ["AWAKE", "CarActions", "CarRefusal"]

AWAKE = timedelta(minutes=3)
"""How long a car stays awake after it stopped, and how much each message adds."""

_LIGHTS = timedelta(seconds=10)
_HORN = timedelta(seconds=5)
_CLIMATE = timedelta(minutes=10)
_WAKE_UPS_PER_MONTH = 100
_LOW_BATTERY = 60.0  # percent of health of the 12 V battery, below which it is not woken
_CLIMATE_LEVEL = 20.0  # percent of the traction battery that the air conditioning wants, unless it is charged


class CarRefusal(ValueError):  # noqa: N818 - a refusal of the car, no fault of the simulator
    """The car does not do what it was told; ``cause`` is the API's word for the reason."""

    def __init__(self, cause: str, message: str) -> None:
        super().__init__(message)
        self.cause = cause


class CarActions:
    """The car of a vehicle, as a course of commands calls it; see :meth:`World.car`.

    Every method happens at once, at the time of the simulator's clock. A method that changes something returns True,
    and False where the car was already so. What has changed is in the vehicle's next status, dated by the time of the
    change. Methods raise :class:`CarRefusal` where a real car would refuse.

    A command's course::

        if not car.is_awake:
            car.wake()          # refuses without network, with an empty 12 V battery, or when too often this month
        car.receive()           # refuses because of privacy
        already_done = not car.lock()
    """

    def __init__(self, world: World, vehicle: str) -> None:
        self._world = world
        self.vehicle = vehicle
        self.wake_ups_per_month = _WAKE_UPS_PER_MONTH
        self._awake_until: datetime | None = None
        self._wake_ups: dict[tuple[int, int], int] = {}

    def __repr__(self) -> str:
        return f"CarActions(vehicle={self.vehicle!r})"

    # ------------------------------------------------------------------ observation

    @property
    def now(self) -> datetime:
        """The time by the simulator's clock; without one, that of the vehicle's last report."""
        return self._world.time_of(self.vehicle)

    @property
    def state(self) -> VehicleState:
        """The vehicle's state."""
        return self._world.vehicle_state(self.vehicle)

    @property
    def controls(self) -> CarControlState:
        """Everything that can be set: doors, climate, programs, privacy and more."""
        return self.state.controls

    @property
    def awake_until(self) -> datetime:
        """When it falls asleep: 3 minutes after its last stop, and 3 minutes later for each message."""
        stopped = self._world.stopped_at(self.vehicle) + AWAKE
        return stopped if self._awake_until is None else max(stopped, self._awake_until)

    @property
    def is_awake(self) -> bool:
        """Whether it drives, or is awake after a stop or a message."""
        return self.is_moving or self.now < self.awake_until

    @property
    def wake_ups(self) -> int:
        """How often it was woken in this month (UTC)."""
        return self._wake_ups.get((self.now.year, self.now.month), 0)

    @property
    def is_moving(self) -> bool:
        """Whether it is on a trip."""
        return self.state.moving

    @property
    def is_locked(self) -> bool:
        """Whether its doors are locked."""
        return self.state.locked

    @property
    def is_plugged(self) -> bool:
        """Whether the charging cable is in."""
        charging = self.state.charging
        return charging is not None and charging.plugged

    @property
    def is_charging(self) -> bool:
        """Whether its battery is being charged."""
        charging = self.state.charging
        return charging is not None and charging.status == "InProgress"

    @property
    def level(self) -> float | None:
        """The level of its traction battery in percent; None without one."""
        return next((energy.level for energy in self.state.levels if energy.type == "Electric"), None)

    @property
    def is_stolen(self) -> bool:
        """Whether it is reported as stolen."""
        return self.controls.stolen_since is not None

    @property
    def has_climate_on(self) -> bool:
        """Whether its air conditioning runs."""
        until = self.controls.climate_until
        return until is not None and self.now < until

    # ------------------------------------------------------------------ reach

    def wake(self) -> bool:
        """Wake it, which counts, and have it report; return False when it is awake already.

        Raises:
            CarRefusal: it has no network, its 12 V battery is low, or it was woken too often this month.
        """
        if self.is_awake:
            self.receive()
            return False
        if not self.controls.reachable:
            raise CarRefusal("VehicleConnectionTimeout", "the car has no network")
        if self.controls.battery < _LOW_BATTERY:
            raise CarRefusal("VehicleBatteryChargeTooLow", f"the 12 V battery is below {_LOW_BATTERY:g} %")
        if self.wake_ups >= self.wake_ups_per_month:
            raise CarRefusal("TooManyWakeUpsOverMonth", f"the car was woken {self.wake_ups} times this month")
        now = self.now
        self._wake_ups = {(now.year, now.month): self.wake_ups + 1}
        self._awake_until = now + AWAKE
        self._set()
        return True

    def receive(self) -> None:
        """Receive a message: it stays awake 3 minutes longer.

        Raises:
            CarRefusal: its driver keeps it private, or it has no network.
        """
        if not self.controls.reachable:
            raise CarRefusal("VehicleConnectionTimeout", "the car has no network")
        if self.controls.privacy == "Full":
            raise CarRefusal("NotPossibleDueToVehiclePrivacyLevel", "the driver has chosen full privacy")
        self._awake_until = max(self.now, self.awake_until) + AWAKE

    def report(self) -> None:
        """Report its state now."""
        self._set()

    # ------------------------------------------------------------------ doors, lights, horn

    def lock(self) -> bool:
        """Lock the doors. Raises CarRefusal when one is open."""
        if self.controls.open_doors:
            raise CarRefusal("DoorsOpen", f"open doors: {', '.join(self.controls.open_doors)}")
        return self._set_locked(True)

    def unlock(self) -> bool:
        """Unlock the doors. Raises CarRefusal when it is reported as stolen."""
        self._refuse_when_stolen()
        return self._set_locked(False)

    def open_door(self, door: str = "Driver") -> bool:
        """Open a door, which unlocks the car. Raises ValueError for a door that it does not have."""
        if door not in DOORS:
            raise ValueError(f"the doors are {', '.join(DOORS)}, not {door!r}")
        self._set_locked(False)
        return self._set(open_doors=tuple(sorted({*self.controls.open_doors, door}, key=DOORS.index)))

    def close_doors(self) -> bool:
        """Close all doors; they stay unlocked."""
        return self._set(open_doors=())

    def switch_lights(self, on: bool) -> bool:
        """Switch the lights on for 10 seconds, or off."""
        return self._set(lights_until=self.now + _LIGHTS if on else None)

    def sound_horn(self, on: bool = True) -> bool:
        """Sound the horn for 5 seconds, or silence it."""
        return self._set(horn_until=self.now + _HORN if on else None)

    # ------------------------------------------------------------------ charge

    def plug_in(self) -> bool:
        """Plug the charging cable in. Raises CarRefusal while it drives, or without a battery."""
        self._require_battery()
        if self.is_moving:
            raise CarRefusal("VehicleInUse", "the vehicle is on a trip: call park first")
        return self._world.set_plug(self.vehicle, plugged=True)

    def unplug(self) -> bool:
        """Pull the charging cable out; the battery keeps its level."""
        return self._world.set_plug(self.vehicle, plugged=False)

    def start_charging(self) -> bool:
        """Charge now, until the battery is full, at 80 % (``Partial``), or until :meth:`charge_until`.

        Raises:
            CarRefusal: there is no battery, or the cable is out.
        """
        self._require_battery()
        if not self.is_plugged:
            raise CarRefusal("VehicleChargingSystemError", "the vehicle is not plugged in: call plug_in first")
        if self.is_charging:
            return False
        self._set(charge_at=None)  # an immediate start displaces a delayed one
        return self._world.set_charge(self.vehicle, since=self.now)

    def stop_charging(self) -> bool:
        """Stop the charge, or drop its delayed start; the cable stays in."""
        self._require_battery()
        delayed = self._set(charge_at=None)
        return self._world.set_charge(self.vehicle, since=None) or delayed

    def charge_at(self, start: datetime) -> bool:
        """Delay the charge until an instant; one that goes on is stopped. The cable may be plugged in later."""
        self._require_battery()
        changed = self._set(charge_at=start)
        return self._world.set_charge(self.vehicle, since=start) or changed

    def charge_until(self, end: datetime | None = None, *, enabled: bool = True) -> bool:
        """End charges at an instant, or enable or disable the end that was set before.

        Raises:
            ValueError: no end was ever set.
        """
        self._require_battery()
        end = end or self.controls.charge_until
        if end is None:
            raise ValueError("no end of the charge was ever set: pass one")
        changed = self._set(charge_until=end, ends_charges=enabled)
        self._world.replan_charge(self.vehicle)
        return changed

    def set_charge_programs(self, programs: Iterable[ChargeProgram]) -> bool:
        """Replace the charging programs."""
        self._require_battery()
        return self._set(charge_programs=tuple(programs))

    def set_charge_preferences(self, *, level: str | None = None, type_: str | None = None) -> bool:
        """Set the charging power, ``Level1`` to ``Level5``, and ``Partial`` or ``Full``. Raises ValueError."""
        self._require_battery()
        level, type_ = level or self.controls.charge_level, type_ or self.controls.charge_type
        if level not in {f"Level{number}" for number in range(1, 6)} or type_ not in CHARGE_TYPES:
            raise ValueError(
                f"levels are Level1 to Level5, types {' and '.join(CHARGE_TYPES)}, not {level!r}, {type_!r}"
            )
        changed = self._set(charge_level=level, charge_type=type_)
        self._world.replan_charge(self.vehicle)
        return changed

    # ------------------------------------------------------------------ climate

    def start_climate(self) -> bool:
        """Run the air conditioning for 10 minutes.

        Raises:
            CarRefusal: it drives, is stolen, a door is open or unlocked, or the battery is below 20 % and not charged.
        """
        self._refuse_when_stolen()
        if self.is_moving:
            raise CarRefusal("VehicleInUse", "the vehicle is on a trip")
        if self.controls.open_doors:
            raise CarRefusal("DoorsOpen", f"open doors: {', '.join(self.controls.open_doors)}")
        if not self.is_locked:
            raise CarRefusal("VehicleIsNotLocked", "the doors are not locked")
        if self.level is not None and self.level < _CLIMATE_LEVEL and not self.is_charging:
            raise CarRefusal("NotPossibleDueToVehicleBatteryLevel", f"the battery is below {_CLIMATE_LEVEL:g} %")
        if self.has_climate_on:
            return False
        return self._set(climate_since=self.now, climate_until=self.now + _CLIMATE)

    def stop_climate(self) -> bool:
        """Stop the air conditioning."""
        return self.has_climate_on and self._set(climate_until=self.now)

    def set_climate_programs(self, programs: Iterable[ClimateProgram] = (), *, deleted: Iterable[int] = ()) -> bool:
        """Set programs of the air conditioning by their slots, and delete others; those not named stay."""
        slots = {program.slot: program for program in self.controls.climate_programs}
        slots |= {program.slot: program for program in programs}
        for slot in deleted:
            slots.pop(slot, None)
        return self._set(climate_programs=tuple(slots[slot] for slot in sorted(slots)))

    # ------------------------------------------------------------------ the rest

    def navigate(self, spots: Iterable[GeoPoint]) -> bool:
        """Send positions to the navigation; the last is the destination."""
        return self._set(destination=tuple(spots))

    def set_privacy(self, state: str) -> bool:
        """Keep ``None``, the positions (``Geolocation``) or everything (``Full``) private. Raises ValueError."""
        if state not in PRIVACY_STATES:
            raise ValueError(f"privacy is one of {', '.join(PRIVACY_STATES)}, not {state!r}")
        return self._set(privacy=state)

    def set_stolen(self, stolen: bool) -> bool:
        """Report it as stolen, or as found; fleet owners read of it in the vehicle's thefts."""
        if stolen == self.is_stolen:
            return False
        thefts = self._world.thefts
        (thefts.report if stolen else thefts.end)(self.vehicle, self.now)
        return self._set(stolen_since=self.now if stolen else None)

    def set_tracking(self, *, running: float, standing: float) -> bool:
        """Set the seconds between reports of a stolen car."""
        return self._set(tracking=(running, standing))

    def immobilize(self, active: bool = True) -> bool:
        """Prevent its next start, or allow it again."""
        return self._set(immobilized=active)

    def set_battery(self, percent: float) -> bool:
        """Set the health of the 12 V battery. Raises ValueError where it is not from 0 to 100."""
        if not 0 <= percent <= 100:
            raise ValueError(f"the battery has from 0 to 100 percent, not {percent}")
        return self._set(battery=percent)

    def set_reachable(self, reachable: bool) -> bool:
        """Connect it to its network, or take it out, as in a garage; without network it cannot be woken."""
        return self._set(reachable=reachable)

    # ------------------------------------------------------------------ helpers

    def _set(self, **changes: Any) -> bool:
        return self._world.set_controls(self.vehicle, attrs.evolve(self.controls, **changes))

    def _set_locked(self, locked: bool) -> bool:
        changed = self.is_locked != locked
        self._world.set_locked(self.vehicle, locked)
        return changed

    def _refuse_when_stolen(self) -> None:
        if self.is_stolen:
            raise CarRefusal("NotPossibleDueToVehicleStolenState", "the car is reported as stolen")

    def _require_battery(self) -> None:
        if self.level is None:
            raise CarRefusal(
                "WrongCommand", "the vehicle has no battery to charge: choose one with the energy Electric"
            )
