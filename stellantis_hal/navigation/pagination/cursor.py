"""Cursors: page tokens, visited pages and recent items. Pure values, without I/O."""

from __future__ import annotations

import base64
import binascii
from collections import deque
from collections.abc import Iterable, Mapping
from hashlib import blake2b
from itertools import islice
from typing import Any, Protocol

import attrs

from stellantis_hal.errors import PaginationLoopError
from stellantis_hal.hal.json import decode, encode
from stellantis_hal.hal.redaction import mask_url

__all__ = ["MAX_RECENT_IDS", "PageToken", "RecentIds", "VisitedPages", "identity_of"]

MAX_RECENT_IDS = 5_000
"""The number of latest items that are not returned twice."""

_MAX_IDS_IN_TOKEN = 64
_VERSION = 1
_DIGEST_SIZE = 8


def _digest(text: str) -> bytes:
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=_DIGEST_SIZE).digest()


@attrs.frozen(kw_only=True)
class PageToken:
    """A position between two pages.

    Attributes:
        url: the page to read next.
        number: the number of pages before it.
        recent: digests of the latest items' identities.
        rel: the key that the items are embedded under; None: the only key there is.
        reverse: whether the iteration goes from the last page to the first.
    """

    url: str
    number: int
    recent: tuple[bytes, ...] = ()
    rel: str | None = None
    reverse: bool = False

    @classmethod
    def after(
        cls, recent: Iterable[str | bytes], *, url: str, number: int, rel: str | None = None, reverse: bool = False
    ) -> PageToken:
        """Return the position after items with these identities, or digests of them."""
        digests = tuple(_digest(one) if isinstance(one, str) else one for one in recent)
        return cls(url=url, number=number, recent=digests, rel=rel, reverse=reverse)

    def check(self, rel: str | None, *, reverse: bool) -> None:
        """Check that an iteration with these options can continue here.

        Raises:
            ValueError: it reads other items, or goes in the other direction.
        """
        if self.rel != rel and self.rel is not None and rel is not None:
            raise ValueError(
                f"a page token for the items {self.rel[:80]!r} cannot be used for {rel[:80]!r}: pass the same rel"
            )
        if self.reverse != reverse:
            first, second = ("reverse", "forward") if self.reverse else ("forward", "reverse")
            raise ValueError(f"a page token of {first} iteration cannot be used for {second} iteration")

    def to_token(self) -> str:
        """Return opaque text, safe in URLs and files. It contains a URL, so keep it as confidential as a URL."""
        recent = base64.b64encode(b"".join(self.recent)).decode()
        return base64.urlsafe_b64encode(
            encode([_VERSION, self.url, self.number, recent, self.rel, self.reverse])
        ).decode()

    @classmethod
    def from_token(cls, token: str) -> PageToken:
        """Read a page token.

        Raises:
            ValueError: the text is not a page token of this version.
        """
        try:
            version, url, number, recent, rel, reverse = decode(base64.urlsafe_b64decode(token.encode("ascii")))
            digests = base64.b64decode(recent, validate=True)
        except (ValueError, TypeError, binascii.Error) as error:
            raise ValueError("invalid page token: pass page.token unchanged") from error
        is_spec = isinstance(rel, str | None) and isinstance(reverse, bool)
        is_position = isinstance(url, str) and isinstance(number, int)
        if version != _VERSION or not is_position or not is_spec or len(digests) % _DIGEST_SIZE:
            raise ValueError(f"invalid page token: it is not of version {_VERSION}; start again without a token")
        recent = tuple(digests[start : start + _DIGEST_SIZE] for start in range(0, len(digests), _DIGEST_SIZE))
        return cls(url=url, number=number, recent=recent, rel=rel, reverse=reverse)


class VisitedPages:
    """The pages that an iteration has read, by a digest of eight bytes each."""

    __slots__ = ("_digests",)

    def __init__(self) -> None:
        self._digests: set[bytes] = set()

    def add(self, *urls: str | None) -> None:
        """Record the URLs of a page: of the request, of the response, of its ``self`` link."""
        self._digests.update(_digest(url) for url in urls if url is not None)

    def check(self, url: str) -> None:
        """Check that a URL was not read before.

        Raises:
            PaginationLoopError: it was.
        """
        if _digest(url) in self._digests:
            raise PaginationLoopError(
                f"pagination loop: a page leads to {mask_url(url)}, which was read before: the server's pages "
                "form a loop",
                url=url,
            )


class RecentIds:
    """The identities of the latest items.

    Args:
        earlier: digests of the items before the iteration was resumed.
    """

    __slots__ = ("_earlier", "_from_token", "_order", "_recent")

    def __init__(self, earlier: Iterable[bytes] = ()) -> None:
        self._recent: set[str] = set()
        self._order: deque[str] = deque()
        self._from_token = tuple(earlier)
        self._earlier = frozenset(self._from_token)

    def contains(self, identity: str | None) -> bool:
        """Return whether an identity is among the latest; False for None."""
        if identity is None:
            return False
        return identity in self._recent or bool(self._earlier and _digest(identity) in self._earlier)

    def add(self, identity: str | None) -> bool:
        """Record an identity and return whether it is new; True for None, which is not recorded."""
        if self.contains(identity):
            return False
        if identity is None:
            return True
        self._recent.add(identity)
        self._order.append(identity)
        if len(self._order) > MAX_RECENT_IDS:
            self._recent.discard(self._order.popleft())
        return True

    def latest(self) -> tuple[str | bytes, ...]:
        """Return what a token contains: the latest identities, or digests of them that an earlier token contained."""
        count = _MAX_IDS_IN_TOKEN
        latest: list[str | bytes] = [*self._from_token, *reversed(tuple(islice(reversed(self._order), count)))]
        return tuple(latest[-count:])


class _HasIdentity(Protocol):
    @property
    def state(self) -> Mapping[str, Any]: ...
    @property
    def self_url(self) -> str | None: ...


def identity_of(item: _HasIdentity) -> str | None:
    """Return what identifies an item: its ``id``, else its ``self`` URL; None where it has neither."""
    id_ = item.state.get("id")
    if isinstance(id_, str) or (isinstance(id_, int) and not isinstance(id_, bool)):
        return f"id:{id_}"
    return item.self_url
