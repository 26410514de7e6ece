"""Calls of the layer of notifications whose outcomes stand in ``outcomes.txt``.

``python -m tests.support.outcomes tests.notifications.cases`` renews that file.
"""
# Parameters of the lambdas are of any type.
# pyright: reportUnknownLambdaType=false

import base64
import gzip
import json
import zlib
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import anyio.lowlevel
import attrs

from stellantis_hal.notifications import (
    EventVehicle,
    IncomingEvent,
    MemoryInbox,
    Notification,
    Receiver,
    RemoteEvent,
    SQLiteInbox,
    StoredEvent,
    parse_notification,
    parse_push,
)
from stellantis_hal.notifications.body import read_body
from stellantis_hal.notifications.direct_delivery import DeduplicatingHandler
from stellantis_hal.notifications.events import EventValue
from stellantis_hal.notifications.identity import identify_bytes, identify_document, identify_step
from stellantis_hal.notifications.inbox_format import read_entry, write_entry
from stellantis_hal.notifications.splitting import split, step_of
from tests.notifications.bodies import body, fleet_envelope, fleet_event, monitor_message, remote_message
from tests.notifications.receiving import PATH, TOKEN
from tests.support.outcomes import Case

__all__ = ["CASES", "FILE"]

FILE: Final = Path(__file__).with_name("outcomes.txt")
CASES: Final[dict[str, Case]] = {}
NOW: Final = datetime(2026, 3, 1, 12, tzinfo=UTC)


def _call(name: str, function: Callable[..., Any], *args: Any, **options: Any) -> None:
    """Add a call of a function."""
    assert name not in CASES, name
    CASES[name] = lambda _: function(*args, **options)


def _brief(value: Any) -> Any:
    """Return an event as the name of its class, the beginning of its id, and what else is not as by default."""
    given = {
        field.name: one
        for field in attrs.fields(type(value))
        if not (type(one := getattr(value, field.name)) is type(field.default) and one == field.default)
    }
    shown = {name: len(one) if isinstance(one, bytes) and len(one) > 200 else one for name, one in given.items()}
    return type(value).__name__, shown | {"id": value.id[:16]}


def _brief_entry(stored: StoredEvent) -> Any:
    return stored.number, _brief(stored.entry), stored.owner, stored.attempts


def _parsed(content: bytes, token: str | None = None) -> list[Any]:
    return [_brief(event) for event in parse_notification(content, token=token)]


def _pushed(data: dict[str, Any]) -> list[Any]:
    return [_brief(event) for event in parse_push(data)]


def _monitor(**inner: Any) -> dict[str, Any]:
    """Return a message of a monitor with these members only."""
    return {"type": "Monitor", "monitorEvent": inner}


def _values(*values: Any) -> dict[str, Any]:
    return _monitor(values=[{"data": "d", "value": value} for value in values])


def _status(status: Any, **members: Any) -> dict[str, Any]:
    return {"remoteEvent": {"remoteActionId": "r", "eventStatus": status, **members}}


# ------------------------------------------------------------------------------------------- documents

