"""What the API's addresses answer, read by hand over the in-process transport."""

from datetime import UTC, datetime, timedelta
from typing import Any

import anyio
import httpx
import pytest

from stellantis_hal.simulator import SCOPES, BackendVariant, Faults, Latency, Simulator, Subscription, World
from stellantis_hal.simulator.api.messages import format_instant
from tests.simulator.reader import Reader, a_car

pytestmark = pytest.mark.anyio


def simulated(**options: Any) -> Simulator:
    return Simulator(World(seed=11, accounts=3, vehicles=18, trips=1500), **options)


@pytest.fixture
def simulator() -> Simulator:
    return simulated()


@pytest.fixture
def reader(simulator: Simulator) -> Reader:
    return Reader(simulator)


@pytest.fixture
def car(simulator: Simulator) -> str:
    return a_car(simulator, trips=65, collisions=1, alerts=2, alarms=1)


# ---------------------------------------------------------------------- people and cars


async def test_the_entry_names_the_user_and_embeds_the_vehicles(reader: Reader) -> None:
    body = await reader.body("/user")
    assert body["email"] == reader.account.email
    assert [car["id"] for car in body["_embedded"]["Vehicles"]] == await reader.ids("/user/vehicles", "vehicles")
    assert body["_links"]["vehicles"]["href"] == f"{reader.simulator.url}/user/vehicles"


async def test_every_vehicle_of_the_account_is_listed(reader: Reader) -> None:
    owned = reader.simulator.world.vehicles_of(reader.account.key)
    assert await reader.ids("/user/vehicles", "vehicles") == [car.id for car in owned]


async def test_a_vehicle_links_to_what_it_supports(reader: Reader) -> None:
    names = {"self", "user", "lastPosition", "trips", "maintenance", "alerts", "status", "telemetry"}
    names |= {"collisions", "alarms"}
    for car in reader.simulator.world.vehicles_of(reader.account.key):
        links = (await reader.body(f"/user/vehicles/{car.id}"))["_links"]
        assert set(links) == (names if car.has_maintenance else names - {"maintenance"})
        for name, link in links.items():
            expected = {200, 404} if name in {"alerts", "collisions", "alarms"} else {200}
            assert (await reader.get(link["href"], Accept="*/*")).status_code in expected


async def test_extensions_come_when_asked_for(reader: Reader, car: str) -> None:
    plain = await reader.body(f"/user/vehicles/{car}")
    assert "_embedded" not in plain
    body = await reader.body(f"/user/vehicles/{car}?extension=onboardCapabilities,branding&extension=pictures")
    extension = body["_embedded"]["extension"]
    assert "data:trip" in extension["onboardCapabilities"]["data"]
    assert extension["branding"] == {"brand": body["brand"], "label": body["label"]}
    assert all(url.startswith("https://pictures.simulator.test/") for url in extension["pictures"])


async def test_vehicles_are_found_by_the_beginning_of_their_vin(reader: Reader) -> None:
    wanted = reader.simulator.world.vehicles_of(reader.account.key)[1]
    assert await reader.ids(f"/user/vehicles?vinPrefix={wanted.vin}", "vehicles") == [wanted.id]


async def test_somebody_elses_vehicle_is_forbidden(reader: Reader) -> None:
    other = reader.simulator.world.vehicles_of("account-0001")[0]
    response = await reader.get(f"/user/vehicles/{other.id}")
    assert (response.status_code, response.json()["code"]) == (403, 40300)


# ---------------------------------------------------------------------- a car's present


async def test_the_status_follows_the_last_trip(reader: Reader, car: str) -> None:
    world = reader.simulator.world
    world.add_trip(car, km=31.0)
    body = await reader.body(f"/user/vehicles/{car}/status")
    assert body["odometer"]["mileage"] == world.mileage(car)
    assert [energy["level"] for energy in body["energies"]] == [energy.level for energy in world.levels(car)]
    assert body["lastPosition"]["geometry"]["coordinates"][:2] == [world.spot(car).longitude, world.spot(car).latitude]
    assert body["createdAt"] == format_instant(world.vehicle_state(car).at)


