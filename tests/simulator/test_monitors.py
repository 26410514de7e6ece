"""Monitors of the simulated API: refusals, edges, reminders, deliveries of fleets."""

from datetime import UTC, datetime, timedelta
from typing import Any

import anyio
import httpx
import pytest

from stellantis_hal.simulator import Simulator, World
from stellantis_hal.simulator.api.boolean_expressions import evaluate, read_expression
from stellantis_hal.simulator.api.monitor_body_checks import check_monitor, parse_duration
from stellantis_hal.simulator.api.request_context import Refusal
from stellantis_hal.testing import jumping
from tests.simulator.api_client import ApiClient
from tests.support.clocks import BACKENDS

pytestmark = pytest.mark.anyio

DATA = {"data": "vehicle.doorsState.lockedState", "op": "onChange"}
HOOK = {"webhook": {"name": "x", "target": "https://hooks.example.org/st"}}


@pytest.fixture(params=BACKENDS)
def anyio_backend(request: pytest.FixtureRequest) -> Any:
    return jumping(request.param)


def trigger(name: str, **kinds: Any) -> dict[str, Any]:
    return {"name": name, **(kinds or {"data": DATA})}


def monitor(*triggers: dict[str, Any], when: str = "a", **more: Any) -> dict[str, Any]:
    return {"label": "x", "triggerParam": {"triggers": list(triggers or [trigger("a")]), "boolExp": when}, **more}


class Watcher(ApiClient):
    """An account holder who watches the first vehicle."""

    async def send(self, method: str, path: str, body: Any = None) -> httpx.Response:
        """Send a request with a JSON body."""
        request = httpx.Request(
            method,
            f"{self.simulator.url}{path}?client_id={self.simulator.client_id}",
            headers=self.headers,
            json=body,
        )
        response = await self.transport.handle_async_request(request)
        await response.aread()
        return response

    async def watch(self, body: dict[str, Any]) -> str:
        """Create a callback and a monitor; return the path of the monitors."""
        made = (await self.send("POST", "/user/callbacks", {"label": "x", "callback": HOOK})).json()
        path = f"/user/vehicles/{self.car}/callbacks/{made['callbackId']}/monitors"
        assert (await self.send("POST", path, body)).status_code == 202
        return path

    @property
    def car(self) -> str:
        """The id of the vehicle."""
        return self.simulator.world.vehicles[0].id

    @property
    def events(self) -> list[tuple[bool, list[Any]]]:
        """The events so far: whether each is a reminder, and its values."""
        return [
            (event.message["monitorEvent"]["refresh"], event.message["monitorEvent"]["values"])
            for events in self.simulator.outbox.pending.values()
            for event in events
        ]


def watcher(**options: Any) -> Watcher:
    return Watcher(Simulator(World(seed=7, vehicles=1, trips=3, **options)))


