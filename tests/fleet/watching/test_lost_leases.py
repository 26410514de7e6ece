"""A watch whose lease is lost: it reports and stores nothing more of the accounts, and does not end."""

from collections.abc import Collection, Mapping
from datetime import timedelta

import attrs
import pytest

from stellantis_hal.errors import LeaseLostError
from stellantis_hal.fleet import MemoryCheckpoints, Update, watch
from tests.fleet.fleets import a_fleet, until, updates_of

pytestmark = pytest.mark.anyio
EVERY = timedelta(minutes=5)


@attrs.define(eq=False)
class Fenced(MemoryCheckpoints):
    """A store of which another process owns the keys with certain ends."""

    lost: tuple[str, ...] = ()
    refused: int = 0

    def __attrs_pre_init__(self) -> None:
        super().__init__()

    def _check(self, key: str) -> None:
        if self.lost and key.endswith(self.lost):
            self.refused += 1
            raise LeaseLostError("another process took over")

    async def load(self, key: str) -> bytes | None:
        self._check(key)
        return await super().load(key)

    async def load_many(self, keys: Collection[str]) -> Mapping[str, bytes]:
        for key in keys:
            self._check(key)
        return await super().load_many(keys)


async def test_account_lost_before_it_is_added_is_not_watched() -> None:
    async with a_fleet(vehicles=2, accounts=2) as fleet:
        lost, kept = fleet.accounts
        store = Fenced((f"#account/{lost.key}",))
        async with watch(fleet.accounts, every=EVERY, what="status", checkpoints=store) as updates:
            events = await updates_of(updates, 1_000)
            assert store.refused == 1
            assert {event.account for event in events if isinstance(event, Update)} == {kept.key}
            assert updates.statistics.accounts == 1


async def test_account_lost_during_its_listing_is_listed_again() -> None:
    store = Fenced(("#turn",))
    async with (
        a_fleet(vehicles=2, accounts=1) as fleet,
        watch(fleet.accounts, every=EVERY, what="status", checkpoints=store) as updates,
    ):
        assert await updates_of(updates, 50) == []
        assert store.refused == 4  # at once, and every 15 seconds
        assert updates.statistics.vehicles == 0
        store.lost = ()
        await until(updates, Update, within=20)
        assert updates.statistics.vehicles == 2


async def test_vehicle_lost_during_its_poll_is_not_reported() -> None:
    async with a_fleet(vehicles=1, accounts=1) as fleet:
        store = Fenced((f"/{fleet.vehicles[0]}",))
        async with watch(fleet.accounts, every=EVERY, what=("status", "position"), checkpoints=store) as updates:
            assert await updates_of(updates, 1_000) == []  # no failure of the vehicle either
            assert store.refused == updates.statistics.polls - 1 >= 3  # one was a listing; no second kind was read
            store.lost = ()
            await until(updates, Update, what="status", within=400)
            await until(updates, Update, what="position", within=400)
