"""Adapter for httpx's authentication flows."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import httpx

from stellantis_hal.errors import AuthError
from stellantis_hal.hal.redaction import mask_url
from stellantis_hal.navigation.fetch_protocol import Response
from stellantis_hal.navigation.streamed_request_bodies import Content, StreamedRequestBody
from stellantis_hal.transport.bounded_backend import OutgoingRequest
from stellantis_hal.transport.network_errors import to_network_error, unreadable_body

__all__ = ["send_with_auth"]

# Separates challenges in joined WWW-Authenticate fields (RFC 9110 section 11.6.1).
_CHALLENGES = re.compile(r",\s*(?=[A-Za-z][A-Za-z0-9_-]*\s+[A-Za-z0-9_-]+\s*=)")
# These no longer describe the body once it is decompressed and whole.
_BODY_HEADERS = frozenset({"content-encoding", "content-length", "transfer-encoding"})


async def send_with_auth(
    auth: httpx.Auth, request: OutgoingRequest, send: Callable[[OutgoingRequest], Awaitable[Response]]
) -> Response:
    """Send every request that an authentication flow makes of one; return the last response.

    Args:
        auth: any of httpx's flows.
        request: without credentials.
        send: sends one request, if its origin is trusted.

    Raises:
        AuthError: the flow cannot use the server's challenge.
        NetworkError: the URL cannot be parsed.
    """
    url, body = request.shown_url, request.content
    if isinstance(body, StreamedRequestBody) and auth.requires_request_body:
        body = await _read(body, url)
    try:
        unsigned = httpx.Request(request.method, request.url, headers=request.headers, **_content(body))
    except httpx.InvalidURL as error:
        raise to_network_error(error, url) from error
    flow = auth.async_auth_flow(unsigned)
    try:
        signed = await anext(flow)
        while True:
            content = signed.stream.body if isinstance(signed.stream, _Streamed) else signed.content
            response = await send(
                OutgoingRequest(signed.method, str(signed.url), dict(signed.headers.items()), content, url)
            )
            if isinstance(content, StreamedRequestBody) and content.is_spent:
                return response
            try:
                signed = await flow.asend(_to_httpx(response, signed))
            except StopAsyncIteration:
                return response
            except (LookupError, ValueError, httpx.HTTPError) as error:  # raised by httpx's own on odd challenges
                raise AuthError(
                    f"{mask_url(url)} answered {response.status} with a challenge that {type(auth).__name__} does "
                    f"not understand ({type(error).__name__})"
                ) from error
    finally:
        await flow.aclose()


class _Streamed(httpx.AsyncByteStream):
    """A body that is not read before it is sent."""

    def __init__(self, body: StreamedRequestBody) -> None:
        self.body = body

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self.body.open()


async def _read(body: StreamedRequestBody, url: str) -> bytes:
    reader = body.open()
    try:
        return b"".join([chunk async for chunk in reader])
    except Exception as error:
        raise unreadable_body(error, url, sent=False) from error
    finally:
        reader.close()


def _content(content: Content | None) -> dict[str, Any]:
    return {"stream": _Streamed(content)} if isinstance(content, StreamedRequestBody) else {"content": content}


def _to_httpx(response: Response, request: httpx.Request) -> httpx.Response:
    # As bytes: httpx takes no text but ASCII, and a server may send any bytes.
    headers = [
        (name.encode(errors="surrogateescape"), value.encode(errors="surrogateescape"))
        for name, joined in response.headers.items()
        if name not in _BODY_HEADERS
        for value in (_CHALLENGES.split(joined) if name == "www-authenticate" else [joined])
    ]
    return httpx.Response(response.status, headers=headers, content=response.content, request=request)
