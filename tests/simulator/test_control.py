"""The control address: what it shows, changes and refuses."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from stellantis_hal.simulator import Simulator, World
from stellantis_hal.simulator.faults.named import FAULTS
from stellantis_hal.simulator.serving.control import ControlApplication

pytestmark = pytest.mark.anyio

EPOCH = datetime(2026, 3, 2, 2, tzinfo=UTC)
ELECTRIC = 6


def make_simulator(**options: Any) -> Simulator:
    world = World(seed=ELECTRIC, accounts=1, vehicles=1, trips=9, epoch=EPOCH, moving=True)
    return Simulator(world, epoch=EPOCH, **options)


class Control:
    """Requests to the control address of a simulator, without a socket."""

    def __init__(self, simulator: Simulator) -> None:
        self.simulator = simulator
        self.car = simulator.world.vehicles[0].id
        self._transport = httpx.ASGITransport(ControlApplication(simulator))

    async def __call__(self, method: str, path: str, body: Any = None, **options: Any) -> tuple[int, Any]:
        async with httpx.AsyncClient(transport=self._transport, base_url="http://control.test") as client:
            response = await client.request(method, path, json=body, **options)
        return response.status_code, response.json()

    async def act(self, act: str, **body: Any) -> tuple[int, Any]:
        return await self("POST", f"/vehicles/{self.car}/{act}", body)


@pytest.fixture
def control() -> Control:
    return Control(make_simulator())


async def test_the_state_names_everything_that_can_be_changed(control: Control) -> None:
    status, state = await control("GET", "/")
    assert status == 200
    assert (state["now"], state["speed"], state["vehicles"]) == ("2026-03-02T02:00:00.000Z", 1.0, 1)
    assert state["faults"] == {"random": {}, "known": list(FAULTS)}
    assert {"plug_in", "lock", "drive", "park"} <= state["acts"].keys()


async def test_vehicles_are_listed_and_shown(control: Control) -> None:
    _, listed = await control("GET", "/vehicles")
    assert [vehicle["id"] for vehicle in listed["vehicles"]] == [control.car]
    assert await control("GET", f"/vehicles/{control.car}") == (200, listed["vehicles"][0])
    assert (await control("GET", "/vehicles?first=1"))[1] == {"vehicles": []}
    assert listed["vehicles"][0]["charging"]["status"] in {"Disconnected", "Stopped", "InProgress", "Finished"}


async def test_a_vehicle_without_a_battery_has_no_charging() -> None:
    world = next(world for seed in range(50) if (world := World(seed=seed)).vehicles[0].motorization == "Thermic")
    control = Control(Simulator(world))
    assert "charging" not in (await control("GET", f"/vehicles/{control.car}"))[1]


async def test_the_clock_is_advanced_and_sped_up(control: Control) -> None:
    assert (await control("POST", "/clock", {"advance": "1h"}))[1]["now"] == "2026-03-02T03:00:00.000Z"
    status, answer = await control("POST", "/clock", {"advance": 90, "speed": 60})
    assert (status, answer) == (200, {"now": "2026-03-02T03:01:30.000Z", "speed": 60.0})
    assert (await control("POST", "/clock", {"speed": 1}))[1]["speed"] == 1.0
    await control("POST", "/clock", {"advance": "7d"})
    assert (await control("GET", f"/vehicles/{control.car}"))[1]["trips"] > 9


async def test_each_act_is_seen_in_the_next_answer(control: Control) -> None:
    async def act(name: str, **body: Any) -> Any:
        status, answer = await control.act(name, **body)
        assert status == 200, answer
        return answer

    assert (await act("unlock"))["vehicle"]["locked"] is False
    assert (await act("unlock"))["changed"] is False
    assert (await act("lock"))["vehicle"]["locked"] is True
    driven = await act("drive", km=5, minutes=10)
    assert driven["vehicle"]["moving"] is True
    assert (await act("park"))["trip"] == driven["trip"]
    assert (await act("plug_in"))["vehicle"]["charging"]["plugged"] is True
    assert (await act("start_charging"))["vehicle"]["charging"]["status"] == "InProgress"
    assert (await act("stop_charging"))["vehicle"]["charging"]["status"] == "Stopped"
    assert (await act("unplug"))["vehicle"]["charging"]["plugged"] is False
    for name in ("start_climate", "stop_climate", "report", "close_doors", "wake", "add_alert"):
        await act(name)
    for name, body in (
        ("add_alert", {"type": "RiskOfIce"}),
        ("immobilize", {"active": False}),
        ("set_battery", {"percent": 50}),
        ("set_privacy", {"state": "Full"}),
        ("set_reachable", {"reachable": False}),
        ("set_stolen", {"stolen": True}),
        ("open_door", {"door": "Trunk"}),
    ):
        await act(name, **body)
    assert [alert.type for alert in control.simulator.world.alerts(control.car)][:2] == ["RiskOfIce", "FuelLevelLow"]


async def test_refusals_of_the_car_have_their_cause(control: Control) -> None:
    await control.act("open_door", door="Driver")
    status, answer = await control.act("lock")
    assert (status, answer["cause"]) == (409, "DoorsOpen")
    status, answer = await control.act("park")
    assert status == 409
    assert "not on a trip" in answer["error"]


async def test_faults_and_latency_are_replaced(control: Control) -> None:
    status, answer = await control("POST", "/faults", {"random": {"cut-body": 0.5, "oauth": 1}, "latency": "50ms"})
    assert (status, answer) == (200, {"random": {"cut-body": 0.5, "oauth": 1.0}, "next": 0})
    assert (await control("POST", "/faults", {"latency": 0}))[1]["random"] == {"cut-body": 0.5, "oauth": 1.0}
    assert (await control("POST", "/faults", {"random": {}}))[1]["random"] == {}
    steps = [{"fault": "server-error", "path": "/user", "times": 2}, {"fault": "html"}]
    assert (await control("POST", "/faults", {"next": steps}))[1]["next"] == 2
    simulator = control.simulator
    token = (await control("POST", "/tokens", {"account": "account-0000"}))[1]
    headers = {"Authorization": f"Bearer {token['access_token']}", "x-introspect-realm": token["realm"]}
    async with httpx.AsyncClient(transport=simulator.transport(), headers=headers) as client:
        url = f"{simulator.url}/user?client_id={simulator.client_id}"
        assert [(await client.get(url)).status_code for _ in range(4)] == [500, 500, 502, 200]
    assert (await control("GET", "/"))[1]["requests"] == 4


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("GET", "/nothing", None, 404),
        ("POST", "/", None, 405),
        ("GET", "/clock", None, 405),
        ("DELETE", "/vehicles", None, 405),
        ("GET", "/vehicles/unknown", None, 404),
        ("GET", "/vehicles?last=1", None, 400),
        ("GET", "/vehicles?first=x", None, 400),
        ("POST", "/clock", {}, 400),
        ("POST", "/clock", {"back": 1}, 400),
        ("POST", "/clock", {"advance": "soon"}, 400),
        ("POST", "/clock", {"advance": "-1h"}, 400),
        ("POST", "/clock", {"speed": 0}, 400),
        ("POST", "/clock", {"speed": True}, 400),
        ("POST", "/clock", [], 400),
        ("POST", "/clock", {"speed": 1e308}, 400),
        ("POST", "/clock", {"speed": 10**400}, 400),
        ("POST", "/clock", {"advance": "9999999d"}, 400),
        ("POST", "/clock", {"advance": f"{10**400}d"}, 400),
        ("POST", "/faults", {"latency": "9999999d"}, 400),
        ("POST", "/faults", {}, 400),
        ("POST", "/faults", {"random": []}, 400),
        ("POST", "/faults", {"random": {"nothing": 0.1}}, 400),
        ("POST", "/faults", {"random": {"html": 2}}, 400),
        ("POST", "/faults", {"random": {"html": "often"}}, 400),
        ("POST", "/faults", {"next": [{"fault": "reset", "times": 0}]}, 400),
        ("POST", "/faults", {"next": [{"fault": "nothing"}]}, 400),
        ("POST", "/faults", {"next": ["reset"]}, 400),
        ("POST", "/tokens", {"account": "nobody"}, 404),
        ("POST", "/tokens", {"account": 1}, 404),
    ],
)
async def test_wrong_requests_are_refused(control: Control, method: str, path: str, body: Any, status: int) -> None:
    answered, answer = await control(method, path, body)
    assert answered == status
    assert answer["error"]


@pytest.mark.parametrize(
    ("act", "body", "status"),
    [
        ("fly", {}, 404),
        ("lock", {"hard": True}, 400),
        ("drive", {}, 400),
        ("drive", {"km": "5"}, 400),
        ("drive", {"km": -5}, 409),
        ("drive", {"km": 1e300, "minutes": 10}, 400),
        ("drive", {"km": 5, "minutes": 1e8}, 409),
        ("set_battery", {"percent": 101}, 409),
        ("set_battery", {}, 400),
        ("set_privacy", {}, 400),
        ("set_stolen", {}, 400),
        ("set_reachable", {}, 400),
        ("immobilize", {"active": "yes"}, 400),
        ("set_privacy", {"state": "Some"}, 409),
    ],
)
async def test_wrong_acts_are_refused(control: Control, act: str, body: dict[str, Any], status: int) -> None:
    answered, answer = await control.act(act, **body)
    assert answered == status
    assert answer["error"]


async def test_bodies_are_bounded_json_objects(control: Control) -> None:
    assert (await control("POST", "/clock", content=b"{"))[0] == 400
    assert (await control("POST", "/clock", content=b"[" * 60_000))[0] == 400


async def test_a_body_that_is_too_long_is_not_read_to_its_end() -> None:
    sent: list[Any] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b" " * 10_000, "more_body": True}

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {"type": "http", "method": "POST", "path": "/clock", "query_string": b"", "headers": []}
    await ControlApplication(make_simulator())(scope, receive, send)
    assert sent[0]["status"] == 413


async def test_requests_of_web_pages_are_refused(control: Control) -> None:
    assert (await control("POST", "/clock", {"advance": "1h"}, headers={"Origin": "http://evil.test"}))[0] == 403
    assert control.simulator.now() == EPOCH


async def test_other_protocols_are_refused() -> None:
    with pytest.raises(ValueError, match="lifespan"):
        await ControlApplication(make_simulator())({"type": "lifespan"}, None, None)  # type: ignore[arg-type]


@asynccontextmanager
async def a_server() -> AsyncGenerator[tuple[Simulator, str]]:
    simulator = make_simulator()
    async with simulator.served(control=True) as url:
        assert simulator.control_url is not None
        yield simulator, url
    assert simulator.control_url is None


@pytest.mark.wall_clock
@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_a_served_simulator_has_a_control_address(anyio_backend: str) -> None:
    async with a_server() as (simulator, url), httpx.AsyncClient() as client:
        state = (await client.get(f"{simulator.control_url}/")).json()
        assert state["url"] == url
        assert (await client.get(f"{url}/user")).status_code == 401
        assert (await client.get(f"{simulator.control_url}/user")).status_code == 404
        advanced = await client.post(f"{simulator.control_url}/clock", json={"advance": "2d"})
        assert advanced.status_code == 200
        assert simulator.now() >= EPOCH + timedelta(days=2)
    assert asyncio.get_running_loop().is_running()
