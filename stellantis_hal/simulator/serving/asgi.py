"""ASGI application of the simulator.

An ASGI application can neither refuse a connection nor reset it before the headers: these faults appear as a response
that breaks off within its body.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

import anyio

from stellantis_hal.simulator.api.http_messages import Request, Response
from stellantis_hal.simulator.faults.kinds import ConnectionRefused, CutBody, Delay, Fault, Reset, SlowBody, WrongLength
from stellantis_hal.simulator.serving.simulator_protocol import ServableSimulator

__all__ = ["AsgiApplication"]

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


class AsgiApplication:
    """An ASGI application for a simulator."""

    def __init__(self, simulator: ServableSimulator) -> None:
        self._simulator = simulator

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request or the lifespan of the server."""
        if scope["type"] == "lifespan":
            await _run_lifespan(receive, send)
        elif scope["type"] == "http":
            await self._handle(await _to_request(scope, receive), send)
        else:
            raise ValueError(f"ASGI scope type must be 'http' or 'lifespan', not {scope['type']!r}")

    async def _handle(self, request: Request, send: Send) -> None:
        simulator = self._simulator
        with simulator.gateway.in_flight():
            fault, latency = simulator.draw_fault(request)
            if isinstance(fault, Delay):
                latency += fault.seconds
            if latency:
                await anyio.sleep(latency / 2)
            response = Response(status=200)
            if not (isinstance(fault, ConnectionRefused) or (isinstance(fault, Reset) and not fault.counted)):
                response = simulator.respond(request, fault)
            if latency:
                await anyio.sleep(latency / 2)
            await _send_response(response, fault, request.method, send)


async def _send_response(response: Response, fault: Fault | None, method: str, send: Send) -> None:
    broken = isinstance(fault, ConnectionRefused | Reset)
    length = len(response.body)
    if broken:
        length = 1
    elif isinstance(fault, WrongLength):
        length = max(0, length + fault.off)
    headers = [(name.lower().encode(), value.encode()) for name, value in response.headers]
    headers.append((b"content-length", str(length).encode()))
    await send({"type": "http.response.start", "status": response.status, "headers": headers})
    if broken:
        return
    body = b"" if method == "HEAD" else response.body
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


async def _to_request(scope: Scope, receive: Receive) -> Request:
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


async def _run_lifespan(receive: Receive, send: Send) -> None:
    while True:
        message = await receive()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return
