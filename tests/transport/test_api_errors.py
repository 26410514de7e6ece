"""Error bodies in every format, and the errors made of them."""

import copy
import json
import pickle
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

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
from stellantis_hal.hal.header_mapping import Headers
from stellantis_hal.navigation.fetch_protocol import Request, Response
from stellantis_hal.transport.api_errors import make_error, parse_error_body
from stellantis_hal.transport.conventions import ApiConventions
from stellantis_hal.vendor.gateway import GATEWAY
from tests.support.profiles import few_examples
from tests.transport.doubles import CONVENTIONS

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
URL = "https://api.test/user/vehicles/0123456789abcdef0123"
VENDOR = {"code": 40499, "message": "No data", "uuid": "u-1", "timestamp": "2023-09-12T09:41:10.911Z"}


def error_for(
    status: int, body: Any = b"", *, method: str = "GET", asked: dict[str, str] | None = None, **fields: str
) -> StellantisError | None:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    headers = Headers({name.replace("_", "-"): value for name, value in fields.items()})
    response = Response(url=URL, status=status, headers=headers, content=content, received_at=NOW)
    return make_error(Request(url=URL, method=method, headers=asked or {}), response, now=NOW, conventions=CONVENTIONS)


def api_error(status: int, body: Any = b"", **options: Any) -> ApiError:
    error = error_for(status, body, **options)
    assert isinstance(error, ApiError)
    return error


def hidden(body: Any, conventions: ApiConventions = GATEWAY) -> StellantisError | None:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    response = Response(url=URL, status=200, headers=Headers({}), content=content, received_at=NOW)
    return make_error(Request(url=URL), response, now=NOW, conventions=conventions)


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [
        (VENDOR, NotFoundError, 404),
        ({"httpCode": "500", "httpMessage": "Internal Error"}, ServerError, 500),
        ({"httpCode": "401", "httpMessage": "Unauthorized", "moreInformation": "x"}, UnauthorizedError, 401),
        ({"code": 50038, "message": "back end"}, ServerError, 500),
        ({"code": "429"}, RateLimitedError, 429),
    ],
)
def test_an_error_body_of_a_success_is_an_error(body: Any, kind: type[ApiError], status: int) -> None:
    """A watch took such a status for one in which every value was gone."""
    error = hidden(body)
    assert isinstance(error, kind)
    assert error.status == status
    assert f"answered 200 with an error {status} in its body" in str(error)
    assert hidden(body, ApiConventions()) is None


@pytest.mark.parametrize(
    "body",
    [
        {"httpCode": "200", "httpMessage": "OK"},
        {"code": 1001, "message": "odd"},
        {"code": 99999},
        {"code": None, "message": "x"},
        {**VENDOR, "odometer": {"mileage": 1}},
        {**VENDOR, "_links": {}},
        {"message": "the mode"},
        {"uuid": "code"},
        [VENDOR],
        b'{"code":',
        {"code": 40499, "x": 1},
        b'[{"code": 40499}]',
        b"",
        {**VENDOR, "message": "x" * 9_000},
    ],
)
def test_other_bodies_of_a_success_are_no_errors(body: Any) -> None:
    assert hidden(body) is None


@pytest.mark.parametrize("status", [200, 201, 202, 204])
def test_a_success_is_no_error(status: int) -> None:
    assert error_for(status) is None


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, BadRequestError),
        (401, UnauthorizedError),
        (403, ForbiddenError),
        (404, NotFoundError),
        (406, ApiError),
        (422, ApiError),
        (429, RateLimitedError),
        (500, ServerError),
        (503, ServerError),
        (302, ApiError),
        (101, ApiError),
    ],
)
def test_each_status_has_its_error_type(status: int, kind: type[ApiError]) -> None:
    assert type(error_for(status)) is kind


def test_a_body_with_code_and_message_is_parsed() -> None:
    error = api_error(404, VENDOR, X_Global_Transaction_ID="t-9")
    assert (error.status, error.code, error.uuid, error.transaction_id) == (404, 40499, "u-1", "t-9")
    assert error.timestamp == datetime(2023, 9, 12, 9, 41, 10, 911000, tzinfo=UTC)


def test_a_code_may_be_zero() -> None:
    assert parse_error_body(b'{"code":0}').code == 0


