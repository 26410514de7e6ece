"""Parts of a body that were not asked for: nothing in their bytes shows that some are missing."""

from __future__ import annotations

import re

from stellantis_hal.errors import NetworkError
from stellantis_hal.hal.header_mapping import Headers
from stellantis_hal.hal.redaction import excerpt, mask_url

__all__ = ["PARTIAL", "require_whole"]

PARTIAL = 206
_WHOLE = re.compile(r"bytes\s+0-([0-9]{1,18})/([0-9]{1,18})", re.ASCII | re.IGNORECASE)


def require_whole(url: str, headers: Headers, *, is_document: bool) -> None:
    """Check a response with the status 206 to a request without ``Range``.

    Args:
        url: its URL.
        headers: its header fields.
        is_document: whether it is read as JSON, which a missing part would spoil; servers send whole documents that
            have some of the items of a collection with this status, and with a range of items or without a range.

    Raises:
        NetworkError: bytes are missing.
    """
    stated = headers.get("content-range", "").strip()
    if is_document and stated[:5].lower() != "bytes":
        return
    found = _WHOLE.fullmatch(stated)
    if found is not None and int(found[1]) + 1 == int(found[2]):
        return
    part = f" ({excerpt(stated, 80)})" if stated else ""
    raise NetworkError(
        f"{mask_url(url)}: the server responded with a part of the body{part}, although the whole was asked for",
        url=url,
        sent=True,
        is_transient=False,
    )
