"""Single flight: one execution shared by concurrent callers."""

from __future__ import annotations

import copy
from collections.abc import Awaitable, Callable
from typing import Any, Generic, TypeVar

import anyio

from stellantis_hal.errors import ApiError, NetworkError, QuotaError, StellantisError

__all__ = ["SingleFlight"]

T = TypeVar("T")


class _InFlightCall(Generic[T]):
    """An execution in progress, and its result."""

    __slots__ = ("deadline", "done", "failure", "values")

    def __init__(self) -> None:
        self.deadline: float = anyio.current_effective_deadline()
        self.done = anyio.Event()
        self.values: list[T] = []
        self.failure: StellantisError | None = None


class SingleFlight(Generic[T]):
    """The first caller executes in its own task, concurrent callers wait for its result, and nothing is kept.

    Each waiting caller gets the same value, or a copy of the same error. If the first caller is cancelled, or raises an
    exception other than ``StellantisError``, one of the others executes instead. So does a caller with a later deadline
    if the first may have failed because of its own.
    """

    __slots__ = ("_current",)

    def __init__(self) -> None:
        self._current: _InFlightCall[T] | None = None

    @property
    def is_running(self) -> bool:
        """Whether an execution is in progress."""
        return self._current is not None

    async def run(self, execute: Callable[[], Awaitable[T]]) -> T:
        """Execute, or share the execution in progress.

        Raises:
            StellantisError: the execution failed.
        """
        while self._current is not None:
            call = self._current
            await call.done.wait()
            if call.values:
                return call.values[0]
            if call.failure is not None and not _ran_out_of_time(call):
                raise copy.copy(call.failure) from call.failure
        call = self._current = _InFlightCall()
        try:
            value = await execute()
        except StellantisError as error:
            call.failure = error
            raise
        else:
            call.values.append(value)
            return value
        finally:
            self._current = None
            call.done.set()


def _ran_out_of_time(call: _InFlightCall[Any]) -> bool:
    """Return whether an execution had an earlier deadline than this caller, and failed in a way that time may cure."""
    failure = call.failure
    is_transient = isinstance(failure, (ApiError, NetworkError)) and failure.is_transient
    had_less_time = call.deadline < anyio.current_effective_deadline()
    return had_less_time and (is_transient or isinstance(failure, QuotaError))
