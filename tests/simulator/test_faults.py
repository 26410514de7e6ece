"""Faults over the in-process transport, in jumped time."""

import math
import re
from collections.abc import Callable
from email.utils import parsedate_to_datetime
from typing import Any

import anyio
import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stellantis_hal.simulator import (
    ClockSkew,
    ConnectionRefused,
    CutBody,
    Delay,
    ExpiredToken,
    Fault,
    Faults,
    FaultWindow,
    ForeignLink,
    HtmlError,
    Latency,
    LoopingLink,
    OAuthFault,
    RandomFault,
    Request,
    Reset,
    ScriptedFault,
    ServerFault,
    Simulator,
    SlowBody,
    TooManyRequests,
    VanishedFields,
    World,
    WrongLength,
)
from stellantis_hal.simulator.faults.fault_plan import FaultInjector
from stellantis_hal.testing import simulated_account, simulated_client
from tests.simulator.api_client import ApiClient

pytestmark = pytest.mark.anyio

STATUS = Request(method="GET", path="/connectedcar/v4/user/vehicles/x/status")
TRIPS = Request(method="GET", path="/connectedcar/v4/user/vehicles/x/trips")


def api_with_faults(**options: Any) -> ApiClient:
    return ApiClient(Simulator(World(seed=3, vehicles=2, trips=200), faults=Faults(**options)))


def api_with_fault(fault: Fault, **options: Any) -> ApiClient:
    return api_with_faults(script=[ScriptedFault(fault=fault, **options)])


async def seconds_for(api: ApiClient, path: str = "/user") -> float:
    began = anyio.current_time()
    await api.get(path)
    return anyio.current_time() - began


async def get_with_read_timeout(api: ApiClient, seconds: float) -> httpx.Response:
    url = f"{api.simulator.url}/user?client_id={api.simulator.client_id}"
    request = httpx.Request("GET", url, headers=api.headers, extensions={"timeout": {"read": seconds}})
    response = await api.transport.handle_async_request(request)
    await response.aread()
    return response


# ---------------------------------------------------------------------- the connection


async def test_refused_connection_does_not_reach_the_server() -> None:
    api = api_with_fault(ConnectionRefused())
    with pytest.raises(httpx.ConnectError):
        await api.get("/user")
    assert api.simulator.statistics.by_status == {}
    assert (await api.get("/user")).status_code == 200


@pytest.mark.parametrize(("counted", "remaining"), [(True, 99_999), (False, 100_000)])
async def test_reset_connection_may_be_counted(counted: bool, remaining: int) -> None:
    api = api_with_fault(Reset(counted=counted))
    with pytest.raises(httpx.ReadError):
        await api.get("/user")
    assert api.simulator.remaining[0] == remaining


async def test_other_hosts_refuse_the_connection() -> None:
    with pytest.raises(httpx.ConnectError):
        await api_with_faults().get("https://evil.example/user")


async def test_cut_body_breaks_off() -> None:
    with pytest.raises(httpx.RemoteProtocolError):
        await api_with_fault(CutBody()).get("/user")


async def test_body_shorter_than_announced_breaks_off() -> None:
    with pytest.raises(httpx.RemoteProtocolError):
        await api_with_fault(WrongLength(5)).get("/user")


async def test_body_longer_than_announced_is_truncated() -> None:
    api = api_with_fault(WrongLength(-5))
    response = await api.get("/user")
    assert len(response.content) == int(response.headers["Content-Length"])
    with pytest.raises(ValueError, match=r"."):
        response.json()


async def test_slow_body_arrives_late_and_complete() -> None:
    api = api_with_fault(SlowBody(seconds=2.0, pieces=3))
    whole = (await api_with_faults().get("/user")).content
    began = anyio.current_time()
    assert (await api.get("/user")).content == whole
    assert anyio.current_time() - began >= 6.0


async def test_body_slower_than_the_read_timeout_times_out() -> None:
    with pytest.raises(httpx.ReadTimeout):
        await get_with_read_timeout(api_with_fault(SlowBody(seconds=10.0)), 5.0)


async def test_body_within_the_read_timeout_arrives() -> None:
    assert (await get_with_read_timeout(api_with_fault(SlowBody(seconds=1.0)), 5.0)).status_code == 200


# ---------------------------------------------------------------------- time


