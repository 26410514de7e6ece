"""Operations: commands that the server has taken, until their end."""

from __future__ import annotations

import enum
import weakref
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import datetime, timedelta
from inspect import isawaitable, iscoroutine
from typing import TYPE_CHECKING, Any, Final, NoReturn, Self

import anyio
import attrs

from stellantis_hal.errors import (
    ApiError,
    NetworkError,
    NotFoundError,
    NotHalError,
    QuotaError,
    RemoteFailedError,
    ServerError,
    StellantisError,
)
from stellantis_hal.hal.http_dates import parse_http_date
from stellantis_hal.hal.redaction import mask_repr
from stellantis_hal.navigation.concurrency import require_one_consumer
from stellantis_hal.navigation.context import ResourceContext
from stellantis_hal.navigation.fetch_protocol import PrioritizedFetch
from stellantis_hal.navigation.resource import HalResource
from stellantis_hal.resources.control.command_ledger import CommandLedger
from stellantis_hal.resources.control.control_dependencies import services_of
from stellantis_hal.resources.control.operation_record import OperationRecord
from stellantis_hal.resources.control.operation_step import OperationStatus, OperationStep
from stellantis_hal.resources.control.remote_actions import ActionKind
from stellantis_hal.resources.control.step_history import GRACE, StepHistory, failure_cause, read_step
from stellantis_hal.resources.latest_endpoints import STATUS
from stellantis_hal.resources.status import Status
from stellantis_hal.transport.loop_handle import LoopHandle, loop_time
from stellantis_hal.validation import require_type

if TYPE_CHECKING:
    from stellantis_hal.resources.control.receiver_protocol import EventReceiver

__all__ = ["Operation", "OperationOutcome", "OperationSteps", "interactive", "may_pass", "server_time"]

_FIRST_POLL: Final = 2.0
_GROWTH: Final = 1.6
_LONGEST_PAUSE: Final = 30.0
_FIRST_POLL_BESIDE_EVENTS: Final = 20.0
_PAUSE_BESIDE_EVENTS: Final = 60.0
_MAX_FAILURES: Final = 3
_STATUS_PAUSE: Final = 3.0
_LONGEST_STATUS_PAUSE: Final = 15.0


class OperationOutcome(enum.StrEnum):
    """How an operation ended where it did not fail."""

    SUCCESS = "Success"
    ALREADY_DONE = "AlreadyDone"


