"""Tokens in a file, for every process of one user on one machine.

Knows files, their rights and lock files. Must not know the file's format or who renews a token, or how.

The file is replaced as a whole: a new one is written beside it, flushed to the disk and moved over it. At every instant
there is either the old one or the new one, complete. Changes that meet are written together, and a file that has not
changed is not read again: thousands of accounts whose tokens are renewed within the hour share one file.
"""

from __future__ import annotations

import copy
import hashlib
import os
import stat
import sys
import threading
import time
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from functools import partial
from pathlib import Path
from typing import TypeVar

import anyio
import anyio.to_thread

from stellantis_hal.credentials.stores.file_format import read_tokens, write_tokens
from stellantis_hal.credentials.stores.file_lock import release, try_acquire
from stellantis_hal.credentials.stores.memory import LOCK_TIMEOUT
from stellantis_hal.credentials.token import Token
from stellantis_hal.errors import TokenStoreError

__all__ = ["FileTokenStore"]

T = TypeVar("T")

_ASK_AGAIN = 0.05
"""Seconds between two looks at a lock that another has."""
_WRITE_WITHIN = 10.0
"""Seconds to wait at most for other processes that replace the file, which takes each of them milliseconds."""


class _Batch:
    """Changes that are written together, and what came of it."""

    __slots__ = ("changes", "error", "is_written")

    def __init__(self) -> None:
        self.changes: dict[str, Token | None] = {}
        self.is_written = False
        self.error: Exception | None = None


