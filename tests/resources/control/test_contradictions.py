"""Contradictions of the vendor's files about callbacks and monitors, each with the reading that was chosen.

The numbers are those of the list of contradictions that the facts about the API keep.
"""

from typing import Any

import pytest

from stellantis_hal import (
    Batch,
    Callback,
    DataItem,
    DeliveryRetry,
    Electric,
    Monitor,
    MonitorSpec,
    MonitorStatus,
    Webhook,
    data,
    times,
    zone,
)
from stellantis_hal.resources.control.callback import callback_body, fleet_callback_body
from stellantis_hal.resources.control.conditions import read_condition
from stellantis_hal.resources.control.data_triggers import DataTrigger
from stellantis_hal.resources.control.monitor import extensions, monitor_body
from stellantis_hal.resources.control.time_triggers import TimeTrigger
from stellantis_hal.resources.control.zone_triggers import ZoneTrigger
from stellantis_hal.simulator import Simulator
from stellantis_hal.structuring.converter import read
from tests.resources.control.vendors import Vendor, connected
from tests.support.simulated import account_of, client_of, world

HOOK = Webhook("https://hooks.example.org/st/k3Jx0v", token="s3cr3t")
LOW = data("low", Electric.LEVEL) < 20


def condition_of(*triggers: dict[str, Any], expression: str, key: str = "boolExp") -> tuple[Any, list[str]]:
    problems: list[Any] = []
    found = read_condition({"triggers": list(triggers), key: expression}, "", problems)
    return found, [path for path, *_ in problems]


def subscription(**targets: Any) -> dict[str, Any]:
    return {"id": "1", "status": "Running", "subscribe": {"label": "x", "callback": targets}}


def test_1_one_target_is_sent_and_any_are_read() -> None:
    assert list(callback_body(HOOK, label="x", types=())["callback"]) == ["webhook"]
    both = subscription(webhook={"name": "x", "target": "https://a"}, pushnotif={"devices": ["d"]})
    callback = read(both, Callback)
    assert callback.webhook is not None
    assert callback.push_notification is not None
    assert (callback.kind, callback.problems) == ("webhook", ())
    assert read(subscription(websocket={"target": "wss://a"}), Callback).kind == "websocket"
    assert read(subscription(pushnotif={"devices": ["d"]}), Callback).kind == "pushnotif"
    assert read(subscription(), Callback).kind is None


def test_2_a_batch_of_a_webhook_is_kept_and_never_sent() -> None:
    callback = read(subscription(webhook={"target": "https://a", "batch": {"enabled": True, "size": 5}}), Callback)
    assert callback.webhook is not None
    assert callback.webhook.extra["batch"] == {"enabled": True, "size": 5}
    assert "batch" not in callback_body(callback.webhook, label="x", types=())["callback"]["webhook"]


def test_3_names_are_sent_unquoted_and_read_either_way() -> None:
    assert monitor_body(MonitorSpec(label="x", when=LOW))["triggerParam"]["triggers"][0]["name"] == "low"
    found, problems = condition_of(
        {"name": '"z1"', "data": {"data": "vehicle.autonomy", "op": "lowerThan", "value": ["9"]}}, expression='"z1"'
    )
    assert (str(found.expression), problems) == ("z1", [])


def test_4_names_have_no_other_separators() -> None:
    for name in ("a-1", "a@1", "a:1", "A1B"):
        with pytest.raises(ValueError, match="letters, then"):
            data(name, Electric.LEVEL)


def test_5_a_circle_is_read_as_a_place() -> None:
    circle = {"radius": 2, "center": {"longitude": 2.0, "latitude": 48.0}}
    found, problems = condition_of({"name": "z", "zone": {"transition": "In", "circle": circle}}, expression="z")
    assert (found.expression, problems) == (ZoneTrigger("z", "In", 48.0, 2.0, 2.0), [])
    body = monitor_body(MonitorSpec(label="x", when=zone("z", 48, 2).enters))
    assert list(body["triggerParam"]["triggers"][0]["zone"]) == ["transition", "place"]


@pytest.mark.parametrize("key", ["boolExp", "bool.exp", "booExp"])
@pytest.mark.parametrize("zone_key", ["timeZone", "time.zone"])
def test_6_names_with_dots_are_read(key: str, zone_key: str) -> None:
    trigger = {"name": "t", "time": {"times": [], zone_key: "Europe/London"}}
    found, problems = condition_of(trigger, expression="t", key=key)
    assert (found.expression, problems) == (TimeTrigger("t", (), "Europe/London"), [])


def test_7_an_expression_that_does_not_parse_is_kept_as_text() -> None:
    body = {
        "monitorId": "1",
        "monitor": {"label": "x", "triggerParam": {"triggers": [], "boolExp": "((z1 & t1) | (z2 & !t1)"}},
    }
    monitor = read(body, Monitor)
    assert (monitor.when, monitor.when_text) == (None, "((z1 & t1) | (z2 & !t1)")
    assert [(each.path, each.reason) for each in monitor.problems] == [
        ("$.monitor.triggerParam.boolExp", "not an expression: a parenthesis is not closed")
    ]
    assert monitor.to_dict()["monitor"]["triggerParam"]["boolExp"] == "((z1 & t1) | (z2 & !t1)"


def test_7_an_expression_over_other_names_is_kept_as_text() -> None:
    found, problems = condition_of({"name": "t1", "time": {"times": []}}, expression="(t1 | t)")
    assert (found.expression, found.text, problems) == (None, "(t1 | t)", [".boolExp"])


