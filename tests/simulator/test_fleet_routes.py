"""The simulated API for fleet owners: who may read what, and what is refused."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import httpx
import pytest

from stellantis_hal.simulator import BackendVariant, Simulator, World

pytestmark = pytest.mark.anyio


class PartnerApi:
    """Sends requests of the partner."""

    def __init__(self, **options: Any) -> None:
        self.world = World(seed=7, vehicles=2, trips=60)
        self.simulator = Simulator(self.world, epoch=self.world.epoch + timedelta(days=1), **options)
        self.fleet = f"/fleets/{self.world.fleets.all[0].id}"
        self.car = f"{self.fleet}/vehicles/{self.world.vehicles[0].id}"
        self.auth: tuple[str, str] = (self.simulator.partner_login, self.simulator.partner_password)
        self.client_id: str | None = self.simulator.client_id

    async def get(self, path: str, method: str = "GET", body: Any = None, **headers: str) -> httpx.Response:
        transport = self.simulator.transport()
        async with httpx.AsyncClient(transport=transport, auth=self.auth) as client:
            params = {} if self.client_id is None else {"client_id": self.client_id}
            url = httpx.URL(f"{self.simulator.partner_url}{path}").copy_merge_params(params)
            return await client.request(method, url, headers=headers, json=body)


@pytest.fixture
def api() -> PartnerApi:
    return PartnerApi()


async def test_login_and_client_id_are_two_names(api: PartnerApi) -> None:
    assert (await api.get("/fleets")).status_code == 200
    api.auth = (api.simulator.client_id, api.simulator.client_secret)
    refused = await api.get("/fleets")
    assert (refused.status_code, refused.headers["www-authenticate"]) == (401, 'Basic realm="partners"')


async def test_links_of_fleets_have_the_proxys_base(api: PartnerApi) -> None:
    api.simulator.set_link_base("http://127.0.0.1:4010/", of="fleets")
    link = (await api.get(api.fleet)).json()["_links"]["self"]["href"]
    assert link == f"http://127.0.0.1:4010{api.fleet}"


@pytest.mark.parametrize("client_id", [None, "MZP000001"])
async def test_the_client_id_is_needed(api: PartnerApi, client_id: str | None) -> None:
    api.client_id = client_id
    refused = await api.get("/fleets")
    assert (refused.status_code, refused.json()["moreInformation"]) == (401, "Invalid client id or secret.")


async def test_other_schemes_and_garbage_do_not_sign(api: PartnerApi) -> None:
    url = f"{api.simulator.partner_url}/fleets?client_id={api.simulator.client_id}"
    for value in ("Bearer abc", "Basic", "Basic !!", "Basic /w=="):
        async with httpx.AsyncClient(transport=api.simulator.transport()) as client:
            assert (await client.get(url, headers={"Authorization": value})).status_code == 401


async def test_errors_have_code_uuid_message_and_timestamp(api: PartnerApi) -> None:
    for path in ("/fleets/unknown", "/vehicles/VF3AAAAAA00000000", "/elsewhere"):
        answer = await api.get(path)
        assert (answer.status_code, set(answer.json())) == (404, {"code", "uuid", "message", "timestamp"})


@pytest.mark.parametrize(
    "path",
    [
        "{fleet}/elsewhere",
        "{fleet}/vehicles/unknown",
        "{fleet}/alerts/unknown",
        "{fleet}/collisions/unknown",
        "{car}/stolen/unknown",
        "{car}/elsewhere",
        "{car}/trips/{trip}/collisions/c1",
        "{other}/vehicles/{id}",
        "/fleets/unknown/vehicles",
    ],
)
async def test_what_there_is_not_is_404(api: PartnerApi, path: str) -> None:
    car = api.world.vehicles[0].id
    other = f"/fleets/{api.world.fleets.add('empty').id}"
    path = path.format(fleet=api.fleet, car=api.car, other=other, id=car, trip=api.world.trip_ids(car)[0])
    assert (await api.get(path)).status_code == 404


@pytest.mark.parametrize(
    "path",
    [
        "/fleets?indexRange=0-9",
        "/fleets?profile=fleet",
        "{fleet}/vehicles?indexRange=0-9",
        "{fleet}/vehicles?profile=endUser",
        "{fleet}/vehicles?country=BR",
        "{fleet}/vehicles?extension=onboardCapabilities",
        "{fleet}/vehicles?pageSize=61",
        "{car}/status?profile=driver",
        "{car}/alarms?profile=endUser",
        "{car}/stolen?profile=endUser",
        "{car}/trips/{trip}/collisions?profile=fleet",
        "{fleet}/trips?profile=enduser",
    ],
)
async def test_parameters_that_do_not_apply_are_400(api: PartnerApi, path: str) -> None:
    trip = api.world.trip_ids(api.world.vehicles[0].id)[0]
    assert (await api.get(path.format(fleet=api.fleet, car=api.car, trip=trip))).status_code == 400


async def test_reading_paths_take_no_writes(api: PartnerApi) -> None:
    assert (await api.get(api.fleet, "DELETE")).status_code == 405


async def test_alerts_of_any_vehicle_are_found_by_id(api: PartnerApi) -> None:
    second = api.world.vehicles[1].id
    alert = api.world.add_alert(second)
    assert (await api.get(f"{api.fleet}/alerts/{alert.id}")).json()["vin"] == api.world.vehicles[1].vin
    api.world.fleets.hide_from_driver(second, "alerts")
    assert (await api.get(f"{api.fleet}/alerts/{alert.id}?profile=endUser")).status_code == 404


async def test_vehicles_are_filtered_by_vin(api: PartnerApi) -> None:
    vin = api.world.vehicles[1].vin
    body = (await api.get(f"{api.fleet}/vehicles?vinPrefix={vin}")).json()
    assert [vehicle["vin"] for vehicle in body["_embedded"]["vehicles"]] == [vin]
    assert "alarms" not in body["_embedded"]["vehicles"][0]["_links"]
    assert "alarms" in (await api.get(api.car)).json()["_links"]


async def test_links_may_be_relative() -> None:
    api = PartnerApi(variant=BackendVariant(relative_links=True))
    assert (await api.get(api.fleet)).json()["_links"]["self"]["href"] == f"/connectedcar/v3{api.fleet}"


async def test_a_theft_is_reported_and_ended_once(api: PartnerApi) -> None:
    car, thefts, now = api.world.vehicles[0].id, api.world.thefts, api.simulator.now()
    thefts.end(car, now)
    assert thefts.report(car, now) == thefts.report(car, now + timedelta(hours=1))
    thefts.end(car, now + timedelta(hours=2))
    thefts.end(car, now + timedelta(hours=3))
    assert [theft.ended_at for theft in thefts.of_vehicle(car)] == [now + timedelta(hours=2)]
    again = thefts.report(car, now + timedelta(days=1))
    assert thefts.of_vehicle(car)[0] == again
    assert (await api.get(f"{api.car}/stolen?timestamps=2020-01-01T00:00:00Z/PT20H")).status_code == 404
    assert (await api.get(f"{api.car}/stolen/{again.id}/elsewhere")).status_code == 404


async def test_members_of_fleets_change(api: PartnerApi) -> None:
    fleets, car = api.world.fleets, api.world.vehicles[0].id
    fleet = fleets.add("vans").id
    assert not fleets.has_vehicle(fleet, car)
    fleets.add_vehicle(fleet, car)
    fleets.add_vehicle(fleet, car)
    assert fleets.vehicles_of(fleet) == [car]
    fleets.remove_vehicle(fleet, car)
    fleets.remove_vehicle(fleet, car)
    assert (await api.get(f"/fleets/{fleet}/vehicles")).status_code == 404
    with pytest.raises(KeyError):
        fleets.find("unknown")
    with pytest.raises(KeyError):
        fleets.add_vehicle(fleet, "unknown")


@pytest.mark.unmeasured
@pytest.mark.parametrize("kind", ["status", "maintenances", "alerts", "collisions", "trips"])
async def test_a_kind_of_a_whole_fleet_is_that_of_its_vehicles(api: PartnerApi, kind: str) -> None:
    answer = await api.get(f"{api.fleet}/{kind}")
    assert answer.status_code == 200
    [items] = answer.json()["_embedded"].values()
    own = {"maintenances": "maintenance"}.get(kind, kind)
    expected = 0
    for car in api.world.fleets.vehicles_of(api.world.fleets.all[0].id):
        single = await api.get(f"{api.fleet}/vehicles/{car}/{own}")
        expected += 0 if single.status_code == 404 else single.json().get("total", 1)
    assert answer.json()["total"] == expected
    assert len(items) <= expected


async def test_a_stolen_vehicle_has_its_theft_and_the_trips_since(api: PartnerApi) -> None:
    car = api.world.vehicles[0].id
    trip = api.world.trip_at(car, 0)
    theft = api.world.thefts.report(car, trip.started_at)
    api.world.thefts.end(car, trip.stopped_at)
    again = api.world.thefts.report(car, api.simulator.now())
    waypoints = (await api.get(f"{api.car}/stolen/{theft.id}/waypoints")).json()
    assert waypoints["total"] == 3
    assert (await api.get(f"{api.car}/stolen/{theft.id}")).json()["id"] == theft.id
    assert (await api.get(f"{api.car}/status")).json()["stolen"]["id"] == again.id


HOOK = {"webhook": {"name": "w", "target": "https://hooks.example.test/x"}}


async def test_callbacks_of_a_fleet_are_filtered_by_type(api: PartnerApi) -> None:
    path = f"{api.fleet}/remote/callbacks"
    made = await api.get(path, "POST", {"remoteTypes": ["Doors"], "callback": HOOK})
    assert made.status_code == 200, made.text
    for types, count in (("", 1), ("?types=Doors", 1), ("?types=Horn", 0)):
        answer = await api.get(f"{path}{types}")
        listed = answer.json()["_embedded"]["callbacks"] if answer.status_code == 200 else []
        assert len(listed) == count
    one = f"{path}/{made.json()['callbackId']}"
    assert (await api.get(one)).status_code == 200
    assert (await api.get(path, "DELETE")).status_code == 405
    assert (await api.get(one, "DELETE")).is_success
    assert (await api.get(one)).status_code == 404


async def test_a_monitor_of_a_fleet_is_replaced_and_deleted(api: PartnerApi) -> None:
    body = {
        "label": "x",
        "triggerParam": {
            "triggers": [{"name": "a", "data": {"data": "stolen.state", "op": "onChange"}}],
            "boolExp": "a",
        },
        "subscribeParam": {"callback": HOOK},
    }
    path = f"{api.fleet}/monitors"
    made = (await api.get(path, "POST", body)).json()["monitorId"]
    assert (await api.get(f"{path}/{made}", "PUT", {**body, "label": "y"})).status_code == 202
    assert (await api.get(f"{path}/{made}")).json()["monitor"]["label"] == "y"
    assert (await api.get(f"{path}/{made}", "DELETE")).status_code == 204
    assert (api.simulator.monitors.monitors, api.simulator.monitors.next_due) == ((), None)
    api.simulator.monitors.advance()
    assert not any(api.simulator.outbox.pending.values())
