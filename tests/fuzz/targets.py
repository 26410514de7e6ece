"""Targets of fuzzing: each takes bytes, and raises where a law of the package is broken."""

from __future__ import annotations

import base64
import hashlib
import io
import math
import pickle
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import urlsplit

import httpx

from stellantis_hal.credentials.pasted_redirects import describe_paste, find_redirect
from stellantis_hal.credentials.stores.file_format import parse_tokens, serialize_tokens
from stellantis_hal.errors import FormError, TemplateError, TokenStoreError
from stellantis_hal.fleet.deduplication import Checkpoint
from stellantis_hal.fleet.export.formats import FORMATS
from stellantis_hal.fleet.export.trip_format import ForeignContentError
from stellantis_hal.hal.document import HalDocument, parse, serialize
from stellantis_hal.hal.error_documents import read_error_document
from stellantis_hal.hal.form_submission import fill, to_query
from stellantis_hal.hal.forms import FormTemplates
from stellantis_hal.hal.header_mapping import Headers
from stellantis_hal.hal.json import decode, standard_decode
from stellantis_hal.hal.link import Link
from stellantis_hal.hal.link_header import parse_link_header
from stellantis_hal.hal.redaction import mask_text, mask_url
from stellantis_hal.hal.uri import append_query, resolve, split, to_ascii
from stellantis_hal.hal.uri_templates import expand, variables
from stellantis_hal.navigation.cache.freshness import freshness_lifetime, initial_age, is_storable
from stellantis_hal.navigation.cache.row_format import pack, unpack
from stellantis_hal.navigation.multipart import encode_multipart
from stellantis_hal.navigation.origins import Origins
from stellantis_hal.navigation.pagination.page_token import PageToken
from stellantis_hal.navigation.resource_serialization import load as load_dump
from stellantis_hal.notifications.inbox import StoredEvent
from stellantis_hal.notifications.inbox_format import read_entry, write_entry
from stellantis_hal.notifications.parsing import TOKEN, parse_notification, parse_push
from stellantis_hal.notifications.splitting import split as split_messages
from stellantis_hal.resources.control.conditions import MAX_TRIGGERS, condition_body, read_condition
from stellantis_hal.resources.control.expressions import ExpressionError, constant_value, parse_expression
from stellantis_hal.resources.trip import Trip
from stellantis_hal.storage.errors import StorageError
from stellantis_hal.structuring.converter import read
from stellantis_hal.structuring.problems import RawProblem
from stellantis_hal.testing.replay import ReplayTransport
from stellantis_hal.transport.rate_limit.quota_headers import (
    LONGEST_PAUSE,
    QuotaHeaderNames,
    ReportedQuota,
    retry_after,
)
from stellantis_hal.transport.rate_limit.redis import parse_reply
from tests.resources.lossless import audit
from tests.resources.test_bad_input import FULL, paths_of, replaced

__all__ = ["TARGETS", "Target"]

Target = Callable[[bytes], None]

_NOW: Final = datetime(2026, 6, 1, 12, tzinfo=UTC)
_QUOTA: Final = QuotaHeaderNames(day_limit="l1", day_remaining="r1", burst_limit="l2", burst_remaining="r2")
_REDIRECT: Final = "mymap://oauth2redirect/fr"
_STATE: Final = "s1t2a3t4e5"
_KINDS: Final = [(kind, body, paths_of(body)) for kind, body in FULL]


def _text(content: bytes) -> str:
    return content.decode("utf-8", "surrogateescape")


def _json(content: bytes) -> Any:
    """Return the JSON value that the bytes are, else the text that they are."""
    try:
        return decode(content)
    except ValueError:
        return content.decode("utf-8", "replace")


def _require_short(error: Exception, length: int) -> None:
    assert len(str(error)) < length, error


def _lines(content: bytes, count: int) -> list[str]:
    lines = _text(content).split("\n", count - 1)
    return lines + [""] * (count - len(lines))


# ------------------------------------------------------------------------------------------------- hal


