"""Identity of responses to writes (RFC 9110 section 6.4.2): which resource a response is about."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple
from urllib.parse import unquote

from stellantis_hal.errors import TemplateError
from stellantis_hal.hal.document import HalDocument
from stellantis_hal.hal.header_mapping import Headers
from stellantis_hal.hal.uri import resolve, split, to_ascii
from stellantis_hal.hal.uri_templates import expand
from stellantis_hal.navigation.fetch_protocol import Response
from stellantis_hal.navigation.link_selection import self_url
from stellantis_hal.navigation.origins import origin_of

__all__ = ["WrittenResource", "header_url", "identify", "stated_self"]

_WRITES_OF_TARGET = frozenset({"PUT", "PATCH"})


class WrittenResource(NamedTuple):
    """Which resource a response is about.

    Attributes:
        url: its URL; None where it is unknown.
        has_validators: whether ETag and Last-Modified of the response are those of the resource.
    """

    url: str | None = None
    has_validators: bool = False


def identify(
    method: str, target: str, response: Response, own_url: str | None, posted_to: Sequence[str] = ()
) -> WrittenResource:
    """Return which resource the response of a write is about.

    That is what Content-Location (on the same origin) says, or the Location of a 201, or the ``self`` of the body; a
    PUT or PATCH with a 201 without Location, a 204 or a 205 is about its target. What the response of a POST says is
    not taken where it is the target, and that of no write where it is a collection which contains the target: a write
    to the response would change all of the collection.

    Args:
        method: in upper case.
        target: the URL that the request was sent to, after redirects.
        response: to the request, or after a 303 to the GET that followed.
        own_url: the ``self`` link of its body, resolved; None where it has none.
        posted_to: targets of the POSTs before, whose answers were written to.
    """
    if method == "HEAD":
        return WrittenResource(target, True)
    if method == "DELETE":
        return WrittenResource()
    for found in _candidates(method, target, response, own_url):
        url, is_location = found.url, found.is_location
        if not _is_around(url, target, method, is_location=is_location) and not any(
            _is_around(url, before, "POST", is_location=is_location) for before in posted_to
        ):
            is_shown = response.url != target or method in _WRITES_OF_TARGET
            is_described = found.is_content_location or response.status == 201
            return WrittenResource(url, is_described or (is_shown and url == response.url))
    return WrittenResource()


class _Candidate(NamedTuple):
    """A URL that a response names, and whether it is named in one of two header fields."""

    url: str
    is_content_location: bool = False
    is_location: bool = False


def _candidates(method: str, target: str, response: Response, own_url: str | None) -> Iterator[_Candidate]:
    """Yield the URLs that a response names, the best first."""
    base, headers, status = response.url, response.headers, response.status
    content_location = header_url(headers, "content-location", base)
    if content_location is not None and origin_of(content_location) == origin_of(base):
        yield _Candidate(content_location, is_content_location=True)
    location = header_url(headers, "location", base) if status == 201 else None
    if location is not None:
        yield _Candidate(location, is_location=True)
    elif status in {201, 204, 205} and method in _WRITES_OF_TARGET and base == target:
        yield _Candidate(target)
    if own_url is not None:
        yield _Candidate(own_url)


def stated_self(document: HalDocument, response: Response, target: str) -> str | None:
    """Return the URL of the ``self`` link of a response, resolved; None where it has none that can be followed.

    Some servers (Eve) write references relative to the root of their API. A ``self`` with which the path of the target
    ends is the target.
    """
    for link in document.links.get("self", ()):
        href = link.href or ""
        if href[:1] not in {"", "."} and split(target).path.endswith(f"/{href}"):
            return target
    return self_url(document, response.url)


def header_url(headers: Headers, name: str, base: str) -> str | None:
    """Return the URL in a header field, by its lower-case name, resolved; None where there is none, or no http URL.

    Some servers send a URI template there: it is expanded without variables first.
    """
    text = headers.by_lower_name.get(name, "").strip()
    if not text:
        return None
    try:
        text = expand(text, {}) if "{" in text else text
    except TemplateError:
        return None
    url = resolve(base, to_ascii(text)).partition("#")[0]
    return url if origin_of(url) is not None else None


def _is_around(url: str, target: str, method: str, *, is_location: bool) -> bool:
    """Return whether a URL is that of a collection around the target or, unless it was PUT or PATCHed, the target.

    A query makes no other resource of it, except in a Location: ``/api?id=7`` may be created by ``/api?type=order``.
    """
    around, inside = _segments(url), _segments(target)
    if inside[: len(around)] != around:
        return False
    query = split(url).query
    if len(around) < len(inside) or not (is_location and query and query != split(target).query):
        return len(around) < len(inside) or method not in _WRITES_OF_TARGET
    return False


def _segments(url: str) -> list[str]:
    return [unquote(segment) for segment in split(url).path.split("/") if segment]
