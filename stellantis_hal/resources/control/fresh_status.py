"""A fresh status, by waking the car only where the vendor's own application did."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Final

from stellantis_hal.resources.blocks.energy import ChargingStatus, EnergyType
from stellantis_hal.resources.control.operation import Operation
from stellantis_hal.resources.status import Status

__all__ = ["is_fresh", "refresh_status", "wants_wake_up"]

_WOKEN: Final = frozenset({ChargingStatus.IN_PROGRESS, ChargingStatus.DISCONNECTED})


def wants_wake_up(status: Status) -> bool:
    """Return whether the vendor's rule wakes the car: it is plugged in, and charges or is said to be disconnected."""
    return any(
        energy.charging is not None and energy.charging.plugged is True and energy.charging.status in _WOKEN
        for energy in status.energies
        if energy.type == EnergyType.ELECTRIC
    )


def is_fresh(status: Status, older_than: timedelta, now: datetime) -> bool:
    """Return whether a status is at most so old."""
    known = [instant for instant in (status.created_at, status.updated_at) if instant is not None]
    return bool(known) and now - max(known) <= older_than


async def refresh_status(
    read: Callable[[], Awaitable[Status | None]],
    wake_up: Callable[[], Awaitable[Operation]],
    *,
    older_than: timedelta,
    clock: Callable[[], datetime],
    within: float,
) -> Status | None:
    """Return a status, after waking the car where that is due.

    Args:
        read: reads the status.
        wake_up: wakes the car.
        older_than: the age beyond which a status is to be refreshed.
        clock: the wall clock.
        within: seconds to wait for the car, and as many for its status.
    """
    status = await read()
    if status is None or is_fresh(status, older_than, clock()) or not wants_wake_up(status):
        return status
    operation = await wake_up()
    await operation.result(timeout=within)
    return await operation.confirmed(lambda _: True, within=within)
