"""Dumps: a snapshot as plain JSON, and back."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, NotRequired, TypedDict

from stellantis_hal.hal.curies import Curies
from stellantis_hal.hal.deep_pickle import picklable, unwrap
from stellantis_hal.hal.document import HalDocument, Kind, parse_root
from stellantis_hal.hal.header_mapping import Headers
from stellantis_hal.hal.redaction import mask_text
from stellantis_hal.navigation.lazy_body import LazyResponseBody
from stellantis_hal.navigation.media_types import links_of_header
from stellantis_hal.navigation.response_snapshot import ResponseSnapshot, WriteOutcome

__all__ = ["Dump", "dump", "load", "picklable_dump"]

_DUMPED_HEADERS = (
    "content-type",
    "etag",
    "last-modified",
    "cache-control",
    "location",
    "content-location",
    "link",
    "warning",
    "deprecation",
    "sunset",
)


class Dump(TypedDict):
    """A resource as plain JSON, without its client and without credentials.

    The body is any JSON value; its kind tells a response without one from null.
    """

    url: str
    status: int
    headers: dict[str, str]
    fetched_at: str
    body: Any
    kind: Kind
    embedded: bool
    curies: dict[str, str]
    outcome: NotRequired[tuple[str | None, bool, str | None, tuple[str, ...]]]


def dump(snapshot: ResponseSnapshot, document: HalDocument, *, embedded: bool) -> Dump:
    """Return a resource as plain JSON, from which :func:`load` restores it.

    An embedded copy is written alone, without the document that contains it, but with the CURIEs inherited from there.
    """
    dumped = Dump(
        url=snapshot.url,
        status=snapshot.status,
        headers={name: snapshot.headers[name] for name in _DUMPED_HEADERS if name in snapshot.headers},
        fetched_at=snapshot.fetched_at.isoformat(),
        body=document.value,
        kind=document.kind,
        embedded=embedded,
        curies=dict(document.inherited.templates),
    )
    if (outcome := snapshot.outcome) is not None:
        dumped["outcome"] = (outcome.identity, outcome.has_validators, outcome.condition, outcome.posted_to)
    return dumped


def picklable_dump(dumped: Dump) -> Dump:
    """Return a dump that can be pickled however deep its body is; where it is shallow, the dump is unchanged."""
    dumped["body"] = picklable(dumped["body"])
    return dumped


def load(dumped: Mapping[str, Any]) -> tuple[ResponseSnapshot, HalDocument]:
    """Read what :func:`dump` returned.

    Raises:
        ValueError: the mapping is not a dump.
    """
    try:
        body, headers, url = unwrap(dumped["body"]), Headers(_string_dict(dumped["headers"])), str(dumped["url"])
        kind = dumped.get("kind", "object")
        document = parse_root(
            dict(body) if isinstance(body, Mapping) else body,
            is_empty=kind == "empty" and body is None,
            curies=Curies(_string_dict(dumped.get("curies", {}))),
            header_links=() if dumped.get("embedded") else links_of_header(headers, url),
            base=url,
        )
        if document.kind != kind:
            raise TypeError(f"the body must be of the kind {kind}, as in the resource, not {document.kind}")
        snapshot = ResponseSnapshot(
            url=url,
            status=int(dumped["status"]),
            headers=headers,
            fetched_at=datetime.fromisoformat(dumped["fetched_at"]).astimezone(UTC),
            content=LazyResponseBody.of(document),
            outcome=_outcome(dumped.get("outcome")),
        )
    except (AttributeError, KeyError, OverflowError, TypeError, ValueError) as error:
        # The text of a ValueError quotes the value.
        reason = type(error).__name__ if isinstance(error, ValueError) else mask_text(repr(error))
        raise ValueError(f"not a dump of a resource: {reason}; pass the result of resource.dump()") from None
    return snapshot, document


def _outcome(value: Any) -> WriteOutcome | None:
    if value is None:
        return None
    identity, has_validators, condition, posted_to = value
    texts = (*(text for text in (identity, condition) if text is not None), *posted_to)
    if not isinstance(has_validators, bool) or not all(isinstance(text, str) for text in texts):
        raise TypeError("the outcome of a write is a text, a bool, a text and texts")
    return WriteOutcome(identity, has_validators, condition, tuple(posted_to))


def _string_dict(value: Any) -> dict[str, str]:
    result: dict[Any, Any] = dict(value)
    if not all(isinstance(text, str) for pair in result.items() for text in pair):
        raise TypeError("names and values must be strings")
    return result
