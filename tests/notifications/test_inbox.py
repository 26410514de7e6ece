"""Inboxes: in memory and in an SQLite file."""

from __future__ import annotations

import asyncio
import os
import re
import sqlite3
import sys
import threading
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import pytest

from stellantis_hal.notifications import (
    EventVehicle,
    InboxError,
    IncomingEvent,
    MemoryInbox,
    SQLiteInbox,
    event_tables,
    sqlite_inbox,
)
from stellantis_hal.notifications.stream import EventStream
from stellantis_hal.storage.file_lock import FileLock
from stellantis_hal.storage.sqlite import SQLiteDatabase

pytestmark = [pytest.mark.anyio, pytest.mark.wall_clock]
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
NO_ROOM = "max_unverified and max_unverified_bytes must be at least 1"
WHY = "without room for them, nothing tells that events have a wrong token"

AnyInbox = MemoryInbox | SQLiteInbox
Make = Callable[..., AnyInbox]


class Clock:
    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(params=["memory", "file", "unnamed"])
async def make(request: pytest.FixtureRequest, tmp_path: Path, clock: Clock) -> AsyncIterator[Make]:
    made: list[AnyInbox] = []

    def make_one(**options: Any) -> AnyInbox:
        inbox: AnyInbox
        if request.param == "memory":
            options.pop("keep", None)
            inbox = MemoryInbox(clock=clock, **options)
        else:
            path = tmp_path / "inbox.db" if request.param == "file" else ":memory:"
            inbox = SQLiteInbox(path, clock=clock, **options)
        made.append(inbox)
        return inbox

    yield make_one
    for inbox in made:
        await inbox.aclose()


@pytest.fixture
async def inbox(make: Make) -> AnyInbox:
    return make()


def entry(identity: str = "1", **members: Any) -> IncomingEvent:
    options: dict[str, Any] = {"kind": "monitor", "content": b"{}", "is_verified": True, "received_at": NOW}
    return IncomingEvent(id=identity, **options | members)


def unverified(identity: str, size: int = 2) -> IncomingEvent:
    return entry(identity, is_verified=False, content=b"x" * size)


async def put(inbox: AnyInbox, *entries: IncomingEvent) -> list[str]:
    return [stored.entry.id for stored in await inbox.put(entries)]


async def drain(inbox: AnyInbox, consumer: str = "c") -> list[str]:
    """Take and acknowledge what waits."""
    taken: list[str] = []
    last: int | None = None
    while (await inbox.statistics()).waiting > (last is not None):
        stored = await inbox.next(consumer, last)
        taken.append(stored.entry.id)
        last = stored.number
    if last is not None:
        await inbox.acknowledge(last)
    return taken


async def test_events_are_taken_in_order(inbox: AnyInbox) -> None:
    assert await put(inbox, entry("1"), entry("2")) == ["1", "2"]
    assert await put(inbox, entry("3")) == ["3"]
    assert await drain(inbox) == ["1", "2", "3"]
    assert (await inbox.statistics()).waiting == 0


async def test_stored_event_is_read_as_it_was(inbox: AnyInbox) -> None:
    stored = entry(
        kind="unreadable", content=b"\xff", reason="no JSON", size=7, source_id="m1", callback_id="c1", vin="VF3"
    )
    [new] = await inbox.put([stored])
    assert (new.entry, new.owner, new.attempts) == (stored, None, 0)
    taken = await inbox.next("c")
    assert (taken.entry, taken.number, taken.attempts) == (stored, new.number, 1)


async def test_event_of_the_epoch_is_read(inbox: AnyInbox) -> None:
    await put(inbox, entry("1", received_at=datetime.fromtimestamp(0, UTC)))
    assert (await inbox.next("c")).entry.received_at.year == 1970


async def test_text_with_lone_surrogates_is_stored(inbox: AnyInbox) -> None:
    await put(inbox, entry(vin="\ud800", source_id="\udfff", callback_id="\ud801", reason="\ud802"))
    assert await drain(inbox) == ["1"]


async def test_repetition_is_not_stored_again(inbox: AnyInbox) -> None:
    assert await put(inbox, entry("1"), entry("1")) == ["1"]
    assert await put(inbox, entry("1"), entry("2")) == ["2"]
    assert await drain(inbox) == ["1", "2"]
    assert await put(inbox, entry("1")) == []
    assert (await inbox.statistics()).refused_duplicates == 3