async def test_latency_delays_every_response() -> None:
    api = api_with_faults(latency=Latency(fixed=2.0))
    assert 2.0 <= await seconds_for(api) < 2.5
    assert 2.0 <= await seconds_for(api) < 2.5


async def test_delay_applies_once() -> None:
    api = api_with_fault(Delay(30.0))
    assert 30.0 <= await seconds_for(api) < 31.0
    assert await seconds_for(api) < 1.0


@pytest.mark.parametrize(("read_timeout", "counted"), [(3.0, 100_000), (12.0, 99_999)])
async def test_response_beyond_the_read_timeout_times_out(read_timeout: float, counted: int) -> None:
    api = api_with_fault(Delay(20.0))
    began = anyio.current_time()
    with pytest.raises(httpx.ReadTimeout):
        await get_with_read_timeout(api, read_timeout)
    assert read_timeout <= anyio.current_time() - began < read_timeout + 1.0
    assert api.simulator.remaining[0] == counted


@pytest.mark.unmeasured
@given(st.floats(0, 5), st.floats(0, 5), st.floats(0, 5), st.integers())
def test_latency_is_never_less_than_its_fixed_part(fixed: float, uniform: float, tail: float, seed: int) -> None:
    injector = FaultInjector(Faults(latency=Latency(fixed, uniform, tail), seed=seed))
    assert all(injector.latency() >= fixed for _ in range(5))


async def test_cancelled_request_is_not_in_flight() -> None:
    api = api_with_faults(latency=Latency(fixed=60.0))
    with anyio.move_on_after(1.0):
        await api.get("/user")
    await api.get("/user")
    assert api.simulator.statistics.peak == 1


async def test_concurrent_requests_are_counted() -> None:
    api = api_with_faults(latency=Latency(fixed=1.0))
    async with anyio.create_task_group() as tasks:
        for _ in range(7):
            tasks.start_soon(api.get, "/user")
    statistics = api.simulator.statistics
    assert (statistics.peak, statistics.requests, statistics.by_kind["user"]) == (7, 7, 7)


async def test_clock_skew_can_be_permanent() -> None:
    api = api_with_faults(skew=-7200.0)
    date = parsedate_to_datetime((await api.get("/user")).headers["Date"])
    assert (api.simulator.now() - date).total_seconds() == pytest.approx(7200, abs=2)


async def test_clock_skew_can_occur_once() -> None:
    api = api_with_fault(ClockSkew(3600.0))
    dates = [parsedate_to_datetime((await api.get("/user")).headers["Date"]) for _ in range(2)]
    assert (dates[0] - dates[1]).total_seconds() == pytest.approx(3600, abs=2)


# ---------------------------------------------------------------------- answers


async def test_429_has_the_given_headers() -> None:
    api = api_with_fault(TooManyRequests(retry_after="name=rate-limit-1,15001", reset="nan", remaining=None))
    response = await api.get("/user")
    assert response.status_code == 429
    assert response.headers["Retry-After"] == "name=rate-limit-1,15001"
    assert response.headers["X-RateLimit-Reset"] == "nan"
    assert response.headers["X-RateLimit-Remaining-1"] == "100000"
    assert api.simulator.statistics.refused == 1


async def test_429_can_have_wrong_counters() -> None:
    response = await api_with_fault(TooManyRequests(remaining=7)).get("/user")
    assert response.headers.get_list("X-RateLimit-Remaining-2") == ["7"]
    assert response.headers["X-RateLimit-Limit-2"] == "100"
    assert response.headers["X-RateLimit-Remaining-1"] == "100000"


async def test_429_of_the_second_costs_a_second() -> None:
    """The counter of the day is true, so the client waits as long as the response states."""
    simulator = Simulator(World(seed=7, vehicles=1))
    simulator.script(ScriptedFault(fault=TooManyRequests(), path="/user$"))
    async with simulated_client(simulator) as client:
        began = anyio.current_time()
        await simulated_account(client, simulator).user()
        assert 1 <= anyio.current_time() - began < 3


async def test_bare_429_has_no_rate_limit_headers() -> None:
    response = await api_with_fault(TooManyRequests(retry_after=None, bare=True)).get("/user")
    assert response.status_code == 429
    assert not [name for name in response.headers if name.startswith(("x-ratelimit", "retry"))]