class Operation:
    """A command that the server has taken. Waiting for it may end; the car's action does not.

    ``async for step in operation`` gives each different step once, and ends with the operation. Any number of tasks may
    iterate; they share the polls. There is no way to cancel a command.

    Made by the methods of :class:`Remote`, and by ``account.operation(token)``.
    """

    def __init__(self, record: OperationRecord, context: ResourceContext, *, is_new: bool = False) -> None:
        services = services_of(context)
        self._record = record
        self._context = interactive(context)
        self._ledger = CommandLedger(services, record.car, context.clock)
        self._history = StepHistory()
        self._log: list[OperationStep] = []
        self._changed: anyio.Event | None = None
        self._changed_at = 0.0
        self._is_polling = False
        self._failures = 0
        self._is_settled = False
        self._polls = 0
        self._is_fed = services.feed is not None
        self._next_poll: float | None = None
        if is_new:
            self._next_poll = anyio.current_time() + (_FIRST_POLL_BESIDE_EVENTS if self._is_fed else _FIRST_POLL)
        self._unsubscribe = None if services.feed is None else _subscribe(self, services.feed)

    def __repr__(self) -> str:
        kind = "unknown" if self._record.kind is None else self._record.kind.value
        return f"<Operation {kind} {mask_repr(self.label)} {self.status or 'without a step yet'}>"

    def __reduce__(self) -> NoReturn:
        """Refuse to be pickled.

        Raises:
            TypeError: always.
        """
        raise TypeError("an operation belongs to its client: save operation.token, and use account.operation(token)")

    @property
    def id(self) -> str:
        """The API's id of the operation."""
        return self._record.id

    @property
    def url(self) -> str:
        """The address of the operation."""
        return self._record.url

    @property
    def kind(self) -> ActionKind | None:
        """The kind of the action; None for one that this library does not list."""
        return self._record.kind

    @property
    def label(self) -> str | None:
        """The label that the command was sent with: that of the caller, and eight random letters."""
        return self._record.label

    @property
    def sent_at(self) -> datetime | None:
        """When the command was sent, by the server's clock where it states that; None where it is not known."""
        return self._record.sent_at

    @property
    def token(self) -> str:
        """A text for ``account.operation(token)``, in any process. It holds ids of the account's vehicle."""
        return self._record.token()

    @property
    def steps(self) -> tuple[OperationStep, ...]:
        """The different steps so far, in the order of their arrival."""
        return tuple(self._log)

    @property
    def status(self) -> OperationStatus | None:
        """The status furthest on so far; None before the first step."""
        latest = self._history.latest
        return None if latest is None else latest.status

    @property
    def is_over(self) -> bool:
        """Whether the end is known; without a request."""
        return self._history.outcome is not None or (
            self._history.is_blocked and anyio.current_time() >= self._changed_at + GRACE
        )

    def offer(self, step: OperationStep) -> None:
        """Add a step that arrived otherwise, as in an event; from a task or a callback of the client's event loop."""
        history = self._history.with_step(step)
        if history is self._history:
            return
        self._history = history
        self._log.append(step)
        self._changed_at = loop_time()
        self._notify()
        if history.outcome is not None:
            self._end_subscription()

    def __aiter__(self) -> OperationSteps:
        return OperationSteps(self)

    async def result(self, *, timeout: float | None = 300.0) -> OperationOutcome:
        """Wait for the end of the operation.

        Args:
            timeout: seconds; None: until there is an end.

        Raises:
            RemoteFailedError: the car did not execute the command.
            TimeoutError: the end is not known yet; the operation goes on, and can be waited for again.
            StellantisError: the server could not be asked, three times in a row.
        """
        require_type("timeout", timeout, int, float, None)
        with anyio.move_on_after(timeout):
            async for _ in self:
                pass
        if not self.is_over:
            latest = "no step" if self.status is None else f"the latest step is {mask_repr(self.status)}"
            raise TimeoutError(
                f"the end of the operation is not known after {timeout:g} s: {latest}; it goes on, so wait for it again"
            )
        return self.require_outcome()

    def require_outcome(self) -> OperationOutcome:
        """Return how the operation ended.

        Raises:
            RemoteFailedError: the car did not execute the command.
            RuntimeError: its end is not known.
        """
        latest = self._history.latest
        if latest is None or not self.is_over:
            raise RuntimeError("the end of the operation is not known yet: await operation.result()")
        if latest.status == OperationStatus.SUCCESS:
            return OperationOutcome.SUCCESS
        if latest.status == OperationStatus.ALREADY_DONE:
            return OperationOutcome.ALREADY_DONE
        cause = failure_cause(latest)
        advice = "the API named no cause" if cause is None else cause.advice
        named = "" if cause is None else f" ({mask_repr(cause.value)})"
        kind = "command" if self._record.kind is None else self._record.kind.value
        raise RemoteFailedError(
            f"{kind}: the car did not execute it{named}: {advice}",
            cause=cause,
            advice=advice,
            is_retryable=cause is not None and cause.is_retryable,
            status=latest.status,
        )

    async def confirmed(self, predicate: Callable[[Status], bool], *, within: float = 60.0) -> Status:
        """Read the vehicle's status until it is newer than the operation, and as expected; return it.

        After an operation has succeeded, the status is that from before for a while. The block that the action changes
        has to be newer than the command: the doors, the electric energy, the air conditioning; else the whole status.
        Where :attr:`sent_at` is None, any status counts that is as expected.

        Args:
            predicate: whether a status is as expected: ``lambda status: status.is_locked``.
            within: seconds.

        Raises:
            TimeoutError: no such status came; the message says how old the latest one is.
            StellantisError: the server could not be asked.
            TypeError: ``predicate`` is no function or an async one, or ``within`` no number.
        """
        require_type("within", within, int, float)
        if not callable(predicate):
            raise TypeError(f"predicate must be a function of a status, not {type(predicate).__name__}")
        seen: datetime | None = None
        vehicle: HalResource | None = None
        pause = _STATUS_PAUSE
        with anyio.move_on_after(within):
            while True:
                if vehicle is None:
                    vehicle = await HalResource.from_url(self._record.vehicle_url, self._context)
                status = await STATUS.fetch(vehicle)
                if status is not None:
                    seen = changed_at(status, self._record.kind)
                    if self._is_newer(seen) and _holds(predicate, status):
                        return status
                await anyio.sleep(pause)
                pause = min(_LONGEST_STATUS_PAUSE, pause * _GROWTH)
        age = "no status was read" if seen is None else f"the latest one is of {seen.isoformat(timespec='seconds')}"
        sent = "unknown" if self.sent_at is None else self.sent_at.isoformat(timespec="seconds")
        raise TimeoutError(
            f"no status newer than the operation, and as expected, within {within:g} s: {age}, the operation of {sent}"
        )

    def _is_newer(self, changed: datetime | None) -> bool:
        return changed is not None and (self.sent_at is None or changed > self.sent_at)

    # --------------------------------------------------------------------------------------------- iterating

    async def next_step(self, index: int) -> OperationStep | None:
        """Return the step of an index, in the order of arrival; None where the operation is over without it.

        Raises:
            StellantisError: the server could not be asked, three times in a row.
        """
        while True:
            if index < len(self._log):
                return self._log[index]
            if self.is_over:
                await self._settle()
                return None
            now = anyio.current_time()
            due = self._due(now)
            if due <= now and not self._is_polling:
                await self._poll()
            else:  # the end of another task's poll is a change too
                await self._wait_for_change(None if self._is_polling else due - now)

    async def _wait_for_change(self, seconds: float | None) -> None:
        if self._changed is None:
            self._changed = anyio.Event()
        with anyio.move_on_after(seconds):
            await self._changed.wait()

    def _due(self, now: float) -> float:
        """Return when the next poll is due, or the end of the grace of a blocked operation."""
        if self._next_poll is None:
            self._next_poll = now
        if self._history.is_blocked:
            return min(self._next_poll, self._changed_at + GRACE)
        return self._next_poll

    async def _poll(self) -> None:
        """Read the operation once; other iterations wait for it."""
        self._is_polling = True
        try:
            resource = await HalResource.from_url(self._record.url, self._context)
            value = resource.value
            step = None
            if isinstance(value, Mapping):
                step = read_step(value, source="poll", at=self._context.clock())
            self._failures = 0
        except (ApiError, NetworkError, NotHalError, QuotaError) as error:
            self._failures += 1
            if not may_pass(error) or self._failures >= _MAX_FAILURES:
                self._failures = 0
                raise
        else:
            if step is not None:
                self.offer(step)
        finally:
            self._is_polling = False
            self._polls += 1
            self._next_poll = anyio.current_time() + self._pause()
            self._notify()

    def _pause(self) -> float:
        if self._is_fed:
            return _PAUSE_BESIDE_EVENTS
        exponent = min(self._polls, 12)
        return min(_LONGEST_PAUSE, _FIRST_POLL * _GROWTH**exponent)

    def _notify(self) -> None:
        changed, self._changed = self._changed, None
        if changed is not None:
            changed.set()

    async def _settle(self) -> None:
        """Record the end for the policy, once."""
        kind, label, latest = self._record.kind, self._record.label, self._history.latest
        if self._is_settled or kind is None or label is None or latest is None:
            return
        await self._ledger.finish(kind, label, failure_cause(latest), sent_at=self._record.sent_at)
        self._is_settled = True

    async def read_once(self) -> bool:
        """Read the operation once, without a pause; return whether it is over.

        Raises:
            StellantisError: the server could not be asked.
        """
        await self._poll()
        if self.is_over:
            await self._settle()
        return self.is_over

    def _end_subscription(self) -> None:
        unsubscribe, self._unsubscribe = self._unsubscribe, None
        if unsubscribe is not None:
            unsubscribe()


