"""Log lines, and what they never contain."""

import base64
import io
import logging
from typing import Any

import anyio
import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stellantis_hal.errors import StellantisError
from stellantis_hal.navigation.fetch_protocol import Request
from stellantis_hal.transport.hooks import Hooks
from stellantis_hal.transport.retry import RetryPolicy
from tests.transport.doubles import API, Badge, get, session

pytestmark = pytest.mark.anyio


async def test_a_response_is_one_log_line(caplog: pytest.LogCaptureFixture) -> None:
    fields = {"X-RateLimit-Limit-1": "100", "X-RateLimit-Remaining-1": "93"}
    opened, _ = session(httpx.Response(200, headers=fields))
    with caplog.at_level(logging.DEBUG, "stellantis_hal"):
        async with opened:
            await get(opened.pipeline(), "/user/vehicles/0123456789abcdef0123?x=1")
    (record,) = [record for record in caplog.records if record.name == "stellantis_hal"]
    assert record.getMessage().startswith(f"#1 GET {API}/user/vehicles/***?x=***: 200 in 0.")
    assert "attempt 1, quota left 93 today, None this second" in record.getMessage()


async def test_a_response_is_logged_with_its_burst_quota(caplog: pytest.LogCaptureFixture) -> None:
    opened, _ = session(httpx.Response(200, headers={"X-RateLimit-Limit-2": "10", "X-RateLimit-Remaining-2": "7"}))
    with caplog.at_level(logging.DEBUG, "stellantis_hal"):
        async with opened:
            await get(opened.pipeline())
    assert "7 this second" in caplog.text


async def test_a_response_without_a_quota_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    opened, _ = session(httpx.Response(200))
    with caplog.at_level(logging.DEBUG, "stellantis_hal"):
        async with opened:
            await get(opened.pipeline())
    assert "quota left None" in caplog.text


async def test_a_retry_and_a_pause_are_logged(caplog: pytest.LogCaptureFixture) -> None:
    opened, _ = session(httpx.Response(503), httpx.Response(429), httpx.Response(200))
    with caplog.at_level(logging.INFO, "stellantis_hal"):
        async with opened:
            await get(opened.pipeline())
    assert f"#1 GET {API}/user: attempt 1 failed (ServerError)" in caplog.text
    assert "429: all requests pause for 1." in caplog.text


class Bearer(Badge):
    def __init__(self, token: str, client: str) -> None:
        super().__init__(f"client_id={client}", renewals=1)
        self.token = token

    async def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}", "x-introspect-realm": "clientsB2CPeugeot"}


SECRET = st.binary(min_size=18, max_size=18).map(lambda raw: base64.urlsafe_b64encode(raw).decode())
VIN = st.text(alphabet="ABCDEFGHJKLMNPRSTUVWXYZ0123456789", min_size=16, max_size=16).map(lambda text: text + "7")
PLACE = st.tuples(st.integers(100_000, 899_999), st.integers(100_000, 899_999)).map(
    lambda pair: (f"48.{pair[0]}", f"2.{pair[1]}")
)
ACTS = st.sampled_from(["200", "302", "401", "403", "404", "429", "503", "html", "reset", "cut"])


@pytest.mark.unmeasured
@settings(max_examples=60)
@given(
    token=SECRET,
    client=SECRET,
    vin=VIN,
    place=PLACE,
    acts=st.lists(ACTS, min_size=1, max_size=4),
)
def test_secrets_planted_everywhere_appear_nowhere(
    token: str, client: str, vin: str, place: tuple[str, str], acts: list[str]
) -> None:
    mail = f"owner.{vin.lower()}@example.com"
    planted = (
        f"access_token={token} Bearer {token} client_id={client} vin {vin} "
        f"mail {mail} at {place[0]},{place[1]} {place[0]}, {place[1]}"
    )
    link = f"/user/vehicles/{vin}/trips?client_id={client}&token={token}&mail={mail}&near={place[0]},{place[1]}"

    def act(name: str) -> Any:
        if name == "reset":
            return httpx.ReadError(planted)
        if name == "cut":
            return httpx.DecodingError(planted)
        if name == "302":
            return httpx.Response(302, headers={"Location": f"{link}&moved=1"})
        if name == "html":
            return httpx.Response(500, content=f"<html><body>{planted}</body></html>".encode())
        return httpx.Response(int(name), json={"code": 1, "message": planted, "moreInformation": planted})

    heard: list[Any] = []
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    logger = logging.getLogger("stellantis_hal")
    logger.addHandler(handler)
    level, propagate, logger.propagate = logger.level, logger.propagate, False
    logger.setLevel(logging.DEBUG)

    async def main() -> None:
        hooks = Hooks(on_response=heard.append, on_retry=heard.append, on_wait=heard.append)
        policy = RetryPolicy(attempts=2, initial=0.0)
        opened, _ = session(*[act(name) for name in acts], hooks=hooks, retry=policy)
        async with opened:
            pipeline = opened.pipeline(credentials=Bearer(token, client), max_wait=0.0)
            try:
                await pipeline(Request(url=API + link))
            except StellantisError as error:
                heard.append(str(error))
                heard.append(repr(error))

    try:
        anyio.run(main)
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)
        logger.propagate = propagate
    said = stream.getvalue() + "".join(map(repr, heard))
    assert said
    for secret in (token, client, vin, mail, place[0], place[1]):
        assert secret not in said
