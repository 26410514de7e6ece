"""Persistence of limiter state: store protocol, file store, schedule of saves."""

from __future__ import annotations

import errno
import logging
import os
import stat
import threading
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Protocol, runtime_checkable

import anyio
import anyio.to_thread

from stellantis_hal.errors import ConfigurationError
from stellantis_hal.storage.advice import describe
from stellantis_hal.storage.file_lock import FileLock
from stellantis_hal.storage.replaced_file import remove_leftovers, replaced_file
from stellantis_hal.storage.run_to_completion import run_to_completion
from stellantis_hal.storage.threads import run_to_end

__all__ = ["ExclusiveStore", "FileLimiterStore", "LimiterStore", "StatePersister"]

_logger = logging.getLogger("stellantis_hal")
_TIMEOUT = 10.0


class LimiterStore(Protocol):
    """Where a limiter keeps its state between two processes: one value of a few kilobytes."""

    async def load(self) -> bytes | None:
        """Return the value saved last; None where there is none.

        Raises:
            OSError: it cannot be read.
        """
        ...

    async def save(self, content: bytes) -> None:
        """Save a value, whole or not at all.

        Raises:
            OSError: it cannot be written.
        """
        ...


@runtime_checkable
class ExclusiveStore(Protocol):
    """A :class:`LimiterStore` that one limiter at a time may use."""

    async def acquire(self) -> None:
        """Take it.

        Raises:
            ConfigurationError: another limiter uses it.
            OSError: that cannot be found out.
        """
        ...

    async def release(self) -> None:
        """Let it go."""
        ...


