"""Identity of an event: a digest that is the same in every delivery."""

from __future__ import annotations

import json
from hashlib import blake2b
from typing import Any

__all__ = ["identify_bytes", "identify_document", "identify_step", "write_canonical"]

_SIZE = 16


def identify_document(document: Any) -> str:
    """Return the identity of an event by its canonical JSON.

    Args:
        document: the event as decoded from JSON, without attributes.

    Raises:
        ValueError: it is nested too deeply.
    """
    return identify_bytes(write_canonical(document))


def write_canonical(document: Any) -> bytes:
    """Return a decoded document as JSON: sorted names, no spaces, ASCII, by the standard library on every machine.

    Raises:
        ValueError: it is nested too deeply.
    """
    try:
        return json.dumps(document, sort_keys=True, separators=(",", ":")).encode()
    except RecursionError:
        raise ValueError("nested too deeply") from None


def identify_step(operation_id: str, phase: str | None, status: str | None, cause: str | None) -> str:
    """Return the identity of a step of a command, which has no other contents that matter."""
    return identify_document(["remote", operation_id, phase, status, cause])


def identify_bytes(content: bytes) -> str:
    """Return the identity of a body that is no event."""
    return blake2b(content, digest_size=_SIZE).hexdigest()