@pytest.mark.parametrize(
    "occurrence", [["Mon", "Tue"], {"day": ["Mon", "Tue"]}, {"day": ["Mon", "Tue"], "week": ["w6-w9"]}]
)
def test_8_an_occurrence_is_a_list_or_an_object(occurrence: Any) -> None:
    entry = {"recurrence": "Daily", "start": "PT8H", "duration": "PT1H", "occurence": occurrence}
    found, problems = condition_of({"name": "t", "time": {"times": [entry]}}, expression="t")
    assert (found.expression.entries[0].days, problems) == (("Mon", "Tue"), [])


def test_9_telemetry_is_included_by_type() -> None:
    assert extensions("telemetry.vehicle.battery") == ["vehicle.telemetry.vehicle.battery"]
    assert extensions(("vehicle.telemetry", "status")) == ["vehicle.telemetry", "vehicle.status"]


def test_10_the_air_is_not_included() -> None:
    for name in ("environment.air.temp", "telemetry.", "status.x", ""):
        with pytest.raises(ValueError, match="events do not include"):
            extensions(name)


def test_11_running_engines_are_no_item() -> None:
    assert "vehicle.engines.running" not in set(DataItem)


@pytest.mark.parametrize("status", ["Created", "Running", None])
def test_12_a_status_may_be_any_and_dates_missing(status: str | None) -> None:
    monitor = read({"monitorId": "1"} | ({} if status is None else {"status": status}), Monitor)
    assert (monitor.status, monitor.created_at, monitor.problems) == (status, None, ())
    assert MonitorStatus("Created").is_known is False


@pytest.mark.anyio
@pytest.mark.parametrize("status", [200, 201, 202])
async def test_13_a_callback_is_created_by_any_success(status: int) -> None:
    async with connected(Vendor(success=status)) as account:
        assert (await account.callbacks.create(HOOK, label="x")).id == "cb1"


@pytest.mark.anyio
async def test_15_ids_are_opaque() -> None:
    async with connected(Vendor(id_prefix="a/b ?é")) as account:
        callback = await account.callbacks.create(HOOK, label="x")
        assert (callback.id, callback.address.rpartition("/")[2]) == ("a/b ?é1", "a%2Fb%20%3F%C3%A91")


def test_24_numbers_of_repetitions_are_those_of_the_file() -> None:
    body = fleet_callback_body(HOOK, label="x", actions="Doors", retry=DeliveryRetry.bounded(4), batch=Batch(2))
    assert body["retryPolicy"] == {"policy": "Bounded", "retryNumber": 4, "retryDelay": 10}
    assert body["batchNotify"] == {"size": 2, "timeWindow": 60}
    for size in (0, -1):
        with pytest.raises(ValueError, match="size must be at least 1"):
            Batch(size)


def test_25_a_fleets_monitor_delivers_to_a_webhook() -> None:
    body = monitor_body(MonitorSpec(label="x", when=LOW, deliver=HOOK), for_fleets=True)
    assert list(body["subscribeParam"]["callback"]) == ["webhook"]


def test_26_commands_are_named_by_remote_types() -> None:
    assert fleet_callback_body(HOOK, label="x", actions=("Doors", "Horn"))["remoteTypes"] == ["Doors", "Horn"]


def test_32_a_time_zone_is_always_sent() -> None:
    missing: Any = {}
    with pytest.raises(TypeError, match="zone"):
        times("t", **missing)
    found, _ = condition_of({"name": "t", "time": {"times": []}}, expression="t")
    assert found.expression.describe().endswith("(Europe/Paris)")


@pytest.mark.anyio
async def test_35_monitors_are_below_a_callback() -> None:
    simulator = Simulator(world())
    async with client_of(simulator) as client:
        account = account_of(client, simulator)
        vehicle = await account.vehicles().first()
        callback = await account.callbacks.ensure(HOOK, label="x")
        assert vehicle is not None
        monitor = await vehicle.monitors(callback).create("x", when=LOW)
        assert f"/vehicles/{vehicle.id}/callbacks/{callback.id}/monitors/" in monitor.address


@pytest.mark.anyio
@pytest.mark.parametrize("template", ["{cbid}", "{callbackId}"])
async def test_37_a_template_of_monitors_is_expanded(template: str) -> None:
    vendor = Vendor(monitors=f"/m/{template}/monitors")
    async with connected(vendor) as account:
        callback = await account.callbacks.ensure(HOOK, label="x")
        monitor = await (await account.vehicle("v1")).monitors(callback).create("x", when=LOW)
    assert monitor.address == "https://api.test/v4/m/cb1/monitors/m1"


@pytest.mark.anyio
async def test_37_another_template_of_monitors_is_not_expanded() -> None:
    async with connected(Vendor(monitors="/m/{other}/monitors")) as account:
        callback = await account.callbacks.ensure(HOOK, label="x")
        monitor = await (await account.vehicle("v1")).monitors(callback).create("x", when=LOW)
    assert monitor.address == "https://api.test/v4/user/vehicles/v1/callbacks/cb1/monitors/m1"


def test_values_are_read_as_text_whatever_their_type() -> None:
    found, problems = condition_of(
        {"name": "d", "data": {"data": "x", "op": "includedIn", "value": [1, 2.5, True, "y"]}},
        {"name": "e", "data": {"data": "x", "op": "equalsTo", "value": "z"}},
        expression="(d & e)",
    )
    first, second = found.triggers
    assert isinstance(first, DataTrigger)
    assert (first.values, second.values, problems) == (("1", "2.5", "true", "y"), ("z",), [])


def test_a_single_trigger_needs_no_expression() -> None:
    body = {"monitor": {"triggerParam": {"triggers": [{"name": "t", "time": {"times": []}}]}}}
    monitor = read(body, Monitor)
    assert (monitor.when, monitor.when_text, monitor.problems) == (TimeTrigger("t", ()), None, ())
    assert monitor.to_dict()["monitor"]["triggerParam"]["boolExp"] == "t"
