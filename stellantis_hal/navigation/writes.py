"""Write requests and their responses."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Mapping
from enum import Enum
from typing import Any, TypeAlias, TypedDict

import attrs

from stellantis_hal.errors import HalError, NotHalError, StellantisError
from stellantis_hal.hal.document import HalDocument, parse_root
from stellantis_hal.hal.header_mapping import Headers, fits_field
from stellantis_hal.hal.json import encode
from stellantis_hal.hal.link import Link
from stellantis_hal.hal.redaction import mask_url, quoted
from stellantis_hal.hal.uri import append_query
from stellantis_hal.navigation.conditions import (
    CONDITIONAL,
    Condition,
    as_etags,
    find_condition,
    is_condition,
    strong_etag,
)
from stellantis_hal.navigation.context import ResourceContext
from stellantis_hal.navigation.fetch_protocol import Request, Response
from stellantis_hal.navigation.link_selection import LinkQuery, Params, encode_params, select_link
from stellantis_hal.navigation.media_types import links_of_header, read_document
from stellantis_hal.navigation.multipart import EncodedBody, FileValue, encode_multipart, encode_urlencoded
from stellantis_hal.navigation.request_headers import override_headers, repeated_headers
from stellantis_hal.navigation.resource_view import ResourceView
from stellantis_hal.navigation.streamed_request_bodies import BodySource, to_stream
from stellantis_hal.navigation.written_resource import header_url

__all__ = [
    "RequestOptions",
    "Validators",
    "WriteOptions",
    "read_outcome",
    "send_write",
    "write_request",
    "write_target",
]

_METHOD = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,64}")
_TUNNELS = frozenset({"CONNECT", "TRACE"})
# An option, and the header field that states the same.
_FIELDS = {
    "accept": "accept",
    "content_type": "content-type",
    "if_match": "if-match",
    "if_none_match": "if-none-match",
    "idempotency_key": "idempotency-key",
    "prefer": "prefer",
}


class RequestOptions(TypedDict, total=False):
    """Options of a request to a URL.

    Attributes:
        json: a value to send as JSON; mappings, resources (their state) and members of enumerations, too.
        form: fields to send urlencoded, or with ``files`` as multipart/form-data.
        files: files to send, by the name of their field: bytes, a Path, a file opened in binary mode, or
            ``(name, content, media type)``.
        content: a body as it is sent: bytes, a Path, a file opened in binary mode, or an asynchronous iterable.
        content_type: the media type of the body; the default is that of JSON for ``json`` and ``content``.
        accept: the media type to ask for.
        headers: header fields to add.
        if_match: True: only if the resource is unchanged, by its ETag; an ETag to compare with, or ``"*"``; False:
            unconditionally. By default PUT, PATCH and DELETE are conditional where a validator is known.
        if_none_match: ``"*"``: only if there is no such resource yet; or an ETag.
        idempotency_key: True for a new key, or a key as it is sent.
        prefer: a preference (RFC 7240), such as ``"return=representation"``.
        params: query parameters to append.
    """

    json: Any
    form: Mapping[str, Any] | None
    files: Mapping[str, FileValue | list[FileValue]] | None
    content: BodySource | None
    content_type: str
    accept: str | None
    headers: Mapping[str, str] | None
    if_match: bool | str
    if_none_match: str | None
    idempotency_key: bool | str | None
    prefer: str | None
    params: Params | None


class WriteOptions(RequestOptions, total=False):
    """Options of a write to a resource, or along a link.

    Attributes:
        name: the link's secondary key.
        index: its index among the links that match.
        where: a predicate that the link has to satisfy.
        variables: values for its template.
    """

    name: str | None
    index: int | None
    where: Callable[[Link], bool] | None
    variables: Params | None


Validators: TypeAlias = tuple[Headers | None, Mapping[str, Any]]
"""What a condition on a resource can be made of: header fields (None where they are not its own), and its state."""

_NO_VALIDATORS: Validators = (None, {})


def write_target(
    document: HalDocument, base: str, own_url: str | None, rel: str | None, options: WriteOptions
) -> tuple[str, Link | None]:
    """Return the URL to write to, with its link: that of a relation, or without a relation the resource's own.

    Raises:
        HalError: the link is missing, ambiguous or invalid.
    """
    if rel is None and own_url is not None:
        return append_query(own_url, encode_params(options.get("params") or {})), None
    query = LinkQuery(
        rel=rel or "",
        name=options.get("name"),
        index=options.get("index"),
        where=options.get("where"),
        variables=options.get("variables"),
        params=options.get("params"),
        embedded="never",
    )
    target = select_link(document, base, query)
    assert target.url is not None  # noqa: S101 - embedded copies were excluded
    return target.url, target.link


# ------------------------------------------------------------------------------------------------- requests


def write_request(
    method: str,
    url: str,
    options: RequestOptions,
    context: ResourceContext,
    validators: Validators | None = None,
) -> Request:
    """Return the request of a write.

    Args:
        method: the HTTP method.
        url: absolute.
        options: checked by their names and types already.
        context: of the client, for its default header fields.
        validators: of the resource at the URL; None where none are known.

    Raises:
        HalError: ``if_match`` is True, and there is no strong ETag.
        TypeError: there are two bodies, or an option is stated as a header field, too; or the body has another type.
        ValueError: an option is not a valid value of its header field, or the method is none.
    """
    method = _checked_method(method)
    given = {name.lower() for name in options.get("headers") or {}}
    for option, field in _FIELDS.items():
        if field in given and options.get(option) is not None:
            raise TypeError(f"{option}= and the header field {field} state the same: leave one out")
    headers = context.request_headers(options.get("accept"))
    body = _encode_body(options)
    if body is not None:
        headers["Content-Type"] = body.content_type
    if not any(map(is_condition, given)):
        condition = _condition(method, url, options, validators or _NO_VALIDATORS)
        if condition is not None:
            headers[condition.name] = condition.value
    key = options.get("idempotency_key")
    if key:
        headers["Idempotency-Key"] = f'"{uuid.uuid4()}"' if key is True else key
    if (preference := options.get("prefer")) is not None:
        headers["Prefer"] = preference
    for name, value in headers.items():
        if not fits_field(value):
            raise ValueError(
                f"the value of {name} must be visible ASCII of at most 1,024 characters, not {quoted(value)}"
            )
    headers = override_headers(headers, options.get("headers"))
    content = None if body is None else body.content
    is_repeatable = True if key or "idempotency-key" in given else None
    return Request(url=url, method=method, headers=headers, content=content, repeatable=is_repeatable)


def _checked_method(method: str) -> str:
    upper = method.upper()
    if not _METHOD.fullmatch(method) or upper in _TUNNELS:
        raise ValueError(f"{quoted(method)} is not the method of a request, as 'GET' or 'POST' is")
    return upper


def _encode_body(options: RequestOptions) -> EncodedBody | None:
    form, files = options.get("form"), options.get("files")
    given = [name for name in ("json", "content") if options.get(name) is not None]
    if form is not None or files is not None:
        given.append("form" if files is None else "files")
    if len(given) > 1:
        raise TypeError(f"a request has one body: leave out {' or '.join(f'{name}=' for name in given)}")
    content_type = options.get("content_type")
    if content_type is not None and given in (["form"], ["files"]):
        raise TypeError("content_type= cannot be combined with form= and files=, which have one of their own")
    if not given:
        return None
    if files is not None:
        return encode_multipart(form or {}, files)
    if form is not None:
        return encode_urlencoded(form)
    content_type = content_type or "application/json"
    if (content := options.get("content")) is not None:
        return EncodedBody(to_stream(content, "content"), content_type)
    return EncodedBody(encode(options.get("json"), _to_plain), content_type)


def _to_plain(value: object) -> object:
    """Return what JSON can hold for a value that it cannot."""
    if isinstance(value, ResourceView):
        value = value.state if value.kind == "object" else value.value
        if not isinstance(value, Mapping):
            return value
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, Enum):
        return value.value
    raise TypeError(
        f"json= must be what JSON can hold (mappings, lists, str, numbers, bool, None, resources), not "
        f"{type(value).__name__}"
    )


def _condition(method: str, url: str, options: RequestOptions, validators: Validators) -> Condition | None:
    wanted, unwanted = options.get("if_match"), options.get("if_none_match")
    if unwanted is not None:
        if wanted:
            raise TypeError("if_match= and if_none_match= exclude each other: leave one out")
        return Condition("If-None-Match", as_etags("if_none_match", unwanted, weak=True))
    if isinstance(wanted, str):
        return Condition("If-Match", as_etags("if_match", wanted))
    if wanted is None:
        return find_condition(*validators) if method in CONDITIONAL else None
    if not wanted:
        return None
    tag = strong_etag(*validators)
    if tag is None:
        raise HalError(
            f"if_match=True needs an ETag, and none is known of {mask_url(url)}: the response had no valid one, or a "
            "weak one (W/…), which never matches, or came from another URL; pass the ETag itself, as in "
            "if_match='\"abc\"', or if_match=False",
            url=url,
        )
    return Condition("If-Match", tag)


# ------------------------------------------------------------------------------------------------- responses


async def send_write(context: ResourceContext, request: Request) -> tuple[str, Response]:
    """Send a request; return the URL that answered, and the response: after a 303 that of a GET of its Location.

    Raises:
        StellantisError: sending failed; a note says so where the write succeeded, and only that GET failed.
    """
    response = await context.fetch(request)
    location = header_url(response.headers, "location", response.url) if response.status == 303 else None
    if location is None:
        return response.url, response
    try:
        return response.url, await context.fetch(Request(url=location, headers=repeated_headers(request.headers)))
    except StellantisError as error:
        error.add_note(
            f"the {request.method} itself succeeded: {mask_url(response.url)} answered 303, and this is the failure of "
            "the GET of its Location; do not send it again"
        )
        raise


def read_outcome(response: Response) -> tuple[Response, HalDocument]:
    """Return the response of a write and its document; a body that is not a document is left out, not an error."""
    try:
        return response, read_document(response)
    except NotHalError:
        header_links = links_of_header(response.headers, response.url)
        empty = parse_root(None, is_empty=True, header_links=header_links, base=response.url)
        return attrs.evolve(response, content=b""), empty
