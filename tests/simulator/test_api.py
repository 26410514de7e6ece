"""Responses of the API, read over the in-process transport."""

from datetime import UTC, datetime, timedelta
from typing import Any

import anyio
import httpx
import pytest

from stellantis_hal.simulator import SCOPES, BackendVariant, Faults, Latency, Simulator, SubscriptionLimits, World
from stellantis_hal.simulator.api.http_messages import format_instant
from tests.simulator.api_client import ApiClient, find_vehicle

pytestmark = pytest.mark.anyio


def make_simulator(**options: Any) -> Simulator:
    return Simulator(World(seed=11, accounts=3, vehicles=18, trips=1500), **options)


@pytest.fixture
def simulator() -> Simulator:
    return make_simulator()


@pytest.fixture
def api(simulator: Simulator) -> ApiClient:
    return ApiClient(simulator)


@pytest.fixture
def car(simulator: Simulator) -> str:
    return find_vehicle(simulator, trips=65, collisions=1, alerts=2, alarms=1)


# ---------------------------------------------------------------------- people and cars


async def test_user_embeds_the_vehicles(api: ApiClient) -> None:
    body = await api.body("/user")
    assert body["email"] == api.account.email
    assert [car["id"] for car in body["_embedded"]["Vehicles"]] == await api.ids("/user/vehicles", "vehicles")
    assert body["_links"]["vehicles"]["href"] == f"{api.simulator.url}/user/vehicles"


async def test_all_vehicles_of_the_account_are_listed(api: ApiClient) -> None:
    owned = api.simulator.world.vehicles_of(api.account.key)
    assert await api.ids("/user/vehicles", "vehicles") == [car.id for car in owned]


@pytest.mark.unmeasured
async def test_vehicle_links_to_what_it_supports(api: ApiClient) -> None:
    names = {"self", "user", "lastPosition", "trips", "maintenance", "alerts", "status", "telemetry"}
    names |= {"collisions", "alarms"}
    for car in api.simulator.world.vehicles_of(api.account.key):
        links = (await api.body(f"/user/vehicles/{car.id}"))["_links"]
        assert set(links) == (names if car.has_maintenance else names - {"maintenance"})
        for name, link in links.items():
            expected = {200, 404} if name in {"alerts", "collisions", "alarms"} else {200}
            assert (await api.get(link["href"], Accept="*/*")).status_code in expected


async def test_requested_extensions_are_included(api: ApiClient, car: str) -> None:
    plain = await api.body(f"/user/vehicles/{car}")
    assert "_embedded" not in plain
    body = await api.body(f"/user/vehicles/{car}?extension=onboardCapabilities,branding&extension=pictures")
    extension = body["_embedded"]["extension"]
    assert "data:trip" in extension["onboardCapabilities"]["data"]
    assert extension["branding"] == {"brand": body["brand"], "label": body["label"]}
    assert all(url.startswith("https://pictures.simulator.test/") for url in extension["pictures"])


@pytest.mark.unmeasured
async def test_vehicles_are_filtered_by_vin_prefix(api: ApiClient) -> None:
    wanted = api.simulator.world.vehicles_of(api.account.key)[1]
    assert await api.ids(f"/user/vehicles?vinPrefix={wanted.vin}", "vehicles") == [wanted.id]


async def test_a_back_end_may_ignore_or_refuse_the_vin_prefix() -> None:
    for variant, status in ((BackendVariant(vin_prefix="ignored"), 200), (BackendVariant(vin_prefix="refused"), 400)):
        api = ApiClient(Simulator(World(seed=4, accounts=1, vehicles=3, trips=0), variant=variant))
        assert (await api.get("/user/vehicles?vinPrefix=none")).status_code == status
        assert len(await api.ids("/user/vehicles", "vehicles")) == 3