async def test_identities_are_remembered_for_four_days(inbox: AnyInbox, clock: Clock) -> None:
    await put(inbox, entry("1"), entry("waits"))
    taken = await inbox.next("c")
    await inbox.acknowledge(taken.number)
    for minutes, is_new in ((-1, False), (0, False), (1, True)):  # of two readings of the clock the earlier counts
        clock.now = NOW + timedelta(days=4, minutes=minutes)
        await put(inbox, entry(f"at {minutes}", received_at=clock.now))  # what is too old goes with the next events
        assert await put(inbox, entry("1", received_at=clock.now)) == ["1"] * is_new
    assert "waits" in await drain(inbox)


async def test_acknowledged_contents_are_not_kept(make: Make) -> None:
    """Only their identities are: they take no room of the unverified, and none of the memory."""
    inbox = make(max_unverified_bytes=100)
    for identity in ("1", "2", "3"):
        assert await put(inbox, unverified(identity, 60)) == [identity]
        assert await drain(inbox) == [identity]
    await put(inbox, unverified("4", 100))
    assert (await inbox.statistics()).dropped == 0
    assert await put(inbox, unverified("1", 60)) == []


async def test_last_old_identity_goes_without_a_new_one(inbox: AnyInbox, clock: Clock) -> None:
    await put(inbox, entry("1"))
    assert await drain(inbox) == ["1"]
    clock.now = NOW + timedelta(days=5)
    assert await put(inbox) == []
    clock.now += timedelta(minutes=1)
    assert await put(inbox) == []
    assert await put(inbox, entry("1", received_at=clock.now)) == ["1"]


async def test_a_clock_that_is_ahead_once_forgets_no_identity(inbox: AnyInbox, clock: Clock) -> None:
    """The events of four days came again, and were new."""
    await put(inbox, entry("1"))
    assert await drain(inbox) == ["1"]
    for days in (3_650, 1, 3_650, 2):
        clock.now = NOW + timedelta(days=days)
        assert await put(inbox, entry(f"after {days}", received_at=NOW)) in ([f"after {days}"], [])
        assert await put(inbox, entry("1")) == []


async def test_verified_event_replaces_an_unverified_one(inbox: AnyInbox) -> None:
    await put(inbox, unverified("1"), entry("2"))
    assert await put(inbox, entry("1", content=b"[]")) == ["1"]
    assert await put(inbox, unverified("1")) == []
    first = await inbox.next("c")
    second = await inbox.next("c", first.number)
    assert [(taken.entry.id, taken.entry.is_verified) for taken in (first, second)] == [("2", True), ("1", True)]
    await inbox.acknowledge(second.number)
    assert (await inbox.statistics()).bounded == 0


async def test_verified_event_comes_after_an_unverified_one(inbox: AnyInbox) -> None:
    await put(inbox, unverified("1"))
    assert await drain(inbox) == ["1"]
    assert await put(inbox, entry("1")) == ["1"]
    assert await drain(inbox) == ["1"]


async def test_unverified_events_are_bounded_in_number(make: Make) -> None:
    inbox = make(max_unverified=3)
    await put(inbox, entry("verified"))
    for number in range(5):
        await put(inbox, unverified(str(number)))
    statistics = await inbox.statistics()
    assert (statistics.bounded, statistics.dropped) == (3, 2)
    assert await drain(inbox) == ["verified", "2", "3", "4"]


async def test_unverified_events_are_bounded_in_bytes(make: Make) -> None:
    inbox = make(max_unverified_bytes=100)
    await put(inbox, *(unverified(str(number), 30) for number in range(5)))
    await put(inbox, entry("big", kind="unreadable", content=b"x" * 90))
    assert await drain(inbox) == ["big"]
    assert (await inbox.statistics()).dropped == 5


async def test_unverified_events_that_fill_the_bounds_are_kept(make: Make) -> None:
    inbox = make(max_unverified=2, max_unverified_bytes=100)
    await put(inbox, unverified("1", 50), unverified("2", 50))
    assert (await inbox.statistics()).dropped == 0
    await put(inbox, unverified("3", 50))
    assert (await inbox.statistics()).dropped == 1
    assert await drain(inbox) == ["2", "3"]


