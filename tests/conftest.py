"""Backends and markers of the tests: each asynchronous test runs on asyncio and on trio, in jumped time by default."""

import gc
import logging
import os
import sys
import threading
from collections.abc import Generator, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from coverage import Coverage

from tests.support.clocks import BACKENDS, jumping, real
from tests.support.profiles import load_profiles

load_profiles()

_PROXY_VARIABLES = {"all_proxy", "http_proxy", "https_proxy", "no_proxy", "stellantis_hal_proxy"}
CONFORMANCE = Path(__file__).parent / "conformance"


def pytest_configure(config: pytest.Config) -> None:
    """Stop the first of two measurements of coverage in a worker of xdist.

    pytest-cov starts one before and one at the start of the session there; only the second is saved. While the second
    one is stopped, the first would go on, at the same cost.
    """
    first = Coverage.current() if hasattr(config, "workerinput") else None
    if first is not None:
        first.stop()


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Measure no coverage while a test marked ``unmeasured`` is set up, runs and is reported.

    Trace functions are exchanged: ``Coverage.stop`` and ``start`` take longer than most tests.
    """
    if item.get_closest_marker("unmeasured") is None or Coverage.current() is None:
        return (yield)
    of_this_thread, of_new_threads = sys.gettrace(), threading.gettrace()
    sys.settrace(None)
    threading.settrace(None)
    try:
        return (yield)
    finally:
        threading.settrace(of_new_threads)
        sys.settrace(of_this_thread)


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Collect no garbage while tests are collected, and exclude these tests from later collections of garbage."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


def pytest_xdist_auto_num_workers() -> int:
    """Return one more than the cores: a core has work while the tests of a worker wait in real time."""
    return len(os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else range(os.cpu_count() or 1)) + 1


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests that need a counterpart, by their folder, and measure coverage on one event loop where both run.

    Measuring triples the time of a test. What only trio reaches has tests that run on trio alone, or a test marked
    ``both_loops_measured``. Long scenarios are marked ``unmeasured``: shorter tests reach the same lines.
    """
    on_asyncio = {_without_backend(item) for item in items if _backend_of(item) == "asyncio"}
    for item in items:
        if CONFORMANCE in item.path.parents:
            item.add_marker(pytest.mark.conformance)
        is_second = _backend_of(item) == "trio" and _without_backend(item) in on_asyncio
        is_twice = is_second and item.get_closest_marker("both_loops_measured") is None
        if is_twice or item.get_closest_marker("scenario") is not None:
            item.add_marker(pytest.mark.unmeasured)


def _backend_of(item: pytest.Item) -> str | None:
    callspec = getattr(item, "callspec", None)
    backend = None if callspec is None else callspec.params.get("anyio_backend")
    return backend if isinstance(backend, str) else None


def _without_backend(item: pytest.Item) -> str:
    """Return the id of a test without its backend, the same for both."""
    return item.nodeid.replace("trio", "asyncio")


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
