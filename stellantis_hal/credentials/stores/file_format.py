"""The format of a token file: a first line with a digest of the rest, then JSON with a line for each token.

A file that was cut short, damaged or edited does not match its digest and is refused as a whole, so that the tokens of
two accounts are never mixed up. A line is written once for each token and read once: a renewal among 10,000 accounts
formats one line.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from typing import Final, Self

from stellantis_hal.credentials.token import Token
from stellantis_hal.errors import TokenStoreError

__all__ = ["TokenLines", "parse_tokens", "serialize_tokens"]

_HEADER: Final = b"stellantis-hal tokens 1 sha256="
_SQLITE: Final = b"SQLite format 3\0"
_START, _BETWEEN, _END = b"{\n", b",\n", b"\n}\n"
_PLACE: Final = "the token file"


def serialize_tokens(tokens: Mapping[str, Token]) -> bytes:
    """Return the content of a file with these tokens, by key."""
    return TokenLines().changed(tokens).content()


def parse_tokens(content: bytes, *, place: str = _PLACE) -> dict[str, Token]:
    """Read the content of a token file.

    Args:
        content: what :func:`serialize_tokens` returned.
        place: the path of the file, for the message.

    Raises:
        TokenStoreError: these are not, byte for byte, the bytes that :func:`serialize_tokens` made.
    """
    return TokenLines().read_again(content, place=place).tokens()


class TokenLines:
    """The tokens of a file by key, each with its line; it does not change.

    Args:
        lines: the tokens with their lines, sorted by key.
    """

    __slots__ = ("_lines",)

    def __init__(self, lines: Mapping[str, tuple[Token, bytes]] | None = None) -> None:
        self._lines: Mapping[str, tuple[Token, bytes]] = {} if lines is None else lines

    def tokens(self) -> dict[str, Token]:
        """Return the tokens by key."""
        return {key: token for key, (token, _) in self._lines.items()}

    def keys(self) -> Iterable[str]:
        """Return the keys that have a token, sorted."""
        return self._lines.keys()

    def get(self, key: str) -> Token | None:
        """Return the token of a key; None where there is none."""
        found = self._lines.get(key)
        return None if found is None else found[0]

    def changed(self, changes: Mapping[str, Token | None]) -> Self:
        """Return the tokens with some of them replaced, added, or removed by None."""
        lines = dict(self._lines)
        for key, token in changes.items():
            if token is None:
                lines.pop(key, None)
            else:
                lines[key] = token, _line(key, token)
        return type(self)(lines if lines.keys() == self._lines.keys() else dict(sorted(lines.items())))

    def content(self) -> bytes:
        """Return the content of a file with these tokens."""
        lines = [line for _, line in self._lines.values()]
        body = b"".join((_START, _BETWEEN.join(lines), _END)) if lines else b"{}\n"
        return _first_line(body) + body

    def read_again(self, content: bytes, *, place: str = _PLACE) -> Self:
        """Return the tokens of a file that was written since; lines that are these again are not decoded.

        Args:
            content: of the file.
            place: its path, for the message.

        Raises:
            TokenStoreError: these are not, byte for byte, the bytes that :func:`serialize_tokens` made.
        """
        first, _, body = content.partition(b"\n")
        if content.startswith(_SQLITE):
            raise TokenStoreError(f"{place} is an SQLite file, no token file: open it by SQLiteTokenStore")
        if not first.startswith(_HEADER):
            raise TokenStoreError(
                f"{place} is not a token file of this version of the library: nothing was read. Restore it from a "
                "backup, or remove it and log in again"
            )
        if _first_line(body) != first + b"\n":
            raise TokenStoreError(
                f"{place} is damaged, cut short or was edited: restore it from a backup, or remove it and log in again"
            )
        try:
            return type(self)(self._read(body))
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
            raise TokenStoreError(f"{place} has a valid digest but does not contain tokens") from None

    def _read(self, body: bytes) -> dict[str, tuple[Token, bytes]]:
        if not self._lines or not body.startswith(b'{\n"'):  # the first reading, or indented by an earlier version
            return {
                key: (token := Token.from_dict(fields), _line(key, token)) for key, fields in json.loads(body).items()
            }
        known = {line: (key, token) for key, (token, line) in self._lines.items()}
        found: dict[str, tuple[Token, bytes]] = {}
        for line in body[len(_START) : -len(_END)].split(_BETWEEN):
            key, token = known.get(line) or _parse_line(line)
            found[key] = token, line
        return found


def _line(key: str, token: Token) -> bytes:
    return f"{json.dumps(key)}: {json.dumps(token.to_dict())}".encode("ascii")


def _parse_line(line: bytes) -> tuple[str, Token]:
    ((key, fields),) = json.loads(b"{%b}" % line).items()
    return key, Token.from_dict(fields)


def _first_line(body: bytes) -> bytes:
    return _HEADER + hashlib.sha256(body).hexdigest().encode("ascii") + b"\n"
