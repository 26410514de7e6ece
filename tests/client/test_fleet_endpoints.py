"""Endpoints for fleet owners: the call that serves each on the simulator, and its line in the documentation."""

import os
import re
import warnings
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from stellantis_hal import HalDeprecationWarning
from stellantis_hal.simulator import Simulator
from stellantis_hal.testing import simulated_fleet_owner
from tests.client.fleet_endpoints import CONTROL, DEPRECATED, READS, find_subjects, full_world, use_control

PAGE = Path(__file__).parents[2] / "docs" / "howto" / "fleet_owners.md"
SPECIFICATION = os.environ.get("STELLANTIS_HAL_FLEET_SPECIFICATION")


class Recorder(httpx.AsyncBaseTransport):
    """Passes requests on, and records the path and the status of each."""

    def __init__(self, simulator: Simulator) -> None:
        self._inner = simulator.transport()
        self.seen: list[tuple[str, str, int]] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        response = await self._inner.handle_async_request(request)
        path = request.url.path.removeprefix("/connectedcar/v3")
        self.seen.append((request.method, path, response.status_code))
        return response


def a_simulator() -> Simulator:
    world = full_world()
    return Simulator(world, epoch=world.epoch + timedelta(days=2))


def pattern(path: str) -> re.Pattern[str]:
    return re.compile(re.sub(r"\{\w+\}", "[^/]+", path))


@pytest.mark.anyio
@pytest.mark.parametrize("path", READS)
@pytest.mark.long
async def test_each_path_is_served_by_its_call(path: str) -> None:
    recorder = Recorder(simulator := a_simulator())
    async with simulated_fleet_owner(simulator, transport=recorder) as client:
        on = await find_subjects(client)
        recorder.seen.clear()
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            found = await READS[path][1](on)
    served = [status for _, seen, status in recorder.seen if pattern(path).fullmatch(seen)]
    assert set(served) == {200} or (path.endswith("/collisions") and served == [404])  # not every trip has one
    assert found or served == [404]
    for value in found if isinstance(found, list) else [found]:
        assert (value.problems, dict(value.extra)) == ((), {})
    assert [warning.category for warning in caught] == [HalDeprecationWarning] * (path in DEPRECATED)


@pytest.mark.unmeasured
@pytest.mark.anyio
async def test_each_request_of_control_is_made_by_its_call() -> None:
    recorder = Recorder(simulator := a_simulator())
    async with simulated_fleet_owner(simulator, transport=recorder) as client:
        on = await find_subjects(client)
        recorder.seen.clear()
        await use_control(on)
    made = {
        (method, template)
        for method, seen, status in recorder.seen
        for _, template in CONTROL
        if pattern(template).fullmatch(seen) and status < 300
    }
    assert made == set(CONTROL)


def test_the_documentation_lists_each_path() -> None:
    text = PAGE.read_text(encoding="utf-8")
    rows = re.findall(r"^\| (GET|POST|PUT|DELETE) `(/\S+)`[^|]*\| `([^`]+)`", text, re.MULTILINE)
    expected = {("GET", path): call for path, (call, _) in READS.items()} | dict(CONTROL)
    assert {(method, path): call for method, path, call in rows} == expected
    assert len(expected) == 47


@pytest.mark.skipif(SPECIFICATION is None, reason="STELLANTIS_HAL_FLEET_SPECIFICATION names no file")
def test_the_specification_has_no_other_paths() -> None:
    yaml = pytest.importorskip("yaml")
    document = yaml.safe_load(Path(SPECIFICATION or "").read_text(encoding="utf-8"))
    methods = {"get", "post", "put", "patch", "delete"}
    found = {
        (method.upper(), path)
        for path, item in document["paths"].items()
        for method in methods & _resolved(document, item).keys()
    }
    assert found == {("GET", path) for path in READS} | set(CONTROL)


def _resolved(document: dict[str, Any], item: dict[str, Any]) -> dict[str, Any]:
    while "$ref" in item:
        found: Any = document
        for part in item["$ref"].removeprefix("#/").split("/"):
            found = found[part.replace("~1", "/").replace("~0", "~")]
        item = found
    return item
