"""The receiver: answers, verification, streams, listeners."""

from __future__ import annotations

import gzip
import logging
import re
import zlib
from collections.abc import AsyncIterator, MutableMapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import anyio
import anyio.lowlevel
import anyio.to_thread
import pytest

from stellantis_hal.notifications import (
    EventStream,
    InboxError,
    InboxStatistics,
    IncomingEvent,
    MemoryInbox,
    MonitorEvent,
    Notification,
    Receiver,
    RemoteEvent,
    SQLiteInbox,
    StoredEvent,
    UnreadableEvent,
)
from stellantis_hal.resources.control.receiver_protocol import EventReceiver, OperationStep
from stellantis_hal.resources.vehicle import Vehicle
from stellantis_hal.structuring.converter import read
from tests.notifications.bodies import VIN, body, fleet_envelope, fleet_event, monitor_message, remote_message
from tests.notifications.receiving import PATH, TOKEN, post

pytestmark = pytest.mark.anyio
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
NEITHER_OR_BOTH = "a receiver needs an inbox or handle=, not both: Receiver(SQLiteInbox('inbox.db'), path=…)"
BARE = monitor_message(attributes=[{"key": "vin", "value": VIN}])


@pytest.fixture
def inbox() -> MemoryInbox:
    return MemoryInbox()


@pytest.fixture
def receiver(inbox: MemoryInbox) -> Receiver:
    return Receiver(inbox, path=PATH, token=TOKEN)


async def received(receiver: Receiver, count: int = 1) -> list[Notification]:
    events: list[Notification] = []
    with anyio.fail_after(5):
        async with receiver.events() as stream:
            async for event in stream:
                events.append(event)
                if len(events) == count:
                    break
    return events


async def fail_at(receiver: Receiver, number: int) -> str:
    """Be a consumer that fails at its so-many-th event; return the id of that."""
    event: Notification | None = None
    with suppress(LookupError):
        async with receiver.events() as events:
            for _ in range(number):
                event = await anext(events)
            raise LookupError
    assert event is not None
    return event.id


class BrokenInbox(MemoryInbox):
    """An inbox whose disk is full from time to time."""

    is_broken = True

    async def put(self, entries: Sequence[IncomingEvent]) -> Sequence[StoredEvent]:
        if self.is_broken:
            raise InboxError(f"the disk is full, at {VIN}")
        return await super().put(entries)


# ------------------------------------------------------------------------------------------------ answers


async def test_stored_body_is_answered_by_200(receiver: Receiver) -> None:
    assert await post(receiver, body(monitor_message())) == 200
    [event] = await received(receiver)
    assert isinstance(event, MonitorEvent)
    assert (event.vin, event.is_verified, event.attributes) == (VIN, True, {"vin": VIN})
    assert event.received_at is not None


async def test_each_event_of_a_batch_is_stored(receiver: Receiver) -> None:
    messages = [monitor_message(1), remote_message(), fleet_envelope(fleet_event(1), fleet_event(2))]
    assert await post(receiver, body(messages)) == 200
    kinds = [type(event) for event in await received(receiver, 4)]
    assert kinds == [MonitorEvent, RemoteEvent, MonitorEvent, MonitorEvent]


async def test_body_without_events_is_answered_by_200(receiver: Receiver, inbox: MemoryInbox) -> None:
    assert await post(receiver, b"[]") == 200
    assert (await inbox.statistics()).waiting == 0


@pytest.mark.parametrize("content", [b"", b"{", b"\xff", b"5", b"{}"])
async def test_unreadable_body_is_stored_and_answered_by_200(receiver: Receiver, content: bytes) -> None:
    assert await post(receiver, content) == 200
    [event] = await received(receiver)
    assert isinstance(event, UnreadableEvent)
    assert event.content == content
    assert not event.is_verified


@pytest.mark.parametrize("depth", [98, 100, 980, 1_020, 100_000])
@pytest.mark.parametrize(
    "around",
    [
        '{"remoteEvent": {"remoteActionId": "r", "eventStatus": "Success"}, "x": %s}',
        '{"callbackId": "c", "x": %s, "events": [{"monitorId": "m"}]}',
        '{"type": "Monitor", "x": %s}',
        "[[%s]]",
    ],
    ids=["step", "envelope", "event", "item"],
)
async def test_deep_body_is_unreadable_and_answered_by_200(receiver: Receiver, around: str, depth: int) -> None:
    """However deep it is, it is stored and read again."""
    content = around % ("[" * depth + "]" * depth)
    assert await post(receiver, content.encode()) == 200
    [event] = await received(receiver)
    assert isinstance(event, UnreadableEvent) is (depth > 98 or "[[%s" in around)
    assert (getattr(event, "reason", "") in {"nested too deeply", "no JSON: nested too deeply"}) is (depth > 98)


@pytest.mark.parametrize(
    ("path", "method", "status"),
    [
        ("/", "POST", 404),
        (f"{PATH}//", "POST", 404),
        (PATH.upper(), "POST", 404),
        ("/\udcff", "POST", 404),
        ("/", "GET", 404),
        (PATH, "GET", 405),
        (PATH, "PUT", 405),
        (PATH, "HEAD", 405),
    ],
)
async def test_other_requests_are_refused(
    receiver: Receiver, inbox: MemoryInbox, path: str, method: str, status: int
) -> None:
    assert await post(receiver, body(monitor_message()), path=path, method=method) == status
    assert (await inbox.statistics()).waiting == 0


@pytest.mark.parametrize(
    ("path", "root_path"), [(f"/hooks{PATH}", "/hooks"), (PATH, "/hooks"), (PATH, ""), (f"{PATH}/", "")]
)
async def test_receiver_may_be_mounted(receiver: Receiver, path: str, root_path: str) -> None:
    assert await post(receiver, body(monitor_message()), path=path, root_path=root_path) == 200