class OperationSteps:
    """The iteration over the steps of an operation."""

    def __init__(self, operation: Operation) -> None:
        self._operation = operation
        self._index = 0
        self._is_awaited = False

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> OperationStep:
        require_one_consumer(self._is_awaited)
        self._is_awaited = True
        try:
            step = await self._operation.next_step(self._index)
        finally:
            self._is_awaited = False
        if step is None:
            raise StopAsyncIteration
        self._index += 1
        return step


def _holds(predicate: Callable[[Status], bool], status: Status) -> bool:
    """Return whether a status is as expected.

    Raises:
        TypeError: the predicate is an async function, whose coroutine says nothing.
    """
    outcome: Any = predicate(status)
    if isawaitable(outcome):
        if iscoroutine(outcome):
            outcome.close()
        raise TypeError("predicate must be a function that returns True or False, not an async one")
    return bool(outcome)


def _subscribe(operation: Operation, feed: EventReceiver) -> Callable[[], None]:
    """Subscribe an operation to its events as long as it exists; return what ends that.

    The server of the receiver may run in an event loop of another thread.
    """
    reference = weakref.ref(operation)
    loop: LoopHandle | None = None
    with suppress(RuntimeError):  # made before any event loop runs
        loop = LoopHandle()

    def listen(step: OperationStep) -> None:
        def offer() -> None:
            if (found := reference()) is not None:
                found.offer(step)

        if loop is None or loop.is_running():
            offer()
        else:
            loop.call_soon(offer)

    finalizer = weakref.finalize(operation, feed.subscribe(operation.id, listen))
    finalizer.atexit = False
    return lambda: finalizer() and None


