"""Limiter of the processes of one machine: its file, its clock, its errors."""

import asyncio
import os
import sqlite3
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import pytest

from stellantis_hal.errors import BudgetExhaustedError
from stellantis_hal.storage.errors import StorageError
from stellantis_hal.transport.rate_limit import boot_clock
from stellantis_hal.transport.rate_limit.boot_clock import boot_id, microseconds_since_boot
from stellantis_hal.transport.rate_limit.protocol import RateLimits
from stellantis_hal.transport.rate_limit.shared_ledger import DAY, MINUTE, SECOND, LedgerRequest
from stellantis_hal.transport.rate_limit.sqlite import SQLiteLedger, SQLiteLimiter
from tests.transport.rate_limit.doubles import spend

pytestmark = [pytest.mark.anyio, pytest.mark.wall_clock]


class Machine:
    """A machine whose clocks can be set, and that can be started again."""

    def __init__(self) -> None:
        self.clock = 5_000 * SECOND
        self.wall = 1.7e9
        self.boot = "first"

    def ledger(self, path: Path) -> SQLiteLedger:
        return SQLiteLedger(path, "app", clock=lambda: self.clock, wall=lambda: self.wall, boot=lambda: self.boot)

    def restart(self, seconds: float) -> None:
        self.boot += "!"
        self.clock = 0
        self.wall += seconds


def turn_of(process: str, number: int, **values: Any) -> LedgerRequest:
    return LedgerRequest(process=process, number=number, per_second=10, per_day=20, share=0, **values)


async def spend_all(limiter: SQLiteLimiter) -> None:
    while True:
        await spend(limiter)


async def test_processes_share_a_file(tmp_path: Path) -> None:
    path = tmp_path / "limiter.sqlite"
    first, second = [SQLiteLimiter(path, "app", RateLimits(10, 3), processes=2, interactive_share=0) for _ in range(2)]
    async with first, second:
        for limiter in (first, second, first):
            await spend(limiter)
        with pytest.raises(BudgetExhaustedError, match="daily limit"):
            await spend(second)
        assert not first.is_away
    async with SQLiteLimiter(path, "another app", RateLimits(10, 3), processes=2) as other:
        await spend(other)


async def test_day_survives_a_restart_of_the_machine(tmp_path: Path) -> None:
    machine = Machine()
    async with machine.ledger(tmp_path / "limiter.sqlite") as ledger:
        await ledger.take(turn_of("a", 1))
        machine.clock += SECOND
        assert (await ledger.take(turn_of("a", 2, interactive=9))).day_free == 11
        machine.restart(3600)
        assert (await ledger.take(turn_of("b", 1))).day_free == 11
        machine.restart(-3600)
        assert (await ledger.take(turn_of("c", 1))).day_free == 11
        machine.restart(DAY * MINUTE / SECOND)
        assert (await ledger.take(turn_of("d", 1))).day_free == 20


async def test_grants_unknown_to_their_process_return_to_the_day(tmp_path: Path) -> None:
    machine = Machine()
    async with machine.ledger(tmp_path / "limiter.sqlite") as ledger:
        await ledger.take(turn_of("a", 1))
        machine.clock += SECOND
        assert (await ledger.take(turn_of("a", 2, interactive=4))).day_free == 16
        machine.clock += 2 * SECOND
        assert (await ledger.take(turn_of("a", 3))).day_free == 20


async def test_wall_clock_moves_nothing_while_the_machine_runs(tmp_path: Path) -> None:
    machine = Machine()
    async with machine.ledger(tmp_path / "limiter.sqlite") as ledger:
        await ledger.take(turn_of("a", 1))
        machine.wall += 3_600
        assert (await ledger.take(turn_of("b", 1))).paused_for == SECOND
    with sqlite3.connect(tmp_path / "limiter.sqlite") as connection:
        [state] = connection.execute("SELECT state FROM limiter").fetchone()
    connection.close()
    assert " " not in state


@pytest.mark.parametrize(
    ("options", "expected"), [({}, (9, 90)), ({"interactive_share": 0.5}, (5, 50))], ids=["default", "given"]
)
def test_background_requests_use_what_the_share_leaves(options: dict[str, Any], expected: tuple[int, int]) -> None:
    capacity = SQLiteLimiter("a.sqlite", "app", RateLimits(10, 100), processes=1, **options).capacity("background")
    assert (capacity.per_second, capacity.per_day) == expected


