"""Leases of a fleet: accounts that belong to one process at a time."""

import asyncio
from collections.abc import AsyncGenerator
from datetime import timedelta
from pathlib import Path
from typing import Any

import anyio
import anyio.lowlevel
import attrs
import pytest

from stellantis_hal import (
    Account,
    CheckpointsInUseError,
    Lease,
    LeaseLostError,
    LeaseStoreError,
    MemoryCheckpoints,
    Removed,
    SQLiteCheckpoints,
    Update,
    watch,
)
from stellantis_hal.fleet.fleet_as_account import key_of
from stellantis_hal.fleet.target_sources import for_each
from stellantis_hal.storage.errors import StorageError
from stellantis_hal.storage.fencing import FenceToken, lease_lost
from stellantis_hal.storage.leases.table import LeaseView, ShardOwnerRecord
from tests.fleet.fleets import a_fleet, updates_of

pytestmark = pytest.mark.anyio
asyncio_only = pytest.mark.parametrize("anyio_backend", ["asyncio"])


class Table:
    """A table of leases in memory, by the jumping clock; each lease has its own view of the rows."""

    place = "memory"

    def __init__(self, rows: dict[str, Any] | None = None) -> None:
        self.rows = rows if rows is not None else {"members": {}, "owners": {}}
        self.broken: Exception | None = None
        self.silent = False
        self.closed = 0

    async def _ready(self) -> None:
        if self.silent:
            await anyio.sleep_forever()
        if self.broken is not None:
            raise self.broken

    async def open(self) -> None:
        await anyio.lowlevel.checkpoint()

    async def beat(self, member: str, *, shards: int, ttl: float) -> LeaseView:
        await self._ready()
        now = anyio.current_time()
        members = self.rows["members"]
        for other in [other for other, (seen, _) in members.items() if seen < now - ttl]:
            del members[other]
        members[member] = now, shards
        return LeaseView({other: count for other, (_, count) in members.items()}, dict(self.rows["owners"]))

    async def take(self, shard: int, member: str, epoch: int) -> int | None:
        await self._ready()
        if self.rows["owners"].get(shard, ShardOwnerRecord("", 0)).epoch != epoch:
            return None
        self.rows["owners"][shard] = ShardOwnerRecord(member, epoch + 1)
        return epoch + 1

    async def give(self, shard: int, member: str, epoch: int) -> None:
        await self._ready()
        if self.rows["owners"].get(shard) == ShardOwnerRecord(member, epoch):
            self.rows["owners"][shard] = ShardOwnerRecord("", epoch)

    async def leave(self, member: str) -> None:
        await self._ready()
        self.rows["members"].pop(member, None)
        for shard, owned in self.rows["owners"].items():
            if owned.member == member:
                self.rows["owners"][shard] = ShardOwnerRecord("", owned.epoch)

    async def close(self) -> None:
        self.closed += 1


def a_lease(table: Table, shards: int = 1) -> Lease:
    return Lease(table, "fleet", shards=shards, ttl=3.0, interval=0.5)


async def take(lease: Lease, accounts: Any, seconds: float) -> list[Account | Any]:
    found: list[Any] = []
    with anyio.move_on_after(seconds):
        async for item in lease.of(accounts):
            found.append(item)  # noqa: PERF401 - those before the timeout are kept
    return found


async def test_a_lease_of_no_account_says_so(caplog: pytest.LogCaptureFixture) -> None:
    async with a_lease(Table()) as lease:
        assert await take(lease, [], 5) == []
    assert caplog.messages == ["the source of lease 'fleet' has ended, and has no account: nothing is watched"]


