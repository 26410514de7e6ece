"""Limiter state: life cycle, store failures, the file store."""

import asyncio
import os
import pickle
import re
import subprocess
import sys
import threading
from pathlib import Path

import anyio
import pytest

from stellantis_hal.errors import ConfigurationError
from stellantis_hal.transport.rate_limit import persistence
from stellantis_hal.transport.rate_limit.limiter import TokenBucketLimiter
from stellantis_hal.transport.rate_limit.persistence import FileLimiterStore
from stellantis_hal.transport.rate_limit.protocol import RateLimiter, RateLimits
from tests.transport.doubles import wall
from tests.transport.rate_limit.test_single_process_ledger import UNREADABLE

pytestmark = pytest.mark.anyio


class MemoryStore:
    """A store in memory that can fail or hang."""

    def __init__(self, content: bytes | None = None, *, broken: bool = False, slow: bool = False) -> None:
        self.content = content
        self.broken = broken
        self.slow = slow
        self.saves = 0
        self.loads = 0

    async def load(self) -> bytes | None:
        self.loads += 1
        await anyio.sleep(1000 if self.slow else 0)
        if self.broken:
            raise OSError("unreadable")
        return self.content

    async def save(self, content: bytes) -> None:
        self.saves += 1
        await anyio.sleep(1000 if self.slow else 0)
        if self.broken:
            raise OSError("unwritable")
        self.content = content


def make_limiter(store: MemoryStore | FileLimiterStore, *, per_day: int = 10) -> TokenBucketLimiter:
    return TokenBucketLimiter(RateLimits(5, per_day), store=store, save_every=30.0, clock=wall)


async def spend(limiter: RateLimiter, count: int = 1) -> None:
    for _ in range(count):
        async with limiter.slot() as slot:
            slot.sent()
            slot.answered()


# ------------------------------------------------------------------------------------------------- life cycle


async def test_a_restart_continues_with_the_days_count() -> None:
    store = MemoryStore()
    async with make_limiter(store) as before:
        await spend(before, 4)
    async with make_limiter(store) as after:
        await spend(after)
        assert after.statistics.free_today == 10 - 4 - 1


async def test_right_after_a_restart_the_burst_window_is_held() -> None:
    store = MemoryStore()
    async with make_limiter(store) as before:
        await spend(before)
    start = anyio.current_time()
    async with make_limiter(store) as after:
        await spend(after)
    assert anyio.current_time() >= start + 1.0


async def test_long_after_a_restart_nothing_is_held() -> None:
    store = MemoryStore()
    async with make_limiter(store) as before:
        await spend(before)
    await anyio.sleep(60)
    start = anyio.current_time()
    async with make_limiter(store) as after:
        await spend(after)
    assert anyio.current_time() < start + 0.5


async def test_the_store_is_loaded_once_and_saved_at_the_end() -> None:
    store = MemoryStore()
    async with make_limiter(store) as limiter:
        async with anyio.create_task_group() as group:
            for _ in range(5):
                group.start_soon(spend, limiter)
        assert (store.loads, store.saves) == (1, 0)
    assert (store.loads, store.saves) == (1, 1)


async def test_a_limiter_entered_again_keeps_its_own_count() -> None:
    store = MemoryStore()
    limiter = make_limiter(store)
    for _ in range(2):
        async with limiter:
            await spend(limiter, 2)
    assert (store.loads, store.saves) == (1, 2)
    assert limiter.statistics.free_today == 6


@pytest.mark.parametrize("entered_before", [False, True])
async def test_a_limiter_with_a_store_must_be_entered(*, entered_before: bool) -> None:
    store = MemoryStore()
    limiter = make_limiter(store)
    if entered_before:
        async with limiter:
            pass
    said = "nothing was sent: this limiter has a store and is not entered, so its count would be lost. "
    write = "Write `async with TokenBucketLimiter(limits, store=store) as limiter:` around the clients that use it."
    with pytest.raises(ConfigurationError, match=f"^{re.escape(said + write)}$"):
        await spend(limiter)
    assert limiter.statistics.granted == 0


async def test_a_limiter_with_a_store_is_entered_once_at_a_time() -> None:
    store = MemoryStore()
    async with make_limiter(store) as limiter:
        with pytest.raises(RuntimeError) as caught:
            await limiter.__aenter__()
        assert str(caught.value) == (
            "this limiter is entered already: enter it once, around all clients that share it (`async with limiter: …`)"
        )
        await spend(limiter)
    assert store.saves == 1


async def test_a_limiter_without_a_store_needs_no_entering() -> None:
    limiter = TokenBucketLimiter(RateLimits(5, 10), clock=wall)
    await spend(limiter)
    async with limiter as entered, limiter:
        assert entered is limiter
        await spend(limiter)
    await spend(limiter)
    assert limiter.statistics.granted == 3


