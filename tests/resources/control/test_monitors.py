"""Monitors of vehicles and fleets, on the simulator and on a vendor whose answers are lost."""

from datetime import timedelta
from typing import Any

import pytest

from stellantis_hal import (
    Account,
    ApiError,
    AttributePlacement,
    BadRequestError,
    Batch,
    Callback,
    CallbackAttribute,
    DataItem,
    DeliveryRetry,
    DetachedResourceError,
    Electric,
    HalError,
    Monitor,
    MonitorSpec,
    MonitorStatus,
    NetworkError,
    NotFoundError,
    RetryRule,
    Stolen,
    TooManyMonitorsError,
    Vehicle,
    Webhook,
    data,
    zone,
)
from stellantis_hal.resources.control.delivery_policy import retry_body
from stellantis_hal.resources.control.monitor import monitor_body
from stellantis_hal.simulator import Simulator
from stellantis_hal.structuring.converter import read
from stellantis_hal.testing import simulated_fleet_owner
from tests.resources.control.vendors import Vendor, connected
from tests.support.simulated import account_of, client_of, world

pytestmark = pytest.mark.anyio

HOOK = Webhook("https://hooks.example.org/st/k3Jx0v", token="s3cr3t")
LOW = data("low", Electric.LEVEL) < 20
HOME = zone("home", 48.8667, 2.3333, km=1)
LOCKED = data("locked", DataItem.DOORS_LOCKED).changes()


class Feed:
    """A receiver that records whose sources it was told of."""

    def __init__(self) -> None:
        self.registered: list[tuple[str, str | None, str]] = []

    def register(self, source_id: str, *, vin: str | None, vehicle_id: str) -> None:
        self.registered.append((source_id, vin, vehicle_id))

    def subscribe(self, operation_id: str, listener: Any) -> Any:
        raise NotImplementedError


async def start(account: Account) -> tuple[Vehicle, Callback]:
    vehicle = await account.vehicles().first()
    assert vehicle is not None
    return vehicle, await account.callbacks.ensure(HOOK, label="garage")


async def test_a_monitor_is_created_read_and_rebuilt() -> None:
    simulator, feed = Simulator(world()), Feed()
    async with client_of(simulator, receiver=feed) as client:
        vehicle, callback = await start(account_of(client, simulator))
        secret = CallbackAttribute(part=AttributePlacement.BODY, key="of", value="$monitorLabel")
        made = await vehicle.monitors(callback).create(
            "left home",
            when=HOME.exits & (LOW | ~LOCKED),
            include=("status", "position"),
            refresh=timedelta(minutes=10),
            attributes=[secret],
        )
        assert (made.status, made.refresh, made.include) == ("Running", 600.0, ("vehicle.status", "vehicle.position"))
        assert made.created_at is not None
        [again] = [each async for each in vehicle.monitors()]
        assert (again, again.when) == (made, HOME.exits & (LOW | ~LOCKED))
        assert [each async for each in vehicle.monitors(callback.id)] == [again]
        assert await vehicle.monitors(callback).get(made.id or "") == made
        assert str(again.when) == again.when_text == "(home & (low | !locked))"
        assert again.triggers == (HOME.exits, LOW, LOCKED)
    assert set(feed.registered) == {(made.id, vehicle.vin, vehicle.id)}


async def test_a_monitor_is_paused_updated_and_deleted() -> None:
    simulator = Simulator(world())
    async with client_of(simulator) as client:
        vehicle, callback = await start(account_of(client, simulator))
        monitors = vehicle.monitors(callback)
        made = await monitors.create("low", when=LOW, refresh=60)
        paused = await made.pause()
        assert (paused.status, (await monitors.get(made.id or "")).status) == ("Paused", "Paused")
        assert (await paused.resume()).status is MonitorStatus.RUNNING
        assert (await monitors.ensure("low", when=LOW, refresh=60)).id == made.id
        changed = await made.update(when=HOME.exits, include="trip", label="out", refresh=0)
        assert (changed.when, changed.include, changed.label, changed.refresh) == (
            HOME.exits,
            ("vehicle.trip",),
            "out",
            None,
        )
        assert await monitors.get(made.id or "") == changed
        await changed.delete()
        await changed.delete()
        assert [each async for each in vehicle.monitors()] == []
        with pytest.raises(NotFoundError):
            await changed.pause()


