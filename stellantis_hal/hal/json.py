"""JSON in and out, by orjson where it is installed.

Knows bytes and plain values. Must not know what they mean. orjson reads an integer beyond 64 bits as a float.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec
from typing import Any, NoReturn

__all__ = ["decode", "encode", "rewrite", "standard_decode"]

_BOM = b"\xef\xbb\xbf"


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no JSON")


def standard_decode(content: bytes) -> Any:
    """Read JSON by the standard library, as strictly as orjson does: no NaN, no infinity.

    Raises:
        ValueError: it is no JSON, or nested too deeply.
    """
    try:
        return json.loads(content.decode(), parse_constant=_refuse)  # of bytes it would take UTF-16, too
    except RecursionError:
        raise ValueError("nested too deeply") from None


_loads: Callable[[bytes], Any] = import_module("orjson").loads if find_spec("orjson") else standard_decode


def decode(content: bytes) -> Any:
    """Read JSON from bytes; a byte order mark in front, which some servers send, is ignored (RFC 8259 section 8.1).

    What orjson refuses is read once more by the standard library: half a character or a number too large for a float
    in one value ought not to cost the others.

    Raises:
        ValueError: it is no JSON, or nested too deeply.
    """
    content = content.removeprefix(_BOM)
    try:
        return _loads(content)
    except ValueError:
        return standard_decode(content)


def encode(value: Any) -> bytes:
    """Write JSON, UTF-8, without blanks.

    Raises:
        TypeError: the value is none that JSON knows.
        ValueError: it holds itself, NaN, an infinity or half a character, or is nested too deeply.
    """
    try:
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()
    except RecursionError:
        raise ValueError("nested too deeply") from None


_dumps: Callable[[Any], bytes] = import_module("orjson").dumps if find_spec("orjson") else encode


def rewrite(value: Any) -> bytes:
    """Write what was decoded once more, as fast as can be; to be decoded again, not to be compared.

    Numbers may be spelt differently where orjson is installed. It writes infinities as null, so that where any null is
    written the standard library has the last word.

    Raises:
        ValueError: it holds an infinity or half a character, or is nested too deeply.
    """
    try:
        content = _dumps(value)
    except TypeError:
        return encode(value)
    return encode(value) if b"null" in content else content
