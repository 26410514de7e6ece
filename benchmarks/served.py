"""The simulated vendor in a process of its own, over loopback, fast: what it answered once it answers again.

Knows how to start that process, and how to be it. Must not know what is measured. A simulator takes milliseconds to
make a page; a benchmark that asks for the same page again would measure that. So the first request is answered by the
simulator, and the same one, byte for byte, by a copy. ``/wait/0.05`` says how long all answers take from then on.
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
from stellantis_hal.client import Account, StellantisClient
from stellantis_hal.simulator import Simulator, Subscription, World
from stellantis_hal.simulator.api.messages import Request
from stellantis_hal.transport.rate_limit.protocol import RateLimits

__all__ = ["GENEROUS", "Served", "Who", "opened", "served"]

GENEROUS = RateLimits(1_000_000, 1_000_000_000)
"""Limits that never bind, on both sides."""

_END = b"\r\n\r\n"
_LIFETIME = 7 * 86_400.0


@attrs.frozen(kw_only=True)
class Who:
    """An account holder: what a client needs."""

    key: str
    domain: str
    realm: str
    token: str
    expires: float


@attrs.frozen(kw_only=True)
class Served:
    """Where the simulated vendor is, who has accounts, and the first account's first vehicle."""

    url: str
    identity: str
    client_id: str
    vehicle: str
    accounts: tuple[Who, ...]


class _Answering(asyncio.Protocol):
    """HTTP/1.1 by hand, GET alone; copies are known by the whole head of their request."""

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

    def _made(self, head: bytes) -> bytes:
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
    server = await loop.create_server(lambda: _Answering(simulator, copies, wait), "127.0.0.1", 0, backlog=2048)
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
    place = {"url": simulator.url, "identity": simulator.identity_url, "client_id": simulator.client_id}
    vehicle = world.vehicles_of(world.accounts[0].key)[0].id
    print(json.dumps({**place, "vehicle": vehicle, "accounts": accounts}), flush=True)
    await server.serve_forever()


@contextmanager
def served(*, accounts: int = 1, vehicles: int = 1, trips: int = 0, seed: int = 7) -> Generator[Served]:
    """Run the simulated vendor in a process of its own, inside the block."""
    sizes = {"accounts": accounts, "vehicles": vehicles, "trips": trips, "seed": seed}
    command = [sys.executable, "-m", "benchmarks.served", *(f"--{name}={value}" for name, value in sizes.items())]
    root = Path(__file__).parent.parent
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=root) as process:
        try:
            assert process.stdout is not None
            address = json.loads(process.stdout.readline())
            holders = tuple(Who(**who) for who in address.pop("accounts"))
            yield Served(**address, accounts=holders)
        finally:
            process.kill()


@asynccontextmanager
async def opened(place: Served) -> AsyncGenerator[tuple[StellantisClient, list[Account]]]:
    """Open a client of it, and give its accounts."""
    application = Application(place.client_id, "simulated-secret")
    async with StellantisClient(
        application, base_url=place.url, identity_url=place.identity, rate_limits=GENEROUS
    ) as client:
        yield client, [_account(client, who) for who in place.accounts]


def _account(client: StellantisClient, who: Who) -> Account:
    token = Token(who.token, expires_at=datetime.fromtimestamp(who.expires, UTC))
    brand = next(brand for brand in Brand if brand.domain == who.domain)
    return client.account(token, brand=brand, key=who.key)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    for name in ("accounts", "vehicles", "trips", "seed"):
        parser.add_argument(f"--{name}", type=int, default=1)
    asyncio.run(_serve(parser.parse_args()))