async def test_ensure_brings_a_monitor_up_to_date() -> None:
    simulator = Simulator(world())
    async with client_of(simulator) as client:
        vehicle, callback = await start(account_of(client, simulator))
        monitors = vehicle.monitors(callback)
        made = await monitors.ensure("low", when=LOW)
        await made.pause()
        assert (await monitors.ensure("low", when=LOW)).status is MonitorStatus.RUNNING
        other = await monitors.ensure("low", when=LOW | HOME.exits)
        assert (other.id, other.when) == (made.id, LOW | HOME.exits)
        assert [each async for each in monitors] == [other]


async def test_reconciling_plans_and_then_does_it() -> None:
    simulator = Simulator(world())
    async with client_of(simulator) as client:
        vehicle, callback = await start(account_of(client, simulator))
        monitors = vehicle.monitors(callback)
        for label in ("kept", "changed", "paused", "unwanted", "kept"):
            await monitors.create(label, when=LOW)
        await (await monitors.ensure("paused", when=LOW)).pause()
        wanted = [
            MonitorSpec(label="kept", when=LOW),
            MonitorSpec(label="changed", when=HOME.exits, refresh=60),
            MonitorSpec(label="paused", when=LOW),
            MonitorSpec(label="new", when=LOCKED),
        ]
        plan = await monitors.reconcile(wanted, dry_run=True)
        assert str(plan) == (
            "delete  unwanted  (not wanted)\n"
            "delete  kept  (another one has this label)\n"
            "keep    kept  (as wanted)\n"
            "update  changed  (other condition, refresh)\n"
            "resume  paused  (is paused)\n"
            "create  new  (missing)"
        )
        assert [step.action for step in plan.changes] == ["delete", "delete", "update", "resume", "create"]
        assert len([each async for each in monitors]) == 5
        others = await monitors.reconcile(wanted[:1], dry_run=True, keep_others=True)
        assert [str(step) for step in others.changes] == ["delete  kept  (another one has this label)"]
        await monitors.reconcile(wanted)
        assert [each.label async for each in monitors] == ["kept", "changed", "paused", "new"]
        assert str(await monitors.reconcile(wanted)).count("keep") == 4
        assert (await monitors.reconcile(wanted)).changes == ()
        await monitors.reconcile([])
        assert str(await monitors.reconcile([])) == "nothing to do"


async def test_wanted_monitors_are_checked_before_anything_is_sent() -> None:
    simulator = Simulator(world())
    async with client_of(simulator) as client:
        vehicle, callback = await start(account_of(client, simulator))
        monitors = vehicle.monitors(callback)
        before = simulator.statistics.requests
        with pytest.raises(ValueError, match="two of the wanted monitors have the label 'x'"):
            await monitors.reconcile([MonitorSpec(label="x", when=LOW), MonitorSpec(label="x", when=LOW)])
        with pytest.raises(ValueError, match="always true"):
            await monitors.reconcile([MonitorSpec(label="x", when=LOW), MonitorSpec(label="y", when=LOW | ~LOW)])
        text: Any = "x"
        with pytest.raises(TypeError, match="a wanted monitor must be MonitorSpec"):
            await monitors.reconcile([text])
        assert simulator.statistics.requests == before


async def test_a_sixth_monitor_is_a_clear_error() -> None:
    simulator = Simulator(world())
    async with client_of(simulator) as client:
        account = account_of(client, simulator)
        vehicle, callback = await start(account)
        other = await account.callbacks.ensure(HOOK, label="other", types="Monitor")
        for number in range(5):
            await vehicle.monitors((callback, other)[number % 2]).create(f"m{number}", when=LOW)
        with pytest.raises(
            TooManyMonitorsError, match="5 monitors of this application already, and at most 5"
        ) as caught:
            await vehicle.monitors(callback).create("m6", when=LOW)
    assert (caught.value.status, caught.value.code) == (400, 40000)


