"""A request carried through to its answer."""

import contextlib
import logging
import re
import sys
from collections.abc import AsyncIterator, Generator
from datetime import timedelta
from typing import Any

import anyio
import anyio.lowlevel
import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stellantis_hal.errors import (
    ApiError,
    AuthError,
    BodyTooLargeError,
    BudgetExhaustedError,
    ConfigurationError,
    ForbiddenError,
    NetworkError,
    NotFoundError,
    RateLimitedError,
    ServerError,
    StellantisError,
    TooManyRedirectsError,
    UnauthorizedError,
    UntrustedOriginError,
)
from stellantis_hal.navigation.fetch import Request, Response
from stellantis_hal.navigation.origins import Origins
from stellantis_hal.transport.conventions import ApiConventions
from stellantis_hal.transport.exchange import Timeouts
from stellantis_hal.transport.hooks import Hooks, ResponseRecord, RetryRecord, WaitRecord
from stellantis_hal.transport.rate_limit.limiter import TokenBucketLimiter
from stellantis_hal.transport.rate_limit.protocol import RateLimits, Slot
from stellantis_hal.transport.rate_limit.quota import Quota, Window
from stellantis_hal.transport.retry import RetryPolicy
from stellantis_hal.transport.session import Session
from tests.support.transports import ScriptedTransport
from tests.transport.doubles import API, Badge, call, get, session, wall

pytestmark = pytest.mark.anyio
OK = httpx.Response(200, json={"vin": "x"})


def moved(location: str, status: int = 302) -> httpx.Response:
    return httpx.Response(status, headers={"Location": location})


def slow(status: int, **fields: str) -> httpx.Response:
    return httpx.Response(status, headers={name.replace("_", "-"): value for name, value in fields.items()})


# ------------------------------------------------------------------------------------------------- parts


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"transport": httpx.AsyncClient},
            "transport must be AsyncBaseTransport or None, not type: httpx.AsyncHTTPTransport(), or none",
        ),
        ({"retry": 3}, "retry must be RetryPolicy or None, not int: RetryPolicy(attempts=…)"),
        ({"tls": "cert.pem"}, "tls must be Tls or None, not str"),
        (
            {"limiter": RateLimits(10)},
            "limiter must be RateLimiter or None, not RateLimits: TokenBucketLimiter(RateLimits(…))",
        ),
    ],
    ids=["transport", "retry", "tls", "limiter"],
)
def test_a_part_of_another_kind_is_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(TypeError, match=f"^{re.escape(message)}$"):
        Session(Origins(API), **options)


def test_credentials_of_another_kind_are_refused_and_not_shown() -> None:
    secret: Any = ("user", "secret")
    with pytest.raises(TypeError) as caught:
        Session(Origins(API)).pipeline(credentials=secret)
    assert str(caught.value) == (
        "credentials have to be an httpx.Auth, or have its headers, not tuple: httpx.BasicAuth(user, password)"
    )


# ------------------------------------------------------------------------------------------------- answers


async def test_an_answer_is_given_as_a_value() -> None:
    answer = await call(httpx.Response(200, json={"a": 1}, headers={"ETag": '"7"'}))
    assert (answer.status, answer.content, answer.headers["etag"]) == (200, b'{"a":1}', '"7"')
    assert answer.url == f"{API}/user"
    assert abs((wall() - answer.received_at).total_seconds()) < 1


async def test_a_request_says_what_it_accepts_unless_it_was_told() -> None:
    opened, transport = session(OK)
    async with opened:
        await get(opened.pipeline())
        await get(opened.pipeline(), headers={"ACCEPT": "application/vnd.geo+json"})
    first, second = (request.headers for request in transport.requests)
    assert first["accept"].startswith("application/hal+json")
    assert second.get_list("accept") == ["application/vnd.geo+json"]
    assert first["user-agent"].startswith("stellantis_hal/")


async def test_a_body_is_sent_as_it_is() -> None:
    opened, transport = session(httpx.Response(202))
    async with opened:
        answer = await get(opened.pipeline(), method="POST", content=b'{"a":1}', headers={"Content-Type": "x/y"})
    assert answer.status == 202
    assert transport.requests[0].content == b'{"a":1}'
    assert transport.requests[0].headers["content-type"] == "x/y"


async def test_an_error_status_is_an_error() -> None:
    with pytest.raises(NotFoundError):
        await call(httpx.Response(404, json={"code": 40400}))


@pytest.mark.parametrize("status", [199, 300])
async def test_a_status_just_beside_success_is_an_error(status: int) -> None:
    with pytest.raises(ApiError):
        await call(httpx.Response(status))


async def test_a_date_to_come_back_at_is_read_by_the_sessions_clock() -> None:
    date = (wall() + timedelta(seconds=90)).strftime("%a, %d %b %Y %H:%M:%S GMT")
    with pytest.raises(ApiError) as failure:
        await call(slow(404, Retry_After=date))
    assert failure.value.retry_after == pytest.approx(90, abs=2)


async def test_a_session_names_the_scopes_that_it_was_told_of() -> None:
    def scopes(url: str) -> tuple[str, ...]:
        return ("data:trip",)

    with pytest.raises(ForbiddenError) as failure:
        await call(httpx.Response(403), conventions=ApiConventions(scopes=scopes))
    assert failure.value.scopes == ("data:trip",)


async def test_a_304_is_given_where_it_was_asked_for() -> None:
    opened, _ = session(httpx.Response(304))
    async with opened:
        assert (await get(opened.pipeline(), headers={"If-None-Match": '"1"'})).status == 304


async def test_a_body_beyond_the_bound_is_refused() -> None:
    with pytest.raises(BodyTooLargeError):
        await call(httpx.Response(200, content=b"x" * 11), max_body=10)


async def test_a_body_beyond_the_bound_had_been_asked_for_at_its_address() -> None:
    with pytest.raises(BodyTooLargeError, match="10 bytes") as failure:
        await call(httpx.Response(200, content=b"x" * 11), max_body=10)
    assert (failure.value.url, failure.value.sent, failure.value.is_transient) == (f"{API}/user", True, False)


async def test_a_coding_that_was_not_asked_for_is_a_network_error() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        stream = httpx.ByteStream(b"?")
        return httpx.Response(200, headers={"Content-Encoding": "br"}, stream=stream)

    with pytest.raises(NetworkError, match="br") as failure:
        await call(answer, retry=RetryPolicy(attempts=1))
    assert (failure.value.url, failure.value.sent, failure.value.is_transient) == (f"{API}/user", True, False)


