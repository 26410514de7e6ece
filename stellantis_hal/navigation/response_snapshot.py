"""Snapshots: what a response contained."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import attrs

from stellantis_hal.hal.document import HalDocument
from stellantis_hal.hal.fast_frozen_init import mutable_twin
from stellantis_hal.hal.header_mapping import Headers
from stellantis_hal.hal.redaction import redacted_repr
from stellantis_hal.navigation.cache.freshness import freshness_lifetime
from stellantis_hal.navigation.cache.validators import conditions_of
from stellantis_hal.navigation.fetch_protocol import Response
from stellantis_hal.navigation.lazy_body import LazyResponseBody
from stellantis_hal.navigation.request_headers import repeated_headers

__all__ = ["ResponseSnapshot", "WriteOutcome"]


@attrs.frozen
class WriteOutcome:
    """What the response of a write is about.

    Attributes:
        identity: the URL of the resource; None where it is unknown.
        has_validators: whether ETag and Last-Modified of the response are those of the resource.
        condition: the header field that made the write conditional, as ``If-Match: "abc"``; None for none.
        posted_to: targets of POSTs in the chain of writes that led here, each sent to the response of the one before:
            no further write is sent to them unless they are read again.
    """

    __repr__ = redacted_repr

    identity: str | None = None
    has_validators: bool = False
    condition: str | None = None
    posted_to: tuple[str, ...] = ()


@attrs.frozen(kw_only=True, eq=False)
class ResponseSnapshot:
    """One response, shared by the resource of the whole body and those embedded in it.

    Attributes:
        url: the URL of the response, after redirects; references in the body are relative to it.
        status: the HTTP status.
        headers: the header fields.
        fetched_at: the time of receipt by the wall clock, aware, UTC.
        content: the body.
        initial_age: seconds that it had spent in caches when it was received.
        from_cache: whether the body came from the client's own cache.
        outcome: of the write that it answers; None for a read.
        asked: the header fields that the caller added to the read, sent again when it is read again.
    """

    __repr__ = redacted_repr

    url: str
    status: int
    headers: Headers
    fetched_at: datetime
    content: LazyResponseBody
    initial_age: float = 0.0
    from_cache: bool = False
    outcome: WriteOutcome | None = None
    asked: Mapping[str, str] = attrs.field(factory=dict, repr=False)

    @classmethod
    def of(
        cls,
        response: Response,
        document: HalDocument,
        *,
        outcome: WriteOutcome | None = None,
        asked: Mapping[str, str] | None = None,
    ) -> ResponseSnapshot:
        """Return the snapshot of a response and the document decoded from it."""
        made: Any = object.__new__(_SnapshotInTheMaking)  # its own __init__ takes several times as long
        url = made.url = response.url
        made.status = response.status
        made.headers = response.headers
        made.fetched_at = response.received_at
        made.content = LazyResponseBody(b"" if document.kind == "empty" else response.content, document, base=url)
        made.initial_age = response.initial_age
        made.from_cache = response.from_cache
        made.outcome = outcome
        made.asked = repeated_headers(asked)
        made.__class__ = ResponseSnapshot
        snapshot: ResponseSnapshot = made
        return snapshot

    @property
    def identity(self) -> str | None:
        """The URL of the resource that it shows; None for the response of a write that does not say."""
        return self.url if self.outcome is None else self.outcome.identity

    @property
    def own_headers(self) -> Headers | None:
        """The header fields, where their validators are those of the resource that it shows; else None."""
        return self.headers if self.outcome is None or self.outcome.has_validators else None

    @property
    def max_age(self) -> float | None:
        """Seconds that the response stays fresh (RFC 9111 section 4.2.1); None where the server does not say."""
        return freshness_lifetime(self.headers, self.fetched_at)

    @property
    def validators(self) -> Mapping[str, str]:
        """The header fields of a conditional request (RFC 9110 section 13.1); empty where it has no validators.

        A validator that is no valid field value is left out: it came from a server, or from a dump.
        """
        if self.outcome is not None:  # its body may be a report of the write
            return {}
        return conditions_of(self.headers)


_SnapshotInTheMaking = mutable_twin(ResponseSnapshot)