async def test_accounts_come_with_their_shard() -> None:
    async with a_fleet(vehicles=4, accounts=4) as fleet:
        rows = Table().rows
        async with a_lease(Table(rows)) as first:
            assert repr(first) == "<Lease 'fleet': 1 of 1 shards>"
            assert first.name == "fleet"
            assert await take(first, fleet.accounts, 5) == fleet.accounts
            async with a_lease(Table(rows)) as second:
                assert await take(second, fleet.accounts, 5) == []
                assert (first.share(), second.share()) == (1.0, 0.0)
                with pytest.raises(LeaseLostError, match="lease 'fleet/0': it is not held by this process") as caught:
                    second.token("alice")
                assert caught.value.scope == "fleet/0"
        async with a_lease(Table(rows)) as third:
            assert third.token("alice").epoch == 2
            assert await take(third, fleet.accounts[0], 5) == fleet.accounts[:1]


async def test_shards_move_after_their_accounts_were_released() -> None:
    async with a_fleet(vehicles=8, accounts=8) as fleet:
        rows = Table().rows
        async with a_lease(Table(rows), 8) as first:
            source = first.of(fleet.accounts)
            had = [await anext(source) for _ in fleet.accounts]
            async with a_lease(Table(rows), 8) as second:
                await anyio.sleep(5)
                assert not second.shards & {first.shard_of(account.key) for account in fleet.accounts}
                released: list[str] = []
                with anyio.move_on_after(5):
                    async for item in source:
                        assert isinstance(item, Removed)
                        assert isinstance(item.target, str)
                        released.append(item.target)
                        assert item.on_released is not None
                        item.on_released()
                        item.on_released()
                await anyio.sleep(5)
                assert (len(first.shards), len(second.shards)) == (4, 4)
                assert not first.shards & second.shards
                now = await take(second, fleet.accounts, 5)
                assert {key_of(account) for account in now if not isinstance(account, Removed)} >= set(released)
                assert {key_of(account) for account in had if not isinstance(account, Removed)} >= set(released)


async def test_a_consumer_that_is_never_done_has_a_bound(caplog: pytest.LogCaptureFixture) -> None:
    async with a_fleet(vehicles=4, accounts=4) as fleet:
        rows = Table().rows
        async with a_lease(Table(rows), 2) as first:
            source = first.of(fleet.accounts)
            for _ in fleet.accounts:
                await anext(source)
            async with a_lease(Table(rows), 2) as second:
                await anyio.sleep(30)
                assert second.shards == frozenset()
                await anyio.sleep(60)
                assert len(second.shards) == 1
    assert "is handed over although its events were not processed within 60 s" in caplog.text


async def test_accounts_never_handed_out_are_released_at_once() -> None:
    async with a_fleet(vehicles=4, accounts=4) as fleet:
        rows = Table().rows
        async with a_lease(Table(rows), 2) as first:
            source = first.of(fleet.accounts)
            await anyio.sleep(1)
            async with a_lease(Table(rows), 2) as second:
                await anyio.sleep(5)
                assert len(second.shards) == 1
                left = [
                    await anext(source)
                    for _ in range(sum(first.shard_of(a.key) in first.shards for a in fleet.accounts))
                ]
                assert all(not isinstance(item, Removed) for item in left)


@pytest.mark.parametrize("how", ["broken", "silent"])
async def test_a_store_that_is_away_costs_the_lease_in_time(how: str, caplog: pytest.LogCaptureFixture) -> None:
    async with a_fleet(vehicles=1, accounts=1) as fleet:
        table = Table()
        async with a_lease(table) as lease:
            source = lease.of(fleet.accounts)
            await anext(source)
            token = lease.token("alice")
            table.broken, table.silent = StorageError("no such server") if how == "broken" else None, how == "silent"
            await anyio.sleep(2)
            assert lease.token("alice") == token
            await anyio.sleep(5)
            with pytest.raises(LeaseLostError):
                lease.token("alice")
            assert (await anext(source)) == Removed(fleet.accounts[0].key)
            table.broken, table.silent = None, False
            await anyio.sleep(5)
            assert lease.token("alice").epoch > token.epoch
            assert await anext(source) is fleet.accounts[0]
    assert "no heartbeat" in caplog.text
    assert "the store works again" in caplog.text