async def test_cancelled_while_entering_it_can_be_entered_again() -> None:
    store = MemoryStore(slow=True)
    limiter = make_limiter(store)
    with anyio.move_on_after(1.0):
        await limiter.__aenter__()
    store.slow = False
    async with limiter:
        await spend(limiter)
    assert (store.loads, store.saves) == (2, 1)


async def test_the_state_is_saved_although_the_task_is_cancelled() -> None:
    store = MemoryStore()
    with anyio.CancelScope() as scope:
        async with make_limiter(store) as limiter:
            await spend(limiter)
            scope.cancel()
            await anyio.sleep(1)
    assert scope.cancelled_caught
    assert store.content is not None


# ------------------------------------------------------------------------------------------------- when it is saved


async def test_the_state_is_saved_now_and_then() -> None:
    store = MemoryStore()
    async with make_limiter(store) as limiter:
        await spend(limiter, 2)
        assert store.saves == 0
        await anyio.sleep(30)
        await spend(limiter, 2)
        assert store.saves == 1


async def test_the_state_is_saved_each_half_minute_by_default() -> None:
    store = MemoryStore()
    async with TokenBucketLimiter(store=store, clock=wall) as limiter:
        await spend(limiter)
        await anyio.sleep(29.5)
        await spend(limiter)
        assert store.saves == 0
        await anyio.sleep(1.0)
        await spend(limiter)
        assert store.saves == 1


async def test_nothing_is_saved_before_the_limiter_is_entered() -> None:
    store = MemoryStore()
    await make_limiter(store).save()
    assert store.saves == 0


async def test_without_a_store_saving_does_nothing() -> None:
    await TokenBucketLimiter(clock=wall).save()


# ------------------------------------------------------------------------------------------------- stores that fail


async def test_a_store_that_cannot_be_loaded_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    async with make_limiter(MemoryStore(broken=True)) as limiter:
        await spend(limiter)
    assert caplog.messages[0] == "the limiter's state could not be loaded: OSError"


async def test_a_save_that_fails_is_logged_and_tried_again(caplog: pytest.LogCaptureFixture) -> None:
    store = MemoryStore()
    async with make_limiter(store) as limiter:
        await spend(limiter)
        store.broken = True
        await limiter.save()
        assert caplog.messages == ["the limiter's state could not be saved: OSError"]
        store.broken = False
        await limiter.save()
        assert store.content is not None


class LockedStore(MemoryStore):
    """A store that one limiter at a time uses, and whose lock cannot be made or removed."""

    async def acquire(self) -> None:
        raise OSError("no lock")

    async def release(self) -> None:
        raise OSError("no such lock")


async def test_a_store_that_cannot_be_locked_is_used(caplog: pytest.LogCaptureFixture) -> None:
    store = LockedStore()
    async with make_limiter(store) as limiter:
        await spend(limiter)
    assert caplog.messages == ["the limiter's state could not be locked: OSError"]
    assert store.content is not None


class SlowlyLockedStore(MemoryStore):
    """A store whose lock takes a second to remove."""

    is_locked = False

    async def acquire(self) -> None:
        self.is_locked = True

    async def release(self) -> None:
        await anyio.sleep(1.0)
        self.is_locked = False


async def test_a_lock_is_removed_although_the_task_is_cancelled() -> None:
    store = SlowlyLockedStore()
    with anyio.CancelScope() as scope:
        async with make_limiter(store):
            assert store.is_locked
            scope.cancel()
    assert not store.is_locked


async def test_a_store_that_hangs_is_waited_for_ten_seconds(caplog: pytest.LogCaptureFixture) -> None:
    start = anyio.current_time()
    async with make_limiter(MemoryStore(slow=True)) as limiter:
        await spend(limiter)
        assert anyio.current_time() == pytest.approx(start + 10.0, abs=0.5)
        assert caplog.messages == ["the limiter's state was not loaded within 10 s"]
        await limiter.save()
        assert anyio.current_time() == pytest.approx(start + 20.0, abs=0.5)
        assert caplog.messages[1:] == ["the limiter's state was not saved within 10 s"]
    assert anyio.current_time() == pytest.approx(start + 30.0, abs=0.5)


@pytest.mark.parametrize("content", UNREADABLE)
async def test_unreadable_state_is_logged_and_dropped(content: bytes, caplog: pytest.LogCaptureFixture) -> None:
    async with make_limiter(MemoryStore(content)) as limiter:
        await spend(limiter)
        assert "could not be read, starting without it" in caplog.text
        assert limiter.statistics.free_today == 9


