"""Knows how to serve the vendor as an ASGI application.

Must not know what is answered. Over a socket no application can refuse a connection or reset it before the headers:
such faults show as an answer that breaks off within its body.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import TYPE_CHECKING, Any

import anyio

from stellantis_hal.simulator.api.messages import Request, Response
from stellantis_hal.simulator.faults.kinds import CutBody, Delay, Fault, Refused, Reset, SlowBody, WrongLength

if TYPE_CHECKING:
    from stellantis_hal.simulator.simulator import Simulator

__all__ = ["Application"]

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


class Application:
    """An ASGI application that ends in a simulator."""

    def __init__(self, simulator: Simulator) -> None:
        self._simulator = simulator

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or follow the server's life."""
        if scope["type"] == "lifespan":
            await _live(receive, send)
        elif scope["type"] == "http":
            await self._answer(await _call(scope, receive), send)
        else:
            raise ValueError(f"The simulator does not speak {scope['type']}.")

    async def _answer(self, call: Request, send: Send) -> None:
        simulator = self._simulator
        with simulator.vendor.under_way():
            fault, latency = simulator.meet(call)
            if isinstance(fault, Delay):
                latency += fault.seconds
            if latency:
                await anyio.sleep(latency / 2)
            reply = Response(status=200)
            if not (isinstance(fault, Refused) or (isinstance(fault, Reset) and not fault.counted)):
                reply = simulator.answer(call, fault)
            if latency:
                await anyio.sleep(latency / 2)
            await _deliver(reply, fault, call.method, send)


async def _deliver(reply: Response, fault: Fault | None, method: str, send: Send) -> None:
    broken = isinstance(fault, Refused | Reset)
    length = len(reply.body)
    if broken:
        length = 1
    elif isinstance(fault, WrongLength):
        length = max(0, length + fault.off)
    headers = [(name.lower().encode(), value.encode()) for name, value in reply.headers]
    headers.append((b"content-length", str(length).encode()))
    await send({"type": "http.response.start", "status": reply.status, "headers": headers})
    if broken:
        return
    body = b"" if method == "HEAD" else reply.body
    if isinstance(fault, CutBody):
        await send({"type": "http.response.body", "body": body[: int(length * fault.keep)], "more_body": True})
        return
    if isinstance(fault, WrongLength):
        await send({"type": "http.response.body", "body": body[:length], "more_body": fault.off > 0})
        return
    if isinstance(fault, SlowBody):
        size = max(1, -(-length // fault.pieces))
        for start in range(0, length, size):
            await anyio.sleep(fault.seconds)
            await send({"type": "http.response.body", "body": body[start : start + size], "more_body": True})
        body = b""
    await send({"type": "http.response.body", "body": body, "more_body": False})


async def _call(scope: Scope, receive: Receive) -> Request:
    body = b""
    more = True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
    raw = scope.get("raw_path") or scope["path"].encode()
    return Request(
        method=scope["method"],
        path=raw.partition(b"?")[0].decode("latin-1"),
        query=scope["query_string"].decode("latin-1"),
        headers=headers,
        body=body,
        origin=f"{scope.get('scheme', 'http')}://{headers.get('host', 'localhost')}",
    )


async def _live(receive: Receive, send: Send) -> None:
    while True:
        message = await receive()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return
