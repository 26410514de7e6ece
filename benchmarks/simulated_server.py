"""A fast simulated server in its own process, over loopback.

The simulator takes milliseconds to make a page, and a benchmark that requests a page again would measure that. So the
first response to a request comes from the simulator, and the next ones to the same bytes are copies. ``/wait/0.05``
sets the latency of all further responses.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import subprocess
import sys
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime
from pathlib import Path

import attrs

from stellantis_hal import Application, Brand, Token
from stellantis_hal.client.account import Account
from stellantis_hal.client.stellantis_client import StellantisClient
from stellantis_hal.simulator import Simulator, Subscription, World
from stellantis_hal.simulator.api.messages import Request
from stellantis_hal.transport.rate_limit.protocol import RateLimits

__all__ = ["GENEROUS", "AccountHolder", "SimulatedServer", "open_client", "serve_in_process"]

GENEROUS = RateLimits(1_000_000, 1_000_000_000)
"""Limits with capacity to spare, for client and server."""

_END = b"\r\n\r\n"
_LIFETIME = 7 * 86_400.0


@attrs.frozen(kw_only=True)
class AccountHolder:
    """An account holder, with what a client needs."""

    key: str
    domain: str
    realm: str
    token: str
    expires: float


@attrs.frozen(kw_only=True)
class SimulatedServer:
    """URLs of a running server, its account holders, and the first account's first vehicle."""

    url: str
    identity: str
    client_id: str
    vehicle: str
    accounts: tuple[AccountHolder, ...]


class _Protocol(asyncio.Protocol):
    """HTTP/1.1 for GET only; copies are stored by the whole head of their request."""

    def __init__(self, simulator: Simulator, copies: dict[bytes, bytes], wait: list[float]) -> None:
        self._simulator = simulator
        self._copies = copies
        self._wait = wait
        self._buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while _END in self._buffer:
            head, _, self._buffer = self._buffer.partition(_END)
            response = self._copies.get(head) or self._render(head)
            if self._wait[0]:
                asyncio.get_running_loop().call_later(self._wait[0], self._write, response)
            else:
                self._transport.write(response)

    def _write(self, response: bytes) -> None:
        if not self._transport.is_closing():
            self._transport.write(response)

    def _render(self, head: bytes) -> bytes:
        first, *lines = head.decode("latin-1").split("\r\n")
        method, target, _ = first.split(" ")
        if target.startswith("/wait/"):
            self._wait[0] = float(target.partition("?")[0].removeprefix("/wait/"))
            return b"HTTP/1.1 204 No Content\r\n\r\n"
        fields = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
        path, _, query = target.partition("?")
        origin = f"http://{fields['host']}"
        simulated = self._simulator.respond(
            Request(method=method, path=path, query=query, headers=fields, origin=origin)
        )
        headers = "".join(f"{name}: {value}\r\n" for name, value in simulated.headers)
        start = f"HTTP/1.1 {simulated.status} .\r\n{headers}Content-Length: {len(simulated.body)}\r\n\r\n"
        response = start.encode("latin-1") + simulated.body
        if simulated.status == 200:
            self._copies[head] = response
        return response


async def _serve(options: argparse.Namespace) -> None:
    world = World(seed=options.seed, accounts=options.accounts, vehicles=options.vehicles, trips=options.trips)
    limits = Subscription(per_second=GENEROUS.per_second or 0, per_day=GENEROUS.per_day or 0)
    simulator = Simulator(world, rate_limits=limits, token_lifetime=_LIFETIME)
    copies: dict[bytes, bytes] = {}
    wait = [0.0]
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: _Protocol(simulator, copies, wait), "127.0.0.1", 0, backlog=2048)
    simulator.set_origin(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")
    accounts: list[dict[str, object]] = []
    for account in world.accounts:
        issued = simulator.token_for(account)
        accounts.append(
            {
                "key": account.key,
                "domain": account.domain,
                "realm": next(brand for brand in Brand if brand.domain == account.domain).realm,
                "token": issued.access_token,
                "expires": issued.expires_at.timestamp(),
            }
        )
    address = {"url": simulator.url, "identity": simulator.identity_url, "client_id": simulator.client_id}
    vehicle = world.vehicles_of(world.accounts[0].key)[0].id
    print(json.dumps({**address, "vehicle": vehicle, "accounts": accounts}), flush=True)
    await server.serve_forever()


@contextmanager
def serve_in_process(
    *, accounts: int = 1, vehicles: int = 1, trips: int = 0, seed: int = 7
) -> Generator[SimulatedServer]:
    """Run the simulated server in its own process within the block."""
    sizes = {"accounts": accounts, "vehicles": vehicles, "trips": trips, "seed": seed}
    command = [
        sys.executable,
        "-m",
        "benchmarks.simulated_server",
        *(f"--{name}={value}" for name, value in sizes.items()),
    ]
    root = Path(__file__).parent.parent
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=root) as process:
        try:
            assert process.stdout is not None
            address = json.loads(process.stdout.readline())
            holders = tuple(AccountHolder(**holder) for holder in address.pop("accounts"))
            yield SimulatedServer(**address, accounts=holders)
        finally:
            process.kill()


@asynccontextmanager
async def open_client(server: SimulatedServer) -> AsyncGenerator[tuple[StellantisClient, list[Account]]]:
    """Open a client of the server and return it with its accounts."""
    application = Application(server.client_id, "simulated-secret")
    async with StellantisClient(
        application, base_url=server.url, identity_url=server.identity, rate_limits=GENEROUS
    ) as client:
        yield client, [_account(client, holder) for holder in server.accounts]


def _account(client: StellantisClient, holder: AccountHolder) -> Account:
    token = Token(holder.token, expires_at=datetime.fromtimestamp(holder.expires, UTC))
    brand = next(brand for brand in Brand if brand.domain == holder.domain)
    return client.account(token, brand=brand, key=holder.key)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    for name in ("accounts", "vehicles", "trips", "seed"):
        parser.add_argument(f"--{name}", type=int, default=1)
    asyncio.run(_serve(parser.parse_args()))
