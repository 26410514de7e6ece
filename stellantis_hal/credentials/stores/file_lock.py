"""Locks between processes, by lock files.

Knows POSIX advisory locks. Must not know what they protect, and never waits: whoever wants to, asks again.

The kernel lets go of a dead process's lock, so a crash locks nobody out; what it leaves is an empty file, which the
next one to lock takes over.
"""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["release", "try_acquire"]


def try_acquire(path: Path) -> int | None:
    """Take the lock that ``path`` stands for; None while somebody else has it.

    Two tasks of one process exclude each other too.

    Returns:
        What :func:`release` wants to have.

    Raises:
        OSError: the file cannot be made or locked.
    """
    import fcntl  # noqa: PLC0415 - POSIX only, and the package has to be importable elsewhere

    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        # Its last holder may have removed the file between our opening and our locking it: then others lock a new one.
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
    """Give the lock back and remove its file, which only its holder may do."""
    try:
        path.unlink(missing_ok=True)
    finally:
        os.close(descriptor)
