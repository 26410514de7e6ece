"""Answers that are yes, no or unknown."""

from __future__ import annotations

from collections.abc import Iterable

__all__ = ["any_true"]


def any_true(states: Iterable[bool | None]) -> bool | None:
    """Return whether any state is True; None where none is known.

    >>> any_true([False, None]), any_true([None]), any_true([False, True])
    (False, None, True)
    """
    known = {state for state in states if state is not None}
    return any(known) if known else None
