"""Stored responses: one variant of a resource, its age and its freshness."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

import attrs

from stellantis_hal.hal.header_mapping import Headers
from stellantis_hal.hal.redaction import redacted_repr
from stellantis_hal.navigation.cache.cache_control import Directives, seconds_of
from stellantis_hal.navigation.cache.freshness import freshness_lifetime, initial_age, is_storable
from stellantis_hal.navigation.cache.validators import conditions_of, end_to_end, merge_headers
from stellantis_hal.navigation.cache.variants import Selection, admits, has_vary, matches, selecting_fields
from stellantis_hal.navigation.fetch_protocol import Response

__all__ = ["StoredResponse", "select"]


@attrs.frozen(kw_only=True)
class StoredResponse:
    """One variant of a resource, as it is stored.

    Attributes:
        url: the URL of the response.
        status: its status.
        headers: its header fields, without those of one connection.
        content: its body, decompressed.
        selection: the request's fields that its ``Vary`` names, and a digest of those that identify the caller.
        accept: the media types that the request asked for.
        received_at: when it was received, or found unchanged, by the wall clock; aware, UTC.
        initial_age: its age in seconds at that instant.
        lifetime: the seconds that it is fresh.
    """

    __repr__ = redacted_repr

    url: str
    status: int
    headers: Headers
    content: bytes = attrs.field(repr=False)
    selection: Selection = attrs.field(repr=False)
    accept: str
    received_at: datetime
    initial_age: float
    lifetime: float

    @classmethod
    def of(cls, response: Response, fields: Mapping[str, str], *, delay: float) -> StoredResponse | None:
        """Return what is to be stored of a response; None where it must not be stored, or would be of no use.

        Args:
            response: the response.
            fields: the header fields of the request, by lower-case name.
            delay: seconds from the sending of the request to the receipt.
        """
        headers = response.headers
        selection = selecting_fields(headers, fields)
        if selection is None or not is_storable(response.status, headers):
            return None
        lifetime = freshness_lifetime(headers, response.received_at) or 0.0
        if not lifetime and not conditions_of(headers):
            return None
        return cls(
            url=response.url,
            status=response.status,
            headers=end_to_end(headers),
            content=response.content,
            selection=selection,
            accept=fields.get("accept", ""),
            received_at=response.received_at,
            initial_age=initial_age(headers, response.received_at, delay),
            lifetime=lifetime,
        )

    def age(self, now: datetime) -> float:
        """Return the age in seconds."""
        return self.initial_age + max(0.0, (now - self.received_at).total_seconds())

    def may_serve(self, now: datetime, wishes: Directives) -> bool:
        """Return whether it may be served without asking: it is fresh, by the server and by the request's directives.

        One that was received in the future, by a clock that was set back since, is not fresh.
        """
        resident = (now - self.received_at).total_seconds()
        if resident < 0 or "no-cache" in wishes:
            return False
        age = self.initial_age + resident
        if not wishes:
            return age < self.lifetime
        most = seconds_of(wishes, "max-age")
        left = seconds_of(wishes, "min-fresh")
        return age + (left or 0) < self.lifetime and (most is None or age <= most)

    def response(self, now: datetime) -> Response:
        """Return the response as it is served from the cache."""
        return Response(
            url=self.url,
            status=self.status,
            headers=self.headers.replacing("age", str(int(self.age(now)))),
            content=self.content,
            received_at=self.received_at,
            initial_age=self.initial_age,
            from_cache=True,
        )

    def merged(self, response: Response) -> Response:
        """Return the response as a 304 has renewed it."""
        return attrs.evolve(
            response,
            url=self.url,
            status=self.status,
            headers=merge_headers(self.headers, response.headers),
            content=self.content,
            from_cache=True,
        )


def select(variants: tuple[StoredResponse, ...], fields: Mapping[str, str]) -> StoredResponse | None:
    """Return the variant that a request selects: the newest with a ``Vary`` that matches, else the newest without.

    A variant of a media type that the request does not accept is not selected, whether or not the server lists
    ``Accept`` in ``Vary``.

    Args:
        variants: the oldest first.
        fields: of the request, by lower-case name.
    """
    found: StoredResponse | None = None
    for variant in reversed(variants):
        if not matches(variant.selection, fields) or not _is_acceptable(variant, fields):
            continue
        if has_vary(variant.selection) or len(variants) == 1:
            return variant
        found = found or variant
    return found


def _is_acceptable(variant: StoredResponse, fields: Mapping[str, str]) -> bool:
    accept = fields.get("accept", "")
    return accept == variant.accept or admits(accept, variant.headers.content_type)