async def test_a_moving_car_says_so(reader: Reader, car: str) -> None:
    reader.simulator.world.start_trip(car)
    body = await reader.body(f"/user/vehicles/{car}/status")
    assert (body["kinetic"]["moving"], body["ignition"]["type"]) == (True, "Start")
    assert (
        "stoppedAt"
        not in (await reader.body(f"/user/vehicles/{car}/trips?states=Unfinished"))["_embedded"]["trips"][-1]
    )


@pytest.mark.parametrize("number", range(6))
async def test_every_motorization_has_a_status(reader: Reader, number: int) -> None:
    vehicle = reader.simulator.world.vehicles_of(reader.account.key)[number]
    body = await reader.body(f"/user/vehicles/{vehicle.id}/status")
    assert [energy["type"] for energy in body["energies"]] == list(vehicle.energies)
    known = vehicle.motorization in {"Electric", "Hybrid"}
    assert body["service"]["type"] == (vehicle.motorization if known else "Unknown")


async def test_blocks_of_the_status_can_be_replaced_and_taken_away(reader: Reader, car: str) -> None:
    reader.simulator.world.update_status(car, battery={"voltage": 12.0}, safety=None, energy=[{"type": "Fuel"}])
    body = await reader.body(f"/user/vehicles/{car}/status")
    assert body["battery"] == {"voltage": 12.0}
    assert body["energy"] == [{"type": "Fuel"}]
    assert "safety" not in body


async def test_a_hidden_status_is_no_data(reader: Reader, car: str) -> None:
    reader.simulator.world.hide_status(car)
    response = await reader.get(f"/user/vehicles/{car}/status")
    assert (response.status_code, response.json()["code"]) == (404, 40400)


async def test_the_status_can_be_a_collection_of_one_entry_pages() -> None:
    reader = Reader(simulated(variant=BackendVariant(wraps_status=True)))
    car = a_car(reader.simulator, trips=3)
    body = await reader.body(f"/user/vehicles/{car}/status")
    assert (body["total"], body["totalPage"]) == (reader.simulator.world.trip_count(car),) * 2
    (newest,) = body["_embedded"]["Status"]
    older = await reader.body(body["_links"]["next"]["href"])
    assert newest["odometer"]["mileage"] == reader.simulator.world.mileage(car)
    assert older["_embedded"]["Status"][0]["createdAt"] < newest["createdAt"]


async def test_the_last_position_is_geojson(reader: Reader, car: str) -> None:
    response = await reader.get(f"/user/vehicles/{car}/lastPosition", Accept="application/vnd.geo+json")
    assert response.headers["Content-Type"] == "application/vnd.geo+json"
    assert response.json()["type"] == "Feature"


async def test_the_last_position_is_not_acceptable_as_hal(reader: Reader, car: str) -> None:
    assert (await reader.get(f"/user/vehicles/{car}/lastPosition")).status_code == 406


async def test_maintenance_counts_down_from_the_odometer(reader: Reader) -> None:
    vehicle = next(car for car in reader.simulator.world.vehicles_of(reader.account.key) if car.has_maintenance)
    body = await reader.body(f"/user/vehicles/{vehicle.id}/maintenance")
    mileage = reader.simulator.world.mileage(vehicle.id)
    assert body["mileageBeforeMaintenance"] == pytest.approx(20_000 - mileage % 20_000)


async def test_a_car_without_maintenance_has_no_data() -> None:
    reader = Reader(Simulator(World(seed=1, vehicles=60)))
    vehicle = next(car for car in reader.simulator.world.vehicles if not car.has_maintenance)
    response = await reader.get(f"/user/vehicles/{vehicle.id}/maintenance")
    assert (response.status_code, response.json()["code"]) == (404, 40400)


# ---------------------------------------------------------------------- trips


async def test_a_walk_by_next_meets_every_trip_once_the_oldest_first(reader: Reader, car: str) -> None:
    found = await reader.ids(f"/user/vehicles/{car}/trips?pageSize=17", "trips")
    assert found == reader.simulator.world.trip_ids(car)


