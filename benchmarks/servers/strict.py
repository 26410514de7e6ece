"""A server with a strict limit: ``python -m benchmarks.servers.strict --profile J1 --limit 100``.

Counts each request after an inbound delay, refuses a request beyond the limit within any second, and responds after an
outbound delay. ``/figures`` returns the times of the served requests and the number of refused ones.
"""

from __future__ import annotations

import argparse
import asyncio
import collections
import json
import random
import time
from collections.abc import Callable
from typing import ClassVar

__all__ = ["DELAYS", "StrictServer"]

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

    def later(self, seconds: float, function: Callable[..., None], *args: object) -> None:
        if seconds:
            asyncio.get_running_loop().call_later(seconds, function, *args)
        else:
            function(*args)

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


async def _serve(options: argparse.Namespace) -> None:
    StrictServer.limit = options.limit
    StrictServer.delays = DELAYS[options.profile]
    server = await asyncio.get_running_loop().create_server(StrictServer, "127.0.0.1", 0)
    print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--profile", required=True, choices=DELAYS)
    parser.add_argument("--limit", type=int, default=100)
    asyncio.run(_serve(parser.parse_args()))
