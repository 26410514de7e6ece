"""Requests and pages without the extra ``speed``: httpcore and the standard library's JSON.

The libraries of the extra are hidden in this process. Compared with ``httpx.AsyncClient`` and ``json.loads``.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import AsyncExitStack

import anyio

from benchmarks.harness.hidden import SPEED, hide
from benchmarks.harness.optional import import_optional, is_installed
from benchmarks.harness.rounds import cpu, interleaved, run_rounds
from benchmarks.harness.rows import Row, absolute, relative
from benchmarks.harness.scale import Scale
from benchmarks.inputs.trip_bodies import full_page
from benchmarks.servers.simulated_api import SimulatedApi, serve_api

__all__ = ["run"]

_LOADS, _PYDANTIC = "json.loads", "pydantic validate_json"


def run(scale: Scale) -> list[Row]:
    """Measure."""
    hide(*SPEED)
    with serve_api() as api:
        return anyio.run(_measure_requests, api, scale) + _measure_page(scale)


async def _measure_requests(api: SimulatedApi, scale: Scale) -> list[Row]:
    gets = import_optional("benchmarks.inputs.gets")  # after the libraries are hidden
    crowd = import_optional("benchmarks.inputs.crowd")
    rows: list[Row] = []
    for tasks in (1, scale.pick(2, 100, 100, 100)):
        async with AsyncExitStack() as stack:
            functions = {
                gets.OURS: await gets.open_ours(stack, api, "/user"),
                gets.HTTPX: await gets.open_httpx(stack, api, "/user", json.loads),
            }
            each = max(1, scale.pick(2, 100, 200, 600) // tasks)
            candidates = {name: crowd.crowd_cost(get, tasks, each) for name, get in functions.items()}
            found = await interleaved(candidates, scale.pick(1, 3, 5, 9))
        what = f"GET, {tasks} task{'s' if tasks > 1 else ''}, without speed: {gets.OURS}"
        rows += [
            relative(what, "µs CPU", found, gets.OURS, gets.HTTPX),
            absolute(f"{what}, calibrated", "µs CPU", found, gets.OURS),
        ]
    return rows


def _measure_page(scale: Scale) -> list[Row]:
    read_page = import_optional("benchmarks.measured.pages").page_reader()
    content, times = full_page(), scale.pick(1, 3, 5, 10)
    candidates: dict[str, Callable[[], float]] = {
        "page": lambda: cpu(lambda: read_page(content), times),
        _LOADS: lambda: cpu(lambda: json.loads(content), times),
    }
    if is_installed("pydantic"):
        model = import_optional("benchmarks.inputs.trip_models").pydantic_page(keeps_unknown=False)
        candidates[_PYDANTIC] = lambda: cpu(lambda: model.model_validate_json(content), times)
    found = run_rounds(candidates, scale.pick(1, 5, 9, 21))
    reference = _PYDANTIC if _PYDANTIC in found else _LOADS
    return [
        relative("60 full trips, without speed", "µs CPU", found, "page", reference),
        absolute("60 full trips, without speed, calibrated", "µs CPU", found, "page"),
    ]