ONE = trigger("a")
ENTRY = {"recurrence": "Daily", "start": "PT22H", "duration": "PT8H"}


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ({}, "label"),
        ({"label": "x"}, "triggerParam"),
        (monitor(*[trigger(f"a{n}") for n in range(6)]), "1 to 5"),
        (monitor(3), "must be an object"),  # type: ignore[arg-type]
        (monitor(ONE, ONE), "unique"),
        (monitor(trigger("a-1")), "name of a trigger"),
        (monitor(trigger("a", zone={}, data=DATA)), "one of zone"),
        (monitor(when="a & b"), "not defined"),
        (monitor(ONE, trigger("b")), "every trigger"),
        (monitor(when="a | !a"), "always true"),
        (monitor(when="a &"), "does not parse"),
        (monitor(when="(a"), "does not parse"),
        (monitor(when="a)"), "does not parse"),
        (monitor(when=""), "does not parse"),
        (monitor(when=3), "boolExp is required"),  # type: ignore[arg-type]
        (monitor(subscribeParam={}), "must not be empty"),
        (monitor(subscribeParam={"refreshEvent": 59}), "at least 60"),
        (monitor(attributes=[{"type": "Query", "key": "k", "value": "v"}]), "type of an attribute"),
        (monitor(extendedEventParam=["vehicle.collisions"]), "unknown extension"),
        (monitor(extendedEventParam="vehicle.status"), "list of strings"),
        (monitor(trigger("a", data={"data": "stolen.state", "op": "onChange"})), "data is unknown"),
        (monitor(trigger("a", data={"data": "vehicle.autonomy", "op": "onChange"})), "does not take"),
        (monitor(trigger("a", data={"data": "vehicle.autonomy", "op": "equalsTo"})), "value is required"),
        (monitor(trigger("a", data={"data": "vehicle.autonomy", "op": "equalsTo", "value": ["x"]})), "be a number"),
        (monitor(trigger("a", data={**DATA, "previous": {"op": "equalsTo", "value": ["x"]}})), "previous"),
        (monitor(trigger("a", zone={"transition": "Through"})), "transition"),
        (monitor(trigger("a", zone={"transition": "In", "place": {"radius": 1.5}})), "whole kilometres"),
        (monitor(trigger("a", zone={"transition": "In", "place": {"radius": 1, "center": {}}})), "longitude"),
        (monitor(trigger("a", time={"times": []})), "times"),
        (monitor(trigger("a", time={"times": [ENTRY], "timeZone": "UTC"})), "timeZone is not valid"),
        (monitor(trigger("a", time={"times": [ENTRY], "timeZone": "Europe/Nowhere"})), "timeZone is unknown"),
        (monitor(trigger("a", time={"times": [{**ENTRY, "recurrence": "Weekly"}]})), "recurrence"),
        (monitor(trigger("a", time={"times": [{**ENTRY, "duration": None}]})), "required for Daily"),
        (monitor(trigger("a", time={"times": [{**ENTRY, "start": "P1D"}]})), "time of day"),
        (monitor(trigger("a", time={"times": [{**ENTRY, "occurence": {"day": ["Mo"]}}]})), "day is unknown"),
        (monitor(trigger("a", time={"times": [{**ENTRY, "occurence": {"week": ["w0"]}}]})), "week is not valid"),
        (monitor(trigger("a", time={"times": [{"recurrence": "None", "start": "soon"}]})), "an instant"),
        (monitor(trigger("a", time={"times": [{"recurrence": "None", "start": "x", "occurence": {}}]})), "for Daily"),
    ],
)
def test_what_the_vendor_refuses_is_refused(body: dict[str, Any], reason: str) -> None:
    with pytest.raises(Refusal) as caught:
        check_monitor(body, is_fleet=False)
    assert (caught.value.status, reason in caught.value.message) == (400, True), caught.value.message


@pytest.mark.parametrize("entry", [ENTRY, {"recurrence": "None", "start": "2026-01-05T22:00:00Z"}])
def test_times_of_the_specification_are_accepted(entry: dict[str, Any]) -> None:
    body = monitor(trigger("a", time={"times": [entry]}))
    assert check_monitor(body, is_fleet=False) == body


@pytest.mark.parametrize(
    ("content", "media_type", "status"),
    [("{}", "text/plain", 415), ("{", "application/json", 400), ("[]", "application/json", 400)],
)
async def test_bodies_other_than_objects_are_refused(content: str, media_type: str, status: int) -> None:
    client = watcher()
    url = f"{client.simulator.url}/user/callbacks?client_id={client.simulator.client_id}"
    headers = {**client.headers, "Content-Type": media_type}
    response = await client.transport.handle_async_request(httpx.Request("POST", url, headers=headers, content=content))
    assert response.status_code == status


async def test_monitors_of_other_callbacks_go_on() -> None:
    client = watcher()
    paths = [await client.watch(monitor()) for _ in range(3)]
    paused, deleted, kept = (f"/user/callbacks/{path.split('/')[-2]}" for path in paths)
    assert (await client.send("PUT", f"{paused}/status", {"status": "Paused"})).is_success
    assert (await client.send("DELETE", deleted)).is_success
    client.simulator.world.unlock(client.car)
    assert len(client.simulator.monitors.monitors) == 2
    assert list(client.simulator.outbox.pending) == [kept.rpartition("/")[2]]


