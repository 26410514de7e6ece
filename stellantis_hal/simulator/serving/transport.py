"""Knows how to hand httpx the vendor without a socket, with everything a network adds: waiting, breaking, truncating.

Must not know what is answered.
"""

from __future__ import annotations

import math
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

import anyio
import httpx

from stellantis_hal.simulator.api.messages import Request, Response
from stellantis_hal.simulator.faults.kinds import CutBody, Delay, Fault, Refused, Reset, SlowBody, WrongLength

if TYPE_CHECKING:
    from stellantis_hal.simulator.simulator import Simulator

__all__ = ["SimulatorTransport"]

_BROKEN = "peer closed connection without sending complete message body"
_TOO_LATE = "The read operation timed out"


class SimulatorTransport(httpx.AsyncBaseTransport):
    """An httpx transport that ends in a simulator. Hosts that are not the simulator's refuse the connection."""

    def __init__(self, simulator: Simulator) -> None:
        self._simulator = simulator

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Answer, or raise what httpx raises when a network fails."""
        simulator = self._simulator
        if not simulator.serves(request.url.host):
            raise httpx.ConnectError("Name or service not known", request=request)
        call = _call(request, await request.aread())
        await anyio.lowlevel.checkpoint()
        with simulator.vendor.under_way():
            fault, latency = simulator.meet(call)
            if isinstance(fault, Refused):
                raise httpx.ConnectError("Connection refused", request=request)
            if isinstance(fault, Delay):
                latency += fault.seconds
            patience = _patience(request)
            arrival = min(latency / 2, patience)
            await _pass(arrival)
            reply = None
            if latency / 2 <= patience and not (isinstance(fault, Reset) and not fault.counted):
                reply = simulator.answer(call, fault)
            await _pass(min(latency, patience) - arrival)
            if latency > patience:
                raise httpx.ReadTimeout(_TOO_LATE, request=request)
            if reply is None or isinstance(fault, Reset):
                raise httpx.ReadError("Connection reset by peer", request=request)
            return _response(reply, fault, request)


def _patience(request: httpx.Request) -> float:
    """Give the reader's read timeout, in seconds."""
    seconds = request.extensions.get("timeout", {}).get("read")
    return math.inf if seconds is None else float(seconds)


async def _pass(seconds: float) -> None:
    if seconds > 0:
        await anyio.sleep(seconds)


def _call(request: httpx.Request, body: bytes) -> Request:
    path, _, query = request.url.raw_path.decode("ascii").partition("?")
    return Request(
        method=request.method,
        path=path,
        query=query,
        headers={name.lower(): value for name, value in request.headers.items()},
        body=body,
        origin=f"{request.url.scheme}://{request.url.netloc.decode('ascii')}",
    )


def _response(reply: Response, fault: Fault | None, request: httpx.Request) -> httpx.Response:
    length = len(reply.body) + (fault.off if isinstance(fault, WrongLength) else 0)
    headers = [*reply.headers, ("Content-Length", str(max(0, length)))]
    if isinstance(fault, CutBody | SlowBody | WrongLength):
        stream = _Stream(reply.body, fault, request)
        return httpx.Response(reply.status, headers=headers, stream=stream, request=request)
    body = b"" if request.method == "HEAD" else reply.body
    return httpx.Response(reply.status, headers=headers, stream=httpx.ByteStream(body), request=request)


class _Stream(httpx.AsyncByteStream):
    """A body that comes slowly, or not whole."""

    def __init__(self, body: bytes, fault: Fault, request: httpx.Request) -> None:
        self._body, self._fault, self._request = body, fault, request

    async def __aiter__(self) -> AsyncIterator[bytes]:
        fault = self._fault
        if isinstance(fault, CutBody):
            yield self._body[: int(len(self._body) * fault.keep)]
            raise httpx.RemoteProtocolError(_BROKEN, request=self._request)
        if isinstance(fault, WrongLength):
            yield self._body[: min(len(self._body), max(0, len(self._body) + fault.off))]
            if fault.off > 0:
                raise httpx.RemoteProtocolError(_BROKEN, request=self._request)
        if isinstance(fault, SlowBody):
            size = max(1, -(-len(self._body) // fault.pieces))
            for start in range(0, len(self._body), size):
                patience = _patience(self._request)
                await _pass(min(fault.seconds, patience))
                if fault.seconds > patience:
                    raise httpx.ReadTimeout(_TOO_LATE, request=self._request)
                yield self._body[start : start + size]