def test_scripts_and_styles_are_not_part_of_the_message() -> None:
    page = b"<STYLE>\np{}\n</STYLE><h1>Bad</h1><script>\nrun()\n</script><p>day</p>"
    assert parse_error_body(page).message == "Bad day"


def test_a_timestamp_with_an_offset_is_converted_to_utc() -> None:
    timestamp = parse_error_body(b'{"timestamp":"2017-08-10T15:46:39+02:00"}').timestamp
    assert timestamp is not None
    assert timestamp.tzinfo is UTC


@pytest.mark.usefixtures("in_new_york")
def test_a_timestamp_without_an_offset_is_utc_in_any_zone() -> None:
    timestamp = parse_error_body(b'{"timestamp":"2017-08-10T13:46:39"}').timestamp
    assert timestamp == datetime(2017, 8, 10, 13, 46, 39, tzinfo=UTC)


@pytest.mark.parametrize("code", ["495", " 495 ", 495])
def test_a_code_sent_as_a_string_becomes_an_int(code: Any) -> None:
    assert parse_error_body(json.dumps({"code": code}).encode()).code == 495


@pytest.mark.parametrize("code", [True, None, "E-1", 1.5, [], "9" * 30, 10**9, 10**4_000, -1])
def test_an_invalid_code_is_none(code: Any) -> None:
    assert parse_error_body(json.dumps({"code": code}).encode()).code is None


@pytest.mark.parametrize(
    ("spelling", "instant"),
    [
        ("2023-09-12T09:41:10.911Z", datetime(2023, 9, 12, 9, 41, 10, 911000, tzinfo=UTC)),
        ("2017-08-10T13:46:39.652+0200", datetime(2017, 8, 10, 11, 46, 39, 652000, tzinfo=UTC)),
        ("2017-08-10T13:46:39", datetime(2017, 8, 10, 13, 46, 39, tzinfo=UTC)),
        ("Mon Jun 03 08:35:36 GMT 2019", datetime(2019, 6, 3, 8, 35, 36, tzinfo=UTC)),
        ("Mon Foo 03 08:35:36 GMT 2019", None),
        ("Mon Jun 33 08:35:36 GMT 2019", None),
        ("0001-01-01T00:00:00+0200", None),
        ("yesterday", None),
        (1694511670, None),
    ],
)
def test_all_formats_of_a_timestamp_are_parsed(spelling: Any, instant: datetime | None) -> None:
    assert parse_error_body(json.dumps({"timestamp": spelling}).encode()).timestamp == instant


def test_an_api_connect_body_is_parsed() -> None:
    error = api_error(401, {"httpCode": "401", "httpMessage": "Unauthorized", "moreInformation": "Token expired"})
    assert isinstance(error, UnauthorizedError)
    assert error.code == 401
    assert "Unauthorized Token expired" in str(error)


@pytest.mark.parametrize("words", ["Not registered to plan", "Invalid client id or secret."])
@pytest.mark.parametrize("status", [401, 403])
def test_a_misconfiguration_phrase_is_a_configuration_error(status: int, words: str) -> None:
    error = error_for(status, {"httpCode": str(status), "httpMessage": "No", "moreInformation": words})
    assert isinstance(error, ConfigurationError)
    assert error.more_information == words


def test_a_misconfiguration_phrase_may_be_in_any_body() -> None:
    error = error_for(401, {"message": "Invalid client id or secret."})
    assert isinstance(error, ConfigurationError)
    assert error.more_information is None


def test_an_oauth_body_is_parsed() -> None:
    body = parse_error_body(b'{"error":"invalid_grant","error_description":"gone"}')
    assert (body.error, body.message) == ("invalid_grant", "gone")


def test_server_error_with_status_400_is_transient() -> None:
    assert api_error(400, {"error": "server_error"}).is_transient


def test_a_problem_document_is_parsed() -> None:
    assert "out of range" in str(api_error(422, {"type": "about:blank", "title": "Unfit", "detail": "out of range"}))


def test_the_type_of_a_problem_may_be_missing() -> None:
    error = api_error(422, {"title": "Unfit"}, content_type="application/problem+json")
    assert error.problem_type == "about:blank"
    assert api_error(422, {"title": "Unfit"}).problem_type is None


def test_a_problem_document_may_have_only_a_title() -> None:
    assert "Unfit" in str(api_error(422, {"type": "about:blank", "title": "Unfit"}))


