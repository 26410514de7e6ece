"""Receiver of notifications: an ASGI application."""

from __future__ import annotations

import hmac
import logging
from collections.abc import AsyncIterable, Awaitable, Callable, MutableMapping, Sequence
from contextlib import suppress
from datetime import datetime
from inspect import iscoroutinefunction
from typing import Any, Final, Protocol
from urllib.parse import parse_qsl

from stellantis_hal.hal.clock import utc_now
from stellantis_hal.hal.log_throttling import LogThrottle
from stellantis_hal.hal.redaction import mask_text
from stellantis_hal.notifications.body import SenderDisconnectedError, SlowBodyError, read_body
from stellantis_hal.notifications.direct_delivery import DeduplicatingHandler
from stellantis_hal.notifications.dispatch import Dispatch
from stellantis_hal.notifications.events import Notification
from stellantis_hal.notifications.inbox import EventVehicle, Inbox, InboxStatistics, IncomingEvent, StoredEvent
from stellantis_hal.notifications.inbox_format import write_entry
from stellantis_hal.notifications.parsing import TOKEN, has_token
from stellantis_hal.notifications.splitting import Message, split
from stellantis_hal.notifications.stream import EventStream
from stellantis_hal.resources.control.receiver_protocol import OperationStep
from stellantis_hal.resources.vehicle import Vehicle
from stellantis_hal.validation import require_clock, require_flags, require_type

__all__ = ["Receiver"]

_logger = logging.getLogger(__name__)

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Handle = Callable[[Notification], Awaitable[None]]

_MAX_BODY = 8 * 1024 * 1024
_BODY_TIMEOUT = 30.0
_MAX_QUERY = 8_192
_MANY: Final = 10_000  # events that wait
_BEARER: Final = "bearer "
_HEADER_ENCODING: Final = "latin-1"  # reads any bytes, of the query too


class HasVehicles(Protocol):
    """An account, or a fleet."""

    def vehicles(self) -> AsyncIterable[Vehicle]: ...