async def test_a_callback_for_commands_takes_no_monitors() -> None:
    client = watcher()
    made = (await client.send("POST", "/user/callbacks", {"type": ["Remote"], "callback": HOOK})).json()
    path = f"/user/vehicles/{client.car}/callbacks/{made['callbackId']}/monitors"
    assert (await client.send("POST", path, monitor())).status_code == 400


def test_conditions_are_valued() -> None:
    node = read_expression("a | !b & c")
    assert [evaluate(node, {"a": a, "b": False, "c": c}) for a in (False, True) for c in (False, True)] == [
        False,
        True,
        True,
        True,
    ]
    assert parse_duration("P1DT2H3M4S") == timedelta(days=1, hours=2, minutes=3, seconds=4)
    assert parse_duration("P") is None


async def test_a_change_is_an_event_each_time() -> None:
    client = watcher()
    path = await client.watch(monitor(extendedEventParam=["vehicle.status", "vehicle.doorsState"]))
    world = client.simulator.world
    for act in (world.unlock, world.lock, world.lock, world.unlock):
        act(client.car)
    found = [values[0]["value"]["body"]["literalValue"] for _, values in client.events]
    assert found == ["Unlocked", "Locked", "Unlocked"]
    [listed] = (await client.body(path))["_embedded"]["monitors"]
    status = f"{path}/{listed['monitorId']}/status"
    assert (await client.send("PUT", status, {"status": "Paused"})).json()["status"] == "Paused"
    world.lock(client.car)
    assert len(client.events) == 3
    assert (await client.send("PUT", status, {"status": "Failed"})).status_code == 400
    await client.send("PUT", status, {"status": "Running"})
    world.unlock(client.car)
    assert len(client.events) == 4


async def test_a_zone_is_left_once_and_reminded_of() -> None:
    client = watcher()
    world = client.simulator.world
    spot = world.spot(client.car)
    place = {"radius": 1, "center": {"longitude": spot.longitude, "latitude": spot.latitude}}
    zone = trigger("a", zone={"transition": "Out", "place": place})
    await client.watch(monitor(zone, subscribeParam={"refreshEvent": 60}))
    world.drive(client.car, 5)
    assert client.events == [(False, [])]
    world.drive(client.car, 0.5, minutes=0.5)
    assert len(client.events) == 1
    world.drive(client.car, 0.5, minutes=0.6)
    assert client.events == [(False, []), (True, [])]


async def test_a_value_before_counts_for_the_first_event() -> None:
    client = watcher()
    data = {"data": "vehicle.kinetic.moving", "op": "equalsTo", "value": ["true"]}
    previous = {**data, "previous": {"op": "equalsTo", "value": ["false"]}}
    await client.watch(monitor(trigger("a", data=previous)))
    client.simulator.world.drive(client.car, 5)
    [(_, [value])] = client.events
    assert (value["previous"], value["value"]["body"]["literalValue"]) == ("false", "true")


async def test_an_alert_is_named_in_the_event() -> None:
    client = watcher()
    await client.watch(monitor(trigger("a", data={"data": "vehicle.alert", "op": "equalsTo", "value": ["OilLevel"]})))
    client.simulator.world.add_alert(client.car)
    assert client.events == []
    client.simulator.world.add_alert(client.car, "OilLevel")
    [(_, [value])] = client.events
    assert (value["data"], value["value"]["type"]) == ("vehicle.alert", "obj.alert")
    assert {"type": "OilLevel", "active": True} in value["value"]["body"]["objectValues"]


@pytest.mark.parametrize("trips", [0, 3])
async def test_an_event_has_each_extension_that_the_car_has(trips: int) -> None:
    client = Watcher(Simulator(World(seed=7, vehicles=1, trips=trips)))
    names = ["doorsState", "position", "maintenance", "alerts", "alarm", "trip", "telemetry", "status"]
    await client.watch(monitor(extendedEventParam=[f"vehicle.{name}" for name in names]))
    client.simulator.world.unlock(client.car)
    [[event]] = client.simulator.outbox.pending.values()
    extensions = {each["type"]: each["body"] for each in event.message["monitorEvent"]["extensions"]}
    assert ("vehicle.trip" in extensions) is bool(trips)
    assert {"vehicle.doorsState", "vehicle.position", "vehicle.telemetry", "vehicle.status"} <= set(extensions)
    assert "_links" not in extensions["vehicle.status"][0]["status"]


