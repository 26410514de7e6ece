"""Where a walk over pages stands.

Knows which pages it has been on and which elements it has given, and writes that down as a token. Values in, values
out: no I/O. Memory is bounded but for a digest of eight bytes for each page.
"""

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

__all__ = ["REMEMBERED", "PageToken", "RecentIds", "VisitedPages", "identity_of"]

REMEMBERED = 5_000
"""How many of the elements given last are not given twice."""

_IN_TOKEN = 64
_VERSION = 1


def _digest(text: str) -> bytes:
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest()


@attrs.frozen(kw_only=True)
class PageToken:
    """A place between two pages: what a token says.

    Attributes:
        url: the page to read next.
        number: how many pages lie behind.
        given: digests of the elements given last.
        rel: the key that the walk's items are embedded under; None: the only one there is.
        reverse: whether the walk goes from the last page to the first.
    """

    url: str
    number: int
    given: tuple[bytes, ...] = ()
    rel: str | None = None
    reverse: bool = False

    @classmethod
    def after(
        cls, given: Iterable[str | bytes], *, url: str, number: int, rel: str | None = None, reverse: bool = False
    ) -> PageToken:
        """Note a place behind the elements with these identities, or digests of them."""
        digests = tuple(_digest(one) if isinstance(one, str) else one for one in given)
        return cls(url=url, number=number, given=digests, rel=rel, reverse=reverse)

    def check(self, rel: str | None, *, reverse: bool) -> None:
        """Refuse to be taken up by a walk of another kind, which would find nothing, or turn back.

        Raises:
            ValueError: the walk is after other items, or goes the other way.
        """
        if self.rel != rel and self.rel is not None and rel is not None:
            raise ValueError(f"a token of a walk over {self.rel[:80]!r} cannot be taken up by one over {rel[:80]!r}")
        if self.reverse != reverse:
            raise ValueError(
                "a token of a walk in the server's order cannot be taken up by a reversed one, nor the other way round"
            )

    def to_token(self) -> str:
        """Write it as opaque text, fit for a URL or a file; it holds an address, so keep it like one."""
        given = base64.b64encode(b"".join(self.given)).decode()
        return base64.urlsafe_b64encode(
            encode([_VERSION, self.url, self.number, given, self.rel, self.reverse])
        ).decode()

    @classmethod
    def from_token(cls, token: str) -> PageToken:
        """Read a token.

        Raises:
            ValueError: it is none that this version wrote.
        """
        try:
            version, url, number, given, rel, reverse = decode(base64.urlsafe_b64decode(token.encode("ascii")))
            digests = base64.b64decode(given, validate=True)
        except (ValueError, TypeError, binascii.Error) as error:
            raise ValueError("no token of a page: pass page.token as it was given out") from error
        is_walk = isinstance(rel, str | None) and isinstance(reverse, bool)
        is_place = isinstance(url, str) and isinstance(number, int)
        if version != _VERSION or not is_place or not is_walk or len(digests) % 8:
            raise ValueError("no token of a page that this version can read")
        given = tuple(digests[at : at + 8] for at in range(0, len(digests), 8))
        return cls(url=url, number=number, given=given, rel=rel, reverse=reverse)


class VisitedPages:
    """The pages that a walk has been on, by digest."""

    __slots__ = ("_visited",)

    def __init__(self) -> None:
        self._visited: set[bytes] = set()

    def visit(self, *urls: str | None) -> None:
        """Note the addresses of a page: the one asked for, the one that answered, its ``self``."""
        self._visited.update(_digest(url) for url in urls if url is not None)

    def check(self, url: str) -> None:
        """Refuse an address that the walk has been on.

        Raises:
            PaginationLoopError: it has.
        """
        if _digest(url) in self._visited:
            raise PaginationLoopError(
                f"the walk is led back to {mask_url(url)}, where it has been: the server's pages form a loop", url=url
            )


class RecentIds:
    """The elements that a walk gave last.

    Args:
        earlier: digests of those that the walk gave before it was taken up again.
    """

    __slots__ = ("_earlier", "_from_token", "_order", "_recent")

    def __init__(self, earlier: Iterable[bytes] = ()) -> None:
        self._recent: set[str] = set()
        self._order: deque[str] = deque()
        self._from_token = tuple(earlier)
        self._earlier = frozenset(self._from_token)

    def knows(self, identity: str | None) -> bool:
        """Tell whether an element was among the last given; one without identity never was."""
        if identity is None:
            return False
        return identity in self._recent or bool(self._earlier and _digest(identity) in self._earlier)

    def admit(self, identity: str | None) -> bool:
        """Tell whether an element is to be given: not if it was among the last given; without identity always."""
        if self.knows(identity):
            return False
        if identity is None:
            return True
        self._recent.add(identity)
        self._order.append(identity)
        if len(self._order) > REMEMBERED:
            self._recent.discard(self._order.popleft())
        return True

    def last(self) -> tuple[str | bytes, ...]:
        """Give what a token takes along: the identities given last, or the digests of them that a token brought."""
        last: list[str | bytes] = [*self._from_token, *reversed(tuple(islice(reversed(self._order), _IN_TOKEN)))]
        return tuple(last[-_IN_TOKEN:])


class _HasIdentity(Protocol):
    @property
    def state(self) -> Mapping[str, Any]: ...
    @property
    def self_url(self) -> str | None: ...


def identity_of(element: _HasIdentity) -> str | None:
    """Tell what makes an element itself: its ``id``, else its address; None where it has neither."""
    given = element.state.get("id")
    if isinstance(given, str) or (isinstance(given, int) and not isinstance(given, bool)):
        return f"id:{given}"
    return element.self_url
