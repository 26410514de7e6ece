"""Check that a token file is used by one user only."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Final

from stellantis_hal.errors import TokenStoreError

__all__ = ["check_private"]

_HAS_OWNERS: Final = os.name == "posix"
"""Whether files have an owner and a mode, as on POSIX systems."""


def check_private(path: Path, status: os.stat_result) -> None:
    """Check that no other user may use a file, where files have owners.

    Raises:
        TokenStoreError: another user owns it, or others may use it.
    """
    if not _HAS_OWNERS:
        return
    if status.st_uid != os.geteuid():
        raise TokenStoreError(
            f"{path} belongs to another user (uid {status.st_uid}): chown it, or pass allow_others=True"
        )
    if status.st_mode & 0o077:
        raise TokenStoreError(
            f"{path} may be used by other users (mode {stat.S_IMODE(status.st_mode):04o}): chmod 600 it, and "
            "regard its tokens as known to them"
        )
