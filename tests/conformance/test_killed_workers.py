"""Worker processes that are killed, stopped, and ended; ``python -m tests.conformance.killing`` runs longer."""

from pathlib import Path

import anyio
import pytest

from tests.conformance.killing import run
from tests.conformance.redis_server import COREDIS_LEAVES_STREAMS

pytestmark = [pytest.mark.wall_clock, pytest.mark.conformance, COREDIS_LEAVES_STREAMS]


@pytest.mark.parametrize("engine", ["postgres", "sqlite", "redis"])
def test_nothing_is_lost_and_nothing_doubled(engine: str, tmp_path: Path) -> None:
    """A kill may deliver one event again; a clean hand-over none."""

    async def act() -> None:
        result = await run(engine, tmp_path, seconds=12.0, trips=80, kills=1, stops=1)
        print(engine, result)
        assert result.stored == result.trips == 100
        assert result.duplicates <= 2
        assert result.after_hand_over == 0
        assert result.delays
        assert max(result.delays) < 15.0  # on a machine that does other things: the figures are those of the tool

    anyio.run(act)