@pytest.mark.parametrize("status", [400, 409])
async def test_another_refusal_stays_as_it_is(status: int) -> None:
    async with connected(Vendor(lost=[None, status])) as account:
        callback = await account.callbacks.create(HOOK, label="x")
        vehicle = await account.vehicle("v1")
        with pytest.raises(ApiError) as caught:
            await vehicle.monitors(callback).create("x", when=LOW)
    assert type(caught.value) is (BadRequestError if status == 400 else ApiError)


async def test_a_refused_post_is_not_looked_for() -> None:
    vendor = Vendor(lost=[403])
    async with connected(vendor) as account:
        with pytest.raises(ApiError):
            await (await account.vehicle("v1")).monitors("cb1").ensure("x", when=LOW)
    assert vendor.posts == 1


async def test_a_refusal_that_cannot_be_explained_stays() -> None:
    vendor = Vendor(lost=[400], fails_lists=True)
    async with connected(vendor) as account:
        vehicle = await account.vehicle("v1")
        with pytest.raises(BadRequestError):
            await vehicle.monitors("cb1").create("x", when=LOW)


@pytest.mark.parametrize("lost", ["cut", 502, 504, "no id"])
async def test_a_post_of_unknown_outcome_is_resolved_by_its_label(lost: Any) -> None:
    vendor = Vendor(lost=[lost])
    async with connected(vendor) as account:
        vehicle = await account.vehicle("v1")
        made = await vehicle.monitors("cb1").ensure("x", when=LOW)
        assert (made.id, list(vendor.created)) == ("m1", ["m1"])


async def test_a_post_that_never_arrived_is_sent_again_once() -> None:
    vendor = Vendor(lost=["dropped"])
    async with connected(vendor) as account:
        await (await account.vehicle("v1")).monitors("cb1").ensure("x", when=LOW)
    assert (vendor.posts, list(vendor.created)) == (2, ["m1"])


@pytest.mark.parametrize(("lost", "error"), [("dropped", NetworkError), ("no id", HalError)])
async def test_a_post_that_stays_unknown_is_an_error(lost: Any, error: type[Exception]) -> None:
    vendor = Vendor(lost=[lost, lost], keeps=False)
    async with connected(vendor) as account:
        with pytest.raises(error):
            await (await account.vehicle("v1")).monitors("cb1").ensure("x", when=LOW)
    assert vendor.posts == 2
    async with connected(Vendor(lost=["no id"])) as account:
        with pytest.raises(HalError, match="ensure"):
            await (await account.vehicle("v1")).monitors("cb1").create("x", when=LOW)


async def test_two_monitors_of_a_label_are_logged(caplog: pytest.LogCaptureFixture) -> None:
    simulator = Simulator(world())
    async with client_of(simulator) as client:
        vehicle, callback = await start(account_of(client, simulator))
        first = await vehicle.monitors(callback).create("x", when=LOW)
        await vehicle.monitors(callback).create("x", when=LOW)
        assert (await vehicle.monitors(callback).ensure("x", when=LOW)).id == first.id
    assert "2 monitors have the label 'x'" in caplog.text


async def test_many_monitors_are_read_page_by_page() -> None:
    async with simulated_fleet_owner(Simulator(world())) as client:
        fleet = await client.fleets().first()
        assert fleet is not None
        monitors = fleet.monitors
        made = [await monitors.create(f"m{number}", when=LOW, deliver=HOOK) for number in range(5)]
        assert [each.id async for each in monitors(page_size=2)] == [each.id for each in made]
        async with monitors(page_size=2).concurrent(2) as found:
            assert [each.id async for each in found] == [each.id for each in made]
        assert repr(monitors) == "<FleetMonitors>"


async def test_items_that_are_no_monitors_are_reported(caplog: pytest.LogCaptureFixture) -> None:
    vendor = Vendor(created={"m1": {"label": "x"}}, strays=["x"])
    async with connected(vendor) as account:
        found = [each async for each in (await account.vehicle("v1")).monitors("cb1")]
    assert [each.id for each in found] == ["m1"]
    assert "[1] (string): no object, so no item: left out" in caplog.text


