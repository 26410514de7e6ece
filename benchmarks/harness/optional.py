"""References that are compared with: optional, and imported only where they are measured."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from typing import Any

__all__ = ["import_optional", "is_installed", "leave_out"]

_told: set[str] = set()


def is_installed(*names: str) -> bool:
    """Return whether references are installed; rows of missing ones are left out, which standard error says."""
    missing = [name for name in names if importlib.util.find_spec(name) is None]
    if missing:
        leave_out(f"{', '.join(missing)} is not installed: pip install -e '.[bench]'")
    return not missing


def leave_out(reason: str) -> None:
    """Print once why rows are left out."""
    if reason not in _told:
        _told.add(reason)
        print(f"rows are left out: {reason}", file=sys.stderr)


def import_optional(name: str) -> Any:
    """Return an imported reference."""
    return importlib.import_module(name)