async def test_a_caller_may_judge_answers_itself() -> None:
    def make_error(request: Request, answer: Response) -> StellantisError | None:
        return ConfigurationError("odd") if answer.status == 200 else None

    opened, _ = session(OK)
    async with opened:
        with pytest.raises(ConfigurationError, match="odd"):
            await get(opened.pipeline(make_error=make_error))


# ------------------------------------------------------------------------------------------------- credentials


async def test_credentials_go_to_the_api() -> None:
    opened, transport = session(OK)
    async with opened:
        answer = await get(opened.pipeline(credentials=Badge()), "/user?a=1")
    request = transport.requests[0]
    assert request.headers["authorization"] == "Bearer token-1"
    assert str(request.url) == f"{API}/user?a=1&client_id=app"
    assert answer.url == f"{API}/user?a=1"


async def test_the_client_id_is_never_sent_twice() -> None:
    opened, transport = session(OK)
    async with opened:
        await get(opened.pipeline(credentials=Badge("client_id=app&x=1")), "/user?client_id=app#top")
    assert transport.requests[0].url.query == b"client_id=app&x=1"


@pytest.mark.parametrize("query", ["a=1&a=2&t=x%3D%3D", "t=ab==&u=%2F%2f", "p=%2B+%20", "k=%7e~%41"])
async def test_a_query_made_by_the_server_is_kept_byte_for_byte(query: str) -> None:
    opened, transport = session(OK)
    async with opened:
        await get(opened.pipeline(credentials=Badge()), f"/user?{query}")
    assert transport.requests[0].url.query == f"{query}&client_id=app".encode()


@pytest.mark.parametrize(
    "url", ["https://other.test/", "http://api.test/", f"{API}:8443/", "https://u@api.test/", "//x"]
)
async def test_nothing_is_sent_to_an_origin_that_is_not_trusted(url: str) -> None:
    opened, transport = session(OK)
    async with opened:
        with pytest.raises(UntrustedOriginError):
            await opened.pipeline(credentials=Badge())(Request(url=url))
    assert transport.requests == []


async def test_a_caller_may_trust_origins_of_its_own() -> None:
    opened, transport = session(OK)
    async with opened:
        pipeline = opened.pipeline(origins=Origins("https://id.test"), limited=False)
        await pipeline(Request(url="https://id.test/token"))
        with pytest.raises(UntrustedOriginError):
            await get(pipeline)
    assert len(transport.requests) == 1


async def test_a_refused_token_is_renewed_once() -> None:
    badge = Badge(renewals=1)
    opened, transport = session(httpx.Response(401), OK)
    async with opened:
        await get(opened.pipeline(credentials=badge))
    assert [request.headers["authorization"] for request in transport.requests] == ["Bearer token-1", "Bearer token-2"]
    answer, sent = badge.refusals[0]
    assert answer.status == 401
    assert sent == {"Authorization": "Bearer token-1"}


async def test_a_token_refused_twice_is_an_error() -> None:
    badge = Badge(renewals=5)
    opened, transport = session(httpx.Response(401))
    async with opened:
        with pytest.raises(UnauthorizedError):
            await get(opened.pipeline(credentials=badge))
    assert len(transport.requests) == 2
    assert len(badge.refusals) == 1


async def test_a_token_that_cannot_be_renewed_is_an_error() -> None:
    opened, transport = session(httpx.Response(401))
    async with opened:
        with pytest.raises(UnauthorizedError):
            await get(opened.pipeline())
    assert len(transport.requests) == 1


async def test_a_configuration_error_of_the_gateway_is_not_looped() -> None:
    badge = Badge(renewals=5)
    body = {"httpCode": "401", "httpMessage": "Unauthorized", "moreInformation": "Invalid client id or secret."}
    opened, transport = session(httpx.Response(401, json=body))
    async with opened:
        with pytest.raises(ConfigurationError):
            await get(opened.pipeline(credentials=badge))
    assert len(transport.requests) == 1
    assert badge.refusals == []


class Challenge(httpx.Auth):
    """Answers a 401 with a password."""

    requires_response_body = True

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        response = yield request
        if response.status_code == 401 and response.text == "who?":
            request.headers["Authorization"] = "me"
            yield request


async def test_any_flow_of_authentication_will_do() -> None:
    opened, transport = session(httpx.Response(401, text="who?"), OK)
    async with opened:
        assert (await get(opened.pipeline(credentials=Challenge()))).status == 200
    assert [request.headers.get("authorization") for request in transport.requests] == [None, "me"]


async def test_basic_authentication_is_attached() -> None:
    opened, transport = session(OK)
    async with opened:
        await get(opened.pipeline(credentials=httpx.BasicAuth("me", "secret")))
    assert transport.requests[0].headers["authorization"].startswith("Basic ")


async def test_an_authentication_sends_the_requests_own_fields_and_body() -> None:
    opened, transport = session(OK)
    async with opened:
        await get(
            opened.pipeline(credentials=httpx.BasicAuth("me", "x")), method="PUT", content=b"{}", headers={"A": "b"}
        )
    (sent,) = transport.requests
    assert (sent.content, sent.headers["a"]) == (b"{}", "b")
    assert sent.headers["user-agent"].startswith("stellantis_hal/")


class Attentive(httpx.Auth):
    """Keeps what it is shown."""

    requires_request_body = True

    def __init__(self) -> None:
        self.seen: list[bytes | str] = []

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        response = yield request
        self.seen += [request.content, str(response.request.url)]


async def test_an_authentication_is_shown_the_body_and_what_was_answered() -> None:
    attentive = Attentive()
    opened, _ = session(OK)
    async with opened:
        await get(opened.pipeline(credentials=attentive), method="PUT", content=b"{}")
    assert attentive.seen == [b"{}", f"{API}/user"]


@pytest.mark.parametrize("credentials", [None, httpx.BasicAuth("me", "secret")], ids=["none", "basic"])
async def test_a_background_caller_leaves_the_interactive_share_alone(credentials: httpx.Auth | None) -> None:
    rates = TokenBucketLimiter(RateLimits(2, None), interactive_share=0.5, clock=wall)
    opened, transport = session(OK, limiter=rates)
    async with opened:
        pipeline = opened.pipeline(credentials=credentials, priority="background")
        await get(pipeline)
        await get(pipeline)
    assert transport.times[1] >= transport.times[0] + 1.0


