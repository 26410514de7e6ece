"""Backends and markers of the tests: each asynchronous test runs on asyncio and on trio, in jumped time by default."""

import logging
import os
from collections.abc import Generator, Iterator, Mapping
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


class _RaisedWarnings(logging.Handler):
    """Collects warnings of the package that a filter made errors; the package logs them and raises nothing."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.messages: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        if record.module == "notices":
            self.messages.append(record.getMessage())


_raised_warnings = _RaisedWarnings()
logging.getLogger("stellantis_hal").addHandler(_raised_warnings)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, object, object]:
    """Fail a test that causes a warning without expecting it, as ``filterwarnings = error`` is to do."""
    _raised_warnings.messages.clear()
    result = yield
    if item.get_closest_marker("warnings_as_errors") is None:
        assert not _raised_warnings.messages
    return result