def interactive(context: ResourceContext) -> ResourceContext:
    """Return the context with interactive priority; its reads are answered by the server, not by a cache."""
    headers = {**context.headers, **context.reload_fields}
    fetch = context.fetch
    if isinstance(fetch, PrioritizedFetch):
        fetch = fetch.with_options(priority="interactive")
    return attrs.evolve(context, fetch=fetch, headers=headers)


def server_time(resource: HalResource, clock: Callable[[], datetime]) -> datetime:
    """Return the server's time of a response, in whole seconds; without one the client's."""
    stated = parse_http_date(resource.headers.get("date", ""))
    return clock() - timedelta(seconds=1) if stated is None else stated


def changed_at(status: Status, kind: ActionKind | None) -> datetime | None:
    """Return when the block that an action changes was measured; without one, when the status was."""
    candidates: list[datetime | None] = []
    if kind is ActionKind.DOOR and status.doors is not None:
        candidates = [status.doors.created_at]
    elif kind is ActionKind.CHARGING and status.electric is not None:
        candidates = [status.electric.created_at, status.electric.updated_at]
    elif kind is ActionKind.PRECONDITIONING and status.preconditioning is not None:
        block = status.preconditioning.air_conditioning
        candidates = [] if block is None else [block.created_at, block.updated_at]
    known = [instant for instant in candidates if instant is not None]
    if not known:
        known = [instant for instant in (status.created_at, status.updated_at) if instant is not None]
    return max(known, default=None)


def may_pass(error: StellantisError) -> bool:
    """Return whether a read of operations that failed may succeed later."""
    if isinstance(error, NotFoundError):
        return True  # an operation may not be listed yet
    if isinstance(error, ServerError | QuotaError | NotHalError):
        return True
    return isinstance(error, NetworkError) and error.is_transient
