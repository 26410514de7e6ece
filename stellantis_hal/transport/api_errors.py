"""Error responses mapped to exceptions."""

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
    PreconditionFailedError,
    PreconditionRequiredError,
    RateLimitedError,
    ServerError,
    StellantisError,
    UnauthorizedError,
)
from stellantis_hal.hal.error_documents import is_deep, read_error_document
from stellantis_hal.hal.http_dates import parse_java_date
from stellantis_hal.hal.json import decode_received
from stellantis_hal.hal.redaction import excerpt, mask_text, mask_url
from stellantis_hal.hal.uri import resolve, to_ascii
from stellantis_hal.navigation.fetch_protocol import Request, Response
from stellantis_hal.navigation.media_types import media_type
from stellantis_hal.navigation.streamed_request_bodies import StreamedRequestBody
from stellantis_hal.transport.conventions import ApiConventions
from stellantis_hal.transport.rate_limit.quota_headers import retry_after

__all__ = ["ErrorBody", "ErrorFactory", "make_error", "parse_error_body"]

ErrorFactory = Callable[[Request, Response], StellantisError | None]
"""Returns the error that a response stands for; None for a success."""

_CODE = re.compile(r"\s*(\d{1,9})\s*", re.ASCII)
_UNSPOKEN = re.compile(r"<(script|style)\b.*?(</\1>|$)", re.DOTALL | re.IGNORECASE)
_TAG = re.compile(r"<[^>]*>?")
_MAX_TEXT = 8_192
_MAX_DETAIL = 1_000
_MAX_CODE = 10**9
_TRANSIENT = frozenset({408, 425, 429})
_PERMANENT = frozenset({501, 505, 510})
_ERROR_TYPES: Mapping[int, type[ApiError]] = {
    400: BadRequestError,
    401: UnauthorizedError,
    403: ForbiddenError,
    404: NotFoundError,
    412: PreconditionFailedError,
    428: PreconditionRequiredError,
    429: RateLimitedError,
}


