"""Libraries hidden from imports, so that a process is one without an extra."""

from __future__ import annotations

import sys

__all__ = ["SPEED", "hide"]

SPEED = ("aiohttp", "orjson", "msgspec")
"""What the extra ``speed`` installs."""


def hide(*names: str) -> None:
    """Let each import of some libraries fail from now on, as if they were not installed.

    Raises:
        RuntimeError: one is loaded already.
    """
    loaded = [name for name in names if sys.modules.get(name) is not None]
    if loaded:
        raise RuntimeError(f"{', '.join(loaded)} cannot be hidden: already imported in this process")
    for name in names:
        sys.modules[name] = None  # type: ignore[assignment]  # None stops an import, which the type does not know