async def test_a_callback_deleted_meanwhile_has_no_monitors() -> None:
    vendor = Vendor(callbacks={"cb1": {"label": "x"}}, is_deleted_meanwhile=True)
    async with connected(vendor) as account:
        assert [each async for each in (await account.vehicle("v1")).monitors()] == []


async def test_monitors_go_with_their_callback() -> None:
    simulator = Simulator(world())
    async with client_of(simulator) as client:
        vehicle, callback = await start(account_of(client, simulator))
        await vehicle.monitors(callback).create("x", when=LOW)
        await callback.delete(with_monitors=True)
        assert [each async for each in vehicle.monitors()] == []
        with pytest.raises(NotFoundError):
            await vehicle.monitors(callback).create("x", when=LOW)


async def test_a_callback_for_commands_has_no_monitors() -> None:
    simulator = Simulator(world())
    async with client_of(simulator) as client:
        account = account_of(client, simulator)
        vehicle, _ = await start(account)
        remotes = await account.callbacks.ensure(HOOK, label="remotes", types="Remote")
        with pytest.raises(ValueError, match="for commands only"):
            vehicle.monitors(remotes)
        with pytest.raises(BadRequestError):
            await vehicle.monitors(remotes.id).create("x", when=LOW)
        with pytest.raises(ValueError, match="monitors are below a callback"):
            await vehicle.monitors().create("x", when=LOW)
        assert [each async for each in vehicle.monitors()] == []


@pytest.mark.parametrize(
    ("spec", "reason"),
    [
        ({"label": " "}, "needs a label"),
        ({"refresh": 59}, "at least 60, not 59"),
        ({"refresh": timedelta(seconds=60.5)}, "whole seconds"),
        ({"refresh": float("inf")}, "whole seconds"),
        ({"refresh": float("nan")}, "whole seconds"),
        ({"include": "collisions"}, "events do not include"),
        ({"deliver": HOOK}, "for monitors of fleets"),
        ({"retry": DeliveryRetry.none()}, "for monitors of fleets"),
        ({"attributes": [CallbackAttribute(part=AttributePlacement.QUERY, key="k", value="v")]}, "not in the query"),
        ({"attributes": [CallbackAttribute(part=AttributePlacement.BODY, key="k")]}, "needs part"),
    ],
)
def test_what_the_api_refuses_is_not_sent(spec: dict[str, Any], reason: str) -> None:
    values: Any = {"label": "x", "when": LOW, **spec}
    with pytest.raises(ValueError, match=reason):
        monitor_body(MonitorSpec(**values))


@pytest.mark.parametrize(
    ("spec", "reason"),
    [
        ({"deliver": None}, "needs deliver="),
        ({"include": "alarm"}, "events do not include"),
        ({"attributes": [CallbackAttribute(part=AttributePlacement.BODY, key="k", value="v")]}, "have no attributes"),
        ({"retry": DeliveryRetry()}, "retry must be"),
        ({"deliver": Webhook("http://10.0.0.1/")}, "must have TLS"),
    ],
)
def test_what_the_api_refuses_of_fleets_is_not_sent(spec: dict[str, Any], reason: str) -> None:
    values: Any = {"label": "x", "when": LOW, "deliver": HOOK, **spec}
    with pytest.raises(ValueError, match=reason):
        monitor_body(MonitorSpec(**values), for_fleets=True)


def test_other_types_are_refused() -> None:
    for wrong in ({"label": None}, {"refresh": True}, {"refresh": "60"}, {"include": [3]}):
        values: Any = {"label": "x", "when": LOW, **wrong}
        with pytest.raises(TypeError):
            monitor_body(MonitorSpec(**values))


def test_policies_of_delivery_are_sent_as_far_as_they_are_known() -> None:
    assert retry_body(DeliveryRetry.none()) == {"policy": "None"}
    assert retry_body(DeliveryRetry(rule=RetryRule.BOUNDED)) == {"policy": "Bounded"}
    assert retry_body(DeliveryRetry.bounded(3, every=20)) == {"policy": "Bounded", "retryNumber": 3, "retryDelay": 20}


