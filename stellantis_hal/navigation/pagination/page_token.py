"""Page tokens: positions between two pages. Pure values, without I/O."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable
from typing import Any, Final

import attrs

from stellantis_hal.hal.json import decode, encode
from stellantis_hal.hal.redaction import quoted
from stellantis_hal.navigation.pagination.digests import DIGEST_SIZE, digest
from stellantis_hal.navigation.pagination.head_shift import HeadShift

__all__ = ["START", "PageToken"]

_VERSION = 2
_NO_SHIFT = HeadShift()
# The last field of tokens that have it: total, least total, edge, and the shift's head, moved and before. Older tokens
# have the first three of them.
_LAST_FIELD: Final[tuple[Any, ...]] = (None, None, "", "", 0, None)
# The fields that version 1 does not have: position, first, is_read, is_linked.
_ADDED_FIELDS = (None, "", False, True)


def _digests(identities: Iterable[str | bytes]) -> tuple[bytes, ...]:
    """Return digests of items: those of identities, and those that are digests already."""
    return tuple(digest(one) if isinstance(one, str) else one for one in identities)


def _encoded(digests: Iterable[bytes]) -> str:
    return base64.b64encode(b"".join(digests)).decode()


@attrs.frozen(kw_only=True)
class PageToken:
    """A position between two pages.

    Attributes:
        url: the page to read next.
        number: the number of pages before it.
        recent: digests of the latest items' identities; made of identities or digests.
        rel: the key that the items are embedded under; None: the only key there is.
        reverse: whether the iteration goes from the last page to the first.
        position: the number of items on the pages before it; None where it is unknown, as in tokens of version 1.
        first: digests of the first page's URLs, and of the contents of pages that a range must not repeat.
        is_read: whether the page at the URL was returned already: the next one is behind it.
        is_linked: whether pages before it had links between them.
        is_found: whether a page before it had the relation of the items.
        total: the total that the page before it states; None where it states none, as in tokens that have no totals.
        least_total: the least total that a page before it states; None forwards, or if none states one.
        edge: a digest of the item of the page before it that is next to this position; empty where it is unknown.
        shift: the items that were added at the head, in reverse.
    """

    url: str
    number: int
    recent: tuple[bytes, ...] = attrs.field(default=(), converter=_digests)
    rel: str | None = None
    reverse: bool = False
    position: int | None = None
    first: tuple[bytes, ...] = ()
    is_read: bool = False
    is_linked: bool = True
    is_found: bool = True
    total: int | None = None
    least_total: int | None = None
    edge: bytes = b""
    shift: HeadShift = _NO_SHIFT

    @property
    def known(self) -> tuple[bytes, ...]:
        """Digests of items that were returned before the position."""
        return (*self.recent, self.edge) if self.edge else self.recent

    def check(self, rel: str | None, *, reverse: bool) -> None:
        """Check that an iteration with these options can continue here.

        Raises:
            ValueError: it reads other items, or goes in the other direction.
        """
        if self.rel != rel and self.rel is not None and rel is not None:
            raise ValueError(
                f"a page token for the items {quoted(self.rel)} cannot be used for {quoted(rel)}: pass the same rel"
            )
        if self.reverse != reverse:
            first, second = ("reverse", "forward") if self.reverse else ("forward", "reverse")
            raise ValueError(f"a page token of {first} iteration cannot be used for {second} iteration")

    def to_token(self) -> str:
        """Return opaque text, safe in URLs and files. It contains a URL, so keep it as confidential as a URL."""
        recent, first, head, edge = map(_encoded, (self.recent, self.first, self.shift.head, (self.edge,)))
        fields = [self.url, self.number, recent, self.rel, self.reverse, self.position, first]
        flags = [self.is_read, self.is_linked] if self.is_found else [self.is_read, self.is_linked, False]
        last = (self.total, self.least_total, edge, head, self.shift.moved, self.shift.before)
        extras = [] if last == _LAST_FIELD else [last]
        return base64.urlsafe_b64encode(encode([_VERSION, *fields, *flags, *extras])).decode()

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
            last: list[Any] = flags.pop() if flags and isinstance(flags[-1], list) else []
            total, least_total, edge, head, moved, before = (*last, *_LAST_FIELD[len(last) :])
            digests = [base64.b64decode(text, validate=True) for text in (recent, first, head, edge)]
        except (ValueError, TypeError, binascii.Error) as error:
            raise ValueError("invalid page token: pass page.token unchanged") from error
        is_spec = isinstance(rel, str | None) and {*map(type, (reverse, *flags))} == {bool} and len(flags) in {2, 3}
        is_position = isinstance(url, str) and url != "" and isinstance(number, int)
        has_counts = all(isinstance(count, int | None) for count in (position, total, least_total, before))
        has_counts = has_counts and isinstance(moved, int)
        has_digests = not any(len(text) % DIGEST_SIZE for text in digests) and len(digests[3]) <= DIGEST_SIZE
        is_version = isinstance(version, int) and version in {1, _VERSION}
        if not all((is_version, is_position, has_counts, is_spec, has_digests)):
            raise ValueError(f"invalid page token: it is not of version {_VERSION}; start again without a token")
        recent_digests, first_digests, head_digests = (
            tuple(text[start : start + DIGEST_SIZE] for start in range(0, len(text), DIGEST_SIZE))
            for text in digests[:3]
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
            total=total,
            least_total=least_total,
            edge=digests[3],
            shift=HeadShift(head_digests, moved, before),
        )


START = PageToken(url="", number=0, position=0, is_linked=False, is_found=False)
"""The position before the first page, which has no URL yet."""