async def test_clock_of_a_start_without_an_id_is_noticed(tmp_path: Path) -> None:
    machine = Machine()
    async with machine.ledger(tmp_path / "limiter.sqlite") as ledger:
        await ledger.take(turn_of("a", 1))
        machine.clock = 10
        reply = await ledger.take(turn_of("b", 1, interactive=1))
        assert reply.paused_for == SECOND


async def test_removed_file_is_a_loss(tmp_path: Path) -> None:
    path = tmp_path / "limiter.sqlite"
    async with SQLiteLimiter(path, "app", RateLimits(10, 100), processes=1) as limiter:
        for _ in range(5):
            await spend(limiter)
        await anyio.sleep(0.3)
        for name in os.listdir(tmp_path):
            os.unlink(tmp_path / name)
        while limiter.statistics.free_today == 95:
            await spend(limiter)
        await spend(limiter)
        free = limiter.statistics.free_today
        assert free is not None
        assert free < 95


async def test_locked_file_is_an_outage(tmp_path: Path) -> None:
    path = tmp_path / "limiter.sqlite"
    limiter = SQLiteLimiter(path, "app", RateLimits(10, 100), processes=1, on_outage="refuse", timeout=0.05)
    async with limiter:
        await spend(limiter)
        connection = sqlite3.connect(path, isolation_level=None)
        connection.execute("BEGIN IMMEDIATE")
        with pytest.raises(BudgetExhaustedError, match=r"limiter\.sqlite"):
            await spend_all(limiter)
        connection.execute("ROLLBACK")
        connection.close()
        while limiter.is_away:
            await anyio.lowlevel.checkpoint()
        await spend(limiter)


@pytest.mark.parametrize(("options", "seconds"), [({}, 1.0), ({"timeout": 2.5}, 2.5)], ids=["default", "given"])
@pytest.mark.parametrize("make", [SQLiteLedger, partial(SQLiteLimiter, processes=1)], ids=["ledger", "limiter"])
def test_lock_is_waited_for_as_long_as_given(
    make: Callable[..., object], options: dict[str, float], *, seconds: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    found: list[tuple[Any, ...]] = []

    def open_database(path: Path, **given: Any) -> None:
        found.append((path, given["synchronous"], given["busy_timeout"]))

    monkeypatch.setattr("stellantis_hal.transport.rate_limit.sqlite.SQLiteDatabase", open_database)
    make(Path("a.sqlite"), "app", **options)
    assert found == [(Path("a.sqlite"), "NORMAL", seconds)]


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("{", "not the state of a limiter"),
        ("[]", "not the state of a limiter"),
        ('{"format": 9}', "format 9, expected 1"),
        ('{"format": 1}', "not the state of a limiter"),
    ],
)
async def test_unreadable_state_is_said(tmp_path: Path, content: str, problem: str) -> None:
    path = tmp_path / "limiter.sqlite"
    async with SQLiteLedger(path, "app") as ledger:
        await ledger.take(turn_of("a", 1))
        with sqlite3.connect(path) as connection:
            connection.execute("UPDATE limiter SET state = ?", (content,))
        connection.close()
        with pytest.raises(StorageError) as caught:
            await ledger.take(turn_of("a", 2))
        assert str(caught.value) == f"{path}: {problem}: remove the file while no process uses it"
        assert caught.value.path == str(path)
        assert ledger.place == f"the file {path}"


def test_clock_counts_from_the_start_of_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    first = microseconds_since_boot()
    monkeypatch.delattr("time.CLOCK_BOOTTIME", raising=False)
    assert first > 0
    assert microseconds_since_boot() > 0
    monkeypatch.setattr(boot_clock, "_BOOT_ID", Path("/nowhere"))
    assert boot_id() == ""


