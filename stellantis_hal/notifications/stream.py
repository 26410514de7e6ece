"""Stream of an inbox's events to one consumer."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from functools import partial
from types import TracebackType
from typing import Self, TypeVar

import anyio

from stellantis_hal.notifications.events import Notification
from stellantis_hal.notifications.inbox import Inbox, InboxError
from stellantis_hal.notifications.inbox_format import read_entry
from stellantis_hal.storage.run_to_completion import run_to_completion
from stellantis_hal.transport.loop_handle import LoopHandle

__all__ = ["EventStream"]

T = TypeVar("T")

_CLOSE_TIMEOUT = 10.0


class EventStream(AsyncIterator[Notification]):
    """The events of an inbox, oldest first, used inside ``async with`` by one consumer.

    Asking for the next event, or leaving the block without an exception, acknowledges the last one. An event that was
    not acknowledged is given again, with the same id, by the next stream; one that failed its consumer several times
    is set aside. :meth:`stop` ends it after the event in hand.
    """

    def __init__(self, inbox: Inbox) -> None:
        self._inbox = inbox
        self._consumer = uuid.uuid4().hex
        self._is_entered = False
        self._is_left = False
        self._is_asked = False
        self._reservation: AbstractAsyncContextManager[None] | None = None
        self._given: int | None = None
        self._loop: LoopHandle | None = None
        self._is_stopped = False
        self._waiting: anyio.CancelScope | None = None

    def stop(self) -> None:
        """End the stream after the event in hand, which is acknowledged as ever; the others wait for the next stream.

        Works in handlers of signals (``loop.add_signal_handler(signal.SIGTERM, events.stop)``), in callbacks of the
        event loop, and in other threads. A stream that stands by for another process has no events then.
        """
        self._is_stopped = True
        if self._loop is not None:
            self._loop.call_soon(self._end_waiting)

    def _end_waiting(self) -> None:
        if self._waiting is not None:
            self._waiting.cancel()

    async def _until_stopped(self, wait: Callable[[], Awaitable[T]]) -> T | None:
        """Return what is waited for; None where the stream is stopped before."""
        result: T | None = None
        if not self._is_stopped:
            try:
                with anyio.CancelScope() as self._waiting:
                    result = await wait()
            finally:
                self._waiting = None
        return result

    async def __aenter__(self) -> Self:
        if self._is_entered:
            raise RuntimeError("this stream was entered before: make a new one for each `async with`")
        self._is_entered = True
        self._loop = LoopHandle()
        await self._until_stopped(self._reserve)
        return self

    async def _reserve(self) -> None:
        reservation = self._inbox.consuming()
        await reservation.__aenter__()
        self._reservation = reservation

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._is_left = True
        reservation = self._reservation
        if reservation is None:  # stopped before it was the only consumer
            return

        async def finish_in_time() -> bool:
            with anyio.move_on_after(_CLOSE_TIMEOUT) as timeout:
                await self._finish(error)
            return not timeout.cancelled_caught

        is_finished = False
        try:
            with anyio.CancelScope(shield=True):  # bounded by the time-out
                is_finished = await run_to_completion(finish_in_time)
            if not is_finished and error is None:
                raise InboxError(
                    f"the last event was not acknowledged within {_CLOSE_TIMEOUT:g} s, and will be given again"
                )
        finally:
            await reservation.__aexit__(None, None, None)

    async def _finish(self, error: BaseException | None) -> None:
        if error is None and self._given is not None:
            await self._inbox.acknowledge(self._given)
        if isinstance(error, Exception):
            return  # its consumer failed, which counts
        try:
            await self._inbox.release(self._consumer)
        except InboxError:
            if error is None:
                raise

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Notification:
        """Acknowledge the last event and wait for the next.

        Raises:
            InboxError: the acknowledgement could not be stored, or no event can be read.
            RuntimeError: its block was not entered or was left, or another task waits for the next event.
        """
        if not self._is_entered:
            raise RuntimeError("the stream was not entered: use `async with receiver.events() as events: async for …`")
        if self._is_left:
            raise RuntimeError("the stream has ended with its block: take events inside `async with`")
        if self._is_asked:
            raise RuntimeError("another task waits for the next event, which acknowledges the last: use one consumer")
        self._is_asked = True
        try:
            entry = await self._until_stopped(partial(self._inbox.next, self._consumer, self._given))
        finally:
            self._is_asked = False
        if entry is None:  # the end of the block acknowledges the last event, and puts back one that was just taken
            raise StopAsyncIteration
        self._given = entry.number
        return read_entry(entry)