def document(content: bytes) -> None:
    """Read a HAL document with everything in it; it is serialized unchanged, and pickled."""
    try:
        body = decode(content)
    except ValueError:
        return
    with suppress(ValueError):  # the standard library reads fewer levels
        assert standard_decode(content.removeprefix(b"\xef\xbb\xbf")) is not None or body is None
    if not isinstance(body, Mapping):
        return
    read_document = parse(body)
    assert serialize(read_document) == body
    assert len(read_document.diagnostics) <= len(content)
    repr(read_document)
    for part in _documents(read_document):
        for rel, links in part.links.items():
            assert all(link.rel == rel for link in links)
            part.curies.expand(rel)
            part.curies.find(rel, part.rels)
        assert "_links" not in part.state
    if content.count(b"[") + content.count(b"{") < 50:
        assert pickle.loads(pickle.dumps(read_document)) == read_document


def _documents(whole: HalDocument) -> Iterator[HalDocument]:
    waiting = [whole]
    while waiting:
        part = waiting.pop()
        yield part
        for documents in part.embedded.values():
            waiting += documents


def link(content: bytes) -> None:
    """Read a link object."""
    found = Link.parse("r", _json(content))
    assert found is None or found.href is None or isinstance(found.href, str)
    repr(found)


def uri(content: bytes) -> None:
    """Resolve a reference against a URL; what is trusted leads to the same host for every parser."""
    base, reference = _lines(content, 2)
    assert str(split(reference)) == reference
    whole = resolve(f"https://api.example/{base}", reference)
    append_query(whole, "a=1")
    mask_url(whole)
    ascii_url = to_ascii(whole)
    for url in (whole, ascii_url):
        if not Origins("https://api.example").trusts(url):
            continue
        assert urlsplit(url).hostname == "api.example", url
        with suppress(httpx.InvalidURL):
            assert httpx.URL(url).host == "api.example", url
            assert httpx.URL(url).scheme == "https", url


def template(content: bytes) -> None:
    """Expand a URI template with a value for each variable; the result is ASCII."""
    value, text = _lines(content, 2)
    try:
        names = variables(text)
        assert expand(text, dict.fromkeys(names, value or "x")).isascii() or not text.isascii()
        expand(text, {name: [value, "b"] for name in names})
    except TemplateError as error:
        _require_short(error, 3_000)


def dump(content: bytes) -> None:
    """Load the dump of a resource."""
    value = _json(content)
    if isinstance(value, Mapping):
        with suppress(ValueError):
            load_dump(value)


# ------------------------------------------------------------------------------------------------- reading


def converter(content: bytes) -> None:
    """Put a value anywhere into a full body: no scalar vanishes."""
    if len(content) < 3:
        return
    kind, body, paths = _KINDS[content[0] % len(_KINDS)]
    value = _json(content[3:])
    changed = replaced(body, paths[int.from_bytes(content[1:3], "big") % len(paths)], value)
    if isinstance(changed, dict):
        with suppress(RecursionError):  # of the test's own walk
            _, lost = audit(changed, kind)
            assert not lost, lost


def model(content: bytes) -> None:
    """Read any object as any kind, and the same again from what it writes."""
    body = _json(content[1:])
    if content and isinstance(body, dict):
        kind, _, _ = _KINDS[content[0] % len(_KINDS)]
        found = read(body, kind)
        repr(found)
        if isinstance(found, Trip):
            found.to_dict()


# ------------------------------------------------------------------------------------------------- headers


def quota(content: bytes) -> None:
    """Read the headers of a quota, and those that say when to come again."""
    values = _lines(content, 6)
    names = ("l1", "r1", "l2", "r2", "retry-after", "x-ratelimit-reset")
    headers = Headers([(name, value) for name, value in zip(names, values, strict=True) if value])
    found = ReportedQuota.from_headers(headers, _QUOTA)
    if found is not None:
        merged = ReportedQuota().updated(found).updated(found)
        for window in (merged.day, merged.burst):
            assert all(count is None or count >= 0 for count in (window.limit, window.remaining))
    seconds = retry_after(headers, now=_NOW)
    assert seconds is None or (math.isfinite(seconds) and 0 <= seconds <= LONGEST_PAUSE)


def link_header(content: bytes) -> None:
    """Read a Link header; what it has is bounded."""
    links = parse_link_header(_text(content), "https://api.example/a")
    assert len(links) <= 10_000
    assert all(found.rel and not found.templated for found in links)