async def test_vehicle_of_another_account_is_forbidden(api: ApiClient) -> None:
    other = api.simulator.world.vehicles_of("account-0001")[0]
    response = await api.get(f"/user/vehicles/{other.id}")
    assert (response.status_code, response.json()["code"]) == (403, 40300)


# ---------------------------------------------------------------------- a car's present


async def test_status_matches_the_last_trip(api: ApiClient, car: str) -> None:
    world = api.simulator.world
    world.add_trip(car, km=31.0)
    body = await api.body(f"/user/vehicles/{car}/status")
    assert body["odometer"]["mileage"] == world.mileage(car)
    assert [energy["level"] for energy in body["energies"]] == [energy.level for energy in world.levels(car)]
    assert body["lastPosition"]["geometry"]["coordinates"][:2] == [world.spot(car).longitude, world.spot(car).latitude]
    assert body["createdAt"] == format_instant(world.vehicle_state(car).at)


async def test_status_of_a_moving_vehicle(api: ApiClient, car: str) -> None:
    api.simulator.world.start_trip(car)
    body = await api.body(f"/user/vehicles/{car}/status")
    assert (body["kinetic"]["moving"], body["ignition"]["type"]) == (True, "Start")
    assert (
        "stoppedAt" not in (await api.body(f"/user/vehicles/{car}/trips?states=Unfinished"))["_embedded"]["trips"][-1]
    )


@pytest.mark.unmeasured
@pytest.mark.parametrize("number", range(6))
async def test_every_motorization_has_a_status(api: ApiClient, number: int) -> None:
    vehicle = api.simulator.world.vehicles_of(api.account.key)[number]
    body = await api.body(f"/user/vehicles/{vehicle.id}/status")
    assert [energy["type"] for energy in body["energies"]] == list(vehicle.energies)
    known = vehicle.motorization in {"Electric", "Hybrid"}
    assert body["service"]["type"] == (vehicle.motorization if known else "Unknown")


async def test_status_blocks_can_be_replaced_and_removed(api: ApiClient, car: str) -> None:
    api.simulator.world.update_status(car, battery={"voltage": 12.0}, safety=None, energy=[{"type": "Fuel"}])
    body = await api.body(f"/user/vehicles/{car}/status")
    assert body["battery"] == {"voltage": 12.0}
    assert body["energy"] == [{"type": "Fuel"}]
    assert "safety" not in body


async def test_hidden_status_is_no_data(api: ApiClient, car: str) -> None:
    api.simulator.world.hide_status(car)
    response = await api.get(f"/user/vehicles/{car}/status")
    assert (response.status_code, response.json()["code"]) == (404, 40400)


async def test_status_can_be_a_collection_of_pages_with_one_item() -> None:
    api = ApiClient(make_simulator(variant=BackendVariant(wraps_status=True)))
    car = find_vehicle(api.simulator, trips=3)
    body = await api.body(f"/user/vehicles/{car}/status")
    assert (body["total"], body["totalPage"]) == (api.simulator.world.trip_count(car),) * 2
    (newest,) = body["_embedded"]["Status"]
    older = await api.body(body["_links"]["next"]["href"])
    assert newest["odometer"]["mileage"] == api.simulator.world.mileage(car)
    assert older["_embedded"]["Status"][0]["createdAt"] < newest["createdAt"]


async def test_last_position_is_geojson(api: ApiClient, car: str) -> None:
    response = await api.get(f"/user/vehicles/{car}/lastPosition", Accept="application/vnd.geo+json")
    assert response.headers["Content-Type"] == "application/vnd.geo+json"
    assert response.json()["type"] == "Feature"


@pytest.mark.parametrize("state", ["Geolocation", "Full"])
async def test_privacy_hides_the_last_position(api: ApiClient, car: str, state: str) -> None:
    api.simulator.world.car(car).set_privacy(state)
    response = await api.get(f"/user/vehicles/{car}/lastPosition", Accept="application/vnd.geo+json")
    assert (response.status_code, response.json()["code"]) == (404, 40400)


