"""Errors of httpx, aiohttp, the system and TLS mapped to :class:`~stellantis_hal.errors.NetworkError`."""

from __future__ import annotations

import re
import ssl
import sys
import zlib
from collections.abc import Iterator

import anyio
import httpx

from stellantis_hal.errors import NetworkError
from stellantis_hal.hal.redaction import excerpt, mask_error, mask_url
from stellantis_hal.transport.proxies import AUTHENTICATION_REQUIRED, Proxy

__all__ = ["BrokenTunnelError", "is_foreign", "to_network_error", "unreadable_body"]

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
_TRANSIENT_REFUSALS = (408, 425, 429)
# Words of httpcore for a SOCKS proxy.
_SOCKS_CREDENTIALS = re.compile("username|authentication|acceptable methods", re.IGNORECASE)
# The same request would fail in the same way.
_PERMANENT = (httpx.UnsupportedProtocol, httpx.LocalProtocolError, httpx.InvalidURL, ValueError, RuntimeError)


class BrokenTunnelError(httpx.ProxyError):
    """The connection to a proxy broke before there was one to the server: nothing was sent there."""


class StaleConnectionError(httpx.ConnectError):
    """The server sent something on a connection outside a response: it did not process the request."""


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


def to_network_error(
    error: BaseException, url: str, *, response_started: bool = False, proxy: Proxy | None = None
) -> NetworkError:
    """Return the error for a foreign one, whose texts are masked; raise it ``from`` that.

    Args:
        error: raised by a transport.
        url: the requested URL, without credentials.
        response_started: whether the response's headers had arrived.
        proxy: the one that the request went through.
    """
    sent = response_started or not _is_unsent(error)
    reason = _tls_fault(error) or _description(error, response_started=response_started, tls=url.startswith("https:"))
    if proxy is not None:
        fault = None if response_started else _proxy_fault(error, proxy)
        reason = fault or f"{reason} (through the proxy {proxy} from {proxy.source})"
        if sent and not fault and not response_started and proxy.answers(url):
            reason += f". {_SILENT_REFUSAL}"
    is_transient = not _is_permanent(error)
    mask_error(_chain(error))
    return NetworkError(f"{mask_url(url)}: {reason}", url=url, sent=sent, is_transient=is_transient)


def unreadable_body(error: Exception, url: str, *, sent: bool = True) -> NetworkError:
    """Return the error for a request whose body raised one while it was read."""
    return NetworkError(
        f"{mask_url(url)}: the body of the request could not be read to its end: {type(error).__name__}, "
        f"{excerpt(str(error), _MAX_EXCERPT)}",
        url=url,
        sent=sent,
        is_transient=False,
    )


def _is_permanent(error: BaseException) -> bool:
    """Return whether a retry cannot help: TLS was refused, or the request itself cannot be sent."""
    if isinstance(error, httpx.ProxyError):
        status = _proxy_status(error)
        return _wants_credentials(error) or (400 <= status < 500 and status not in _TRANSIENT_REFUSALS)
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
    if isinstance(error, BrokenTunnelError | StaleConnectionError):
        return True
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
    if isinstance(error, StaleConnectionError):
        return f"the server did not process the request: {words}"
    if not _is_unsent(error):
        return f"the connection broke before a response arrived ({detail}){hint}"
    if _is_past_connecting(error):
        return f"the connection broke before anything was sent ({detail}){hint}"
    return f"could not be reached ({detail})"


# ------------------------------------------------------------------------------------------------- proxies


_SILENT_REFUSAL = "Some proxies break off where a user name and a password are missing or wrong"


def _proxy_status(error: httpx.ProxyError) -> int:
    """Return the status of a proxy's response to CONNECT; 0 where there is none."""
    match = re.match(r"[0-9]{3}\b", str(error))
    return int(match[0]) if match else 0


def _wants_credentials(error: httpx.ProxyError) -> bool:
    status = _proxy_status(error)
    return status == AUTHENTICATION_REQUIRED or (not status and _SOCKS_CREDENTIALS.search(str(error)) is not None)


def _proxy_fault(error: BaseException, proxy: Proxy) -> str | None:
    """Return what the proxy did, and what to do; None where the fault is past the proxy, or may be."""
    words = excerpt(" ".join(str(error)[:_MAX_TEXT].split()), _MAX_EXCERPT)
    name = f"the proxy {proxy} (from {proxy.source})"
    if isinstance(error, httpx.ProxyError):
        if isinstance(error, BrokenTunnelError):
            return f"{name} broke off before there was a connection to the server ({words}). {_SILENT_REFUSAL}"
        if not _wants_credentials(error):
            return (
                f"{name} did not connect to the server ({words}). Does it allow this host, and can it reach it? "
                "proxy=False, or the host in NO_PROXY, connects without it"
            )
        if proxy.username is None:
            shown = f"{proxy.scheme}://user:password@{proxy.host}:{proxy.port}"
            return f"{name} requires a user name and a password ({words}): give them in its URL, as in {shown!r}"
        return (
            f"{name} did not accept the user name and the password ({words}): check both; special characters in them "
            "must be percent-encoded"
        )
    if not isinstance(error, httpx.ConnectError | httpx.ConnectTimeout) or _is_past_connecting(error):
        return None
    detail = f"{type(error).__name__}: {words}" if words else type(error).__name__
    return f"{name} could not be reached ({detail}): check its host and port; proxy=False connects without it"


def _is_past_connecting(error: BaseException) -> bool:
    return any(isinstance(link, _CLOSED_BY_PEER) for link in _chain(error))
