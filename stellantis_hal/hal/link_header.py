"""The Link header field (RFC 8288)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final
from urllib.parse import unquote_to_bytes

from stellantis_hal.hal.link import Link
from stellantis_hal.hal.uri import resolve, to_ascii

__all__ = ["MAX_LENGTH", "MAX_LINKS", "parse_link_header"]

MAX_LENGTH: Final = 65_536
"""The number of characters of a Link header that are read; the links behind them are left out."""
MAX_LINKS: Final = 1_000
"""The number of links of a Link header that are read."""

_BLANKS = re.compile(r"[ \t]*+")
_SEPARATORS = re.compile(r"[ \t,]*+")
_SEMICOLONS = re.compile(r"[ \t;]*+")
_NAME = re.compile(r"[^ \t;,=]*+")
_TOKEN = re.compile(r"[^;,]*+")
# Possessive, so that a text of quotes and backslashes is read in linear time.
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*+)"', re.DOTALL)
_PAIR = re.compile(r"\\(.)", re.DOTALL)
_EXTENDED = re.compile(r"(?P<charset>[A-Za-z0-9-]{1,32})'[A-Za-z0-9-]{0,64}'(?P<text>.*)", re.DOTALL)
_MEMBERS = frozenset(("rel", "rev", "anchor", "title", "title*", "type", "hreflang", "name", "profile", "templated"))

_Parameters = list[tuple[str, str]]


def parse_link_header(value: str, base: str) -> tuple[Link, ...]:
    """Return the links of a Link header, one for each relation, in its order.

    What is no link is left out, up to the next comma. So are links without a relation, and those of another resource
    (``anchor``). Links of a header are never templates.

    Args:
        value: the field value; repeated fields are joined by commas.
        base: the URL of the response, to which an anchor is relative.
    """
    links: list[Link] = []
    for target, parameters in _read(value[:MAX_LENGTH]):
        links += _to_links(target, parameters, base)
        if len(links) >= MAX_LINKS:
            break
    return tuple(links[:MAX_LINKS])


# ------------------------------------------------------------------------------------------------- reading


def _read(text: str) -> Iterator[tuple[str, _Parameters]]:
    """Read targets and parameters (RFC 8288 appendix B.2). Each character is read a bounded number of times."""
    position, close = 0, -1
    while (position := _end(_SEPARATORS, text, position)) < len(text):
        if text[position] == "<":
            if close < position:
                close = text.find(">", position)
                if close < 0:  # no target is closed from here on
                    return
            reopened = text.find("<", position + 1, close)
            if reopened < 0:
                parameters, end = _read_parameters(text, close + 1)
                yield text[position + 1 : close].strip(), parameters
                position = end
        comma = text.find(",", position)
        if comma < 0:
            return
        position = comma


def _read_parameters(text: str, position: int) -> tuple[_Parameters, int]:
    found: _Parameters = []
    while True:
        position = _end(_BLANKS, text, position)
        if text[position : position + 1] != ";":
            return found, position
        start = _end(_SEMICOLONS, text, position)
        position = _end(_NAME, text, start)
        name, value = text[start:position].lower(), ""
        position = _end(_BLANKS, text, position)
        if text[position : position + 1] == "=":
            position = _end(_BLANKS, text, position + 1)
            quoted = _QUOTED.match(text, position)
            if quoted is not None:
                value, position = _PAIR.sub(r"\1", quoted[1]), quoted.end()
            else:  # also a quote that is not closed, and quotes of the other kind
                start, position = position, _end(_TOKEN, text, position)
                value = text[start:position].strip().strip("\"'")
        if name:
            found.append((name, value))


def _end(pattern: re.Pattern[str], text: str, position: int) -> int:
    found = pattern.match(text, position)
    assert found is not None  # noqa: S101 - the patterns match an empty text too
    return found.end()


# ------------------------------------------------------------------------------------------------- links


def _to_links(target: str, parameters: _Parameters, base: str) -> Iterator[Link]:
    first: dict[str, str] = {}
    languages: list[str] = []
    extra: dict[str, Any] = {}
    for name, value in parameters:
        if name == "hreflang":
            languages.append(value)
        elif name in _MEMBERS:
            first.setdefault(name, value)
        else:
            extra.setdefault(name, value)
    anchor = first.get("anchor")
    if anchor is not None and resolve(base, to_ascii(anchor)) != base.partition("#")[0]:
        return
    if len(languages) > 1:
        extra["hreflang"] = tuple(languages)
    for rel in dict.fromkeys(first.get("rel", "").split()):
        yield Link(
            target,
            rel if ":" in rel else rel.lower(),
            name=first.get("name"),
            title=_title(first),
            type=first.get("type"),
            profile=first.get("profile"),
            hreflang=languages[0] if languages else None,
            extra=extra,
        )


def _title(first: Mapping[str, str]) -> str | None:
    """Return the title; ``title*`` has precedence where its character set can be read (RFC 8187)."""
    extended = _EXTENDED.fullmatch(first.get("title*", ""))
    if extended is not None and extended["charset"].lower() in {"utf-8", "iso-8859-1"}:
        try:
            return unquote_to_bytes(extended["text"]).decode(extended["charset"].lower())
        except UnicodeError:
            pass
    return first.get("title")
