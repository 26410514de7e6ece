"""Options of watches, backfills and polls that have the wrong type: refused where they are written."""
# Parameters of the lambdas are of any type.
# pyright: reportUnknownLambdaType=false

import re
import time
from collections.abc import AsyncIterator, Callable
from datetime import datetime, timedelta
from typing import Any

import pytest

from stellantis_hal import Account, MemoryInbox, Vehicle, backfill, poll, watch
from stellantis_hal.simulator import Simulator
from tests.support.simulated import account_of, client_of, world

pytestmark = pytest.mark.anyio
CLOCK = "clock must be a function that returns an aware datetime, as lambda: datetime.now(UTC)"


@pytest.fixture
async def account() -> AsyncIterator[Account]:
    simulator = Simulator(world())
    async with client_of(simulator) as client:
        yield account_of(client, simulator)


def _watch(account: Account, _: Vehicle, **options: Any) -> object:
    return watch(account, every=timedelta(minutes=5), **options)


def _backfill(account: Account, _: Vehicle, **options: Any) -> object:
    return backfill(account, **options)


def _poll(_: Account, vehicle: Vehicle, **options: Any) -> object:
    return poll(vehicle, **options)


@pytest.mark.parametrize("make", [_watch, _backfill, _poll])
@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"checkpoints": "fleet.db"},
            "checkpoints must be a CheckpointStore or None, not str: SQLiteCheckpoints('fleet.db')",
        ),
        ({"name": 3}, "name must be str, not int"),
        ({"clock": datetime.now}, CLOCK),
        ({"clock": time.time}, CLOCK),
        ({"clock": 3}, CLOCK),
    ],
    ids=["checkpoints", "name", "naive clock", "clock of seconds", "no clock"],
)
async def test_option_of_the_wrong_type_is_refused(
    account: Account, make: Callable[..., object], options: dict[str, Any], message: str
) -> None:
    vehicle = await account.vehicles().first()
    assert vehicle is not None
    with pytest.raises(TypeError, match=f"^{re.escape(message)}$"):
        make(account, vehicle, **options)


@pytest.mark.parametrize("events", ["inbox.db", MemoryInbox()], ids=["path", "inbox"])
async def test_events_of_no_receiver_are_refused(account: Account, events: Any) -> None:
    with pytest.raises(TypeError, match=r"^events must be a Receiver or None, not .*: Receiver\(inbox, path=…\)$"):
        watch(account, every=None, events=events)


@pytest.mark.parametrize("make", [lambda source: watch(source, every=None), backfill], ids=["watch", "backfill"])
@pytest.mark.parametrize("source", [None, 3, "alice", object()], ids=["none", "int", "text", "object"])
async def test_what_has_no_vehicles_is_refused(make: Callable[[Any], object], source: Any) -> None:
    """The task that read the source raised that it is not iterable."""
    with pytest.raises(TypeError, match=r"^what is watched or read must be an Account, a Fleet or a Vehicle, or "):
        make(source)


async def test_what_is_no_target_is_neither_removed_nor_polled(account: Account) -> None:
    nothing: Any = None
    vehicle: Any = account
    async with watch(account, every=None) as updates:
        with pytest.raises(TypeError, match=r"^target must be Account or Fleet or Vehicle or str, not NoneType$"):
            updates.remove(nothing)
        with pytest.raises(TypeError, match=r"^a vehicle must be Vehicle or str, not Account$"):
            updates.poll_now(vehicle)


async def _later(*_: object) -> float:
    return 1.0


@pytest.mark.parametrize("option", ["rhythm", "weight", "adapt"])
async def test_functions_of_a_watch_are_called_and_not_awaited(account: Account, option: str) -> None:
    options: dict[str, Any]
    for options, message in (
        ({option: _later}, f"^{option} must be a plain function: it is called, and not awaited$"),
        ({option: "x"}, f"^{option} must be a function, not str$"),
    ):
        with pytest.raises(TypeError, match=message):
            watch(account, every=None, **options)


async def test_progress_is_called_and_not_awaited(account: Account) -> None:
    """An async function never ran, and nothing said so."""
    progress: Any = _later
    with pytest.raises(TypeError, match=r"^progress must be a plain function: it is called, and not awaited$"):
        backfill(account, progress=progress)


async def test_a_budget_is_one_of_limits(account: Account) -> None:
    budget: Any = 100
    with pytest.raises(TypeError, match=r"^budget must be RateLimits or None, not int: RateLimits\(per_second=…, per"):
        watch(account, every=None, budget=budget)
