"""One Trip, Status, Vehicle, Telemetry of the simulator: from its bytes to a typed value.

Compared with pydantic and msgspec models made from the same body, which use the body's keys. pydantic drops keys that
it does not know; the models know all keys of the body, so none is left to keep.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from benchmarks.harness.optional import import_optional, is_installed
from benchmarks.harness.rounds import cpu, run_rounds
from benchmarks.harness.rows import Figure, Row, absolute, relative
from benchmarks.harness.scale import Scale
from benchmarks.inputs.peer_models import msgspec_type, pydantic_type
from benchmarks.measured import package
from benchmarks.servers.simulated_api import SimulatedApi, serve_api
from stellantis_hal import Status, Telemetry, Trip, Vehicle

__all__ = ["run"]

_PEER, _DECODING = "pydantic validate_json", "decoding alone"


def run(scale: Scale) -> list[Row]:
    """Measure."""
    with serve_api(trips=3) as api:
        bodies = _bodies(api)
    kinds = {Status: bodies[Status]} if scale.is_brief else bodies
    return [row for kind, content in kinds.items() for row in _measure(kind, content, scale)]


def _bodies(api: SimulatedApi) -> dict[Any, bytes]:
    vehicle = f"/user/vehicles/{api.vehicle}"
    return {
        Status: api.body(f"{vehicle}/status"),
        Trip: json.dumps(api.item(f"{vehicle}/trips", "trips")).encode(),
        Vehicle: api.body(vehicle),
        Telemetry: json.dumps(api.item(f"{vehicle}/telemetry", "telemetries")).encode(),
    }


def _measure(kind: Any, content: bytes, scale: Scale) -> list[Row]:
    body = json.loads(content)
    structure, url = package.make_reader(), "https://api.example/thing"
    functions: dict[str, Callable[[], Any]] = {
        "ours": lambda: structure(package.make_resource(url, content), kind),
        _DECODING: lambda: package.decode(content),
    }
    if is_installed("pydantic"):
        model = pydantic_type(body)
        functions[_PEER] = lambda: model.model_validate_json(content)
    if is_installed("msgspec") and not scale.is_brief:
        decoder = import_optional("msgspec").json.Decoder(msgspec_type(body))
        functions["msgspec"] = lambda: decoder.decode(content)
    times = scale.pick(2, 300, 300, 1000)
    found = run_rounds({name: _timer(function, times) for name, function in functions.items()}, scale.pick(1, 9, 9, 21))
    reference = _PEER if _PEER in found else _DECODING
    name, unit = kind.__name__, "µs CPU"
    figure = Figure(most=1.0) if kind is Status and reference == _PEER else None
    rows = [relative(f"{name}: ours", unit, found, "ours", reference, figure=figure)]
    if scale.is_brief:
        return rows
    rows += [
        relative(f"{name}: {other}", unit, found, other, reference)
        for other in functions
        if other not in {"ours", reference}
    ]
    return [*rows, absolute(f"{name}: ours, calibrated", unit, found, "ours")]


def _timer(function: Callable[[], Any], times: int) -> Callable[[], float]:
    return lambda: cpu(function, times)