@pytest.mark.parametrize(
    ("method", "status", "headers"), [("POST", 200, []), ("GET", 405, [(b"allow", b"POST")])], ids=["POST", "GET"]
)
async def test_answers_are_empty(
    receiver: Receiver, method: str, status: int, headers: list[tuple[bytes, bytes]]
) -> None:
    sent: list[MutableMapping[str, Any]] = []

    async def receive() -> MutableMapping[str, Any]:
        return {"type": "http.request", "body": b"[]"}

    async def send(event: MutableMapping[str, Any]) -> None:
        sent.append(event)

    await receiver({"type": "http", "method": method, "path": PATH, "headers": []}, receive, send)
    assert sent == [
        {"type": "http.response.start", "status": status, "headers": [(b"content-length", b"0"), *headers]},
        {"type": "http.response.body", "body": b""},
    ]


async def test_ids_that_are_no_text_are_not_stored_as_ids(receiver: Receiver, inbox: MemoryInbox) -> None:
    message = {"callbackId": True, "type": "Monitor", "monitorEvent": {"monitorId": ["m"]}}
    assert await post(receiver, body(message)) == 200
    stored = (await inbox.next("c")).entry
    assert (stored.kind, stored.source_id, stored.callback_id) == ("monitor", None, None)


@pytest.mark.parametrize(
    ("message", "source_id", "callback_id"),
    [
        (monitor_message(), "monitor-1", "callback-1"),
        (remote_message(), "remote-1", "callback-1"),
        (fleet_envelope(fleet_event()), "monitor-1", None),
        (fleet_envelope(fleet_event(), callbackId="around"), "monitor-1", "around"),
        (fleet_envelope(fleet_event(monitorId="in it", callbackId="in it"), callbackId="around"), "in it", "in it"),
    ],
    ids=["monitor", "remote", "fleet", "around", "inside"],
)
async def test_ids_are_stored_from_where_they_stand(
    receiver: Receiver, inbox: MemoryInbox, message: Any, source_id: str, callback_id: str | None
) -> None:
    await post(receiver, body(message))
    stored = (await inbox.next("c")).entry
    assert (stored.source_id, stored.callback_id, stored.vin) == (source_id, callback_id, VIN)


async def test_event_has_the_id_that_it_was_stored_by(receiver: Receiver, inbox: MemoryInbox) -> None:
    content = b'{"type": "Monitor"}'
    await inbox.put([IncomingEvent(id="1", kind="monitor", content=content, is_verified=True, received_at=NOW)])
    assert [event.id for event in await received(receiver)] == ["1"]


async def test_what_cannot_be_stored_is_answered_by_500(caplog: pytest.LogCaptureFixture) -> None:
    inbox = BrokenInbox()
    receiver = Receiver(inbox, path=PATH, token=TOKEN)
    assert await post(receiver, body(monitor_message())) == 500
    failed = "deliveries were not stored so far, and answered by 500; the last: InboxError: the disk is full, at ***"
    assert caplog.messages == [f"1 {failed}"]
    for secret in (VIN, PATH, TOKEN):
        assert secret not in caplog.text
    inbox.is_broken = False
    assert await post(receiver, body(monitor_message())) == 200
    assert len(await received(receiver)) == 1


async def test_repetition_is_answered_by_200_and_stored_once(receiver: Receiver, inbox: MemoryInbox) -> None:
    for content in (monitor_message(), [monitor_message()], [monitor_message(), monitor_message(1)]):
        assert await post(receiver, body(content)) == 200
    assert (await inbox.statistics()).waiting == 2


async def test_repetition_may_come_while_the_first_is_stored(tmp_path: Any) -> None:
    async with SQLiteInbox(tmp_path / "inbox.db") as inbox:
        receiver = Receiver(inbox, path=PATH)
        statuses: list[int | None] = []

        async def deliver() -> None:
            statuses.append(await post(receiver, body(monitor_message())))

        async with anyio.create_task_group() as tasks:
            for _ in range(20):
                tasks.start_soon(deliver)
        assert statuses == [200] * 20
        assert (await inbox.statistics()).waiting == 1


# ------------------------------------------------------------------------------------------------ bodies


async def test_body_may_come_in_pieces(receiver: Receiver) -> None:
    content = body(monitor_message())
    assert await post(receiver, [content[:1], b"", content[1:30], content[30:]]) == 200
    [event] = await received(receiver)
    assert isinstance(event, MonitorEvent)


@pytest.mark.parametrize(
    ("encoding", "content"),
    [
        ("gzip", gzip.compress(body(BARE), mtime=0)),
        ("GZIP", gzip.compress(body(BARE)[:50], mtime=0) + gzip.compress(body(BARE)[50:], mtime=0)),
        ("x-gzip", gzip.compress(body(BARE), mtime=0) + b"\0" * 9),
        ("gzip", gzip.compress(b"", mtime=0) + gzip.compress(body(BARE), mtime=0) + b"\x1f"),
        ("deflate", zlib.compress(body(BARE))),
        ("identity", body(BARE)),
    ],
)
@pytest.mark.parametrize("size", [1, 7, 10_000])
async def test_compressed_body_is_read(receiver: Receiver, encoding: str, content: bytes, size: int) -> None:
    pieces = [content[start : start + size] for start in range(0, len(content), size)]
    assert await post(receiver, pieces, headers={"Content-Encoding": encoding}) == 200
    [event] = await received(receiver)
    assert isinstance(event, MonitorEvent)


async def test_compressed_body_of_many_pieces_is_read(receiver: Receiver) -> None:
    """Some 64 KiB of it are decompressed at a time, whatever the size of what was received."""
    content = gzip.compress(b" " * 300_000 + body(BARE), mtime=0)
    assert await post(receiver, content, headers={"Content-Encoding": "gzip"}) == 200
    [event] = await received(receiver)
    assert isinstance(event, MonitorEvent)


@pytest.mark.parametrize(
    ("encoding", "content", "reason"),
    [
        ("gzip", body(BARE), "compressed, and damaged"),
        ("gzip", gzip.compress(body(BARE), mtime=0)[:-9], "compressed, and cut off"),
        ("br", body(BARE), "in an encoding that is not read"),
        ("gzip, gzip", body(BARE), "in an encoding that is not read"),
    ],
)
async def test_body_that_cannot_be_decompressed_is_unreadable(
    receiver: Receiver, encoding: str, content: bytes, reason: str
) -> None:
    assert await post(receiver, [content[:5], content[5:]], headers={"Content-Encoding": encoding}) == 200
    [event] = await received(receiver)
    assert isinstance(event, UnreadableEvent)
    assert event.reason == reason


