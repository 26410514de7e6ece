"""The cases of the HTTP working group's cache tests, run in process on a clock of their own.

A case is a list of requests to one URL of its own. Each request says what the server answers, and whether the answer
has to come from the server, from the cache, or from the cache after a validation.
"""

import copy
import json
import uuid
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import attrs

from stellantis_hal.errors import ApiError, NetworkError
from stellantis_hal.hal.header_mapping import Headers
from stellantis_hal.navigation.fetch_protocol import Fetch, Request, Response
from stellantis_hal.transport.api_errors import make_error
from stellantis_hal.transport.conventions import ApiConventions

__all__ = ["Case", "CaseError", "SetupError", "load_cases", "run_case"]

START = datetime(2027, 1, 15, 8, tzinfo=UTC)
PAUSE = timedelta(seconds=3)
DATES = {"date", "expires", "last-modified", "if-modified-since", "if-unmodified-since"}
LOCATIONS = {"location", "content-location"}
VALIDATORS = {"etag_validated": "if-none-match", "lm_validated": "if-modified-since"}
NOT_VALIDATED = 999


class CaseError(AssertionError):
    """The cache did what the case forbids."""


class SetupError(CaseError):
    """The case needs something that the cache does not do, such as storing what it says."""


@attrs.frozen(kw_only=True)
class Case:
    """One case.

    Attributes:
        name: its id.
        kind: "required", "optimal" or "check".
        for_private: whether it applies to a cache of one user.
        requests: what is asked, answered and expected.
    """

    name: str
    kind: str
    for_private: bool
    requests: list[dict[str, Any]]


def load_cases(path: Path) -> Iterator[Case]:
    """Yield the cases that a Fetch can run: those of shared caches, of browsers and with interim responses are not."""
    for suite in json.loads(path.read_text()):
        for test in suite["tests"]:
            requests = test["requests"]
            has_interim = any(
                {"interim_responses", "expected_interim_responses"} & request.keys() for request in requests
            )
            if test.get("browser_only") or test.get("cdn_only") or has_interim:
                continue
            yield Case(
                name=test["id"],
                kind=test.get("kind", "required"),
                for_private=not test.get("browser_skip", False),
                requests=requests,
            )


class Server:
    """Answers as a case says, and raises errors as the pipeline does."""

    def __init__(self, requests: list[dict[str, Any]], text: str) -> None:
        self.now = START
        self.requests = requests
        self.text = text
        self.received: list[tuple[int, Request, dict[str, str]]] = []

    def clock(self) -> datetime:
        return self.now

    async def __call__(self, request: Request, /) -> Response:
        fields = {name.lower(): value for name, value in request.headers.items()}
        number = int(fields["req-num"])
        config = self.requests[number - 1]
        self.now += timedelta(seconds=config.get("response_pause", 0))
        if config.get("disconnect"):
            raise NetworkError("the connection was cut", url=request.url, sent=True)
        status = (config.get("response_status") or [200])[0]
        if config.get("expected_type", "").endswith("validated"):
            status = 304 if self._is_current(number, fields) else NOT_VALIDATED
        pairs = [
            ("Server-Base-Url", request.url),
            ("Server-Request-Count", str(len(self.received) + 1)),
            ("Server-Now", self.now.isoformat()),
        ]
        checked: dict[str, str] = {}
        for index, given in enumerate(config.get("response_headers", ())):
            field = filled(given, request.url, config, self.now)
            config["response_headers"][index] = field
            pairs.append((field[0], str(field[1])))
            if len(field) < 3 or field[2] is True:
                checked[field[0].lower()] = Headers(pairs)[field[0]]
        names = {name.lower() for name, _ in pairs}
        if "content-type" not in names:
            pairs.append(("Content-Type", "text/plain"))
        if "date" not in names:
            pairs.append(("Date", format_datetime(self.now, usegmt=True)))
        self.received.append((number, request, checked))
        body = "" if status in (204, 304) or request.method == "HEAD" else config.get("response_body") or self.text
        response = Response(
            url=request.url, status=status, headers=Headers(pairs), content=body.encode(), received_at=self.now
        )
        error = make_error(request, response, now=self.now, conventions=ApiConventions())
        if error is None:
            return response
        error.__dict__["response"] = response
        raise error

    def _is_current(self, number: int, fields: Mapping[str, str]) -> bool:
        before = {name.lower(): value for name, value, *_ in self.requests[number - 2].get("response_headers", ())}
        return any(
            validator in before and fields.get(condition) == before[validator]
            for validator, condition in (("etag", "if-none-match"), ("last-modified", "if-modified-since"))
        )


def filled(field: list[Any], base: str, config: Mapping[str, Any], now: datetime) -> list[Any]:
    """Return a field with its date made of seconds, and its location made of a path."""
    name, value, *rest = field
    if name.lower() in DATES and type(value) is int:
        instant = now + timedelta(seconds=value)
        is_old = name.lower() in config.get("rfc850date", ())
        value = f"{instant:%A, %d-%b-%y %H:%M:%S GMT}" if is_old else format_datetime(instant, usegmt=True)
    if name.lower() in LOCATIONS and config.get("magic_locations"):
        value = f"{base}/{value}" if value else base
    return [name, value, *rest]


