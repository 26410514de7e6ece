"""References that are compared with: optional, and imported only where they are measured."""

from __future__ import annotations

import importlib
import importlib.util
from typing import Any

__all__ = ["import_optional", "is_installed"]


def is_installed(*names: str) -> bool:
    """Return whether references are installed; rows of missing ones are left out."""
    return all(importlib.util.find_spec(name) is not None for name in names)


def import_optional(name: str) -> Any:
    """Return an imported reference."""
    return importlib.import_module(name)