DOCUMENTS: Final[dict[str, Any]] = {
    "a monitor": monitor_message(),
    "a reminder": _monitor(monitorId="m", refresh=True),
    "a reminder as text": _monitor(refresh="True"),
    "a first event as text": _monitor(refresh="FALSE"),
    "no reminder": _monitor(refresh=None),
    "a fleet inside": _monitor(fleetId="f"),
    "a remote": remote_message(),
    "a remote alone": {"type": "Remote"},
    "a remote by its id": {"remoteActionId": "r"},
    "a step that failed": _status({"type": "Failed", "failureCause": "DoorsOpen"}, remoteType="Doors"),
    "a step with a detail": _status({"type": "Done", "status": "Success", "feedbackDetail": ["CIDBlacklisted", "x"]}),
    "a step as text": _status("Success", remoteType=["Doors", "Horn"]),
    "a step as a number": _status(5, remoteType=[]),
    "steps of objects": _status({"type": {"a": "Pending"}, "status": {"b": "Accepted"}, "failureCause": {"c": 1}}),
    "a fleet": fleet_envelope(fleet_event(1), fleet_event(2)),
    "a fleet with ids": fleet_envelope(
        fleet_event(callbackId="c2", attributes=[{"key": "a", "value": "b"}]), callbackId="c1", fleetId="f1", vin="VF0"
    ),
    "a fleet of remotes": {"callbackId": "c", "events": [{"remoteActionId": "r", "eventStatus": "Success"}]},
    "events beside an event": {"monitorEvent": {}, "events": [{"vin": "x"}]},
    "events beside values": {"values": [], "events": [5]},
    "events beside extensions": {"extensions": [], "events": []},
    "events beside a remote": {"remoteEvent": {}, "events": []},
    "events beside a status": {"eventStatus": "Success", "events": []},
    "events that are none": {"monitorId": "m", "events": {"a": 1}},
    "items of all kinds": [5, None, "x", [], {}, {"events": [7, {}]}, {"type": "Monitor"}],
    "attributes by key": {"type": "Monitor", "attributes": {"vin": "VF1", "token": TOKEN, "n": 5}},
    "attributes in a list": {
        "type": "Monitor",
        "attributes": [{"key": "VIN", "value": "VF2"}, {"key": 5, "value": "x"}, {"key": "a"}, "b", None],
    },
    "attributes that are none": {"type": "Monitor", "attributes": "vin", "vin": "$vin"},
    "a wrong token": {"type": "Monitor", "attributes": {"token": "wrong"}, "vin": ["VF3"]},
    "numbers as ids": {"type": "Monitor", "callbackId": 5, "fleetId": True, "monitorId": 1.5},
    "instants": [{"type": "Monitor", **dates} for dates in ({"date": 5, "eventDate": NOW.isoformat()}, {"date": "x"})],
    "values of strings": _values("a", {"body": {"literalValue": "b"}}, {"body": "c"}, {"literalValue": ["d", 5, True]}),
    "values of others": _values(None, False, 1.5, [], [1, [2]], {"body": None}, {"body": []}, {}),
    "values of objects": _values(
        {"type": "obj.alert", "body": {"objectValues": [5, {"id": "a"}]}},
        {"type": "obj.alert", "body": {}},
        {"type": "obj.collision", "body": {"objectValues": {"id": "c"}}},
        {"type": "obj.collision", "body": {"objectValues": None}},
        {"type": "obj.other", "body": {"objectValues": [{"id": "o"}, 5]}},
        {"type": "obj.other", "body": {"objectValues": {"id": "o"}}},
    ),
    "one value": _monitor(values={"data": ["d", "e"], "value": 1, "previous": False}),
    "values that are none": _monitor(values=5),
    "extensions": _monitor(
        extensions=[
            {"type": "vehicle.status", "body": [{"status": {"odometer": {"mileage": 12}}}]},
            {"type": "status", "body": {"odometer": {"mileage": 13}}},
            {"type": "vehicle.alerts.Moved", "body": {"id": "a1"}},
            {"type": "vehicle.position", "body": {"lastPosition": {"type": "Point", "coordinates": [2.25, 48.75]}}},
            {"body": {"alert": {"id": "a2"}, "trip": {"id": "t"}, "stolen": {"state": True}}},
            {"type": "vehicle.telemetry.Energy", "body": [{"telemetry": [{"createdAt": NOW.isoformat()}]}]},
        ]
    ),
    "extensions that are none": _monitor(
        extensions=[None, {"type": 5, "body": [{"z": 1}, "x"]}, {"type": "vehicle.trip", "body": {"trip": [5]}}]
    ),
    "one extension": _monitor(extensions={"body": {"collision": {"id": "c"}}}),
    "an extension as text": _monitor(extensions="status"),
}


def _given(entry: IncomingEvent, owner: EventVehicle | None) -> StoredEvent:
    return StoredEvent(number=1, entry=attrs.evolve(entry, id="id in the inbox"), owner=owner, attempts=1)