async def test_last_position_is_not_acceptable_as_hal(api: ApiClient, car: str) -> None:
    assert (await api.get(f"/user/vehicles/{car}/lastPosition")).status_code == 406


async def test_maintenance_counts_down_from_the_odometer(api: ApiClient) -> None:
    vehicle = next(car for car in api.simulator.world.vehicles_of(api.account.key) if car.has_maintenance)
    body = await api.body(f"/user/vehicles/{vehicle.id}/maintenance")
    mileage = api.simulator.world.mileage(vehicle.id)
    assert body["mileageBeforeMaintenance"] == pytest.approx(20_000 - mileage % 20_000)


async def test_vehicle_without_maintenance_has_no_data() -> None:
    api = ApiClient(Simulator(World(seed=1, vehicles=60)))
    vehicle = next(car for car in api.simulator.world.vehicles if not car.has_maintenance)
    response = await api.get(f"/user/vehicles/{vehicle.id}/maintenance")
    assert (response.status_code, response.json()["code"]) == (404, 40400)


# ---------------------------------------------------------------------- trips


async def test_next_links_reach_every_trip_once_oldest_first(api: ApiClient, car: str) -> None:
    found = await api.ids(f"/user/vehicles/{car}/trips?pageSize=17", "trips")
    assert found == api.simulator.world.trip_ids(car)


async def test_variant_newest_first_sorts_trips_newest_first() -> None:
    api = ApiClient(make_simulator(variant=BackendVariant(newest_first=True)))
    car = find_vehicle(api.simulator, trips=65)
    assert await api.ids(f"/user/vehicles/{car}/trips", "trips") == api.simulator.world.trip_ids(car)[::-1]


async def test_newest_first_a_new_trip_shifts_the_others() -> None:
    api = ApiClient(make_simulator(variant=BackendVariant(newest_first=True)))
    car = find_vehicle(api.simulator, trips=65)
    first = await api.body(f"/user/vehicles/{car}/trips?pageSize=5")
    api.simulator.world.add_trip(car)
    second = await api.body(first["_links"]["next"]["href"])
    assert second["_embedded"]["trips"][0]["id"] == first["_embedded"]["trips"][-1]["id"]


async def test_trip_body_uses_the_vendors_units(api: ApiClient, car: str) -> None:
    trip = next(api.simulator.world.trips(car))
    body = await api.body(f"/user/vehicles/{car}/trips/{trip.id}")
    assert body["duration"] == trip.duration.total_seconds()
    assert body["distance"] == trip.distance
    assert body["kinetic"]["avgSpeed"] == pytest.approx(trip.average_speed / 3.6, abs=0.01)
    assert body["startPosition"]["geometry"]["coordinates"][:2] == [trip.start.longitude, trip.start.latitude]
    assert body["stoppedAt"] == format_instant(trip.stopped_at)
    assert sum(segment["distance"] for segment in body["segments"]) == pytest.approx(trip.distance)
    assert set(body["_links"]) == {"self", "vehicle", "waypoints", "alerts", "collisions"}


@pytest.mark.parametrize(
    ("motorization", "propulsions"),
    [("Electric", ["Electric"]), ("Thermic", ["Thermal"]), ("Hybrid", ["Thermal", "Electric"])],
)
async def test_trip_has_the_segments_of_its_motorization(motorization: str, propulsions: list[str]) -> None:
    api = ApiClient(Simulator(World(seed=1, vehicles=30, trips=900)))
    vehicle = next(car for car in api.simulator.world.vehicles if car.motorization == motorization)
    trip = (await api.body(f"/user/vehicles/{vehicle.id}/trips"))["_embedded"]["trips"][0]
    assert [segment["propulsion"] for segment in trip["segments"]] == propulsions
    assert [energy["type"] for energy in trip["startEnergies"]] == list(vehicle.energies)