async def test_unverified_event_beyond_all_bounds_is_not_kept(make: Make) -> None:
    inbox = make(max_unverified_bytes=100)
    await put(inbox, unverified("1", 200))
    statistics = await inbox.statistics()
    assert (statistics.waiting, statistics.bounded, statistics.dropped) == (0, 0, 1)


async def test_acknowledged_unverified_events_are_removed_first(make: Make) -> None:
    inbox = make(max_unverified=2)
    await put(inbox, unverified("1"), unverified("2"))
    taken = await inbox.next("c")
    await inbox.acknowledge(taken.number)
    await put(inbox, unverified("3"))
    assert (await inbox.statistics()).dropped == 0
    assert await drain(inbox) == ["2", "3"]


@pytest.mark.unmeasured
async def test_default_bounds_are_those_of_the_docs(inbox: AnyInbox) -> None:
    await put(inbox, *(unverified(str(number), 0) for number in range(1_001)))
    assert (await inbox.statistics()).dropped == 1
    await put(inbox, unverified("large", 10 * 1024 * 1024))
    assert (await inbox.statistics()).dropped == 2
    await put(inbox, unverified("larger", 1))
    assert (await inbox.statistics()).dropped == 1_002  # those that have no bytes are older than the large one
    assert await drain(inbox) == ["larger"]
    await put(inbox, entry("fails"), entry("good"))
    assert [(await inbox.next(f"consumer {attempt}")).entry.id for attempt in range(6)] == ["fails"] * 5 + ["good"]


async def test_event_that_fails_its_consumer_is_set_aside(make: Make) -> None:
    inbox = make(dead_after=3)
    await put(inbox, entry("poison"), entry("good"))
    for attempt in range(3):
        taken = await inbox.next(f"consumer {attempt}")
        assert (taken.entry.id, taken.attempts) == ("poison", attempt + 1)
    assert (await inbox.next("last")).entry.id == "good"
    assert (await inbox.statistics()).dead == 1
    assert await inbox.revive() == 1
    assert await drain(inbox, "again") == ["poison", "good"]


async def test_event_given_twice_to_one_consumer_counts_once(inbox: AnyInbox) -> None:
    await put(inbox, entry("1"))
    for _ in range(10):
        assert (await inbox.next("c")).attempts == 1


async def test_released_event_counts_as_not_given(inbox: AnyInbox) -> None:
    await put(inbox, entry("1"))
    for number in range(10):
        assert (await inbox.next(f"consumer {number}")).attempts == 1
        await inbox.release(f"consumer {number}")


async def test_acknowledging_twice_changes_nothing(inbox: AnyInbox) -> None:
    await put(inbox, entry("1"))
    taken = await inbox.next("c")
    for _ in range(2):
        await inbox.acknowledge(taken.number)
    assert (await inbox.statistics()).waiting == 0


async def test_consumer_waits_for_an_event(inbox: AnyInbox) -> None:
    taken: list[str] = []

    async def consume() -> None:
        taken.append((await inbox.next("c")).entry.id)

    with anyio.fail_after(5):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(consume)
            await anyio.wait_all_tasks_blocked()
            await put(inbox, entry("1"))
    assert taken == ["1"]


async def test_consumer_goes_on_waiting_after_a_repetition(inbox: AnyInbox) -> None:
    await put(inbox, entry("1"))
    assert await drain(inbox) == ["1"]
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(inbox.put, [entry("1")])  # ends while the consumer looks for an event
        tasks.start_soon(inbox.next, "c")
        await anyio.wait_all_tasks_blocked()
        await put(inbox, entry("2"))


