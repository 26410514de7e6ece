"""Event stream: a buffer of events, and the rule of acknowledgement."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, nullcontext
from types import TracebackType
from typing import Protocol, Self

import anyio
import attrs
from anyio.abc import TaskGroup

from stellantis_hal.fleet.buffer import Buffer
from stellantis_hal.fleet.checkpoints.store import CheckpointError, CheckpointStore
from stellantis_hal.fleet.counters import Counts
from stellantis_hal.fleet.events import WatchEvent
from stellantis_hal.navigation.call_site_warnings import call_site, called_from
from stellantis_hal.navigation.concurrency import scoped
from stellantis_hal.storage.entering_task import EnteringTask

__all__ = ["CLOSE_TIMEOUT", "AcknowledgedStream", "Acknowledgement"]

CLOSE_TIMEOUT = 10.0
"""Seconds that the last acknowledgement, and running polls, may take when a stream is stopped."""


class Storable(Protocol):
    """What an acknowledgement saves: a checkpoint, or the record of an account."""

    def dump(self) -> bytes:
        """Return it as bytes for a store."""
        ...


@attrs.frozen
class Acknowledgement:
    """What is saved once an event was processed.

    Attributes:
        store: the store, as the owner of the event's account sees it.
        key: the key in the store.
        state: the content.
    """

    store: CheckpointStore
    key: str
    state: Storable


@attrs.frozen
class _Delivery:
    """An event in the buffer, and what acknowledges it."""

    event: WatchEvent
    acknowledgement: Acknowledgement | None = None
    is_update: bool = False


class AcknowledgedStream(AsyncIterator[WatchEvent]):
    """A stream of events, used inside ``async with`` by one consumer.

    Asking for the next event, or leaving the block without an exception, acknowledges the last one. An event that was
    not acknowledged is delivered again, with the same id, by the next stream that uses the store.
    """

    def __init__(self, store: CheckpointStore, *, name: str, size: int) -> None:
        self._store = store
        self._name = name
        self._made_at = call_site()
        self._reservation: AbstractAsyncContextManager[object] = nullcontext()
        self._counts = Counts()
        self._buffer: Buffer[_Delivery] = Buffer(size)
        self._scope: AbstractAsyncContextManager[TaskGroup, bool | None] = scoped()
        self._tasks: TaskGroup | None = None
        self._task = EnteringTask("this stream")
        self._unacknowledged: _Delivery | None = None
        self._is_asked = False
        self._is_closed = False

    @abstractmethod
    def _start(self, tasks: TaskGroup) -> None:
        """Start the tasks that fill the buffer."""

    def _on_event_delivered(self) -> None:
        """React to free space in the buffer."""

    async def __aenter__(self) -> Self:
        if self._tasks is not None:
            raise RuntimeError("this stream was entered before: make a new one for each `async with`")
        self._reservation = self._store.reserve(self._name)
        await self._reservation.__aenter__()
        try:
            self._task.enter()
            self._tasks = await self._scope.__aenter__()
            with called_from(self._made_at):
                self._start(self._tasks)
        except BaseException:
            await self._reservation.__aexit__(None, None, None)
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            if error is None:
                with anyio.move_on_after(CLOSE_TIMEOUT, shield=True) as timeout:
                    await self._acknowledge()
                    await self._on_leaving()
                if timeout.cancelled_caught:
                    raise CheckpointError(
                        f"the last update was not acknowledged within {CLOSE_TIMEOUT:g} s: the store did not save its "
                        f"checkpoint, and the update will be delivered again"
                    )
        finally:
            self._is_closed = True
            self._on_settled()
            try:
                with self._task.leaving():
                    await self._scope.__aexit__(kind, error, traceback)
            finally:
                await self._reservation.__aexit__(None, None, None)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> WatchEvent:
        """Acknowledge the last event and wait for the next.

        Raises:
            StopAsyncIteration: every event was delivered.
            CheckpointError: the acknowledgement could not be saved, or a checkpoint could not be read.
            Exception: what the source, or a function passed as an option, raised.
            RuntimeError: its block was not entered or was left, or another task waits for the next event.
        """
        if self._tasks is None:
            raise RuntimeError("the stream was not entered: use `async with watch(…) as updates: async for …`")
        if self._is_closed:
            raise RuntimeError("the stream has ended with its block: take events inside `async with`")
        if self._is_asked:
            raise RuntimeError("another task waits for the next event, which acknowledges the last: use one consumer")
        self._is_asked = True
        try:
            await self._acknowledge()
            self._unacknowledged = delivery = await self._buffer.get()
        finally:
            self._is_asked = False
        self._counts.delivered += 1
        self._on_event_delivered()
        return delivery.event

    async def _acknowledge(self) -> None:
        delivery = self._unacknowledged
        if delivery is not None and (to_save := delivery.acknowledgement) is not None:
            await to_save.store.save(to_save.key, to_save.state.dump())
            self._counts.acknowledged += delivery.is_update
        self._unacknowledged = None
        self._on_settled()

    def _on_settled(self) -> None:
        """React to an event that was acknowledged, and to the end."""

    async def _on_leaving(self) -> None:
        """Write what is to be kept, when the block is left without an exception."""

    def _holds(self, belongs: Callable[[WatchEvent], bool]) -> bool:
        """Return whether an event waits for the consumer, or for its acknowledgement."""
        held = [*self._buffer, *(() if self._unacknowledged is None else (self._unacknowledged,))]
        return any(belongs(delivery.event) for delivery in held)

    async def _emit(self, event: WatchEvent, acknowledgement: Acknowledgement | None = None) -> None:
        """Put an event into the buffer that is no update."""
        await self._buffer.put(_Delivery(event, acknowledgement))

    async def _emit_update(self, event: WatchEvent, acknowledgement: Acknowledgement) -> None:
        """Put an update into the buffer, with what acknowledges it."""
        await self._buffer.put(_Delivery(event, acknowledgement, is_update=True))
        self._counts.updates += 1

    async def _run_guarded(self, action: Callable[[], Awaitable[None]]) -> None:
        """Run an action in a task of its own; the consumer gets the exception that it raises, unchanged."""
        try:
            await action()
        except Exception as error:  # noqa: BLE001 - raised again in the consumer
            self._buffer.fail(error)
