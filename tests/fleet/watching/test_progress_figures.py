"""Figures that show a starved limiter and a watch that stands still, while no event comes."""

from datetime import timedelta

import anyio
import pytest

from stellantis_hal import RateLimits, watch
from stellantis_hal.fleet import Update
from stellantis_hal.simulator import Faults, FaultWindow, ScriptedFault, SubscriptionLimits, TooManyRequests
from stellantis_hal.simulator.faults import kinds
from tests.fleet.fleets import a_fleet, until, updates_of

pytestmark = pytest.mark.anyio
EVERY = timedelta(minutes=5)
MINUTES = 60.0


@pytest.mark.unmeasured
async def test_a_watch_that_reads_is_not_silent() -> None:
    async with a_fleet(vehicles=2, accounts=1) as fleet:
        updates = watch(fleet.accounts, every=EVERY, adapt=None)
        assert updates.statistics.silent_for == 0
        async with updates:
            for _ in range(12):
                await updates_of(updates, 5 * MINUTES)
                assert updates.statistics.silent_for <= 5 * MINUTES


async def test_silence_counts_from_the_start_where_nothing_is_read() -> None:
    """The API is silent from the beginning: the first event comes when the listing has failed often enough."""
    faults = Faults(windows=[FaultWindow(fault=kinds.Delay(7_200), since=0.0, until=1e9)])
    async with a_fleet(faults=faults, accounts=1) as fleet, watch(fleet.accounts, every=EVERY) as updates:
        await updates_of(updates, 30 * MINUTES)
        assert updates.statistics.silent_for == pytest.approx(30 * MINUTES)
        assert updates.statistics.vehicles == 0


@pytest.mark.long
async def test_a_used_up_day_is_seen_from_outside() -> None:
    limits = SubscriptionLimits(per_second=100, per_day=300)
    async with (
        a_fleet(vehicles=4, limits=limits, rate_limits=RateLimits(100, 300)) as fleet,
        watch(fleet.accounts, every=timedelta(hours=1), what="status", repeats=True) as updates,
    ):
        await until(updates, Update)
        while (fleet.client.limiter.statistics.free_today or 0) > 0:
            await fleet.accounts[0].get(f"{fleet.simulator.url}/user")
        await updates_of(updates, 4 * 60 * MINUTES)
        assert fleet.client.limiter.statistics.free_today == 0
        statistics = updates.statistics
        assert statistics.silent_for > 2 * 60 * MINUTES
        assert statistics.lag > 60 * MINUTES
        assert statistics.budget.free_today < 1


@pytest.mark.unmeasured
async def test_a_pause_of_the_server_is_seen_from_outside() -> None:
    async with a_fleet(vehicles=4, token_lifetime=1e6) as fleet, watch(fleet.accounts, every=EVERY) as updates:
        await updates_of(updates, 15 * MINUTES)
        fleet.simulator.script(ScriptedFault(fault=TooManyRequests(retry_after="7200")))
        await updates_of(updates, 60 * MINUTES)
        limiter = fleet.client.limiter.statistics
        assert limiter.pauses == 1
        assert 50 * MINUTES < limiter.paused_for <= 7_200
        assert updates.statistics.silent_for > 50 * MINUTES
        assert updates.statistics.overdue > 0


@pytest.mark.unmeasured
async def test_a_slow_consumer_is_seen_from_outside() -> None:
    """Its buffer is full, so that no polls start."""
    async with (
        a_fleet(vehicles=4) as fleet,
        watch(fleet.accounts, every=EVERY, repeats=True, buffer=8) as updates,
    ):
        await until(updates, Update)
        await anyio.sleep(60 * MINUTES)
        statistics = updates.statistics
        assert statistics.waiting >= 8
        assert statistics.silent_for > 45 * MINUTES
        assert statistics.lag > 30 * MINUTES
        assert (statistics.outage, fleet.client.limiter.statistics.waiting) == (None, 0)
