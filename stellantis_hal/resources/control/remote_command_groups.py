"""Commands to a vehicle by group: doors, charging, climate, theft."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from typing import Protocol

from stellantis_hal.resources.blocks.energy import ChargeProgram
from stellantis_hal.resources.control import remote_actions as actions
from stellantis_hal.resources.control.operation import Operation
from stellantis_hal.resources.control.remote_actions import ChargingProgram, Program, RemoteActionRequest

__all__ = ["RemoteCharging", "RemoteClimate", "RemoteDoors", "RemoteStolen"]


class CommandSender(Protocol):
    """Sends an action to the vehicle."""

    async def __call__(
        self, action: RemoteActionRequest, label: str | None = None, *, force: bool = False
    ) -> Operation: ...


class RemoteDoors:
    """The doors of a vehicle."""

    def __init__(self, send: CommandSender) -> None:
        self._send = send

    async def lock(self, *, label: str | None = None, force: bool = False) -> Operation:
        """Lock the doors."""
        return await self._send(actions.locks(locked=True), label, force=force)

    async def unlock(self, *, label: str | None = None, force: bool = False) -> Operation:
        """Unlock the doors."""
        return await self._send(actions.locks(locked=False), label, force=force)


class RemoteCharging:
    """Charging of a vehicle."""

    def __init__(self, send: CommandSender, clock: Callable[[], datetime], *, has_slots: bool) -> None:
        self._send = send
        self._clock = clock
        self._has_slots = has_slots

    async def start(self, *, label: str | None = None, force: bool = False) -> Operation:
        """Start charging now; a start at a later hour is dropped by that."""
        return await self._send(actions.charge_now(start=True), label, force=force)

    async def stop(self, *, label: str | None = None, force: bool = False) -> Operation:
        """Stop charging."""
        return await self._send(actions.charge_now(start=False), label, force=force)

    async def at(self, start: datetime, *, label: str | None = None, force: bool = False) -> Operation:
        """Start charging at an aware instant in the future."""
        return await self._send(actions.charge_at(start, now=self._clock()), label, force=force)

    async def until(self, end: datetime | None, *, label: str | None = None, force: bool = False) -> Operation:
        """End charging at an aware instant in the future; None turns the end off."""
        return await self._send(actions.charge_until(end, now=self._clock()), label, force=force)

    async def programs(
        self, programs: Iterable[ChargingProgram | ChargeProgram], *, label: str | None = None, force: bool = False
    ) -> Operation:
        """Replace the charging programs, by new ones or by those of a status; without any they are removed.

        Commands cannot say the ``charge_until_full`` of a status.
        """
        action = actions.charge_by_programs(programs, has_slots=self._has_slots)
        return await self._send(action, label, force=force)

    async def prefer(
        self,
        *,
        level: int | None = None,
        type: str | None = None,  # noqa: A002 - the API's word
        label: str | None = None,
        force: bool = False,
    ) -> Operation:
        """Set the power, from 1 to 5, and whether to charge ``"Full"`` or ``"Partial"``."""
        return await self._send(actions.prefer_charging(level=level, type=type), label, force=force)


class RemoteClimate:
    """The air conditioning of a parked vehicle."""

    def __init__(self, send: CommandSender) -> None:
        self._send = send

    async def start(self, *, label: str | None = None, force: bool = False) -> Operation:
        """Start the air conditioning now."""
        return await self._send(actions.start_climate(on=True), label, force=force)

    async def stop(self, *, label: str | None = None, force: bool = False) -> Operation:
        """Stop the air conditioning."""
        return await self._send(actions.start_climate(on=False), label, force=force)

    async def set(self, *programs: Program, label: str | None = None, force: bool = False) -> Operation:
        """Set programs; slots that are not named stay as they are."""
        return await self._send(actions.set_climate(programs), label, force=force)

    async def delete(
        self, *slots: int, slot: int | None = None, label: str | None = None, force: bool = False
    ) -> Operation:
        """Delete the programs of slots: ``delete(slot=1)``, ``delete(1, 2)``."""
        named = slots if slot is None else (*slots, slot)
        return await self._send(actions.delete_climate(named), label, force=force)


class RemoteStolen:
    """A stolen vehicle of a fleet. Every command wants the VIN typed again: ``confirm=vehicle.vin``."""

    def __init__(self, send: CommandSender, check: Callable[[str], None]) -> None:
        self._send = send
        self._check = check

    async def declare(self, *, confirm: str, label: str | None = None, force: bool = False) -> Operation:
        """Declare the vehicle stolen."""
        self._check(confirm)
        return await self._send(actions.stolen_state(stolen=True), label, force=force)

    async def clear(self, *, confirm: str, label: str | None = None, force: bool = False) -> Operation:
        """Declare the vehicle found."""
        self._check(confirm)
        return await self._send(actions.stolen_state(stolen=False), label, force=force)

    async def track(
        self, *, running: timedelta, shutdown: timedelta, confirm: str, label: str | None = None, force: bool = False
    ) -> Operation:
        """Set how often the vehicle reports its position: while its engine runs, and while it does not."""
        action = actions.track_stolen(running=running, shutdown=shutdown)
        self._check(confirm)
        return await self._send(action, label, force=force)

    async def immobilize(
        self, *, active: bool = True, confirm: str, label: str | None = None, force: bool = False
    ) -> Operation:
        """Keep the engine of the stolen vehicle from starting; with ``active=False`` allow it again."""
        action = actions.stolen_immobilization(active=active)
        self._check(confirm)
        return await self._send(action, label, force=force)
