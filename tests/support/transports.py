"""Transports that stand in for a server."""

import re
from collections.abc import Awaitable, Callable
from typing import Any

import anyio
import httpx

__all__ = ["Act", "RewritingTransport", "ScriptedTransport", "edit_json", "kept_fields", "replace_content"]

Act = httpx.Response | BaseException | Callable[[httpx.Request], httpx.Response | Awaitable[httpx.Response]]
"""A response, an error to raise, or a function of the request that returns a response."""


class ScriptedTransport(httpx.AsyncBaseTransport):
    """Responds with one act after the other, repeating the last one; records requests and their times.

    Attributes:
        requests: every request received.
        times: the time of each request, by the backend's clock.
        closed: whether the transport was closed.
        running: requests being handled now.
        most_running: the most requests handled at once.
    """

    def __init__(self, *acts: Act) -> None:
        self.acts = list(acts)
        self.requests: list[httpx.Request] = []
        self.times: list[float] = []
        self.closed = False
        self.running = 0
        self.most_running = 0

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        self.times.append(anyio.current_time())
        act = self.acts.pop(0) if len(self.acts) > 1 else self.acts[0]
        self.running += 1
        self.most_running = max(self.most_running, self.running)
        try:
            if isinstance(act, BaseException):
                raise act
            if isinstance(act, httpx.Response):
                return httpx.Response(act.status_code, headers=act.headers, content=act.content)
            response = act(request)
            return response if isinstance(response, httpx.Response) else await response
        finally:
            self.running -= 1

    async def aclose(self) -> None:
        self.closed = True

    @property
    def hosts(self) -> set[str]:
        """Hosts of the requests."""
        return {request.url.host for request in self.requests}

    @property
    def heads(self) -> list[bytes]:
        """Request line and header of each request, as written to the socket."""
        return [
            b"\n".join([request.method.encode() + b" " + request.url.raw_path, *map(b": ".join, request.headers.raw)])
            for request in self.requests
        ]


class RewritingTransport(httpx.AsyncBaseTransport):
    """Passes requests on, rewrites the responses of matching paths, and records every URL."""

    def __init__(
        self, inner: httpx.AsyncBaseTransport, path: str, rewrite: Callable[[httpx.Response], httpx.Response]
    ) -> None:
        self._inner = inner
        self._path = re.compile(path)
        self._rewrite = rewrite
        self.urls: list[httpx.URL] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.urls.append(request.url)
        response = await self._inner.handle_async_request(request)
        if not self._path.search(request.url.path):
            return response
        await response.aread()
        await response.aclose()
        return self._rewrite(response)


def edit_json(edit: Callable[[Any], Any]) -> Callable[[httpx.Response], httpx.Response]:
    """Return a function that edits a response's JSON and keeps its status and header."""

    def rewrite(response: httpx.Response) -> httpx.Response:
        return httpx.Response(response.status_code, headers=kept_fields(response), json=edit(response.json()))

    return rewrite


def replace_content(
    content: bytes, *, content_type: str = "application/hal+json", status: int = 200
) -> Callable[[httpx.Response], httpx.Response]:
    """Return a function that replaces a response by these bytes."""
    return lambda response: httpx.Response(status, headers={"content-type": content_type}, content=content)


def kept_fields(response: httpx.Response) -> dict[str, str]:
    """Return the header without the fields that describe the encoded bytes."""
    return {
        name: value for name, value in response.headers.items() if name not in {"content-length", "content-encoding"}
    }
