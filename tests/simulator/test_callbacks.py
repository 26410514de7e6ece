"""Callbacks of the simulated API: what is refused, and what reads show."""

from typing import Any

import pytest

from stellantis_hal.simulator import Simulator, World
from stellantis_hal.simulator.api.callback_body_checks import check_fleet_subscription, check_subscription
from stellantis_hal.simulator.api.request_context import Refusal
from tests.simulator.test_monitors import HOOK, Watcher

pytestmark = pytest.mark.anyio


def of(**targets: Any) -> dict[str, Any]:
    return {"label": "x", "callback": targets}


def hook(**fields: Any) -> dict[str, Any]:
    return of(webhook={**HOOK["webhook"], **fields})


def attribute(**fields: Any) -> dict[str, Any]:
    return {"type": "Body", "key": "k", "value": "v", **fields}


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ({"label": 3, "callback": HOOK}, "label"),
        ({"type": ["Monitors"], "callback": HOOK}, "type must be"),
        ({"type": "Monitor", "callback": HOOK}, "type must be"),
        ({}, "callback is required"),
        (of(), "one of webhook"),
        (of(**HOOK, websocket={"target": "wss://a"}), "one of webhook"),
        (of(webhook=3), "must be an object"),
        (hook(name=None), "name"),
        (hook(target="x"), "target"),
        (hook(attributes={}), "attributes must be a list"),
        (hook(attributes=[attribute(type="Cookie")]), "type of an attribute"),
        (hook(attributes=[attribute(value=3)]), "key and value"),
        (of(websocket={"target": "wss://a", "attributes": [attribute(type="Header")]}), "type of an attribute"),
        (of(pushnotif={"devices": []}), "devices"),
        (of(pushnotif={"devices": ["d"], "attributes": [attribute(key="google.x")]}), "reserved"),
        (of(pushnotif={"devices": ["d"], "attributes": [attribute(key="from")]}), "reserved"),
    ],
)
def test_subscriptions_off_the_specification_are_refused(body: dict[str, Any], reason: str) -> None:
    with pytest.raises(Refusal, match=reason):
        check_subscription(body)


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"remoteTypes": []}, "remoteTypes"),
        ({"remoteTypes": ["door"]}, "remoteTypes"),
        ({"callback": None}, "callback is required"),
        ({"retryPolicy": 3}, "retryPolicy must be"),
        ({"retryPolicy": {"policy": "Always"}}, "policy must be"),
        ({"retryPolicy": {"policy": "Bounded", "retryNumber": 0}}, "retryNumber"),
        ({"batchNotify": {"size": 0}}, "size"),
        ({"batchNotify": {"size": 1, "timeWindow": 4}}, "timeWindow"),
    ],
)
def test_subscriptions_of_fleets_are_checked_too(fields: dict[str, Any], reason: str) -> None:
    with pytest.raises(Refusal, match=reason):
        check_fleet_subscription({"remoteTypes": ["Doors"], "callback": HOOK, **fields})


async def test_addresses_and_methods_are_those_of_the_specification() -> None:
    client = Watcher(Simulator(World(seed=7)))
    made = (await client.send("POST", "/user/callbacks", hook())).json()
    path = f"/user/callbacks/{made['callbackId']}"
    assert [
        (await client.send(method, f"{path}{below}", {"status": "Running"})).status_code
        for method, below in (("PATCH", ""), ("GET", "/status"), ("GET", "/else"), ("PUT", ""), ("PUT", "/status"))
    ] == [405, 405, 404, 400, 202]
    assert (await client.send("PATCH", "/user/callbacks", {})).status_code == 405
    assert (await client.send("POST", "/user/callbacks")).status_code == 415
    without = ApiScope(client.simulator)
    assert (await without.get("/user/callbacks")).status_code == 403


class ApiScope(Watcher):
    """An account holder whose token has no scope of callbacks."""

    def __init__(self, simulator: Simulator) -> None:
        super().__init__(simulator, scope=("data:vehicle:devices:pnc",))


async def test_a_callback_goes_with_its_last_device() -> None:
    client = Watcher(Simulator(World(seed=7)))
    made = (await client.send("POST", "/user/callbacks", of(pushnotif={"devices": ["a", "b"]}))).json()
    await client.send("POST", "/user/callbacks", of(pushnotif={"devices": ["c"]}))
    callbacks = client.simulator.callbacks
    callbacks.unregister_device("a")
    registered = callbacks.get(made["callbackId"])
    assert registered is not None
    assert (registered.kind, registered.devices, registered.url) == ("pushnotif", ["b"], None)
    callbacks.unregister_device("b")
    assert callbacks.get(made["callbackId"]) is None
