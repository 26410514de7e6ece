"""Callbacks and monitors against the vendor's OpenAPI files.

Prism judges each body that the client sends (422 for one off the specification), for account holders and for fleet
owners; hypothesis makes bodies of the schemas of callbacks and monitors, which have to be read.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager
from datetime import UTC, datetime, time, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from stellantis_hal import (
    Application,
    AttributePlacement,
    Batch,
    Brand,
    Callback,
    CallbackAttribute,
    DataItem,
    DeliveryRetry,
    Electric,
    Expression,
    Fleet,
    FleetOwnerClient,
    Monitor,
    MonitorSpec,
    Partner,
    PushDevices,
    StellantisClient,
    StellantisError,
    Stolen,
    Token,
    Vehicle,
    Webhook,
    data,
    times,
    zone,
)
from stellantis_hal.navigation.context import ResourceContext
from stellantis_hal.navigation.entry_point import EntryPoint
from stellantis_hal.navigation.resource import HalResource
from stellantis_hal.resources.control.data_items import facts_of
from stellantis_hal.resources.control.json_writes import send_json
from stellantis_hal.resources.control.monitor import monitor_body
from stellantis_hal.structuring.converter import read
from tests.conformance.processes import fleet_specification, free_port, prism, running, specification
from tests.conformance.test_specification_bodies import bodies_of
from tests.resources.derive_facts import load
from tests.resources.served import Served
from tests.support.responses import make_response

HEADER = CallbackAttribute(part=AttributePlacement.HEADER, key="x-of", value="$callbackLabel")
HOOK = Webhook("https://hooks.example.org/st/k3Jx0v", token="s3cr3t", attributes=[HEADER])
HOME = zone("home", 48.8667, 2.3333, km=1)
NIGHT = times(
    "night", daily=time(22), lasting=timedelta(hours=8), days="Mon-Fri", weeks="w1,w6-w9", zone="Europe/London"
)
ONCE = times("once_1", start=datetime(2026, 1, 1, tzinfo=UTC), zone="America/Santiago").also(
    start=datetime(2026, 1, 1, tzinfo=UTC), lasting=timedelta(minutes=90)
)


def of_item(item: DataItem) -> Expression:
    """Return the conditions of an item by every operator that it takes, joined."""
    facts = facts_of(item)
    assert facts is not None
    value: Any = {"number": 20.5, "boolean": True, "text": "Normal"}[facts.type]
    conditions: dict[str, Callable[[Any], Expression]] = {
        "onChange": lambda found: found.changes(),
        "equalsTo": lambda found: found.equals(value),
        "greaterThan": lambda found: found > value,
        "lowerThan": lambda found: found < value,
        "includedIn": lambda found: found.is_in(value, value),
    }
    joined: Expression = HOME.exits
    for number, operator in enumerate(sorted(facts.operators), 1):
        joined |= conditions[operator](data(f"d{number}", item))
    return joined


CONDITIONS: list[Expression] = [
    HOME.exits & ((data("low", Electric.LEVEL) < 20) | ~NIGHT),
    HOME.enters,
    ONCE & ~NIGHT,
]
OF_HOLDERS = [of_item(item) for item in DataItem if (facts := facts_of(item)) is not None and facts.for_holders]
OF_FLEETS = [of_item(item) for item in DataItem if (facts := facts_of(item)) is not None and facts.for_fleets]
WITH_PREVIOUS: list[Expression] = [
    data("p", DataItem.CHARGING_STATUS, previous=("InProgress", "Stopped")).equals("Finished"),
    data("p", DataItem.MOVING, previous=False).equals(True),
]


@contextmanager
def mock_of(path: str) -> Generator[str]:
    port = free_port()
    with running([prism(), "mock", "-h", "127.0.0.1", "-p", str(port), path], port) as address:
        yield address


@pytest.fixture(scope="module")
def vendor() -> Generator[str]:
    with mock_of(specification()) as address:
        yield address


@pytest.fixture(scope="module")
def fleet_vendor() -> Generator[str]:
    with mock_of(fleet_specification()) as address:
        yield address


def resource_at(entry: EntryPoint, url: str) -> HalResource:
    """Return a resource as if it had been read; the links of the mock's own bodies are placeholders."""
    body = {"id": "7", "_links": {"self": {"href": url}, "user": {"href": url.partition("/vehicles/")[0]}}}
    return entry.resume(HalResource.of(make_response(body, url=url), ResourceContext(fetch=Served({}))))


@pytest.mark.anyio
@pytest.mark.wall_clock
async def test_every_body_of_an_account_is_accepted(vendor: str) -> None:
    async with StellantisClient(Application("my-client-id"), base_url=vendor) as client:
        account = client.account(Token("my-token"), brand=Brand.PEUGEOT)
        for target in (HOOK, PushDevices(["device"])):
            for types in (None, "Monitor", ("Monitor", "Remote")):
                assert (await account.callbacks.create(target, label="garage", types=types)).id
        vehicle = resource_at(account, f"{vendor}/user/vehicles/7").as_(Vehicle)
        monitors = vehicle.monitors("a1b2")
        attribute = CallbackAttribute(part=AttributePlacement.BODY, key="of", value="$monitorLabel")
        include = ("status", "position", "alerts", "telemetry.vehicle.battery", "alarm", "trip", "doorsState")
        made = None
        for when in (*CONDITIONS, *OF_HOLDERS, *WITH_PREVIOUS):
            made = await monitors.create("x", when=when, include=include, refresh=60, attributes=[attribute])
            assert made.id
        made = await monitors.create("x", when=CONDITIONS[0])
        address = f"{vendor}/user/vehicles/7/callbacks/a1b2/monitors/m1"
        for body in ({"status": "Paused"}, {"status": "Running"}):
            await send_json(vehicle.require_resource(), "PUT", f"{address}/status", body)
            await send_json(vehicle.require_resource(), "PUT", f"{vendor}/user/callbacks/c1/status", body)
        await send_json(vehicle.require_resource(), "PUT", address, monitor_body(MonitorSpec(label="x", when=ONCE)))
        await send_json(vehicle.require_resource(), "DELETE", address)
        assert [each async for each in account.callbacks(types="Monitor", page_size=5)]
        assert isinstance([each async for each in monitors], list)