async def test_each_body_that_cannot_be_decompressed_is_kept(receiver: Receiver) -> None:
    """None of them has a byte decompressed: they are not repetitions of one another, nor of an empty body."""
    contents = [body(BARE), body(monitor_message()), b""]
    for content in contents:
        assert await post(receiver, content, headers={"Content-Encoding": "gzip"}) == 200
    events = await received(receiver, 3)
    assert [event.content for event in events if isinstance(event, UnreadableEvent)] == contents


async def test_body_that_is_too_large_is_kept_truncated() -> None:
    receiver = Receiver(MemoryInbox(), path=PATH, max_body=1_000)
    assert await post(receiver, [b"x" * 600] * 5) == 200
    [event] = await received(receiver)
    assert isinstance(event, UnreadableEvent)
    assert (event.content, event.size, event.is_truncated) == (b"x" * 1_000, 3_000, True)
    assert event.reason == "larger than 1000 bytes"


@pytest.mark.long
@pytest.mark.unmeasured
async def test_compressed_gigabyte_is_not_decompressed() -> None:
    bomb = zlib.compressobj(9, wbits=31)
    content = b"".join([bomb.compress(b"\0" * 1_000_000) for _ in range(100)]) + bomb.flush()
    receiver = Receiver(MemoryInbox(), path=PATH, max_body=100_000)
    assert await post(receiver, [content, b"and more"], headers={"content-encoding": "gzip"}) == 200
    [event] = await received(receiver)
    assert isinstance(event, UnreadableEvent)
    assert event.reason == "larger than 100000 bytes"
    assert event.size < 1_000_000


async def test_body_of_a_great_many_compressed_parts_is_unreadable(receiver: Receiver) -> None:
    """Each part costs a copy of those behind it: a mebibyte of empty ones took four seconds of the event loop."""
    content = gzip.compress(b"", mtime=0) * 50_000
    assert await post(receiver, [content, content], headers={"content-encoding": "gzip"}) == 200
    [event] = await received(receiver)
    assert isinstance(event, UnreadableEvent)
    assert event.reason == "compressed, in more than 100 parts"


async def test_hundred_compressed_parts_are_read(receiver: Receiver) -> None:
    headers = {"content-encoding": "gzip"}
    for parts, kind in ((100, MonitorEvent), (101, UnreadableEvent)):
        content = gzip.compress(b" ", mtime=0) * (parts - 1) + gzip.compress(body(monitor_message(parts)), mtime=0)
        assert await post(receiver, content, headers=headers) == 200
        [event] = await received(receiver)
        assert isinstance(event, kind)


async def test_two_large_bodies_that_begin_alike_are_two_events() -> None:
    inbox = MemoryInbox()
    receiver = Receiver(inbox, path=PATH, max_body=100)
    for size in (200, 300):
        await post(receiver, b"x" * size)
    assert (await inbox.statistics()).waiting == 2


async def test_body_that_takes_too_long_is_answered_by_500(caplog: pytest.LogCaptureFixture) -> None:
    inbox = MemoryInbox()
    receiver = Receiver(inbox, path=PATH, body_timeout=10)
    statuses: list[int] = []

    async def receive() -> MutableMapping[str, Any]:
        await anyio.sleep(3)
        return {"type": "http.request", "body": b"{", "more_body": True}

    async def send(event: MutableMapping[str, Any]) -> None:
        if "status" in event:
            statuses.append(event["status"])

    for _ in range(3):
        await receiver({"type": "http", "method": "POST", "path": PATH, "headers": []}, receive, send)
    assert statuses == [500, 500, 500]
    late = "3 bytes within 10 s, and the body had not ended"
    slow = f"deliveries were too slow so far, and answered by 500; the last: {late}"
    assert caplog.messages == [f"{number} {slow}" for number in (1, 2)]  # then at 4, 8, …
    assert (await inbox.statistics()).waiting == 0


async def test_body_that_is_not_complete_is_not_stored(receiver: Receiver, inbox: MemoryInbox) -> None:
    assert await post(receiver, [b"{", None]) is None
    assert (await inbox.statistics()).waiting == 0


# ------------------------------------------------------------------------------------------------ verification


async def test_event_without_the_token_is_not_verified(receiver: Receiver) -> None:
    wrong = monitor_message(1, attributes=[{"key": "token", "value": "wrong"}])
    assert await post(receiver, body([BARE, wrong])) == 200
    assert [event.is_verified for event in await received(receiver, 2)] == [False, False]