async def test_an_error_under_an_authentication_names_the_address_that_was_asked_for() -> None:
    opened, _ = session(httpx.ReadError("cut"))
    async with opened:
        with pytest.raises(NetworkError) as failure:
            await get(opened.pipeline(credentials=httpx.BasicAuth("me", "secret"), retry=RetryPolicy(attempts=1)))
    assert failure.value.url == f"{API}/user"


async def test_an_answer_under_an_authentication_is_told_with_its_length() -> None:
    heard: list[ResponseRecord] = []
    opened, _ = session(OK, hooks=Hooks(on_response=heard.append))
    async with opened:
        await get(opened.pipeline(credentials=httpx.BasicAuth("me", "secret")))
    assert heard[0].seconds == pytest.approx(0.0, abs=0.1)


async def test_an_address_that_cannot_be_parsed_is_an_error_of_ours_under_any_authentication() -> None:
    opened, transport = session(OK)
    async with opened:
        for credentials in (None, httpx.BasicAuth("me", "secret")):
            url = "https://api.test/" + "x" * 70_000
            with pytest.raises(NetworkError, match="InvalidURL") as failure:
                await opened.pipeline(credentials=credentials)(Request(url=url))
            assert failure.value.url == url
    assert transport.requests == []


async def test_an_authentication_that_fails_is_a_401() -> None:
    opened, _ = session(httpx.Response(401, text="who?"))
    async with opened:
        with pytest.raises(UnauthorizedError):
            await get(opened.pipeline(credentials=Challenge()))


@pytest.mark.parametrize(
    ("challenge", "reason"),
    [
        ("Digest nonsense", "ValueError"),
        ('Digest realm="r", nonce="n", algorithm=x', "KeyError"),
        ('Digest realm="r", nonce="n", qop="x"', "ProtocolError"),
    ],
)
async def test_a_challenge_that_nobody_understands_is_an_error_of_ours(challenge: str, reason: str) -> None:
    opened, _ = session(httpx.Response(401, headers={"www-authenticate": challenge}))
    async with opened:
        with pytest.raises(AuthError, match=rf"401 with a challenge that DigestAuth does not understand \({reason}\)"):
            await get(opened.pipeline(credentials=httpx.DigestAuth("me", "secret")))


async def test_an_authentication_sees_fields_that_are_not_ascii() -> None:
    opened, _ = session(httpx.Response(200, headers=[(b"x-name", b"\xc3\xa9\xff")]))
    async with opened:
        answer = await get(opened.pipeline(credentials=httpx.BasicAuth("me", "secret")))
    assert answer.headers["x-name"] == "\xe9\udcff"  # UTF-8, and what is none kept as bytes, as by aiohttp


class Astray(httpx.Auth):
    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        yield httpx.Request("GET", "https://other.test/token")


async def test_an_authentication_may_not_lead_astray_either() -> None:
    opened, transport = session(OK)
    async with opened:
        with pytest.raises(UntrustedOriginError):
            await get(opened.pipeline(credentials=Astray()))
    assert transport.requests == []


async def test_an_authentication_waits_for_its_turn_like_anybody() -> None:
    waits: list[WaitRecord] = []
    rates = TokenBucketLimiter(RateLimits(1, None), clock=wall)
    opened, transport = session(httpx.Response(401, text="who?"), OK, limiter=rates, hooks=Hooks(on_wait=waits.append))
    async with opened:
        pipeline = opened.pipeline(credentials=Challenge())
        await anyio.sleep(5)
        await get(pipeline)
        with pytest.raises(BudgetExhaustedError):
            await get(opened.pipeline(credentials=Challenge(), max_wait=0.1))
    assert transport.times[1] >= transport.times[0] + 1.0
    assert max(wait.seconds for wait in waits) == pytest.approx(1.0, abs=0.1)


class Listing(httpx.Auth):
    """Keeps a field that it is shown, entry by entry."""

    def __init__(self) -> None:
        self.seen: list[str] = []

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        response = yield request
        self.seen += response.headers.get_list("x-list")


async def test_only_challenges_are_taken_apart_for_an_authentication() -> None:
    listing = Listing()
    opened, _ = session(httpx.Response(200, headers={"X-List": 'a, Digest realm="b"'}))
    async with opened:
        await get(opened.pipeline(credentials=listing))
    assert listing.seen == ['a, Digest realm="b"']


# ------------------------------------------------------------------------------------------------- redirects


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_of_a_reading_is_followed_with_credentials(status: int, method: str) -> None:
    opened, transport = session(moved("../v4/me?x=%2F#part", status), OK)
    async with opened:
        answer = await get(opened.pipeline(credentials=Badge()), "/v3/user", method=method)
    assert transport.requests[1].url.raw_path == b"/v4/me?x=%2F&client_id=app"
    assert transport.requests[1].headers["authorization"] == "Bearer token-1"
    assert answer.url == f"{API}/v4/me?x=%2F"


@pytest.mark.parametrize(
    ("echo", "plain"),
    [("/me?client_id=app", "/me"), ("/me?client_id=app&a=1", "/me?a=1"), ("/me?a=1&client_id=app", "/me?a=1")],
)
async def test_an_echoed_client_id_is_taken_out_of_the_answers_address(echo: str, plain: str) -> None:
    opened, _ = session(moved(echo), OK)
    async with opened:
        assert (await get(opened.pipeline(credentials=Badge()))).url == f"{API}{plain}"


@pytest.mark.parametrize(
    "target", ["https://evil.test/", "//evil.test/", "http://api.test/user", "https://a@api.test/"]
)
async def test_a_redirect_to_another_origin_is_refused_before_a_byte_is_sent(target: str) -> None:
    opened, transport = session(moved(target), OK)
    async with opened:
        with pytest.raises(UntrustedOriginError):
            await get(opened.pipeline(credentials=Badge()))
    assert len(transport.requests) == 1


async def test_a_redirect_out_of_tls_is_refused_even_to_a_trusted_origin() -> None:
    opened, transport = session(moved("http://api.test/user"), OK, trusted=[API, "http://api.test"])
    async with opened:
        with pytest.raises(UntrustedOriginError):
            await get(opened.pipeline())
    assert len(transport.requests) == 1


async def test_redirects_end_somewhere() -> None:
    opened, transport = session(moved("/a"), moved("/b"), moved("/c"), moved("/d"), max_redirects=3)
    async with opened:
        with pytest.raises(TooManyRedirectsError) as failure:
            await get(opened.pipeline())
    assert len(transport.requests) == 4
    assert str(failure.value) == f"GET {API}/user: more than 3 redirects, the next one to {API}/d"
    assert (failure.value.url, failure.value.sent, failure.value.is_transient) == (f"{API}/d", True, False)