async def test_another_owner_takes_a_lost_lease_over(caplog: pytest.LogCaptureFixture) -> None:
    """The first one was stopped, as by SIGSTOP: it sees that when it goes on."""
    async with a_fleet(vehicles=1, accounts=1) as fleet:
        table = Table()
        async with a_lease(table) as lease:
            source = lease.of(fleet.accounts)
            await anext(source)
            table.rows["owners"][0] = ShardOwnerRecord("other", 7)
            table.rows["members"]["other"] = anyio.current_time() + 1_000.0, 1
            assert await anext(source) == Removed(fleet.accounts[0].key)
            assert lease.shards == frozenset()
    assert "shard 0 was lost: another process took over" in caplog.text


async def test_a_process_that_was_stopped_loses_all(monkeypatch: pytest.MonkeyPatch) -> None:
    table = Table()
    async with a_lease(table) as lease:
        await anyio.sleep(1)
        monkeypatch.setattr(lease, "_valid_until", 0.0)
        assert lease.shards == frozenset()
        await anyio.sleep(2)
        assert lease.token("alice").epoch == 2


async def test_a_shard_whose_answer_was_lost_is_given_up() -> None:
    """It was taken, but nothing told so; meanwhile there are others that have room for it."""

    class Losing(Table):
        async def take(self, shard: int, member: str, epoch: int) -> int | None:
            taken = await super().take(shard, member, epoch)
            if len(self.rows["owners"]) == 2:
                self.rows["members"]["other"] = anyio.current_time() + 1_000.0, 2
                raise StorageError("the connection ended")
            return taken

    table = Losing()
    async with a_lease(table, 2) as lease:
        assert len(lease.shards) == 1
        await anyio.sleep(5)
        assert len(lease.shards) == 1
        (left,) = {0, 1} - lease.shards
        assert table.rows["owners"][left] == ShardOwnerRecord("", 1)


async def test_a_shard_that_another_was_faster_to_take() -> None:
    table = Table()

    async def take(*_: Any) -> None:
        table.rows["members"]["other"] = anyio.current_time() + 1_000.0, 1
        table.rows["owners"][0] = ShardOwnerRecord("other", 1)

    table.take = take  # type: ignore[assignment,method-assign]
    async with a_lease(table) as lease:
        await anyio.sleep(5)
        assert lease.shards == frozenset()
    assert table.rows["owners"][0] == ShardOwnerRecord("other", 1)


async def test_an_error_of_the_first_take_leaves_nothing_behind() -> None:
    class Broken(Table):
        async def take(self, shard: int, member: str, epoch: int) -> int | None:
            await super().take(shard, member, epoch)
            raise LeaseStoreError("a pooler")

    table = Broken()
    with pytest.raises(LeaseStoreError, match="a pooler"):
        await a_lease(table).__aenter__()
    assert table.closed == 1
    assert table.rows == {"members": {}, "owners": {0: ShardOwnerRecord("", 1)}}


async def test_a_shard_lost_before_its_accounts_were_seen() -> None:
    async with a_fleet(vehicles=1, accounts=1) as fleet:
        table = Table()
        async with a_lease(table) as lease:
            source = lease.of(fleet.accounts)
            await anyio.sleep(1)
            table.rows["owners"][0] = ShardOwnerRecord("other", 7)
            table.rows["members"]["other"] = anyio.current_time() + 1_000.0, 1
            await anyio.sleep(1)
            assert lease.shards == frozenset()
            with pytest.raises(TimeoutError), anyio.fail_after(5):
                await anext(source)


