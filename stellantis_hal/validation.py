"""What a caller passes, where it is of the wrong kind: told at once, with what to pass instead.

Knows names and types. Must not know what a value is for, and quotes none: it may be a secret in the wrong place.
"""

from __future__ import annotations

__all__ = ["require_type"]


def require_type(name: str, value: object, *kinds: type | None, instead: str = "") -> None:
    """Refuse a value of another kind than those named.

    Args:
        name: what it was passed as.
        value: what was passed.
        kinds: what it may be; None for None.
        instead: what to pass, where the kinds alone do not say it.

    Raises:
        TypeError: it is of none of these kinds.

    >>> require_type("brand", "peugeot", str)
    >>> require_type("retry", 3, dict, None, instead="dict(attempts=3)")
    Traceback (most recent call last):
    TypeError: retry has to be dict or None, not int: dict(attempts=3)
    """
    if any(value is None if kind is None else isinstance(value, kind) for kind in kinds):
        return
    names = " or ".join("None" if kind is None else kind.__name__ for kind in kinds)
    raise TypeError(f"{name} has to be {names}, not {type(value).__name__}{instead and f': {instead}'}")
