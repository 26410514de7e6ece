"""A fast simulated API in its own process, over loopback: ``python -m benchmarks.servers.simulated``.

The simulator takes milliseconds to make a page, and a benchmark that requests a page again would measure that. So the
first response to a request comes from the simulator, and the next ones to the same bytes are copies. Requests that the
API does not have change the server: ``/wait/0.05`` sets the latency of all further responses, ``/news/1`` lets each
status have new values, ``/news/0`` ends that.
"""

from __future__ import annotations

import argparse
import asyncio
import gzip
import itertools
import json
from pathlib import Path

import attrs

from benchmarks.servers.certificates import server_context
from benchmarks.servers.changing import Changing
from stellantis_hal import Brand
from stellantis_hal.simulator import Simulator, SubscriptionLimits, World
from stellantis_hal.simulator.api.http_messages import Request

_END = b"\r\n\r\n"
_LIFETIME = 7 * 86_400.0


@attrs.define
class _State:
    """What all connections share."""

    simulator: Simulator
    compresses: bool = False
    wait: float = 0.0
    has_news: bool = False
    copies: dict[bytes, bytes] = attrs.field(factory=dict[bytes, bytes])
    templates: dict[bytes, tuple[bytes, Changing]] = attrs.field(factory=dict[bytes, tuple[bytes, Changing]])
    numbers: itertools.count[int] = attrs.field(factory=itertools.count)


class _Protocol(asyncio.Protocol):
    """HTTP/1.1 for GET only; copies are stored by the whole head of their request."""

    def __init__(self, state: _State) -> None:
        self._state = state
        self._buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while _END in self._buffer:
            head, _, self._buffer = self._buffer.partition(_END)
            response = self._respond(head)
            if self._state.wait:
                asyncio.get_running_loop().call_later(self._state.wait, self._write, response)
            else:
                self._transport.write(response)

    def _write(self, response: bytes) -> None:
        if not self._transport.is_closing():
            self._transport.write(response)

    def _respond(self, head: bytes) -> bytes:
        state = self._state
        response = state.copies.get(head) or self._render(head)
        if not state.has_news or b"/status?" not in head[: head.index(b"\r")]:
            return response
        template = state.templates.get(head)
        if template is None:
            template = state.templates[head] = _to_template(response)
        start, body = template
        return start + body.render(next(state.numbers))

    def _render(self, head: bytes) -> bytes:
        state = self._state
        first, *lines = head.decode("latin-1").split("\r\n")
        method, target, _ = first.split(" ")
        path, _, query = target.partition("?")
        if path.startswith("/wait/"):
            state.wait = float(path.removeprefix("/wait/"))
            return b"HTTP/1.1 204 No Content\r\n\r\n"
        if path.startswith("/news/"):
            state.has_news = path == "/news/1"
            return b"HTTP/1.1 204 No Content\r\n\r\n"
        fields = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
        origin = f"{'http' if self._transport.get_extra_info('sslcontext') is None else 'https'}://{fields['host']}"
        simulated = state.simulator.respond(
            Request(method=method, path=path, query=query, headers=fields, origin=origin)
        )
        body, coding = simulated.body, ""
        if state.compresses and "gzip" in fields.get("accept-encoding", ""):
            body, coding = gzip.compress(body), "Content-Encoding: gzip\r\n"
        headers = "".join(f"{name}: {value}\r\n" for name, value in simulated.headers)
        start = f"HTTP/1.1 {simulated.status} .\r\n{headers}{coding}Content-Length: {len(body)}\r\n\r\n"
        response = start.encode("latin-1") + body
        if simulated.status == 200:
            state.copies[head] = response
        return response


def _to_template(response: bytes) -> tuple[bytes, Changing]:
    """Return the head of a response, with the length of the changing body, and the body."""
    start, _, content = response.partition(_END)
    body = Changing(content)
    lines = [line for line in start.split(b"\r\n") if not line.lower().startswith(b"content-length:")]
    return b"\r\n".join([*lines, b"Content-Length: %d" % len(body.render(0))]) + _END, body


async def _serve(options: argparse.Namespace) -> None:
    world = World(seed=options.seed, accounts=options.accounts, vehicles=options.vehicles, trips=options.trips)
    limits = SubscriptionLimits(per_second=1_000_000, per_day=1_000_000_000)
    simulator = Simulator(world, rate_limits=limits, token_lifetime=_LIFETIME)
    state = _State(simulator, compresses=options.gzip)
    context = None if options.tls is None else server_context(options.tls, mutual=options.mutual)
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: _Protocol(state), "127.0.0.1", 0, backlog=2048, ssl=context)
    port = server.sockets[0].getsockname()[1]
    simulator.set_origin(f"http://127.0.0.1:{port}" if context is None else f"https://localhost:{port}")
    accounts: list[dict[str, object]] = []
    for account in world.accounts:
        issued = simulator.token_for(account)
        brand = next(brand for brand in Brand if brand.domain == account.domain)
        accounts.append(
            {
                "key": account.key,
                "brand": brand.value,
                "realm": brand.realm,
                "token": issued.access_token,
                "expires": issued.expires_at.timestamp(),
            }
        )
    address = {"url": simulator.url, "identity": simulator.identity_url, "client_id": simulator.client_id}
    vehicle = world.vehicles_of(world.accounts[0].key)[0].id
    print(json.dumps({**address, "vehicle": vehicle, "accounts": accounts}), flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    for name in ("accounts", "vehicles", "trips", "seed"):
        parser.add_argument(f"--{name}", type=int, default=1)
    parser.add_argument("--gzip", action="store_true", help="compress bodies")
    parser.add_argument("--tls", type=Path, help="folder of certificates")
    parser.add_argument("--mutual", action="store_true", help="ask for a client certificate")
    asyncio.run(_serve(parser.parse_args()))