async def test_a_release_after_the_handover_changes_nothing(caplog: pytest.LogCaptureFixture) -> None:
    async with a_fleet(vehicles=8, accounts=8) as fleet:
        rows = Table().rows
        async with a_lease(Table(rows), 2) as second:
            async with a_lease(Table(rows), 2) as first:
                await anyio.sleep(5)
                source = second.of(fleet.accounts)
                other = first.of(fleet.accounts)
                assert (len(first.shards), len(second.shards)) == (1, 1)
                mine = [a for a in fleet.accounts if second.shard_of(a.key) in second.shards]
                theirs = [a for a in fleet.accounts if a not in mine]
                assert [await anext(source) for _ in mine] == mine
                assert [await anext(other) for _ in theirs] == theirs
            await anyio.sleep(5)
            assert [await anext(source) for _ in theirs] == theirs
            async with a_lease(Table(rows), 2) as third:
                items: list[Any] = []
                with anyio.move_on_after(2):
                    async for item in source:
                        items.append(item)  # noqa: PERF401 - those before the timeout are kept
                for item in items:
                    assert isinstance(item, Removed)
                    assert item.on_released is not None
                    item.on_released()
                await anyio.sleep(5)
                assert (len(second.shards), len(third.shards)) == (1, 1)
                for item in items:
                    assert isinstance(item, Removed)
                    assert item.on_released is not None
                    item.on_released()
                await anyio.sleep(100)
                assert (len(second.shards), len(third.shards)) == (1, 1)
    assert "is handed over although" not in caplog.text


async def test_other_numbers_of_shards_are_refused() -> None:
    rows = Table().rows
    async with a_lease(Table(rows), 4):
        other = Table(rows)
        with pytest.raises(LeaseStoreError, match=r"'fleet' has 4 shards in another process, and 8 in this one"):
            async with a_lease(other, 8):
                pass
        assert other.closed == 1


async def test_a_store_that_fails_at_the_start_is_an_error() -> None:
    for failure, silent in ((StorageError("no such server"), False), (None, True)):
        table = Table()
        table.broken, table.silent = failure, silent
        with pytest.raises(LeaseStoreError, match=r"cannot be taken part in: (no such server|the store is silent)"):
            async with a_lease(table):
                pass
        assert table.closed == 1


async def test_failures_of_the_table_reach_the_consumer() -> None:
    table = Table()
    async with a_lease(table) as lease:
        source = lease.of([])
        table.broken = LeaseStoreError("a pooler")
        with pytest.raises(LeaseStoreError, match="a pooler"):
            await anext(source)
        assert isinstance(lease.failure, LeaseStoreError)
        table.broken = None
    with pytest.raises(RuntimeError, match="entered before"):
        await lease.__aenter__()
    table.broken = KeyError("x")
    with pytest.raises(KeyError):
        await _enter(a_lease(table), table)


async def _enter(lease: Lease, table: Table) -> None:
    async def fail(*_: Any, **__: Any) -> LeaseView:
        table.broken = None
        raise KeyError("x")

    table.beat = fail  # type: ignore[method-assign]
    async with lease:
        pass


async def test_sources_may_be_asynchronous_and_remove() -> None:
    async with a_fleet(vehicles=2, accounts=2) as fleet:
        one, two = fleet.accounts

        async def source() -> AsyncGenerator[Any, None]:
            yield one
            await anyio.sleep(1)
            yield two
            yield Removed(one)
            yield Removed("unknown")
            await anyio.sleep(1)
            raise LookupError("no database")

        lease = a_lease(Table())
        accounts = lease.of(source())
        async with lease:
            assert [await anext(accounts), await anext(accounts), await anext(accounts)] == [one, two, Removed(one)]
            with pytest.raises(LookupError):
                await anext(accounts)
        vehicle = await one.vehicle(fleet.vehicles[0])
        assert key_of(vehicle) == fleet.vehicles[0]


async def test_wrong_options_are_refused() -> None:
    with pytest.raises(ValueError, match="shards must be 1 to 10,000"):
        a_lease(Table(), 0)
    fraction: Any = 1.5
    with pytest.raises(TypeError, match="shards must be int"):
        a_lease(Table(), fraction)
    with pytest.raises(ValueError, match="ttl must be longer than the 1 s"):
        Lease(Table(), "fleet", ttl=1.0, interval=1.0)


async def test_a_failed_leave_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    table = Table()
    async with a_lease(table):
        table.broken = StorageError("no such server")
    assert "was not given up: others take over in 3 s (no such server)" in caplog.text
    assert table.closed == 1


