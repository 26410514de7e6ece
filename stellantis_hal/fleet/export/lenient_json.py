"""JSON values in files: what is written can be encoded, and what is read may be cut off."""

from __future__ import annotations

import json
import math
from typing import Any

from stellantis_hal.hal.json import decode

__all__ = ["decode_or_none", "first_value", "is_encodable", "to_json"]


def to_json(value: Any) -> str:
    """Return JSON that can be encoded in UTF-8, with any values under unknown keys."""
    try:
        text = json.dumps(value, ensure_ascii=False, allow_nan=False)
    except ValueError:  # NaN or an infinity
        text = json.dumps(_finite(value), ensure_ascii=False, allow_nan=False)
    return text if is_encodable(text) else text.encode("utf-8", "backslashreplace").decode()  # JSON's own escape


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def is_encodable(text: str) -> bool:
    """Return whether a text can be encoded in UTF-8: it has no lone surrogate."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def decode_or_none(text: bytes) -> Any:
    """Return a JSON value; None where it is none."""
    try:
        return decode(text)
    except ValueError:
        return None


def first_value(text: bytes) -> tuple[Any, int]:
    """Return the JSON value with which a text begins, and its length in bytes; None and 0 where there is none."""
    whole = text.removesuffix(b",")
    value = decode_or_none(whole)
    if value is not None:
        return value, len(whole)
    try:
        characters = text.decode()
        value, length = json.JSONDecoder().raw_decode(characters)
    except (ValueError, RecursionError):
        return None, 0
    return value, len(characters[:length].encode())
