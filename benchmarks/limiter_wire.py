"""The limiter against a strict sliding window over sockets: no 429, and a high utilisation of the window.

Run it as ``python benchmarks/limiter_wire.py [--seconds 30] [--tasks 1000] [--limit 100]``. A server in its own
process counts each request after an inbound delay, refuses a request beyond the limit within any second, and responds
after an outbound delay. Utilisation is the mean over all sliding windows of 10 s (or of a third of a shorter run) of
the requests served in them.
"""

from __future__ import annotations

import argparse
import asyncio
import collections
import json
import random
import subprocess
import sys
import time
from typing import ClassVar

import anyio

from stellantis_hal.errors import StellantisError
from stellantis_hal.navigation.fetch import Request
from stellantis_hal.navigation.origins import Origins
from stellantis_hal.transport.rate_limit.limiter import TokenBucketLimiter
from stellantis_hal.transport.rate_limit.protocol import RateLimits
from stellantis_hal.transport.session import Session

# Inbound and outbound delay in seconds, least and most of each. S2 and S5 are slow answers, L2 and L5 as slow ones of a
# server that counts arrivals up to 100 ms late.
DELAYS = {
    "J0": (0.0, 0.0, 0.0, 0.0),
    "J1": (0.025, 0.025, 0.025, 0.025),
    "J2": (0.015, 0.035, 0.015, 0.035),
    "J3": (0.005, 0.045, 0.020, 0.030),
    "S2": (0.0, 0.0, 2.0, 2.0),
    "S5": (0.0, 0.0, 5.0, 5.0),
    "L2": (0.0, 0.1, 2.0, 2.0),
    "L5": (0.0, 0.1, 5.0, 5.0),
}


class StrictServer(asyncio.Protocol):
    """A minimal HTTP/1.1 server, fast enough that its window is the only limit."""

    limit = 100
    delays = DELAYS["J0"]
    window: ClassVar[collections.deque[float]] = collections.deque()
    served: ClassVar[list[float]] = []
    refused = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self.buffer = b""

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        while b"\r\n\r\n" in self.buffer:
            head, _, self.buffer = self.buffer.partition(b"\r\n\r\n")
            if head.startswith(b"GET /figures"):
                figures = {"served": StrictServer.served, "refused": StrictServer.refused}
                self.respond(b"200 OK", json.dumps(figures).encode())
                continue
            least, most = self.delays[:2]
            self.later(random.uniform(least, most), self.count)

    def later(self, seconds: float, function: object, *args: object) -> None:
        if seconds:
            asyncio.get_running_loop().call_later(seconds, function, *args)  # type: ignore[arg-type]  # any callable
        else:
            function(*args)  # type: ignore[operator]  # any callable

    def count(self) -> None:
        now = time.monotonic()
        window = StrictServer.window
        while window and window[0] <= now - 1.0:
            window.popleft()
        least, most = self.delays[2:]
        if len(window) >= self.limit:
            StrictServer.refused += 1
            self.later(random.uniform(least, most), self.respond, b"429 Too Many Requests", b"", b"Retry-After: 1\r\n")
            return
        window.append(now)
        StrictServer.served.append(now)
        left = self.limit - len(window)
        fields = f"X-RateLimit-Limit-2: {self.limit}\r\nX-RateLimit-Remaining-2: {left}\r\n".encode()
        self.later(random.uniform(least, most), self.respond, b"200 OK", b'{"_links":{}}', fields)

    def respond(self, status: bytes, body: bytes, fields: bytes = b"") -> None:
        if not self.transport.is_closing():
            length = b"Content-Length: %d\r\n" % len(body)
            self.transport.write(b"HTTP/1.1 " + status + b"\r\n" + length + fields + b"\r\n" + body)


async def serve(profile: str, limit: int) -> None:
    """Print the port, then serve until killed."""
    StrictServer.limit = limit
    StrictServer.delays = DELAYS[profile]
    server = await asyncio.get_running_loop().create_server(StrictServer, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


async def measure(url: str, *, seconds: float, tasks: int, limit: int) -> dict[str, float]:
    """Send requests by some tasks for some seconds; return the server's figures."""
    limiter = TokenBucketLimiter(RateLimits(limit, None))
    errors: list[StellantisError] = []
    answers = 0
    async with Session(Origins(url), limiter=limiter) as session:
        fetch = session.pipeline(max_wait=3600.0)

        async def ask() -> None:
            nonlocal answers
            while True:
                try:
                    await fetch(Request(url=f"{url}/thing"))
                    answers += 1
                except StellantisError as error:
                    errors.append(error)
                    return

        async with anyio.create_task_group() as group:
            for _ in range(tasks):
                group.start_soon(ask)
            await anyio.sleep(seconds)
            group.cancel_scope.cancel()
        figures = json.loads((await session.pipeline(limited=False)(Request(url=f"{url}/figures"))).content)
    served: list[float] = figures["served"]
    return {
        "served": len(served),
        "answered": answers,
        "errors": len(errors),
        "429": figures["refused"],
        "utilisation": utilisation(served, limit, min(10.0, seconds / 3), seconds),
    }


def utilisation(served: list[float], limit: int, window: float, seconds: float) -> float:
    """Return the mean share of the limit that was served, over sliding windows 10 ms apart.

    ``served`` are the times of the served requests, ascending; without any, the utilisation is 0.
    """
    if not served:
        return 0.0
    start, end = served[0], served[0] + seconds
    shares: list[float] = []
    first = last = 0
    at = start
    while at + window <= end:
        while first < len(served) and served[first] < at:
            first += 1
        while last < len(served) and served[last] < at + window:
            last += 1
        shares.append((last - first) / (limit * window))
        at += 0.01
    return sum(shares) / len(shares)


def main() -> None:
    """Measure each profile of delays."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--tasks", type=int, default=1000)
    parser.add_argument("--limit", type=int, default=100)
    parser.add_argument("--profiles", default="J0,J1,J2,J3")
    parser.add_argument("--backend", default="asyncio", choices=["asyncio", "trio"])
    parser.add_argument("--serve", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        asyncio.run(serve(options.serve, options.limit))
        return
    for profile in options.profiles.split(","):
        command = [sys.executable, __file__, "--serve", profile, "--limit", str(options.limit)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
            try:
                assert server.stdout is not None
                url = f"http://127.0.0.1:{server.stdout.readline().strip()}"

                async def one(url: str = url) -> dict[str, float]:
                    return await measure(url, seconds=options.seconds, tasks=options.tasks, limit=options.limit)

                figures = anyio.run(one, backend=options.backend)
            finally:
                server.kill()
        print(profile, json.dumps(figures))


if __name__ == "__main__":
    main()
