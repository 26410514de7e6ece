"""Locks between processes: lock files with POSIX advisory locks, without waiting.

The kernel releases the lock of a process that died. The empty lock file that it leaves is reused.
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
    import fcntl  # POSIX only; the package can be imported on other systems

    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
        # The last holder may have removed the file after it was opened here: then others lock a new file.
        if os.stat(path, follow_symlinks=False).st_ino == os.fstat(descriptor).st_ino:
            return descriptor
    except (BlockingIOError, FileNotFoundError):
        pass
    except OSError:
        os.close(descriptor)
        raise
    os.close(descriptor)
    return None


def release(path: Path, descriptor: int) -> None:
    """Release the lock and remove its file, which only its holder may do."""
    try:
        path.unlink(missing_ok=True)
    finally:
        os.close(descriptor)
