"""The command ``demo --processes`` with a Redis server."""

import pytest

from stellantis_hal.cli.processes_demo import ProcessesDemoSettings, show_processes
from tests.conformance.redis_server import REDIS


@pytest.mark.wall_clock
def test_processes_share_the_limit_by_redis() -> None:
    if REDIS is None:
        pytest.skip("redis-server is not installed")
    settings = ProcessesDemoSettings(processes=3, per_second=20, seconds=3.0, seed=7, redis=REDIS)
    result = show_processes(settings, lambda second, tallies: None, lambda number: None)
    assert (result.store, result.refused) == ("redis", 0)
    assert result.responses > 0