@asyncio_only
@pytest.mark.wall_clock  # SQLite works in a thread
@pytest.mark.parametrize("steps", range(6))
async def test_native_cancellations_leave_no_member(tmp_path: Path, steps: int) -> None:
    """Also those that come while the lease is given up; else the next owner would wait until it has expired."""
    entered = anyio.Event()

    async def hold() -> None:
        async with checkpoints.lease("fleet", ttl=60.0):
            entered.set()
            await anyio.sleep_forever()

    async with SQLiteCheckpoints(tmp_path / "fleet.db") as checkpoints:
        task = asyncio.ensure_future(hold())
        await entered.wait()
        task.cancel()
        for _ in range(steps):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])
        async with checkpoints.lease("fleet", ttl=60.0) as lease:
            assert lease.share() == 1


@pytest.mark.wall_clock  # SQLite works in a thread
async def test_a_file_fences_former_owners(tmp_path: Path) -> None:
    path = tmp_path / "fleet.db"
    async with SQLiteCheckpoints(path) as one, SQLiteCheckpoints(path) as two:
        async with one.lease("fleet") as lease:
            view = one.fenced("alice")
            await view.save("watch/v", b"1")
            assert await view.load("watch/v") == b"1"
            assert view.share() == 1.0
            assert repr(view).startswith("<FencedView of")
            token = lease.token("alice")
            with pytest.raises(RuntimeError, match="has a lease already"):
                await one.lease("other").__aenter__()
            async with one.reserve("watch"):
                with pytest.raises(CheckpointsInUseError):
                    async with two.reserve("watch"):
                        pass
        async with two.lease("fleet"):
            later = two.fenced("alice")
            await later.save_many({"watch/v": b"2"})
            with pytest.raises(LeaseLostError, match="this one had epoch 1, the present one is 2"):
                await one.write_as({"watch/v": b"late"}, token)
            with pytest.raises(LeaseLostError):
                await one.read_as(["watch/v"], token)
            assert await later.load("watch/v") == b"2"
            await two.save_many({})
        with pytest.raises(LeaseLostError):
            await later.load("watch/v")
        assert one.fenced("alice") is one
        assert one.share() == 1.0


@attrs.define
class Turns:
    """A fence whose epochs a test sets; None: the lease is not held."""

    epoch: int | None

    def token(self, owner: str) -> FenceToken:
        if self.epoch is None:
            raise lease_lost("fleet/0")
        return FenceToken("fleet/0", self.epoch)

    def share(self) -> float:
        return 1.0


@pytest.mark.wall_clock
async def test_a_view_ends_with_its_turn(tmp_path: Path) -> None:
    """The lease was lost and won back: what was read before is not written after."""
    fence: Any = Turns(None)
    async with SQLiteCheckpoints(tmp_path / "fleet.db") as store:
        store.use_fence(fence)
        standby = store.fenced("alice")
        fence.epoch = 1
        with pytest.raises(LeaseLostError, match="not held by this process"):
            await standby.save("watch/v", b"0")
        view = store.fenced("alice")
        await view.save("watch/v", b"1")
        fence.epoch = 3
        with pytest.raises(LeaseLostError, match="this one had epoch 1, the present one is 3"):
            await view.save("watch/v", b"2")
        assert await store.fenced("alice").load("watch/v") == b"1"
        store.drop_fence(Lease(Table(), "other", ttl=3.0, interval=0.5))
        assert store.fenced("alice") is not store
        store.drop_fence(fence)
        assert store.fenced("alice") is store


@pytest.mark.wall_clock
async def test_a_lease_that_cannot_be_entered_leaves_the_store_free(tmp_path: Path) -> None:
    store = SQLiteCheckpoints(tmp_path / "missing" / "fleet.db")  # not entered, which raises too
    with pytest.raises(LeaseStoreError):
        async with store.lease("fleet"):
            pass
    assert store.share() == 1.0
    await store.aclose()


