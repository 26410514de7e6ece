"""One execution for any number of callers that want the same thing at the same time.

Knows tasks and events. Must not know what is executed, and remembers nothing once it is done.
"""

from __future__ import annotations

import copy
from collections.abc import Awaitable, Callable
from typing import Any, Generic, TypeVar

import anyio

from stellantis_hal.errors import ApiError, NetworkError, QuotaError, StellantisError

__all__ = ["SingleFlight"]

T = TypeVar("T")


class _InFlightCall(Generic[T]):
    """One execution under way: who waits for it, and how it ended."""

    __slots__ = ("deadline", "done", "failure", "values")

    def __init__(self) -> None:
        self.deadline: float = anyio.current_effective_deadline()
        self.done = anyio.Event()
        self.values: list[T] = []
        self.failure: StellantisError | None = None


class SingleFlight(Generic[T]):
    """Single flight: the first caller executes in its own task, the others wait for what comes of it.

    Callers that waited get the same value, or a copy of the same error each. When the first caller is cancelled, or
    fails with an error that is none of ours, one of the others takes over; so a cancelled caller harms nobody. So does
    one who has more time left, where the first may have failed for want of it.
    """

    __slots__ = ("_current",)

    def __init__(self) -> None:
        self._current: _InFlightCall[T] | None = None

    async def run(self, execute: Callable[[], Awaitable[T]]) -> T:
        """Execute, or share the execution that is under way.

        Raises:
            StellantisError: whatever the execution raised.
        """
        while self._current is not None:
            trip = self._current
            await trip.done.wait()
            if trip.values:
                return trip.values[0]
            if trip.failure is not None and not _was_hurried(trip):
                raise copy.copy(trip.failure) from trip.failure
        trip = self._current = _InFlightCall()
        try:
            value = await execute()
        except StellantisError as error:
            trip.failure = error
            raise
        else:
            trip.values.append(value)
            return value
        finally:
            self._current = None
            trip.done.set()


def _was_hurried(trip: _InFlightCall[Any]) -> bool:
    """Tell whether an execution had less time than the present caller, and failed with what time may mend."""
    failure = trip.failure
    may_pass = isinstance(failure, (ApiError, NetworkError)) and failure.is_transient
    is_hurried = trip.deadline < anyio.current_effective_deadline()
    return is_hurried and (may_pass or isinstance(failure, QuotaError))
