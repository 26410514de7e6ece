"""Cursors: page tokens, visited pages and recent items. Pure values, without I/O."""

from __future__ import annotations

import base64
import binascii
from collections import deque
from collections.abc import Iterable
from hashlib import blake2b
from itertools import islice

import attrs

from stellantis_hal.errors import PaginationLoopError
from stellantis_hal.hal.json import decode, encode
from stellantis_hal.hal.redaction import mask_url

__all__ = ["MAX_RECENT_IDS", "PageToken", "RecentIds", "VisitedPages", "loop_error"]

MAX_RECENT_IDS = 5_000
"""The number of latest items that are not returned twice."""

_MAX_IDS_IN_TOKEN = 64
_VERSION = 2
# The fields that version 1 does not have: position, first, is_read, is_linked.
_ADDED_FIELDS = (None, "", False, True)
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
        position: the number of items on the pages before it; None where it is unknown, as in tokens of version 1.
        first: digests of the first page's URLs, and of the contents of pages that a range must not repeat.
        is_read: whether the page at the URL was returned already: the next one is behind it.
        is_linked: whether pages before it had links between them.
        is_found: whether a page before it had the relation of the items.
    """

    url: str
    number: int
    recent: tuple[bytes, ...] = ()
    rel: str | None = None
    reverse: bool = False
    position: int | None = None
    first: tuple[bytes, ...] = ()
    is_read: bool = False
    is_linked: bool = True
    is_found: bool = True

    @classmethod
    def after(
        cls,
        recent: Iterable[str | bytes],
        *,
        url: str,
        number: int,
        rel: str | None = None,
        reverse: bool = False,
        position: int | None = None,
        first: tuple[bytes, ...] = (),
        is_read: bool = False,
        is_linked: bool = True,
        is_found: bool = True,
    ) -> PageToken:
        """Return the position after items with these identities, or digests of them."""
        digests = tuple(_digest(one) if isinstance(one, str) else one for one in recent)
        return cls(
            url=url,
            number=number,
            recent=digests,
            rel=rel,
            reverse=reverse,
            position=position,
            first=first,
            is_read=is_read,
            is_linked=is_linked,
            is_found=is_found,
        )

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
        recent, first = (base64.b64encode(b"".join(digests)).decode() for digests in (self.recent, self.first))
        fields = [self.url, self.number, recent, self.rel, self.reverse, self.position, first]
        flags = [self.is_read, self.is_linked] if self.is_found else [self.is_read, self.is_linked, False]
        return base64.urlsafe_b64encode(encode([_VERSION, *fields, *flags])).decode()

    @classmethod
    def from_token(cls, token: str) -> PageToken:
        """Read a page token.

        Raises:
            ValueError: the text is not a page token of this version.
        """
        try:
            version, *fields = decode(base64.urlsafe_b64decode(token.encode("ascii")))
            fields += _ADDED_FIELDS if version == 1 else ()
            url, number, recent, rel, reverse, position, first, *flags = fields
            digests = [base64.b64decode(text, validate=True) for text in (recent, first)]
        except (ValueError, TypeError, binascii.Error) as error:
            raise ValueError("invalid page token: pass page.token unchanged") from error
        is_spec = isinstance(rel, str | None) and {*map(type, (reverse, *flags))} == {bool} and len(flags) in {2, 3}
        is_position = isinstance(url, str) and isinstance(number, int) and isinstance(position, int | None)
        has_digests = not any(len(text) % _DIGEST_SIZE for text in digests)
        is_version = isinstance(version, int) and version in {1, _VERSION}
        if not is_version or not is_position or not is_spec or not has_digests:
            raise ValueError(f"invalid page token: it is not of version {_VERSION}; start again without a token")
        recent_digests, first_digests = (
            tuple(text[start : start + _DIGEST_SIZE] for start in range(0, len(text), _DIGEST_SIZE)) for text in digests
        )
        return cls(
            url=url,
            number=number,
            recent=recent_digests,
            rel=rel,
            reverse=reverse,
            position=position,
            first=first_digests,
            is_read=flags[0],
            is_linked=flags[1],
            is_found=len(flags) == 2 or flags[2],
        )


class VisitedPages:
    """The pages that an iteration has read, by a digest of eight bytes each.

    Args:
        digests: of pages that it read before it was resumed.
    """

    __slots__ = ("_digests",)

    def __init__(self, digests: Iterable[bytes] = ()) -> None:
        self._digests: set[bytes] = set(digests)

    @property
    def digests(self) -> tuple[bytes, ...]:
        """The digests of the URLs."""
        return tuple(self._digests)

    def add(self, *urls: str | None) -> None:
        """Record the URLs of a page (of the request, of the response, of its ``self`` link), or other texts."""
        self._digests.update(_digest(url) for url in urls if url is not None)

    def contains(self, *urls: str | None) -> bool:
        """Return whether one of the URLs was read before."""
        return any(url is not None and _digest(url) in self._digests for url in urls)

    def check(self, url: str) -> None:
        """Check that a URL was not read before.

        Raises:
            PaginationLoopError: it was.
        """
        if self.contains(url):
            raise loop_error(url)


def loop_error(url: str) -> PaginationLoopError:
    """Return the error of a page that leads to one that was read before."""
    return PaginationLoopError(
        f"pagination loop: a page leads to {mask_url(url)}, which was read before: the server's pages form a loop",
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