def caching(content: bytes) -> None:
    """Read the headers that say how long a response is fresh."""
    values = _lines(content, 5)
    names = ("cache-control", "expires", "date", "age", "vary")
    headers = Headers([(name, value) for name, value in zip(names, values, strict=True) if value])
    lifetime = freshness_lifetime(headers, _NOW)
    assert lifetime is None or (math.isfinite(lifetime) and lifetime >= 0)
    age = initial_age(headers, _NOW, 0.5)
    assert math.isfinite(age)
    assert age >= 0
    is_storable(200, headers)


# ------------------------------------------------------------------------------------------------- forms and errors


def forms(content: bytes) -> None:
    """Read the forms of a document."""
    body = _json(content)
    if isinstance(body, dict):
        found = FormTemplates(body)
        for key in found:
            repr(found[key])
            assert key in found
        assert len(found.diagnostics) <= 2 * len(content) + 1


def submission(content: bytes) -> None:
    """Fill the forms of a document with its own values; what is sent can be written, or the form is refused."""
    body = _json(content)
    if not isinstance(body, dict):
        return
    for form in FormTemplates(body).values():
        values: dict[str, Any] = {field.name: field.default for field in form.fields if field.control != "file"}
        values |= {name: value for name, value in body.items() if name in values}
        try:
            filled = fill(form, values, {}, {}, "https://api.example/a")
        except FormError as error:
            _require_short(error, 20_000)
            continue
        assert filled.values.keys() <= {field.name for field in form.fields}
        with suppress(ValueError):  # nested too deeply, or half a character: `Form.submit` refuses it
            assert to_query("https://api.example/a", filled.values, keep=False).isascii()


def error_document(content: bytes) -> None:
    """Read what an error body says."""
    found = read_error_document(_json(content), "application/problem+json")
    assert sum(map(len, found.errors.values())) <= 1_000
    assert found.detail is None or isinstance(found.detail, str)
    repr(found)


def multipart(content: bytes) -> None:
    """Encode a field and a file; another parser finds both, and nothing else."""
    name, filename, value = _lines(content, 3)
    encoded = encode_multipart({name: value}, {name: (filename or "f", value.encode("utf-8", "surrogateescape"))})
    assert isinstance(encoded.content, bytes)
    boundary = encoded.content_type.partition("boundary=")[2].encode()
    parts = encoded.content.split(b"--" + boundary)
    assert (len(parts), parts[0], parts[-1]) == (4, b"", b"--\r\n")
    for part in parts[1:-1]:
        head = part.partition(b"\r\n\r\n")[0]
        assert head.count(b"\r\n") == 1 + (b"Content-Type" in head), head
        assert head.count(b"\n") == head.count(b"\r") == head.count(b"\r\n")


# ------------------------------------------------------------------------------------------------- stored state


def cache_row(content: bytes) -> None:
    """Read a row of a cache, and one whose checksum is right whatever its content."""
    format_, rest = pack(())[:1], content
    for row in (content, format_ + zlib.crc32(rest).to_bytes(4, "big") + rest):
        with suppress(ValueError):
            assert unpack(pack(unpack(row))) == unpack(row)


def token_file(content: bytes) -> None:
    """Read a token file, and one whose digest is right whatever its content."""
    for file in (content, _with_digest(content)):
        try:
            tokens = parse_tokens(file)
        except TokenStoreError as error:
            _require_short(error, 300)
        else:
            assert parse_tokens(serialize_tokens(tokens)) == tokens


def _with_digest(body: bytes) -> bytes:
    head = serialize_tokens({}).partition(b"\n")[0]
    return head[:-64] + hashlib.sha256(body).hexdigest().encode() + b"\n" + body


def page_token(content: bytes) -> None:
    """Read a page token, and one that is the base64 of any bytes."""
    for text in (_text(content), base64.urlsafe_b64encode(content).decode()):
        try:
            token = PageToken.from_token(text)
        except ValueError as error:
            _require_short(error, 1_000)
        else:
            assert PageToken.from_token(token.to_token()) == token


