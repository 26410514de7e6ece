"""The token store in a file, shared by the processes of one user on one machine.

The file is replaced as a whole, so that at any time either the old or the new one is there, complete. Concurrent
changes are written together, and an unchanged file is not read again, so that thousands of accounts with tokens of an
hour can share one file.
"""

from __future__ import annotations

import copy
import hashlib
import logging
import os
import stat
import threading
import time
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import TypeVar

import anyio
import anyio.lowlevel
import anyio.to_thread

from stellantis_hal.credentials.stores.entries import require_entry, require_key
from stellantis_hal.credentials.stores.file_format import TokenLines
from stellantis_hal.credentials.stores.polled_lock import hold_polled_lock
from stellantis_hal.credentials.stores.private_files import check_private
from stellantis_hal.credentials.stores.protocol import LOCK_TIMEOUT
from stellantis_hal.credentials.token import Token
from stellantis_hal.errors import TokenStoreError
from stellantis_hal.storage.advice import with_advice
from stellantis_hal.storage.file_lock import release, try_acquire
from stellantis_hal.storage.replaced_file import remove_leftovers, replaced_file
from stellantis_hal.storage.threads import run_to_end
from stellantis_hal.validation import require_flags, require_seconds

__all__ = ["FileTokenStore"]

T = TypeVar("T")

_logger = logging.getLogger("stellantis_hal")

_RETRY_PAUSE = 0.01
"""Seconds between two attempts to take a lock that is held elsewhere."""
_WRITE_LOCK_TIMEOUT = 10.0
"""Seconds to wait for other processes that replace the file; each of them needs milliseconds."""
_READ_FLAGS = (
    os.O_RDONLY
    | getattr(os, "O_NOFOLLOW", 0)
    | getattr(os, "O_NONBLOCK", 0)
    | getattr(os, "O_CLOEXEC", 0)
    | getattr(os, "O_BINARY", 0)
)


class _Batch:
    """Changes that are written together, and the error of writing them."""

    __slots__ = ("changes", "error", "is_written")

    def __init__(self) -> None:
        self.changes: dict[str, Token | None] = {}
        self.is_written = False
        self.error: Exception | None = None