async def test_consumer_waits_for_an_event_that_is_revived(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is woken at once, not when it looks for events of other processes."""
    monkeypatch.setattr(sqlite_inbox, "_POLL", 60.0)
    inbox = make(dead_after=1)
    await put(inbox, entry("1"))
    await inbox.next("a")
    with anyio.fail_after(5):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(inbox.next, "b")
            while not (await inbox.statistics()).dead:  # noqa: ASYNC110 - another task sets it aside
                await anyio.sleep(0.001)
            await inbox.revive()


async def test_owner_of_a_source_comes_with_its_events(inbox: AnyInbox) -> None:
    owner = EventVehicle(vin="VF3", vehicle_id="v1")
    inbox.register("m1", owner)
    [new] = await inbox.put([entry("1", source_id="m1")])
    assert new.owner == owner
    assert (await inbox.next("c")).owner == owner
    inbox.register("m1", EventVehicle(vin=None, vehicle_id="v2"))
    await inbox.statistics()  # which runs after what was registered
    assert (await inbox.next("c")).owner == EventVehicle(vin=None, vehicle_id="v2")


async def test_forgotten_vehicles_are_gone(inbox: AnyInbox) -> None:
    inbox.register("m1", EventVehicle(vin="VF1", vehicle_id="v1"))
    inbox.register("m2", EventVehicle(vin=None, vehicle_id="v2"))
    events = [
        entry("by vin", vin="VF1"),
        entry("by monitor", source_id="m1"),
        entry("by id", source_id="m2"),
        entry("by callback", callback_id="c1"),
        entry("other", vin="VF9", source_id="m9", callback_id="c9"),
    ]
    await put(inbox, *events)
    taken = await inbox.next("c")
    await inbox.acknowledge(taken.number)
    assert await inbox.forget(vins=["VF1"], vehicle_ids=["v2"], callback_ids=["c1"]) == 4
    assert await inbox.forget(vins=["VF1"]) == 0
    assert await drain(inbox) == ["other"]
    [again] = await inbox.put([entry("new", source_id="m1")])
    assert again.owner is None


async def test_one_consumer_at_a_time(inbox: AnyInbox) -> None:
    async with inbox.consuming():
        with pytest.raises(RuntimeError, match="has a consumer already"):
            async with inbox.consuming():
                pass
    async with inbox.consuming():
        pass


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"dead_after": 0}, "dead_after must be at least 1, the failures after which an event is set aside: 0"),
        ({"max_unverified": 0}, f"{NO_ROOM}, not 0 and 10485760: {WHY}"),
        ({"max_unverified_bytes": 0}, f"{NO_ROOM}, not 1000 and 0: {WHY}"),
        ({"keep": timedelta(seconds=-1)}, "keep must not be negative: -1 day, 23:59:59"),
    ],
)
def test_options_that_make_no_sense_are_refused(options: dict[str, Any], message: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        SQLiteInbox(tmp_path / "inbox.db", **options)
    SQLiteInbox(tmp_path / "inbox.db", dead_after=1, max_unverified=1, max_unverified_bytes=1, keep=timedelta())


@pytest.mark.parametrize("option", ["dead_after", "max_unverified", "max_unverified_bytes", "keep"])
@pytest.mark.parametrize("value", [float("nan"), 5.0, "5"])
def test_options_of_another_type_are_refused(option: str, value: Any, tmp_path: Path) -> None:
    """Of NaN none would be a bound."""
    with pytest.raises(TypeError, match=f"^{option} must be "):
        SQLiteInbox(tmp_path / "inbox.db", **{option: value})


# ------------------------------------------------------------------------------------------------ the file


def contents(path: Path) -> list[bytes | None]:
    connection = sqlite3.connect(path)
    try:
        return [content for (content,) in connection.execute("SELECT content FROM events ORDER BY number")]
    finally:
        connection.close()


async def test_events_survive_their_object(tmp_path: Path) -> None:
    async with SQLiteInbox(tmp_path / "inbox.db") as inbox:
        await inbox.put([entry("1"), entry("2")])
        taken = await inbox.next("c")
        await inbox.acknowledge(taken.number)
    async with SQLiteInbox(tmp_path / "inbox.db") as inbox:
        assert await put(inbox, entry("1")) == []
        assert await drain(inbox) == ["2"]


async def test_file_is_closed_though_its_block_is_cancelled(tmp_path: Path) -> None:
    path = tmp_path / "inbox.db"
    with anyio.CancelScope() as scope:
        async with SQLiteInbox(path) as inbox:
            await inbox.put([entry("1")])
            assert f"sqlite {path}" in [thread.name for thread in threading.enumerate()]
            scope.cancel()
    assert f"sqlite {path}" not in [thread.name for thread in threading.enumerate()]


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
@pytest.mark.parametrize("steps", range(4))
async def test_native_cancellations_are_no_failures_of_a_consumer(tmp_path: Path, steps: int) -> None:
    """Also where each comes with a second one, while the event is put back."""
    given = asyncio.Event()

    async def consume() -> None:
        async with EventStream(box) as events:
            await anext(events)
            given.set()
            await anyio.sleep_forever()

    async with SQLiteInbox(tmp_path / "inbox.db", dead_after=2) as box:
        await box.put([entry("1")])
        for _ in range(3):
            given.clear()
            task = asyncio.ensure_future(consume())
            await given.wait()
            task.cancel()
            for _ in range(steps):
                await asyncio.sleep(0)
            task.cancel()
            await asyncio.wait([task])
        assert (await box.statistics()).waiting == 1
        assert (await box.next("c")).attempts == 1


async def test_contents_go_when_they_are_acknowledged(tmp_path: Path) -> None:
    async with SQLiteInbox(tmp_path / "inbox.db") as inbox:
        await inbox.put([entry("1")])
        await drain(inbox)
        assert contents(tmp_path / "inbox.db") == [None]


async def test_contents_are_kept_as_long_as_asked(tmp_path: Path, clock: Clock) -> None:
    async with SQLiteInbox(tmp_path / "inbox.db", keep=timedelta(days=1), clock=clock) as inbox:
        await inbox.put([entry("1")])
        await drain(inbox)
        assert contents(tmp_path / "inbox.db") == [b"{}"]
        clock.now += timedelta(days=2)
        await inbox.put([entry("2", content=b"[]")])
        assert contents(tmp_path / "inbox.db") == [None, b"[]"]


async def test_contents_go_at_the_second_they_are_kept_to(tmp_path: Path, clock: Clock) -> None:
    async with SQLiteInbox(tmp_path / "inbox.db", keep=timedelta(minutes=2), clock=clock) as inbox:
        await inbox.put([entry("1")])
        await drain(inbox)
        for seconds, content in ((60, b"{}"), (120, None)):
            clock.now = NOW + timedelta(seconds=seconds)
            await inbox.put([entry("2")])
            assert contents(tmp_path / "inbox.db")[0] == content


async def test_contents_are_cleaned_once_a_minute(tmp_path: Path, clock: Clock) -> None:
    async with SQLiteInbox(tmp_path / "inbox.db", keep=timedelta(seconds=10), clock=clock) as inbox:
        await inbox.put([entry("1")])
        await drain(inbox)
        for seconds, content in ((59, b"{}"), (60, None)):
            clock.now = NOW + timedelta(seconds=seconds)
            await inbox.put([entry("1")])
            assert contents(tmp_path / "inbox.db") == [content]


async def test_contents_go_a_thousand_at_a_time(tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is left goes with the next events, not a minute later; two stand for a thousand."""
    monkeypatch.setattr(event_tables, "_CLEANED_AT_ONCE", 2)
    async with SQLiteInbox(tmp_path / "inbox.db", keep=timedelta(minutes=1), clock=clock) as inbox:
        await inbox.put([entry(str(number)) for number in range(5)])
        await drain(inbox)
        clock.now += timedelta(hours=1)
        for left in (3, 1, 0, 0):
            await inbox.put([])
            assert contents(tmp_path / "inbox.db").count(b"{}") == left


@pytest.mark.parametrize("names", [{"vins": ["VF1"]}, {"vehicle_ids": ["v1"]}, {"callback_ids": ["c1"]}])
async def test_file_has_no_bytes_of_forgotten_events(tmp_path: Path, names: dict[str, list[str]]) -> None:
    async with SQLiteInbox(tmp_path / "inbox.db") as inbox:
        inbox.register("m1", EventVehicle(vin="VF1", vehicle_id="v1"))
        members = {"source_id": "m1", "callback_id": "c1"}
        await put(inbox, entry("1", content=b"the place of a car" * 500, **members), entry("2", content=b"another car"))
        assert await inbox.forget(**names) == 1
    left = (tmp_path / "inbox.db").read_bytes()
    assert (b"the place of a car" in left, b"another car" in left) == (False, True)


async def test_only_what_arrives_waits_for_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An acknowledgement that a power failure undoes gives the event again, which is allowed."""
    waits: list[bool] = []
    write = SQLiteDatabase.write_grouped

    async def record(self: SQLiteDatabase, function: Any, *, durable: bool = True) -> Any:
        waits.append(durable)
        return await write(self, function, durable=durable)

    monkeypatch.setattr(SQLiteDatabase, "write_grouped", record)
    async with SQLiteInbox(tmp_path / "inbox.db") as inbox:
        await put(inbox, entry("1"), entry("2"))
        first = await inbox.next("c")
        await inbox.next("c", first.number)
        await inbox.release("c")
        await inbox.acknowledge(first.number + 1)
        await inbox.forget(vins=["VF1"])
    assert waits == [True, False, False, False, False, True]


async def test_inbox_in_memory_locks_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    async with SQLiteInbox(":memory:") as inbox, inbox.consuming():
        assert os.listdir() == []


async def test_what_is_removed_or_set_aside_is_logged(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "inbox.db"
    async with SQLiteInbox(path, dead_after=1, max_unverified=2, max_unverified_bytes=50) as inbox:
        await put(inbox, *(unverified(str(number)) for number in range(3)))
        await put(inbox, *(unverified(str(number)) for number in range(3, 5)))
        await inbox.next("a")
        await inbox.next("b")
    removed = [
        f"the inbox {path} has removed the oldest {total} unverified or unreadable events so far: it keeps 2, "
        "and 50 bytes, of them. Compare the receiver's token with that of the callback"
        for total in (1, 3)
    ]
    failed = f"event 4 of the inbox {path} was set aside: its consumer has failed 1 times. See revive()"
    assert caplog.messages == [*removed, failed]


async def test_the_vehicles_of_old_operations_are_not_kept(tmp_path: Path, clock: Clock) -> None:
    """Each command registers one, for months; a monitor stays registered."""
    path = tmp_path / "inbox.db"
    async with SQLiteInbox(path, clock=clock) as inbox:
        for source in ("monitor", "old", "new"):
            inbox.register(source, EventVehicle(vin="VF3", vehicle_id="v1"))
        await inbox.put([entry("1", source_id="monitor"), entry("2", kind="remote", source_id="old")])
        await drain(inbox)
        clock.now += timedelta(days=5)
        await inbox.put([entry("3", kind="remote", source_id="new", received_at=clock.now)])
        clock.now += timedelta(minutes=1)
        await inbox.put([])
        connection = sqlite3.connect(path)
        assert connection.execute("SELECT source_id FROM owners").fetchall() == [("monitor",), ("new",)]
        connection.close()
        assert await drain(inbox) == ["3"]


async def test_what_an_inbox_in_memory_removes_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    inbox = MemoryInbox(dead_after=1, max_unverified=2)
    for number in range(5):
        await inbox.put([entry(str(number), is_verified=False)])
    await inbox.next("a")
    await inbox.next("b")
    removed = [
        f"the inbox in memory has removed the oldest {total} unverified or unreadable events so far: it keeps 2, "
        "and 10485760 bytes, of them. Compare the receiver's token with that of the callback"
        for total in (1, 2)
    ]
    failed = "event 4 of the inbox in memory was set aside: its consumer has failed 1 times. See revive()"
    assert caplog.messages == [*removed, failed]


@pytest.mark.unmeasured
@pytest.mark.long
async def test_old_identities_go_a_thousand_at_a_time(tmp_path: Path, clock: Clock) -> None:
    async with SQLiteInbox(tmp_path / "inbox.db", clock=clock) as inbox:
        await inbox.put([entry(str(number)) for number in range(2_500)])
        await drain(inbox)
        clock.now += timedelta(days=5)
        await inbox.put([])
        clock.now += timedelta(minutes=1)
        for number in range(3):
            await inbox.put([entry(f"new {number}", received_at=clock.now)])
        assert len(contents(tmp_path / "inbox.db")) == 3


async def test_two_objects_share_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite_inbox, "_POLL", 0.1)
    async with SQLiteInbox(tmp_path / "inbox.db") as first, SQLiteInbox(tmp_path / "inbox.db") as second:
        assert await put(first, entry("1")) == ["1"]
        assert await put(second, entry("1"), entry("2")) == ["2"]
        taken: list[str] = []

        async def consume() -> None:
            last = None
            for _ in range(3):
                stored = await first.next("c", last)
                taken.append(stored.entry.id)
                last = stored.number

        with anyio.fail_after(10):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(consume)
                await anyio.sleep(0.1)
                await put(second, entry("3"))  # which the first notices soon
        assert taken == ["1", "2", "3"]


async def test_links_to_the_file_are_followed_in_a_thread(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file system that does not respond would hold up the event loop."""
    (tmp_path / "link.db").symlink_to(tmp_path / "inbox.db")
    realpath, threads = os.path.realpath, list[threading.Thread]()

    def note(path: str, **options: bool) -> str:
        threads.append(threading.current_thread())
        return realpath(path, **options)

    async with SQLiteInbox(tmp_path / "link.db") as inbox:
        monkeypatch.setattr(os.path, "realpath", note)
        async with inbox.consuming():
            assert (tmp_path / ".inbox.db.consumer.lock").exists()
    assert threads
    assert threading.current_thread() not in threads


async def test_second_process_waits_until_the_consumer_ends(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite_inbox, "_POLL", 0.02)
    other = FileLock(tmp_path / ".inbox.db.consumer.lock")
    assert other.acquire()
    acquire, refused = FileLock.acquire, list[FileLock]()

    def note(lock: FileLock) -> bool:
        if acquire(lock):
            return True
        refused.append(lock)
        return False

    monkeypatch.setattr(FileLock, "acquire", note)
    entered = anyio.Event()
    async with SQLiteInbox(tmp_path / "inbox.db") as inbox:

        async def consume() -> None:
            async with inbox.consuming():
                entered.set()

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(consume)
            with anyio.fail_after(10):
                while len(refused) < 3:
                    await anyio.to_thread.run_sync(lambda: None)
            assert not entered.is_set()
            other.release()
            with anyio.fail_after(10):
                await entered.wait()
    path = tmp_path / "inbox.db"
    assert caplog.messages == [f"another process consumes the inbox {path}: waiting until it ends"]


async def test_consumer_without_a_folder_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "missing" / "inbox.db"
    inbox = SQLiteInbox(path)
    lock = path.with_name(".inbox.db.consumer.lock")
    reason = "No such file or directory: create its folder, or correct the path"
    why = f"the consumer of {path} cannot be locked: {lock}: {reason}"
    with pytest.raises(InboxError, match=f"^{re.escape(why)}$"):
        async with inbox.consuming():
            pass
    with pytest.raises(InboxError, match=f"^the inbox cannot be used: {re.escape(str(path))}: "):
        async with inbox:
            pass


async def test_file_that_cannot_be_used_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "inbox.db").write_bytes(b"no database" * 100)
    inbox = SQLiteInbox(tmp_path / "inbox.db")  # not entered, as in a receiver
    with pytest.raises(InboxError, match=r"^the inbox cannot be used: .*inbox\.db: file is not a database"):
        await inbox.put([entry("1")])
    with pytest.raises(InboxError):
        await inbox.next("c")
    await inbox.aclose()