@pytest.mark.parametrize(
    ("headers", "query"),
    [
        ({"Authorization": f"Bearer {TOKEN}"}, b""),
        ({"Authorization": TOKEN}, b""),
        ({"token": TOKEN}, b""),
        ({}, b"a=b&token=" + TOKEN.encode()),
    ],
)
async def test_token_in_a_header_verifies_with_a_warning(
    receiver: Receiver, headers: dict[str, str], query: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    for number in range(2):
        await post(receiver, body(BARE | {"n": number}), headers=headers, query=query)
    assert [event.is_verified for event in await received(receiver, 2)] == [True, True]
    warning = (
        "the token came in a header or in the query only: batches after an outage do not have it. Add the body "
        "attribute 'token' to the callback, as callbacks.ensure() does"
    )
    assert caplog.messages == [warning]
    assert TOKEN not in caplog.text


@pytest.mark.parametrize(
    ("headers", "query"),
    [
        ({"Authorization": "Bearer x"}, b""),
        ({"token": "é"}, b""),
        ({}, b"token=x&" * 9_000),
        ({"x": TOKEN}, b"\xff=%ff"),
    ],
)
async def test_other_secrets_do_not_verify(receiver: Receiver, headers: dict[str, str], query: bytes) -> None:
    await post(receiver, body(BARE), headers=headers, query=query)
    assert [event.is_verified for event in await received(receiver)] == [False]


async def test_secret_path_verifies_where_there_is_no_token() -> None:
    receiver = Receiver(MemoryInbox(), path=PATH)
    await post(receiver, body(BARE))
    assert [event.is_verified for event in await received(receiver)] == [True]


async def test_strict_token_refuses_what_has_none(inbox: MemoryInbox, caplog: pytest.LogCaptureFixture) -> None:
    receiver = Receiver(inbox, path=PATH, token=TOKEN, strict_token=True)
    assert await post(receiver, body(BARE)) == 404
    assert await post(receiver, b"{") == 404
    assert await post(receiver, b"[]") == 200
    assert await post(receiver, body([BARE, monitor_message(1)])) == 200
    assert (await inbox.statistics()).waiting == 1
    refused = "events had no token so far, and were refused"
    assert caplog.messages == [f"1 {refused}", f"2 {refused}"]


async def test_unverified_event_does_not_hide_the_verified_one(receiver: Receiver) -> None:
    await post(receiver, body(BARE))
    await post(receiver, body(monitor_message()))
    assert [event.is_verified for event in await received(receiver)] == [True]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, NEITHER_OR_BOTH),
        ({"inbox": MemoryInbox(), "handle": post}, NEITHER_OR_BOTH),
        (
            {"inbox": MemoryInbox(), "path": "st"},
            "path must begin with a slash: it is that of the webhook's URL, such as '/st/k3Jx0v'",
        ),
        (
            {"inbox": MemoryInbox(), "token": ""},
            "token must not be empty: pass None where the secret path is to verify events",
        ),
        (
            {"inbox": MemoryInbox(), "token": "$ecret"},
            "token must not begin with $: the vendor replaces such values by those of the event",
        ),
        ({"inbox": MemoryInbox(), "strict_token": True}, "strict_token needs a token="),
        ({"inbox": MemoryInbox(), "max_body": 0}, "max_body and body_timeout must be positive, not 0 and 30.0"),
        ({"inbox": MemoryInbox(), "body_timeout": 0}, "max_body and body_timeout must be positive, not 8388608 and 0"),
    ],
)
def test_options_that_make_no_sense_are_refused(options: dict[str, Any], message: str) -> None:
    given: dict[str, Any] = {"path": PATH} | options
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        Receiver(**given)
    Receiver(MemoryInbox(), path=PATH, max_body=1, body_timeout=0.5)


@pytest.mark.parametrize("options", [{"max_body": 8e6}, {"max_body": float("nan")}, {"body_timeout": "30"}])
def test_options_of_another_type_are_refused(options: Any) -> None:
    """A number of bytes with a fraction would fail at each delivery."""
    with pytest.raises(TypeError, match=f"^{next(iter(options))} must be int"):
        Receiver(MemoryInbox(), path=PATH, **options)


def test_receiver_shows_no_secret(receiver: Receiver) -> None:
    assert PATH not in repr(receiver)
    assert TOKEN not in repr(receiver)
    assert repr(Receiver(handle=_ignore, path=PATH)) == "Receiver('handle=…', path=***)"


async def _ignore(_: Notification) -> None:
    await anyio.lowlevel.checkpoint()


# ------------------------------------------------------------------------------------------------ the stream


async def test_asking_for_the_next_acknowledges_the_last(receiver: Receiver) -> None:
    await post(receiver, body([monitor_message(number) for number in range(3)]))
    given = await fail_at(receiver, 2)
    assert (await received(receiver))[0].id == given


async def test_leaving_the_block_acknowledges(receiver: Receiver, inbox: MemoryInbox) -> None:
    await post(receiver, body(monitor_message()))
    await received(receiver)
    assert (await inbox.statistics()).waiting == 0


async def test_event_that_fails_five_times_is_set_aside(receiver: Receiver, inbox: MemoryInbox) -> None:
    await post(receiver, body([monitor_message(1), monitor_message(2)]))
    first = [await fail_at(receiver, 1) for _ in range(5)][-1]
    [second] = await received(receiver)
    assert second.id != first
    assert (await inbox.statistics()).dead == 1


async def test_cancelled_consumer_has_not_failed(receiver: Receiver, inbox: MemoryInbox) -> None:
    await post(receiver, body(monitor_message()))
    for _ in range(10):
        with anyio.move_on_after(1):
            async with receiver.events() as events:
                await anext(events)
                await anyio.sleep_forever()
    assert len(await received(receiver)) == 1


async def test_waiting_for_an_event_may_time_out(receiver: Receiver) -> None:
    async with receiver.events() as events:
        for number in range(3):
            with anyio.move_on_after(1) as scope:
                await anext(events)
            assert scope.cancelled_caught
            await post(receiver, body(monitor_message(number)))
            await anext(events)


class FillingInbox(MemoryInbox):
    """An inbox whose disk is full at times."""

    is_full = True

    async def put(self, entries: Sequence[IncomingEvent]) -> Sequence[StoredEvent]:
        if self.is_full:
            raise InboxError("the disk is full")
        return await super().put(entries)


@pytest.mark.long
@pytest.mark.unmeasured
async def test_hours_without_a_disk_are_a_few_lines(caplog: pytest.LogCaptureFixture) -> None:
    """Each event is repeated every 10 s; that they are stored again is told too, and so is the next outage."""
    inbox = FillingInbox()
    receiver = Receiver(inbox, path=PATH, token=TOKEN)
    for number in range(1_000):
        assert await post(receiver, body(monitor_message(number))) == 500
    assert [message.split()[0] for message in caplog.messages] == [str(2**power) for power in range(10)]
    caplog.clear()
    inbox.is_full = False
    assert await post(receiver, body(monitor_message())) == 200
    inbox.is_full = True
    assert await post(receiver, body(monitor_message())) == 500
    assert [message.split(":")[0] for message in caplog.messages] == [
        "deliveries are stored again, after 1000 that were not",
        "1 deliveries were not stored so far, and answered by 500; the last",
    ]


