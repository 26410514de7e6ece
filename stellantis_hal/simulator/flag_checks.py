"""Checks of options that are on or off."""

from __future__ import annotations

__all__ = ["require_flags"]


def require_flags(**flags: object) -> None:
    """Check options by their names; a text such as "no" would switch them on. Raises TypeError."""
    for name, value in flags.items():
        if not isinstance(value, bool):
            raise TypeError(f"{name} must be bool, not {type(value).__name__}")