async def test_a_303_after_a_write_is_handed_up() -> None:
    opened, transport = session(moved("/status", 303))
    async with opened:
        answer = await get(opened.pipeline(), method="POST")
    assert answer.headers["location"] == "/status"
    assert len(transport.requests) == 1


@settings(max_examples=40)
@given(
    st.lists(
        st.sampled_from(["", "/a", "b?c=1", "//evil.test", "https://evil.test/", "http://api.test/", "https:api.test"])
        | st.sampled_from(["https://api.test@evil.test/", "https://api.test\\@evil.test", f"{API}:1/", "\t//evil.test"])
        | st.text(alphabet="htps:/\\.@#? evil\tapi", max_size=20),
        max_size=5,
    )
)
def test_credentials_never_reach_a_foreign_origin_whatever_the_redirects(targets: list[str]) -> None:
    async def main() -> None:
        moves = [httpx.Response(302, headers=[(b"Location", target.encode())]) for target in targets]
        opened, transport = session(*moves, OK)
        async with opened:
            with contextlib.suppress(StellantisError):
                await get(opened.pipeline(credentials=Badge()))
        for request in transport.requests:
            assert (request.url.scheme, request.url.host, request.url.port) == ("https", "api.test", None)

    anyio.run(main)


# ------------------------------------------------------------------------------------------------- retries


async def test_a_wave_of_503_is_ridden_out() -> None:
    opened, transport = session(httpx.Response(503), httpx.Response(502), OK)
    async with opened:
        await get(opened.pipeline())
    assert len(transport.requests) == 3


async def test_a_post_is_not_repeated_after_it_may_have_been_seen() -> None:
    for act in (httpx.Response(503), httpx.ReadError("reset"), httpx.ReadTimeout("late")):
        opened, transport = session(act, OK)
        async with opened:
            with pytest.raises((ServerError, NetworkError)):
                await get(opened.pipeline(), method="POST")
        assert len(transport.requests) == 1


async def test_a_post_is_repeated_where_it_was_never_sent() -> None:
    opened, transport = session(httpx.ConnectError("refused"), OK)
    async with opened:
        await get(opened.pipeline(), method="POST")
    assert len(transport.requests) == 2


async def test_a_post_that_says_so_is_repeated() -> None:
    opened, transport = session(httpx.ReadError("reset"), OK)
    async with opened:
        await get(opened.pipeline(), method="POST", repeatable=True)
    assert len(transport.requests) == 2


async def test_a_request_that_was_never_sent_costs_no_token() -> None:
    rates = TokenBucketLimiter(RateLimits(None, 10), clock=wall)
    opened, _ = session(httpx.ConnectError("refused"), httpx.ConnectError("refused"), OK, limiter=rates)
    async with opened:
        await get(opened.pipeline())
    assert rates.statistics.free_today == 9


async def test_every_attempt_costs_a_token() -> None:
    rates = TokenBucketLimiter(RateLimits(None, 10), clock=wall)
    opened, _ = session(httpx.Response(503), httpx.ReadError("reset"), moved("/b"), OK, limiter=rates)
    async with opened:
        await get(opened.pipeline())
    assert rates.statistics.free_today == 6


async def test_retries_end_with_the_policys_total_where_nothing_was_waited_for() -> None:
    opened, transport = session(slow(503, Retry_After="20"), OK)
    async with opened:
        with pytest.raises(ServerError):
            await get(opened.pipeline(retry=RetryPolicy(total=10.0)))
    assert len(transport.requests) == 1


async def test_credentials_are_asked_anew_before_each_attempt() -> None:
    badge = Badge()

    def fail(request: httpx.Request) -> httpx.Response:
        badge.serial += 1
        return httpx.Response(503)

    opened, transport = session(fail, OK)
    async with opened:
        await get(opened.pipeline(credentials=badge))
    assert transport.requests[1].headers["authorization"] == "Bearer token-2"


# ------------------------------------------------------------------------------------------------- 429


async def test_a_429_is_waited_for_and_tried_again() -> None:
    opened, transport = session(slow(429, Retry_After="7"), OK)
    async with opened:
        await get(opened.pipeline())
    assert transport.times[0] + 7.0 <= transport.times[1] <= transport.times[0] + 8.2


async def test_a_429_of_a_post_is_tried_again_too() -> None:
    opened, transport = session(slow(429, Retry_After="1"), httpx.Response(202))
    async with opened:
        await get(opened.pipeline(), method="POST")
    assert len(transport.requests) == 2


async def test_one_429_pauses_everybody() -> None:
    opened, transport = session(slow(429, Retry_After="7"), OK)
    async with opened:
        pipeline = opened.pipeline()
        async with anyio.create_task_group() as group:
            group.start_soon(get, pipeline)
            await anyio.sleep(1)
            for _ in range(20):
                group.start_soon(get, pipeline)
    assert len(transport.requests) == 22
    assert min(transport.times[1:]) >= transport.times[0] + 7.0


async def test_a_429_that_takes_longer_than_allowed_is_an_error_at_once() -> None:
    opened, transport = session(slow(429, Retry_After="15001"))
    async with opened:
        with pytest.raises(RateLimitedError) as refusal:
            await get(opened.pipeline())
        assert refusal.value.retry_after == pytest.approx(15001, abs=2)
        assert anyio.current_time() < transport.times[0] + 1.0
        with pytest.raises(BudgetExhaustedError):
            await get(opened.pipeline())
    assert len(transport.requests) == 1


@pytest.mark.parametrize("seconds", [15001, 0.5])
async def test_what_the_error_says_is_the_servers_wait_without_our_own_delay(seconds: float) -> None:
    opened, _ = session(slow(429, Retry_After=str(seconds)))
    async with opened:
        with pytest.raises(RateLimitedError) as refusal:
            await get(opened.pipeline(max_wait=0.1))
    assert refusal.value.retry_after == pytest.approx(seconds, abs=0.05)


async def test_our_own_delay_is_any_part_of_a_second() -> None:
    delays: list[float] = []
    for _ in range(20):
        opened, transport = session(slow(429, Retry_After="60"), OK)
        async with opened:
            await get(opened.pipeline(max_wait=120.0))
        delays.append(transport.times[1] - transport.times[0] - 60.0)
    assert 0.2 < max(delays) <= 1.3