def test_policies_of_delivery_have_bounds() -> None:
    for refused in (
        lambda: DeliveryRetry.bounded(0),
        lambda: DeliveryRetry.bounded(3, every=0),
        lambda: DeliveryRetry.always(every=1.5),
        lambda: DeliveryRetry.always(every=float("inf")),
        lambda: Batch(1, within=4),
        lambda: Batch(1, within=float("nan")),
    ):
        with pytest.raises(ValueError, match="at least"):
            refused()
    flag: Any = True
    with pytest.raises(TypeError, match="every must be a number of seconds"):
        DeliveryRetry.always(every=flag)
    assert (Batch(1, within=timedelta(minutes=1)), Batch(1, within=None).window) == (Batch(1), 60)
    assert DeliveryRetry.always(every=timedelta(seconds=20)).delay == 20


async def test_a_monitor_that_cannot_be_read_is_not_sent_back() -> None:
    monitor = read({"monitorId": "1", "monitor": {"label": "x", "triggerParam": {"triggers": []}}}, Monitor)
    with pytest.raises(ValueError, match="pass when=, which replaces it"):
        await monitor.update(label="y")
    with pytest.raises(DetachedResourceError):
        monitor.address  # noqa: B018 - the access is the test


def stored(**members: Any) -> dict[str, Any]:
    """Return a monitor as a server has it, of which something else may be there than what was sent."""
    return monitor_body(MonitorSpec(label="x", when=HOME.exits)) | members


UNREADABLE: dict[str, dict[str, Any]] = {
    "condition": {"triggerParam": {"triggers": [*stored()["triggerParam"]["triggers"], 5], "boolExp": "home"}},
    "include": {"extendedEventParam": "vehicle.status"},
    "refresh": {"subscribeParam": {"refreshEvent": "hourly"}},
    "attributes": {"attributes": [5]},
}


@pytest.mark.parametrize("part", UNREADABLE)
async def test_a_monitor_that_cannot_be_read_whole_is_not_as_wanted(part: str) -> None:
    vendor = Vendor()
    vendor.created["m1"] = stored(**UNREADABLE[part])
    async with connected(vendor) as account:
        monitors = (await account.vehicle("v1")).monitors("cb1")
        plan = await monitors.reconcile([MonitorSpec(label="x", when=HOME.exits)], dry_run=True)
        assert str(plan) == f"update  x  (other {part})"
        await monitors.ensure("x", when=HOME.exits)
        assert vendor.requests[-1][0] == "PUT"


@pytest.mark.parametrize("part", UNREADABLE)
async def test_an_update_loses_nothing_that_could_not_be_read(part: str) -> None:
    vendor = Vendor()
    vendor.created["m1"] = stored(**UNREADABLE[part])
    async with connected(vendor) as account:
        [found] = [each async for each in (await account.vehicle("v1")).monitors("cb1")]
        name = "when" if part == "condition" else part
        with pytest.raises(ValueError, match=f"^{name} of this monitor could not be read, or not whole, .* {name}="):
            await found.update(label="y")
        assert vendor.requests[-1][0] == "GET"
        given: Any = {"when": HOME.exits, "include": (), "refresh": 0, "attributes": ()}
        assert (await found.update(**{name: given[name]})).problems == ()
        assert vendor.requests[-1][2] == stored()


async def test_an_unknown_trigger_is_sent_again_as_it_was_read() -> None:
    vendor = Vendor()
    trigger = {"name": "t1", "weather": {"is": "sunny"}}
    vendor.created["m1"] = stored(triggerParam={"triggers": [trigger], "boolExp": "t1"})
    async with connected(vendor) as account:
        [found] = [each async for each in (await account.vehicle("v1")).monitors("cb1")]
        await found.update(refresh=60)
        assert vendor.requests[-1][2]["triggerParam"]["triggers"] == [trigger]