async def test_stopped_stream_ends_after_the_event(receiver: Receiver) -> None:
    """The event in hand is acknowledged, and the next stream gets the other one."""
    await post(receiver, body([monitor_message(1), monitor_message(2)]))
    taken: list[str] = []
    async with receiver.events() as events:
        async for event in events:
            taken.append(event.id)
            events.stop()
    async with receiver.events() as events:
        event = await anext(events)
    assert len({event.id, *taken}) == 2


@pytest.mark.wall_clock
@pytest.mark.parametrize("is_thread", [False, True])
async def test_stop_ends_the_wait_for_an_event(receiver: Receiver, is_thread: bool) -> None:
    """What arrives meanwhile has not been given to it."""
    await post(receiver, body(monitor_message(1)))
    events = receiver.events()
    taken: list[str] = []

    async def consume() -> None:
        async with events:
            taken.extend([event.id async for event in events])

    with anyio.fail_after(5):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(consume)
            await anyio.wait_all_tasks_blocked()
            if is_thread:
                await anyio.to_thread.run_sync(events.stop)
            else:
                events.stop()
            await post(receiver, body(monitor_message(2)))
    assert len(taken) == 1
    assert [event.id for event in await received(receiver)] not in ([], taken)


async def test_stream_stopped_before_it_begins_is_empty(receiver: Receiver) -> None:
    await post(receiver, body(monitor_message()))
    events = receiver.events()
    events.stop()
    async with events:
        assert [event async for event in events] == []
    assert len(await received(receiver)) == 1


async def test_stream_is_entered_once(receiver: Receiver) -> None:
    stream = receiver.events()
    assert aiter(stream) is stream
    unentered = "the stream was not entered: use `async with receiver.events() as events: async for …`"
    with pytest.raises(RuntimeError, match=f"^{re.escape(unentered)}$"):
        await anext(stream)
    async with stream:
        pass
    with pytest.raises(RuntimeError, match=r"^this stream was entered before: make a new one for each `async with`$"):
        async with stream:
            pass
    with pytest.raises(RuntimeError, match=r"^this receiver calls handle= .* it has no inbox to take them from$"):
        Receiver(handle=_ignore, path=PATH).events()


async def test_stream_has_one_consumer_inside_its_block(receiver: Receiver) -> None:
    """A second one would get the same event; after the block, another process may be the consumer."""
    async with receiver.events() as stream, anyio.create_task_group() as tasks:
        tasks.start_soon(anext, stream)
        await anyio.wait_all_tasks_blocked()
        with pytest.raises(RuntimeError, match=r"^another task waits for the next event, .*: use one consumer$"):
            await anext(stream)
        tasks.cancel_scope.cancel()
    await post(receiver, body(monitor_message()))
    with pytest.raises(RuntimeError, match=r"^the stream has ended with its block: take events inside `async with`$"):
        await anext(stream)
    assert len(await received(receiver)) == 1


class StuckInbox(MemoryInbox):
    """An inbox that does not answer any more."""

    async def acknowledge(self, number: int) -> None:
        await anyio.sleep_forever()


async def test_acknowledgement_at_the_end_is_bounded() -> None:
    receiver = Receiver(StuckInbox(), path=PATH)
    await post(receiver, body(monitor_message()))
    with pytest.raises(InboxError, match=r"^the last event was not acknowledged within 10 s, and will be given again$"):
        async with receiver.events() as events:
            await anext(events)


class SlowInbox(MemoryInbox):
    async def release(self, consumer: str) -> None:
        await anyio.lowlevel.checkpoint()
        await super().release(consumer)


async def test_cancelled_consumer_waits_for_the_release() -> None:
    receiver = Receiver(SlowInbox(), path=PATH)
    await post(receiver, body(monitor_message()))
    for _ in range(10):
        with anyio.CancelScope() as scope:
            async with receiver.events() as events:
                await anext(events)
                scope.cancel()
                await anyio.sleep_forever()
    assert len(await received(receiver)) == 1


class UnreleasedInbox(MemoryInbox):
    async def release(self, consumer: str) -> None:
        raise InboxError("the disk is full")


async def test_failure_of_the_release_hides_no_cancellation() -> None:
    stream = EventStream(UnreleasedInbox())
    with anyio.move_on_after(1) as scope:
        async with stream:
            await anyio.sleep_forever()
    assert scope.cancelled_caught
    with pytest.raises(InboxError, match="full"):
        async with EventStream(UnreleasedInbox()):
            pass


# ------------------------------------------------------------------------------------------------ listeners


async def test_listeners_get_verified_events_that_are_new(receiver: Receiver) -> None:
    heard: list[Notification] = []
    stop = receiver.listen(heard.append)
    for content in (monitor_message(), monitor_message(), BARE | {"n": 1}, 5, monitor_message(1)):
        await post(receiver, body(content))
    stop()
    stop()
    await post(receiver, body(monitor_message(2)))
    assert [type(event) for event in heard] == [MonitorEvent, MonitorEvent]


async def test_operations_get_their_verified_steps(receiver: Receiver) -> None:
    feed: EventReceiver = receiver
    steps: list[OperationStep] = []
    stop = feed.subscribe("remote-1", steps.append)
    stop_other = feed.subscribe("remote-2", steps.append)
    token = [{"key": "token", "value": TOKEN}]
    for status, phase, attributes in (
        ("Accepted", "Pending", token),
        ("Accepted", "Pending", token),
        ("Success", "Done", []),
        ("Success", "Done", token),
    ):
        await post(receiver, body(remote_message(status, phase, attributes=attributes)))
    await post(receiver, body(remote_message(attributes=token) | {"remoteEvent": {"remoteActionId": "remote-1"}}))
    assert [(step.status, step.source) for step in steps] == [("Accepted", "event"), ("Success", "event")]
    stop()
    stop()
    stop_other()
    await post(receiver, body(remote_message("AlreadyDone", attributes=token)))
    assert len(steps) == 2
    assert receiver._dispatch._operations == {}


