"""Control address: a small HTTP API beside the simulated one, which shows and changes the simulator."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import attrs

from stellantis_hal.simulator.api.http_messages import format_instant
from stellantis_hal.simulator.faults.fault_plan import Latency, ScriptedFault
from stellantis_hal.simulator.faults.named import FAULTS, find_fault, parse_duration, random_fault
from stellantis_hal.simulator.serving.asgi import Receive, Scope, Send
from stellantis_hal.simulator.world.car_actions import CarActions, CarRefusal
from stellantis_hal.simulator.world.entities import Trip, Vehicle
from stellantis_hal.simulator.world.world import World

if TYPE_CHECKING:
    from stellantis_hal.simulator.simulator import Simulator

__all__ = ["ControlApplication", "TwoPortApplication"]

_MAX_BODY = 65_536
_LARGEST = 1_000_000_000
_PAGE = 100  # vehicles of a response


@attrs.frozen
class _Response:
    status: int
    body: Any


class _ControlError(Exception):
    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


_Act = Callable[[World, CarActions, Mapping[str, Any]], Any]

_ACTS: Mapping[str, tuple[tuple[str, ...], _Act]] = {
    "add_alert": (("type",), lambda world, car, values: _add_alert(world, car, **values)),
    "close_doors": ((), lambda world, car, values: car.close_doors()),
    "drive": (("km", "minutes"), lambda world, car, values: world.drive(car.vehicle, **values)),
    "immobilize": (("active",), lambda world, car, values: car.immobilize(**values)),
    "lock": ((), lambda world, car, values: car.lock()),
    "open_door": (("door",), lambda world, car, values: car.open_door(**values)),
    "park": ((), lambda world, car, values: world.park(car.vehicle)),
    "plug_in": ((), lambda world, car, values: car.plug_in()),
    "report": ((), lambda world, car, values: car.report()),
    "set_battery": (("percent",), lambda world, car, values: car.set_battery(**values)),
    "set_privacy": (("state",), lambda world, car, values: car.set_privacy(**values)),
    "set_reachable": (("reachable",), lambda world, car, values: car.set_reachable(**values)),
    "set_stolen": (("stolen",), lambda world, car, values: car.set_stolen(**values)),
    "start_charging": ((), lambda world, car, values: car.start_charging()),
    "start_climate": ((), lambda world, car, values: car.start_climate()),
    "stop_charging": ((), lambda world, car, values: car.stop_charging()),
    "stop_climate": ((), lambda world, car, values: car.stop_climate()),
    "unlock": ((), lambda world, car, values: car.unlock()),
    "unplug": ((), lambda world, car, values: car.unplug()),
    "wake": ((), lambda world, car, values: car.wake()),
}
"""Acts upon a vehicle by name, with the names of their arguments."""

_NEEDED: Mapping[str, str] = {
    "drive": "km",
    "set_battery": "percent",
    "set_privacy": "state",
    "set_reachable": "reachable",
    "set_stolen": "stolen",
}
"""Arguments without a default, by act."""

_TYPES: Mapping[str, type] = {
    "active": bool,
    "door": str,
    "km": float,
    "minutes": float,
    "percent": float,
    "reachable": bool,
    "state": str,
    "stolen": bool,
    "type": str,
}


class ControlApplication:
    """ASGI application of the control address of a simulator.

    ``GET /`` shows the state, ``GET /vehicles`` and ``GET /vehicles/{id}`` show vehicles, ``POST /clock``,
    ``POST /faults``, ``POST /tokens`` and ``POST /vehicles/{id}/{act}`` change things. Bodies are JSON objects.
    Requests of web pages are refused.
    """

    def __init__(self, simulator: Simulator) -> None:
        self._simulator = simulator

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http":
            raise ValueError(f"ASGI scope type must be 'http', not {scope['type']!r}")
        try:
            if any(name == b"origin" for name, _ in scope["headers"]):
                raise _ControlError(403, "requests of web pages are refused")
            response = self._respond(scope["method"], scope["path"], scope["query_string"], await _body_of(receive))
        except _ControlError as error:
            response = _Response(error.status, {"error": str(error)})
        except CarRefusal as refusal:
            response = _Response(409, {"error": str(refusal), "cause": refusal.cause})
        except ValueError as error:
            response = _Response(409 if scope["path"].startswith("/vehicles/") else 400, {"error": str(error)})
        body = json.dumps(response.body, ensure_ascii=False).encode()
        headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": response.status, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    def _respond(self, method: str, path: str, query: bytes, body: Mapping[str, Any]) -> _Response:
        match (method, *(part for part in path.split("/") if part)):
            case ("GET",):
                return _Response(200, self._state())
            case ("GET", "vehicles"):
                first = _first(query)
                found = self._simulator.world.vehicles[first : first + _PAGE]
                return _Response(200, {"vehicles": [self._vehicle(vehicle) for vehicle in found]})
            case ("GET", "vehicles", id_):
                return _Response(200, self._vehicle(self._find(id_)))
            case ("POST", "vehicles", id_, act):
                return self._act(self._find(id_), act, body)
            case ("POST", "clock"):
                return self._set_clock(body)
            case ("POST", "faults"):
                return self._set_faults(body)
            case ("POST", "tokens"):
                return self._issue(body)
            case (_, *rest) if rest and rest[0] not in {"vehicles", "clock", "faults", "tokens"}:
                raise _ControlError(404, "there are /, /vehicles, /vehicles/{id}, /clock, /faults and /tokens")
            case _:
                raise _ControlError(405, "GET shows /, /vehicles and /vehicles/{id}; POST changes the others")

    # ------------------------------------------------------------------ state

    def _state(self) -> dict[str, Any]:
        simulator = self._simulator
        day, second = simulator.remaining
        return {
            "now": format_instant(simulator.now()),
            "speed": simulator.speed,
            "url": simulator.url,
            "world": repr(simulator.world),
            "vehicles": len(simulator.world.vehicles),
            "requests": simulator.statistics.requests,
            "remaining": {"day": day, "second": second},
            "faults": {"random": simulator.random_faults, "known": list(FAULTS)},
            "acts": {name: list(arguments) for name, (arguments, _) in _ACTS.items()},
        }

    def _vehicle(self, vehicle: Vehicle) -> dict[str, Any]:
        car = self._simulator.world.car(vehicle.id)
        state = car.state
        body: dict[str, Any] = {
            "id": vehicle.id,
            "vin": vehicle.vin,
            "account": vehicle.account,
            "motorization": vehicle.motorization,
            "at": format_instant(state.at),
            "moving": state.moving,
            "awake": car.is_awake,
            "locked": state.locked,
            "odometer": state.mileage,
            "levels": {energy.type: energy.level for energy in state.levels},
            "position": [state.spot.longitude, state.spot.latitude],
            "trips": self._simulator.world.trip_count(vehicle.id),
            "wakeUps": car.wake_ups,
        }
        if state.charging is not None:
            body["charging"] = {"plugged": state.charging.plugged, "status": state.charging.status}
        return body

    def _find(self, vehicle: str) -> Vehicle:
        try:
            return self._simulator.world.vehicle(vehicle)
        except KeyError:
            raise _ControlError(404, f"no vehicle has the id {vehicle!r}: GET /vehicles lists them") from None

    # ------------------------------------------------------------------ changes

    def _act(self, vehicle: Vehicle, act: str, body: Mapping[str, Any]) -> _Response:
        if act not in _ACTS:
            raise _ControlError(404, f"there is no act {act!r}: they are {', '.join(_ACTS)}")
        arguments, function = _ACTS[act]
        _check(body, arguments)
        needed = _NEEDED.get(act)
        if needed is not None and needed not in body:
            raise _ControlError(400, f"{act} needs {needed}")
        done = function(self._simulator.world, self._simulator.world.car(vehicle.id), body)
        changed = done if isinstance(done, bool) else True
        facts = {"changed": changed, "vehicle": self._vehicle(vehicle)}
        return _Response(200, facts | ({"trip": done.id} if isinstance(done, Trip) else {}))

    def _set_clock(self, body: Mapping[str, Any]) -> _Response:
        simulator = self._simulator
        if not body or not body.keys() <= {"advance", "speed"}:
            raise _ControlError(400, 'the clock takes {"advance": "2h"}, {"speed": 60}, or both')
        if "speed" in body:
            simulator.set_speed(_number(body, "speed"))
        if "advance" in body:
            simulator.advance(timedelta(seconds=parse_duration(str(body["advance"]))))
        return _Response(200, {"now": format_instant(simulator.now()), "speed": simulator.speed})

    def _set_faults(self, body: Mapping[str, Any]) -> _Response:
        if not body or not body.keys() <= {"random", "latency", "next"}:
            raise _ControlError(400, 'faults take {"random": {"cut-body": 0.1}, "latency": "50ms", "next": […]}')
        rates, steps = body.get("random", {}), body.get("next", [])
        if not isinstance(rates, dict) or not isinstance(steps, list):
            raise _ControlError(400, "random is an object of rates by name, next a list of objects")
        random = [random_fault(name, _number(rates, name)) for name in rates]
        script = [_step(step) for step in steps]
        latency = None if "latency" not in body else Latency(parse_duration(str(body["latency"])))
        self._simulator.set_faults(random=random if "random" in body else None, latency=latency)
        self._simulator.script(*script)
        return _Response(200, {"random": self._simulator.random_faults, "next": len(script)})

    def _issue(self, body: Mapping[str, Any]) -> _Response:
        world = self._simulator.world
        key = body.get("account", world.accounts[0].key)
        try:
            account = world.account(key)
        except (KeyError, AttributeError):
            raise _ControlError(404, f"there is no account {key!r}") from None
        issued = self._simulator.token_for(account)
        return _Response(
            200,
            {
                "account": account.key,
                "realm": account.realm,
                "access_token": issued.access_token,
                "refresh_token": issued.refresh_token,
                "expires_at": format_instant(issued.expires_at),
            },
        )


class TwoPortApplication:
    """ASGI application of one server on two ports: the simulated API, and the control address."""

    def __init__(self, api: Callable[..., Any], control: ControlApplication, port: int) -> None:
        self._api, self._control, self._port = api, control, port

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand a request to the application of its port."""
        is_control = scope["type"] == "http" and scope["server"][1] == self._port
        await (self._control if is_control else self._api)(scope, receive, send)