@pytest.mark.anyio
@pytest.mark.wall_clock
async def test_every_body_of_a_fleet_owner_is_accepted(fleet_vendor: str) -> None:
    partner = Partner("my-client-id", login="MZP123456", password="secret")
    async with FleetOwnerClient(partner, base_url=fleet_vendor) as client:
        fleet = resource_at(client, f"{fleet_vendor}/fleets/9").as_(Fleet)
        batch = Batch(10, within=60)
        for retry in (None, DeliveryRetry.none(), DeliveryRetry.bounded(3, every=10)):
            made = await fleet.callbacks.create(HOOK, label="x", actions=("Doors", "Stolen"), retry=retry, batch=batch)
            assert made.id
        include = ("status", "collisions", "stolen", "telemetry")
        for when in (*CONDITIONS, *OF_FLEETS, data("s", Stolen.STATE).changes()):
            assert (await fleet.monitors.create("x", when=when, deliver=HOOK, include=include, refresh=60)).id
        always = DeliveryRetry.always(every=60)
        assert (await fleet.monitors.create("x", when=HOME.exits, deliver=HOOK, retry=always, batch=batch)).id


def wrong_bodies() -> list[dict[str, Any]]:
    """Return bodies off the specification in one place each."""
    trigger = {"name": "low", "data": {"data": "vehicle.autonomy", "op": "lowerThan"}}
    unknown = {"name": "x", "data": {"data": "none", "op": "equalsTo"}}
    whole = {"label": "x", "triggerParam": {"triggers": [trigger], "boolExp": "low"}}
    delivered = {**whole, "subscribeParam": {"callback": {"webhook": {"name": "x", "target": "https://a.example.org"}}}}
    triggers = ([trigger] * 6, [{**trigger, "name": "lo-w_1"}], [unknown])
    return [
        {**delivered, "label": 5},
        {key: value for key, value in delivered.items() if key != "label"},
        *({**delivered, "triggerParam": {"triggers": each, "boolExp": "low"}} for each in triggers),
        {**delivered, "subscribeParam": {"refreshEvent": 59}},
        {**delivered, "extendedEventParam": ["environment.air.temp"]},
    ]


@pytest.mark.anyio
@pytest.mark.wall_clock
@pytest.mark.parametrize("body", wrong_bodies())
async def test_bodies_off_the_specification_are_refused(vendor: str, fleet_vendor: str, body: Any) -> None:
    """Without this, a mock that judges nothing would pass the tests above."""
    async with StellantisClient(Application("my-client-id"), base_url=vendor) as client:
        account = client.account(Token("my-token"), brand=Brand.PEUGEOT)
        with pytest.raises(StellantisError, match="422"):
            await account.request("POST", f"{vendor}/user/vehicles/7/callbacks/a1/monitors", json=body)
        with pytest.raises(StellantisError, match="422"):
            await account.request("POST", f"{vendor}/user/callbacks", json={"label": "x", "type": ["Monitors"]})
    partner = Partner("my-client-id", login="MZP123456", password="secret")
    async with FleetOwnerClient(partner, base_url=fleet_vendor) as owner:
        with pytest.raises(StellantisError, match="422"):
            await owner.request("POST", f"{fleet_vendor}/fleets/9/monitors", json=body)
        with pytest.raises(StellantisError, match="422"):
            await owner.request("POST", f"{fleet_vendor}/fleets/9/remote/callbacks", json={"label": "x"})


# ------------------------------------------------------------------------------------------------- reading

PLACEHOLDERS = (
    "not an instant",
    "not an ISO 8601 duration",
    "not an expression",
    "not a time of day",
    "an expression over a trigger",
    "without zone, data and time",
    "within w1 to w52",
    "named as w1",
    "not an object",
    "not a string",
    "not an array",
    "not a number",
    "an instant",
    "a duration too long",
    "years and months",
)
"""Values that the schemas allow and that mean nothing: any text for an expression or an instant, missing parts."""


@pytest.mark.parametrize(
    ("find", "schema", "kind"),
    [
        (specification, "UserCallback", Callback),
        (specification, "MonitorRef", Monitor),
        (fleet_specification, "MonitorRef", Monitor),
        (fleet_specification, "RemoteCallback", Callback),
    ],
)
def test_bodies_made_from_a_schema_are_read(
    find: Callable[[], str], schema: str, kind: type[Callback | Monitor]
) -> None:
    document = load(find())
    if schema not in document["components"]["schemas"]:
        schema = next(name for name in document["components"]["schemas"] if name.lower() == schema.lower())

    @settings(
        max_examples=10,
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
    )
    @given(bodies_of(document, schema))
    def check(body: Any) -> None:
        value = read(body, kind)
        unreadable = [each for each in value.problems if each.kind == "unreadable"]
        assert [each for each in unreadable if not any(text in each.reason for text in PLACEHOLDERS)] == []
        assert (value.id, value.status) == (body.get("id", body.get("monitorId")), body.get("status"))
        repr(value)
        value.to_dict()

    check()