@pytest.mark.parametrize("retry_after", [None, "3"])
async def test_server_fault_has_the_apis_error_body(retry_after: str | None) -> None:
    response = await api_with_fault(ServerFault(503, 50300, retry_after)).get("/user")
    assert (response.status_code, response.json()["code"]) == (503, 50300)
    assert response.headers.get("Retry-After") == retry_after


async def test_server_fault_counts_as_a_request() -> None:
    api = api_with_fault(ServerFault())
    await api.get("/user")
    assert api.simulator.remaining[0] == 99_999


@pytest.mark.parametrize("status", [200, 502])
async def test_html_error_has_an_html_body(status: int) -> None:
    response = await api_with_fault(HtmlError(status)).get("/user")
    assert (response.status_code, response.headers["Content-Type"]) == (status, "text/html")
    assert response.content.startswith(b"<html>")


async def test_token_can_expire_during_pagination() -> None:
    api = api_with_fault(ExpiredToken(), skip=1)
    assert [(await api.get("/user")).status_code for _ in range(3)] == [200, 401, 401]


async def test_identity_server_can_fail() -> None:
    api = api_with_fault(OAuthFault(), path="access_token")
    form = {"grant_type": "refresh_token", "refresh_token": api.token.refresh_token}
    responses = [await api.call_identity("access_token", form, realm=api.account.realm) for _ in range(2)]
    assert [response.status_code for response in responses] == [400, 200]
    assert responses[0].json()["error"] == "server_error"


async def trips(api: ApiClient) -> dict[str, Any]:
    return await api.body(f"/user/vehicles/{api.simulator.world.vehicles[0].id}/trips")


async def test_foreign_link_leads_to_another_host() -> None:
    body = await trips(api_with_fault(ForeignLink("next", "https://evil.example/x")))
    assert body["_links"]["next"]["href"] == "https://evil.example/x"


async def test_looping_link_leads_to_its_page() -> None:
    links = (await trips(api_with_fault(LoopingLink())))["_links"]
    assert links["next"] == links["self"]


async def test_body_without_links_does_not_loop() -> None:
    api = api_with_fault(LoopingLink())
    car = api.simulator.world.vehicles[0].id
    response = await api.get(f"/user/vehicles/{car}/lastPosition", Accept="*/*")
    assert "_links" not in response.json()


async def test_fields_vanish_at_every_depth() -> None:
    api = api_with_fault(VanishedFields(("createdAt", "total")))
    body = await trips(api)
    assert "total" not in body
    assert "createdAt" not in str(body)
    assert "createdAt" in str(await trips(api))


async def test_refusals_are_not_altered() -> None:
    assert (await api_with_fault(LoopingLink()).get("/nothing")).json()["code"] == 40499


# ---------------------------------------------------------------------- fault injector


def draw_all(injector: FaultInjector, *requests: Request, tick: float = 0.0) -> list[Fault | None]:
    return [injector.draw(request, tick) for request in requests]


def test_script_steps_are_used_up_in_order() -> None:
    injector = FaultInjector(
        Faults(script=[ScriptedFault(fault=ConnectionRefused(), times=2), ScriptedFault(fault=HtmlError())])
    )
    assert draw_all(injector, TRIPS, TRIPS, TRIPS, TRIPS) == [
        ConnectionRefused(),
        ConnectionRefused(),
        HtmlError(),
        None,
    ]


def test_script_step_matches_path_and_method() -> None:
    injector = FaultInjector(Faults(script=[ScriptedFault(fault=ConnectionRefused(), path="/trips$", method="GET")]))
    assert draw_all(injector, STATUS, Request(method="POST", path="/trips"), TRIPS, TRIPS) == [
        None,
        None,
        ConnectionRefused(),
        None,
    ]


def test_script_step_skips_requests() -> None:
    injector = FaultInjector(Faults(script=[ScriptedFault(fault=ConnectionRefused(), skip=2)]))
    assert draw_all(injector, TRIPS, TRIPS, TRIPS, TRIPS) == [None, None, ConnectionRefused(), None]


def test_script_steps_can_be_added() -> None:
    simulator = Simulator(World())
    simulator.script(ScriptedFault(fault=ConnectionRefused()))
    assert [simulator.draw_fault(TRIPS)[0] for _ in range(2)] == [ConnectionRefused(), None]


