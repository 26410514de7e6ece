"""Media types: the Accept field, Content-Type, and which bodies are documents."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from functools import lru_cache
from typing import Final

from stellantis_hal.errors import NotHalError, TooManyValuesError
from stellantis_hal.hal.document import HalDocument, parse_root
from stellantis_hal.hal.encoded import parse_encoded
from stellantis_hal.hal.header_mapping import Headers, fits_field
from stellantis_hal.hal.json import MAX_VALUES, count_values, decode
from stellantis_hal.hal.link import Link
from stellantis_hal.hal.link_header import MAX_LENGTH, MAX_LINKS, parse_link_header
from stellantis_hal.hal.redaction import excerpt, mask_url
from stellantis_hal.navigation.fetch_protocol import Response

__all__ = ["ACCEPT", "accept", "links_of_header", "media_type", "read_document"]

_log = logging.getLogger("stellantis_hal")

ACCEPT: tuple[tuple[str, float], ...] = (
    ("application/prs.hal-forms+json", 1.0),
    ("application/hal+json", 1.0),
    ("application/json", 0.9),
    ("application/*+json", 0.8),
)
"""The default media ranges, the preferred one first, with their q-values."""

_MAX_EXCERPT = 80
_MAX_CONTENT_TYPE = 1_024
_MAX_HINT = 256
_WITHOUT_BODY: Final = frozenset((204, 205))
_PAGES: Final = frozenset(("text/html", "application/xhtml+xml"))
_WHAT: Final = {
    "text/": "this is text",
    "image/": "this is a picture",
    "audio/": "this is sound",
    "video/": "this is a film",
    "application/xml": "this is XML",
    "application/pdf": "this is a PDF document",
}


def accept(preferred: str | None = None) -> str:
    """Return the ``Accept`` field: a preferred type, such as a link's hint, then the default media ranges.

    A preferred type that is not a valid field value is ignored.
    """
    return _accept(preferred if preferred is not None and fits_field(preferred, _MAX_HINT) else None)


@lru_cache(maxsize=256)
def _accept(preferred: str | None) -> str:
    ranges = ACCEPT
    if preferred is not None:
        ranges = ((preferred, 1.0), *((name, q - 0.1) for name, q in ACCEPT if name != preferred))
    return ", ".join(name if q == 1 else f"{name};q={q:.1f}" for name, q in ranges)


def media_type(content_type: str) -> tuple[str, Mapping[str, str]]:
    """Split a ``Content-Type`` into its type, in lower case, and its parameters; spaces are ignored."""
    return _media_type(content_type[:_MAX_CONTENT_TYPE])  # bounds the memory of the cache


@lru_cache(maxsize=256)
def _media_type(content_type: str) -> tuple[str, Mapping[str, str]]:
    essence, *rest = content_type.split(";")
    pairs = (part.partition("=") for part in rest)
    return essence.strip().lower(), {name.strip().lower(): value.strip().strip('"') for name, _, value in pairs}


def read_document(response: Response) -> HalDocument:
    """Return the body of a response as a document, with the links of its Link header.

    Any JSON value of a JSON media type is accepted, also an array or a scalar; without a media type, an object or an
    array; with another, an object with ``_links`` or ``_embedded``. A response that has no body by its status (204,
    205) is a document without a value.

    Raises:
        NotHalError: the body is empty, is not JSON, or has another media type and no links.
        TooManyValuesError: the body has more than 200,000 values.
    """
    header_links = links_of_header(response.headers, response.url)
    content_type = response.headers.content_type
    essence, _ = media_type(content_type)
    is_json = essence.endswith(("/json", "+json"))
    content = response.content.strip()
    if not content:
        if response.status in _WITHOUT_BODY:
            return parse_root(None, is_empty=True, header_links=header_links, base=response.url)
        raise _not_hal(response, content_type, "an empty body")
    if not is_json and not content.startswith(b"{") and (essence or not content.startswith(b"[")):
        raise _not_hal(response, content_type, "a body that is not JSON")
    values = count_values(content)
    if values > MAX_VALUES:
        raise TooManyValuesError(
            f"{mask_url(response.url)} responded {response.status} with a body of about {values} values in "
            f"{len(content)} bytes: at most {MAX_VALUES} are decoded; ask for smaller pages, or for a part",
            url=response.url,
            values=values,
        )
    if is_json and not header_links and content.startswith(b"{"):
        document = parse_encoded(response.content)
        if document is not None:
            return document
    try:
        body = decode(response.content)
    except ValueError as error:
        raise _not_hal(
            response, content_type, f"invalid JSON ({error})" if is_json else "a body that is not JSON"
        ) from error
    if not is_json and essence and not ("_links" in body or "_embedded" in body):
        raise _not_hal(response, content_type, "an object without links")
    return parse_root(body, header_links=header_links, base=response.url)


def links_of_header(headers: Headers, url: str) -> tuple[Link, ...]:
    """Return the links of the Link header of a response from a URL; log a warning where there are too many."""
    field = headers.by_lower_name.get("link", "")
    if not field:
        return ()
    links = parse_link_header(field, url)
    if len(field) > MAX_LENGTH or len(links) >= MAX_LINKS:
        _log.warning(
            "links left out at %s: of its Link header, %d characters long, at most %d characters and %d links are read",
            mask_url(url),
            len(field),
            MAX_LENGTH,
            MAX_LINKS,
        )
    return links


def _not_hal(response: Response, content_type: str, found: str) -> NotHalError:
    beginning = excerpt(response.content, _MAX_EXCERPT)
    return NotHalError(
        f"{mask_url(response.url)} responded {response.status} with {found} instead of a HAL document; "
        f"its content type is {excerpt(content_type, _MAX_EXCERPT) or 'missing'!r}, it begins {beginning!r}"
        f"{_advice(response, content_type)}",
        url=response.url,
        content_type=content_type,
        excerpt=beginning,
    )


def _advice(response: Response, content_type: str) -> str:
    """Return what a body that is no JSON is, and how to read it; empty for JSON, and for an empty body."""
    essence, _ = media_type(content_type)
    if essence.endswith(("/json", "+json")) or not response.content.strip():
        return ""
    content = response.content.lstrip()[:_MAX_EXCERPT].lower()
    if essence in _PAGES or content.startswith((b"<!doctype html", b"<html")):
        what = "this is a web page, for people"
    else:
        what = next((what for prefix, what in _WHAT.items() if essence.startswith(prefix)), "this is not JSON")
    return f"; {what}: ask for JSON with accept=, or read it as it is with download()"
