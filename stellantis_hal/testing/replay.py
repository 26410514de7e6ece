"""Replay: an httpx transport that answers as recorded."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Hashable
from datetime import datetime
from difflib import SequenceMatcher
from typing import Any
from urllib.parse import unquote, unquote_plus

import httpx

from stellantis_hal.hal.redaction import mask_url, one_line
from stellantis_hal.hal.uri import split
from stellantis_hal.testing.private_kinds import is_secret_parameter
from stellantis_hal.validation import require_flags

__all__ = ["FORMAT", "VERSION", "ReplayTransport", "UnrecordedRequestError"]

FORMAT = "stellantis_hal recording"
VERSION = 1
_NEAREST = 3
_FIELD_NAME = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_FIELD_VALUE = re.compile(r"[^\x00\r\n]*")
_OF_THE_CONNECTION = frozenset({"content-encoding", "content-length", "transfer-encoding"})  # bodies as sent
_FAILURES = {
    kind.__name__: kind
    for kind in (
        httpx.ConnectError,
        httpx.ConnectTimeout,
        httpx.PoolTimeout,
        httpx.ProxyError,
        httpx.ReadError,
        httpx.ReadTimeout,
        httpx.RemoteProtocolError,
        httpx.WriteError,
        httpx.WriteTimeout,
    )
}


class UnrecordedRequestError(AssertionError):
    """A request that the recording does not answer, as a failed assertion: handlers of network errors ignore it.

    Attributes:
        nearest: the recorded requests that are most like it, "GET https://…".
    """

    def __init__(self, message: str, nearest: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.nearest = nearest

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (*self.args, self.nearest)


class ReplayTransport(httpx.AsyncBaseTransport):
    """Answers a request as the recording answered the same method, path and query, in the order of the recording.

    Queries are compared by meaning: their order and encoding do not matter, and the parameters that a recording leaves
    out (``client_id`` and other secrets) are ignored. The k-th repetition of a request gets its k-th response.

    Args:
        content: the recording.
        repeat_last: whether the last response is also that to further repetitions.

    Raises:
        ValueError: it is no recording, one of another version, or damaged.
    """

    def __init__(self, content: bytes, *, repeat_last: bool = False) -> None:
        require_flags(repeat_last=repeat_last)
        try:
            document = json.loads(content)
        except (ValueError, RecursionError):
            document = None
        if not isinstance(document, dict) or document.get("format") != FORMAT:
            raise ValueError("this file is no recording: make one with Recorder().save(path)")
        if document.get("version") != VERSION:
            raise ValueError(f"a recording of version {document.get('version')!r}; this release reads {VERSION}")
        self._repeat_last = repeat_last
        self._exchanges = _check_exchanges(document.get("exchanges"))
        self._responses: dict[Hashable, list[dict[str, Any]]] = {}
        self._asked: Counter[Hashable] = Counter()
        for exchange in self._exchanges:
            key = _key(exchange["request"]["method"], exchange["request"]["url"])
            self._responses.setdefault(key, []).append(exchange)
        self._at = datetime.fromisoformat(self._exchanges[0]["at"]) if self._exchanges else None

    def __repr__(self) -> str:
        """Show how many exchanges the recording has, and how many were asked for."""
        return f"<ReplayTransport: {self._asked.total()} of {len(self._exchanges)} exchanges>"

    def now(self) -> datetime:
        """Return the (shifted) time of the latest response, for ``clock=``: ages and expiries are those of the
        recording.

        Raises:
            ValueError: the recording is empty.
        """
        if self._at is None:
            raise ValueError("the recording is empty")
        return self._at

    @property
    def unused(self) -> tuple[str, ...]:
        """The recorded requests that were not sent, as often as they were recorded."""
        left = [
            exchange["request"]
            for key, exchanges in self._responses.items()
            for exchange in exchanges[self._asked[key] :]
        ]
        return tuple(one_line(f"{request['method']} {request['url']}") for request in left)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Return the next recorded response to a request.

        Raises:
            UnrecordedRequestError: there is none, or the recording has left out the body of a success.
            httpx.TransportError: the request failed when it was recorded.
        """
        url = f"{request.url.scheme}://{request.url.netloc.decode('ascii')}{request.url.raw_path.decode('ascii')}"
        key = _key(request.method, url)
        responses = self._responses.get(key, [])
        if not responses:
            raise self._unrecorded(request.method, url)
        number = self._asked[key]
        if number >= len(responses) and not self._repeat_last:
            raise UnrecordedRequestError(
                f"{request.method} {mask_url(url)} was recorded {_times(len(responses))}, and is sent once more: "
                "record the repetitions, or use repeat_last=True",
            )
        exchange = responses[min(number, len(responses) - 1)]
        self._asked[key] += 1
        self._at = datetime.fromisoformat(exchange["at"])
        if "failure" in exchange:
            kind = _FAILURES.get(exchange["failure"], httpx.NetworkError)
            raise kind(f"recorded: {exchange['failure']}", request=request)
        recorded = exchange["response"]
        if "left_out" in recorded and recorded["status"] < 300:
            raise UnrecordedRequestError(
                f"the response to {request.method} {mask_url(url)} has no body in the recording, which left it out: "
                f"{recorded['left_out']}. Record a JSON body of at most max_body bytes, or leave this request out"
            )
        content = json.dumps(recorded["json"]).encode() if "json" in recorded else b""
        headers = [
            (name.encode("ascii"), value.encode("latin-1"))
            for name, value in recorded["headers"]
            if name.lower() not in _OF_THE_CONNECTION
        ]
        return httpx.Response(recorded["status"], headers=headers, content=content, request=request)

    def _unrecorded(self, method: str, url: str) -> UnrecordedRequestError:
        requests = (each["request"] for each in self._exchanges)
        recorded = dict.fromkeys(one_line(f"{recorded['method']} {recorded['url']}") for recorded in requests)
        wanted = f"{method} {url}"
        ranked = sorted(recorded, key=lambda line: SequenceMatcher(None, line, wanted).ratio(), reverse=True)
        nearest = tuple(ranked[:_NEAREST])
        listed = "; ".join(nearest) or "nothing, the recording is empty"
        return UnrecordedRequestError(
            f"{method} {mask_url(url)} was not recorded. The nearest recorded requests: {listed}. Ids, places and "
            "instants in a recording are replacements: take them from recorded responses, not from the program.",
            nearest,
        )


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"