class FileTokenStore:
    """Keep tokens in a file that nobody else may read, shared by the processes of one user.

    Locks are lock files beside it, held only while they are needed. They work between processes of one machine; on
    network file systems only as far as ``flock`` does. POSIX systems only.

    Args:
        path: the file; its folder has to exist, and be writable by this user.
        allow_others: work with a file that others may read, or that belongs to another; what is written is 0600.
        lock_timeout: seconds to wait for an account's lock.

    Raises:
        TokenStoreError: this system has no POSIX locks.
    """

    def __init__(
        self, path: str | os.PathLike[str], *, allow_others: bool = False, lock_timeout: float = LOCK_TIMEOUT
    ) -> None:
        if sys.platform == "win32":
            raise TokenStoreError("FileTokenStore needs POSIX file locks and rights: use another TokenStore here")
        self._path = Path(path).absolute()  # whatever the process does to its working directory later
        self._allow_others = allow_others
        self._lock_timeout = lock_timeout
        # Locks of threads, for that is where they are held, whatever event loops the store serves.
        self._guard = threading.Lock()
        self._writing = threading.Lock()
        self._batch = _Batch()
        self._seen: tuple[tuple[int, ...], dict[str, Token]] | None = None

    def __reduce__(self) -> tuple[Callable[[], FileTokenStore], tuple[()]]:
        """Pickle without what is under way."""
        allow_others, lock_timeout = self._allow_others, self._lock_timeout
        return partial(FileTokenStore, self._path, allow_others=allow_others, lock_timeout=lock_timeout), ()

    async def load(self, key: str) -> Token | None:
        """Give the token under ``key``; None where there is none, or no file yet.

        Raises:
            TokenStoreError: the file is damaged, a symbolic link, or may be read by others.
        """
        return (await self._in_thread(self._read, key)).get(key)

    async def save(self, key: str, token: Token | None) -> None:
        """Replace the file by one that has the token under ``key``; None forgets it. On the disk once this returns.

        Raises:
            TokenStoreError: the folder cannot be written, the disk is full, or the file is not fit to be read.
        """
        await self._in_thread(partial(self._save, key, token), key)

    async def keys(self) -> tuple[str, ...]:
        """Give the keys that have a token, sorted.

        Raises:
            TokenStoreError: the file is not fit to be read.
        """
        return tuple(sorted(await self._in_thread(self._read, None)))

    @asynccontextmanager
    async def lock(self, key: str) -> AsyncGenerator[None, None]:
        """Exclude other tasks and processes from ``key`` meanwhile.

        It makes a file beside the token file, so a folder that cannot be written shows here, before anybody asks for a
        new token that could then not be kept.

        Raises:
            TokenStoreError: it was not to be had in time, or the folder cannot be written.
        """
        path = self._beside(hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()[:16] + ".lock")
        until = anyio.current_time() + self._lock_timeout
        # Not in a thread: it never waits, and a thread's result could be lost to a cancellation, and the lock with it.
        while (held := self._translated(partial(try_acquire, path), key)) is None:
            if anyio.current_time() >= until:
                raise TokenStoreError(
                    f"the lock of account {key!r} in {self._path} was not to be had within {self._lock_timeout:g} s: "
                    "another process has it",
                    key=key,
                )
            await anyio.sleep(_ASK_AGAIN)
        try:
            yield
        finally:
            self._translated(partial(release, path, held), key)

    def __repr__(self) -> str:
        return f"FileTokenStore({str(self._path)!r})"

    # ---------------------------------------------------------------------------------------------- in a thread

    async def _in_thread(self, act: Callable[[], T], key: str | None) -> T:
        return await anyio.to_thread.run_sync(partial(self._translated, act, key))

    def _translated(self, act: Callable[[], T], key: str | None) -> T:
        try:
            return act()
        except OSError as error:
            raise TokenStoreError(f"{self._path}: {error.strerror or error}", key=key) from error
        except TokenStoreError as error:
            error.key = key
            raise

    def _beside(self, suffix: str) -> Path:
        return self._path.with_name(f".{self._path.name}.{suffix}")

    def _read(self) -> dict[str, Token]:
        try:
            descriptor = os.open(self._path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        except FileNotFoundError:
            return {}
        except OSError:
            if self._path.is_symlink():
                raise TokenStoreError(f"{self._path} is a symbolic link: name the file that it points at") from None
            raise
        try:
            facts = os.fstat(descriptor)
            self._check(facts)
            seen = self._seen
            if seen is not None and seen[0] == _signature(facts):
                return seen[1]
            with open(descriptor, "rb", closefd=False) as file:
                tokens = read_tokens(file.read(), place=str(self._path))
        finally:
            os.close(descriptor)
        self._seen = (_signature(facts), tokens)
        return tokens

    def _check(self, facts: os.stat_result) -> None:
        if not stat.S_ISREG(facts.st_mode):
            raise TokenStoreError(f"{self._path} is not a file")
        if self._allow_others:
            return
        if facts.st_uid != os.geteuid():
            raise TokenStoreError(f"{self._path} belongs to another user (uid {facts.st_uid}): it was not read")
        if facts.st_mode & 0o077:
            raise TokenStoreError(
                f"{self._path} may be used by others (mode {stat.S_IMODE(facts.st_mode):04o}): chmod 600 it, and "
                "consider its tokens seen"
            )

    def _save(self, key: str, token: Token | None) -> None:
        with self._guard:
            batch = self._batch
            batch.changes[key] = token
        with self._writing:  # held for as long as one batch takes: whoever waits here is in that, or in the next
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
        lock = self._beside("lock")
        within = min(_WRITE_WITHIN, self._lock_timeout)
        until = time.monotonic() + within
        while (held := try_acquire(lock)) is None:
            if time.monotonic() >= until:
                raise TokenStoreError(f"other processes kept replacing {self._path} for {within:g} s")
            time.sleep(_ASK_AGAIN / 5)
        try:
            tokens = {**self._read(), **changes}
            kept = {key: token for key, token in tokens.items() if token is not None}
            self._seen = (self._replace(write_tokens(kept)), kept)
        finally:
            release(lock, held)

    def _replace(self, content: bytes) -> tuple[int, ...]:
        new = self._beside("new")
        new.unlink(missing_ok=True)  # what a crash left behind; the lock keeps everybody else away from it
        try:
            descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            with open(descriptor, "wb") as file:
                os.fchmod(descriptor, 0o600)  # whatever the umask and inherited access lists say
                file.write(content)
                file.flush()
                os.fsync(descriptor)
                signature = _signature(os.fstat(descriptor))
            new.replace(self._path)
        except OSError:
            with suppress(OSError):
                new.unlink()
            raise
        folder = os.open(self._path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(folder)  # or the move itself could be lost in a power cut
        finally:
            os.close(folder)
        return signature


def _signature(facts: os.stat_result) -> tuple[int, ...]:
    """Tell one state of a file from another: each is a file of its own."""
    return facts.st_dev, facts.st_ino, facts.st_size, facts.st_mtime_ns
