"""Pagination: index ranges, page sizes, opaque page tokens and the links between pages.

A token holds the position of the next page, signed with the address, the filters and the page size. It is compared
byte for byte with the received text before it is decoded, and contains characters that re-encoding would change.
"""

from __future__ import annotations

import math
import re
from base64 import b64decode, b64encode
from collections.abc import Sequence
from hashlib import blake2b
from hmac import compare_digest
from typing import Any
from urllib.parse import unquote

import attrs

from stellantis_hal.simulator.api.dialect import BackendVariant
from stellantis_hal.simulator.api.http_messages import Request
from stellantis_hal.simulator.api.serializer import link

__all__ = ["BadPageError", "PageSlice", "page_body", "reshape", "select_page"]

_RANGE = re.compile(r"(\d+)-(\d*)")
_EMPTY = "emptyPage"  # the parameter of a page without items, which comes before the page at the same position
_SEPARATOR = "%7C"  # a client that decodes it sends another token


class BadPageError(ValueError):
    """The range, the size or the token is invalid."""


@attrs.frozen(kw_only=True)
class PageSlice:
    """The requested part of a collection.

    Attributes:
        first, end: the page's items are ``[first:end]``.
        begin, limit: the requested range is ``[begin:limit]``, cut at the end of the collection.
    """

    first: int
    end: int
    begin: int
    limit: int
    size: int
    total: int


def _sign(secret: bytes, request: Request, size: int, position: int) -> bytes:
    subject = f"{request.path}?{request.query_without('client_id', 'pageToken', _EMPTY)}#{size}@{position}"
    return blake2b(subject.encode(), key=secret, digest_size=17).digest()


def _token(secret: bytes, request: Request, size: int, position: int) -> str:
    place = b64encode(position.to_bytes(8, "big") + _sign(secret, request, size, position)).decode()
    return f"{place}{_SEPARATOR}{size}"


def _position(secret: bytes, request: Request, size: int, token: str, *, lenient: bool) -> int:
    if lenient:
        token = unquote(token).replace(unquote(_SEPARATOR), _SEPARATOR)
    text = token.partition(_SEPARATOR)[0]
    try:
        position = int.from_bytes(b64decode(text, validate=True)[:8], "big")
    except ValueError:
        raise BadPageError("pageToken is invalid") from None
    if not compare_digest(_token(secret, request, size, position).encode(), token.encode()):
        raise BadPageError("pageToken is invalid")
    return position


def select_page(
    request: Request,
    total: int,
    secret: bytes,
    *,
    default_size: int = 60,
    max_size: int = 60,
    lenient: bool = False,
    ranged: bool = True,
) -> PageSlice:
    """Return the requested page; ``lenient`` accepts a re-encoded token, without ``ranged`` the range is ignored.

    Raises BadPageError.
    """
    size_text = request.value("pageSize")
    if size_text is not None and not (size_text.isdecimal() and len(size_text) < 6 and 1 <= int(size_text) <= max_size):
        raise BadPageError(f"pageSize must be between 1 and {max_size}")
    size = default_size if size_text is None else int(size_text)
    wanted = _RANGE.fullmatch((ranged and request.value("indexRange")) or "0-")
    if wanted is None or len(wanted[1]) > 15 or len(wanted[2]) > 15:
        raise BadPageError("indexRange must look like 0-9 or 5-")
    begin = int(wanted[1])
    limit = total if not wanted[2] else min(int(wanted[2]) + 1, total)
    if wanted[2] and int(wanted[2]) < begin:
        raise BadPageError("indexRange ends before it begins")
    token = request.raw("pageToken")
    first = begin if token is None else _position(secret, request, size, token, lenient=lenient)
    return PageSlice(
        first=first, end=max(first, min(first + size, limit)), begin=begin, limit=limit, size=size, total=total
    )


def page_body(
    page: PageSlice,
    request: Request,
    secret: bytes,
    *,
    address: str,
    name: str,
    items: Sequence[Any],
    by_range: bool = False,
) -> dict[str, Any]:
    """Return the body of a page: its items under ``name``, its numbers, its links.

    With ``by_range`` the links use ``indexRange`` as older servers do, and lead beyond the requested range.
    """
    kept = request.query_without("client_id", "pageToken", _EMPTY)

    def at(position: int) -> dict[str, str]:
        if by_range:
            rest = request.query_without("client_id", "pageToken", "indexRange", _EMPTY)
            query = f"indexRange={position}-{position + page.size - 1}"
            return link(f"{address}?{rest}&{query}" if rest else f"{address}?{query}")
        if position == page.begin:
            return link(f"{address}?{kept}" if kept else address)
        token = f"pageToken={_token(secret, request, page.size, position)}"
        return link(f"{address}?{kept}&{token}" if kept else f"{address}?{token}")

    begin, limit = (0, page.total) if by_range else (page.begin, page.limit)
    count = max(1, math.ceil((limit - begin) / page.size))
    own = request.query_without("client_id")
    links: dict[str, Any] = {"self": link(f"{address}?{own}" if own else address), "first": at(begin)}
    if page.end < limit:
        links["next"] = at(page.end)
    if page.first > begin:
        links["prev"] = at(max(begin, page.first - page.size))
    links["last"] = at(begin + (count - 1) * page.size)
    return {
        "total": page.total,
        "totalPage": count,
        "currentPage": (page.first - begin) // page.size + 1,
        "_links": links,
        "_embedded": {name: list(items)},
    }


def reshape(body: dict[str, Any], request: Request, variant: BackendVariant) -> dict[str, Any]:
    """Return the body of a page as a variant sends it."""
    links: dict[str, Any] = dict(body["_links"])
    if variant.empty_pages and request.value(_EMPTY) is not None:
        here = request.query_without("client_id", _EMPTY)
        base = links["first"]["href"].partition("?")[0]
        links["next"] = link(f"{base}?{here}")
        body = {**body, "_embedded": {name: [] for name in body["_embedded"]}}
    elif variant.empty_pages and "next" in links:
        links["next"] = link(f"{links['next']['href']}&{_EMPTY}=1")
    if variant.last_leads_to is not None and "next" not in links:
        links["next"] = links[variant.last_leads_to]
    total = body["total"] if variant.stated_total is None else variant.stated_total
    links = {rel: value for rel, value in links.items() if rel not in variant.omits}
    body = {**body, "total": total, "_links": links}
    return {name: value for name, value in body.items() if name not in variant.omits}