class FileLimiterStore:
    """Limiter state in a file, replaced atomically; a symbolic link in its place is replaced too.

    One limiter at a time uses it: another one, of this process or of another on this machine, is refused when it is
    entered, because two would overwrite each other's counts. The lock is a file beside it and ends with its process,
    however that ends. There is none on file systems without such locks.

    Args:
        path: the file; its folder must exist.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._path = Path(path).absolute()  # the working directory may change later
        self._writing = threading.Lock()
        self._begun = 0
        self._written = 0
        self._lock: FileLock | None = None

    def __reduce__(self) -> tuple[type[FileLimiterStore], tuple[Path]]:
        """Pickle the path only."""
        return FileLimiterStore, (self._path,)

    async def acquire(self) -> None:
        """Lock the file.

        Raises:
            ConfigurationError: another limiter uses it.
            OSError: the lock cannot be made.
        """
        lock: FileLock | None = None

        def lock_it() -> bool:
            nonlocal lock
            folder = os.path.realpath(self._path.parent)  # of the path itself: a link is replaced
            lock = FileLock(Path(folder, f".{self._path.name}.lock"))
            if not lock.acquire():
                return False
            remove_leftovers(self._path)
            return True

        try:
            is_held = await run_to_end(lock_it)
        except BaseException:
            if lock is not None:
                lock.release()
            raise
        if not is_held:
            raise ConfigurationError(
                f"{self._path} is used by another limiter, in this process or another one: two would overwrite "
                "each other's counts and send twice the limit. Share one limiter among the clients of a process; for "
                "several processes of one machine use SQLiteLimiter, for several machines RedisLimiter"
            )
        self._lock = lock

    async def release(self) -> None:
        """Unlock the file."""
        lock, self._lock = self._lock, None
        if lock is not None:
            await run_to_end(lock.release)

    async def load(self) -> bytes | None:
        """Read the file; None where there is none.

        Raises:
            OSError: it cannot be read, or is no regular file.
        """
        return await anyio.to_thread.run_sync(self._read, abandon_on_cancel=True)

    def _read(self) -> bytes | None:
        try:
            if not stat.S_ISREG(self._path.stat().st_mode):  # a pipe would be waited for without end
                raise OSError(errno.EINVAL, "it is no regular file", str(self._path))
            return self._path.read_bytes()
        except FileNotFoundError:
            return None

    async def save(self, content: bytes) -> None:
        """Replace the file as a whole.

        A cancelled call does not wait for the disk; it is completed later, and never replaces what a call made after
        it has written.

        Raises:
            OSError: the file cannot be written, or an earlier call still writes it after 10 s.
        """
        self._begun += 1
        await anyio.to_thread.run_sync(self._write_in_order, self._begun, content, abandon_on_cancel=True)

    def _write_in_order(self, number: int, content: bytes) -> None:
        if not self._writing.acquire(timeout=_TIMEOUT):
            reason = f"it is still being written after {_TIMEOUT:g} s: its disk does not respond"
            raise TimeoutError(errno.ETIMEDOUT, reason, str(self._path))
        try:
            if number > self._written:
                self._write(content)
                self._written = number
        finally:
            self._writing.release()

    def _write(self, content: bytes) -> None:
        with replaced_file(self._path, private=True, follow=False) as file:
            file.write(content)


class StatePersister:
    """Loads state when its limiter is entered, saves it now and then and at the end.

    A store that fails is logged and never stops requests.

    Args:
        store: where the state is kept.
        every: seconds between two saves, at least.
    """

    __slots__ = ("_entered", "_every", "_loaded", "_saved_at", "_store", "is_open")

    def __init__(self, store: LimiterStore, every: float) -> None:
        self._store = store
        self._every = every
        self._saved_at: float  # set where it is opened
        self._entered = False
        self._loaded = False
        self.is_open: bool = False

    async def open(self, restore: Callable[[bytes], None]) -> None:
        """Load the state; ``restore`` raises ValueError where it does not understand it.

        Only the first time: afterwards the limiter's own state is the newer one.

        Raises:
            RuntimeError: it is open already.
            ConfigurationError: another limiter uses the store.
        """
        if self._entered:
            raise RuntimeError(
                "this limiter is entered already: enter it once, around all clients that share it "
                "(`async with limiter: …`)"
            )
        self._entered = True
        try:
            await self._acquire()
            try:
                if not self._loaded:
                    await self._load(restore)
            except BaseException:
                await self._release()
                raise
        except BaseException:
            self._entered = False
            raise
        self._loaded = self.is_open = True
        self._saved_at = anyio.current_time()

    async def _acquire(self) -> None:
        if isinstance(self._store, ExclusiveStore):
            try:
                await self._store.acquire()
            except OSError as error:
                _logger.warning("the limiter's state could not be locked: %s", describe(error))

    async def _release(self) -> None:
        if isinstance(self._store, ExclusiveStore):
            with anyio.CancelScope(shield=True), suppress(OSError):  # removing a file
                await self._store.release()

    async def _load(self, restore: Callable[[bytes], None]) -> None:
        content = None
        try:
            with anyio.move_on_after(_TIMEOUT) as scope:
                content = await self._store.load()
            if scope.cancelled_caught:
                _logger.warning("the limiter's state was not loaded within %g s", _TIMEOUT)
        except OSError as error:
            _logger.warning("the limiter's state could not be loaded: %s", describe(error))
        if content is not None:
            try:
                restore(content)
            except ValueError as error:
                _logger.warning("the limiter's state could not be read, starting without it: %s", error)

    def is_due(self) -> bool:
        """Return whether it is time to save."""
        return self.is_open and anyio.current_time() - self._saved_at >= self._every

    async def save(self, dump: Callable[[], bytes]) -> None:
        """Save the state, unless none was loaded yet."""
        if not self._loaded:
            return
        self._saved_at = anyio.current_time()
        try:
            with anyio.move_on_after(_TIMEOUT) as scope:
                await self._store.save(dump())
            if scope.cancelled_caught:
                _logger.warning("the limiter's state was not saved within %g s", _TIMEOUT)
        except OSError as error:
            _logger.warning("the limiter's state could not be saved: %s", describe(error))

    async def close(self, dump: Callable[[], bytes]) -> None:
        """Save the state for the last time, even where the task is cancelled; :meth:`save` bounds it."""
        self._entered = self.is_open = False
        try:
            with anyio.CancelScope(shield=True):  # bounded by `save`
                await run_to_completion(partial(self.save, dump))
        finally:
            await self._release()