async def limit_pages(inbox: Any, pages: int) -> None:
    """Let the file grow to so many pages only, as a full disk does."""

    def limit(connection: sqlite3.Connection) -> None:
        connection.execute(f"PRAGMA max_page_count = {pages}").close()

    await inbox._database.write(limit)


@pytest.mark.parametrize(
    "change",
    [
        "content = NULL",
        "content = 'text'",
        "received_at = 'soon'",
        "received_at = 9e300",
        "received_at = 253370764800.0",
        "received_at = -1",
        "size = 'large'",
        "attempts = 'many'",
        "reason = x'ff'",
        "vin = x'ff'",
        "vin = CAST(x'ff' AS TEXT)",
        "id = CAST(x'c328' AS TEXT)",
        "kind = CAST(x'ff' AS TEXT)",
        "consumer = CAST(x'ff' AS TEXT), size = ''",
    ],
)
async def test_damaged_row_is_set_aside(tmp_path: Path, change: str, caplog: pytest.LogCaptureFixture) -> None:
    async with SQLiteInbox(tmp_path / "inbox.db") as inbox:
        await put(inbox, entry("1"), entry("2"))
        await inbox.aclose()
        with sqlite3.connect(tmp_path / "inbox.db") as connection:
            connection.execute(f"UPDATE events SET {change} WHERE number = 1")
        connection.close()
        assert (await inbox.next("c")).entry.id == "2"
        assert (await inbox.statistics()).dead == 1
    path = tmp_path / "inbox.db"
    assert caplog.messages == [f"event 1 of the inbox {path} was set aside: its row is damaged, or another program's"]


