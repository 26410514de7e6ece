"""What a subscription allows.

Knows two numbers. Must not count anything.
"""

from __future__ import annotations

from typing import Any

import attrs

__all__ = ["RateLimits"]


def _positive(limits: object, attribute: attrs.Attribute[Any], value: Any) -> None:
    if value is None:
        return
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError(f"{attribute.name} has to be an int or None, not {value!r}")
    if value < 1:
        raise ValueError(f"{attribute.name} has to be at least 1, not {value}")


@attrs.frozen
class RateLimits:
    """The two windows of a subscription; the vendor's sample allows 100 a second and 100,000 a day.

    Given explicitly they are ceilings: the server's headers may lower them, never raise them.

    Attributes:
        per_second: requests within any second; None for no such window.
        per_day: requests within any 24 hours; None for no such window.

    Raises:
        TypeError, ValueError: a limit is no int, or less than 1.
    """

    per_second: int | None = attrs.field(default=100, validator=_positive)
    per_day: int | None = attrs.field(default=100_000, validator=_positive)