@pytest.mark.parametrize("refresh", [None, 0])
async def test_an_update_keeps_what_a_monitor_adds_to_its_callback(refresh: int | None) -> None:
    vendor = Vendor()
    added = {"webhook": {"attributes": [{"type": "Body", "key": "of", "value": "$monitorID"}]}}
    vendor.created["m1"] = stored(subscribeParam={"refreshEvent": 60, "callbackAttributes": added})
    async with connected(vendor) as account:
        [found] = [each async for each in (await account.vehicle("v1")).monitors("cb1")]
        await found.update(label="y", refresh=refresh)
        sent = {"callbackAttributes": added} | ({} if refresh == 0 else {"refreshEvent": 60})
        assert vendor.requests[-1][2]["subscribeParam"] == sent


def test_a_vehicle_without_an_id_has_no_monitors() -> None:
    with pytest.raises(ValueError, match="has no id"):
        read({}, Vehicle).monitors()


# ------------------------------------------------------------------------------------------------- fleets


async def test_a_fleets_monitor_watches_every_vehicle() -> None:
    simulator = Simulator(world(vehicles=3))
    async with simulated_fleet_owner(simulator) as client:
        fleet = await client.fleets().first()
        assert fleet is not None
        retry, batch = DeliveryRetry.bounded(3, every=10), Batch(10, within=60)
        stolen = data("s", Stolen.STATE).changes()
        made = await fleet.monitors.create(
            "stolen", when=stolen, deliver=HOOK, include="stolen", retry=retry, batch=batch
        )
        assert (made.is_of_fleet, made.retry, made.batch) == (True, retry, batch)
        assert [each async for each in fleet.monitors()] == [made] == [each async for each in fleet.monitors]
        assert await fleet.monitors.get(made.id or "") == made
        same = await fleet.monitors.ensure(
            "stolen", when=stolen, deliver=HOOK, include="stolen", retry=retry, batch=batch
        )
        assert same == made
        moved = await made.update(deliver=Webhook("https://hooks.example.org/st/other"), refresh=60)
        assert (moved.deliver and moved.deliver.url, moved.retry) == ("https://hooks.example.org/st/other", retry)
        replaced = await moved.replaced_by(MonitorSpec(label="stolen", when=stolen, deliver=HOOK))
        assert (replaced.id, replaced.include, replaced.refresh, replaced.batch) == (made.id, (), None, None)
        moved = await made.update(deliver=Webhook("https://hooks.example.org/st/other"), refresh=60)
        plan = await fleet.monitors.reconcile([MonitorSpec(label="stolen", when=stolen, deliver=HOOK)], dry_run=True)
        assert str(plan) == "update  stolen  (other include, refresh, target, retry, batch)"
        await moved.delete()
        assert [each async for each in fleet.monitors()] == []


async def test_a_fleets_callback_is_for_commands() -> None:
    simulator = Simulator(world())
    async with simulated_fleet_owner(simulator) as client:
        fleet = await client.fleets().first()
        assert fleet is not None
        retry, batch = DeliveryRetry.bounded(3, every=10), Batch(10)
        made = await fleet.callbacks.ensure(HOOK, label="all", actions=("Doors", "Horn"), retry=retry, batch=batch)
        assert (made.actions, made.retry, made.batch, made.accepts("Monitor")) == (
            ("Doors", "Horn"),
            retry,
            batch,
            False,
        )
        assert (
            [each async for each in fleet.callbacks(actions="Horn")]
            == [made]
            == [each async for each in fleet.callbacks()]
        )
        assert (
            await fleet.callbacks.ensure(HOOK, label="all", actions=("Horn", "Doors"), retry=retry, batch=batch) == made
        )
        changed = await made.update(actions=["Lights"])
        assert (changed.actions, changed.retry, await fleet.callbacks.get(made.id or "")) == (
            ("Lights",),
            retry,
            changed,
        )
        assert (await (await changed.pause()).resume()).status == "Running"
        await changed.delete()
        other = await fleet.callbacks.create(HOOK, label="other", actions="Stolen")
        assert other.label == "other"
        for arguments, reason in (
            ({"actions": ()}, "needs the commands"),
            ({"actions": "door"}, "actions are Doors"),
            ({"actions": "Doors", "retry": DeliveryRetry.always()}, "retry must be"),
        ):
            values: Any = arguments
            with pytest.raises(ValueError, match=reason):
                await fleet.callbacks.create(HOOK, label="x", **values)