async def test_trips_come_newest_first_where_the_back_end_does_so() -> None:
    reader = Reader(simulated(variant=BackendVariant(newest_first=True)))
    car = a_car(reader.simulator, trips=65)
    assert await reader.ids(f"/user/vehicles/{car}/trips", "trips") == reader.simulator.world.trip_ids(car)[::-1]


async def test_newest_first_a_trip_that_arrives_during_a_walk_pushes_the_others_back() -> None:
    reader = Reader(simulated(variant=BackendVariant(newest_first=True)))
    car = a_car(reader.simulator, trips=65)
    first = await reader.body(f"/user/vehicles/{car}/trips?pageSize=5")
    reader.simulator.world.add_trip(car)
    second = await reader.body(first["_links"]["next"]["href"])
    assert second["_embedded"]["trips"][0]["id"] == first["_embedded"]["trips"][-1]["id"]


async def test_a_trip_is_worded_in_the_vendors_units(reader: Reader, car: str) -> None:
    trip = next(reader.simulator.world.trips(car))
    body = await reader.body(f"/user/vehicles/{car}/trips/{trip.id}")
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
async def test_a_trip_has_the_segments_of_its_motorization(motorization: str, propulsions: list[str]) -> None:
    reader = Reader(Simulator(World(seed=1, vehicles=30, trips=900)))
    vehicle = next(car for car in reader.simulator.world.vehicles if car.motorization == motorization)
    trip = (await reader.body(f"/user/vehicles/{vehicle.id}/trips"))["_embedded"]["trips"][0]
    assert [segment["propulsion"] for segment in trip["segments"]] == propulsions
    assert [energy["type"] for energy in trip["startEnergies"]] == list(vehicle.energies)


async def test_a_page_of_60_trips_weighs_what_the_vendors_do(reader: Reader, car: str) -> None:
    response = await reader.get(f"/user/vehicles/{car}/trips")
    assert 90_000 < len(response.content) < 180_000


async def test_an_interval_of_time_selects_the_trips_that_start_in_it(reader: Reader, car: str) -> None:
    trips = list(reader.simulator.world.trips(car))
    since, until = trips[3].started_at, trips[9].started_at
    found = await reader.ids(
        f"/user/vehicles/{car}/trips?timestamps={format_instant(since)[:-5]}Z/{format_instant(until)}", "trips"
    )
    assert found == [trip.id for trip in trips[3:10]]


async def test_several_intervals_select_the_trips_of_each(reader: Reader, car: str) -> None:
    trips = list(reader.simulator.world.trips(car))
    one, other = format_instant(trips[1].started_at)[:-5], format_instant(trips[8].started_at)[:-5]
    place = f"/user/vehicles/{car}/trips?timestamps={one}Z/PT1S&timestamps={other}Z/PT1S"
    assert await reader.ids(place, "trips") == [trips[1].id, trips[8].id]


async def test_distance_duration_and_state_select_trips(reader: Reader, car: str) -> None:
    world = reader.simulator.world
    trips = list(world.trips(car))
    place = f"/user/vehicles/{car}/trips?distance=5-12.5&duration=300-&states=Nominal,DataLacking"
    assert await reader.ids(place, "trips") == [
        trip.id for trip in trips if 5 <= trip.distance <= 12.5 and trip.duration >= timedelta(seconds=300)
    ]


async def test_an_added_trip_shows_at_the_end(reader: Reader, car: str) -> None:
    trip = reader.simulator.world.add_trip(car)
    last = (await reader.body(f"/user/vehicles/{car}/trips"))["_links"]["last"]["href"]
    assert (await reader.body(last))["_embedded"]["trips"][-1]["id"] == trip.id


async def test_a_trip_not_driven_yet_has_consumed_nothing(reader: Reader, car: str) -> None:
    trip = reader.simulator.world.start_trip(car)
    body = await reader.body(f"/user/vehicles/{car}/trips/{trip.id}")
    assert {part["avgConsumption"] for part in body["energyConsumptions"]} == {0.0}


async def test_waypoints_lead_from_start_to_stop(reader: Reader, car: str) -> None:
    trip = next(reader.simulator.world.trips(car))
    body = await reader.body(f"/user/vehicles/{car}/trips/{trip.id}/wayPoints")
    places = [point["geometry"]["coordinates"] for point in body["_embedded"]["positions"]]
    assert places[0][:2] == [trip.start.longitude, trip.start.latitude]
    assert places[-1][:2] == pytest.approx([trip.stop.longitude, trip.stop.latitude])


async def test_a_tolerance_thins_waypoints_out(reader: Reader, car: str) -> None:
    trip = next(reader.simulator.world.trips(car))
    place = f"/user/vehicles/{car}/trips/{trip.id}/wayPoints"
    assert (await reader.body(f"{place}?tolerance=1"))["total"] < (await reader.body(place))["total"]


# ---------------------------------------------------------------------- telemetry and warnings


async def test_telemetry_samples_every_trip(reader: Reader, car: str) -> None:
    body = await reader.body(f"/user/vehicles/{car}/telemetry?pageSize=2000")
    assert body["total"] == 8 * reader.simulator.world.trip_count(car)
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
async def test_telemetry_is_narrowed_by_type(
    reader: Reader, car: str, types: str, top: set[str], vehicle: set[str]
) -> None:
    body = await reader.body(f"/user/vehicles/{car}/telemetry?pageSize=1&type={types}")
    (record,) = body["_embedded"]["telemetries"]
    assert set(record) - {"createdAt", "_links"} == top
    assert set(record.get("vehicle", {})) == vehicle


async def test_telemetry_of_a_trip_carries_extensions_asked_for(reader: Reader, car: str) -> None:
    trip = next(reader.simulator.world.trips(car))
    body = await reader.body(f"/user/vehicles/{car}/trips/{trip.id}/telemetry?extension=location,maintenance")
    assert set(body["_embedded"]["telemetries"][0]["_embedded"]["extension"]) == {"location", "maintenance"}


async def test_warnings_are_listed_and_found_by_id(reader: Reader, car: str) -> None:
    for kind, name in (("alerts", "alerts"), ("alarms", "alarms"), ("collisions", "Collisions")):
        items = (await reader.body(f"/user/vehicles/{car}/{kind}"))["_embedded"][name]
        for item in items:
            assert await reader.body(f"/user/vehicles/{car}/{kind}/{item['id']}") == item


async def test_warnings_of_a_trip_are_listed_and_found_by_id(reader: Reader, car: str) -> None:
    world = reader.simulator.world
    for kind, name, thing in (
        ("alerts", "alerts", world.alerts(car)[0]),
        ("collisions", "Collisions", world.collisions(car)[0]),
    ):
        here = f"/user/vehicles/{car}/trips/{thing.trip}/{kind}"
        (item,) = (await reader.body(here))["_embedded"][name]
        assert (item["id"], await reader.body(f"{here}/{thing.id}")) == (thing.id, item)


async def test_an_alert_of_another_trip_is_not_found(reader: Reader, car: str) -> None:
    first, second = reader.simulator.world.alerts(car)[:2]
    response = await reader.get(f"/user/vehicles/{car}/trips/{first.trip}/alerts/{second.id}")
    assert (response.status_code, response.json()["code"]) == (404, 40400)


async def test_a_raised_alert_is_active_and_of_no_trip(reader: Reader, car: str) -> None:
    alert = reader.simulator.world.add_alert(car)
    body = await reader.body(f"/user/vehicles/{car}/alerts/{alert.id}")
    assert (body["active"], body["_links"]["trips"], "endAt" in body) == (True, [], False)


async def test_warnings_are_selected_by_time_and_type(reader: Reader, car: str) -> None:
    alarm = reader.simulator.world.alarms(car)[0]
    at = format_instant(alarm.started_at)[:-5]
    for place in (f"alarms?timestamps={at}Z/PT1S", f"alarms?type={alarm.type}"):
        found = (await reader.body(f"/user/vehicles/{car}/{place}"))["_embedded"]["alarms"]
        assert found[0]["id"] == alarm.id
    assert (await reader.get(f"/user/vehicles/{car}/alarms?type=KeyLearning")).status_code == 404


# ---------------------------------------------------------------------- refusals


async def test_an_empty_collection_is_a_404_with_code_40400() -> None:
    noon = datetime(2026, 5, 1, 12, tzinfo=UTC)
    reader = Reader(Simulator(World(seed=1), clock=lambda: noon))
    car = reader.simulator.world.vehicles[0].id
    response = await reader.get(f"/user/vehicles/{car}/trips")
    body = response.json()
    assert (response.status_code, body["code"]) == (404, 40400)
    assert set(body) == {"code", "message", "uuid", "timestamp"}
    assert body["timestamp"] == "2026-05-01T12:00:00.000Z"


@pytest.mark.parametrize(
    "place", ["/nothing", "/user/nothing", "/user/vehicles/{car}/x", "/user/vehicles/{car}/trips/{trip}/x"]
)
async def test_an_address_that_does_not_exist_is_a_404(reader: Reader, car: str, place: str) -> None:
    trip = reader.simulator.world.trip_ids(car)[0]
    response = await reader.get(place.format(car=car, trip=trip))
    assert (response.status_code, response.json()["code"]) == (404, 40499)


async def test_an_address_outside_the_api_is_a_404(reader: Reader) -> None:
    assert (await reader.get("https://api.simulator.test/elsewhere")).status_code == 404


@pytest.mark.parametrize("place", ["/user/vehicles/nothing", "/user/vehicles/{car}/trips/nothing"])
async def test_an_unknown_id_is_a_404_with_code_40400(reader: Reader, car: str, place: str) -> None:
    response = await reader.get(place.format(car=car))
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
async def test_a_query_that_cannot_be_read_is_a_400(reader: Reader, car: str, query: str) -> None:
    response = await reader.get(f"/user/vehicles/{car}/trips?{query}")
    assert (response.status_code, response.json()["code"]) == (400, 40000)


async def test_only_reading_is_served(reader: Reader) -> None:
    assert (await reader.get("/user", method="POST")).status_code == 405


# ---------------------------------------------------------------------- who may read


async def test_without_a_client_id_the_gateway_refuses(reader: Reader) -> None:
    response = await reader.get("/user", identify=False)
    assert response.status_code == 401
    assert response.json()["moreInformation"] == "Invalid client id or secret."
    assert isinstance(response.json()["httpCode"], str)


async def test_without_a_realm_the_gateway_refuses(reader: Reader) -> None:
    response = await reader.get("/user", x_introspect_realm="")
    assert (response.status_code, response.json()["moreInformation"]) == (403, "Not registered to plan")


@pytest.mark.parametrize("authorization", ["", "Bearer nonsense", "Basic Zm9vOmJhcg=="])
async def test_without_a_good_token_the_gateway_refuses(reader: Reader, authorization: str) -> None:
    response = await reader.get("/user", Authorization=authorization)
    assert response.status_code == 401
    assert response.headers["WWW-Authenticate"] == "Bearer error='invalid_token'"


async def test_a_token_is_not_good_in_another_brands_realm(reader: Reader) -> None:
    assert (await reader.get("/user", x_introspect_realm="clientsB2CDS")).status_code == 401


async def test_a_brands_other_realms_are_good_too(reader: Reader) -> None:
    assert (await reader.get("/user", x_introspect_realm="OTPPeugeot")).status_code == 200


