"""Callbacks of an account, on the simulator."""

from typing import Any

import anyio
import pytest

from stellantis_hal import (
    AttributePlacement,
    BadRequestError,
    Callback,
    CallbackAttribute,
    CallbackStatus,
    DetachedResourceError,
    HalError,
    NetworkError,
    NotFoundError,
    PushDevices,
    ServerError,
    Webhook,
)
from stellantis_hal.simulator import Simulator
from stellantis_hal.structuring.converter import read
from tests.resources.control.vendors import Vendor, connected
from tests.support.simulated import account_of, client_of, world

pytestmark = pytest.mark.anyio

HOOK = Webhook("https://hooks.example.org/st/k3Jx0v", token="s3cr3t")


async def test_a_callback_is_made_once_and_brought_up_to_date() -> None:
    simulator = Simulator(world())
    async with client_of(simulator) as client:
        callbacks = account_of(client, simulator).callbacks
        assert [each async for each in callbacks()] == []
        made = await callbacks.ensure(HOOK, label="garage")
        assert (made.label, made.status, made.kind, made.types) == ("garage", "Running", "webhook", ())
        assert made.target is not None
        attributes = [(each.part, each.key, each.value) for each in made.target.attributes]
        assert attributes == [("Body", "vin", "$vin"), ("Body", "token", "s3cr3t")]
        assert await callbacks.ensure(HOOK, label="garage") == made
        assert [each async for each in callbacks(types="Monitor")] == [made] == [await callbacks.get(made.id or "")]
        assert (await made.pause()).status is CallbackStatus.PAUSED
        assert (await callbacks.ensure(HOOK, label="garage")).status is CallbackStatus.RUNNING
        elsewhere = Webhook("https://hooks.example.org/st/other", token="s3cr3t", name="hook")
        moved = await callbacks.ensure(elsewhere, label="garage")
        assert (moved.id, moved.webhook and moved.webhook.url) == (made.id, elsewhere.url)
        assert simulator.statistics.by_status[202] == 3
        assert [each async for each in callbacks()] == [moved]


async def test_many_callbacks_are_read_page_by_page() -> None:
    simulator = Simulator(world())
    async with client_of(simulator) as client:
        callbacks = account_of(client, simulator).callbacks
        made = [await callbacks.create(HOOK, label=f"c{number}") for number in range(5)]
        assert [each.id async for each in callbacks(page_size=2)] == [each.id for each in made]
        async with callbacks(page_size=2).concurrent(2) as found:
            assert [each.id async for each in found] == [each.id for each in made]
        assert repr(callbacks) == "<Callbacks>"


async def test_items_that_are_no_callbacks_are_reported(caplog: pytest.LogCaptureFixture) -> None:
    vendor = Vendor(callbacks={"cb1": {"label": "x"}}, strays=["x"])
    async with connected(vendor) as account:
        assert [each.id async for each in account.callbacks()] == ["cb1"]
    assert "[1] (string): no object, so no item: left out" in caplog.text


async def test_the_order_of_attributes_does_not_matter() -> None:
    simulator = Simulator(world())
    first, second = (CallbackAttribute(part=AttributePlacement.BODY, key=key, value=key) for key in "ab")
    async with client_of(simulator) as client:
        callbacks = account_of(client, simulator).callbacks
        await callbacks.ensure(Webhook(HOOK.url, attributes=[first, second]), label="garage")
        await callbacks.ensure(
            Webhook(HOOK.url, attributes=[second, first]), label="garage", types=("Remote", "Monitor")
        )
    assert 202 not in simulator.statistics.by_status


async def test_tasks_that_ensure_one_label_make_one_callback() -> None:
    """Each had looked for it before the others made it, so each made one."""
    simulator = Simulator(world())
    async with client_of(simulator) as client:
        account = account_of(client, simulator)
        made: list[Callback] = []

        async def ensure() -> None:
            made.append(await account.callbacks.ensure(HOOK, label="garage"))

        async with anyio.create_task_group() as tasks:
            with anyio.CancelScope() as scope:
                scope.cancel()
                await ensure()
            for _ in range(3):
                tasks.start_soon(ensure)
        assert len(made) == 3
        assert [each async for each in account.callbacks()] == [made[0]]


async def test_a_failed_callback_is_resumed() -> None:
    simulator = Simulator(world())
    async with client_of(simulator) as client:
        callbacks = account_of(client, simulator).callbacks
        made = await callbacks.ensure(HOOK, label="garage")
        registered = simulator.callbacks.get(made.id or "")
        assert registered is not None
        registered.status = "Failed"
        assert (await callbacks.get(registered.id)).status is CallbackStatus.FAILED
        assert (await callbacks.ensure(HOOK, label="garage")).status is CallbackStatus.RUNNING
        assert registered.status == "Running"


async def test_an_update_keeps_what_is_not_passed() -> None:
    simulator = Simulator(world())
    async with client_of(simulator) as client:
        callbacks = account_of(client, simulator).callbacks
        made = await callbacks.create(HOOK, label="garage", types=["Monitor"])
        phone = await made.update(PushDevices("device-1"))
        assert (phone.label, phone.types, phone.kind) == ("garage", ("Monitor",), "pushnotif")
        assert await callbacks.get(made.id or "") == phone
        both = await phone.update(label="phone", types=("Remote",))
        assert (both.label, both.target, both.types) == ("phone", phone.target, ("Remote",))
        assert await callbacks.ensure(PushDevices("device-1"), label="phone", types="Remote") == both
        simulator.callbacks.unregister_device("device-1")
        assert [each async for each in callbacks()] == []


