"""Reading trips from a server with faults."""

import pytest

from tests.client.chaos import chaos
from tests.support.profiles import deep


@pytest.mark.unmeasured
@pytest.mark.anyio
@pytest.mark.parametrize(("seed", "requests"), [(1, 200), deep(1, 600), deep(2, 600)])
@pytest.mark.long
async def test_faults_lose_and_repeat_no_trip(seed: int, requests: int) -> None:
    """Every trip is delivered exactly once."""
    outcome = await chaos(requests=requests, seed=seed, vehicles=8)
    assert outcome.delivered == outcome.expected
    assert outcome.faults > requests / 30