async def test_a_429_that_takes_just_as_long_as_allowed_is_waited_for() -> None:
    opened, transport = session(slow(429, Retry_After="60"), OK)
    async with opened:
        assert (await get(opened.pipeline(max_wait=60.0))).status == 200
    assert transport.times[1] == pytest.approx(transport.times[0] + 60.0, abs=0.01)


async def test_a_429_that_takes_longer_than_the_deadline_in_force_is_an_error_at_once() -> None:
    opened, _ = session(slow(429, Retry_After="20"))
    async with opened:
        with anyio.fail_after(10), pytest.raises(RateLimitedError):
            await get(opened.pipeline())


@pytest.mark.parametrize("fields", [{}, {"Retry_After": "soon"}])
async def test_a_429_that_does_not_say_how_long_counts_as_a_second(fields: dict[str, str]) -> None:
    opened, transport = session(slow(429, **fields), OK)
    async with opened:
        await get(opened.pipeline())
    assert transport.times[0] + 1.0 <= transport.times[1] <= transport.times[0] + 1.3


async def test_a_server_that_says_now_for_ever_is_believed_less_and_less() -> None:
    opened, transport = session(slow(429, Retry_After="0"))
    async with opened:
        with pytest.raises(RateLimitedError):
            await get(opened.pipeline(max_wait=60.0))
    assert len(transport.requests) < 20
    assert anyio.current_time() < transport.times[0] + 61.0


async def test_each_time_that_a_server_says_now_the_wait_doubles_up_to_ten_seconds() -> None:
    opened, transport = session(*[slow(429, Retry_After="0")] * 9, OK)
    async with opened:
        await get(opened.pipeline(max_wait=60.0))
    waits = [later - earlier for earlier, later in zip(transport.times, transport.times[1:], strict=False)]
    for wait, floor in zip(waits, [0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 10.0, 10.0], strict=True):
        assert floor <= wait <= 1.05 * floor + 0.35  # a little more, so that not all come at once, and a slow machine


async def test_a_storm_of_429_loses_nobody_and_sends_nobody_early() -> None:
    storm_ends = anyio.current_time() + 10.0
    early: list[float] = []
    refused_at = open_at = 0.0

    def answer(request: httpx.Request) -> httpx.Response:
        nonlocal refused_at, open_at
        now = anyio.current_time()
        if refused_at + 0.5 < now < open_at:  # those of the same turn were on their way already
            early.append(now)
        if now < storm_ends:
            if now >= open_at:
                refused_at, open_at = now, now + 3.0
            return slow(429, Retry_After="3")
        return OK

    rates = TokenBucketLimiter(RateLimits(100, None), clock=wall)
    opened, _ = session(answer, limiter=rates)
    statuses: list[int] = []
    async with opened:
        pipeline = opened.pipeline(max_wait=300.0)

        async def one() -> None:
            statuses.append((await get(pipeline)).status)

        async with anyio.create_task_group() as group:
            for _ in range(1000):
                group.start_soon(one)
    assert statuses == [200] * 1000
    assert early == []


async def test_an_identity_servers_429_does_not_pause_the_api() -> None:
    opened, transport = session(slow(429, Retry_After="30"), OK)
    async with opened:
        with pytest.raises(RateLimitedError):
            await get(opened.pipeline(limited=False, max_wait=1.0))
        await get(opened.pipeline())
    assert transport.times[1] < transport.times[0] + 1.0


# ------------------------------------------------------------------------------------------------- quota, hooks


async def test_the_quota_of_the_latest_answers_is_known() -> None:
    first = slow(200, X_RateLimit_Limit_1="1000", X_RateLimit_Remaining_1="900")
    second = slow(200, X_RateLimit_Limit_2="10", X_RateLimit_Remaining_2="9")
    opened, _ = session(first, second, OK)
    async with opened:
        assert opened.quota == Quota()
        for _ in range(3):
            await get(opened.pipeline())
        assert opened.quota == Quota(day=Window(1000, 900), burst=Window(10, 9))


async def test_an_identity_servers_quota_is_not_the_apis() -> None:
    opened, _ = session(slow(200, X_RateLimit_Limit_1="5", X_RateLimit_Remaining_1="4"))
    async with opened:
        await get(opened.pipeline(limited=False))
        assert opened.quota == Quota()


async def test_hooks_hear_of_answers_retries_and_waits() -> None:
    heard: list[Any] = []
    hooks = Hooks(on_response=heard.append, on_retry=heard.append, on_wait=heard.append)
    rates = TokenBucketLimiter(RateLimits(1, None), clock=wall)
    opened, _ = session(httpx.Response(503), OK, hooks=hooks, limiter=rates)
    async with opened:
        await get(opened.pipeline(credentials=Badge()), "/user?secret=1")
    kinds = [type(record) for record in heard]
    assert kinds[:2] == [ResponseRecord, RetryRecord]
    assert kinds[-1] is ResponseRecord
    assert {record.request_id for record in heard} == {1}
    assert {record.url for record in heard} == {f"{API}/user?secret=***"}
    assert [record.attempt for record in heard if isinstance(record, ResponseRecord)] == [1, 2]


async def test_a_wait_is_told_with_its_length() -> None:
    waits: list[WaitRecord] = []
    rates = TokenBucketLimiter(RateLimits(1, None), clock=wall)
    opened, _ = session(OK, hooks=Hooks(on_wait=waits.append), limiter=rates)
    async with opened:
        pipeline = opened.pipeline(priority="background")
        await get(pipeline)
        await get(pipeline)
    assert waits[-1].seconds == pytest.approx(1.0, abs=0.1)  # before it a slow machine may have told of milliseconds
    assert (waits[-1].method, waits[-1].priority) == ("GET", "background")


async def test_an_answer_is_told_with_its_method_status_length_and_quota() -> None:
    async def late(request: httpx.Request) -> httpx.Response:
        await anyio.sleep(2)
        return slow(202, X_RateLimit_Limit_1="5", X_RateLimit_Remaining_1="4")

    heard: list[ResponseRecord] = []
    opened, _ = session(late, hooks=Hooks(on_response=heard.append))
    async with opened:
        await get(opened.pipeline(), method="POST")
    assert [(each.method, each.status, each.quota) for each in heard] == [("POST", 202, Quota(day=Window(5, 4)))]
    assert heard[0].seconds == pytest.approx(2.0, abs=0.1)