def _check_exchanges(exchanges: Any) -> list[dict[str, Any]]:
    """Return the exchanges of a recording, whose parts have the types that a replay needs.

    Raises:
        ValueError: one of them has not.
    """
    if not isinstance(exchanges, list):
        raise ValueError("the recording is damaged: it has no list of exchanges")
    for number, exchange in enumerate(exchanges):
        try:
            request, moment = exchange["request"], datetime.fromisoformat(exchange["at"])
            is_whole = isinstance(request["method"], str) and isinstance(request["url"], str)
            is_whole = is_whole and moment.tzinfo is not None
            if "failure" in exchange:
                is_whole = is_whole and isinstance(exchange["failure"], str)
            else:
                response = exchange["response"]
                headers = [(name, value) for name, value in response["headers"]]
                is_whole = is_whole and all(_is_field(name, value) for name, value in headers)
                is_whole = is_whole and type(response["status"]) is int and 100 <= response["status"] <= 599
        except (KeyError, TypeError, ValueError, AttributeError):
            is_whole = False
        if not is_whole:
            raise ValueError(f"the recording is damaged at its exchange {number}: record it again")
    return exchanges


def _is_field(name: str, value: str) -> bool:
    """Return whether both can be sent as a header field.

    Raises:
        TypeError: they are no texts.
        ValueError: the value has characters beyond Latin-1.
    """
    value.encode("latin-1")
    return _FIELD_NAME.fullmatch(name) is not None and _FIELD_VALUE.fullmatch(value) is not None


def _key(method: str, url: str) -> Hashable:
    parts = split(url)
    segments = [unquote(segment) for segment in parts.path.split("/")]
    for place, segment in enumerate(segments[:-1]):
        if segment == "realms" and segments[place + 1] != "root":
            segments[place + 1] = "*"  # left out of recordings
    pairs = [pair.partition("=") for pair in (parts.query or "").split("&") if pair]
    named = ((unquote_plus(name), unquote_plus(value)) for name, _, value in pairs)
    query = sorted(pair for pair in named if not is_secret_parameter(pair[0]))
    return method, parts.scheme, (parts.authority or "").rpartition("@")[2].lower(), tuple(segments), tuple(query)