async def test_page_of_60_trips_has_the_size_of_the_vendors(api: ApiClient, car: str) -> None:
    response = await api.get(f"/user/vehicles/{car}/trips")
    assert 90_000 < len(response.content) < 180_000


async def test_interval_selects_the_trips_that_start_in_it(api: ApiClient, car: str) -> None:
    trips = list(api.simulator.world.trips(car))
    since, until = trips[3].started_at, trips[9].started_at
    found = await api.ids(
        f"/user/vehicles/{car}/trips?timestamps={format_instant(since)[:-5]}Z/{format_instant(until)}", "trips"
    )
    assert found == [trip.id for trip in trips[3:10]]


async def test_several_intervals_select_the_trips_of_each(api: ApiClient, car: str) -> None:
    trips = list(api.simulator.world.trips(car))
    one, other = format_instant(trips[1].started_at)[:-5], format_instant(trips[8].started_at)[:-5]
    path = f"/user/vehicles/{car}/trips?timestamps={one}Z/PT1S&timestamps={other}Z/PT1S"
    assert await api.ids(path, "trips") == [trips[1].id, trips[8].id]


async def test_distance_duration_and_state_select_trips(api: ApiClient, car: str) -> None:
    world = api.simulator.world
    trips = list(world.trips(car))
    path = f"/user/vehicles/{car}/trips?distance=5-12.5&duration=300-&states=Nominal,DataLacking"
    assert await api.ids(path, "trips") == [
        trip.id for trip in trips if 5 <= trip.distance <= 12.5 and trip.duration >= timedelta(seconds=300)
    ]


async def test_added_trip_comes_last(api: ApiClient, car: str) -> None:
    trip = api.simulator.world.add_trip(car)
    last = (await api.body(f"/user/vehicles/{car}/trips"))["_links"]["last"]["href"]
    assert (await api.body(last))["_embedded"]["trips"][-1]["id"] == trip.id


async def test_trip_without_distance_has_no_consumption(api: ApiClient, car: str) -> None:
    trip = api.simulator.world.start_trip(car)
    body = await api.body(f"/user/vehicles/{car}/trips/{trip.id}")
    assert {part["avgConsumption"] for part in body["energyConsumptions"]} == {0.0}


async def test_waypoints_lead_from_start_to_stop(api: ApiClient, car: str) -> None:
    trip = next(api.simulator.world.trips(car))
    body = await api.body(f"/user/vehicles/{car}/trips/{trip.id}/wayPoints")
    places = [point["geometry"]["coordinates"] for point in body["_embedded"]["positions"]]
    assert places[0][:2] == [trip.start.longitude, trip.start.latitude]
    assert places[-1][:2] == pytest.approx([trip.stop.longitude, trip.stop.latitude])


async def test_tolerance_reduces_waypoints(api: ApiClient, car: str) -> None:
    trip = next(api.simulator.world.trips(car))
    path = f"/user/vehicles/{car}/trips/{trip.id}/wayPoints"
    assert (await api.body(f"{path}?tolerance=1"))["total"] < (await api.body(path))["total"]


# ---------------------------------------------------------------------- telemetry and warnings


@pytest.mark.unmeasured
async def test_telemetry_samples_every_trip(api: ApiClient, car: str) -> None:
    body = await api.body(f"/user/vehicles/{car}/telemetry?pageSize=2000")
    assert body["total"] == 8 * api.simulator.world.trip_count(car)
    record = body["_embedded"]["telemetries"][0]
    assert {"privacy", "environment", "vehicle", "createdAt", "_links"} <= set(record)
    assert "odometer" in record["vehicle"]


@pytest.mark.parametrize(
    ("types", "top", "vehicle"),
    [
        ("environment", {"environment"}, set()),
        ("privacy", {"privacy"}, set()),
        ("vehicle.battery,vehicle.energies", {"vehicle"}, {"battery", "energies"}),
    ],
)
async def test_telemetry_is_filtered_by_type(
    api: ApiClient, car: str, types: str, top: set[str], vehicle: set[str]
) -> None:
    body = await api.body(f"/user/vehicles/{car}/telemetry?pageSize=1&type={types}")
    (record,) = body["_embedded"]["telemetries"]
    assert set(record) - {"createdAt", "_links"} == top
    assert set(record.get("vehicle", {})) == vehicle