async def test_ids_may_be_numbers(receiver: Receiver) -> None:
    steps: list[OperationStep] = []
    receiver.subscribe("5", steps.append)
    receiver.register("5", vin=VIN, vehicle_id="vehicle-1")
    receiver.register("7", vin=VIN, vehicle_id="vehicle-1")
    heard: list[Notification] = []
    receiver.listen(heard.append)
    token = [{"key": "token", "value": TOKEN}]
    remote, monitor = remote_message(attributes=token), monitor_message(attributes=token)
    remote["remoteEvent"]["remoteActionId"], monitor["monitorEvent"]["monitorId"] = 5, 7
    for message in (remote, {**remote, "date": "2026-03-01T12:00:30Z"}, monitor):
        await post(receiver, body(message))
    assert [step.status for step in steps] == ["Success"]
    assert [(event.vin, event.vehicle_id) for event in heard] == [(VIN, "vehicle-1")] * 2


async def test_listeners_of_one_operation_end_alone(receiver: Receiver) -> None:
    first: list[OperationStep] = []
    second: list[OperationStep] = []
    stop = receiver.subscribe("remote-1", first.append)
    receiver.subscribe("remote-1", second.append)
    token = [{"key": "token", "value": TOKEN}]
    await post(receiver, body(remote_message("Accepted", "Pending", attributes=token)))
    stop()
    await post(receiver, body(remote_message("Success", "Done", attributes=token)))
    assert (len(first), len(second)) == (1, 2)


async def test_listener_is_a_function_that_does_not_wait(receiver: Receiver) -> None:
    async def wait(_: Notification) -> None:
        raise NotImplementedError

    for listener in (wait, None):
        with pytest.raises(TypeError, match="listener must be a function that is not async"):
            receiver.listen(listener)  # type: ignore[arg-type]


async def test_listener_that_raises_harms_no_other(receiver: Receiver, caplog: pytest.LogCaptureFixture) -> None:
    def fail(_: Notification) -> None:
        raise LookupError

    heard: list[Notification] = []
    receiver.listen(fail)
    receiver.listen(heard.append)
    assert await post(receiver, body(monitor_message())) == 200
    assert len(heard) == 1
    assert caplog.messages == ["a listener to notifications failed; the event is stored, and others get it"]
    assert "LookupError" in caplog.text


async def test_registered_sources_tell_the_vehicle(receiver: Receiver) -> None:
    heard: list[Notification] = []
    receiver.listen(heard.append)
    receiver.register("monitor-1", vin=VIN, vehicle_id="v1")
    await post(
        receiver, body(monitor_message(attributes=[{"key": "token", "value": TOKEN}, {"key": "vin", "value": "$vin"}]))
    )
    for event in (*heard, *await received(receiver)):
        assert (event.vin, event.vehicle_id) == (VIN, "v1")


async def test_vin_of_an_event_goes_before_that_of_its_monitor(receiver: Receiver) -> None:
    """Ids may be used again: the status of one car must not become that of another one in `watch`."""
    heard: list[Notification] = []
    receiver.listen(heard.append)
    receiver.register("monitor-1", vin="VF7OTHER000000000", vehicle_id="v2")
    await post(receiver, body(monitor_message()))
    receiver.register("monitor-1", vin=VIN.lower(), vehicle_id="v1")
    await post(receiver, body(monitor_message(1)))
    assert [(event.vin, event.vehicle_id) for event in heard] == [(VIN, None), (VIN, "v1")]


class Account:
    def __init__(self, *vehicles: Vehicle) -> None:
        self._vehicles = vehicles

    async def vehicles(self) -> AsyncIterator[Vehicle]:
        for vehicle in self._vehicles:
            yield vehicle


async def test_vehicles_are_forgotten(receiver: Receiver, inbox: MemoryInbox) -> None:
    ours = read({"id": "v1", "vin": VIN}, Vehicle)
    other = read({"id": "v2"}, Vehicle)
    receiver.register("monitor-2", vin=None, vehicle_id="v2")
    await post(receiver, body([monitor_message(), monitor_message(1)]))
    assert await receiver.forget(ours) == 2
    second = {"callbackId": "c", "type": "Monitor", "monitorEvent": {"monitorId": "monitor-2"}}
    await post(receiver, body([monitor_message(3), second]))
    assert await receiver.forget(Account(ours, other)) == 2
    assert (await inbox.statistics()).waiting == 0
    without_inbox = Receiver(handle=_ignore, path=PATH)
    assert await without_inbox.forget(ours) == 0
    statistics = await without_inbox.statistics()
    assert (statistics.waiting, statistics.dead, statistics.bounded) == (0, 0, 0)


class Filling(MemoryInbox):
    """An inbox in which each body is thousands of events, and whose statistics are scripted."""

    def __init__(self, *waiting: int | Exception) -> None:
        super().__init__()
        self.script = list(waiting)

    async def put(self, entries: Sequence[IncomingEvent]) -> Sequence[StoredEvent]:
        return list(await super().put(entries)) * 10_000

    async def statistics(self) -> InboxStatistics:
        waiting = self.script.pop(0)
        if isinstance(waiting, Exception):
            raise waiting
        return InboxStatistics(waiting=waiting, dead=0, bounded=0, dropped=0, refused_duplicates=0)


async def test_events_that_nothing_takes_are_told(caplog: pytest.LogCaptureFixture) -> None:
    """A program that needs them for `watch` and commands only would keep each of them for good."""
    inbox = Filling(9_999, 10_000, 19_999, LookupError(), 20_000, 9_999, 10_000)
    receiver = Receiver(inbox, path=PATH, token="another")
    for number in range(7):
        assert await post(receiver, body(monitor_message(number))) == 200
    assert [message.split()[0] for message in caplog.messages] == ["10000", "20000", "10000"]
    assert "receiver.events()" in caplog.text


# ------------------------------------------------------------------------------------------------ handle=


async def test_handle_is_called_before_the_answer() -> None:
    handled: list[Notification] = []

    async def handle(event: Notification) -> None:
        await anyio.sleep(1)
        handled.append(event)

    receiver = Receiver(handle=handle, path=PATH)
    nothing = InboxStatistics(waiting=0, dead=0, bounded=0, dropped=0, refused_duplicates=0)
    assert await receiver.statistics() == nothing
    receiver.register("monitor-1", vin=VIN, vehicle_id="v1")
    heard: list[Notification] = []
    receiver.listen(heard.append)
    assert await post(receiver, body([monitor_message(1), monitor_message(2)])) == 200
    assert await post(receiver, body(monitor_message(1))) == 200
    assert [event.vehicle_id for event in handled] == ["v1", "v1"]
    assert heard == handled