async def test_a_retry_is_told_with_its_method_attempt_wait_and_error() -> None:
    heard: list[RetryRecord] = []
    opened, transport = session(httpx.Response(503), OK, hooks=Hooks(on_retry=heard.append))
    async with opened:
        await get(opened.pipeline())
    assert [(each.method, each.attempt, type(each.error)) for each in heard] == [("GET", 1, ServerError)]
    assert heard[0].wait == pytest.approx(transport.times[1] - transport.times[0], abs=0.1)


async def test_the_limiter_hears_what_the_headers_say() -> None:
    rates = TokenBucketLimiter(clock=wall)
    await call(slow(200, X_RateLimit_Limit_1="50", X_RateLimit_Remaining_1="7"), limiter=rates)
    assert rates.statistics.free_today == 7


@pytest.mark.parametrize("limited", [True, False])
async def test_without_a_limiter_nothing_is_waited_for(limited: bool) -> None:
    opened, transport = session(OK)
    async with opened:
        pipeline = opened.pipeline(limited=limited)
        for _ in range(101):
            await get(pipeline)
    assert transport.times[-1] < transport.times[0] + 0.5


async def test_five_redirects_are_followed_unless_it_was_told_otherwise() -> None:
    opened, transport = session(moved("/user"))
    async with opened:
        with pytest.raises(TooManyRedirectsError) as failure:
            await get(opened.pipeline())
    assert len(transport.requests) == 1 + 5
    assert failure.value.sent


async def test_a_caller_may_retry_by_a_policy_of_its_own() -> None:
    opened, transport = session(httpx.Response(503), OK)
    async with opened:
        with pytest.raises(ServerError):
            await get(opened.pipeline(retry=RetryPolicy(attempts=1)))
    assert len(transport.requests) == 1


async def test_a_location_of_what_is_no_redirect_is_not_followed() -> None:
    assert (await call(httpx.Response(200, headers={"Location": "/other"}))).url == f"{API}/user"


async def test_an_answer_that_breaks_off_says_so() -> None:
    with pytest.raises(NetworkError, match="broke off"):
        await call(
            lambda request: httpx.Response(200, stream=Watched(httpx.ReadError("cut"))), retry=RetryPolicy(attempts=1)
        )


async def test_waits_of_all_attempts_together_are_bounded() -> None:
    rates = TokenBucketLimiter(RateLimits(1, None), clock=wall)
    opened, transport = session(moved("/user"), limiter=rates, max_redirects=9)
    async with opened:
        with pytest.raises(BudgetExhaustedError):
            await get(opened.pipeline(max_wait=2.5))
    assert len(transport.requests) == 3


async def test_what_is_left_of_the_wait_may_be_less_than_a_second() -> None:
    rates = TokenBucketLimiter(RateLimits(None, None), clock=wall)

    def pausing(request: httpx.Request) -> httpx.Response:
        rates.pause(0.9)
        return moved("/user")

    opened, transport = session(pausing, limiter=rates, max_redirects=9)
    async with opened:
        with pytest.raises(BudgetExhaustedError):
            await get(opened.pipeline(max_wait=1.0))
    assert len(transport.requests) == 2


@pytest.mark.parametrize(("most", "is_sent"), [(2.5, True), (0.5, False), (None, False)])
async def test_the_same_way_to_send_has_another_bound_on_waits_where_one_is_given(
    most: float | None, *, is_sent: bool
) -> None:
    rates = TokenBucketLimiter(RateLimits(1, None), clock=wall)
    opened, transport = session(OK, limiter=rates)
    async with opened:
        pipeline = opened.pipeline(max_wait=0.5).with_options(priority="interactive", max_wait=most)
        await get(pipeline)
        with contextlib.suppress(BudgetExhaustedError):
            await get(pipeline)
    assert len(transport.requests) == 1 + is_sent


async def test_the_same_way_to_send_has_another_priority() -> None:
    waits: list[WaitRecord] = []
    rates = TokenBucketLimiter(RateLimits(1, None), clock=wall)
    opened, _ = session(OK, hooks=Hooks(on_wait=waits.append), limiter=rates)
    async with opened:
        pipeline = opened.pipeline()
        await get(pipeline.with_options(priority="background"))
        await get(pipeline.with_options(priority="background"))
        await get(pipeline)
    assert [wait.priority for wait in waits if wait.seconds > 0.5] == ["background", "interactive"]


# ------------------------------------------------------------------------------------------------- the network


async def test_no_more_tasks_reach_the_transport_than_there_are_connections() -> None:
    async def answer(request: httpx.Request) -> httpx.Response:
        await anyio.sleep(1)
        return httpx.Response(200)

    opened, transport = session(answer, connections=3)
    async with opened, anyio.create_task_group() as group:
        for _ in range(10):
            group.start_soon(get, opened.pipeline())
    assert transport.most_running == 3
    assert len(transport.requests) == 10


async def test_waiting_for_a_connection_ends_in_time() -> None:
    async def hang(request: httpx.Request) -> httpx.Response:
        await anyio.sleep(50)
        return httpx.Response(200)

    opened, transport = session(hang, connections=1, timeouts=Timeouts(pool=5.0), retry=RetryPolicy(attempts=1))
    async with opened, anyio.create_task_group() as group:
        group.start_soon(get, opened.pipeline())
        await anyio.sleep(1)
        with pytest.raises(NetworkError, match="no connection became free") as failure:
            await get(opened.pipeline())
        assert failure.value.url == f"{API}/user"
        assert not failure.value.sent
        group.cancel_scope.cancel()
    assert len(transport.requests) == 1


async def test_an_attempt_ends_in_time_however_busy_the_server_seems() -> None:
    class Dripping(httpx.AsyncByteStream):
        async def __aiter__(self) -> AsyncIterator[bytes]:
            while True:
                await anyio.sleep(1)
                yield b"."

    def answer(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, stream=Dripping())

    start = anyio.current_time()
    with pytest.raises(NetworkError, match="within 9 s"):
        await call(answer, timeouts=Timeouts(total=9.0), retry=RetryPolicy(attempts=1))
    assert anyio.current_time() == pytest.approx(start + 9.0, abs=0.5)


async def test_an_attempt_that_takes_too_long_had_been_sent_to_its_address() -> None:
    async def hang(request: httpx.Request) -> httpx.Response:
        await anyio.sleep(1000)
        return httpx.Response(200)

    with pytest.raises(NetworkError, match="within 5 s") as failure:
        await call(hang, timeouts=Timeouts(total=5.0), retry=RetryPolicy(attempts=1))
    assert (failure.value.url, failure.value.sent) == (f"{API}/user", True)


