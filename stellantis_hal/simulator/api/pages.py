"""Knows how collections are cut into pages: ranges, sizes, opaque tokens, the links between pages.

Must not know what is on the pages.

A token holds where the next page begins, signed with the address, the filters and the page size. It is compared
byte for byte with what was sent, never decoded first, and it holds characters that do not survive being re-encoded.
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

from stellantis_hal.simulator.api.bodies import link
from stellantis_hal.simulator.api.messages import Request

__all__ = ["BadPageError", "Page", "cut", "word"]

_RANGE = re.compile(r"(\d+)-(\d*)")
_SEPARATOR = "%7C"  # decoded by a careless client it is another token


class BadPageError(ValueError):
    """The range, the size or the token is not acceptable."""


@attrs.frozen(kw_only=True)
class Page:
    """Which part of a collection was asked for.

    Attributes:
        first, end: the page's items are ``[first:end]``.
        begin, limit: the requested range is ``[begin:limit]``, no further than the collection goes.
    """

    first: int
    end: int
    begin: int
    limit: int
    size: int
    total: int


def _seal(secret: bytes, call: Request, size: int, position: int) -> bytes:
    subject = f"{call.path}?{call.query_without('client_id', 'pageToken')}#{size}@{position}"
    return blake2b(subject.encode(), key=secret, digest_size=17).digest()


def _token(secret: bytes, call: Request, size: int, position: int) -> str:
    place = b64encode(position.to_bytes(8, "big") + _seal(secret, call, size, position)).decode()
    return f"{place}{_SEPARATOR}{size}"


def _position(secret: bytes, call: Request, size: int, token: str, *, lenient: bool) -> int:
    if lenient:
        token = unquote(token).replace(unquote(_SEPARATOR), _SEPARATOR)
    text = token.partition(_SEPARATOR)[0]
    try:
        position = int.from_bytes(b64decode(text, validate=True)[:8], "big")
    except ValueError:
        raise BadPageError("pageToken is not one of ours") from None
    if not compare_digest(_token(secret, call, size, position).encode(), token.encode()):
        raise BadPageError("pageToken is not one of ours")
    return position


def cut(call: Request, total: int, secret: bytes, *, usual: int = 60, most: int = 60, lenient: bool = False) -> Page:
    """Find the page that a request asks for; ``lenient``: also by a token that somebody re-encoded.

    Raises BadPageError.
    """
    size_text = call.value("pageSize")
    if size_text is not None and not (size_text.isdecimal() and len(size_text) < 6 and 1 <= int(size_text) <= most):
        raise BadPageError(f"pageSize must be between 1 and {most}")
    size = usual if size_text is None else int(size_text)
    wanted = _RANGE.fullmatch(call.value("indexRange") or "0-")
    if wanted is None or len(wanted[1]) > 15 or len(wanted[2]) > 15:
        raise BadPageError("indexRange must look like 0-9 or 5-")
    begin = int(wanted[1])
    limit = total if not wanted[2] else min(int(wanted[2]) + 1, total)
    if wanted[2] and int(wanted[2]) < begin:
        raise BadPageError("indexRange ends before it begins")
    token = call.raw("pageToken")
    first = begin if token is None else _position(secret, call, size, token, lenient=lenient)
    return Page(first=first, end=max(first, min(first + size, limit)), begin=begin, limit=limit, size=size, total=total)


def word(
    page: Page, call: Request, secret: bytes, *, address: str, name: str, items: Sequence[Any], by_range: bool = False
) -> dict[str, Any]:
    """Word a page: its items under ``name``, its numbers, the links to its neighbours.

    With ``by_range``, the neighbours are named by ``indexRange`` as older back ends do, and the walk goes on
    behind the range that was asked for.
    """
    kept = call.query_without("client_id", "pageToken")

    def at(position: int) -> dict[str, str]:
        if by_range:
            rest = call.query_without("client_id", "pageToken", "indexRange")
            query = f"indexRange={position}-{position + page.size - 1}"
            return link(f"{address}?{rest}&{query}" if rest else f"{address}?{query}")
        if position == page.begin:
            return link(f"{address}?{kept}" if kept else address)
        token = f"pageToken={_token(secret, call, page.size, position)}"
        return link(f"{address}?{kept}&{token}" if kept else f"{address}?{token}")

    begin, limit = (0, page.total) if by_range else (page.begin, page.limit)
    count = max(1, math.ceil((limit - begin) / page.size))
    own = call.query_without("client_id")
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