def checkpoint(content: bytes) -> None:
    """Load a checkpoint; what it dumps is loaded as the same."""
    try:
        found = Checkpoint.load(content)
    except ValueError:
        return
    assert Checkpoint.load(found.dump()) == found


def trip_file(content: bytes) -> None:
    """Scan a file of trips; cut at its last complete record, it is complete."""
    for format_ in FORMATS.values():
        try:
            found = format_.scan(io.BytesIO(content))
        except ForeignContentError as error:
            _require_short(error, 2_000)
            continue
        assert 0 <= found.end <= len(content)
        if found.trips and not found.is_foreign:
            again = format_.scan(io.BytesIO(content[: found.end] + format_.tail))
            assert (again.trips, again.keys, again.torn) == (found.trips, found.keys, 0)


# ------------------------------------------------------------------------------------------------- events and monitors


def notification(content: bytes) -> None:
    """Read a delivery; each of its events is stored, read as the same again, and has no token attribute."""
    events = parse_notification(content, token="t0k3n")
    assert events or content.strip() in {b"[]", b"{}"} or b"events" in content or b"[" in content
    for event in events:
        repr(event)
        assert TOKEN not in event.attributes
    for message in split_messages(content):
        entry = write_entry(message, is_verified=False, received_at=_NOW)
        again = read_entry(StoredEvent(number=1, entry=entry, owner=None, attempts=1))
        assert (again.id, again.received_at) == (message.id, _NOW)
        assert len(entry.reason) < 1_000
    parse_push({"mph_message": _text(content)})
    parse_push({"data": {"message": base64.b64encode(content)}})


def condition(content: bytes) -> None:
    """Read the condition of a monitor; one that is understood is written, and read as the same again."""
    text, rest = _lines(content, 2)
    try:
        expression = parse_expression(text)
    except ExpressionError as error:
        _require_short(error, 1_000)
    else:
        assert str(parse_expression(str(expression))) == str(expression)
        names = {str(leaf) for leaf in expression.leaves()}
        expression.value(dict.fromkeys(names, True))
        if len(names) <= MAX_TRIGGERS:
            constant_value(expression)
    value = _json(rest.encode("utf-8", "surrogateescape"))
    problems: list[RawProblem] = []
    for body in (value, {"boolExp": text, "triggers": value}):
        found = read_condition(body, "$", problems)
        if found is None or found.expression is None:
            continue
        with suppress(ValueError):
            written = condition_body(found.expression)
            again = read_condition(written, "$", [])
            assert again is not None
            assert str(again.expression) == str(found.expression)


# ------------------------------------------------------------------------------------------------- shared state


def ledger_reply(content: bytes) -> None:
    """Read a reply of the limiter's script in Redis, as another program's script might have sent it."""
    for reply in (_json(content), content.split(b"\n"), [b"ok", b"1", *[len(line) for line in content.split(b"\n")]]):
        with suppress(StorageError):
            parse_reply(reply)


def cassette(content: bytes) -> None:
    """Read a recording that another program wrote."""
    try:
        transport = ReplayTransport(content)
    except ValueError as error:
        _require_short(error, 2_000)
    else:
        repr(transport)
        assert len(transport.unused) <= len(content)
        with suppress(ValueError):  # an empty one
            assert transport.now().tzinfo is not None


# ------------------------------------------------------------------------------------------------- pasted text


def redirect(content: bytes) -> None:
    """Find a redirect in a pasted text; the message about another names nothing secret of it."""
    text = _text(content)
    for state in (None, _STATE):
        found = find_redirect(text, _REDIRECT, state=state)
        assert found is None or found.startswith(f"{_REDIRECT}?")
    assert len(describe_paste(text, "https://id.example/login")) < 2_000
    assert len(mask_text(text[:2_000])) <= 4 * len(text) + 2_000


TARGETS: dict[str, Target] = {
    target.__name__: target
    for target in (
        document,
        link,
        uri,
        template,
        dump,
        converter,
        model,
        quota,
        link_header,
        caching,
        forms,
        submission,
        error_document,
        multipart,
        cache_row,
        token_file,
        page_token,
        checkpoint,
        trip_file,
        notification,
        condition,
        ledger_reply,
        cassette,
        redirect,
    )
}
