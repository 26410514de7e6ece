"""Servers that limit requests and state nothing about it, as functions of a request, by the backend's clock."""

from collections import deque
from collections.abc import Awaitable, Callable

import anyio
import httpx

__all__ = ["HaproxyRequestRate", "LimitingServer", "NginxLimitReq", "SlidingWindow"]


class LimitingServer:
    """A server that admits or refuses requests; records when.

    Attributes:
        served: instants of the requests admitted.
        refused: instants of the requests refused.
    """

    def __init__(
        self, admit: Callable[[float], float | None], *, retry_after: str | None = None, latency: float = 0.02
    ) -> None:
        self.admit = admit
        self.retry_after = retry_after
        self.latency = latency
        self.served: list[float] = []
        self.refused: list[float] = []

    def __call__(self, request: httpx.Request) -> Awaitable[httpx.Response]:
        return self._respond()

    async def _respond(self) -> httpx.Response:
        await anyio.sleep(self.latency / 2)
        now = anyio.current_time()
        delay = self.admit(now)
        if delay is None:
            self.refused.append(now)
            await anyio.sleep(self.latency / 2)
            return httpx.Response(429, headers={} if self.retry_after is None else {"Retry-After": self.retry_after})
        self.served.append(now)
        await anyio.sleep(delay + self.latency / 2)
        return httpx.Response(200, json={})


class NginxLimitReq:
    """``limit_req`` of nginx: a leaky bucket; what exceeds the rate is delayed, what exceeds the burst is refused."""

    def __init__(self, rate: float, burst: int, *, nodelay: bool = False) -> None:
        self.rate = rate
        self.burst = burst
        self.nodelay = nodelay
        self.excess = 0.0
        self.latest: float | None = None

    def __call__(self, now: float) -> float | None:
        excess = 0.0 if self.latest is None else max(0.0, self.excess - self.rate * (now - self.latest) + 1)
        if excess > self.burst:
            return None
        self.excess, self.latest = excess, now
        return 0.0 if self.nodelay else excess / self.rate


class SlidingWindow:
    """A strict window, as one of Lua in a shared dictionary."""

    def __init__(self, limit: int, span: float, *, counts_refused: bool = False) -> None:
        self.limit = limit
        self.span = span
        self.counts_refused = counts_refused
        self.window: deque[float] = deque()

    def __call__(self, now: float) -> float | None:
        window = self.window
        while window and window[0] <= now - self.span:
            window.popleft()
        is_full = len(window) >= self.limit
        if not is_full or self.counts_refused:
            window.append(now)
        return None if is_full else 0.0


class HaproxyRequestRate:
    """``http_req_rate`` of haproxy: the present period and the rest of the one before it; refused requests count."""

    def __init__(self, limit: int, period: float) -> None:
        self.limit = limit
        self.period = period
        self.began = 0.0
        self.present = self.before = 0

    def __call__(self, now: float) -> float | None:
        passed = now - self.began
        if passed >= self.period:
            self.before = self.present if passed < 2 * self.period else 0
            self.began = self.began + self.period if passed < 2 * self.period else now
            self.present = 0
        self.present += 1
        rest = 1 - (now - self.began) / self.period
        return None if int(self.present + self.before * rest) > self.limit else 0.0