class FileTokenStore:
    """Keep tokens in a file that only its owner may read, shared by the processes of one user.

    Locks are lock files beside it, present only while they are held. They work between processes of one machine; on
    network file systems only as far as ``flock`` does. On Windows, where this is untried, lock files stay, and the
    folder decides who may read the file: keep it in the user's own.

    Args:
        path: the file; its folder must exist and be writable by this user.
        allow_others: accept a file that other users may read, or that belongs to another user; it is written with
            mode 0600 all the same.
        lock_timeout: seconds to wait for the lock of an account.
    """

    def __init__(
        self, path: str | os.PathLike[str], *, allow_others: bool = False, lock_timeout: float = LOCK_TIMEOUT
    ) -> None:
        require_flags(allow_others=allow_others)
        require_seconds("lock_timeout", lock_timeout)
        self._path = Path(path).absolute()  # the working directory may change later
        self._allow_others = allow_others
        self._lock_timeout = lock_timeout
        # Locks of threads, not of an event loop: the file is written in threads.
        self._guard = threading.Lock()
        self._writing = threading.Lock()
        self._batch = _Batch()
        self._cached: tuple[tuple[int, ...], TokenLines] | None = None
        self._is_checked = False

    def __reduce__(self) -> tuple[Callable[[], FileTokenStore], tuple[()]]:
        """Pickle the settings only."""
        allow_others, lock_timeout = self._allow_others, self._lock_timeout
        return partial(FileTokenStore, self._path, allow_others=allow_others, lock_timeout=lock_timeout), ()

    @property
    def identity(self) -> str:
        """What names this store in every process: its path."""
        return f"file:{self._path}"

    async def load(self, key: str) -> Token | None:
        """Return the token under ``key``; None where there is none, or no file yet.

        Raises:
            TokenStoreError: the file is damaged, a symbolic link, or may be read by other users.
        """
        require_key(key)
        return (await self._in_thread(self._read, key)).get(key)

    async def save(self, key: str, token: Token | None) -> None:
        """Store the token under ``key``, durably once this returns; None removes it.

        A cancelled call is completed first, or was not begun.

        Raises:
            TokenStoreError: the folder cannot be written, the disk is full, or the existing file is refused.
        """
        require_entry(key, token)
        await anyio.lowlevel.checkpoint_if_cancelled()
        with self._guard:  # not in a thread, which could start after that of a later call
            batch = self._batch
            batch.changes[key] = token
        # To its end, so that a cancelled save is over before the lock of its account is released.
        await run_to_end(partial(self._with_store_errors, partial(self._write, batch), key))

    async def keys(self) -> tuple[str, ...]:
        """Return the keys that have a token, sorted.

        Raises:
            TokenStoreError: the file is refused.
        """
        return tuple((await self._in_thread(self._read, None)).keys())

    @asynccontextmanager
    async def lock(self, key: str) -> AsyncGenerator[None, None]:
        """Exclude other tasks and processes from ``key``, inside ``async with``.

        It creates a file beside the token file, so that a folder that cannot be written is noticed here, before a
        token is renewed that could not be stored.

        Raises:
            TokenStoreError: the lock was not available in time, or the folder cannot be written.
        """
        path = self._sibling(hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()[:16] + ".lock")
        held: list[int] = []  # filled by the thread, because a cancelled call returns nothing

        def acquire() -> bool:
            descriptor = try_acquire(path)
            held.extend(() if descriptor is None else (descriptor,))
            return descriptor is not None

        def give_back() -> None:
            for descriptor in held:
                release(path, descriptor)

        async with hold_polled_lock(
            partial(run_to_end, partial(self._with_store_errors, acquire, key)),
            partial(run_to_end, partial(self._with_store_errors, give_back, key)),
            key=key,
            path=self._path,
            timeout=self._lock_timeout,
        ):
            yield

    def __repr__(self) -> str:
        return f"FileTokenStore({str(self._path)!r})"

    # ---------------------------------------------------------------------------------------------- in a thread

    async def _in_thread(self, call: Callable[[], T], key: str | None) -> T:
        return await anyio.to_thread.run_sync(partial(self._with_store_errors, call, key))

    def _with_store_errors(self, call: Callable[[], T], key: str | None) -> T:
        try:
            return call()
        except OSError as error:
            raise TokenStoreError(f"{self._path}: {with_advice(error.strerror or str(error))}", key=key) from error
        except TokenStoreError as error:
            error.key = key
            raise

    def _sibling(self, suffix: str) -> Path:
        return self._path.with_name(f".{self._path.name}.{suffix}")

    def _read(self) -> TokenLines:
        try:
            descriptor = os.open(self._path, _READ_FLAGS)
        except FileNotFoundError:
            self._check_folder()
            return TokenLines()
        except OSError:
            if self._path.is_symlink():
                raise TokenStoreError(f"{self._path} is a symbolic link: pass the path of its target") from None
            raise
        try:
            status = os.fstat(descriptor)
            self._check(status)
            self._check_folder()
            cached = self._cached
            if cached is not None and cached[0] == _version_of(status):
                return cached[1]
            with open(descriptor, "rb", closefd=False) as file:
                known = TokenLines() if cached is None else cached[1]
                tokens = known.read_again(file.read(), place=str(self._path))
        finally:
            os.close(descriptor)
        self._cached = (_version_of(status), tokens)
        return tokens

    def _check_folder(self) -> None:
        """Warn once where a renewed token could not be stored, which would be noticed hours later.

        Raises:
            TokenStoreError: there is no such folder.
        """
        if self._is_checked:
            return
        folder = self._path.parent
        if not folder.is_dir():
            raise TokenStoreError(f"{folder} is not a folder that exists: create it, or correct the path {self._path}")
        self._is_checked = True
        if not os.access(folder, os.W_OK | os.X_OK):
            _logger.warning(
                "%s cannot be written by this user: tokens in %s are read, but none of them can be renewed",
                folder,
                self._path,
            )

    def _check(self, status: os.stat_result) -> None:
        if not stat.S_ISREG(status.st_mode):
            raise TokenStoreError(f"{self._path} is not a file: pass the path of a file, such as tokens.json")
        if not self._allow_others:
            check_private(self._path, status)

    def _write(self, batch: _Batch) -> None:
        with self._writing:  # a save that waits here is in the present batch, or in the next one
            if not batch.is_written:
                with self._guard:
                    self._batch = _Batch()
                try:
                    self._change(batch.changes)
                except (OSError, TokenStoreError) as error:
                    batch.error = error
                batch.is_written = True
        if batch.error is not None:
            raise copy.copy(batch.error)

    def _change(self, changes: Mapping[str, Token | None]) -> None:
        lock = self._sibling("lock")
        timeout = min(_WRITE_LOCK_TIMEOUT, self._lock_timeout)
        deadline = time.monotonic() + timeout
        while (held := try_acquire(lock)) is None:
            if time.monotonic() >= deadline:
                raise TokenStoreError(f"other processes kept replacing {self._path} for {timeout:g} s")
            time.sleep(_RETRY_PAUSE)
        try:
            remove_leftovers(self._path)
            tokens = self._read().changed(changes)
            self._cached = (self._replace(tokens.content()), tokens)
        finally:
            release(lock, held)

    def _replace(self, content: bytes) -> tuple[int, ...]:
        with replaced_file(self._path, private=True, follow=False) as file:
            file.write(content)
            file.flush()
            return _version_of(os.fstat(file.fileno()))


def _version_of(status: os.stat_result) -> tuple[int, ...]:
    """Return what differs between two versions of the file: each is a file of its own."""
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns
