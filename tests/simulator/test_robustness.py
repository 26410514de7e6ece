"""Every request gets a response."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stellantis_hal.simulator import Request, Simulator, SubscriptionLimits, World

pytestmark = pytest.mark.unmeasured

SIMULATOR = Simulator(World(seed=3, vehicles=1, trips=70), rate_limits=SubscriptionLimits(10**9, 10**9))
TOKEN = SIMULATOR.token_for("account-0000").access_token
CAR = SIMULATOR.world.vehicles[0].id
TRIP = SIMULATOR.world.trip_ids(CAR)[0]

parts = (
    st.sampled_from(["user", "vehicles", CAR, "trips", TRIP, "alerts", "wayPoints", "telemetry", "status"]) | st.text()
)
places = st.lists(parts, max_size=6).map(lambda found: "/".join(["/connectedcar/v4", *found])) | st.text()
names = st.sampled_from(
    ["indexRange", "pageSize", "pageToken", "timestamps", "type", "extension", "tolerance", "distance", "states"]
)
values = st.text() | st.sampled_from(
    ["0-", "5", "AAAA==%7C60", "R/2024-01-01/P1D", "/2024-01-01", "1-2", "%FF%00", "²"]
)
queries = st.lists(st.tuples(names | st.text(), values).map("=".join), max_size=4).map(
    lambda found: "&".join(["client_id=simulated-client", *found])
)
good = {"authorization": f"Bearer {TOKEN}", "x-introspect-realm": "clientsB2CPeugeot", "accept": "*/*"}
fields = st.just(good) | st.dictionaries(st.sampled_from(["authorization", "x-introspect-realm"]), st.text())


@given(st.sampled_from(["GET", "HEAD", "POST"]), places, queries, fields)
def test_api_requests_never_raise(method: str, path: str, query: str, headers: dict[str, str]) -> None:
    response = SIMULATOR.respond(Request(method=method, path=path, query=query, headers=headers))
    assert response.status < 500
    assert isinstance(json.loads(response.body), dict)


@given(
    st.sampled_from(["authorize", "access_token", "token/revoke", ""]),
    st.sampled_from(["GET", "POST"]),
    queries,
    st.binary(),
    st.text(),
)
def test_identity_requests_never_raise(address: str, method: str, query: str, body: bytes, authorization: str) -> None:
    headers = {"authorization": authorization}
    request = Request(method=method, path=f"/am/oauth2/{address}", query=query, body=body, headers=headers)
    assert SIMULATOR.respond(request).status < 500


@given(st.binary())
def test_posted_bodies_never_raise(body: bytes) -> None:
    headers = {"authorization": "Basic c2ltdWxhdGVkLWNsaWVudDpzaW11bGF0ZWQtc2VjcmV0"}
    request = Request(method="POST", path="/am/oauth2/access_token", body=body, headers=headers)
    assert SIMULATOR.respond(request).status == 400
