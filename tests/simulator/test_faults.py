"""What can go wrong, over the in-process transport, in jumped time."""

from email.utils import parsedate_to_datetime
from typing import Any

import anyio
import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stellantis_hal.simulator import (
    ClockSkew,
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
    Refused,
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
from tests.simulator.reader import Reader

pytestmark = pytest.mark.anyio

STATUS = Request(method="GET", path="/connectedcar/v4/user/vehicles/x/status")
TRIPS = Request(method="GET", path="/connectedcar/v4/user/vehicles/x/trips")


def reading(**options: Any) -> Reader:
    return Reader(Simulator(World(seed=3, vehicles=2, trips=200), faults=Faults(**options)))


def meeting(fault: Fault, **options: Any) -> Reader:
    return reading(script=[ScriptedFault(fault=fault, **options)])


async def seconds_for(reader: Reader, place: str = "/user") -> float:
    began = anyio.current_time()
    await reader.get(place)
    return anyio.current_time() - began


async def patient(reader: Reader, seconds: float) -> httpx.Response:
    url = f"{reader.simulator.url}/user?client_id={reader.simulator.client_id}"
    request = httpx.Request("GET", url, headers=reader.headers, extensions={"timeout": {"read": seconds}})
    response = await reader.transport.handle_async_request(request)
    await response.aread()
    return response


# ---------------------------------------------------------------------- the connection


async def test_a_refused_connection_was_never_seen_by_the_vendor() -> None:
    reader = meeting(Refused())
    with pytest.raises(httpx.ConnectError):
        await reader.get("/user")
    assert reader.simulator.statistics.by_status == {}
    assert (await reader.get("/user")).status_code == 200


@pytest.mark.parametrize(("counted", "remaining"), [(True, 99_999), (False, 100_000)])
async def test_a_reset_connection_may_have_been_counted(counted: bool, remaining: int) -> None:
    reader = meeting(Reset(counted=counted))
    with pytest.raises(httpx.ReadError):
        await reader.get("/user")
    assert reader.simulator.remaining[0] == remaining


async def test_a_foreign_host_is_not_found() -> None:
    with pytest.raises(httpx.ConnectError):
        await reading().get("https://evil.example/user")


async def test_a_body_is_cut() -> None:
    with pytest.raises(httpx.RemoteProtocolError):
        await meeting(CutBody()).get("/user")


async def test_a_body_shorter_than_announced_breaks() -> None:
    with pytest.raises(httpx.RemoteProtocolError):
        await meeting(WrongLength(5)).get("/user")


async def test_a_body_longer_than_announced_is_truncated() -> None:
    reader = meeting(WrongLength(-5))
    response = await reader.get("/user")
    assert len(response.content) == int(response.headers["Content-Length"])
    with pytest.raises(ValueError, match=r"."):
        response.json()


async def test_a_slow_body_arrives_whole_but_late() -> None:
    reader = meeting(SlowBody(seconds=2.0, pieces=3))
    whole = (await reading().get("/user")).content
    began = anyio.current_time()
    assert (await reader.get("/user")).content == whole
    assert anyio.current_time() - began >= 6.0


async def test_a_body_slower_than_the_readers_patience_times_out() -> None:
    with pytest.raises(httpx.ReadTimeout):
        await patient(meeting(SlowBody(seconds=10.0)), 5.0)


async def test_a_body_within_the_readers_patience_arrives() -> None:
    assert (await patient(meeting(SlowBody(seconds=1.0)), 5.0)).status_code == 200


# ---------------------------------------------------------------------- time


async def test_latency_delays_every_answer() -> None:
    reader = reading(latency=Latency(fixed=2.0))
    assert 2.0 <= await seconds_for(reader) < 2.5
    assert 2.0 <= await seconds_for(reader) < 2.5


async def test_a_late_answer_is_late_once() -> None:
    reader = meeting(Delay(30.0))
    assert 30.0 <= await seconds_for(reader) < 31.0
    assert await seconds_for(reader) < 1.0


@pytest.mark.parametrize(("patience", "counted"), [(3.0, 100_000), (12.0, 99_999)])
async def test_an_answer_beyond_the_readers_patience_times_out(patience: float, counted: int) -> None:
    reader = meeting(Delay(20.0))
    began = anyio.current_time()
    with pytest.raises(httpx.ReadTimeout):
        await patient(reader, patience)
    assert patience <= anyio.current_time() - began < patience + 1.0
    assert reader.simulator.remaining[0] == counted


@given(st.floats(0, 5), st.floats(0, 5), st.floats(0, 5), st.integers())
def test_latency_is_never_less_than_its_fixed_part(fixed: float, uniform: float, tail: float, seed: int) -> None:
    plan = FaultInjector(Faults(latency=Latency(fixed, uniform, tail), seed=seed))
    assert all(plan.latency() >= fixed for _ in range(5))


async def test_a_cancelled_request_is_no_longer_under_way() -> None:
    reader = reading(latency=Latency(fixed=60.0))
    with anyio.move_on_after(1.0):
        await reader.get("/user")
    await reader.get("/user")
    assert reader.simulator.statistics.peak == 1


async def test_requests_under_way_at_once_are_counted() -> None:
    reader = reading(latency=Latency(fixed=1.0))
    async with anyio.create_task_group() as tasks:
        for _ in range(7):
            tasks.start_soon(reader.get, "/user")
    statistics = reader.simulator.statistics
    assert (statistics.peak, statistics.requests, statistics.by_kind["user"]) == (7, 7, 7)


async def test_the_servers_clock_can_be_wrong_for_ever() -> None:
    reader = reading(skew=-7200.0)
    date = parsedate_to_datetime((await reader.get("/user")).headers["Date"])
    assert (reader.simulator.now() - date).total_seconds() == pytest.approx(7200, abs=2)


async def test_the_servers_clock_can_be_wrong_once() -> None:
    reader = meeting(ClockSkew(3600.0))
    dates = [parsedate_to_datetime((await reader.get("/user")).headers["Date"]) for _ in range(2)]
    assert (dates[0] - dates[1]).total_seconds() == pytest.approx(3600, abs=2)


# ---------------------------------------------------------------------- answers


async def test_a_429_says_what_it_is_told_to() -> None:
    reader = meeting(TooManyRequests(retry_after="name=rate-limit-1,15001", reset="nan", remaining=None))
    response = await reader.get("/user")
    assert response.status_code == 429
    assert response.headers["Retry-After"] == "name=rate-limit-1,15001"
    assert response.headers["X-RateLimit-Reset"] == "nan"
    assert response.headers["X-RateLimit-Remaining-1"] == "100000"
    assert reader.simulator.statistics.refused == 1


async def test_a_429_may_lie_about_what_is_left() -> None:
    response = await meeting(TooManyRequests(remaining=7)).get("/user")
    assert response.headers.get_list("X-RateLimit-Remaining-2") == ["7"]
    assert response.headers["X-RateLimit-Limit-2"] == "100"


async def test_a_bare_429_says_nothing() -> None:
    response = await meeting(TooManyRequests(retry_after=None, bare=True)).get("/user")
    assert response.status_code == 429
    assert not [name for name in response.headers if name.startswith(("x-ratelimit", "retry"))]


@pytest.mark.parametrize("retry_after", [None, "3"])
async def test_a_server_fault_is_in_the_apis_shape(retry_after: str | None) -> None:
    response = await meeting(ServerFault(503, 50300, retry_after)).get("/user")
    assert (response.status_code, response.json()["code"]) == (503, 50300)
    assert response.headers.get("Retry-After") == retry_after


async def test_a_server_fault_costs_a_request() -> None:
    reader = meeting(ServerFault())
    await reader.get("/user")
    assert reader.simulator.remaining[0] == 99_999


@pytest.mark.parametrize("status", [200, 502])
async def test_an_html_page_may_come_from_in_between(status: int) -> None:
    response = await meeting(HtmlError(status)).get("/user")
    assert (response.status_code, response.headers["Content-Type"]) == (status, "text/html")
    assert response.content.startswith(b"<html>")


async def test_a_token_expires_in_the_middle_of_a_walk() -> None:
    reader = meeting(ExpiredToken(), skip=1)
    assert [(await reader.get("/user")).status_code for _ in range(3)] == [200, 401, 401]


async def test_the_identity_server_has_its_own_bad_days() -> None:
    reader = meeting(OAuthFault(), path="access_token")
    form = {"grant_type": "refresh_token", "refresh_token": reader.token.refresh_token}
    answers = [await reader.ask("access_token", form, realm=reader.account.realm) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [400, 200]
    assert answers[0].json()["error"] == "server_error"


async def trips(reader: Reader) -> dict[str, Any]:
    return await reader.body(f"/user/vehicles/{reader.simulator.world.vehicles[0].id}/trips")


async def test_a_link_leads_to_a_foreign_host() -> None:
    body = await trips(meeting(ForeignLink("next", "https://evil.example/x")))
    assert body["_links"]["next"]["href"] == "https://evil.example/x"


async def test_a_page_leads_to_itself() -> None:
    links = (await trips(meeting(LoopingLink())))["_links"]
    assert links["next"] == links["self"]


async def test_what_has_no_links_cannot_loop() -> None:
    reader = meeting(LoopingLink())
    car = reader.simulator.world.vehicles[0].id
    response = await reader.get(f"/user/vehicles/{car}/lastPosition", Accept="*/*")
    assert "_links" not in response.json()


async def test_fields_vanish_wherever_they_stood() -> None:
    reader = meeting(VanishedFields(("createdAt", "total")))
    body = await trips(reader)
    assert "total" not in body
    assert "createdAt" not in str(body)
    assert "createdAt" in str(await trips(reader))


async def test_a_refusal_is_not_spoiled() -> None:
    assert (await meeting(LoopingLink()).get("/nothing")).json()["code"] == 40499


# ---------------------------------------------------------------------- when


def drawn(plan: FaultInjector, *calls: Request, tick: float = 0.0) -> list[Fault | None]:
    return [plan.draw(call, tick) for call in calls]


def test_a_script_is_used_up_step_by_step() -> None:
    plan = FaultInjector(Faults(script=[ScriptedFault(fault=Refused(), times=2), ScriptedFault(fault=HtmlError())]))
    assert drawn(plan, TRIPS, TRIPS, TRIPS, TRIPS) == [Refused(), Refused(), HtmlError(), None]


def test_a_step_waits_for_the_path_and_method_it_means() -> None:
    plan = FaultInjector(Faults(script=[ScriptedFault(fault=Refused(), path="/trips$", method="GET")]))
    assert drawn(plan, STATUS, Request(method="POST", path="/trips"), TRIPS, TRIPS) == [None, None, Refused(), None]


def test_a_step_lets_some_pass_before() -> None:
    plan = FaultInjector(Faults(script=[ScriptedFault(fault=Refused(), skip=2)]))
    assert drawn(plan, TRIPS, TRIPS, TRIPS, TRIPS) == [None, None, Refused(), None]


def test_more_steps_can_be_added() -> None:
    simulator = Simulator(World())
    simulator.script(ScriptedFault(fault=Refused()))
    assert [simulator.draw_fault(TRIPS)[0] for _ in range(2)] == [Refused(), None]


def test_a_wave_comes_and_goes() -> None:
    plan = FaultInjector(Faults(windows=[FaultWindow(fault=ServerFault(), since=10, until=20, path="trips")]))
    assert drawn(plan, TRIPS, tick=9.9) == [None]
    assert drawn(plan, TRIPS, STATUS, tick=10.0) == [ServerFault(), None]
    assert drawn(plan, TRIPS, tick=20.0) == [None]


async def test_a_wave_counts_from_the_first_request() -> None:
    reader = reading(windows=[FaultWindow(fault=ServerFault(503), since=5, until=10)])
    codes = []
    for _ in range(4):
        codes.append((await reader.get("/user")).status_code)
        await anyio.sleep(3.5)
    assert codes == [200, 200, 503, 200]


def test_chance_strikes_as_often_as_told() -> None:
    plan = FaultInjector(Faults(random=[RandomFault(fault=Refused(), rate=0.25)], seed=1))
    struck = sum(plan.draw(TRIPS, 0.0) is not None for _ in range(4000))
    assert 900 < struck < 1100


def test_chance_strikes_the_same_requests_for_the_same_seed() -> None:
    faults = Faults(random=[RandomFault(fault=Refused(), rate=0.3), RandomFault(fault=HtmlError(), rate=0.3)], seed=8)
    assert drawn(FaultInjector(faults), *[TRIPS] * 50) == drawn(FaultInjector(faults), *[TRIPS] * 50)


def test_once_chance_strikes_it_may_go_on_for_a_while() -> None:
    plan = FaultInjector(Faults(random=[RandomFault(fault=Refused(), rate=0.05, run=4, path="trips")], seed=2))
    struck = [fault is not None for fault in drawn(plan, *[TRIPS] * 400)]
    runs = "".join("x" if one else "." for one in struck).replace(".", " ").split()
    assert runs
    assert all(len(run) >= 4 for run in runs[:-1])


def test_chance_spares_other_paths() -> None:
    plan = FaultInjector(Faults(random=[RandomFault(fault=Refused(), rate=1.0, path="trips", run=2)]))
    assert drawn(plan, STATUS, TRIPS, STATUS, TRIPS) == [None, Refused(), None, Refused()]


def test_chaos_brings_every_mishap_as_often_as_told_and_spares_the_identity_server() -> None:
    plan = FaultInjector(Faults.chaos(0.3, seed=5))
    met = [fault for fault in drawn(plan, *[TRIPS] * 5000) if fault is not None]
    assert 1100 < len(met) < 1800
    assert len(set(met)) == 14
    assert drawn(plan, *[Request(method="POST", path="/am/oauth2/access_token")] * 300) == [None] * 300


async def test_a_patient_reader_gets_through_chaos() -> None:
    reader = Reader(Simulator(World(seed=3, vehicles=2, trips=200), faults=Faults.chaos(0.4, seed=1)))
    car = reader.simulator.world.vehicles[0].id
    place: str | None = f"/user/vehicles/{car}/trips?pageSize=5"
    found: list[str] = []
    while place is not None:
        try:
            response = await reader.get(place)
            body = response.json()
        except (httpx.TransportError, ValueError):
            continue
        if response.status_code == 401:
            token = reader.simulator.token_for("account-0000")
            reader.headers["Authorization"] = f"Bearer {token.access_token}"
        if response.status_code == 200:
            found += [trip["id"] for trip in body["_embedded"]["trips"]]
            place = body["_links"].get("next", {}).get("href")
    assert found == reader.simulator.world.trip_ids(car)
