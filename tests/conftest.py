"""Backends and markers of the tests: each asynchronous test runs on asyncio and on trio, in jumped time by default."""

import functools
import gc
import importlib
import inspect
import logging
import os
import pkgutil
import sys
import threading
import time
from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from coverage import Coverage

import stellantis_hal
from tests.support.clocks import BACKENDS, jumping, real
from tests.support.profiles import load_profiles

load_profiles()

_PROXY_VARIABLES = {"all_proxy", "http_proxy", "https_proxy", "no_proxy", "stellantis_hal_proxy"}
CONFORMANCE = Path(__file__).parent / "conformance"


class _Measurement:
    """Coverage that is measured only where lines of the package run for a test; elsewhere it triples each step.

    Trace functions are exchanged: ``Coverage.stop`` and ``start`` take longer than most tests.
    """

    def __init__(self) -> None:
        self._trace_functions: tuple[Any, Any] | None = None

    def suspend(self) -> None:
        """Measure nothing, until ``of`` or ``resume``."""
        if Coverage.current() is not None:
            self._trace_functions = (sys.gettrace(), threading.gettrace())
            _set_trace_functions(None, None)

    def resume(self) -> None:
        """Measure again."""
        if self._trace_functions is not None:
            _set_trace_functions(*self._trace_functions)
            self._trace_functions = None

    @contextmanager
    def of(self, item: pytest.Item) -> Generator[None]:
        """Measure the body, unless the test is marked ``unmeasured``."""
        if self._trace_functions is None or item.get_closest_marker("unmeasured") is not None:
            yield
            return
        _set_trace_functions(*self._trace_functions)
        try:
            yield
        finally:
            _set_trace_functions(None, None)

    @contextmanager
    def of_examples(self, item: pytest.Item) -> Generator[None]:
        """Measure the test itself, and not how hypothesis generates its examples."""
        handle = item.obj.hypothesis  # type: ignore[attr-defined]
        before = handle.inner_test
        is_async = inspect.iscoroutinefunction(before)

        @functools.wraps(before)
        async def measured_async(*args: Any, **kwargs: Any) -> None:
            with self.of(item):
                await before(*args, **kwargs)

        @functools.wraps(before)
        def measured(*args: Any, **kwargs: Any) -> None:
            with self.of(item):
                before(*args, **kwargs)

        handle.inner_test = measured_async if is_async else measured
        try:
            yield
        finally:
            handle.inner_test = before


def _set_trace_functions(of_this_thread: Any, of_new_threads: Any) -> None:
    sys.settrace(of_this_thread)
    threading.settrace(of_new_threads)


_measurement = _Measurement()


def pytest_configure(config: pytest.Config) -> None:
    """Stop the first of two measurements of coverage in a worker of xdist.

    pytest-cov starts one before and one at the start of the session there; only the second is saved. While the second
    one is stopped, the first would go on, at the same cost.
    """
    first = Coverage.current() if hasattr(config, "workerinput") else None
    if first is not None:
        first.stop()


@pytest.hookimpl(wrapper=True)
def pytest_collection(session: pytest.Session) -> Generator[None, object, object]:
    """Measure the import of each module, once; collect tests without measurement and without collecting garbage.

    The tests are excluded from later collections of garbage.
    """
    worker: dict[str, Any] | None = getattr(session.config, "workerinput", None)
    if worker is None and Coverage.current() is not None:
        for module in pkgutil.walk_packages(stellantis_hal.__path__, "stellantis_hal."):
            importlib.import_module(module.name)
    _measurement.suspend()
    gc.disable()
    try:
        if worker is not None and session.config.args == session.config.getini("testpaths"):
            _import_tests(int(worker["workerid"].removeprefix("gw")), worker["workercount"])
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Collect no conformance tests where the default selection is run: it has none of them."""
    is_default = config.args == config.getini("testpaths") and "not conformance" in config.option.markexpr
    return True if is_default and collection_path == CONFORMANCE else None


def _import_tests(worker: int, workers: int) -> None:
    """Import the modules of tests in another order than other workers do.

    Workers start at the same time, and pytest rewrites the assertions of each module at its first import.
    In the same order, each worker would rewrite them all.
    """
    folder = Path(__file__).parent
    names = sorted(
        ".".join(path.relative_to(folder.parent).with_suffix("").parts)
        for path in folder.rglob("test_*.py")
        if CONFORMANCE not in path.parents
    )
    first = len(names) * worker // workers
    for name in names[first:] + names[:first]:
        with suppress(Exception, pytest.skip.Exception):  # pytest imports it again, and tells of an error
            importlib.import_module(name)


@pytest.hookimpl(wrapper=True, trylast=True)
def pytest_fixture_setup(request: pytest.FixtureRequest) -> Generator[None, object, object]:
    """Measure fixtures."""
    with _measurement.of(request.node):
        return (yield)


@pytest.hookimpl(wrapper=True, trylast=True)
def pytest_runtest_teardown(item: pytest.Item) -> Generator[None, object, object]:
    """Measure the end of fixtures."""
    with _measurement.of(item):
        return (yield)


def pytest_sessionfinish() -> None:
    """Leave coverage as it was started."""
    _measurement.resume()


def pytest_xdist_auto_num_workers() -> int:
    """Return one more than the cores: a core has work while the tests of a worker wait in real time."""
    return len(os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else range(os.cpu_count() or 1)) + 1


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests that need a counterpart, by their folder, and measure coverage on one event loop where both run.

    Measuring triples the time of a test. What only trio reaches has tests that run on trio alone, or a test marked
    ``both_loops_measured``. Long scenarios are marked ``unmeasured``: shorter tests reach the same lines. Tests marked
    ``long`` are scenarios on trio.
    """
    conformance = f"{CONFORMANCE.relative_to(items[0].config.rootpath).as_posix()}/" if items else ""
    on_asyncio = {_without_backend(item) for item in items if _backend_of(item) == "asyncio"}
    for item in items:
        if item.nodeid.startswith(conformance):
            item.add_marker(pytest.mark.conformance)
        is_second = _backend_of(item) == "trio" and _without_backend(item) in on_asyncio
        if is_second and item.get_closest_marker("long") is not None:
            item.add_marker(pytest.mark.scenario)
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


@pytest.fixture
def in_new_york(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let the machine be in a zone that is not UTC."""
    if not hasattr(time, "tzset"):
        pytest.skip("the system has no zone to set")
    with monkeypatch.context() as elsewhere:
        elsewhere.setenv("TZ", "America/New_York")
        time.tzset()
        yield
    time.tzset()


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


@pytest.hookimpl(wrapper=True, trylast=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, object, object]:
    """Measure a test, and fail it for a warning that it does not expect, as ``filterwarnings = error`` is to do."""
    _raised_warnings.messages.clear()
    is_property = hasattr(getattr(item, "obj", None), "hypothesis")
    with _measurement.of_examples(item) if is_property else _measurement.of(item):
        result = yield
    if item.get_closest_marker("warnings_as_errors") is None:
        assert not _raised_warnings.messages
    return result
