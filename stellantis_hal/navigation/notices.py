"""Warnings that point at the line of the program, not of this library."""

from __future__ import annotations

import inspect
import warnings

__all__ = ["IncompleteCollectionWarning", "warn_caller"]

_PACKAGE = f"{__name__.partition('.')[0]}."


class IncompleteCollectionWarning(UserWarning):
    """An iteration has ended, and the collection has, or may have, more items than it returned."""


def warn_caller(text: str, category: type[Warning]) -> None:
    """Issue a warning at the innermost line outside of this package."""
    level, frame = 1, inspect.currentframe()
    while frame is not None and f"{frame.f_globals.get('__name__')}.".startswith(_PACKAGE):
        level, frame = level + 1, frame.f_back
    warnings.warn(text, category, stacklevel=level)
