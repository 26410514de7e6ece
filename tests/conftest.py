"""Every asynchronous test runs on asyncio and on trio, in jumped time unless it asks for the wall clock."""

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import Phase, settings

from tests.support.clocks import BACKENDS, jumping, real

settings.register_profile("default", deadline=None)
settings.register_profile("deep", deadline=None, max_examples=20_000)
settings.register_profile(
    "mutants",
    deadline=None,
    max_examples=15,
    derandomize=True,
    database=None,
    phases=(Phase.explicit, Phase.generate),
)
settings.load_profile("default")


@pytest.fixture(params=BACKENDS)
def anyio_backend(request: pytest.FixtureRequest) -> tuple[str, Mapping[str, Any]]:
    """Name the backend, its clock included."""
    clock = real if request.node.get_closest_marker("wall_clock") else jumping
    return clock(request.param)