@pytest.mark.parametrize("change", ["vin = CAST(x'ff' AS TEXT)", "vehicle_id = x'ff'"])
async def test_event_of_a_damaged_owner_is_set_aside(tmp_path: Path, change: str) -> None:
    """An owner is in another table: a wrong one stops the events of its source only."""
    async with SQLiteInbox(tmp_path / "inbox.db") as inbox:
        inbox.register("m1", EventVehicle(vin="VF3", vehicle_id="1"))
        await put(inbox, entry("1", source_id="m1"))
        await inbox.aclose()
        with sqlite3.connect(tmp_path / "inbox.db") as connection:
            connection.execute(f"UPDATE owners SET {change}")
        connection.close()
        assert await put(inbox, entry("2"), entry("3", source_id="m1")) == ["2", "3"]
        assert (await inbox.next("c")).entry.id == "2"
        assert (await inbox.statistics()).dead == 1


async def test_full_disk_is_an_error_that_passes(tmp_path: Path) -> None:
    async with SQLiteInbox(tmp_path / "inbox.db") as inbox:
        await inbox.put([entry("1")])
        limit = sqlite3.connect(tmp_path / "inbox.db")
        pages = limit.execute("PRAGMA page_count").fetchone()[0]
        limit.close()
        await limit_pages(inbox, pages)
        with pytest.raises(InboxError, match="full"):
            await inbox.put([entry("2", content=b"x" * 100_000)])
        await limit_pages(inbox, 1_000_000)
        assert await put(inbox, entry("2", content=b"x" * 100_000)) == ["2"]
        assert await drain(inbox) == ["1", "2"]