async def test_the_transport_is_told_its_timeouts() -> None:
    opened, transport = session(OK, timeouts=Timeouts(connect=1, read=2, write=3, pool=4, total=5))
    async with opened:
        await get(opened.pipeline())
    spans = transport.requests[0].extensions["timeout"]
    assert [spans[name] for name in ("connect", "read", "write", "pool")] == [1, 2, 3, 4]


class Watched(httpx.AsyncByteStream):
    """A body that breaks off or hangs, and notes that it was closed."""

    def __init__(self, error: BaseException | None) -> None:
        self.error = error
        self.closed = False

    async def __aiter__(self) -> AsyncIterator[bytes]:
        yield b"{"
        if self.error is not None:
            raise self.error
        await anyio.sleep(1000)

    async def aclose(self) -> None:
        await anyio.lowlevel.checkpoint()
        self.closed = True


async def test_a_discarded_answer_is_closed() -> None:
    body = Watched(httpx.ReadError("cut"))
    opened, _ = session(lambda request: httpx.Response(200, stream=body), OK)
    async with opened:
        await get(opened.pipeline())
    assert body.closed


async def test_a_cancelled_request_closes_its_answer_and_leaves_a_free_connection() -> None:
    body = Watched(None)
    opened, transport = session(lambda request: httpx.Response(200, stream=body), OK, connections=1)
    async with opened:
        pipeline = opened.pipeline()
        with anyio.move_on_after(1):
            await get(pipeline)
        assert body.closed
        await get(pipeline)
    assert len(transport.requests) == 2


async def test_a_request_cancelled_in_the_queue_leaves_nothing_behind() -> None:
    rates = TokenBucketLimiter(RateLimits(1, None), clock=wall)
    opened, transport = session(OK, limiter=rates)
    async with opened:
        pipeline = opened.pipeline()
        await get(pipeline)
        async with anyio.create_task_group() as group:
            group.start_soon(get, pipeline)
            await anyio.sleep(0.1)
            group.cancel_scope.cancel()
        assert rates.statistics.waiting == 0
        await get(pipeline)
    assert len(transport.requests) == 2


class Unclosable(Watched):
    async def aclose(self) -> None:
        raise self.closing

    closing: Exception = httpx.CloseError("no")


async def test_an_answer_that_cannot_be_closed_does_not_hide_the_error(caplog: pytest.LogCaptureFixture) -> None:
    opened, _ = session(lambda request: httpx.Response(200, stream=Unclosable(httpx.ReadError("cut"))))
    with caplog.at_level(logging.DEBUG, "stellantis_hal"):
        async with opened:
            with pytest.raises(NetworkError, match="cut"):
                await get(opened.pipeline(retry=RetryPolicy(attempts=1)))
    assert "closing a response failed: CloseError" in caplog.text


class Unending(Watched):
    async def aclose(self) -> None:
        await anyio.sleep(1000)


async def test_an_answer_that_takes_for_ever_to_close_is_left_alone_after_a_while() -> None:
    opened, _ = session(lambda request: httpx.Response(200, stream=Unending(httpx.ReadError("cut"))))
    start = anyio.current_time()
    async with opened:
        with pytest.raises(NetworkError, match="cut"):
            await get(opened.pipeline(retry=RetryPolicy(attempts=1)))
    assert anyio.current_time() < start + 100


class Lane(httpx.AsyncBaseTransport):
    """A connection of our own that answers late, and takes a while to be closed."""

    def __init__(self, answering: float, closing: float) -> None:
        self.answering = answering
        self.closing = closing
        self.closed = False

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        await anyio.sleep(self.answering)
        return httpx.Response(200)

    async def aclose(self) -> None:
        await anyio.sleep(self.closing)
        self.closed = True


def laid(lane: Lane, monkeypatch: pytest.MonkeyPatch) -> Session:
    """Make a session whose own connection is this one."""

    def connect(**options: Any) -> Lane:
        return lane

    monkeypatch.setitem(sys.modules, "stellantis_hal.transport.backends.aiohttp_client", None)
    monkeypatch.setattr(httpx, "AsyncHTTPTransport", connect)
    return Session(Origins(API), clock=wall)


@pytest.mark.parametrize(("closing", "is_closed"), [(0.5, True), (1000.0, False)])
async def test_a_connection_of_a_cancelled_request_is_given_a_while_to_be_closed(
    monkeypatch: pytest.MonkeyPatch, closing: float, *, is_closed: bool
) -> None:
    lane = Lane(1000.0, closing)
    start = anyio.current_time()
    async with laid(lane, monkeypatch) as opened:
        with anyio.move_on_after(1):
            await get(opened.pipeline())
    assert lane.closed is is_closed
    assert anyio.current_time() < start + 100


@pytest.mark.parametrize(("closing", "is_closed"), [(0.5, True), (1000.0, False)])
async def test_connections_are_given_a_while_to_be_closed_even_where_the_task_is_cancelled(
    monkeypatch: pytest.MonkeyPatch, closing: float, *, is_closed: bool
) -> None:
    lane = Lane(0.0, closing)
    opened = laid(lane, monkeypatch)
    await get(opened.pipeline())
    start = anyio.current_time()
    with anyio.CancelScope() as scope:
        scope.cancel()
        await opened.aclose()
    assert lane.closed is is_closed
    assert anyio.current_time() < start + 100


async def test_a_mistake_in_a_transport_is_seen_as_it_is() -> None:
    body = Unclosable(httpx.ReadError("cut"))
    body.closing = TypeError("a bug")
    opened, _ = session(TypeError("another"), lambda request: httpx.Response(200, stream=body))
    async with opened:
        with pytest.raises(TypeError, match="another"):
            await get(opened.pipeline())
        with pytest.raises(TypeError, match="a bug"):
            await get(opened.pipeline())


async def test_a_synchronous_stream_is_a_mistake_in_the_transport() -> None:
    class Synchronous(httpx.SyncByteStream):
        pass

    with pytest.raises(TypeError, match="asynchronous"):
        await call(lambda request: httpx.Response(200, stream=Synchronous()))


async def test_a_borrowed_transport_is_not_closed() -> None:
    opened, transport = session(OK)
    async with opened:
        await get(opened.pipeline())
    assert not transport.closed


async def test_a_closed_session_sends_nothing() -> None:
    opened, transport = session(OK)
    await opened.aclose()
    await opened.aclose()
    with pytest.raises(NetworkError, match="closed") as failure:
        await get(opened.pipeline(retry=RetryPolicy(attempts=1)))
    assert failure.value.url == f"{API}/user"
    assert transport.requests == []


