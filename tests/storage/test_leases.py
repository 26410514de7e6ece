"""Which member of a lease gets which shards."""

import sqlite3
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stellantis_hal.storage.leases.sqlite import SCHEMA, SQLiteLeaseTable
from stellantis_hal.storage.leases.table import LeaseView, ShardOwnerRecord, decide
from stellantis_hal.storage.sqlite import SQLiteDatabase


class Table:
    """A table in memory, whose members take turns."""

    def __init__(self, shards: int) -> None:
        self.shards = shards
        self.members: dict[str, dict[int, int]] = {}
        self.owners: dict[int, ShardOwnerRecord] = {}

    def turn(self, member: str) -> None:
        held = self.members.setdefault(member, {})
        view = LeaseView(dict.fromkeys(self.members, self.shards), dict(self.owners))
        step = decide(view, member, held=held, shards=self.shards)
        for shard in step.lost:
            del held[shard]
        for shard, epoch in step.take:
            self.owners[shard] = ShardOwnerRecord(member, epoch + 1)
            held[shard] = epoch + 1
        for shard, _ in step.forgotten:
            self.owners[shard] = ShardOwnerRecord("", self.owners[shard].epoch)
        for shard in list(held)[: step.give]:
            self.owners[shard] = ShardOwnerRecord("", held.pop(shard))

    def check(self) -> None:
        held = [shard for each in self.members.values() for shard in each]
        assert len(held) == len(set(held))
        for member, shards in self.members.items():
            assert all(self.owners[shard] == ShardOwnerRecord(member, epoch) for shard, epoch in shards.items())


@pytest.mark.unmeasured
@given(shards=st.integers(1, 20), turns=st.lists(st.tuples(st.sampled_from("abcde"), st.booleans()), max_size=60))
def test_shards_are_never_doubled_and_end_up_even(shards: int, turns: list[tuple[str, bool]]) -> None:
    table = Table(shards)
    for member, leaves in turns:
        if leaves:
            table.members.pop(member, None)
        else:
            table.turn(member)
        table.check()
    table.turn("a")
    for _ in range(2 * shards + 5):
        for member in sorted(table.members):
            table.turn(member)
            table.check()
    counts = [len(held) for held in table.members.values()]
    assert sum(counts) == shards
    assert min(counts) >= shards // len(counts)
    assert max(counts) <= -(-shards // len(counts))
    before = dict(table.owners)
    for member in sorted(table.members):
        table.turn(member)
    assert table.owners == before


def test_one_shard_stays_where_it_is() -> None:
    table = Table(1)
    for member in "zab" * 3:
        table.turn(member)
    assert table.owners == {0: ShardOwnerRecord("z", 1)}


def test_a_shard_of_an_answer_that_was_lost_is_taken_again() -> None:
    view = LeaseView({"a": 1}, {0: ShardOwnerRecord("a", 3)})
    assert decide(view, "a", held={}, shards=1).take == ((0, 3),)


@pytest.mark.anyio
@pytest.mark.wall_clock  # SQLite works in a thread
async def test_rows_of_a_lease(tmp_path: Path) -> None:
    async with SQLiteDatabase(tmp_path / "leases.db", schema=SCHEMA) as database:
        table = SQLiteLeaseTable(database, "fleet")
        assert table.place == str(tmp_path / "leases.db")
        await table.beat("a", shards=2, ttl=60)
        assert await table.take(0, "a", 0) == 1
        assert await table.take(0, "b", 0) is None
        assert await table.take(1, "a", 0) == 1
        await table.give(0, "b", 1)
        await table.give(1, "a", 1)
        view = await table.beat("b", shards=2, ttl=60)
        assert view == LeaseView({"a": 2, "b": 2}, {0: ShardOwnerRecord("a", 1), 1: ShardOwnerRecord("", 1)})
        assert set((await table.beat("b", shards=2, ttl=1e-9)).members) == {"b"}
        await table.leave("a")
        assert (await table.beat("b", shards=2, ttl=60)).shards == {
            0: ShardOwnerRecord("", 1),
            1: ShardOwnerRecord("", 1),
        }
        await database.write(lambda connection: connection.execute("UPDATE lease_members SET seen = 1e12").rowcount)
        assert set((await table.beat("c", shards=2, ttl=60)).members) == {"c"}


@pytest.mark.anyio
async def test_names_that_are_not_utf_8_are_left_out_of_a_lease(tmp_path: Path) -> None:
    async with SQLiteDatabase(tmp_path / "leases.db", schema=SCHEMA) as database:
        table = SQLiteLeaseTable(database, "fleet")
        now = time.monotonic()

        def insert(connection: sqlite3.Connection) -> None:
            connection.execute("INSERT INTO lease_members VALUES ('fleet', CAST(x'ff' AS TEXT), 2, ?)", (now,))
            connection.execute("INSERT INTO lease_shards VALUES ('fleet', 0, CAST(x'ff' AS TEXT), 3)")

        await database.write(insert)
        assert await table.beat("a", shards=2, ttl=60) == LeaseView({"a": 2}, {0: ShardOwnerRecord("", 3)})
        assert await table.take(0, "a", 3) == 4


@pytest.mark.anyio
@pytest.mark.parametrize(
    "row",
    [
        "lease_members VALUES ('fleet', 'x', 'two', {now})",
        "lease_members VALUES ('fleet', x'ff', 2, {now})",
        "lease_shards VALUES ('fleet', 'first', 'x', 1)",
        "lease_shards VALUES ('fleet', 0, 'x', 'one')",
        "lease_shards VALUES ('fleet', 0, x'ff', 1)",
    ],
)
async def test_foreign_rows_of_a_lease_are_removed(tmp_path: Path, row: str) -> None:
    async with SQLiteDatabase(tmp_path / "leases.db", schema=SCHEMA) as database:
        table = SQLiteLeaseTable(database, "fleet")
        insert = f"INSERT INTO {row.format(now=time.monotonic())}"
        await database.write(lambda connection: connection.execute(insert).rowcount)
        assert await table.beat("a", shards=2, ttl=60) == LeaseView({"a": 2}, {})