def test_a_body_without_text_has_no_message() -> None:
    assert parse_error_body(b'{"code":1}').message == ""


def test_fields_beside_a_nested_body_take_precedence() -> None:
    body = parse_error_body(b'{"error":{"code":1,"message":"inner"},"message":"outer"}')
    assert (body.code, body.message, body.error) == (1, "outer", None)


def test_a_nested_body_is_parsed() -> None:
    assert api_error(500, {"error": {"code": "50038", "message": "back end"}}).code == 50038


def test_the_text_of_an_html_page_is_the_message() -> None:
    page = b"<html><head><style>p{}</style><title>502 Bad Gateway</title></head><body><p>nginx</p></body></html>"
    assert "502 Bad Gateway nginx" in str(api_error(502, page))


@pytest.mark.parametrize("body", [b"", b"null", b"[]", b"7", b'"text"', b"\xff\xfe\x00", b"{"])
def test_an_empty_or_invalid_body_still_makes_an_error(body: bytes) -> None:
    error = api_error(500, body)
    assert error.code is None
    assert error.is_transient


@pytest.mark.parametrize(
    ("status", "transient"), [(404, False), (408, True), (429, True), (500, True), (501, False), (503, True)]
)
def test_failures_that_may_pass_are_transient(status: int, transient: bool) -> None:
    assert api_error(status).is_transient is transient


def test_retry_after_is_parsed() -> None:
    assert api_error(429, Retry_After="name=rate-limit-1,15001").retry_after == 15001.0


def test_a_304_to_a_conditional_request_is_no_error() -> None:
    assert error_for(304, asked={"If-None-Match": '"1"'}) is None
    assert error_for(304, asked={"if-modified-since": "x"}) is None


def test_a_304_to_an_unconditional_request_is_an_error() -> None:
    assert str(api_error(304)).endswith(" answered 304. The request was not conditional.")


def test_a_303_after_a_write_is_no_error() -> None:
    assert error_for(303, method="POST", Location="/x") is None


def test_a_redirect_of_a_write_is_an_error() -> None:
    """It may have turned the write into a GET; the caller sees where it leads."""
    text = str(api_error(302, method="POST", Location="/x"))
    assert "A POST is not redirected by a 302" in text
    assert "send it to https://api.test/x" in text


def test_a_redirect_without_a_location_is_an_error() -> None:
    assert "no Location header" in str(api_error(302))


def test_a_message_has_request_status_words_and_advice() -> None:
    text = str(api_error(403, {"code": 40300, "message": "no access"}))
    for part in ("GET", "/user/vehicles/", "403", "40300", "no access", "scope"):
        assert part in text


def test_an_error_has_the_whole_url() -> None:
    assert api_error(404).url == URL


def test_an_error_has_the_oauth_code() -> None:
    error = api_error(400, {"error": "invalid_grant", "error_description": "The code of me@example.org was used."})
    assert (error.oauth_error, error.description) == ("invalid_grant", "The code of *** was used.")
    assert api_error(400, {"error": "invalid_grant"}).description == ""


def test_a_code_equal_to_the_status_is_not_repeated() -> None:
    assert "code" not in str(api_error(422, {"code": 422}))


def test_an_error_without_a_code_mentions_none() -> None:
    assert "code" not in str(api_error(422, {"message": "unfit"}))


@pytest.mark.parametrize("body", [b"", {"message": "It is so. "}])
def test_a_message_has_no_trailing_punctuation(body: Any) -> None:
    text = str(api_error(422, body))
    assert text.endswith(("answered 422", "It is so"))


def test_a_configuration_error_says_what_to_check() -> None:
    text = str(error_for(401, {"message": "Invalid client id or secret."}))
    for part in ("GET", "/user/vehicles/", "401", "Invalid client id or secret", "certificate", "the plan that"):
        assert part in text


@pytest.mark.parametrize("status", [300, 399])
def test_any_3xx_without_a_location_says_so(status: int) -> None:
    assert "no Location header" in str(api_error(status))


def test_a_400_has_its_own_advice() -> None:
    assert "parameters" in str(api_error(400))


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_303_after_a_read_is_an_error(method: str) -> None:
    assert api_error(303, method=method).status == 303