async def test_a_plain_function_is_told_of(caplog: pytest.LogCaptureFixture) -> None:
    plain: Any = print
    assert await post(Receiver(handle=plain, path=PATH), body(monitor_message(1))) == 500
    assert "TypeError: handle= must be an async function: a plain one cannot be awaited" in caplog.text


async def test_what_handle_fails_at_is_answered_by_500(caplog: pytest.LogCaptureFixture) -> None:
    handled: list[str] = []

    async def handle(event: Notification) -> None:
        handled.append(event.id)
        if len(handled) == 2:
            raise LookupError

    receiver = Receiver(handle=handle, path=PATH)
    batch = body([monitor_message(1), monitor_message(2), monitor_message(3)])
    assert await post(receiver, batch) == 500
    assert await post(receiver, batch) == 200
    assert len(handled) == 4
    assert len(set(handled)) == 3
    failed = "1 deliveries were not stored so far, and answered by 500; the last: LookupError: "
    assert caplog.messages == [failed, "deliveries are stored again, after 1 that were not"]


async def test_two_events_are_handled_at_the_same_time() -> None:
    running: list[int] = []

    async def handle(_: Notification) -> None:
        running.append(len(running))
        await anyio.sleep(1)
        running.pop()

    receiver = Receiver(handle=handle, path=PATH)
    async with anyio.create_task_group() as tasks:
        for number in range(2):
            tasks.start_soon(post, receiver, body(monitor_message(number)))
        await anyio.wait_all_tasks_blocked()
        assert running == [0, 1]


async def test_repetition_waits_for_the_first_to_be_handled() -> None:
    handled: list[str] = []

    async def handle(event: Notification) -> None:
        await anyio.sleep(1)
        handled.append(event.id)
        if len(handled) == 1:
            raise LookupError

    receiver = Receiver(handle=handle, path=PATH)
    statuses: list[int | None] = []

    async def deliver() -> None:
        statuses.append(await post(receiver, body(monitor_message())))

    async with anyio.create_task_group() as tasks:
        for _ in range(3):
            tasks.start_soon(deliver)
    assert sorted(filter(None, statuses)) == [200, 200, 500]
    assert len(handled) == 2


async def test_repetitions_of_a_hanging_handle_do_not_pile_up(caplog: pytest.LogCaptureFixture) -> None:
    handled: list[str] = []

    async def handle(event: Notification) -> None:
        handled.append(event.id)
        await anyio.sleep_forever()

    receiver = Receiver(handle=handle, path=PATH)
    statuses: list[int | None] = []

    async def deliver() -> None:
        statuses.append(await post(receiver, body(monitor_message())))

    async with anyio.create_task_group() as tasks:
        for _ in range(10):
            tasks.start_soon(deliver)
            await anyio.sleep(10)
        await anyio.sleep(30)
        assert statuses == [500] * 9
        assert len(handled) == 1
        tasks.cancel_scope.cancel()
    assert "handle= has not returned for this event of an earlier delivery, waited for 30 s" in caplog.text


async def test_listeners_hear_of_what_a_failed_delivery_has_handled() -> None:
    """Its repetition has nothing new; `watch` and commands would never know of the event."""
    failing = [False, True]

    async def handle(_: Notification) -> None:
        await anyio.lowlevel.checkpoint()
        if failing and failing.pop(0):
            raise LookupError

    receiver = Receiver(handle=handle, path=PATH)
    heard: list[Notification] = []
    receiver.listen(heard.append)
    batch = body([monitor_message(1), monitor_message(2)])
    assert await post(receiver, batch) == 500
    assert await post(receiver, batch) == 200
    assert await post(receiver, batch) == 200
    assert len(heard) == len({event.id for event in heard}) == 2


class Cancelled(MemoryInbox):
    """An inbox whose caller is cancelled once the event is stored."""

    async def put(self, entries: Sequence[IncomingEvent]) -> Sequence[StoredEvent]:
        new = await super().put(entries)
        if new and entries[0].is_verified:
            await anyio.sleep_forever()
        return new


async def test_listeners_hear_of_what_a_cancelled_delivery_has_stored() -> None:
    """A server, or a middleware, may cancel the application where its sender goes away."""
    receiver = Receiver(Cancelled(), path=PATH, token=TOKEN)
    heard: list[Notification] = []
    receiver.listen(heard.append)
    with anyio.move_on_after(1):
        await post(receiver, body(monitor_message()))
    assert await post(receiver, body(BARE)) == 200  # unverified: they are told of verified ones only
    assert await post(receiver, body(monitor_message())) == 200
    assert len(heard) == 1


class Unreliable(MemoryInbox):
    """An inbox that stores what it is given, and raises."""

    async def put(self, entries: Sequence[IncomingEvent]) -> Sequence[StoredEvent]:
        if await super().put(entries):
            raise LookupError
        return ()


@pytest.mark.long
async def test_deliveries_that_fail_for_hours_fill_no_memory() -> None:
    receiver = Receiver(Unreliable(), path=PATH)
    heard: list[Notification] = []
    receiver.listen(heard.append)
    first, last = body(monitor_message()), body([{"remoteActionId": str(number)} for number in range(10_000)])
    for content in (first, last):
        assert await post(receiver, content) == 500
    assert await post(receiver, first) == 200
    assert heard == []
    assert await post(receiver, body({"remoteActionId": "9999"})) == 200
    assert len(heard) == 1


async def test_a_receiver_without_inbox_forgets_vehicles_too() -> None:
    handled: list[Notification] = []

    async def handle(event: Notification) -> None:
        await anyio.lowlevel.checkpoint()
        handled.append(event)

    receiver = Receiver(handle=handle, path=PATH)
    receiver.register("monitor-1", vin=None, vehicle_id="v1")
    await post(receiver, body(monitor_message(1)))
    assert await receiver.forget(read({"id": "v1"}, Vehicle)) == 0
    await post(receiver, body(monitor_message(2)))
    assert [event.vehicle_id for event in handled] == ["v1", None]