def test_fault_window_begins_and_ends() -> None:
    injector = FaultInjector(Faults(windows=[FaultWindow(fault=ServerFault(), since=10, until=20, path="trips")]))
    assert draw_all(injector, TRIPS, tick=9.9) == [None]
    assert draw_all(injector, TRIPS, STATUS, tick=10.0) == [ServerFault(), None]
    assert draw_all(injector, TRIPS, tick=20.0) == [None]


async def test_fault_window_starts_at_the_first_request() -> None:
    api = api_with_faults(windows=[FaultWindow(fault=ServerFault(503), since=5, until=10)])
    codes = []
    for _ in range(4):
        codes.append((await api.get("/user")).status_code)
        await anyio.sleep(3.5)
    assert codes == [200, 200, 503, 200]


def test_random_fault_has_the_given_rate() -> None:
    injector = FaultInjector(Faults(random=[RandomFault(fault=ConnectionRefused(), rate=0.25)], seed=1))
    count = sum(injector.draw(TRIPS, 0.0) is not None for _ in range(4000))
    assert 900 < count < 1100


def test_random_faults_are_reproducible() -> None:
    faults = Faults(
        random=[RandomFault(fault=ConnectionRefused(), rate=0.3), RandomFault(fault=HtmlError(), rate=0.3)], seed=8
    )
    assert draw_all(FaultInjector(faults), *[TRIPS] * 50) == draw_all(FaultInjector(faults), *[TRIPS] * 50)


def test_random_fault_can_occur_in_runs() -> None:
    injector = FaultInjector(
        Faults(random=[RandomFault(fault=ConnectionRefused(), rate=0.05, run=4, path="trips")], seed=2)
    )
    occurs = [fault is not None for fault in draw_all(injector, *[TRIPS] * 400)]
    runs = "".join("x" if one else "." for one in occurs).replace(".", " ").split()
    assert runs
    assert all(len(run) >= 4 for run in runs[:-1])


def test_random_fault_applies_to_its_paths_only() -> None:
    injector = FaultInjector(Faults(random=[RandomFault(fault=ConnectionRefused(), rate=1.0, path="trips", run=2)]))
    assert draw_all(injector, STATUS, TRIPS, STATUS, TRIPS) == [None, ConnectionRefused(), None, ConnectionRefused()]


def test_chaos_has_all_faults_at_the_given_rate() -> None:
    injector = FaultInjector(Faults.chaos(0.3, seed=5))
    found = [fault for fault in draw_all(injector, *[TRIPS] * 5000) if fault is not None]
    assert 1100 < len(found) < 1800
    assert len(set(found)) == 14
    assert draw_all(injector, *[Request(method="POST", path="/am/oauth2/access_token")] * 300) == [None] * 300


async def test_retrying_client_gets_through_chaos() -> None:
    api = ApiClient(Simulator(World(seed=3, vehicles=2, trips=200), faults=Faults.chaos(0.4, seed=1)))
    car = api.simulator.world.vehicles[0].id
    path: str | None = f"/user/vehicles/{car}/trips?pageSize=5"
    found: list[str] = []
    while path is not None:
        try:
            response = await api.get(path)
            body = response.json()
        except (httpx.TransportError, ValueError):
            continue
        if response.status_code == 401:
            token = api.simulator.token_for("account-0000")
            api.headers["Authorization"] = f"Bearer {token.access_token}"
        if response.status_code == 200:
            found += [trip["id"] for trip in body["_embedded"]["trips"]]
            path = body["_links"].get("next", {}).get("href")
    assert found == api.simulator.world.trip_ids(car)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: RandomFault(fault=Reset(), rate=2), "rate must be a share from 0 to 1, not 2"),
        (lambda: RandomFault(fault=Reset(), rate=0.1, run=0), "run must be a finite number, at least 1, not 0"),
        (lambda: ScriptedFault(fault=Reset(), times=-1), "times must be a finite number, at least 0, not -1"),
        (lambda: ScriptedFault(fault=Reset(), skip=-1), "skip must be a finite number, at least 0, not -1"),
        (lambda: CutBody(keep=-0.5), "keep must be a share from 0 to 1, not -0.5"),
        (lambda: SlowBody(pieces=0), "pieces must be a finite number, at least 1, not 0"),
        (lambda: Delay(math.inf), "seconds must be a finite number, at least 0, not inf"),
        (lambda: Latency(fixed=math.nan), "fixed must be a finite number, at least 0, not nan"),
    ],
)
def test_numbers_that_no_fault_can_have_are_refused(make: Callable[[], object], message: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        make()
