"""Stream of an inbox's events to one consumer."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from types import TracebackType
from typing import Self

import anyio

from stellantis_hal.notifications.entries import read_entry
from stellantis_hal.notifications.events import Notification
from stellantis_hal.notifications.inbox import Inbox, InboxError

__all__ = ["EventStream"]

_CLOSE_TIMEOUT = 10.0


class EventStream(AsyncIterator[Notification]):
    """The events of an inbox, oldest first, used inside ``async with`` by one consumer.

    Asking for the next event, or leaving the block without an exception, acknowledges the last one. An event that was
    not acknowledged is given again, with the same id, by the next stream; one that failed its consumer several times
    is set aside.
    """

    def __init__(self, inbox: Inbox) -> None:
        self._inbox = inbox
        self._consumer = uuid.uuid4().hex
        self._reservation: AbstractAsyncContextManager[None] | None = None
        self._given: int | None = None

    async def __aenter__(self) -> Self:
        if self._reservation is not None:
            raise RuntimeError("this stream was entered before: make a new one for each `async with`")
        self._reservation = self._inbox.consuming()
        await self._reservation.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        reservation = self._reservation
        assert reservation is not None  # noqa: S101 - set by __aenter__
        try:
            with anyio.move_on_after(_CLOSE_TIMEOUT, shield=True) as timeout:
                await self._finish(error)
            if timeout.cancelled_caught and error is None:
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
        """
        if self._reservation is None:
            raise RuntimeError("the stream was not entered: use `async with receiver.events() as events: async for …`")
        entry = await self._inbox.next(self._consumer, self._given)
        self._given = entry.number
        return read_entry(entry)