def _stored(content: bytes, *, is_verified: bool) -> list[Any]:
    """Return the messages of a body as an inbox keeps them, and as they are read from it."""
    entries = [write_entry(message, is_verified=is_verified, received_at=NOW) for message in split(content)]
    owners = (None, EventVehicle(vin="VF9", vehicle_id="v9"))
    return [
        (_brief(entry), _brief(attrs.evolve(read_entry(_given(entry, owner)), document={})))
        for entry, owner in zip(entries, owners * len(entries), strict=False)
    ]


for _name, _document in DOCUMENTS.items():
    _call(f"parse {_name}", _parsed, body(_document), TOKEN)
    _call(f"store {_name}", _stored, body(_document), is_verified=_name.startswith("a"))
for _name, _content in {
    "nothing": b"",
    "spaces": b" \r\n\t",
    "half a document": b'{"a": ',
    "two documents": b"{} {}",
    "bytes": b"\xff\xfe",
    "a large body": b"x" * 70_000,
    "a null": b"null",
    "names twice": b'{"type": "Monitor", "type": "Remote"}',
}.items():
    _call(f"parse {_name}", _parsed, _content)
    _call(f"store {_name}", _stored, _content, is_verified=False)

_ENCODED: Final = base64.b64encode(body(_monitor(monitorId="m"))).decode()
for _name, _data in {
    "a message": {"mph_message": _ENCODED, "vin": "VF1", "token": TOKEN, "n": 5},
    "bytes": {"message": _ENCODED.encode(), "message_id": "x"},
    "both names": {"mph_message": _ENCODED, "message": "other"},
    "data": {"data": {"message": _ENCODED}, "vin": "outside"},
    "no data": {"data": "x", "message": _ENCODED},
    "attributes inside": {"message": base64.b64encode(body(monitor_message())), "vin": "VF1", "a": "b"},
    "two messages": {"message": base64.b64encode(body([remote_message(), 5])), "vin": "VF1"},
    "no message": {"vin": "VF1"},
    "a number": {"message": 5},
    "no base64": {"message": "not base64!\ud800"},
    "no base64 in bytes": {"message": b"\xff!"},
    "nothing": {},
}.items():
    _call(f"push {_name}", _pushed, _data)

for _index, _step in enumerate(
    (None, "x", 5, {}, {"type": "Failed"}, {"type": "Failed", "status": "s", "failureCause": "c"}, {"status": [1]})
):
    _call(f"step {_index}", step_of, _step)
_call(
    "identities of steps and documents",
    lambda: [
        identity[:16]
        for identity in (
            identify_step("r", "Done", None, "c"),
            identify_document({"b": [1.5, "é"], "a": None}),
            identify_bytes(b""),
        )
    ],
)
_call(
    "values read as numbers and booleans",
    lambda: [
        (value.text, value.number, value.is_true)
        for texts in ((), ("1",), ("1e400",), ("nan",), ("-0.5", "2"), ("True",), ("FALSE",), ("x",), (" 7 ",))
        for value in [EventValue(texts=texts)]
    ],
)


def _steps() -> list[Any]:
    events = [event for name, one in DOCUMENTS.items() if "step" in name for event in parse_notification(body(one))]
    return [event.step for event in events if isinstance(event, RemoteEvent)]


_call("steps of operations", _steps)

# ------------------------------------------------------------------------------------------- bodies of requests


async def _read(encoding: str, events: Sequence[dict[str, Any]], limit: int = 1_000) -> Any:
    waiting = [{"type": "http.request", **event} for event in events]

    async def receive() -> MutableMapping[str, Any]:
        await anyio.lowlevel.checkpoint()
        return waiting.pop(0)

    return await read_body(receive, encoding, limit=limit, timeout=5), waiting


def _pieces(content: bytes, *ends: int) -> list[dict[str, Any]]:
    """Return the events of a body that is cut at these places."""
    pieces = [content[start:end] for start, end in pairwise((0, *ends, len(content)))]
    return [{"body": piece, "more_body": True} for piece in pieces[:-1]] + [{"body": pieces[-1]}]


