"""Every family of error bodies, read in one place.

Knows what the vendor's back end, the gateway before it, OAuth servers, RFC 9457 and proxies write when they refuse.
Must not send, wait or retry: whether to is decided by the errors made here.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

import attrs

from stellantis_hal.errors import (
    ApiError,
    BadRequestError,
    ConfigurationError,
    ForbiddenError,
    NotFoundError,
    RateLimitedError,
    ServerError,
    StellantisError,
    UnauthorizedError,
)
from stellantis_hal.hal.json import decode
from stellantis_hal.hal.redaction import excerpt, mask_text, mask_url
from stellantis_hal.navigation.fetch import Request, Response
from stellantis_hal.transport.rate_limit.quota import retry_after

__all__ = ["ErrorBody", "Judge", "Scopes", "error_of", "read_complaint"]

Scopes = Callable[[str], tuple[str, ...]]
"""Tells which scopes the vendor documents for an address."""

Judge = Callable[[Request, Response], StellantisError | None]
"""Tells what is wrong with an answer; None where nothing is."""

_CODE = re.compile(r"\s*(\d{1,9})\s*", re.ASCII)
_UNIX_DATE = re.compile(
    r"\s*[A-Z][a-z]{2} ([A-Z][a-z]{2}) +(\d{1,2}) (\d\d):(\d\d):(\d\d) (?:GMT|UTC) (\d{4})\s*", re.ASCII
)
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_READ = 8_192
_SHOWN = 300
_LARGEST = 10**9
_MISCONFIGURED = ("not registered to plan", "invalid client id or secret")
_TRANSIENT_WORDS = frozenset({"server_error", "temporarily_unavailable"})
_TRANSIENT = frozenset({408, 425, 429})
_LASTING = frozenset({501, 505, 510})
_KINDS: Mapping[int, type[ApiError]] = {
    400: BadRequestError,
    401: UnauthorizedError,
    403: ForbiddenError,
    404: NotFoundError,
    429: RateLimitedError,
}
_ADVICE: Mapping[int, str] = {
    400: "Check the parameters and the body.",
    401: "The credentials are missing, expired or revoked, and could not be renewed: log in or consent again.",
    403: "Often a wrong vehicle id, or a scope that the account holder did not grant.",
    404: "Nothing there, or no data yet; check the address if it did not come from a link.",
    406: "The Accept header asks for a media type that this address does not have.",
    429: "The subscription's limit is reached; come back after retry_after seconds.",
}


@attrs.frozen(kw_only=True)
class ErrorBody:
    """What an error body says, whatever its family.

    Attributes:
        code: the API's code (or the gateway's, which repeats the status), as an int.
        message: the server's words; empty where it has none.
        uuid: the server's id of the error.
        timestamp: when it happened, by the server's clock, UTC.
        error: the OAuth error code (``invalid_grant``, …).
        more_information: the gateway's explanation.
    """

    code: int | None = None
    message: str = ""
    uuid: str | None = None
    timestamp: datetime | None = None
    error: str | None = None
    more_information: str | None = None


def read_complaint(content: bytes) -> ErrorBody:
    """Read an error body of any family; what is neither JSON nor text leaves an empty complaint."""
    try:
        body = decode(content)
    except ValueError:
        return ErrorBody(message=_plain(content))
    if not isinstance(body, dict):
        return ErrorBody()
    fields: Mapping[str, Any] = body
    error = fields.get("error")
    if isinstance(error, dict):  # some proxies nest the whole complaint
        fields = {**error, **fields}
        error = None
    return ErrorBody(
        code=_number(fields.get("code"), fields.get("httpCode")),
        message=_text(*(fields.get(key) for key in ("message", "error_description", "httpMessage", "detail", "title")))
        or "",
        uuid=_text(fields.get("uuid")),
        timestamp=_instant(fields.get("timestamp")),
        error=_text(error),
        more_information=_text(fields.get("moreInformation")),
    )


def error_of(
    request: Request, response: Response, *, now: datetime, scopes: Scopes | None = None
) -> StellantisError | None:
    """Tell what is wrong with an answer, as an error to be raised; None where nothing is.

    Fine are any 2xx, the 304 that a conditional request asked for, and the 303 that a write may answer.
    """
    status = response.status
    if 200 <= status < 300 or (status == 304 and _is_conditional(request)):
        return None
    if status == 303 and request.method not in {"GET", "HEAD"}:
        return None
    complaint = read_complaint(response.content)
    words = " ".join(part for part in (complaint.error, complaint.message, complaint.more_information) if part)
    place = f"{request.method} {mask_url(response.url)}"
    said = f": {excerpt(words, _SHOWN).rstrip('. ')}" if words else ""
    if any(sign in words.lower() for sign in _MISCONFIGURED):
        return ConfigurationError(
            f"{place} was refused by the gateway ({status}){said}. Check client id, secret, certificate, realm and the "
            "plan that the application is registered to; trying again cannot help.",
            more_information=None if complaint.more_information is None else mask_text(complaint.more_information),
        )
    kind = _KINDS.get(status, ServerError if status >= 500 else ApiError)
    advice = _redirected(request, response) if 300 <= status < 400 else _ADVICE.get(status, "")
    named = "" if complaint.code is None or complaint.code == status else f" (code {complaint.code})"
    error = kind(
        f"{place} answered {status}{named}{said}" + (f". {advice}" if advice else ""),
        status=status,
        url=response.url,
        code=complaint.code,
        uuid=complaint.uuid,
        timestamp=complaint.timestamp,
        transaction_id=response.headers.get("x-global-transaction-id"),
        retry_after=retry_after(response.headers, now=now),
        is_transient=status in _TRANSIENT
        or (status >= 500 and status not in _LASTING)
        or complaint.error in _TRANSIENT_WORDS,
        oauth_error=complaint.error,
    )
    if isinstance(error, ForbiddenError) and scopes is not None:
        error.scopes = tuple(scopes(response.url))
        if error.scopes:
            error.args = (f"{error} This address needs {', '.join(error.scopes)}.",)
    return error


def _is_conditional(request: Request) -> bool:
    return any(name.lower() in {"if-none-match", "if-modified-since"} for name in request.headers)


def _redirected(request: Request, response: Response) -> str:
    if response.status == 304:
        return "Nobody asked whether it was modified."
    if "location" not in response.headers:
        return "It is a redirect that does not say where to."
    return f"Redirects of a {request.method} are not followed."


def _number(*candidates: Any) -> int | None:
    for value in candidates:
        if isinstance(value, str) and (match := _CODE.fullmatch(value)):
            return int(match[1])
        if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < _LARGEST:
            return value
    return None


def _text(*candidates: Any) -> str | None:
    return next((value for value in candidates if isinstance(value, str) and value.strip()), None)


def _instant(value: Any) -> datetime | None:
    """Read the three spellings that the vendor uses."""
    if not isinstance(value, str):
        return None
    try:
        if match := _UNIX_DATE.fullmatch(value):
            month, day, hour, minute, second, year = match.groups()
            month_number = _MONTHS.index(month) + 1
            return datetime(int(year), month_number, int(day), int(hour), int(minute), int(second), tzinfo=UTC)
        instant = datetime.fromisoformat(value.strip())
        return instant.replace(tzinfo=UTC) if instant.tzinfo is None else instant.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _plain(content: bytes) -> str:
    """Give the words of an HTML page or a plain text."""
    text = content[:_READ].decode("utf-8", "replace")
    text = re.sub(r"<(script|style)\b.*?(</\1>|$)", " ", text, flags=re.DOTALL | re.IGNORECASE)
    text = re.sub(r"<[^>]*>?", " ", text)
    return " ".join(text.split())