@pytest.mark.parametrize(
    ("place", "scope"),
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
async def test_a_missing_scope_is_forbidden(simulator: Simulator, car: str, place: str, scope: str) -> None:
    reader = Reader(simulator, scope=tuple(one for one in SCOPES if one != scope))
    trip = simulator.world.trip_ids(car)[0]
    response = await reader.get(f"/user/vehicles/{car}/{place.format(trip=trip)}", Accept="*/*")
    assert (response.status_code, response.json()["message"]) == (403, f"The scope {scope} was not granted.")


async def test_without_the_position_scope_positions_are_left_out(simulator: Simulator, car: str) -> None:
    reader = Reader(simulator, scope=tuple(one for one in SCOPES if one != "data:position"))
    for place in ("status", "trips", "alerts", "alarms", "telemetry?extension=location"):
        response = await reader.get(f"/user/vehicles/{car}/{place}")
        assert response.status_code == 200
        assert "coordinates" not in response.text


# ---------------------------------------------------------------------- partners


async def asked_by_a_partner(reader: Reader, vin: str) -> httpx.Response:
    simulator = reader.simulator
    basic = httpx.BasicAuth(simulator.client_id, simulator.client_secret)
    url = f"{simulator.partner_url}/vehicles/{vin}?extension=onboardCapabilities&client_id={simulator.client_id}"
    response = await reader.transport.handle_async_request(next(basic.auth_flow(httpx.Request("GET", url))))
    await response.aread()
    return response


async def test_a_partner_learns_what_a_car_can_do(reader: Reader) -> None:
    for vehicle in reader.simulator.world.vehicles[::5]:
        body = (await asked_by_a_partner(reader, vehicle.vin)).json()
        assert (body["vin"], body["motorization"]) == (vehicle.vin, vehicle.motorization)
        assert "data:trip" in body["_embedded"]["extension"]["onboardCapabilities"]["data"]


@pytest.mark.parametrize("vin", ["VF3AAAAAA00000000", "VF3", "VF3AAAAAA99999999"])
async def test_an_unknown_vin_is_a_404(reader: Reader, vin: str) -> None:
    response = await asked_by_a_partner(reader, vin)
    assert (response.status_code, response.json()["code"]) == (404, 40400)


async def test_an_end_users_token_does_not_make_a_partner(reader: Reader) -> None:
    vehicle = reader.simulator.world.vehicles[0]
    assert (await reader.get(f"{reader.simulator.partner_url}/vehicles/{vehicle.vin}")).status_code == 401


# ---------------------------------------------------------------------- rate limits


async def test_every_answer_carries_a_transaction_id_of_its_own(reader: Reader) -> None:
    ids = {(await reader.get("/user")).headers["X-Global-Transaction-ID"] for _ in range(5)}
    assert len(ids) == 5


async def test_beyond_the_burst_limit_the_gateway_says_when_to_come_back() -> None:
    reader = Reader(simulated(rate_limits=Subscription(per_second=2, per_day=50)))
    answers = [await reader.get("/user") for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    refusal = answers[-1]
    assert refusal.headers["Retry-After"] == "1"
    assert (refusal.headers["X-RateLimit-Remaining-1"], refusal.headers["X-RateLimit-Remaining-2"]) == ("48", "0")
    assert refusal.json()["httpCode"] == "429"
    assert reader.simulator.remaining == (48, 0)
    assert reader.simulator.statistics.refused == 1


async def test_after_the_wait_it_named_the_gateway_admits_again() -> None:
    reader = Reader(simulated(rate_limits=Subscription(per_second=5, per_day=7), token_lifetime=200_000.0))
    seen: list[int] = []
    for _ in range(9):
        answer = await reader.get("/user")
        seen.append(answer.status_code)
        await anyio.sleep(float(answer.headers.get("Retry-After", 0)))
    assert seen == [200] * 5 + [429] + [200] * 2 + [429]
    assert (await reader.get("/user")).status_code == 200


async def test_tasks_that_rush_are_admitted_up_to_the_limit() -> None:
    reader = Reader(simulated(rate_limits=Subscription(per_second=20), faults=Faults(latency=Latency(fixed=0.1))))
    async with anyio.create_task_group() as tasks:
        for _ in range(50):
            tasks.start_soon(reader.get, "/user")
    assert reader.simulator.statistics.by_status == {200: 20, 429: 30}