async def test_telemetry_of_a_trip_has_requested_extensions(api: ApiClient, car: str) -> None:
    trip = next(api.simulator.world.trips(car))
    body = await api.body(f"/user/vehicles/{car}/trips/{trip.id}/telemetry?extension=location,maintenance")
    assert set(body["_embedded"]["telemetries"][0]["_embedded"]["extension"]) == {"location", "maintenance"}


async def test_incidents_are_listed_and_found_by_id(api: ApiClient, car: str) -> None:
    for kind, name in (("alerts", "alerts"), ("alarms", "alarms"), ("collisions", "Collisions")):
        items = (await api.body(f"/user/vehicles/{car}/{kind}"))["_embedded"][name]
        for item in items:
            assert await api.body(f"/user/vehicles/{car}/{kind}/{item['id']}") == item


async def test_incidents_of_a_trip_are_listed_and_found_by_id(api: ApiClient, car: str) -> None:
    world = api.simulator.world
    for kind, name, thing in (
        ("alerts", "alerts", world.alerts(car)[0]),
        ("collisions", "Collisions", world.collisions(car)[0]),
    ):
        here = f"/user/vehicles/{car}/trips/{thing.trip}/{kind}"
        (item,) = (await api.body(here))["_embedded"][name]
        assert (item["id"], await api.body(f"{here}/{thing.id}")) == (thing.id, item)


async def test_alert_of_another_trip_is_not_found(api: ApiClient, car: str) -> None:
    first, second = api.simulator.world.alerts(car)[:2]
    response = await api.get(f"/user/vehicles/{car}/trips/{first.trip}/alerts/{second.id}")
    assert (response.status_code, response.json()["code"]) == (404, 40400)


async def test_added_alert_is_active_and_has_no_trip(api: ApiClient, car: str) -> None:
    alert = api.simulator.world.add_alert(car)
    body = await api.body(f"/user/vehicles/{car}/alerts/{alert.id}")
    assert (body["active"], body["_links"]["trips"], "endAt" in body) == (True, [], False)


async def test_incidents_are_filtered_by_time_and_type(api: ApiClient, car: str) -> None:
    alarm = api.simulator.world.alarms(car)[0]
    at = format_instant(alarm.started_at)[:-5]
    for path in (f"alarms?timestamps={at}Z/PT1S", f"alarms?type={alarm.type}"):
        found = (await api.body(f"/user/vehicles/{car}/{path}"))["_embedded"]["alarms"]
        assert found[0]["id"] == alarm.id
    assert (await api.get(f"/user/vehicles/{car}/alarms?type=KeyLearning")).status_code == 404


# ---------------------------------------------------------------------- refusals


async def test_empty_collection_is_404_with_code_40400() -> None:
    noon = datetime(2026, 5, 1, 12, tzinfo=UTC)
    api = ApiClient(Simulator(World(seed=1), clock=lambda: noon))
    car = api.simulator.world.vehicles[0].id
    response = await api.get(f"/user/vehicles/{car}/trips")
    body = response.json()
    assert (response.status_code, body["code"]) == (404, 40400)
    assert set(body) == {"code", "message", "uuid", "timestamp"}
    assert body["timestamp"] == "2026-05-01T12:00:00.000Z"


@pytest.mark.parametrize(
    "path", ["/nothing", "/user/nothing", "/user/vehicles/{car}/x", "/user/vehicles/{car}/trips/{trip}/x"]
)
async def test_unknown_path_is_404(api: ApiClient, car: str, path: str) -> None:
    trip = api.simulator.world.trip_ids(car)[0]
    response = await api.get(path.format(car=car, trip=trip))
    assert (response.status_code, response.json()["code"]) == (404, 40499)