_ONE: Final = zlib.compress(b"hello", 9, wbits=31)
for _name, _encoding, _events, *_limit in (
    ("an empty request", "", [{}]),
    ("a request without its end", "", [{"more_body": True}, {"body": b"a", "more_body": False}, {"body": b"left"}]),
    ("a plain body", "identity", _pieces(b"hello", 1, 1, 3)),
    ("a plain body of the limit", "", _pieces(b"hello", 3), 5),
    ("a plain body beyond the limit", "", _pieces(b"hello", 3, 4), 4),
    ("a plain body far beyond the limit", "", _pieces(b"hello" * 9, 3, 30), 4),
    ("an encoding that is not read", " BR ", _pieces(b"hello", 2)),
    ("an encoding that is not read beyond the limit", "br", _pieces(b"hello", 2), 1),
    ("a compressed body", " GZip ", _pieces(_ONE, 1, 9)),
    ("a deflated body", "deflate", _pieces(zlib.compress(b"hello"), 4)),
    ("an old name", "x-gzip", _pieces(_ONE)),
    ("two parts", "gzip", _pieces(_ONE + _ONE, len(_ONE))),
    ("two parts, the second cut in its magic number", "gzip", _pieces(_ONE + _ONE, len(_ONE) + 1)),
    ("two parts, the second cut off", "gzip", _pieces((_ONE + _ONE)[:-2], len(_ONE) + 1)),
    ("a part and the half of a magic number", "gzip", _pieces(_ONE + b"\x1f")),
    ("a part and padding", "gzip", _pieces(_ONE + b"\0\0", len(_ONE) + 1)),
    ("a part and padding in its piece", "gzip", _pieces(_ONE + b"\x1f\0" + _ONE)),
    ("a compressed body that is cut off", "gzip", _pieces(_ONE[:-1], 3)),
    ("a compressed body without a byte", "gzip", [{}]),
    ("a compressed body that is damaged", "gzip", _pieces(b"hello", 1)),
    ("a compressed body that is damaged later", "gzip", _pieces(_ONE + b"\x1f\x8bx" + _ONE)),
    ("a compressed body beyond the limit", "gzip", _pieces(_ONE * 3, 5, 30), 7),
    ("a compressed million", "gzip", _pieces(gzip.compress(b"x" * 1_000_000, mtime=0)), 20),
):
    _call(f"body of {_name}", _read, _encoding, _events, *_limit)

# ------------------------------------------------------------------------------------------- inboxes


def _entry(identity: str, **members: Any) -> IncomingEvent:
    options: dict[str, Any] = {"kind": "monitor", "content": b"{}", "is_verified": True, "received_at": NOW}
    return IncomingEvent(id=identity, **options | members)


async def _done(call: Awaitable[object]) -> object:
    return await call


async def _take(inbox: MemoryInbox | SQLiteInbox) -> list[Any]:
    """Return what each call of an inbox returns while events are stored, taken and set aside."""
    inbox.register("m1", EventVehicle(vin="VF1", vehicle_id="v1"))
    inbox.register("m2", EventVehicle(vin=None, vehicle_id="v2"))
    return [
        await inbox.put([_entry("1", source_id="m1"), _entry("2", is_verified=False), _entry("1"), _entry("3")]),
        await inbox.put([_entry("2", source_id="m2", vin="VF2", callback_id="c2"), _entry("2", is_verified=False)]),
        await inbox.put([_entry("4", kind="unreadable", reason="why", size=7, content=b"\xff")]),
        await inbox.statistics(),
        first := await inbox.next("a"),
        await inbox.next("a"),
        await inbox.next("a", first.number),
        await inbox.statistics(),
        await inbox.next("b"),
        await inbox.statistics(),
        third := await inbox.next("c"),
        await _done(inbox.release("b")),
        await _done(inbox.release("c")),
        await inbox.next(""),
        await inbox.revive(),
        await inbox.revive(),
        await inbox.statistics(),
        await inbox.next(""),
        await _done(inbox.acknowledge(third.number)),
        await _done(inbox.acknowledge(1_000)),
        await inbox.statistics(),
    ]