async def _body_of(receive: Receive) -> Mapping[str, Any]:
    body, more = b"", True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
        if len(body) > _MAX_BODY:
            raise _ControlError(413, f"a body has at most {_MAX_BODY} bytes")
    if not body.strip():
        return {}
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        raise _ControlError(400, "the body is no JSON") from None
    if not isinstance(value, dict):
        raise _ControlError(400, "the body must be a JSON object")
    return value


def _first(query: bytes) -> int:
    name, _, number = query.decode("latin-1").partition("=")
    if not query:
        return 0
    if name != "first" or not number.isdecimal() or len(number) > 9:
        raise _ControlError(400, "vehicles are listed 100 at a time: ?first=100 goes on")
    return int(number)


def _number(values: Mapping[str, Any], name: str) -> float:
    value = values[name]
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise _ControlError(400, f"{name} must be a number, not {value!r}")
    if not abs(value) <= _LARGEST:  # NaN too
        raise _ControlError(400, f"{name} must be a number of at most {_LARGEST:,}")
    return float(value)


def _check(body: Mapping[str, Any], arguments: tuple[str, ...]) -> None:
    for name, value in body.items():
        if name not in arguments:
            raise _ControlError(400, f"unknown argument {name!r}; there are: {', '.join(arguments) or 'none'}")
        kind = _TYPES[name]
        if kind is float:
            _number(body, name)
        elif not isinstance(value, kind):
            raise _ControlError(400, f"{name} must be of type {kind.__name__}, not {value!r}")


def _add_alert(world: World, car: CarActions, type: str = "FuelLevelLow") -> None:  # noqa: A002 - as the body names it
    world.add_alert(car.vehicle, type)


def _step(step: Any) -> ScriptedFault:
    if not isinstance(step, dict) or not step.keys() <= {"fault", "path", "times"}:
        raise _ControlError(400, 'a step is {"fault": "reset", "path": "/trips", "times": 2}')
    path, times = step.get("path", ""), step.get("times", 1)
    if not isinstance(path, str) or isinstance(times, bool) or not isinstance(times, int) or times < 1:
        raise _ControlError(400, "path is a text, times a number from 1")
    return ScriptedFault(fault=find_fault(str(step.get("fault"))), path=re.escape(path), times=times)
