"""Locks between processes: lock files that the system locks, without waiting.

POSIX systems lock by ``flock``, Windows by the library filelock. The system releases the lock of a process that died.
The empty lock file that it leaves is reused.
"""

from __future__ import annotations

import errno
import os
from pathlib import Path

__all__ = ["FileLock", "release", "try_acquire"]

_WITHOUT_LOCKS = {errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP}
_ATTEMPTS = 3


class FileLock:
    """A lock of one holder, for use in threads; where the system has no such locks, it is always free.

    Args:
        path: the lock file, which is there only while the lock is held; a shared one may stay.
        shared: whether holders that are shared too may have it at the same time.
    """

    def __init__(self, path: Path, *, shared: bool = False) -> None:
        self._path = path
        self._shared = shared
        self._descriptor: int | None = None

    def acquire(self) -> bool:
        """Take the lock without waiting; return False where it is held elsewhere, in this process too.

        Raises:
            OSError: the file cannot be made.
        """
        for _ in range(_ATTEMPTS):  # the holder may remove the file just after it was opened here
            try:
                self._descriptor = try_acquire(self._path, shared=True) if self._shared else try_acquire(self._path)
            except ModuleNotFoundError:
                return True
            except OSError as error:
                if error.errno in _WITHOUT_LOCKS:
                    return True
                raise
            if self._descriptor is not None:
                return True
        return False

    def release(self) -> None:
        """Release the lock, if it is held."""
        if self._descriptor is not None:
            descriptor, self._descriptor = self._descriptor, None
            if self._shared:
                os.close(descriptor)  # others may hold it: its file stays
            else:
                release(self._path, descriptor)


def try_acquire(path: Path, *, shared: bool = False) -> int | None:
    """Take the lock that ``path`` stands for; None while it is held elsewhere.

    Two tasks of one process exclude each other too, unless both are ``shared``.

    Returns:
        The descriptor for :func:`release`.

    Raises:
        OSError: the file cannot be created or locked.
    """
    flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0)
    descriptor = os.open(path, flags, 0o600)
    try:
        # The last holder may have removed the file after it was opened here: then others lock a new file.
        if (
            _lock(descriptor, shared=shared)
            and os.stat(path, follow_symlinks=False).st_ino == os.fstat(descriptor).st_ino
        ):
            return descriptor
    except FileNotFoundError:
        pass
    except OSError:
        os.close(descriptor)
        raise
    os.close(descriptor)
    return None


def _lock(descriptor: int, *, shared: bool) -> bool:
    """Lock an open file; return False where another holds it.

    Raises:
        OSError: the system, or its file system, has no such locks.
    """
    try:
        import fcntl
    except ModuleNotFoundError:  # Windows
        if shared:
            raise OSError(errno.ENOTSUP, "there are no shared locks on this system") from None
        from filelock import lock_descriptor

        return lock_descriptor(descriptor, blocking=False)
    try:
        fcntl.flock(descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def release(path: Path, descriptor: int) -> None:
    """Release the lock and remove its file, which only its holder may do; Windows removes no open file: it stays."""
    try:
        path.unlink(missing_ok=True)
    except PermissionError:
        if os.name == "posix":
            raise
    finally:
        os.close(descriptor)