async def run_case(case: Case, make: Callable[[Fetch, Callable[[], datetime]], Fetch]) -> None:
    """Run a case on a cache that is made around the server.

    Raises:
        CaseError: the cache does not fulfil it.
    """
    requests, text = copy.deepcopy(case.requests), str(uuid.uuid4())
    server = Server(requests, text)
    cache = make(server, server.clock)
    responses: list[Response] = []
    for index, config in enumerate(requests):
        request = _request(config, index + 1, text, responses)
        try:
            response = await cache(request)
        except ApiError as error:
            response = error.__dict__.get("response") or Response(
                url=request.url, status=error.status, headers=Headers(), content=b"", received_at=server.now
            )
        except NetworkError as error:
            _require(config, "expected_type", config.get("expected_type") != "cached", str(error))
            return
        responses.append(response)
        _check_response(config, index + 1, response, text)
        server.now += PAUSE if config.get("pause_after") else timedelta()
    _check_requests(requests, server, responses)


def _request(config: Mapping[str, Any], number: int, text: str, responses: list[Response]) -> Request:
    url = f"http://cache.example/test/{text}"
    url += f"/{config['filename']}" if "filename" in config else ""
    url += f"?{config['query_arg']}" if "query_arg" in config else ""
    fields: dict[str, str] = {}
    for field in config.get("request_headers", ()):
        name, value, *_ = field
        if config.get("magic_ims") and name.lower() == "if-modified-since":
            _, value = filled(field, url, config, datetime.fromisoformat(responses[-1].headers["server-now"]))
        fields[name] = f"{fields[name]}, {value}" if name in fields else value
    return Request(
        url=url,
        method=config.get("request_method", "GET"),
        headers={**fields, "Req-Num": str(number)},
        content=config.get("request_body", "").encode() or None,
    )


def _require(config: Mapping[str, Any], member: str | None, fulfilled: bool, message: str) -> None:
    if fulfilled:
        return
    is_setup = member is not None and (config.get("setup") is True or member in config.get("setup_tests", ()))
    raise (SetupError if is_setup else CaseError)(message)


def _check_response(config: Mapping[str, Any], number: int, response: Response, text: str) -> None:
    count = response.headers.get("server-request-count")
    expected = config.get("expected_type")
    if expected == "cached" and not (response.status == 304 and count is None):
        _require(config, "expected_type", count is not None and int(count) < number, "it was not served from the cache")
    if expected == "not_cached":
        _require(config, "expected_type", count == str(number), "it was served from the cache")
    if "expected_status" in config:
        status = config["expected_status"]
        _require(config, "expected_status", status in (None, response.status), f"the status is {response.status}")
    elif "response_status" in config:
        _require(config, None, response.status == config["response_status"][0], f"the status is {response.status}")
    elif response.status == NOT_VALIDATED:
        _require(config, "expected_type", False, "the request had no validator")
    else:
        _require(config, None, response.status == 200, f"the status is {response.status}")
    _check_fields(config, response)
    body = response.content.decode()
    if config.get("check_body") is False or (
        "expected_response_text" in config and not config["expected_response_text"]
    ):
        return
    if "expected_response_text" in config:
        _require(config, "expected_response_text", body == config["expected_response_text"], "the body differs")
    elif config.get("response_body") is not None:
        _require(config, None, body == config["response_body"], "the body differs")
    elif response.status not in (204, 304) and config.get("request_method") != "HEAD":
        _require(config, None, body == text, "the body differs")


def _check_fields(config: Mapping[str, Any], response: Response) -> None:
    headers, member = response.headers, "expected_response_headers"
    for field in config.get(member, ()):
        if isinstance(field, str):
            _require(config, member, field in headers, f"{field} is missing")
            continue
        value = headers.get(field[0], "")
        if len(field) == 2:
            instant = datetime.fromisoformat(headers.get("server-now", START.isoformat()))
            wanted = filled(field, headers.get("server-base-url", ""), config, instant)[1]
            _require(config, member, value == wanted, f"{field[0]} is {value!r}, not {wanted!r}")
        elif field[1] == "=":
            _require(config, member, value == headers.get(field[2]), f"{field[0]} is {value!r}")
        else:
            _require(config, member, value.isdigit() and int(value) > field[2], f"{field[0]} is {value!r}")
    for name in config.get("expected_response_headers_missing", ()):
        if isinstance(name, str):
            _require(config, "expected_response_headers_missing", name not in headers, f"{name} is there")


def _check_requests(requests: list[dict[str, Any]], server: Server, responses: list[Response]) -> None:
    received = iter(server.received)
    for index, config in enumerate(requests):
        expected = config.get("expected_type")
        if expected == "cached":
            continue
        number, request, checked = next(received, (0, None, {}))
        if expected == "not_cached":
            _require(config, "expected_type", number == index + 1, "the server received no request")
        fields = {} if request is None else {name.lower(): value for name, value in request.headers.items()}
        if expected in VALIDATORS:
            _require(config, "expected_type", VALIDATORS[expected] in fields, f"{VALIDATORS[expected]} was not sent")
        for field in config.get("expected_request_headers", ()):
            member = "expected_request_headers"
            if isinstance(field, str):
                _require(config, member, field.lower() in fields, f"{field} was not sent")
            else:
                _require(config, member, fields.get(field[0].lower()) == field[1], f"{field[0]} was not sent so")
        for field in config.get("expected_request_headers_missing", ()):
            member = "expected_request_headers_missing"
            if isinstance(field, str):
                _require(config, member, field.lower() not in fields, f"{field} was sent")
            else:
                _require(config, member, fields.get(field[0].lower()) != field[1], f"{field[0]} was sent so")
        for name, value in checked.items():
            if name != "date":
                shown = responses[index].headers.get(name)
                _require(config, None, shown == value, f"{name} is {shown!r}, not {value!r}")
        if "expected_method" in config and request is not None:
            _require(config, "expected_method", request.method == config["expected_method"], "another method was sent")
