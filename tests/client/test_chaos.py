"""On a server's worst days every trip is delivered exactly once."""

import pytest

from tests.client.chaos import chaos


@pytest.mark.anyio
@pytest.mark.parametrize("seed", [1, 2])
async def test_every_trip_is_delivered_exactly_once_whatever_goes_wrong(seed: int) -> None:
    outcome = await chaos(requests=600, seed=seed, vehicles=8)
    assert outcome.delivered == outcome.expected
    assert outcome.faults > 20
