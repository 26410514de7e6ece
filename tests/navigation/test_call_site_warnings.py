"""Lines of the program that warnings point at."""

import _thread
import threading
import warnings
from types import SimpleNamespace
from typing import Any

import anyio
import pytest

from stellantis_hal.navigation.call_site_warnings import (
    CallSite,
    call_site,
    called_from,
    site_among,
    warn_at,
    warn_caller,
)

SITE = CallSite("program.py", 12, "program", {})


def test_a_warning_points_at_a_site_and_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    with pytest.warns(UserWarning, match="some text") as caught:
        warn_at(SITE, "some text", UserWarning)
    assert (caught[0].filename, caught[0].lineno) == ("program.py", 12)
    assert [(record.levelname, record.message) for record in caplog.records] == [("WARNING", "some text")]


@pytest.mark.warnings_as_errors
def test_a_warning_that_is_an_error_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    warn_caller("some text", UserWarning)
    assert [(record.levelname, record.message) for record in caplog.records] == [("ERROR", "some text")]


def test_filters_apply_to_the_module_of_the_program() -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.filterwarnings("ignore", module="program")
        warn_at(SITE, "some text", UserWarning)
        warnings.filterwarnings("default", module="program")
        warn_at(SITE, "other text", UserWarning)
        warn_at(SITE, "other text", UserWarning)
    assert [str(warning.message) for warning in caught] == ["other text"]


def test_a_thread_without_a_program_has_a_site() -> None:
    """No frame of it is outside of the package, as in a thread that an extension module starts."""
    namespace: dict[str, Any] = {"__name__": "stellantis_hal.made_up", "call_site": call_site, "sites": []}
    done = namespace["done"] = threading.Event()
    exec("def body():\n    sites.append(call_site())\n    done.set()", namespace)
    _thread.start_new_thread(namespace["body"], ())
    assert done.wait(10)
    assert [site.filename for site in namespace["sites"]] == ["sys"]


def test_a_stack_without_frames_has_a_site(monkeypatch: pytest.MonkeyPatch) -> None:
    """An interpreter need not support frames."""
    monkeypatch.setattr("inspect.currentframe", lambda: None)
    assert call_site().filename == "sys"


def test_a_site_has_the_registry_of_its_module() -> None:
    """There the filter "default" remembers what was issued."""
    site = call_site()
    assert (site.filename, site.module) == (__file__, __name__)
    assert site.registry is globals()["__warningregistry__"]


@pytest.mark.anyio
async def test_a_task_of_the_package_points_at_what_started_it() -> None:
    namespace: dict[str, Any] = {"__name__": "stellantis_hal.made_up", "call_site": call_site, "sites": []}
    exec("async def body():\n    sites.append(call_site())", namespace)
    async with anyio.create_task_group() as tasks:
        with called_from(SITE):
            tasks.start_soon(namespace["body"])
        tasks.start_soon(namespace["body"])
    assert len(namespace["sites"]) == 2
    assert sum(site is SITE for site in namespace["sites"]) == 1  # tasks start in any order


def frames_of(*modules: str | None) -> Any:
    """Return frames of modules, the innermost first, each at a line of its own; None is one without a name."""
    return [
        (
            SimpleNamespace(
                f_globals={} if module is None else {"__name__": module},
                f_code=SimpleNamespace(co_filename=f"{module}.py"),
            ),
            line,
        )
        for line, module in enumerate(modules, 1)
    ]


@pytest.mark.parametrize(
    ("modules", "line"),
    [
        (["program"], 1),
        (["stellantis_hal.navigation.walk", "program.part", "other"], 2),
        (["stellantis_hal", "contextlib", "outcome", "anyio.abc", "asyncio.tasks", "trio", "uvloop", "program"], 8),
        (["stellantis_hal_more", "program"], 1),
        (["stellantis_hal", None], 2),
    ],
)
def test_the_site_is_the_first_line_outside(modules: list[str | None], line: int) -> None:
    frames = frames_of(*modules)
    site = site_among(frames, None)
    assert site == CallSite(f"{modules[line - 1]}.py", line, str(modules[line - 1]), {})
    assert site.registry is frames[line - 1][0].f_globals["__warningregistry__"]
    assert site_among(frames, None).registry is site.registry


@pytest.mark.parametrize("loop", ["asyncio.events", "trio._core", "anyio", "uvloop.loop"])
def test_behind_an_event_loop_the_site_started_the_task(loop: str) -> None:
    assert site_among(frames_of("stellantis_hal.a", loop, "program"), SITE) is SITE
    assert site_among(frames_of("stellantis_hal.a", "program", loop), SITE).filename == "program.py"


def test_without_a_program_the_site_is_unknown() -> None:
    assert site_among([], None) == site_among(frames_of("stellantis_hal.a"), None) == CallSite("sys", 1, "sys", {})
    assert site_among(frames_of("contextlib"), SITE) is SITE