class Receiver:
    """An ASGI application that takes in what the vendor sends to a webhook.

    It answers 200 when all events of a body are in the inbox, 500 where they could not be stored, 404 at another path
    and 405 to another method. What it cannot read is stored as an :class:`UnreadableEvent`. Run it with any ASGI
    server, without an access log, because the path is a secret; or mount it in an application of your own.

    Args:
        inbox: where events are kept until they are acknowledged; None with ``handle``.
        path: the path of the webhook's URL, with a part that cannot be guessed: ``"/st/k3Jx0v"``.
        token: the value of the body attribute ``token`` of the callback. Events without it are stored with
            ``is_verified=False``, and reach the consumer only. None: the secret path verifies all events.
        handle: called with each event instead of an inbox: 200 when it has returned, 500 where it raises. A repetition
            waits up to 30 s for the call that is under way, then it is answered by 500.
        strict_token: whether bodies without the token are refused by 404.
        max_body: bytes of a body, decompressed; a larger one is stored truncated, as an unreadable event.
        body_timeout: seconds that a body may take; later it is answered by 500.
        clock: returns the wall time.

    Raises:
        ValueError: an option makes no sense.
        TypeError: an option has the wrong type.
    """

    def __init__(
        self,
        inbox: Inbox | None = None,
        *,
        path: str,
        token: str | None = None,
        handle: Handle | None = None,
        strict_token: bool = False,
        max_body: int = _MAX_BODY,
        body_timeout: float = _BODY_TIMEOUT,
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        require_type("path", path, str, instead='path="/st/k3Jx0v"')
        require_type("token", token, str, None)
        require_flags(strict_token=strict_token)
        if not (inbox is None or hasattr(inbox, "put")):
            raise TypeError(f"inbox must be an Inbox or None, not {type(inbox).__name__}: SQLiteInbox('inbox.db')")
        if not (handle is None or callable(handle)):
            raise TypeError(f"handle must be an async function or None, not {type(handle).__name__}")
        require_clock(clock)
        if (inbox is None) == (handle is None):
            raise ValueError(
                "a receiver needs an inbox or handle=, not both: Receiver(SQLiteInbox('inbox.db'), path=…)"
            )
        if not path.startswith("/"):
            raise ValueError("path must begin with a slash: it is that of the webhook's URL, such as '/st/k3Jx0v'")
        if "?" in path or "#" in path:
            raise ValueError("path must not have a query or a fragment: no request has them in its path")
        if token is not None and not token:
            raise ValueError("token must not be empty: pass None where the secret path is to verify events")
        if token is not None and token.startswith("$"):
            raise ValueError("token must not begin with $: the vendor replaces such values by those of the event")
        if strict_token and token is None:
            raise ValueError("strict_token needs a token=")
        require_type("max_body", max_body, int)
        require_type("body_timeout", body_timeout, int, float)
        if max_body < 1 or not body_timeout > 0:
            raise ValueError(f"max_body and body_timeout must be positive, not {max_body} and {body_timeout}")
        self._inbox = inbox
        self._direct = None if handle is None else DeduplicatingHandler(handle, clock)
        self._path = path.encode()
        self._token = token
        self._is_strict = strict_token
        self._max_body = max_body
        self._body_timeout = body_timeout
        self._clock = clock
        self._dispatch = Dispatch()
        self._has_warned = False
        self._untold: dict[str, None] = {}
        self._stored = 0
        self._told_waiting = 0
        self._failures = LogThrottle()
        self._refusals = LogThrottle()
        self._slow_bodies = LogThrottle()

    def __repr__(self) -> str:
        """Show nothing of the path and the token."""
        return f"Receiver({self._inbox if self._direct is None else 'handle=…'!r}, path=***)"

    # ------------------------------------------------------------------------------------------- its consumers

    def events(self) -> EventStream:
        """Return the stream of events: ``async with receiver.events() as events: async for event in events``.

        Raises:
            RuntimeError: the receiver has ``handle`` instead of an inbox.
        """
        if self._inbox is None:
            raise RuntimeError("this receiver calls handle= with its events: it has no inbox to take them from")
        return EventStream(self._inbox)

    def listen(self, listener: Callable[[Notification], None]) -> Callable[[], None]:
        """Call a function with each verified event that is new, once it is stored; return what removes it.

        It is called in the event loop of the server, and must neither wait nor raise.

        Raises:
            TypeError: it is no function, or an async one, which would never run.
        """
        given: object = listener
        if not callable(given) or iscoroutinefunction(given):
            raise TypeError("listener must be a function that is not async: it is called, and not awaited")
        return self._dispatch.listen(listener)

    def register(self, source_id: str, *, vin: str | None, vehicle_id: str) -> None:
        """Record whose car a monitor or an operation belongs to, for events that do not say so.

        Args:
            source_id: the id of the monitor or of the operation.
            vin: of the car; None where it is not known.
            vehicle_id: the API's id of the car.
        """
        owner = EventVehicle(vin=vin, vehicle_id=vehicle_id)
        for keeper in (self._inbox, self._direct):
            if keeper is not None:
                keeper.register(source_id, owner)

    def subscribe(self, operation_id: str, listener: Callable[[OperationStep], None]) -> Callable[[], None]:
        """Call the listener for each verified step of an operation, in the event loop; return what removes it."""
        return self._dispatch.subscribe(operation_id, listener)

    async def statistics(self) -> InboxStatistics:
        """Return what the inbox holds; zeros where there is none.

        Raises:
            InboxError: it cannot be read.
        """
        if self._inbox is None:
            return InboxStatistics(waiting=0, dead=0, bounded=0, dropped=0, refused_duplicates=0)
        return await self._inbox.statistics()

    async def forget(self, source: Vehicle | HasVehicles) -> int:
        """Remove from the inbox what it holds of a vehicle, or of each vehicle of an account or fleet.

        Delete the callbacks first: what the vendor delivers later is stored again.

        Args:
            source: the vehicle, the account or the fleet; the vehicles of the latter are listed.

        Returns:
            How many events were removed.

        Raises:
            InboxError: nothing was removed.
            StellantisError: the vehicles cannot be listed.
            TypeError: ``source`` is none of these.
        """
        if not (isinstance(source, Vehicle) or hasattr(source, "vehicles")):
            raise TypeError(f"source must be a Vehicle, an Account or a Fleet, not {type(source).__name__}")
        vehicles = [source] if isinstance(source, Vehicle) else [vehicle async for vehicle in source.vehicles()]
        vins = {vehicle.vin for vehicle in vehicles if vehicle.vin is not None}
        vehicle_ids = {vehicle.id for vehicle in vehicles if vehicle.id is not None}
        if self._direct is not None:
            self._direct.forget(vins, vehicle_ids)
        return 0 if self._inbox is None else await self._inbox.forget(vins=vins, vehicle_ids=vehicle_ids)

    # ------------------------------------------------------------------------------------------- its application

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or take part in the start and end of the server."""
        if scope["type"] == "lifespan":
            await self._run_lifespan(receive, send)
        elif scope["type"] == "http":
            status = await self._answer(scope, receive)
            if status is not None:
                headers = [(b"content-length", b"0")] + ([(b"allow", b"POST")] if status == 405 else [])
                await send({"type": "http.response.start", "status": status, "headers": headers})
                await send({"type": "http.response.body", "body": b""})
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1000})
        else:
            raise ValueError(f"ASGI scope type must be 'http', 'websocket' or 'lifespan', not {scope['type']!r}")

    async def _run_lifespan(self, receive: Receive, send: Send) -> None:
        while True:
            event = await receive()
            if event["type"] == "lifespan.startup":
                try:
                    if self._inbox is not None:
                        await self._inbox.statistics()
                except Exception as error:  # noqa: BLE001 - the server says it
                    await send({"type": "lifespan.startup.failed", "message": mask_text(str(error))})
                    return
                await send({"type": "lifespan.startup.complete"})
            elif event["type"] == "lifespan.shutdown":
                if self._inbox is not None:
                    await self._inbox.aclose()
                await send({"type": "lifespan.shutdown.complete"})
                return

    async def _answer(self, scope: Scope, receive: Receive) -> int | None:
        """Return the status to answer; None where its sender has gone."""
        if not self._is_at_path(scope):
            return 404
        if scope["method"] != "POST":
            return 405
        headers: list[tuple[bytes, bytes]] = list(scope["headers"])
        encoding = b",".join(value for name, value in headers if name.lower() == b"content-encoding").decode(
            _HEADER_ENCODING
        )
        try:
            body = await read_body(receive, encoding, limit=self._max_body, timeout=self._body_timeout)
        except SenderDisconnectedError:
            return None
        except SlowBodyError as error:
            if self._slow_bodies.is_told():
                _logger.warning(
                    "%d deliveries were too slow so far, and answered by 500; the last: %s",
                    self._slow_bodies.count,
                    error,
                )
            return 500
        if body.problem:
            messages: Sequence[Message] = [Message.unreadable(body.problem, body.content, size=body.size)]
        else:
            messages = split(body.content)
        return await self._take_in(messages, self._has_outer_token(headers, scope.get("query_string", b"")))

    def _is_at_path(self, scope: Scope) -> bool:
        path: str = scope["path"]
        root: str = scope.get("root_path", "")
        mounted = path.removeprefix(root)
        paths = (path, mounted, mounted.removesuffix("/"))  # Litestar adds a slash to the path of what is mounted
        return any(hmac.compare_digest(given.encode(errors="surrogatepass"), self._path) for given in paths)

    def _has_outer_token(self, headers: Sequence[tuple[bytes, bytes]], query: bytes) -> bool:
        """Return whether the token came as a header or in the query, which batches do not have."""
        if self._token is None:
            return True
        given: list[str] = []
        for name, value in headers:
            text = value.decode(_HEADER_ENCODING)
            if name.lower() == b"authorization":
                given.append(text[len(_BEARER) :] if text.lower().startswith(_BEARER) else text)
            elif name.lower() == TOKEN.encode():
                given.append(text)
        given += [value for name, value in parse_qsl(query[:_MAX_QUERY].decode(_HEADER_ENCODING)) if name == TOKEN]
        return any(has_token({TOKEN: text}, self._token) for text in given)

    async def _take_in(self, messages: Sequence[Message], is_verified: bool) -> int:
        """Store the messages of a body; return the status to answer."""
        now = self._clock()
        entries: list[IncomingEvent] = []
        for message in messages:
            has_own = self._token is not None and has_token(message.attributes, self._token)
            if self._token is not None and is_verified and not has_own and not self._has_warned:
                self._has_warned = True
                _logger.warning(
                    "the token came in a header or in the query only: batches after an outage do not have it. Add the "
                    "body attribute %r to the callback, as callbacks.ensure() does",
                    TOKEN,
                )
            entries.append(write_entry(message, is_verified=is_verified or has_own, received_at=now))
        if self._is_strict:
            entries = self._verified_only(entries)
            if messages and not entries:
                return 404
        new: Sequence[StoredEvent] = ()
        try:
            if self._direct is not None:
                new = await self._direct.deliver(entries)
            elif self._inbox is not None and entries:
                new = await self._inbox.put(entries)
        except BaseException as error:  # the vendor delivers them again
            self._note_untold(entries)
            if not isinstance(error, Exception):
                raise
            kind = type(error).__name__
            if self._failures.is_told():  # each callback's deliveries are repeated every 10 s
                _logger.error(
                    "%d deliveries were not stored so far, and answered by 500; the last: %s: %s",
                    self._failures.count,
                    kind,
                    mask_text(str(error)),
                )
            return 500
        if self._failures.count and entries:
            _logger.warning("deliveries are stored again, after %d that were not", self._failures.end())
        for entry in [*new, *self._repeated(entries, new)]:
            if entry.entry.is_verified:
                self._dispatch(entry)
        await self._note_waiting(len(new))
        return 200

    def _note_untold(self, entries: Sequence[IncomingEvent]) -> None:
        """Remember verified events of a delivery that failed or was cancelled: some may be stored or handled."""
        self._untold.update((entry.id, None) for entry in entries if entry.is_verified)
        while len(self._untold) > _MANY:
            del self._untold[next(iter(self._untold))]

    def _repeated(self, entries: Sequence[IncomingEvent], new: Sequence[StoredEvent]) -> Sequence[StoredEvent]:
        """Return the events of a repetition that listeners were not told of when they were stored or handled."""
        if not self._untold:
            return ()
        known = {each.entry.id for each in new}
        repeated: list[StoredEvent] = []
        for entry in entries:
            if entry.is_verified and entry.id in self._untold:
                del self._untold[entry.id]
                if entry.id not in known:
                    repeated.append(StoredEvent(number=0, entry=entry, owner=None, attempts=0))
        return repeated

    async def _note_waiting(self, stored: int) -> None:
        """Log where events are stored for months, and nothing takes them; looked at once in thousands."""
        self._stored += stored
        if self._inbox is None or self._stored < _MANY:
            return
        self._stored = 0
        with suppress(Exception):  # these events are stored
            waiting = (await self._inbox.statistics()).waiting
            if waiting < _MANY:
                self._told_waiting = 0
            elif waiting >= 2 * self._told_waiting:
                self._told_waiting = waiting
                _logger.warning(
                    "%d events wait in the inbox, which keeps them until receiver.events() takes them. Where commands "
                    "and watch(events=…) alone need them, use handle= instead of an inbox",
                    waiting,
                )

    def _verified_only(self, entries: list[IncomingEvent]) -> list[IncomingEvent]:
        verified = [entry for entry in entries if entry.is_verified]
        if len(verified) < len(entries) and self._refusals.is_told(len(entries) - len(verified)):
            _logger.warning("%d events had no token so far, and were refused", self._refusals.count)
        return verified
