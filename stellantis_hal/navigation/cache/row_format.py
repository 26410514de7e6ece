"""The format of stored responses as bytes, with a checksum."""

from __future__ import annotations

import json
import zlib
from datetime import datetime
from typing import Any

from stellantis_hal.hal.header_mapping import Headers
from stellantis_hal.navigation.cache.stored_response import StoredResponse

__all__ = ["pack", "unpack"]

_FORMAT = b"1"
_SUM = 4
_LENGTH = 4
_HEAD = len(_FORMAT) + _SUM + _LENGTH


def pack(variants: tuple[StoredResponse, ...]) -> bytes:
    """Return variants as bytes: format, checksum, length of the metadata, metadata as JSON, bodies."""
    described = [
        {
            "url": variant.url,
            "status": variant.status,
            "headers": dict(variant.headers),
            "selection": variant.selection,
            "accept": variant.accept,
            "received_at": variant.received_at.isoformat(),
            "initial_age": variant.initial_age,
            "lifetime": variant.lifetime,
            "length": len(variant.content),
        }
        for variant in variants
    ]
    metadata = json.dumps(described).encode("ascii")  # not orjson: a field may have bytes that are no UTF-8
    rest = len(metadata).to_bytes(_LENGTH) + metadata + b"".join(variant.content for variant in variants)
    return _FORMAT + zlib.crc32(rest).to_bytes(_SUM) + rest


def unpack(row: bytes) -> tuple[StoredResponse, ...]:
    """Return the variants that :func:`pack` wrote.

    Raises:
        ValueError: the bytes are damaged, or of another format.
    """
    if row[: len(_FORMAT)] != _FORMAT or len(row) < _HEAD:
        raise ValueError("it has another format")
    rest = row[len(_FORMAT) + _SUM :]
    if zlib.crc32(rest).to_bytes(_SUM) != row[len(_FORMAT) : len(_FORMAT) + _SUM]:
        raise ValueError("its checksum is wrong")
    start = _LENGTH + int.from_bytes(rest[:_LENGTH])
    variants: list[StoredResponse] = []
    try:
        described: list[dict[str, Any]] = json.loads(rest[_LENGTH:start])
        for fields in described:
            end = start + fields["length"]
            variants.append(
                StoredResponse(
                    url=fields["url"],
                    status=fields["status"],
                    headers=Headers(fields["headers"]),
                    content=rest[start:end],
                    selection=tuple((name, value) for name, value in fields["selection"]),
                    accept=fields["accept"],
                    received_at=datetime.fromisoformat(fields["received_at"]),
                    initial_age=fields["initial_age"],
                    lifetime=fields["lifetime"],
                )
            )
            start = end
    except (AttributeError, KeyError, RecursionError, TypeError, ValueError) as error:
        raise ValueError(f"its metadata are unreadable ({type(error).__name__})") from None
    return tuple(variants)