async def _remove(inbox: MemoryInbox | SQLiteInbox) -> list[Any]:
    """Return what each call of an inbox returns while events are dropped and forgotten."""
    inbox.register("m1", EventVehicle(vin="VF1", vehicle_id="v1"))
    inbox.register("m2", EventVehicle(vin=None, vehicle_id="v2"))
    return [
        await inbox.put([_entry(f"{number}", is_verified=False) for number in range(1, 5)]),
        await inbox.statistics(),
        second := await inbox.next("a"),
        await _done(inbox.acknowledge(second.number)),
        await inbox.put([_entry("5", kind="remote", is_verified=False, content=b"x" * 37)]),
        await inbox.statistics(),
        await inbox.put([_entry("6", kind="unreadable", content=b"x" * 41)]),
        await inbox.statistics(),
        await inbox.put([_entry("7", vin="VF1"), _entry("8", source_id="m1"), _entry("9", source_id="m2", vin="VF2")]),
        await inbox.put([_entry("10", callback_id="c1"), _entry("11", callback_id="c2", vin="c1", source_id="v1")]),
        await inbox.forget(),
        await inbox.forget(vins=["VF1"]),
        await inbox.forget(vehicle_ids=["v2"]),
        await inbox.forget(callback_ids=["c1"]),
        await inbox.put([_entry("12", source_id="m1"), _entry("13", source_id="m2")]),
        await inbox.statistics(),
        await inbox.next("a"),
    ]


async def _use(use: Callable[[Any], Awaitable[list[Any]]], inbox: MemoryInbox | SQLiteInbox) -> list[Any]:
    results = await use(inbox)
    await inbox.aclose()
    briefly: dict[type, Callable[[Any], Any]] = {list: lambda new: [*map(_brief_entry, new)], StoredEvent: _brief_entry}
    return [briefly.get(type(result), lambda same: same)(result) for result in results]


_OPTIONS: Final[dict[str, Any]] = {
    "dead_after": 1,
    "max_unverified": 3,
    "max_unverified_bytes": 40,
    "clock": lambda: NOW,
}
for _name, _case in {"taken": _take, "removed": _remove}.items():
    _call(f"inbox in memory {_name}", lambda use: _use(use, MemoryInbox(**_OPTIONS)), _case)
    _call(f"inbox in a file {_name}", lambda use: _use(use, SQLiteInbox(":memory:", **_OPTIONS)), _case)
    _call(
        f"inbox that keeps {_name}",
        lambda use: _use(use, SQLiteInbox(":memory:", keep=timedelta(days=1), **_OPTIONS)),
        _case,
    )

# ------------------------------------------------------------------------------------------- receivers

Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


async def _answer(make: Callable[[MemoryInbox], Receiver], requests: Sequence[dict[str, Any]]) -> list[Any]:
    """Return what a receiver sends for each request, what its listeners get, and what is in its inbox then."""
    inbox = MemoryInbox(clock=lambda: NOW)
    receiver = make(inbox)
    heard: list[Notification] = []
    receiver.listen(heard.append)
    results: list[Any] = [repr(receiver).replace(repr(inbox), "<inbox>")]
    for request in requests:
        sent: list[Any] = []
        pieces = list(request.get("pieces", [{"type": "http.request", "body": request.get("content", b"")}]))

        async def receive(left: list[MutableMapping[str, Any]] = pieces) -> MutableMapping[str, Any]:
            await anyio.lowlevel.checkpoint()
            return left.pop(0)

        async def send(event: MutableMapping[str, Any], sent: list[Any] = sent) -> None:
            await anyio.lowlevel.checkpoint()
            sent.append(event)

        scope = {"type": "http", "method": "POST", "path": PATH, "headers": [], **request}
        await receiver(scope, receive, send)
        results.append(sent)
    results += [[event.id[:16] for event in heard], await receiver.statistics()]
    waiting = range((await inbox.statistics()).waiting)
    return [*results, *[_brief_entry(await inbox.next("c", number or None)) for number in waiting]]