def test_a_retry_after_date_is_relative_to_now() -> None:
    assert api_error(503, Retry_After="Sun, 01 Mar 2026 12:00:30 GMT").retry_after == 30.0


def test_a_403_names_the_scopes_documented_for_its_url() -> None:
    response = Response(url=URL, status=403, headers=Headers(), content=b"", received_at=NOW)
    error = make_error(
        Request(url=URL),
        response,
        now=NOW,
        conventions=ApiConventions(scopes=lambda url: ("a:b", "data:trip") if url == URL else ()),
    )
    assert isinstance(error, ForbiddenError)
    assert error.scopes == ("a:b", "data:trip")
    assert "This URL needs a:b, data:trip." in str(error)


def test_a_403_of_a_url_without_scopes_names_none() -> None:
    response = Response(url=URL, status=403, headers=Headers(), content=b"", received_at=NOW)
    error = make_error(Request(url=URL), response, now=NOW, conventions=ApiConventions(scopes=lambda url: ()))
    assert isinstance(error, ForbiddenError)
    assert error.scopes == ()


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)
KEYS = ["code", "message", "uuid", "timestamp", "httpCode", "httpMessage", "moreInformation", "error", "detail"]


@pytest.mark.unmeasured
@few_examples()
@given(
    st.integers(100, 599), st.dictionaries(st.sampled_from(KEYS), JSON).map(json.dumps).map(str.encode) | st.binary()
)
def test_any_body_makes_an_error_of_its_status(status: int, body: bytes) -> None:
    error = error_for(status, body)
    assert (error is None) == (200 <= status < 300)
    if isinstance(error, ApiError):
        assert error.code is None or isinstance(error.code, int)


PERSONAL = ["VF3CUZZ1234567890", "me@example.com", "Bearer abc.def.ghi", "48.8583, 2.2945"]


@given(
    st.sampled_from(KEYS),
    st.sampled_from(PERSONAL),
)
def test_no_message_contains_personal_data(key: str, secret: str) -> None:
    assert secret.removeprefix("Bearer ") not in str(api_error(400, {key: f"about {secret} we know nothing"}))


PLACE = "GET https://api.test/user/vehicles/*** "
CHECK = "Check the URL if it did not come from a link."


@pytest.mark.parametrize(
    ("status", "body", "fields", "message"),
    [
        (400, b"", {}, "answered 400. Check the parameters and the body."),
        (404, VENDOR, {}, f"answered 404 (code 40499): No data. {CHECK}"),
        (404, {"code": 404, "message": "No data. "}, {}, f"answered 404: No data. {CHECK}"),
        (418, b"<p>I am</p> a  pot", {}, "answered 418: I am a pot"),
        (429, b"", {}, "answered 429. The rate limit is reached."),
        (429, b"", {"Retry_After": "90"}, "answered 429. The rate limit is reached: retry after 90 s."),
        (
            503,
            {"error": "temporarily_unavailable", "error_description": "busy", "moreInformation": "later"},
            {},
            "answered 503: temporarily_unavailable busy later",
        ),
        (500, {"message": "y" * 400}, {}, f"answered 500: {'y' * 300}"),
        (304, b"", {}, "answered 304. The request was not conditional."),
        (302, b"", {}, "answered 302. The redirect has no Location header."),
        (
            307,
            b"",
            {"Location": "/x"},
            (
                "answered 307. A GET is not redirected by a 307, which may have turned it into a GET; send it to "
                "https://api.test/x, if that was meant."
            ),
        ),
        (
            302,
            b"",
            {"Location": "/x?client_id=s"},
            (
                "answered 302. A GET is not redirected by a 302, which may have turned it into a GET; send it to "
                "https://api.test/x?client_id=***, if that was meant."
            ),
        ),
        (
            401,
            {"httpCode": "401", "httpMessage": "Unauthorized", "moreInformation": "Invalid client id or secret."},
            {},
            (
                "refused the application with 401: Unauthorized Invalid client id or secret. Check the certificate and "
                "the plan that the application is registered to."
            ),
        ),
        (
            401,
            {"moreInformation": "Not registered to plan"},
            {},
            (
                "refused the application with 401: Not registered to plan. Check the certificate and the plan that the "
                "application is registered to."
            ),
        ),
    ],
)
def test_what_a_response_says_is_said_whole(status: int, body: Any, fields: dict[str, Any], message: str) -> None:
    assert str(error_for(status, body, **fields)) == PLACE + message