@attrs.frozen(kw_only=True)
class ErrorBody:
    """The contents of an error body, in any of the known formats.

    These are RFC 9457 problems, OAuth2 errors (RFC 6749 section 5.2), IBM API Connect's ``httpCode`` bodies, bodies
    with ``code`` and ``message``, HTML pages and plain text.

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


def parse_error_body(content: bytes) -> ErrorBody:
    """Parse an error body of any known format; other content makes an empty one."""
    return _parse(content)[0]


def _parse(content: bytes) -> tuple[ErrorBody, Any]:
    """Return an error body, and its decoded JSON: None where it is none, or is nested too deeply to be pickled."""
    try:
        body = decode_received(content)
    except ValueError:
        return ErrorBody(message=_plain_text(content)), None
    return _read(body), None if is_deep(body) else body


def _read(body: Any) -> ErrorBody:
    if not isinstance(body, dict):
        return ErrorBody()
    fields: Mapping[str, Any] = body
    error = fields.get("error")
    if isinstance(error, dict):  # some proxies nest the whole body
        fields = {**error, **fields}
    return ErrorBody(
        code=_number(fields.get("code"), fields.get("httpCode")),
        message=_text(*(fields.get(key) for key in ("message", "error_description", "httpMessage", "detail", "title")))
        or "",
        uuid=_text(fields.get("uuid")),
        timestamp=_timestamp(fields.get("timestamp")),
        error=_text(error),
        more_information=_text(fields.get("moreInformation")),
    )


def make_error(
    request: Request, response: Response, *, now: datetime, conventions: ApiConventions
) -> StellantisError | None:
    """Return the error that a response stands for; None for a success.

    Successes are any 2xx whose body is no error body of the API, the 304 that a conditional request asked for, and a
    303 after a write.
    """
    status = response.status
    if 200 <= status < 300:
        stated = _stated_status(response.content, conventions.error_members)
        if stated is None:
            return None
        status = stated
    if status == 304 and _is_conditional(request):
        return None
    if status == 303 and request.method not in {"GET", "HEAD"}:
        return None
    body, document = _parse(response.content)
    said_by_shape = read_error_document(document, media_type(response.headers.content_type)[0])
    message = body.message or (said_by_shape.detail if said_by_shape.detail != body.error else None) or ""
    words = " ".join(part for part in (body.error, message, body.more_information) if part)
    place = f"{request.method} {mask_url(response.url)}"
    shown = f"{status}" if status == response.status else f"{response.status} with an error {status} in its body"
    said = f": {excerpt(words).rstrip('. ')}" if words else ""
    if any(phrase in words.lower() for phrase in conventions.misconfiguration_phrases):
        return ConfigurationError(
            f"{place} refused the application with {status}{said}. {conventions.misconfiguration_advice}",
            more_information=None if body.more_information is None else mask_text(body.more_information),
        )
    error_type = _ERROR_TYPES.get(status, ServerError if status >= 500 else ApiError)
    wait = retry_after(response.headers, now=now)
    advice = _redirect_advice(request, response) if 300 <= status < 400 else conventions.advice.get(status, "")
    if status == 429:
        advice = f"{advice} The rate limit is reached{'' if wait is None else f': retry after {wait:.10g} s'}.".lstrip()
    code = "" if body.code is None or body.code == status else f" (code {body.code})"
    error = error_type(
        f"{place} answered {shown}{code}{said}" + (f". {advice}" if advice else ""),
        status=status,
        url=response.url,
        code=body.code,
        uuid=body.uuid,
        timestamp=body.timestamp,
        transaction_id=response.headers.get(conventions.transaction_id_header),
        retry_after=wait,
        is_transient=status in _TRANSIENT
        or (status >= 500 and status not in _PERMANENT)
        or body.error in conventions.transient_errors
        or (status == 409 and _has_key(request)),
        oauth_error=body.error,
        description=excerpt(message),
        detail=said_by_shape.detail or body.message[:_MAX_DETAIL] or None,
        errors=said_by_shape.errors,
        problem_type=said_by_shape.problem_type,
        document=document,
        headers=response.headers,
    )
    if isinstance(error, ForbiddenError) and conventions.scopes is not None:
        error.scopes = tuple(conventions.scopes(response.url))
        if error.scopes:
            error.args = (f"{error} This URL needs {', '.join(error.scopes)}.",)
    return error


def _stated_status(content: bytes, members: frozenset[str]) -> int | None:
    """Return the status that the error body of a success states; None for every other body.

    An error body has no other members than these, and a code of 4xx or 5xx, or of five digits that begin so.
    """
    if not members or len(content) > _MAX_TEXT or not (b'"code"' in content or b'"httpCode"' in content):
        return None  # without decoding, which costs most of the time of a request
    try:
        body = decode_received(content)
    except ValueError:
        return None
    if not isinstance(body, dict) or not body.keys() <= members:
        return None
    code = _number(body.get("httpCode"), body.get("code"))
    status = None if code is None else code // 100 if code >= 10_000 else code
    return status if status is not None and 400 <= status < 600 else None


def _has_key(request: Request) -> bool:
    """Return whether a 409 may mean that the same request is under way: a draft of the IETF has it so."""
    return any(name.lower() == "idempotency-key" for name in request.headers)


def _is_conditional(request: Request) -> bool:
    return any(name.lower() in {"if-none-match", "if-modified-since"} for name in request.headers)


def _redirect_advice(request: Request, response: Response) -> str:
    status = response.status
    if status == 304:
        return "The request was not conditional."
    location = response.headers.by_lower_name.get("location")
    if location is None:
        return "The redirect has no Location header."
    if status in {307, 308} and isinstance(request.content, StreamedRequestBody) and request.content.is_spent:
        return "Its body was read once and cannot be read again, so that the redirect is not followed."
    return (
        f"A {request.method} is not redirected by a {status}, which may have turned it into a GET; send it to "
        f"{mask_url(resolve(response.url, to_ascii(location)))}, if that was meant."
    )


def _number(*candidates: Any) -> int | None:
    for value in candidates:
        if isinstance(value, str) and (match := _CODE.fullmatch(value)):
            return int(match[1])
        if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < _MAX_CODE:
            return value
    return None


def _text(*candidates: Any) -> str | None:
    return next((value for value in candidates if isinstance(value, str) and value.strip()), None)


def _timestamp(value: Any) -> datetime | None:
    """Parse ISO 8601 with or without an offset, and ``Mon Jun 03 08:35:36 GMT 2019``."""
    if not isinstance(value, str):
        return None
    try:
        instant = parse_java_date(value.strip()) or datetime.fromisoformat(value.strip())
        return instant.replace(tzinfo=UTC) if instant.tzinfo is None else instant.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _plain_text(content: bytes) -> str:
    """Return the words of an HTML page or a plain text."""
    text = content[:_MAX_TEXT].decode(errors="replace")
    return " ".join(_TAG.sub(" ", _UNSPOKEN.sub(" ", text)).split())