@pytest.mark.parametrize(
    ("path", "name", "options", "message"),
    [
        ("a.sqlite", "", {}, "client_id must not be empty: processes that give the same one share its limits"),
        (":memory:", "app", {}, 'path must be a file that all processes can open, not ":memory:"'),
        ("a.sqlite", "app", {"timeout": 0}, "timeout must be positive, for example 1.0, not 0"),
        ("a.sqlite", "app", {"timeout": -0.5}, "timeout must be positive, for example 1.0, not -0.5"),
    ],
)
def test_wrong_options_are_refused(path: str, name: str, options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - the whole message is compared
        SQLiteLimiter(path, name, processes=1, **options)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    "state",
    ["CAST(X'ff41' AS TEXT)", f"'{'[' * 100_000}'", "X'ff'", "5", "'{}'"],
    ids=["no UTF-8", "deep", "bytes", "number", "empty"],
)
async def test_a_foreign_state_is_an_outage(tmp_path: Path, state: str) -> None:
    machine = Machine()
    async with machine.ledger(tmp_path / "a") as ledger:
        await ledger.take(turn_of("p", 1, interactive=2))
    with sqlite3.connect(tmp_path / "a") as connection:
        connection.execute(f"UPDATE limiter SET state = {state}")
    connection.close()
    async with machine.ledger(tmp_path / "a") as ledger:
        with pytest.raises(StorageError, match=r"remove the file|another program wrote it\. Remove that row") as caught:
            await ledger.take(turn_of("q", 1))
        assert "\ufffd" not in str(caught.value)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("$.scalars[3]", "1e308"),
        ("$.scalars[6]", "null"),
        ("$.scalars[7]", "9223372036854775807"),
        ("$.processes", "5"),
        ("$.processes.p", "[1]"),
        ("$.processes.p[0]", "0.5"),
        ("$.tokens", "[[1, 2]]"),
    ],
)
async def test_foreign_numbers_in_a_state_are_an_outage(tmp_path: Path, path: str, value: str) -> None:
    """As of another version; the limiter is not ended by an error of another kind."""
    machine = Machine()
    async with machine.ledger(tmp_path / "a") as ledger:
        await ledger.take(turn_of("p", 1, interactive=2))
    with sqlite3.connect(tmp_path / "a") as connection:
        connection.execute("UPDATE limiter SET state = json_set(state, ?, json(?))", (path, value))
    connection.close()
    async with machine.ledger(tmp_path / "a") as ledger:
        with pytest.raises(StorageError, match="not the state of a limiter: remove the file"):
            await ledger.take(turn_of("q", 1))


@pytest.mark.parametrize("change", ["count = 'many'", "minute = 'now'"])
async def test_foreign_counts_are_an_outage(tmp_path: Path, change: str) -> None:
    machine = Machine()
    async with machine.ledger(tmp_path / "a") as ledger:
        first = await ledger.take(turn_of("p", 1, interactive=2))
        await ledger.take(turn_of("p", 2, epoch=first.epoch))
    with sqlite3.connect(tmp_path / "a") as connection:
        connection.execute("DELETE FROM limiter_minutes")
        connection.execute("INSERT INTO limiter_minutes VALUES ('app', 1, 1)")
        connection.execute(f"UPDATE limiter_minutes SET {change}")
    connection.close()
    async with machine.ledger(tmp_path / "a") as ledger:
        with pytest.raises(StorageError, match="not the state of a limiter: remove the file"):
            await ledger.take(turn_of("q", 1))


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
@pytest.mark.parametrize("steps", range(6))
async def test_native_cancellations_leave_no_process(tmp_path: Path, steps: int) -> None:
    """Also those that come while the limiter is left; else its share of the limit is lost until it counts as dead."""
    path = tmp_path / "limiter.sqlite"
    entered = asyncio.Event()

    async def hold() -> None:
        async with SQLiteLimiter(path, "app", processes=1) as limiter:
            async with limiter.slot() as slot:
                slot.sent()
                slot.answered()
            entered.set()
            await anyio.sleep_forever()

    task = asyncio.ensure_future(hold())
    await entered.wait()
    task.cancel()
    for _ in range(steps):
        await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait([task])
    with sqlite3.connect(path) as connection:
        found = connection.execute("SELECT json_extract(state, '$.processes') FROM limiter").fetchone()
    connection.close()
    assert found == ("{}",)
