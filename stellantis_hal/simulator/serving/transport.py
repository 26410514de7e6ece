"""In-process httpx transport with simulated latency, timeouts and broken connections."""

from __future__ import annotations

import math
from collections.abc import AsyncIterator

import anyio
import httpx

from stellantis_hal.simulator.api.http_messages import Request, Response
from stellantis_hal.simulator.faults.kinds import ConnectionRefused, CutBody, Delay, Fault, Reset, SlowBody, WrongLength
from stellantis_hal.simulator.serving.simulator_protocol import ServableSimulator

__all__ = ["SimulatorTransport"]

_BROKEN = "peer closed connection without sending complete message body"
_TOO_LATE = "The read operation timed out"


class SimulatorTransport(httpx.AsyncBaseTransport):
    """An httpx transport for a simulator. Connections to other hosts are refused."""

    def __init__(self, simulator: ServableSimulator) -> None:
        self._simulator = simulator

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Return the simulator's response, or raise httpx's error for a simulated network failure."""
        simulator = self._simulator
        if not simulator.serves(request.url.host):
            raise httpx.ConnectError("Name or service not known", request=request)
        incoming = _to_request(request, await request.aread())
        await anyio.lowlevel.checkpoint()
        with simulator.gateway.in_flight():
            fault, latency = simulator.draw_fault(incoming)
            if isinstance(fault, ConnectionRefused):
                raise httpx.ConnectError("Connection refused", request=request)
            if isinstance(fault, Delay):
                latency += fault.seconds
            read_timeout = _read_timeout(request)
            arrival = min(latency / 2, read_timeout)
            await _sleep(arrival)
            outgoing = None
            if latency / 2 <= read_timeout and not (isinstance(fault, Reset) and not fault.counted):
                outgoing = simulator.respond(incoming, fault)
            await _sleep(min(latency, read_timeout) - arrival)
            if latency > read_timeout:
                raise httpx.ReadTimeout(_TOO_LATE, request=request)
            if outgoing is None or isinstance(fault, Reset):
                raise httpx.ReadError("Connection reset by peer", request=request)
            return _to_httpx_response(outgoing, fault, request)


def _read_timeout(request: httpx.Request) -> float:
    """Return the request's read timeout in seconds; inf where it has none."""
    seconds = request.extensions.get("timeout", {}).get("read")
    return math.inf if seconds is None else float(seconds)


async def _sleep(seconds: float) -> None:
    if seconds > 0:
        await anyio.sleep(seconds)


def _to_request(request: httpx.Request, body: bytes) -> Request:
    path, _, query = request.url.raw_path.decode("ascii").partition("?")
    return Request(
        method=request.method,
        path=path,
        query=query,
        headers={name.lower(): value for name, value in request.headers.items()},
        body=body,
        origin=f"{request.url.scheme}://{request.url.netloc.decode('ascii')}",
    )


def _to_httpx_response(outgoing: Response, fault: Fault | None, request: httpx.Request) -> httpx.Response:
    length = len(outgoing.body) + (fault.off if isinstance(fault, WrongLength) else 0)
    headers = [*outgoing.headers, ("Content-Length", str(max(0, length)))]
    if isinstance(fault, CutBody | SlowBody | WrongLength):
        stream = _Stream(outgoing.body, fault, request)
        return httpx.Response(outgoing.status, headers=headers, stream=stream, request=request)
    body = b"" if request.method == "HEAD" else outgoing.body
    return httpx.Response(outgoing.status, headers=headers, stream=httpx.ByteStream(body), request=request)


class _Stream(httpx.AsyncByteStream):
    """A slow or incomplete body."""

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
                read_timeout = _read_timeout(self._request)
                await _sleep(min(fault.seconds, read_timeout))
                if fault.seconds > read_timeout:
                    raise httpx.ReadTimeout(_TOO_LATE, request=self._request)
                yield self._body[start : start + size]
