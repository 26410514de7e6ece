"""JSON in and out, by orjson where it is installed.

Knows bytes and plain values. Must not know what they mean. orjson reads an integer beyond 64 bits as a float.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec
from typing import Any, NoReturn

__all__ = ["decode", "encode"]


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no JSON")


def _decode(content: bytes) -> Any:
    try:
        return json.loads(content, parse_constant=_refuse)
    except RecursionError:
        raise ValueError("nested too deeply") from None


decode: Callable[[bytes], Any] = import_module("orjson").loads if find_spec("orjson") else _decode
"""Read JSON from bytes; ValueError is all that it raises."""


def encode(value: Any) -> bytes:
    """Write JSON, UTF-8, without blanks.

    Raises:
        TypeError: the value is none that JSON knows.
        ValueError: it holds itself, NaN or an infinity.
    """
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()