UNREADABLE = {
    "types": {"type": "Remote"},
    "target": {"callback": {"webhook": {"name": "garage", "target": "https://hooks.example.org/", "attributes": [5]}}},
}


@pytest.mark.parametrize("part", UNREADABLE)
async def test_a_callback_that_cannot_be_read_whole_is_replaced(part: str) -> None:
    vendor = Vendor()
    async with connected(vendor) as account:
        made = await account.callbacks.create(HOOK, label="garage")
        whole = vendor.callbacks["cb1"]
        vendor.callbacks["cb1"] = whole | UNREADABLE[part]
        [found] = [each async for each in account.callbacks()]
        with pytest.raises(ValueError, match=f"^{part} of this callback could not be read, or not whole, .* {part}="):
            await found.update(label="other")
        assert vendor.requests[-1][0] == "GET"
        replaced = await account.callbacks.ensure(HOOK, label="garage")
        assert (vendor.requests[-1][0], vendor.requests[-1][2]) == ("PUT", whole)
        assert (replaced.target, replaced.types) == (made.target, ())


async def test_a_callback_of_two_targets_is_replaced() -> None:
    vendor = Vendor()
    async with connected(vendor) as account:
        await account.callbacks.create(HOOK, label="garage")
        vendor.callbacks["cb1"]["callback"] = {
            **vendor.callbacks["cb1"]["callback"],
            "websocket": {"target": "wss://hooks.example.org/"},
        }
        await account.callbacks.ensure(HOOK, label="garage")
        assert vendor.requests[-1][0] == "PUT"
        assert list(vendor.requests[-1][2]["callback"]) == ["webhook"]


async def test_deleting_takes_monitors_only_where_that_is_said() -> None:
    simulator = Simulator(world())
    async with client_of(simulator) as client:
        callbacks = account_of(client, simulator).callbacks
        made = await callbacks.ensure(HOOK, label="garage")
        with pytest.raises(ValueError, match="with_monitors=True"):
            await made.delete()
        await made.delete(with_monitors=True)
        await made.delete(with_monitors=True)  # as a repetition after an answer that was lost
        with pytest.raises(NotFoundError):
            await made.pause()
        remotes = await callbacks.ensure(HOOK, label="remotes", types="Remote")
        await remotes.delete()
        assert [each async for each in callbacks()] == []


async def test_callbacks_of_others_are_not_seen() -> None:
    simulator = Simulator(world(accounts=2))
    async with client_of(simulator) as client:
        mine, other = (account_of(client, simulator, each.key) for each in simulator.world.accounts[:2])
        made = await mine.callbacks.ensure(HOOK, label="garage")
        assert [each async for each in other.callbacks()] == []
        with pytest.raises(NotFoundError):
            await other.callbacks.get(made.id or "")


@pytest.mark.parametrize("lost", ["cut", 502, 504, "no id"])
async def test_a_post_of_unknown_outcome_is_resolved_by_its_label(lost: Any) -> None:
    vendor = Vendor(lost=[lost])
    async with connected(vendor) as account:
        made = await account.callbacks.ensure(HOOK, label="garage")
    assert (made.id, made.label, vendor.posts) == ("cb1", "garage", 1)


async def test_a_post_that_never_arrived_is_sent_again_once() -> None:
    vendor = Vendor(lost=["dropped"])
    async with connected(vendor) as account:
        assert (await account.callbacks.ensure(HOOK, label="garage")).id == "cb1"
    assert vendor.posts == 2


@pytest.mark.parametrize(
    ("lost", "error"), [("dropped", NetworkError), (504, ServerError), (400, BadRequestError), ("nothing", HalError)]
)
async def test_a_post_that_stays_unknown_is_an_error(lost: Any, error: type[Exception]) -> None:
    vendor = Vendor(lost=[lost, lost], keeps=False)
    async with connected(vendor) as account:
        with pytest.raises(error):
            await account.callbacks.ensure(HOOK, label="garage")
    assert vendor.posts == (1 if lost == 400 else 2)


async def test_creating_without_an_id_in_the_answer_is_an_error() -> None:
    async with connected(Vendor(lost=["no id"])) as account:
        with pytest.raises(HalError, match="ensure"):
            await account.callbacks.create(HOOK, label="garage")


async def test_two_callbacks_of_a_label_are_logged(caplog: pytest.LogCaptureFixture) -> None:
    simulator = Simulator(world())
    async with client_of(simulator) as client:
        callbacks = account_of(client, simulator).callbacks
        first = await callbacks.create(HOOK, label="garage")
        await callbacks.create(HOOK, label="garage")
        assert (await callbacks.ensure(HOOK, label="garage")).id == first.id
    assert "2 callbacks have the label 'garage'" in caplog.text


async def test_a_link_to_callbacks_is_followed() -> None:
    vendor = Vendor(path="/hooks")
    async with connected(vendor) as account:
        made = await account.callbacks.ensure(HOOK, label="garage")
        assert made.address.endswith("/hooks/cb1")
        [read_again] = [each async for each in account.callbacks()]
        assert read_again.address == made.address


async def test_an_absent_account_is_not_an_empty_list() -> None:
    async with connected(Vendor(is_absent=True)) as account:
        with pytest.raises(NotFoundError):
            await account.callbacks().first()


def test_a_callback_without_a_client_has_no_address() -> None:
    with pytest.raises(DetachedResourceError):
        read({"id": "1"}, Callback).address  # noqa: B018 - the access is the test
