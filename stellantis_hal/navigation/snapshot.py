"""A snapshot's facts: what came, where from, when; and how it is kept without its client.

Knows values only. Must not follow anything.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, TypedDict

import attrs

from stellantis_hal.hal.curies import Curies
from stellantis_hal.hal.document import HalDocument
from stellantis_hal.hal.headers import Headers, fits_field
from stellantis_hal.navigation.content import LazyBody
from stellantis_hal.navigation.fetch import Response

__all__ = ["Dump", "Snapshot", "dump", "load"]

_KEPT = ("content-type", "etag", "last-modified", "cache-control", "location", "content-location", "link")
_MAX_AGE = re.compile(r'\bmax-age\s*=\s*"?(\d{1,9})\b', re.IGNORECASE)
_UNCACHEABLE = re.compile(r"\bno-(?:cache|store)\b", re.IGNORECASE)


@attrs.frozen(kw_only=True, eq=False)
class Snapshot:
    """One answer, shared by the resource that it is and by those embedded in it.

    Attributes:
        url: where it was retrieved, after redirects: the base of every reference in it.
        status: the HTTP status.
        headers: its header fields.
        fetched_at: by the wall clock, aware, UTC.
        content: its body.
    """

    url: str
    status: int
    headers: Headers
    fetched_at: datetime
    content: LazyBody

    @classmethod
    def of(cls, response: Response, document: HalDocument) -> Snapshot:
        """Keep what an answer said."""
        return cls(
            url=response.url,
            status=response.status,
            headers=response.headers,
            fetched_at=response.received_at,
            content=LazyBody(response.content, document),
        )

    @property
    def max_age(self) -> float | None:
        """Seconds that the server vouches for it (RFC 9111 section 5.2.2); None where it does not say."""
        control = self.headers.get("cache-control", "")
        if _UNCACHEABLE.search(control):
            return 0.0
        found = _MAX_AGE.search(control)
        return float(found[1]) if found else None

    @property
    def validators(self) -> Mapping[str, str]:
        """The header fields of a conditional request (RFC 9110 section 13.1); empty where it has no validators.

        One that could not be sent back as it came is none: it came from a server, or out of a dump.
        """
        pairs = (("If-None-Match", "etag"), ("If-Modified-Since", "last-modified"))
        return {condition: value for condition, field in pairs if fits_field(value := self.headers.get(field, ""))}


class Dump(TypedDict):
    """A resource as plain JSON, without its client and without credentials."""

    url: str
    status: int
    headers: dict[str, str]
    fetched_at: str
    body: Mapping[str, Any]
    embedded: bool
    curies: dict[str, str]


def dump(snapshot: Snapshot, document: HalDocument, *, embedded: bool) -> Dump:
    """Write what is needed to go on from here later, or elsewhere.

    An embedded copy is written alone, without the document that held it, but with the CURIEs inherited from there.
    """
    return Dump(
        url=snapshot.url,
        status=snapshot.status,
        headers={name: snapshot.headers[name] for name in _KEPT if name in snapshot.headers},
        fetched_at=snapshot.fetched_at.isoformat(),
        body=document.body,
        embedded=embedded,
        curies=dict(document.inherited.templates),
    )


def load(kept: Mapping[str, Any]) -> tuple[Snapshot, HalDocument]:
    """Read what :func:`dump` wrote.

    Raises:
        ValueError: it is no dump.
    """
    try:
        body, headers = kept["body"], kept["headers"]
        document = HalDocument(dict(body), curies=Curies(_texts(kept.get("curies", {}))))
        snapshot = Snapshot(
            url=str(kept["url"]),
            status=int(kept["status"]),
            headers=Headers(_texts(headers)),
            fetched_at=datetime.fromisoformat(kept["fetched_at"]).astimezone(UTC),
            content=LazyBody.of(document),
        )
    except (AttributeError, KeyError, OverflowError, TypeError) as error:
        raise ValueError(f"no dump of a resource: {error!r}") from error
    return snapshot, document


def _texts(kept: Any) -> dict[str, str]:
    found: dict[Any, Any] = dict(kept)
    if not all(isinstance(text, str) for pair in found.items() for text in pair):
        raise TypeError("texts by name were expected")
    return found