async def test_path_outside_the_api_is_404(api: ApiClient) -> None:
    assert (await api.get("https://api.simulator.test/elsewhere")).status_code == 404


@pytest.mark.parametrize("path", ["/user/vehicles/nothing", "/user/vehicles/{car}/trips/nothing"])
async def test_unknown_id_is_404_with_code_40400(api: ApiClient, car: str, path: str) -> None:
    response = await api.get(path.format(car=car))
    assert (response.status_code, response.json()["code"]) == (404, 40400)


@pytest.mark.parametrize(
    "query",
    [
        "pageSize=0",
        "pageSize=61",
        "pageSize=x",
        "indexRange=a-b",
        "indexRange=9-3",
        "indexRange=1-999999999999999999",
        "timestamps=never",
        "distance=far",
        "duration=long",
        "states=Lost",
        "pageToken=%00",
        "pageToken=AAAA",
    ],
)
async def test_invalid_query_is_400(api: ApiClient, car: str, query: str) -> None:
    response = await api.get(f"/user/vehicles/{car}/trips?{query}")
    assert (response.status_code, response.json()["code"]) == (400, 40000)


async def test_write_methods_are_405(api: ApiClient) -> None:
    assert (await api.get("/user", method="POST")).status_code == 405


# ---------------------------------------------------------------------- who may read


async def test_missing_client_id_is_401(api: ApiClient) -> None:
    response = await api.get("/user", identify=False)
    assert response.status_code == 401
    assert response.json()["moreInformation"] == "Invalid client id or secret."
    assert isinstance(response.json()["httpCode"], str)


async def test_missing_realm_is_403(api: ApiClient) -> None:
    response = await api.get("/user", x_introspect_realm="")
    assert (response.status_code, response.json()["moreInformation"]) == (403, "Not registered to plan")


@pytest.mark.parametrize("authorization", ["", "Bearer nonsense", "Basic Zm9vOmJhcg=="])
async def test_invalid_token_is_401(api: ApiClient, authorization: str) -> None:
    response = await api.get("/user", Authorization=authorization)
    assert response.status_code == 401
    assert response.headers["WWW-Authenticate"] == "Bearer error='invalid_token'"


async def test_token_is_invalid_in_another_brands_realm(api: ApiClient) -> None:
    assert (await api.get("/user", x_introspect_realm="clientsB2CDS")).status_code == 401


async def test_other_realms_of_the_brand_are_accepted(api: ApiClient) -> None:
    assert (await api.get("/user", x_introspect_realm="OTPPeugeot")).status_code == 200


@pytest.mark.unmeasured
@pytest.mark.parametrize(
    ("path", "scope"),
    [
        ("status", "data:telemetry"),
        ("maintenance", "data:telemetry"),
        ("telemetry", "data:telemetry"),
        ("alarms", "data:telemetry"),
        ("lastPosition", "data:position"),
        ("trips", "data:trip"),
        ("alerts", "data:alert"),
        ("collisions", "data:collision"),
        ("trips/{trip}", "data:trip"),
        ("trips/{trip}/wayPoints", "data:position"),
        ("trips/{trip}/telemetry", "data:telemetry"),
        ("trips/{trip}/alerts", "data:alert"),
        ("trips/{trip}/collisions", "data:collision"),
        ("alerts/x", "data:alert"),
    ],
)
async def test_missing_scope_is_forbidden(simulator: Simulator, car: str, path: str, scope: str) -> None:
    api = ApiClient(simulator, scope=tuple(one for one in SCOPES if one != scope))
    trip = simulator.world.trip_ids(car)[0]
    response = await api.get(f"/user/vehicles/{car}/{path.format(trip=trip)}", Accept="*/*")
    assert (response.status_code, response.json()["message"]) == (403, f"The scope {scope} was not granted.")


