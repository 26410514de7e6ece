"""The token store in a file: permissions, crashes, locks."""

# ruff: noqa: ASYNC240 - a few bytes in a temporary folder

import asyncio
import os
import pickle
import random
import stat
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import anyio
import anyio.lowlevel
import anyio.to_thread
import filelock
import pytest

from stellantis_hal import FileTokenStore, Token
from stellantis_hal.credentials.stores import private_files
from stellantis_hal.credentials.stores.file_format import TokenLines, serialize_tokens
from stellantis_hal.errors import TokenStoreError
from stellantis_hal.storage import file_lock, replaced_file
from tests.credentials.doubles import NOON

pytestmark = [pytest.mark.anyio, pytest.mark.wall_clock]

ALICE = Token("access-a", "refresh-a", NOON, ("data:trip",))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "tokens"


async def test_tokens_outlive_the_store(path: Path) -> None:
    await FileTokenStore(path).save("alice", ALICE)
    await FileTokenStore(path).save("bob", Token("b"))
    assert await FileTokenStore(str(path)).load("alice") == ALICE
    assert await FileTokenStore(path).keys() == ("alice", "bob")


async def test_a_new_store_is_empty(path: Path) -> None:
    assert await FileTokenStore(path).load("alice") is None
    assert await FileTokenStore(path).keys() == ()
    assert not path.exists()


async def test_saving_none_removes_one_account(path: Path) -> None:
    store = FileTokenStore(path)
    await store.save("alice", ALICE)
    await store.save("bob", Token("b"))
    await store.save("alice", None)
    await store.save("nobody", None)
    assert await store.keys() == ("bob",)


@pytest.mark.parametrize("umask", [0, 0o777])
async def test_the_file_is_private_with_any_umask(path: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        await FileTokenStore(path).save("alice", ALICE)
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


async def test_nothing_is_left_beside_the_file(path: Path) -> None:
    store = FileTokenStore(path)
    async with store.lock("alice"):
        await store.save("alice", ALICE)
    assert os.listdir(path.parent) == ["tokens"]


# ------------------------------------------------------------------------------------------------- what is refused


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o610, 0o602])
async def test_a_file_that_other_users_may_use_is_refused(path: Path, mode: int) -> None:
    store = FileTokenStore(path)
    await store.save("alice", ALICE)
    path.chmod(mode)
    with pytest.raises(TokenStoreError, match=f"mode {mode:04o}") as caught:
        await store.load("alice")
    assert caught.value.key == "alice"
    with pytest.raises(TokenStoreError, match="chmod 600"):
        await store.save("alice", ALICE)


async def test_allow_others_reads_a_file_that_others_may_read(path: Path) -> None:
    await FileTokenStore(path).save("alice", ALICE)
    path.chmod(0o644)
    assert await FileTokenStore(path, allow_others=True).load("alice") == ALICE


