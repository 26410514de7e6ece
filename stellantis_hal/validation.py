"""Checks of arguments."""

from __future__ import annotations

import inspect
import math
import time
from datetime import UTC, datetime

__all__ = [
    "is_background",
    "require_clock",
    "require_flags",
    "require_function",
    "require_request_options",
    "require_seconds",
    "require_type",
    "require_utc",
]


def require_type(name: str, value: object, *kinds: type | None, instead: str = "") -> None:
    """Check the type of an argument; the message does not show its value, which may be a misplaced secret.

    True and False are no numbers here, unless bool is among the types.

    Args:
        name: the name of the argument.
        value: the argument.
        kinds: the types that are allowed; None for None.
        instead: an example of the right value, where the types alone do not explain it.

    Raises:
        TypeError: the value has none of these types.

    >>> require_type("brand", "peugeot", str)
    >>> require_type("retry", 3, dict, None, instead="dict(attempts=3)")
    Traceback (most recent call last):
    TypeError: retry must be dict or None, not int: dict(attempts=3)
    """
    for kind in kinds:
        if value is None if kind is None else isinstance(value, kind):
            if isinstance(value, bool) and kind is int:
                continue
            return
    names = " or ".join("None" if kind is None else kind.__name__ for kind in kinds)
    raise TypeError(f"{name} must be {names}, not {type(value).__name__}{instead and f': {instead}'}")


def require_flags(**flags: object) -> None:
    """Check options that are on or off; a text such as "no" would switch them on.

    Args:
        flags: the options by their names.

    Raises:
        TypeError: one is no bool.

    >>> require_flags(strict=True)
    >>> require_flags(strict="no")
    Traceback (most recent call last):
    TypeError: strict must be bool, not str
    """
    for name, value in flags.items():
        require_type(name, value, bool)


def require_clock(clock: object) -> None:
    """Check a clock, without calling it: one that follows an event loop has no time outside of it.

    Raises:
        TypeError: it is no function, or one of the standard library whose instants are naive or numbers.

    >>> from datetime import datetime
    >>> require_clock(datetime.now)
    Traceback (most recent call last):
    TypeError: clock must be a function that returns an aware datetime, as lambda: datetime.now(UTC)
    """
    naive = {"datetime.now", "datetime.utcnow"}
    if not callable(clock) or clock is time.time or getattr(clock, "__qualname__", "") in naive:
        raise TypeError("clock must be a function that returns an aware datetime, as lambda: datetime.now(UTC)")


def require_utc(name: str, instant: datetime) -> datetime:
    """Return an aware instant in UTC.

    Raises:
        ValueError: it is outside the years 1 to 9999 there.

    >>> from zoneinfo import ZoneInfo
    >>> require_utc("since", datetime(9999, 12, 31, 23, tzinfo=ZoneInfo("America/New_York")))
    Traceback (most recent call last):
    ValueError: since must be within the years 1 to 9999 in UTC, not 9999-12-31T23:00:00-05:00
    """
    try:
        return instant.astimezone(UTC)
    except OverflowError:
        raise ValueError(f"{name} must be within the years 1 to 9999 in UTC, not {instant.isoformat()}") from None


def require_seconds(name: str, value: object) -> None:
    """Check a number of seconds, which may be infinite.

    Args:
        name: the name of the argument.
        value: the argument.

    Raises:
        TypeError: it is no number.
        ValueError: it is less than 0, or NaN.

    >>> require_seconds("lock_timeout", -1)
    Traceback (most recent call last):
    ValueError: lock_timeout must be a number of seconds, at least 0, not -1
    """
    require_type(name, value, int, float)
    assert isinstance(value, int | float)  # noqa: S101 - checked above, for the type checkers
    if not value >= 0:
        raise ValueError(f"{name} must be a number of seconds, at least 0, not {value!r}")


def require_function(name: str, function: object, *, because: str = "it is called, and not awaited") -> None:
    """Check a function that is called, and not awaited; None is allowed.

    Args:
        name: the name of the argument.
        function: the argument.
        because: why it cannot be async, for the message.

    Raises:
        TypeError: it is no function, or an async one, which would never run.

    >>> require_function("progress", print)
    >>> require_function("progress", 3)
    Traceback (most recent call last):
    TypeError: progress must be a function, not int
    """
    if function is None:
        return
    if not callable(function):
        raise TypeError(f"{name} must be a function, not {type(function).__name__}")
    if inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(type(function).__call__):
        raise TypeError(f"{name} must be a plain function: {because}")


def require_request_options(priority: object, max_wait: object) -> None:
    """Check the priority of requests and the bound on their wait; either may be None.

    Raises:
        ValueError: the priority is unknown, or the wait is not a number of seconds.
    """
    if priority not in (None, "interactive", "background"):
        raise ValueError(f'priority must be "interactive" or "background", not {priority!r}')
    if max_wait is not None and not (
        isinstance(max_wait, int | float) and not isinstance(max_wait, bool) and max_wait >= 0
    ):
        raise ValueError(f"max_wait must be a number of seconds, at least 0, not {max_wait!r}")


def is_background(priority: object, max_wait: float) -> bool:
    """Return whether a slot is for what can wait.

    Raises:
        ValueError: the priority is unknown, or the wait is NaN, which would bound nothing.
    """
    background = priority == "background"
    if not (background or priority == "interactive") or math.isnan(max_wait):
        raise ValueError(
            'a slot takes priority="interactive" or "background", and max_wait in seconds, not '
            f"{priority!r} and {max_wait!r}"
        )
    return background