async def test_handled_events_are_remembered_for_four_days() -> None:
    handled: list[str] = []

    async def handle(event: Notification) -> None:
        await anyio.lowlevel.checkpoint()
        handled.append(event.id)

    now = NOW
    receiver = Receiver(handle=handle, path=PATH, clock=lambda: now)
    await post(receiver, body(monitor_message()))
    now += timedelta(days=4, seconds=-1)
    await post(receiver, body(monitor_message(1)))
    await post(receiver, body(monitor_message()))
    assert len(handled) == 2
    now += timedelta(days=3_650)  # a clock that is ahead once forgets none
    await post(receiver, body(monitor_message(1)))
    await post(receiver, body(monitor_message()))
    assert len(handled) == 2
    now -= timedelta(days=3_650, seconds=-1)
    await post(receiver, body(monitor_message(1)))
    await post(receiver, body(monitor_message()))
    assert len(handled) == 3
    now += timedelta(days=4)
    await post(receiver, body([]))
    now += timedelta(minutes=1)
    await post(receiver, body([]))  # the last ones are forgotten without a new one
    await post(receiver, body(monitor_message()))
    assert len(handled) == 4


async def test_unverified_flood_makes_no_verified_event_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stellantis_hal.notifications.direct_delivery._MAX_REMEMBERED", 3)
    handled: list[bool] = []

    async def handle(event: Notification) -> None:
        await anyio.lowlevel.checkpoint()
        handled.append(event.is_verified)

    receiver = Receiver(handle=handle, path=PATH, token="s3cr3t", clock=lambda: NOW)
    await post(receiver, body(monitor_message()))
    await post(receiver, body([monitor_message(number, attributes=[]) for number in range(1, 9)]))
    await post(receiver, body(monitor_message()))
    assert handled == [True] + [False] * 8
    await post(receiver, body(monitor_message(1, attributes=[])))  # of those three are remembered
    assert handled == [True] + [False] * 9
    await post(receiver, body(monitor_message(7, attributes=[])))
    assert handled == [True] + [False] * 9


# ------------------------------------------------------------------------------------------------ the server


async def lifespan(receiver: Receiver) -> list[MutableMapping[str, Any]]:
    """Return what a server sends to a receiver and gets from it."""
    coming = [{"type": "lifespan.startup"}, {"type": "lifespan.other"}, {"type": "lifespan.shutdown"}]
    events: list[MutableMapping[str, Any]] = []

    async def receive() -> MutableMapping[str, Any]:
        await anyio.lowlevel.checkpoint()
        events.append(coming.pop(0))
        return events[-1]

    async def send(event: MutableMapping[str, Any]) -> None:
        events.append(event)

    await receiver({"type": "lifespan"}, receive, send)
    return events


async def test_server_starts_and_ends_the_receiver(receiver: Receiver) -> None:
    names = ["startup", "startup.complete", "other", "shutdown", "shutdown.complete"]
    for one in (receiver, Receiver(handle=_ignore, path=PATH)):
        assert await lifespan(one) == [{"type": f"lifespan.{name}"} for name in names]


async def test_server_does_not_start_without_its_inbox(tmp_path: Any) -> None:
    path = tmp_path / "missing" / f"{VIN}.db"
    [_, failed] = await lifespan(Receiver(SQLiteInbox(path), path=PATH))
    assert failed["type"] == "lifespan.startup.failed"
    assert failed["message"].startswith(f"the inbox cannot be used: {path.with_name('***.db')}: ")


async def test_websockets_are_refused(receiver: Receiver) -> None:
    sent: list[MutableMapping[str, Any]] = []

    async def send(event: MutableMapping[str, Any]) -> None:
        sent.append(event)

    async def receive() -> MutableMapping[str, Any]:
        raise AssertionError

    await receiver({"type": "websocket"}, receive, send)
    assert sent == [{"type": "websocket.close", "code": 1000}]
    with pytest.raises(ValueError, match=r"^ASGI scope type must be 'http', 'websocket' or 'lifespan', not 'mail'$"):
        await receiver({"type": "mail"}, receive, send)


async def test_nothing_secret_is_logged(receiver: Receiver, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    for content in (monitor_message(), BARE, remote_message(), 5):
        await post(receiver, body(content), headers={"Authorization": "Bearer nonsense"})
    for secret in (PATH, TOKEN, VIN, "callback-1", "nonsense"):
        assert secret not in caplog.text


@pytest.mark.parametrize(
    ("inbox", "options", "message"),
    [
        ("inbox.db", {}, "inbox must be an Inbox or None, not str: SQLiteInbox('inbox.db')"),
        (print, {}, "inbox must be an Inbox or None, not builtin_function_or_method: SQLiteInbox('inbox.db')"),
        (None, {"handle": "save"}, "handle must be an async function or None, not str"),
        (MemoryInbox(), {"path": None}, 'path must be str, not NoneType: path="/st/k3Jx0v"'),
        (MemoryInbox(), {"token": 3}, "token must be str or None, not int"),
    ],
    ids=["inbox", "function", "handle", "path", "token"],
)
def test_receiver_of_wrong_types_is_refused(inbox: Any, options: dict[str, Any], message: str) -> None:
    """An inbox that was the path of one answered each delivery by 500."""
    arguments: dict[str, Any] = {"path": PATH, **options}
    with pytest.raises(TypeError, match=f"^{re.escape(message)}$"):
        Receiver(inbox, **arguments)


@pytest.mark.parametrize("path", ["/st/k3Jx0v?from=vendor", "/st#k3Jx0v"])
def test_path_that_no_request_has_is_refused(path: str) -> None:
    with pytest.raises(ValueError, match=r"^path must not have a query or a fragment"):
        Receiver(MemoryInbox(), path=path)


async def test_what_has_no_vehicles_is_not_forgotten(receiver: Receiver) -> None:
    vin: Any = VIN
    with pytest.raises(TypeError, match=r"^source must be a Vehicle, an Account or a Fleet, not str$"):
        await receiver.forget(vin)
