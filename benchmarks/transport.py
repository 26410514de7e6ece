"""A GET through the session against the same without any of our layers: ``python benchmarks/transport.py``.

One run, rounds of all candidates interleaved, medians. The server is a process of its own, a protocol by hand. What is
compared: the session on its own wire and over the transport of the httpx-aiohttp package; that transport called
directly; bare aiohttp; ``httpx.AsyncClient``. Each reads the whole body; CPU is that of the client's process.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack

import aiohttp
import anyio
import httpx
import httpx_aiohttp

from stellantis_hal.navigation.fetch import Answer, Request
from stellantis_hal.navigation.origins import Origins
from stellantis_hal.transport.limiter import TokenBucketLimiter
from stellantis_hal.transport.limits import RateLimits
from stellantis_hal.transport.session import Session

FIELDS = {
    "accept": "application/hal+json",
    "authorization": "Bearer 0123456789abcdef",
    "x-introspect-realm": "clientsB2CPeugeot",
    "user-agent": "benchmark",
}
QUERY = "client_id=0123456789"
Get = Callable[[], Awaitable[object]]


class Credentials:
    """What an account attaches."""

    query = QUERY

    async def headers(self) -> Mapping[str, str]:
        """Give the bearer and the realm."""
        return {"Authorization": FIELDS["authorization"], "x-introspect-realm": FIELDS["x-introspect-realm"]}

    async def refused(self, answer: Answer, sent: Mapping[str, str], /) -> bool:
        """Know no better."""
        return False


class Server(asyncio.Protocol):
    """Answers whatever comes with the same document."""

    answer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the connection."""
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        """Answer each request in it."""
        self.transport.write(self.answer * data.count(b"\r\n\r\n"))


async def serve(size: int) -> None:
    """Say the port on standard output, then serve until killed."""
    body = b'{"_links":{"self":{"href":"/"}},"x":"' + b"x" * (size - 40) + b'"}'
    head = (
        "HTTP/1.1 200 OK\r\nContent-Type: application/hal+json\r\nX-RateLimit-Limit-1: 100000000\r\n"
        "X-RateLimit-Remaining-1: 90000000\r\nX-RateLimit-Limit-2: 10000000\r\nX-RateLimit-Remaining-2: 9000000\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    Server.answer = head.encode() + body
    server = await asyncio.get_running_loop().create_server(Server, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


async def candidates(url: str, stack: AsyncExitStack) -> dict[str, Get]:
    """Make each way to get the document."""
    limits = httpx.Limits(max_connections=100, max_keepalive_connections=100)
    direct = await stack.enter_async_context(httpx_aiohttp.AiohttpTransport(limits=limits))
    bare = await stack.enter_async_context(aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=100)))
    plain = await stack.enter_async_context(httpx.AsyncClient(limits=limits))
    generous = RateLimits(10_000_000, 100_000_000)
    ours = await stack.enter_async_context(Session(Origins(url), limiter=TokenBucketLimiter(generous)))
    over = await stack.enter_async_context(
        Session(Origins(url), transport=direct, limiter=TokenBucketLimiter(generous))
    )
    own, injected = ours.caller(credentials=Credentials()), over.caller(credentials=Credentials())
    request = Request(url=url)
    full = f"{url}?{QUERY}"

    async def by_transport() -> object:
        response = await direct.handle_async_request(httpx.Request("GET", full, headers=FIELDS))
        body = await response.aread()
        await response.aclose()
        return body

    async def by_aiohttp() -> object:
        async with bare.get(full, headers=FIELDS) as response:
            return await response.read()

    async def by_client() -> object:
        return (await plain.get(full, headers=FIELDS)).content

    return {
        "httpx-aiohttp's transport, direct": by_transport,
        "session": lambda: own(request),
        "session over that transport": lambda: injected(request),
        "bare aiohttp": by_aiohttp,
        "httpx.AsyncClient": by_client,
    }


async def measure(url: str, *, tasks: int, count: int, rounds: int) -> None:
    """Print medians for so many tasks."""
    async with AsyncExitStack() as stack:
        gets = await candidates(url, stack)
        cpu: dict[str, list[float]] = {name: [] for name in gets}
        rate: dict[str, list[float]] = {name: [] for name in gets}
        for round_ in range(rounds + 1):
            for name, get in gets.items():
                few = max(tasks, count // 10) if name == "httpx.AsyncClient" else count
                left = [few]

                async def work(get: Get = get, left: list[int] = left) -> None:
                    while left[0] > 0:
                        left[0] -= 1
                        await get()

                used, start = time.process_time(), time.perf_counter()
                async with anyio.create_task_group() as group:
                    for _ in range(tasks):
                        group.start_soon(work)
                if round_:  # the first one warms up
                    cpu[name].append((time.process_time() - used) / few * 1e6)
                    rate[name].append(few / (time.perf_counter() - start))
    reference = statistics.median(cpu["httpx-aiohttp's transport, direct"])
    for name in gets:
        own = statistics.median(cpu[name])
        speed = statistics.median(rate[name])
        print(f"{tasks:4d} tasks  {name:34s} {own:8.0f} us CPU  {speed:8.0f}/s  {reference / own:5.2f} of direct")


def main() -> None:
    """Measure with 1, 100 and 500 tasks."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=2000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--size", type=int, default=2000)
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        asyncio.run(serve(options.size))
        return
    command = [sys.executable, __file__, "--serve", "--size", str(options.size)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            url = f"http://127.0.0.1:{server.stdout.readline().strip()}/user/vehicles"
            for tasks in (1, 100, 500):

                async def one(tasks: int = tasks) -> None:
                    await measure(url, tasks=tasks, count=options.count, rounds=options.rounds)

                anyio.run(one)
        finally:
            server.kill()


if __name__ == "__main__":
    main()