@pytest.mark.parametrize(
    ("content", "reason"), [(b'{"format":2}', "state of format 2, expected 1"), (b"{}", "not the state of a limiter")]
)
async def test_the_log_says_why_state_is_unreadable(
    content: bytes, reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with make_limiter(MemoryStore(content)) as limiter:
        await spend(limiter)
    assert caplog.messages == [f"the limiter's state could not be read, starting without it: {reason}"]


# ------------------------------------------------------------------------------------------------- the file store


@pytest.mark.wall_clock
async def test_a_file_stores_the_state(tmp_path: Path) -> None:
    store = FileLimiterStore(tmp_path / "limiter.json")
    assert await store.load() is None
    await store.save(b"one")
    await store.save(b"two")
    assert await store.load() == b"two"
    assert os.listdir(tmp_path) == ["limiter.json"]


@pytest.mark.wall_clock
async def test_a_file_that_cannot_be_replaced_leaves_no_other(tmp_path: Path) -> None:
    (tmp_path / "limiter.json").mkdir()
    with pytest.raises(OSError, match="limiter"):
        await FileLimiterStore(tmp_path / "limiter.json").save(b"one")
    assert os.listdir(tmp_path) == ["limiter.json"]


@pytest.mark.wall_clock
async def test_a_link_that_is_replaced_is_locked_all_the_same(tmp_path: Path) -> None:
    path = tmp_path / "limiter.json"
    path.symlink_to(tmp_path / "elsewhere")
    store = FileLimiterStore(path)
    await store.acquire()
    await store.save(b"one")
    assert not path.is_symlink()
    with pytest.raises(ConfigurationError, match="another limiter"):
        await FileLimiterStore(path).acquire()
    await store.release()


@pytest.mark.wall_clock
async def test_a_limiter_removes_what_a_killed_one_left(tmp_path: Path) -> None:
    left = tmp_path / ".limiter.json.0123456789abcdef.new"
    left.touch()
    store = FileLimiterStore(tmp_path / "limiter.json")
    await store.acquire()
    assert os.listdir(tmp_path) == [".limiter.json.lock"]
    left.touch()
    with pytest.raises(ConfigurationError):
        await FileLimiterStore(tmp_path / "limiter.json").acquire()
    assert left.exists(), "the limiter that has the lock may be writing it"
    await store.release()


@pytest.mark.wall_clock
async def test_a_file_that_hangs_can_be_abandoned(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    released = threading.Event()

    def hang(path: Path) -> bytes:
        released.wait(5.0)
        return b"late"

    (tmp_path / "limiter.json").touch()
    monkeypatch.setattr(Path, "read_bytes", hang)
    with anyio.move_on_after(0.05) as scope:
        await FileLimiterStore(tmp_path / "limiter.json").load()
    released.set()
    assert scope.cancelled_caught


class HangingDisk:
    """Lets the first writing of a file wait."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._fsync = os.fsync
        self.hangs = threading.Event()
        self.released = threading.Event()
        monkeypatch.setattr(os, "fsync", self.fsync)

    def fsync(self, descriptor: int) -> None:
        if not self.hangs.is_set():
            self.hangs.set()
            assert self.released.wait(5.0)
        self._fsync(descriptor)


@pytest.mark.wall_clock
async def test_an_abandoned_save_replaces_no_later_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    disk = HangingDisk(monkeypatch)
    store = FileLimiterStore(tmp_path / "limiter.json")
    with anyio.move_on_after(0.02) as scope:
        await store.save(b"one")
    assert scope.cancelled_caught
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(store.save, b"two")
        await anyio.sleep(0.01)
        disk.released.set()
    assert await store.load() == b"two"
    assert os.listdir(tmp_path) == ["limiter.json"]


@pytest.mark.wall_clock
async def test_an_overtaken_save_is_dropped(tmp_path: Path) -> None:
    """A thread that starts late has nothing to write."""
    store = FileLimiterStore(tmp_path / "limiter.json")
    await store.save(b"one")
    await store.save(b"two")
    store._write_in_order(1, b"one")
    assert await store.load() == b"two"


@pytest.mark.wall_clock
async def test_a_disk_that_hangs_is_an_error_in_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    disk = HangingDisk(monkeypatch)
    monkeypatch.setattr(persistence, "_TIMEOUT", 0.02)
    store = FileLimiterStore(tmp_path / "limiter.json")
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(store.save, b"one")
        await anyio.to_thread.run_sync(disk.hangs.wait, 5.0)
        with pytest.raises(TimeoutError, match=r"still being written after 0\.02 s.*limiter\.json"):
            await store.save(b"two")
        disk.released.set()
    assert await store.load() == b"one"


def test_the_pickle_of_a_file_store_has_its_path(tmp_path: Path) -> None:
    copy = pickle.loads(pickle.dumps(FileLimiterStore(tmp_path / "limiter.json")))
    assert vars(copy)["_path"] == tmp_path / "limiter.json"


# ------------------------------------------------------------------------------------------------- one at a time

_HOLDER = """
import sys, anyio
from stellantis_hal import FileLimiterStore, TokenBucketLimiter

async def hold():
    async with TokenBucketLimiter(store=FileLimiterStore(sys.argv[1])):
        print("entered", flush=True)
        await anyio.sleep_forever()

anyio.run(hold)
"""


def start_holder(path: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", _HOLDER, str(path)], stdout=subprocess.PIPE)


@pytest.mark.wall_clock
async def test_file_of_another_process_is_refused_until_it_dies(tmp_path: Path) -> None:
    path = tmp_path / "limiter.json"
    with start_holder(path) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"entered\n"
        with pytest.raises(ConfigurationError, match=r"SQLiteLimiter.*RedisLimiter"):
            await make_limiter(FileLimiterStore(path)).__aenter__()
        holder.kill()
    async with make_limiter(FileLimiterStore(path)) as limiter:
        await spend(limiter)


@pytest.mark.wall_clock
async def test_file_of_another_limiter_is_refused_until_it_is_left(tmp_path: Path) -> None:
    store = FileLimiterStore(tmp_path / "limiter.json")
    second = make_limiter(store)
    async with make_limiter(store):
        with pytest.raises(ConfigurationError) as caught:
            await second.__aenter__()
    assert str(caught.value) == (
        f"{tmp_path / 'limiter.json'} is used by another limiter, in this process or another one: two would overwrite "
        "each other's counts and send twice the limit. Share one limiter among the clients of a process; for several "
        "processes of one machine use SQLiteLimiter, for several machines RedisLimiter"
    )
    async with second:
        await spend(second)
    assert os.listdir(tmp_path) == ["limiter.json"]


@pytest.mark.wall_clock
async def test_lock_ends_where_entering_fails(tmp_path: Path) -> None:
    class Broken(FileLimiterStore):
        async def load(self) -> bytes | None:
            raise KeyError

    with pytest.raises(KeyError):
        await make_limiter(Broken(tmp_path / "limiter.json")).__aenter__()
    assert os.listdir(tmp_path) == []


@pytest.mark.wall_clock
async def test_folder_that_cannot_be_written_is_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async with make_limiter(FileLimiterStore(tmp_path / "nowhere" / "limiter.json")) as limiter:
        await spend(limiter)
    folder = tmp_path / "nowhere"
    reason = "No such file or directory: create its folder, or correct the path"
    assert caplog.messages == [
        f"the limiter's state could not be locked: {folder / '.limiter.json.lock'}: {reason}",
        f"the limiter's state could not be saved: {folder / 'limiter.json'}: {reason}",
    ]


@pytest.mark.wall_clock
async def test_what_is_no_regular_file_is_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A pipe would be read for ever, by a thread that keeps the process from ending."""
    path = tmp_path / "limiter.json"
    os.mkfifo(path)
    async with make_limiter(FileLimiterStore(path)) as limiter:
        await spend(limiter)
    assert caplog.messages == [f"the limiter's state could not be loaded: {path}: it is no regular file"]


@pytest.mark.wall_clock
async def test_the_working_directory_may_change(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "other").mkdir()
    monkeypatch.chdir(tmp_path)
    async with make_limiter(FileLimiterStore("limiter.json")) as limiter:
        await spend(limiter)
        monkeypatch.chdir(tmp_path / "other")
    assert (tmp_path / "limiter.json").exists()


async def test_cancelled_enter_locks_nothing(tmp_path: Path) -> None:
    store = FileLimiterStore(tmp_path / "limiter")
    with anyio.CancelScope() as scope:
        scope.cancel()
        await store.acquire()
    assert scope.cancelled_caught
    await FileLimiterStore(tmp_path / "limiter").acquire()


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
@pytest.mark.parametrize("steps", range(4))
async def test_native_cancellations_lose_no_count(steps: int) -> None:
    """Also those that come while the state is saved for the last time; here that takes one turn of the loop."""
    store = MemoryStore()
    entered = asyncio.Event()

    async def hold() -> None:
        async with make_limiter(store) as limiter:
            await spend(limiter)
            entered.set()
            await anyio.sleep_forever()

    task = asyncio.ensure_future(hold())
    await entered.wait()
    task.cancel()
    for _ in range(steps):
        await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait([task])
    assert store.content is not None
