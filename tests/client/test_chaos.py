"""Reading trips from a server with faults."""

import pytest

from tests.client.chaos import chaos
from tests.support.profiles import deep


@pytest.mark.anyio
@pytest.mark.parametrize("seed", [1, deep(2)])
async def test_faults_lose_and_repeat_no_trip(seed: int) -> None:
    """Every trip is delivered exactly once."""
    outcome = await chaos(requests=600, seed=seed, vehicles=8)
    assert outcome.delivered == outcome.expected
    assert outcome.faults > 20
