"""Backends and markers of the tests: each asynchronous test runs on asyncio and on trio, in jumped time by default."""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.support.clocks import BACKENDS, jumping, real
from tests.support.profiles import load_profiles

load_profiles()

_PROXY_VARIABLES = {"all_proxy", "http_proxy", "https_proxy", "no_proxy", "stellantis_hal_proxy"}
CONFORMANCE = Path(__file__).parent / "conformance"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests that need a counterpart, by their folder."""
    for item in items:
        if CONFORMANCE in item.path.parents:
            item.add_marker(pytest.mark.conformance)


@pytest.fixture(autouse=True, scope="session")
def without_proxies() -> Iterator[None]:
    """Remove the proxies of the environment: servers of the tests are on this machine."""
    with pytest.MonkeyPatch.context() as patch:
        for name in list(os.environ):
            if name.lower() in _PROXY_VARIABLES:
                patch.delenv(name)
        yield


@pytest.fixture(params=BACKENDS)
def anyio_backend(request: pytest.FixtureRequest) -> tuple[str, Mapping[str, Any]]:
    """Return the backend's name and its options, with a real clock for tests marked ``wall_clock``."""
    clock = real if request.node.get_closest_marker("wall_clock") else jumping
    return clock(request.param)
