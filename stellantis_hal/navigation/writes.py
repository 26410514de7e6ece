"""Write requests and their responses."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypedDict

import attrs

from stellantis_hal.errors import HalError, NotHalError
from stellantis_hal.hal.document import HalDocument, parse_root
from stellantis_hal.hal.headers import fits_field
from stellantis_hal.hal.json import encode
from stellantis_hal.hal.link import Link
from stellantis_hal.hal.redaction import mask_url
from stellantis_hal.hal.uri import append_query
from stellantis_hal.navigation.fetch import Request, Response
from stellantis_hal.navigation.link_selection import LinkQuery, Params, encode_params, select_link
from stellantis_hal.navigation.media_types import accept, links_of_header, read_document

__all__ = ["WriteOptions", "read_outcome", "write_request", "write_target"]


class WriteOptions(TypedDict, total=False):
    """Options of a write.

    Attributes:
        json: a value to send as JSON.
        content: bytes to send instead.
        content_type: the media type of the body; the default is JSON.
        if_match: True: only if the resource is unchanged since it was read (by its ETag), or an ETag to compare with.
        name: the link's secondary key.
        index: its index among the links that match.
        where: a predicate that the link has to satisfy.
        variables: values for its template.
        params: query parameters to append.
    """

    json: Any
    content: bytes
    content_type: str
    if_match: bool | str
    name: str | None
    index: int | None
    where: Callable[[Link], bool] | None
    variables: Params | None
    params: Params | None


def write_target(
    document: HalDocument, base: str, own_url: str | None, rel: str | None, options: WriteOptions
) -> tuple[str, Link | None]:
    """Return the URL to write to, with its link: that of a relation, or without a relation the resource's own.

    Raises:
        HalError: the link is missing, ambiguous or invalid.
    """
    if rel is None and own_url is not None:
        return append_query(own_url, encode_params(options.get("params") or {})), None
    query = LinkQuery(
        rel=rel or "",
        name=options.get("name"),
        index=options.get("index"),
        where=options.get("where"),
        variables=options.get("variables"),
        params=options.get("params"),
        embedded="never",
    )
    target = select_link(document, base, query)
    assert target.url is not None  # noqa: S101 - embedded copies were excluded
    return target.url, target.link


def write_request(method: str, url: str, options: WriteOptions, etag: str | None) -> Request:
    """Return the request of a write.

    Raises:
        HalError: ``if_match`` is True, and there is no ETag.
        ValueError: an option is not a valid value of its header field.
    """
    headers = {"Accept": accept()}
    content = options.get("content") if options.get("json") is None else encode(options.get("json"))
    if content is not None:
        headers["Content-Type"] = options.get("content_type", "application/json")
    condition = options.get("if_match", False)
    if condition is True:
        if etag is None or not fits_field(etag):
            raise HalError(
                f"if_match=True needs an ETag, and none is known of {mask_url(url)}: the response had no valid one, or "
                "came from another URL; pass the ETag itself, as in if_match='\"abc\"'",
                url=url,
            )
        condition = etag
    if condition:
        headers["If-Match"] = condition
    for name, value in headers.items():
        if not fits_field(value):
            raise ValueError(
                f"the value of {name} must be visible ASCII of at most 1,024 characters, not {value[:80]!r}"
            )
    return Request(url=url, method=method, headers=headers, content=content)


def read_outcome(response: Response) -> tuple[Response, HalDocument]:
    """Return the response of a write and its document; a body that is not a document is left out, not an error."""
    try:
        return response, read_document(response)
    except NotHalError:
        header_links = links_of_header(response.headers, response.url)
        empty = parse_root(None, is_empty=True, header_links=header_links, base=response.url)
        return attrs.evolve(response, content=b""), empty
