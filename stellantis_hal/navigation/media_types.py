"""Media types: the Accept field, Content-Type, and which bodies are documents."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

from stellantis_hal.errors import NotHalError
from stellantis_hal.hal.document import HalDocument
from stellantis_hal.hal.headers import fits_field
from stellantis_hal.hal.json import decode
from stellantis_hal.hal.redaction import excerpt, mask_url
from stellantis_hal.navigation.fetch import Response

__all__ = ["ACCEPT", "accept", "media_type", "read_document"]

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
    """Return the body of a response as a document.

    Any JSON media type is accepted; without one, or with another, an object with ``_links`` or ``_embedded`` is.

    Raises:
        NotHalError: the body is empty, is not a JSON object, or has another media type and no links.
    """
    content_type = response.headers.get("content-type", "")
    essence, _ = media_type(content_type)
    is_json = essence.endswith(("/json", "+json"))
    if not response.content.strip():
        raise _not_hal(response, content_type, "an empty body")
    if not is_json and not response.content.lstrip()[:1] == b"{":
        raise _not_hal(response, content_type, "a body that is not JSON")
    try:
        body = decode(response.content)
    except ValueError as error:
        raise _not_hal(
            response, content_type, f"invalid JSON ({error})" if is_json else "a body that is not JSON"
        ) from error
    if not isinstance(body, dict):
        raise _not_hal(response, content_type, f"JSON that is not an object ({type(body).__name__})")
    if not is_json and essence and not ("_links" in body or "_embedded" in body):
        raise _not_hal(response, content_type, "an object without links")
    return HalDocument(body)


def _not_hal(response: Response, content_type: str, found: str) -> NotHalError:
    beginning = excerpt(response.content, _MAX_EXCERPT)
    return NotHalError(
        f"{mask_url(response.url)} responded {response.status} with {found} instead of a HAL document; "
        f"its content type is {excerpt(content_type, _MAX_EXCERPT) or 'missing'!r}, it begins {beginning!r}",
        url=response.url,
        content_type=content_type,
        excerpt=beginning,
    )