_BARE: Final = body(_monitor(monitorId="m"))
_WITH: Final = body({**_monitor(monitorId="m2"), "attributes": {"token": TOKEN}})
_REQUESTS: Final[dict[str, list[dict[str, Any]]]] = {
    "events": [{"content": _WITH}, {"content": _BARE}, {"content": b"[]"}, {"content": _WITH}],
    "unreadable": [{"content": b"{"}, {"content": b""}, {"content": b"x" * 300}],
    "paths": [{"path": "/"}, {"path": f"/r{PATH}"}, {"path": f"/r{PATH}", "root_path": "/r"}, {"root_path": "/x"}],
    "methods": [{"method": method} for method in ("GET", "post", "DELETE")],
    "encodings": [
        {"content": _ONE, "headers": [(b"Content-Encoding", b"gzip")]},
        {"content": _ONE, "headers": [(b"content-encoding", b"gz"), (b"content-encoding", b"ip\xe9")]},
    ],
    "bearers": [{"content": _BARE, "headers": [(b"Authorization", f"BEARER {TOKEN}".encode())]}],
    "bare tokens": [{"content": _BARE, "headers": [(b"authorization", TOKEN.encode())]}],
    "headers": [{"content": _BARE, "headers": [(b"TOKEN", TOKEN.encode()), (b"x", b"y")]}],
    "other headers": [
        {"content": _BARE, "headers": [(b"authorization", f"Basic {TOKEN}".encode()), (b"token", b"\xff")]}
    ],
    "queries": [{"content": _BARE, "query_string": f"a=b&token=&token={TOKEN}".encode()}],
    "other queries": [{"content": _BARE, "query_string": f"Token={TOKEN}&token=%ff\xff".encode("latin-1")}],
    "long queries": [{"content": _BARE, "query_string": f"a={'x' * 8_185}&token={TOKEN}".encode()}],
    "gone senders": [{"pieces": [{"type": "http.request", "more_body": True}, {"type": "http.disconnect"}]}],
    "websockets": [{"type": "websocket"}],
    "servers": [
        {"type": "lifespan", "pieces": [{"type": f"lifespan.{name}"} for name in ("startup", "x", "shutdown")]}
    ],
    "mails": [{"type": "mail"}],
}
for _name, _requests in _REQUESTS.items():
    for _label, _receiver in {
        "with a token": partial(Receiver, path=PATH, token=TOKEN, max_body=200, clock=lambda: NOW),
        "without one": partial(Receiver, path=PATH, clock=lambda: NOW),
        "that is strict": partial(Receiver, path=PATH, token=TOKEN, strict_token=True, clock=lambda: NOW),
    }.items():
        _call(f"receive {_name} by one {_label}", _answer, _receiver, _requests)


async def _handle() -> list[Any]:
    """Return what a receiver's function is called with, and what is new to it."""
    handled: list[Any] = []

    async def handle(event: Notification) -> None:
        await anyio.lowlevel.checkpoint()
        handled.append((event.id, event.vin, event.vehicle_id, event.is_verified, event.received_at))

    handler = DeduplicatingHandler(handle, lambda: NOW)
    handler.register("m", EventVehicle(vin="VF1", vehicle_id="v1"))
    content = json.dumps(_monitor(monitorId="m")).encode()
    entries = [_entry("1", content=content, source_id="m"), _entry("2", content=content)]
    return [
        [*map(_brief_entry, await handler.deliver([*entries, entries[0]]))],
        [*map(_brief_entry, await handler.deliver(entries))],
        [*map(_brief_entry, await handler.deliver([attrs.evolve(entries[0], is_verified=False)]))],
        handled,
    ]


_call("handle events at once", _handle)
