"""What may stand in a header field.

Knows RFC 9110 section 5.5. Must not know which fields there are.
"""

from __future__ import annotations

from typing import Any

from stellantis_hal.errors import ConfigurationError

__all__ = ["field_value"]


def field_value(value: Any, *, what: str, key: str | None = None) -> str:
    """Give ``value`` back if it can be sent in a header and read by nobody as more than one field.

    Args:
        what: its name, for the message: the value itself may be a secret and is never shown.
        key: the account it belongs to.

    Raises:
        ConfigurationError: it is empty, or holds blanks, line breaks, control characters or anything beyond ASCII.
    """
    if not isinstance(value, str) or not value or any(not "!" <= sign <= "~" for sign in value):
        raise ConfigurationError(
            f"{what} must be visible ASCII without blanks or line breaks, and not empty: copy it again", key=key
        )
    return value