async def test_locked_file_is_an_error_that_passes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stellantis_hal.notifications.sqlite_inbox._BUSY_TIMEOUT", 0.05)
    async with SQLiteInbox(tmp_path / "inbox.db") as inbox:
        await inbox.put([entry("1")])
        other = sqlite3.connect(tmp_path / "inbox.db", isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(InboxError, match="locked"):
            await inbox.put([entry("2")])
        other.close()
        assert await put(inbox, entry("2")) == ["2"]


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_consumer_wakes_in_a_loop_of_its_own(tmp_path: Path) -> None:
    """A receiver that serves in another thread wakes the consumer at once."""
    async with SQLiteInbox(tmp_path / "inbox.db") as inbox:
        await inbox.statistics()

        def receive() -> None:
            asyncio.run(_put_one(inbox))

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(inbox.next, "c")
            await anyio.wait_all_tasks_blocked()
            await anyio.to_thread.run_sync(receive)
    assert threading.active_count() < 50


async def _put_one(inbox: SQLiteInbox) -> None:
    await inbox.put([entry("1")])


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_two_processes_store_each_event_once(tmp_path: Path) -> None:
    script = (
        "import sys, anyio\n"
        "from tests.notifications.test_inbox import entry\n"
        "from stellantis_hal.notifications import SQLiteInbox\n"
        "async def main():\n"
        "    async with SQLiteInbox(sys.argv[1]) as inbox:\n"
        "        new = 0\n"
        "        for number in range(100):\n"
        "            new += len(await inbox.put([entry(str(number)), entry(sys.argv[2] + str(number))]))\n"
        "        print(new)\n"
        "anyio.run(main)\n"
    )
    path = str(tmp_path / "inbox.db")
    outputs: list[bytes] = []

    async def run(name: str) -> None:
        command = [sys.executable, "-c", script, path, name]
        outputs.append((await anyio.run_process(command, cwd=Path(__file__).parents[2], env=os.environ)).stdout)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(run, "a")
        tasks.start_soon(run, "b")
    assert sum(int(output) for output in outputs) == 300
    async with SQLiteInbox(path) as inbox:
        assert (await inbox.statistics()).waiting == 300