async def test_a_file_of_another_user_is_refused(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    await FileTokenStore(path).save("alice", ALICE)
    owner = path.stat().st_uid
    monkeypatch.setattr(os, "geteuid", lambda: owner + 1)
    with pytest.raises(TokenStoreError, match="belongs to another user"):
        await FileTokenStore(path).load("alice")


async def test_a_symbolic_link_is_refused(path: Path) -> None:
    await FileTokenStore(path).save("alice", ALICE)
    link = path.with_name("link")
    link.symlink_to(path)
    with pytest.raises(TokenStoreError, match="symbolic link"):
        await FileTokenStore(link).load("alice")
    with pytest.raises(TokenStoreError, match="symbolic link"):
        await FileTokenStore(link).save("alice", ALICE)
    assert link.is_symlink()


async def test_a_symbolic_link_in_the_place_of_a_lock_is_not_followed(path: Path) -> None:
    target = path.with_name("target")
    path.with_name(".tokens.lock").symlink_to(target)
    with pytest.raises(TokenStoreError):
        await FileTokenStore(path).save("alice", ALICE)
    assert not target.exists()


@pytest.mark.parametrize("make", [Path.mkdir, os.mkfifo])
async def test_a_folder_or_fifo_is_refused(path: Path, make: Callable[[Path], None]) -> None:
    make(path)
    with pytest.raises(TokenStoreError, match="is not a file"):
        await FileTokenStore(path, allow_others=True).load("alice")


async def test_a_folder_that_cannot_be_written_is_noticed_by_lock(tmp_path: Path) -> None:
    folder = tmp_path / "read-only"
    folder.mkdir(mode=0o500)
    store = FileTokenStore((Path("/proc") if os.geteuid() == 0 else folder) / "tokens")
    with pytest.raises(TokenStoreError) as caught:
        async with store.lock("alice"):
            pytest.fail("a lock without a file")
    assert caught.value.key == "alice"
    with pytest.raises(TokenStoreError):
        await store.save("alice", ALICE)


async def test_a_path_through_a_file_is_refused(path: Path) -> None:
    path.write_bytes(b"")
    with pytest.raises(TokenStoreError, match="Not a directory"):
        await FileTokenStore(path / "tokens").load("alice")


async def test_a_damaged_file_is_refused_and_kept_as_it_is(path: Path) -> None:
    store = FileTokenStore(path)
    await store.save("alice", ALICE)
    damaged = path.read_bytes()[:-3]
    path.write_bytes(damaged)
    for act in (store.load("alice"), store.save("alice", ALICE), store.keys()):
        with pytest.raises(TokenStoreError, match="damaged"):
            await act
    assert path.read_bytes() == damaged
    assert os.listdir(path.parent) == ["tokens"]


# ------------------------------------------------------------------------------------------------- Windows


@pytest.fixture
def without_flock(monkeypatch: pytest.MonkeyPatch) -> None:
    """Use what Windows has: locks of the library, files without owners."""
    assert filelock.has_fcntl  # it is imported before its part of POSIX systems is hidden
    monkeypatch.setitem(sys.modules, "fcntl", None)
    monkeypatch.setattr(private_files, "_HAS_OWNERS", False)
    monkeypatch.setattr(replaced_file, "_IS_POSIX", False)


@pytest.mark.usefixtures("without_flock")
async def test_a_system_without_flock_has_locks_of_the_library(path: Path) -> None:
    store = FileTokenStore(path, lock_timeout=0.1)
    async with store.lock("alice"):
        await store.save("alice", ALICE)
        with pytest.raises(TokenStoreError, match="another process holds it"):
            async with FileTokenStore(path, lock_timeout=0.1).lock("alice"):
                pytest.fail("two had one lock")
    async with store.lock("alice"):
        assert await FileTokenStore(path).load("alice") == ALICE
    shared = file_lock.FileLock(path.with_name("shared.lock"), shared=True)
    assert shared.acquire(), "there are no shared locks: they are always free"
    shared.release()


@pytest.mark.usefixtures("without_flock")
@pytest.mark.parametrize("refusals", [2, 10_000])
async def test_a_file_that_is_being_read_is_replaced_later(
    path: Path, refusals: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    left = iter(range(refusals))
    replace = os.replace

    def refuse(new: str, target: str) -> None:
        if next(left, None) is not None:
            raise PermissionError(13, "Access is denied")
        replace(new, target)

    monkeypatch.setattr(os, "replace", refuse)
    monkeypatch.setattr(replaced_file, "_MOVE_TIMEOUT", 0.05)
    store = FileTokenStore(path)
    if refusals == 2:
        await store.save("alice", ALICE)
        assert await FileTokenStore(path).load("alice") == ALICE
    else:
        with pytest.raises(TokenStoreError, match="Access is denied"):
            await store.save("alice", ALICE)
        assert os.listdir(path.parent) == []


async def test_a_lock_file_that_cannot_be_removed_stays(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Windows removes no open file. On POSIX systems the refusal is an error: the folder was taken away."""

    def refuse(self: Path, *, missing_ok: bool = False) -> None:
        raise PermissionError(13, "Access is denied")

    monkeypatch.setattr(Path, "unlink", refuse)
    for system in ("nt", "posix"):
        held = file_lock.try_acquire(path)
        assert held is not None
        with monkeypatch.context() as patch:
            patch.setattr(file_lock, "os", SimpleNamespace(name=system, close=os.close))
            if system == "nt":
                file_lock.release(path, held)
            else:
                with pytest.raises(PermissionError):
                    file_lock.release(path, held)


# ------------------------------------------------------------------------------------------------- crashes


async def test_files_left_by_a_crash_are_removed(path: Path) -> None:
    store = FileTokenStore(path)
    await store.save("alice", ALICE)
    half = path.with_name(".tokens.0123456789abcdef.new")
    half.write_bytes(serialize_tokens({"mallory": Token("m")})[:40])
    path.with_name(".tokens.lock").touch()
    await store.save("bob", Token("b"))
    assert await store.keys() == ("alice", "bob")
    assert os.listdir(path.parent) == ["tokens"]


async def test_file_and_folder_are_on_the_disk_before_a_save_returns(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fsync, synced = os.fsync, list[bool]()

    def note(descriptor: int) -> None:
        synced.append(stat.S_ISDIR(os.fstat(descriptor).st_mode))
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", note)
    await FileTokenStore(path).save("alice", ALICE)
    assert synced == [False, True]


async def test_a_full_disk_leaves_the_old_file_and_no_other(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = FileTokenStore(path)
    await store.save("alice", ALICE)

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(TokenStoreError, match="No space left"):
            await store.save("alice", Token("new"))
    assert await store.load("alice") == ALICE
    assert os.listdir(path.parent) == ["tokens"]


@pytest.mark.parametrize("anyio_backend", ["asyncio"])  # a process is killed, which no backend changes
async def test_a_writer_killed_at_any_moment_leaves_a_whole_file(path: Path) -> None:
    """Each system call of a save is its last one once: the next process reads the old token or the new one."""
    await FileTokenStore(path).save("alice", ALICE)
    script = (
        "import os, sys, anyio\n"
        "from stellantis_hal import FileTokenStore, Token\n"
        "left = int(sys.argv[2])\n"
        "def die(*_):\n"
        "    global left\n"
        "    left -= 1\n"
        "    if left < 0: os._exit(9)\n"
        "sys.addaudithook(lambda name, arguments: die() if name in EVENTS and armed else None)\n"
        "EVENTS = {'open', 'os.remove', 'os.rename', 'fcntl.flock', 'os.chmod'}\n"
        "armed = False\n"
        "async def main():\n"
        "    global armed\n"
        "    store = FileTokenStore(sys.argv[1])\n"
        "    await store.load('alice')\n"
        "    armed = True\n"
        "    async with store.lock('alice'):\n"
        "        await store.save('alice', Token('new'))\n"
        "anyio.run(main)\n"
    )
    died = 0
    for moment in range(40):
        done = await anyio.run_process([sys.executable, "-c", script, str(path), str(moment)], check=False)
        assert await FileTokenStore(path).load("alice") in (ALICE, Token("new"))
        if done.returncode == 0:
            break
        assert done.returncode == 9, done.stderr
        died += 1
        if moment % 2:
            await FileTokenStore(path).save("alice", ALICE)
    else:
        pytest.fail("the writer never came to its end")
    assert died >= 6
    assert os.listdir(path.parent) == ["tokens"]


# ------------------------------------------------------------------------------------------------- locks


async def test_a_lock_excludes_other_tasks_and_stores(path: Path) -> None:
    inside: list[str] = []

    async def visit(name: str) -> None:
        async with FileTokenStore(path).lock("alice"):
            inside.append("in")
            await anyio.sleep(0.02)
            inside.append("out")

    async with anyio.create_task_group() as tasks:
        for name in "abcd":
            tasks.start_soon(visit, name)
    assert inside == ["in", "out"] * 4


async def test_locks_of_different_keys_do_not_meet(path: Path) -> None:
    store = FileTokenStore(path)
    async with store.lock("alice"), store.lock("bob"):
        await store.save("alice", ALICE)


async def test_the_wait_for_a_lock_is_bounded(path: Path) -> None:
    store = FileTokenStore(path, lock_timeout=0.1)
    async with store.lock("alice"):
        with pytest.raises(TokenStoreError, match="another process holds it") as caught:
            async with store.lock("alice"):
                pytest.fail("two had one lock")
    assert caught.value.key == "alice"


async def test_a_cancelled_wait_or_holder_leaves_nothing_locked(path: Path) -> None:
    store = FileTokenStore(path)
    async with store.lock("alice"):
        with anyio.move_on_after(0.08):
            async with store.lock("alice"):
                pytest.fail("two had one lock")
    with anyio.move_on_after(0.02):
        async with store.lock("alice"):
            await anyio.sleep_forever()
    async with store.lock("alice"):
        pass
    assert os.listdir(path.parent) == []


async def test_a_replaced_lock_file_is_another_lock(path: Path) -> None:
    descriptor = file_lock.try_acquire(path)
    assert descriptor is not None
    assert file_lock.try_acquire(path) is None
    path.unlink()
    second = file_lock.try_acquire(path)
    assert second is not None, "a new file is a new lock"
    file_lock.release(path, second)
    file_lock.release(path, descriptor)


async def test_a_lock_file_removed_while_it_is_locked_is_no_lock(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import fcntl

    flock = fcntl.flock

    def lose(descriptor: int, operation: int) -> None:
        flock(descriptor, operation)
        path.unlink()

    monkeypatch.setattr(fcntl, "flock", lose)
    assert file_lock.try_acquire(path) is None


async def test_a_lock_file_replaced_while_it_is_locked_is_no_lock(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import fcntl

    flock = fcntl.flock

    def swap(descriptor: int, operation: int) -> None:
        flock(descriptor, operation)
        path.with_name("other").touch()
        path.with_name("other").replace(path)

    monkeypatch.setattr(fcntl, "flock", swap)
    assert file_lock.try_acquire(path) is None


async def test_a_lock_that_the_system_cannot_give_is_an_error(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import fcntl

    def broken(descriptor: int, operation: int) -> None:
        raise OSError(37, "No locks available")

    monkeypatch.setattr(fcntl, "flock", broken)
    with pytest.raises(TokenStoreError, match="No locks available"):
        async with FileTokenStore(path).lock("alice"):
            pytest.fail("there is no lock")


async def test_a_writer_that_others_keep_out_gives_up(path: Path) -> None:
    lock = path.with_name(".tokens.lock")
    held = file_lock.try_acquire(lock)
    assert held is not None
    with pytest.raises(TokenStoreError, match="kept replacing"):
        await FileTokenStore(path, lock_timeout=0.05).save("alice", ALICE)
    file_lock.release(lock, held)
    await FileTokenStore(path).save("alice", ALICE)


async def test_many_tasks_that_save_at_once_lose_nothing(path: Path) -> None:
    store = FileTokenStore(path)
    async with anyio.create_task_group() as tasks:
        for number in range(20):
            tasks.start_soon(store.save, f"account-{number}", Token(f"a{number}"))
    assert len(await store.keys()) == 20


async def test_changes_that_meet_are_written_together(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    writes = list[int]()
    all_have_started = threading.Event()
    fsync = os.fsync

    def note(descriptor: int) -> None:
        writes.append(descriptor)
        assert all_have_started.wait(30)
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", note)
    store, threads = FileTokenStore(path), anyio.to_thread.current_default_thread_limiter()
    async with anyio.create_task_group() as tasks:
        for number in range(30):
            tasks.start_soon(store.save, f"account-{number}", Token(f"a{number}"))
        while threads.borrowed_tokens < 30:
            await anyio.lowlevel.checkpoint()
        all_have_started.set()
    assert await store.keys() == tuple(sorted(f"account-{number}" for number in range(30)))
    assert len(writes) < 2 * 15  # each time the file and its folder; one by one it would be 60


async def test_a_batch_that_cannot_be_written_fails_as_a_whole(path: Path) -> None:
    """The next batch does not fail."""
    store = FileTokenStore(path, lock_timeout=0.1)
    lock = path.with_name(".tokens.lock")
    held = file_lock.try_acquire(lock)
    assert held is not None
    failed = list[str | None]()

    async def save(key: str) -> None:
        with pytest.raises(TokenStoreError, match="kept replacing") as caught:
            await store.save(key, ALICE)
        failed.append(caught.value.key)

    async with anyio.create_task_group() as tasks:
        for number in range(5):
            tasks.start_soon(save, f"account-{number}")
    file_lock.release(lock, held)
    assert sorted(map(str, failed)) == [f"account-{number}" for number in range(5)]
    await store.save("alice", ALICE)
    assert await store.keys() == ("alice",)


async def test_only_a_changed_file_is_read_again(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    reads = list[str]()

    read_again = TokenLines.read_again

    def note(before: TokenLines, content: bytes, *, place: str) -> TokenLines:
        reads.append(place)
        return read_again(before, content, place=place)

    monkeypatch.setattr(TokenLines, "read_again", note)
    store, other = FileTokenStore(path), FileTokenStore(path)
    await store.save("alice", ALICE)
    assert [await store.load("alice") for _ in range(3)] == [ALICE] * 3
    assert reads == []
    await other.save("alice", Token("from elsewhere"))
    assert [await store.load("alice") for _ in range(3)] == [Token("from elsewhere")] * 3
    assert reads == [str(path)] * 2  # once each
    path.write_bytes(path.read_bytes().replace(b"elsewhere", b"somewhere"))
    with pytest.raises(TokenStoreError, match="damaged"):
        await store.load("alice")


def test_a_store_pickles(path: Path) -> None:
    store = pickle.loads(pickle.dumps(FileTokenStore(path, lock_timeout=5.0)))
    assert repr(store) == f"FileTokenStore({str(path)!r})"


async def test_repr_names_the_file_only(path: Path) -> None:
    store = FileTokenStore(path)
    await store.save("alice", ALICE)
    assert repr(store) == f"FileTokenStore({str(path)!r})"


# ------------------------------------------------------------------------------------------------- cancellation


@pytest.mark.unmeasured
@pytest.mark.parametrize("anyio_backend", ["asyncio"])
@pytest.mark.parametrize("seed", range(3))
async def test_native_cancellation_undoes_no_returned_save(path: Path, seed: int) -> None:
    """And a cancelled save is over when its account's lock is released: another process may save then."""
    rng = random.Random(seed)
    store = FileTokenStore(path)
    for number in range(30):
        tasks = [asyncio.ensure_future(store.save("alice", Token(f"cancelled {each}"))) for each in range(3)]
        await asyncio.sleep(rng.uniform(0.0, 0.002))
        for task in tasks:
            task.cancel()
        await store.save("alice", Token(f"kept {number}"))
        await asyncio.wait(tasks)
        assert await FileTokenStore(path).load("alice") == Token(f"kept {number}")
    assert os.listdir(path.parent) == ["tokens"]


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_a_lock_outlasts_a_natively_cancelled_save(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    writes, release = threading.Event(), threading.Event()

    content = TokenLines.content

    def serialize(tokens: TokenLines) -> bytes:
        writes.set()
        assert release.wait(5.0)
        return content(tokens)

    monkeypatch.setattr(TokenLines, "content", serialize)
    store = FileTokenStore(path)

    async def renew() -> None:
        async with store.lock("alice"):
            await store.save("alice", ALICE)

    task = asyncio.ensure_future(renew())
    await anyio.to_thread.run_sync(writes.wait, 5.0)
    task.cancel()
    with anyio.move_on_after(0.02) as waiting:
        async with FileTokenStore(path).lock("alice"):
            pass
    assert waiting.cancelled_caught
    release.set()
    await asyncio.wait([task])
    async with FileTokenStore(path).lock("alice"):
        assert await FileTokenStore(path).load("alice") == ALICE
