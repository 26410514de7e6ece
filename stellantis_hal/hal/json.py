"""JSON decoding and encoding, by orjson where it is installed."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec
from typing import Any, NoReturn

__all__ = ["MAX_VALUES", "count_values", "decode", "decode_received", "encode", "rewrite", "standard_decode"]

MAX_VALUES = 200_000
"""Values that a body of a server may have: decoded they take some 20 MB, and a tenth of a second."""

_BOM = b"\xef\xbb\xbf"
_DIGITS = bytes.maketrans(b"123456789", b"0" * 9)
_LONG = b"0" * 19  # digits of the shortest integer beyond 64 bits
_LONG_INTEGER = re.compile(rb'(?<![\w.+"])[0-9]{19,}(?![\w.])')


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not JSON")


def _has_long_integer(content: bytes) -> bool:
    """Return whether there may be an integer beyond 64 bits; one in a text can count too."""
    return _LONG in content.translate(_DIGITS) and _LONG_INTEGER.search(content) is not None


def _parse_integer(text: str) -> int | float:
    """Return an integer, or an infinity for one of more digits than Python reads."""
    try:
        return int(text)
    except ValueError:
        return float(text)


def standard_decode(content: bytes, parse_int: Callable[[str], int | float] = int) -> Any:
    """Decode JSON by the standard library, as strictly as orjson does: no NaN, no infinity.

    Args:
        content: the bytes.
        parse_int: returns the number that an integer stands for.

    Raises:
        ValueError: the bytes are not JSON, or nested too deeply.
    """
    try:  # given bytes, it would also accept UTF-16
        return json.loads(content.decode(), parse_constant=_refuse, parse_int=parse_int)
    except RecursionError:
        raise ValueError("nested too deeply") from None


_loads: Callable[[bytes], Any] = import_module("orjson").loads if find_spec("orjson") else standard_decode


def decode(content: bytes) -> Any:
    """Decode JSON; a byte order mark in front, which some servers send, is ignored (RFC 8259 section 8.1).

    What orjson rejects is decoded by the standard library: a lone surrogate or a number too large for a float makes
    one value unreadable, not the whole document. So is what has integers beyond 64 bits, which orjson rounds.

    Raises:
        ValueError: the bytes are not JSON, or nested too deeply.
    """
    content = content.removeprefix(_BOM)
    try:
        return (standard_decode if _has_long_integer(content) else _loads)(content)
    except ValueError:
        return standard_decode(content, _parse_integer)


def count_values(content: bytes) -> int:
    """Return about how many values JSON has, without decoding it; those in text count too, so it may be fewer."""
    if len(content) <= MAX_VALUES:
        return 0  # it cannot have too many
    return content.count(b"{") + content.count(b"[") + content.count(b",")


def decode_received(content: bytes) -> Any:
    """Decode what a server sent, as `decode` does.

    Raises:
        ValueError: the bytes are not JSON, nested too deeply, or of more than 200,000 values.
    """
    values = count_values(content)
    if values > MAX_VALUES:
        raise ValueError(f"about {values} values: at most {MAX_VALUES} are decoded")
    return decode(content)


def encode(value: Any, to_plain: Callable[[Any], Any] | None = None) -> bytes:
    """Encode a value as JSON, UTF-8, without spaces.

    Args:
        value: what to encode.
        to_plain: returns what to encode instead of a value that JSON has no type for, or raises a TypeError.

    Raises:
        TypeError: JSON has no such type.
        ValueError: the value contains itself, NaN, an infinity or a lone surrogate, or is nested too deeply.
    """
    try:
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False, default=to_plain).encode()
    except RecursionError:
        raise ValueError("nested too deeply") from None


_dumps: Callable[[Any], bytes] = import_module("orjson").dumps if find_spec("orjson") else encode


def rewrite(value: Any) -> bytes:
    """Encode a decoded value fast, to be decoded again; the text may differ from that of :func:`encode`.

    orjson writes some numbers differently. It writes infinities as null, so a result that contains null is encoded
    again by the standard library.

    Raises:
        ValueError: the value contains an infinity or a lone surrogate, or is nested too deeply.
    """
    try:
        content = _dumps(value)
    except TypeError:
        return encode(value)
    return encode(value) if b"null" in content else content