async def test_a_sixth_monitor_and_other_methods_are_refused() -> None:
    client = watcher()
    path = await client.watch(monitor())
    for _ in range(4):
        assert (await client.send("POST", path, monitor())).status_code == 202
    assert (await client.send("POST", path, monitor())).status_code == 400
    assert (await client.send("PATCH", path, monitor())).status_code == 405
    assert (await client.get(f"{path}/none")).status_code == 404
    first = client.simulator.monitors.monitors[0].id
    assert (await client.get(f"{path}/{first}/else")).status_code == 404
    assert (await client.send("POST", f"{path}/{first}", monitor())).status_code == 405
    assert (await client.send("DELETE", f"{path}/{first}")).status_code == 204
    assert client.simulator.monitors.get(first) is None
    await client.send("DELETE", path.removesuffix("/monitors").replace(f"/vehicles/{client.car}", ""))
    assert client.simulator.monitors.monitors == ()


@pytest.mark.unmeasured
@pytest.mark.long
async def test_a_day_of_moving_cars_raises_each_edge_once() -> None:
    """The small twin of the day of a thousand cars: each trip that begins is one event, dated by the car's report."""
    simulator = Simulator(World(seed=3, vehicles=3, trips=30, moving=True))
    client = Watcher(simulator)
    moving = trigger("a", data={"data": "vehicle.kinetic.moving", "op": "equalsTo", "value": ["true"]})
    made = (await client.send("POST", "/user/callbacks", {"label": "x", "callback": HOOK})).json()
    for vehicle in simulator.world.vehicles:
        path = f"/user/vehicles/{vehicle.id}/callbacks/{made['callbackId']}/monitors"
        assert (await client.send("POST", path, monitor(moving))).status_code == 202
    begin = simulator.now()
    assert simulator.monitors.next_due is not None
    for _ in range(24):
        await anyio.sleep(3600)
        simulator.monitors.advance()
    [events] = simulator.outbox.pending.values()
    started = [
        (vehicle.vin, trip.started_at)
        for vehicle in simulator.world.vehicles
        for trip in simulator.world.trips(vehicle.id)
        if begin < trip.started_at <= simulator.now()
    ]
    assert sorted((event.vin or "", event.raised_at) for event in events) == sorted(started)


@pytest.mark.long
async def test_monitors_made_during_deliveries_are_followed() -> None:
    client = Watcher(Simulator(World(seed=3, vehicles=1, trips=30, moving=True)))
    sent: list[httpx.Request] = []

    def receive(request: httpx.Request) -> httpx.Response:
        sent.append(request)
        return httpx.Response(200)

    async with client.simulator.delivering(transport=httpx.MockTransport(receive)):
        await anyio.sleep(60)
        data = {"data": "vehicle.kinetic.moving", "op": "equalsTo", "value": ["true"]}
        await client.watch(monitor(trigger("a", data=data)))
        await anyio.sleep(3 * 24 * 3600)
    assert sent


def test_times_hold_as_they_are_posted() -> None:
    from stellantis_hal.simulator.api.monitor_values import CarReport, holds
    from stellantis_hal.simulator.world.entities import GeoPoint

    def at(instant: datetime, entry: dict[str, Any]) -> bool:
        report = CarReport(instant, GeoPoint(0, 0), {})
        return holds({"name": "t", "time": {"times": [entry], "timeZone": "Europe/London"}}, None, report, held=False)

    monday = datetime(2026, 1, 5, 22, tzinfo=UTC)
    assert at(monday, ENTRY)
    assert at(monday + timedelta(hours=7), {**ENTRY, "occurence": {"day": ["Mon"], "week": ["w2-w3"]}})
    assert not at(monday, {**ENTRY, "occurence": {"day": ["Tue"]}})
    assert not at(monday, {**ENTRY, "occurence": {"week": ["w3"]}})
    once = {"recurrence": "None", "start": "2026-01-05T22:00:00Z"}
    assert at(monday, once)
    assert not at(monday - timedelta(seconds=1), once)
    assert not at(monday + timedelta(hours=1), {**once, "duration": "PT1H"})