@pytest.mark.parametrize(
    ("status", "body", "transient"),
    [
        (408, b"", True),
        (425, b"", True),
        (429, b"", True),
        (409, b"", False),
        (499, b"", False),
        (500, b"", True),
        (501, b"", False),
        (502, b"", True),
        (505, b"", False),
        (510, b"", False),
        (599, b"", True),
        (400, {"error": "temporarily_unavailable"}, True),
        (400, {"error": "invalid_request"}, False),
    ],
)
def test_some_statuses_may_pass(status: int, body: Any, transient: bool) -> None:
    assert api_error(status, body).is_transient is transient


def test_each_part_of_an_answer_is_a_part_of_its_error() -> None:
    fields: dict[str, Any] = {"X_Global_Transaction_ID": "t-1", "Retry_After": "7"}
    error = api_error(404, {**VENDOR, "error": "no_data", "message": "z" * 1_200}, **fields)
    assert {name: getattr(error, name) for name in WHOLE} == WHOLE
    assert error.headers["Retry-After"] == "7"


WHOLE = {
    "status": 404,
    "url": URL,
    "code": 40499,
    "uuid": "u-1",
    "timestamp": datetime(2023, 9, 12, 9, 41, 10, 911_000, tzinfo=UTC),
    "transaction_id": "t-1",
    "retry_after": 7.0,
    "is_transient": False,
    "oauth_error": "no_data",
    "description": "z" * 300,
    "detail": "z" * 1_000,
    "problem_type": None,
    "document": {**VENDOR, "error": "no_data", "message": "z" * 1_200},
}


def test_an_error_carries_its_answer() -> None:
    problem = {"type": "https://e.test/p", "detail": "of me@example.org", "errors": [{"pointer": "#/a", "detail": "x"}]}
    error = api_error(422, problem, content_type="application/problem+json", x_odd="1")
    assert (error.detail, error.problem_type) == ("of me@example.org", "https://e.test/p")
    assert (dict(error.errors), error.document) == ({"a": ("x",)}, problem)
    assert (error.headers["X-Odd"], error.description) == ("1", "of ***")
    assert "me@example.org" not in str(error) + repr(error)


def test_messages_by_field_are_part_of_the_message() -> None:
    error = api_error(400, {"age": ["bad"]})
    assert "answered 400: age: bad" in str(error)
    assert error.detail == "age: bad"


@pytest.mark.parametrize(
    ("body", "detail"),
    [(b"<h1>Bad</h1> Gateway", "Bad Gateway"), (b"", None), (b"x" * 9_000, "x" * 1_000), (b'"no"', "no")],
)
def test_an_answer_without_json_has_its_words(body: bytes, detail: str | None) -> None:
    error = api_error(502, body)
    assert (error.detail, dict(error.errors)) == (detail, {})
    assert error.document == ("no" if detail == "no" else None)


@pytest.mark.parametrize(("status", "kind"), [(412, PreconditionFailedError), (428, PreconditionRequiredError)])
def test_failed_conditions_are_errors_of_their_own(status: int, kind: type[ApiError]) -> None:
    error = api_error(status, {"_status": "ERR", "_error": {"code": status, "message": "no"}}, method="PATCH")
    assert type(error) is kind
    assert not error.is_transient
    assert error.detail == "no"
    assert "read" in str(error)


def test_a_409_to_a_key_may_pass() -> None:
    assert api_error(409, asked={"idempotency-key": '"k"'}).is_transient
    assert not api_error(409).is_transient


def test_advice_on_a_missing_condition() -> None:
    assert "read the resource first, and write to what was read" in str(api_error(428))


@pytest.mark.parametrize("levels", [1, 90, 900, 5_000])
def test_an_error_of_any_depth_is_pickled(levels: int) -> None:
    """A body too deep for pickle is left out, as one that is no JSON."""
    error = api_error(400, b'{"a":' * levels + b"1" + b"}" * levels, x_odd="1")
    again = pickle.loads(pickle.dumps(error))
    assert (again.status, again.document, again.headers["x-odd"]) == (400, error.document, "1")
    assert (again.document is None) == (levels > 100)
    assert copy.copy(error).detail == error.detail
