"""Requests to a receiver, for tests."""

from __future__ import annotations

from collections.abc import MutableMapping, Sequence
from typing import Any

import anyio.lowlevel

from stellantis_hal.notifications import Receiver

PATH = "/st/k3Jx0v"
TOKEN = "s3cr3t"

Pieces = bytes | Sequence[bytes | None]


async def post(
    receiver: Receiver,
    content: Pieces,
    *,
    path: str = PATH,
    method: str = "POST",
    headers: dict[str, str] | None = None,
    query: bytes = b"",
    root_path: str = "",
) -> int | None:
    """Send a body in pieces, None among them for a sender that goes away; return the status, None without one."""
    pieces = [content] if isinstance(content, bytes) else list(content)
    sent: list[MutableMapping[str, Any]] = []

    async def receive() -> MutableMapping[str, Any]:
        await anyio.lowlevel.checkpoint()
        piece = pieces.pop(0)
        if piece is None:
            return {"type": "http.disconnect"}
        return {"type": "http.request", "body": piece, "more_body": bool(pieces)}

    async def send(event: MutableMapping[str, Any]) -> None:
        sent.append(event)

    scope = {
        "type": "http",
        "method": method,
        "path": path,
        "root_path": root_path,
        "query_string": query,
        "headers": [(name.lower().encode(), value.encode()) for name, value in (headers or {}).items()],
    }
    await receiver(scope, receive, send)
    if not sent:
        return None
    assert [event["type"] for event in sent] == ["http.response.start", "http.response.body"]
    return int(sent[0]["status"])