async def test_a_limiters_state_is_saved_by_the_limiter_not_the_session() -> None:
    saved: list[bytes] = []

    class Store:
        async def load(self) -> bytes | None:
            return None

        async def save(self, content: bytes) -> None:
            saved.append(content)

    async with TokenBucketLimiter(RateLimits(10, 100), store=Store(), clock=wall) as rates:
        opened, _ = session(OK, limiter=rates)
        async with opened:
            await get(opened.pipeline())
        assert saved == []
    assert len(saved) == 1
    assert opened.limiter is rates


async def test_a_limiter_of_another_kind_takes_the_place_of_ours() -> None:
    class Foreign:
        def __init__(self, inner: TokenBucketLimiter) -> None:
            self.slot = inner.slot
            self.pause = inner.pause

        limits = RateLimits(None, None)
        statistics: Any = None

    opened, transport = session(OK, limiter=Foreign(TokenBucketLimiter(clock=wall)))
    async with opened:
        await get(opened.pipeline())
    assert len(transport.requests) == 1


@pytest.mark.parametrize(
    ("limits", "connections"),
    [(None, 100), (RateLimits(None, 5), 100), (RateLimits(2, None), 20), (RateLimits(500, None), 100)],
)
async def test_the_pool_is_sized_with_the_limiter(limits: RateLimits | None, connections: int) -> None:
    opened, _ = session(OK, limiter=TokenBucketLimiter(limits, clock=wall))
    assert opened.connections == connections


async def test_a_limiter_that_does_not_pause_is_no_reason_to_insist() -> None:
    class Restless:
        def __init__(self, inner: TokenBucketLimiter) -> None:
            self.slot = inner.slot

        def pause(self, seconds: float, reason: str = "") -> None:
            """Do nothing, though asked to."""

        limits = RateLimits(None, None)
        statistics: Any = None

    opened, transport = session(slow(429, Retry_After="5"), limiter=Restless(TokenBucketLimiter(clock=wall)))
    async with opened:
        with pytest.raises(RateLimitedError):
            await get(opened.pipeline())
    assert len(transport.requests) == 2


async def test_a_429_is_told_without_its_wait_where_a_limiter_of_another_kind_does_not_know_it() -> None:
    class Vague:
        def __init__(self, inner: TokenBucketLimiter) -> None:
            self.inner = inner
            self.paused = False

        def slot(self, **options: Any) -> contextlib.AbstractAsyncContextManager[Slot, None]:
            if self.paused:
                raise BudgetExhaustedError("not now")
            return self.inner.slot(**options)

        def pause(self, seconds: float, reason: str = "") -> None:
            self.paused = True

        limits = RateLimits(None, None)
        statistics: Any = None

    opened, _ = session(slow(429, Retry_After="5"), limiter=Vague(TokenBucketLimiter(clock=wall)))
    async with opened:
        with pytest.raises(RateLimitedError) as refusal:
            await get(opened.pipeline())
    assert refusal.value.retry_after is None


async def test_a_session_needs_a_connection() -> None:
    with pytest.raises(ValueError, match="connection"):
        Session(Origins(API), transport=ScriptedTransport(OK), connections=0)


# ------------------------------------------------------------------------------------------------- a long day


async def test_a_day_of_polling_at_the_days_limit_meets_no_429() -> None:
    sent: list[float] = []

    def strict(request: httpx.Request) -> httpx.Response:
        now = anyio.current_time()
        if len(sent) >= 300 and sent[-300] > now - 86_400:
            return slow(429, Retry_After="60")
        sent.append(now)
        left = 300 - sum(1 for time in sent if time > now - 86_400)
        return slow(200, X_RateLimit_Limit_1="300", X_RateLimit_Remaining_1=str(left))

    rates = TokenBucketLimiter(RateLimits(100, 300), clock=wall)
    opened, transport = session(strict, limiter=rates)
    async with opened:
        pipeline = opened.pipeline(max_wait=90_000.0)
        start = anyio.current_time()
        while anyio.current_time() < start + 1.5 * 86_400:
            await get(pipeline)
            await anyio.sleep(200)
    assert len(transport.requests) == len(sent)
    assert len(sent) > 430


async def test_a_closed_session_says_so_at_once() -> None:
    opened = Session(Origins(API), clock=wall)
    await opened.aclose()
    start = anyio.current_time()
    with pytest.raises(NetworkError, match="closed") as caught:
        await get(opened.pipeline())
    assert caught.value.is_transient is False
    assert anyio.current_time() == pytest.approx(start, abs=0.01)


async def test_an_error_after_a_429_is_not_told_as_the_429() -> None:
    rates = TokenBucketLimiter(RateLimits(100, 2), clock=wall)
    opened, _ = session(slow(429, Retry_After="1"), httpx.Response(503), OK, limiter=rates)
    async with opened:
        with pytest.raises(BudgetExhaustedError):
            await get(opened.pipeline(max_wait=600))


async def test_our_own_delay_fits_into_the_deadline_in_force() -> None:
    for _ in range(20):
        opened, _transport = session(slow(429, Retry_After="500"), OK)
        async with opened:
            with anyio.fail_after(500.5):  # half a second for us, however slow the machine
                assert (await get(opened.pipeline(max_wait=900.0))).status == 200


async def test_the_wait_for_ones_turn_does_not_use_up_the_retries() -> None:
    rates = TokenBucketLimiter(RateLimits(100, None), clock=wall)
    rates.pause(400)
    opened, transport = session(httpx.Response(503), OK, limiter=rates)
    async with opened:
        assert (await get(opened.pipeline(max_wait=600))).status == 200
    assert len(transport.requests) == 2


async def test_each_challenge_reaches_an_authentication_by_itself() -> None:
    digest = b'Digest realm="a, b", nonce="abc", qop="auth", algorithm=MD5'
    refusal = httpx.Response(401, headers=[(b"WWW-Authenticate", b'Basic realm="a"'), (b"WWW-Authenticate", digest)])
    opened, transport = session(refusal, OK)
    async with opened:
        assert (await get(opened.pipeline(credentials=httpx.DigestAuth("me", "secret")))).status == 200
    assert transport.requests[1].headers["authorization"].startswith("Digest ")


async def test_a_redirect_beyond_ascii_is_followed() -> None:
    moved = httpx.Response(302, headers=[(b"Location", "/caf\u00e9".encode())])
    opened, transport = session(moved, OK)
    async with opened:
        await get(opened.pipeline())
    assert str(transport.requests[1].url) == f"{API}/caf%C3%A9"
