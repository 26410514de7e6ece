"""What may stand in a header field.

Knows RFC 9110 section 5.5. Must not know which fields there are.
"""

from __future__ import annotations

from typing import Any

__all__ = ["is_sendable"]


def is_sendable(value: Any) -> bool:
    """Tell whether ``value`` is text that can be sent in a header and be read by nobody as more than one field.

    Visible ASCII, that is: no blanks, no line breaks, no control characters, and not empty.
    """
    return isinstance(value, str) and bool(value) and all("!" <= sign <= "~" for sign in value)
