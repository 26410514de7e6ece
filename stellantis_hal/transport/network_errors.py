"""Errors of httpx, aiohttp, the system and TLS mapped to :class:`~stellantis_hal.errors.NetworkError`."""

from __future__ import annotations

import ssl
import sys
import zlib
from collections.abc import Iterator

import anyio
import httpx

from stellantis_hal.errors import NetworkError
from stellantis_hal.hal.redaction import excerpt, mask_url

__all__ = ["is_foreign", "to_network_error"]

_LIBRARIES = frozenset({"aiohttp", "anyio", "asyncio", "h11", "h2", "hpack", "httpcore", "httpx", "idna", "trio"})
_FOREIGN = (OSError, EOFError, ValueError, zlib.error, httpx.HTTPError, httpx.InvalidURL, httpx.StreamError)
_MAX_TEXT = 8_192
_MAX_EXCERPT = 200
# Nothing has left this machine when one of these is raised.
_UNSENT = (
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.PoolTimeout,
    httpx.ProxyError,
    httpx.UnsupportedProtocol,
    httpx.LocalProtocolError,
    httpx.InvalidURL,
    ValueError,
)
# The peer closed the connection: for https, during the handshake.
_CLOSED_BY_PEER = (
    ssl.SSLError,
    ConnectionResetError,
    ConnectionAbortedError,
    EOFError,
    anyio.BrokenResourceError,
    anyio.EndOfStream,
)
# The same request would fail in the same way.
_PERMANENT = (httpx.UnsupportedProtocol, httpx.LocalProtocolError, httpx.InvalidURL, ValueError, RuntimeError)


def is_foreign(error: BaseException) -> bool:
    """Return whether an exception is one that a transport raises when the network or its peer fails.

    Any other (a TypeError in an injected transport, for example) is a bug and is not mapped.
    """
    if isinstance(error, ExceptionGroup):
        return all(is_foreign(each) for each in error.exceptions)
    return (
        isinstance(error, _FOREIGN)
        or type(error) is RuntimeError  # what aiohttp and httpcore raise when they are closed
        or type(error).__module__.partition(".")[0] in _LIBRARIES
    )


def to_network_error(error: BaseException, url: str, *, response_started: bool = False) -> NetworkError:
    """Return the error for a foreign one; raise it ``from`` that.

    Args:
        error: raised by a transport.
        url: the requested URL, without credentials.
        response_started: whether the response's headers had arrived.
    """
    sent = response_started or not _is_unsent(error)
    reason = _tls_fault(error) or _description(error, response_started=response_started, tls=url.startswith("https:"))
    return NetworkError(f"{mask_url(url)}: {reason}", url=url, sent=sent, is_transient=not _is_permanent(error))


def _is_permanent(error: BaseException) -> bool:
    """Return whether a retry cannot help: TLS was refused, or the request itself cannot be sent."""
    return _tls_fault(error) is not None or (isinstance(error, _PERMANENT) and not isinstance(error, OSError))


def _chain(error: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    link: BaseException | None = error
    while link is not None and id(link) not in seen:
        seen.add(id(link))
        yield link
        inner = getattr(link, "os_error", None)  # aiohttp keeps the cause there
        link = inner if isinstance(inner, BaseException) else link.__cause__ or link.__context__


def _is_unsent(error: BaseException) -> bool:
    if not isinstance(error, _UNSENT):
        return False
    # httpx-aiohttp raises ConnectTimeout for a connection that broke after sending, too. Only its cause differs.
    aiohttp = sys.modules.get("aiohttp")
    cause = error.__cause__
    if aiohttp is None or not isinstance(cause, aiohttp.ClientError):
        return True
    return not isinstance(cause, aiohttp.ClientConnectionError) or isinstance(
        cause, (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError)
    )


def _tls_fault(error: BaseException) -> str | None:
    for link in _chain(error):
        if isinstance(link, ssl.SSLCertVerificationError):
            inner = getattr(link, "certificate_error", link)
            return (
                f"the server's certificate is not trusted ({getattr(inner, 'verify_message', 'it does not fit')}). "
                "Is this the right host, and does the CA bundle given know its issuer?"
            )
        reason = getattr(link, "reason", None) if isinstance(link, ssl.SSLError) else None
        if reason and "ALERT" in str(reason).upper():
            return (
                f"the server refused the TLS handshake ({reason}). A host with mutual TLS requires the client "
                "certificate registered for this application; other hosts take none."
            )
    return None


def _description(error: BaseException, *, response_started: bool, tls: bool) -> str:
    words = excerpt(" ".join(str(error)[:_MAX_TEXT].split()), _MAX_EXCERPT)
    detail = f"{type(error).__name__}: {words}" if words else type(error).__name__
    if isinstance(error, (httpx.TimeoutException, TimeoutError)):
        return f"no response in time ({detail})"
    if response_started:
        return f"the response broke off ({detail})"
    hint = ". A host that requires a client certificate may refuse the connection in this way" if tls else ""
    if not _is_unsent(error):
        return f"the connection broke before a response arrived ({detail}){hint}"
    if any(isinstance(link, _CLOSED_BY_PEER) for link in _chain(error)):
        return f"the connection broke before anything was sent ({detail}){hint}"
    return f"could not be reached ({detail})"
