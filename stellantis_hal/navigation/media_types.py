"""Which bodies are asked for, and which are read as documents.

Knows media types and their q-values. Must not know what a document means.
"""

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
    ("application/hal+json", 1.0),
    ("application/json", 0.9),
    ("application/*+json", 0.8),
)
"""What is asked for where neither the link nor the caller says: media ranges, best first, with their q-values."""

_EXCERPT = 80
_LONGEST = 1_024
_LONGEST_HINT = 256


def accept(preferred: str | None = None) -> str:
    """Write the ``Accept`` field: what a link's ``type`` hints at first, then whatever can be read.

    A hint that cannot stand in a header field is no hint.
    """
    return _accept(preferred if preferred is not None and fits_field(preferred, _LONGEST_HINT) else None)


@lru_cache(maxsize=256)
def _accept(preferred: str | None) -> str:
    ranges = ACCEPT
    if preferred is not None:
        ranges = ((preferred, 1.0), *((name, q - 0.1) for name, q in ACCEPT if name != preferred))
    return ", ".join(name if q == 1 else f"{name};q={q:.1f}" for name, q in ranges)


def media_type(content_type: str) -> tuple[str, Mapping[str, str]]:
    """Split a ``Content-Type`` into its type, in lower case, and its parameters; blanks do not matter."""
    return _media_type(content_type[:_LONGEST])  # what a cache keeps ought to be short


@lru_cache(maxsize=256)
def _media_type(content_type: str) -> tuple[str, Mapping[str, str]]:
    essence, *rest = content_type.split(";")
    pairs = (part.partition("=") for part in rest)
    return essence.strip().lower(), {name.strip().lower(): value.strip().strip('"') for name, _, value in pairs}


def read_document(response: Response) -> HalDocument:
    """Read an answer's body as a document.

    Any kind of JSON will do, and so will a body without a type, or with a wrong one, that has links or embeds.

    Raises:
        NotHalError: the body is empty, or no JSON, or no object, or of another type.
    """
    named = response.headers.get("content-type", "")
    essence, _ = media_type(named)
    is_json = essence.endswith(("/json", "+json"))
    if not response.content.strip():
        raise _not_hal(response, named, "an empty body")
    if not is_json and not response.content.lstrip()[:1] == b"{":
        raise _not_hal(response, named, "no JSON")
    try:
        body = decode(response.content)
    except ValueError as error:
        raise _not_hal(response, named, f"no JSON that can be read ({error})" if is_json else "no JSON") from error
    if not isinstance(body, dict):
        raise _not_hal(response, named, f"JSON, but no object ({type(body).__name__})")
    if not is_json and essence and not ("_links" in body or "_embedded" in body):
        raise _not_hal(response, named, "an object without links")
    return HalDocument(body)


def _not_hal(response: Response, content_type: str, found: str) -> NotHalError:
    beginning = excerpt(response.content, _EXCERPT)
    return NotHalError(
        f"{mask_url(response.url)} answered {response.status} with {found} where a HAL document was expected; "
        f"its content type is {content_type[:_EXCERPT] or 'missing'!r}, it begins {beginning!r}",
        url=response.url,
        content_type=content_type,
        excerpt=beginning,
    )
