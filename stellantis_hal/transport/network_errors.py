"""The border at which errors of other libraries become ours.

Knows what transports raise: httpx's own, httpcore's, aiohttp's, the system's, TLS. Must not know what the request was
for.
"""

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
_KINDS = (OSError, EOFError, ValueError, zlib.error, httpx.HTTPError, httpx.InvalidURL, httpx.StreamError)
# Masked before it is cut: half a secret is not recognised.
_READ = 8_192
_SHOWN = 200
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
# Somebody was there and hung up, which for https means during the handshake.
_BROKEN = (
    ssl.SSLError,
    ConnectionResetError,
    ConnectionAbortedError,
    EOFError,
    anyio.BrokenResourceError,
    anyio.EndOfStream,
)
# The same request would fail in the same way.
_LASTING = (httpx.UnsupportedProtocol, httpx.LocalProtocolError, httpx.InvalidURL, ValueError, RuntimeError)


def is_foreign(error: BaseException) -> bool:
    """Tell whether an exception is one that a transport raises when the network or its peer fails.

    Everything else (a TypeError in a transport that a program injected, say) is a mistake to be seen, not translated.
    """
    if isinstance(error, ExceptionGroup):
        return all(is_foreign(each) for each in error.exceptions)
    return (
        isinstance(error, _KINDS)
        or type(error) is RuntimeError  # what aiohttp and httpcore raise when they are closed
        or type(error).__module__.partition(".")[0] in _LIBRARIES
    )


def to_network_error(error: BaseException, url: str, *, answering: bool = False) -> NetworkError:
    """Give our error for a foreign one; raise it ``from`` that.

    Args:
        error: what a transport raised.
        url: the address asked for, without what identifies the application.
        answering: whether the answer had begun.
    """
    sent = answering or not _is_unsent(error)
    what = _tls_fault(error) or _description(error, answering=answering, tls=url.startswith("https:"))
    return NetworkError(f"{mask_url(url)}: {what}", url=url, sent=sent, is_transient=not _is_lasting(error))


def _is_lasting(error: BaseException) -> bool:
    """Tell whether trying again cannot help: TLS said no, or the request itself cannot be sent."""
    return _tls_fault(error) is not None or (isinstance(error, _LASTING) and not isinstance(error, OSError))


def _chain(error: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    link: BaseException | None = error
    while link is not None and id(link) not in seen:
        seen.add(id(link))
        yield link
        inner = getattr(link, "os_error", None)  # aiohttp hides it there
        link = inner if isinstance(inner, BaseException) else link.__cause__ or link.__context__


def _is_unsent(error: BaseException) -> bool:
    if not isinstance(error, _UNSENT):
        return False
    # httpx-aiohttp calls a connection that broke after sending a ConnectTimeout, too. Only its cause tells.
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
                f"the server refused our TLS handshake ({reason}). Host and credentials go in pairs: a mutual-TLS host "
                "(api-cert…) wants the client certificate registered for this application, others take none."
            )
    return None


def _description(error: BaseException, *, answering: bool, tls: bool) -> str:
    words = excerpt(" ".join(str(error)[:_READ].split()), _SHOWN)
    detail = f"{type(error).__name__}: {words}" if words else type(error).__name__
    if isinstance(error, (httpx.TimeoutException, TimeoutError)):
        return f"no answer in time ({detail})"
    if answering:
        return f"the answer broke off ({detail})"
    hint = ". A host that wants a client certificate may refuse one in this way, too" if tls else ""
    if not _is_unsent(error):
        return f"the connection broke before an answer came ({detail}){hint}"
    if any(isinstance(link, _BROKEN) for link in _chain(error)):
        return f"the connection broke before anything was sent ({detail}){hint}"
    return f"could not be reached ({detail})"