async def test_positions_need_the_position_scope(simulator: Simulator, car: str) -> None:
    api = ApiClient(simulator, scope=tuple(one for one in SCOPES if one != "data:position"))
    for path in ("status", "trips", "alerts", "alarms", "telemetry?extension=location"):
        response = await api.get(f"/user/vehicles/{car}/{path}")
        assert response.status_code == 200
        assert "coordinates" not in response.text


# ---------------------------------------------------------------------- partners


async def partner_get(api: ApiClient, vin: str) -> httpx.Response:
    simulator = api.simulator
    basic = httpx.BasicAuth(simulator.partner_login, simulator.partner_password)
    url = f"{simulator.partner_url}/vehicles/{vin}?extension=onboardCapabilities&client_id={simulator.client_id}"
    response = await api.transport.handle_async_request(next(basic.auth_flow(httpx.Request("GET", url))))
    await response.aread()
    return response


async def test_partner_reads_capabilities_by_vin(api: ApiClient) -> None:
    for vehicle in api.simulator.world.vehicles[::5]:
        body = (await partner_get(api, vehicle.vin)).json()
        assert (body["vin"], body["motorization"]) == (vehicle.vin, vehicle.motorization)
        assert "data:trip" in body["_embedded"]["extension"]["onboardCapabilities"]["data"]


@pytest.mark.parametrize("vin", ["VF3AAAAAA00000000", "VF3", "VF3AAAAAA99999999"])
async def test_unknown_vin_is_404(api: ApiClient, vin: str) -> None:
    response = await partner_get(api, vin)
    assert (response.status_code, response.json()["code"]) == (404, 40400)


async def test_partner_api_refuses_an_end_users_token(api: ApiClient) -> None:
    vehicle = api.simulator.world.vehicles[0]
    assert (await api.get(f"{api.simulator.partner_url}/vehicles/{vehicle.vin}")).status_code == 401


# ---------------------------------------------------------------------- rate limits


async def test_every_response_has_its_own_transaction_id(api: ApiClient) -> None:
    ids = {(await api.get("/user")).headers["X-Global-Transaction-ID"] for _ in range(5)}
    assert len(ids) == 5


async def test_beyond_the_burst_limit_429_has_retry_after() -> None:
    api = ApiClient(make_simulator(rate_limits=SubscriptionLimits(per_second=2, per_day=50)))
    responses = [await api.get("/user") for _ in range(3)]
    assert [response.status_code for response in responses] == [200, 200, 429]
    refusal = responses[-1]
    assert refusal.headers["Retry-After"] == "1"
    assert (refusal.headers["X-RateLimit-Remaining-1"], refusal.headers["X-RateLimit-Remaining-2"]) == ("48", "0")
    assert refusal.json()["httpCode"] == "429"
    assert api.simulator.remaining == (48, 0)
    assert api.simulator.statistics.refused == 1


async def test_request_is_admitted_after_retry_after() -> None:
    api = ApiClient(make_simulator(rate_limits=SubscriptionLimits(per_second=5, per_day=7), token_lifetime=200_000.0))
    seen: list[int] = []
    for _ in range(9):
        response = await api.get("/user")
        seen.append(response.status_code)
        await anyio.sleep(float(response.headers.get("Retry-After", 0)))
    assert seen == [200] * 5 + [429] + [200] * 2 + [429]
    assert (await api.get("/user")).status_code == 200


@pytest.mark.unmeasured
async def test_concurrent_tasks_are_admitted_up_to_the_limit() -> None:
    api = ApiClient(
        make_simulator(rate_limits=SubscriptionLimits(per_second=20), faults=Faults(latency=Latency(fixed=0.1)))
    )
    async with anyio.create_task_group() as tasks:
        for _ in range(50):
            tasks.start_soon(api.get, "/user")
    assert api.simulator.statistics.by_status == {200: 20, 429: 30}
