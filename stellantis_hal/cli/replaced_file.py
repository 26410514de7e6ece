"""A file that takes the place of another one when it is complete."""

from __future__ import annotations

import os
import stat
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

__all__ = ["replaced_file"]


@contextmanager
def replaced_file(path: Path) -> Generator[Path]:
    """Yield an empty file beside a path, which replaces the one there at the end of the block, unless that raises.

    It is of the mode of the one that is there, else only its owner can read it. What is no regular file, as
    ``/dev/stdout``, is yielded itself.

    Raises:
        OSError: the folder cannot be written to.
    """
    target = Path(os.path.realpath(path))
    is_there = target.exists()
    if is_there and not target.is_file():
        yield path
        return
    try:
        descriptor, name = tempfile.mkstemp(prefix=".trips-", dir=target.parent)  # of mode 0600
    except OSError as error:
        error.filename = os.fspath(path)  # not that of the file with a made-up name
        raise
    os.close(descriptor)
    new = Path(name)
    try:
        if is_there:
            new.chmod(stat.S_IMODE(target.stat().st_mode))
        yield new
        new.replace(target)
    except BaseException:
        new.unlink(missing_ok=True)
        raise
