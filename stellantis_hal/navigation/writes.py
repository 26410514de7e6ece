"""What a write sends, and what comes of it.

Knows requests and answers as values. Must not send anything.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypedDict

import attrs

from stellantis_hal.errors import HalError, NotHalError
from stellantis_hal.hal.document import HalDocument
from stellantis_hal.hal.headers import fits_field
from stellantis_hal.hal.json import encode
from stellantis_hal.hal.link import Link
from stellantis_hal.hal.redaction import mask_url
from stellantis_hal.hal.uri import append_query
from stellantis_hal.navigation.fetch import Request, Response
from stellantis_hal.navigation.link_selection import LinkQuery, Params, encode_params, select_link
from stellantis_hal.navigation.media_types import accept, read_document

__all__ = ["WriteOptions", "read_outcome", "write_request", "write_target"]


class WriteOptions(TypedDict, total=False):
    """The options of a write.

    Attributes:
        json: a value to send as JSON.
        content: bytes to send instead.
        content_type: what they are; JSON if nothing is said.
        if_match: True: only if the resource is still as it was read (its ETag); or an ETag of one's own.
        name: the link's secondary key.
        index: its place among those of its relation.
        where: a test for it.
        variables: values for its template.
        params: appended to the query.
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
    document: HalDocument, base: str, own: str | None, rel: str | None, options: WriteOptions
) -> tuple[str, Link | None]:
    """Give the address to write to: along a link, or, without a relation, the resource's own.

    Raises:
        HalError: there is no such link.
    """
    if rel is None and own is not None:
        return append_query(own, encode_params(options.get("params") or {})), None
    hop = LinkQuery(
        rel=rel or "",
        name=options.get("name"),
        index=options.get("index"),
        where=options.get("where"),
        variables=options.get("variables"),
        params=options.get("params"),
        embedded="never",
    )
    choice = select_link(document, base, hop)
    assert choice.url is not None  # noqa: S101 - embedded copies were ruled out
    return choice.url, choice.link


def write_request(method: str, url: str, options: WriteOptions, etag: str | None) -> Request:
    """Write the request.

    Raises:
        HalError: it is to be sent only if nothing has changed, and there is no ETag to tell.
        ValueError: what is to stand in a header field cannot.
    """
    headers = {"Accept": accept()}
    content = options.get("content") if options.get("json") is None else encode(options.get("json"))
    if content is not None:
        headers["Content-Type"] = options.get("content_type", "application/json")
    condition = options.get("if_match", False)
    if condition is True:
        if etag is None or not fits_field(etag):
            raise HalError(
                f"no ETag of {mask_url(url)} is at hand, so there is nothing for If-Match: it came without one that "
                "can be sent, or was read from another address; give the ETag itself as if_match",
                url=url,
            )
        condition = etag
    if condition:
        headers["If-Match"] = condition
    for name, value in headers.items():
        if not fits_field(value):
            raise ValueError(f"this cannot be the value of {name}: {value[:80]!r}")
    return Request(url=url, method=method, headers=headers, content=content)


def read_outcome(response: Response) -> tuple[Response, HalDocument]:
    """Read what a write answered; it was done, so a body that is no document is no error: it is left out."""
    try:
        return response, read_document(response)
    except NotHalError:
        return attrs.evolve(response, content=b""), HalDocument({})