@pytest.mark.wall_clock
async def test_a_standby_has_views_that_are_lost(tmp_path: Path) -> None:
    path = tmp_path / "fleet.db"
    async with SQLiteCheckpoints(path) as one, SQLiteCheckpoints(path) as two, one.lease("a"), two.lease("a"):
        view = two.fenced("alice")
        with pytest.raises(LeaseLostError, match="not held"):
            await view.save("k", b"")


async def test_released_waits_for_polls_and_events() -> None:
    async with a_fleet(vehicles=2, accounts=2) as fleet:
        store = MemoryCheckpoints()
        order: list[str] = []
        async with watch(fleet.accounts, every=timedelta(minutes=5), what="status", checkpoints=store) as updates:
            first = await anext(updates)
            assert isinstance(first, Update)
            key = first.account or ""
            updates.remove(key)

            async def wait() -> None:
                await updates.released(key)
                order.append("released")

            async with anyio.create_task_group() as tasks:
                tasks.start_soon(wait)
                await anyio.sleep(60)
                order.append("next")
                await updates_of(updates, 400)
            assert order == ["next", "released"]
            await updates.released(fleet.accounts[0]) if fleet.accounts[0].key == key else None
        await updates.released("anything")


async def test_a_source_learns_when_an_account_is_released() -> None:
    done: list[str] = []
    async with a_fleet(vehicles=2, accounts=2) as fleet:

        async def source() -> AsyncGenerator[Any, None]:
            for account in fleet.accounts:
                yield account
            await anyio.sleep(400)
            yield Removed(fleet.accounts[0], lambda: done.append("first"))
            await anyio.sleep_forever()

        async with watch(source(), every=timedelta(minutes=5), what="status") as updates:
            await updates_of(updates, 1_000)
            assert done == ["first"]
            assert updates.statistics.accounts == 1


async def test_a_watch_whose_lease_is_lost_ends_with_that_error() -> None:
    @attrs.define(eq=False)
    class Fenced(MemoryCheckpoints):
        is_lost: bool = False

        def __attrs_pre_init__(self) -> None:
            super().__init__()

        async def save(self, key: str, content: bytes) -> None:
            if self.is_lost:
                raise LeaseLostError("another process took over")
            await super().save(key, content)

        async def load(self, key: str) -> bytes | None:
            if self.is_lost:
                raise LeaseLostError("another process took over")
            return await super().load(key)

    store = Fenced()
    async with a_fleet(vehicles=3, accounts=1) as fleet:

        async def run() -> None:
            async with watch(fleet.accounts, every=timedelta(minutes=5), checkpoints=store) as updates:
                async for _ in updates:
                    store.is_lost = True

        with pytest.raises(LeaseLostError), anyio.fail_after(10_000):
            await run()
        assert store.is_lost


async def test_a_source_may_be_watched_again() -> None:
    """The second watch begins with what is held; the first one, which has ended, keeps no shard from being given."""

    async def end(_: object) -> None:
        raise LookupError

    async with a_fleet(vehicles=4, accounts=4) as fleet:
        rows = Table().rows
        async with a_lease(Table(rows), 2) as first:
            source = first.of(fleet.accounts)
            for _ in range(2):
                with pytest.raises(LookupError):
                    await for_each(source, end)
            source.detach()
            held = [await anext(each) for each in [aiter(source)] for _ in fleet.accounts]
            assert held == fleet.accounts
            async with a_lease(Table(rows), 2) as second:
                await anyio.sleep(5)
                assert second.shards == frozenset()
                source.detach()
                await anyio.sleep(5)
                assert len(second.shards) == 1
                iterator = aiter(source)
                left = [account for account in fleet.accounts if first.shard_of(account.key) in first.shards]
                assert [await anext(iterator) for _ in left] == left
            rest = [account for account in fleet.accounts if account not in left]
            assert [await anext(iterator) for _ in rest] == rest


async def test_a_lease_that_is_not_entered_is_said() -> None:
    """A watch of it waited without a word."""
    async with a_fleet(vehicles=1) as fleet:
        lease = a_lease(Table())
        with pytest.raises(RuntimeError, match=r"^this lease is not entered, and holds no account: use `async with"):
            await take(lease, fleet.accounts, 5)
