"""Commands of the simulated API: refusals, courses, changes of the car."""

import json
from typing import Any

import anyio
import httpx
import pytest

from stellantis_hal.simulator import CommandCourseDeviation, Simulator, World
from stellantis_hal.simulator.api.remote_body_checks import check_remote
from stellantis_hal.simulator.api.request_context import Refusal
from stellantis_hal.simulator.world.car_actions import CarActions

pytestmark = pytest.mark.anyio

HOOK = {"label": "garage", "callback": {"webhook": {"name": "g", "target": "https://hooks.example.org/st"}}}
LOCK = {"label": "a", "door": {"state": "Locked"}}
UNLOCK = {"door": {"state": "Unlocked"}}
SEED = 6  # of a world whose vehicle is electric


class Api:
    """An account holder of the simulated API."""

    def __init__(self, *, scope: tuple[str, ...] | None = None, **options: Any) -> None:
        self.simulator = Simulator(World(seed=SEED, vehicles=1, trips=3), **options)
        holder = self.simulator.world.accounts[0]
        options = {} if scope is None else {"scope": scope}
        self._headers = {
            "Authorization": f"Bearer {self.simulator.token_for(holder, **options).access_token}",
            "x-introspect-realm": holder.realm,
        }
        self.vehicle = self.simulator.world.vehicles[0]
        self.car = self.simulator.world.car(self.vehicle)
        self.callback = ""

    async def send(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        async with httpx.AsyncClient(transport=self.simulator.transport()) as client:
            url = f"{self.simulator.url}{path}?client_id={self.simulator.client_id}"
            response = await client.request(method, url, headers=self._headers, json=body)
        return response.status_code, json.loads(response.content) if response.content else None

    async def register(self, **changes: Any) -> str:
        _, answer = await self.send("POST", "/user/callbacks", {**HOOK, **changes})
        self.callback = answer["callbackId"]
        return self.callback

    @property
    def path(self) -> str:
        return f"/user/vehicles/{self.vehicle.id}/callbacks/{self.callback}/remotes"

    async def post(self, body: Any) -> str:
        status, answer = await self.send("POST", self.path, body)
        assert status == 202, answer
        return str(answer["remoteActionId"])

    async def read(self, id_: str) -> dict[str, Any]:
        status, answer = await self.send("GET", f"{self.path}/{id_}")
        assert status == 200
        return dict(answer)

    async def outcome(self, body: Any) -> tuple[str | None, str | None]:
        """Return the status, and its cause, a minute after a command."""
        id_ = await self.post(body)
        await anyio.sleep(60)
        answer = await self.read(id_)
        return answer.get("status"), answer.get("failureCause")

    def events(self) -> list[dict[str, Any]]:
        """Return the status of each event raised so far."""
        pending = self.simulator.outbox.pending.get(self.callback, [])
        return [event.message["remoteEvent"]["eventStatus"] for event in pending]


async def test_a_command_walks_its_course_and_changes_the_car() -> None:
    api = Api()
    await api.register()
    id_ = await api.post(UNLOCK)
    seen = []
    for _ in range(40):
        await anyio.sleep(0.5)
        status = (await api.read(id_)).get("status")
        if status is not None and status not in seen:
            seen.append(status)
    assert seen == ["Accepted", "WakingUpVehicle", "SentToVehicle", "Success"]
    assert [event["status"] for event in api.events()] == seen
    assert [event["type"] for event in api.events()] == ["Pending"] * 3 + ["Done"]
    _, status = await api.send("GET", f"/user/vehicles/{api.vehicle.id}/status")
    assert status["doorsState"]["lockedStates"] == ["Unlocked"]
    assert api.car.wake_ups == 1
    _, listed = await api.send("GET", api.path)
    assert [item["remoteActionId"] for item in listed["_embedded"]["remoteActions"]] == [id_]
    assert listed["_embedded"]["remoteActions"][0]["remote"] == UNLOCK
    assert await api.outcome(UNLOCK) == ("AlreadyDone", None)


EFFECTS: list[tuple[dict[str, Any], str, Any]] = [
    ({"horn": {"state": "Activated"}}, "horn_until", None),
    ({"lights": {"on": True}}, "lights_until", None),
    ({"wakeUp": {"action": "WakeUp"}}, "reachable", True),
    ({"navigation": {"positions": [{"type": "Point", "coordinates": [2.3, 48.8]}]}}, "destination", None),
    ({"charging": {"preferences": {"level": "Level2", "type": "Partial"}}}, "charge_type", "Partial"),
    ({"charging": {"schedule": {"nextDelayedTime": "2030-01-01T22:00:00Z"}}}, "charge_at", None),
    ({"charging": {"schedule": {"chargingEndTime": "2030-01-01T22:00:00Z"}}}, "ends_charges", True),
    (
        {"charging": {"schedule": {"programs": [{"start": "PT22H", "end": "PT6H", "occurence": {"day": ["Mon"]}}]}}},
        "charge_programs",
        None,
    ),
    ({"preconditioning": {"airConditioning": {"immediate": True}}}, "climate_until", None),
    (
        {
            "preconditioning": {
                "airConditioning": {
                    "programs": [{"slot": 1, "enabled": True, "start": "PT7H30M", "occurence": {"day": ["Mon"]}}]
                }
            }
        },
        "climate_programs",
        None,
    ),
]


@pytest.mark.parametrize(("body", "control", "value"), EFFECTS)
async def test_each_action_changes_the_car(body: dict[str, Any], control: str, value: Any) -> None:
    api = Api()
    await api.register()
    assert await api.outcome(body) == ("Success", None)
    changed = getattr(api.car.controls, control)
    assert changed if value is None else changed == value


async def test_programs_are_deleted_and_charges_stopped() -> None:
    api = Api()
    await api.register()
    assert (await api.outcome(EFFECTS[-1][0]))[0] == "Success"
    delete = {"preconditioning": {"airConditioning": {"programs": [{"slot": 1, "actionsType": "Delete"}]}}}
    assert (await api.outcome(delete))[0] == "Success"
    assert api.car.controls.climate_programs == ()
    api.car.plug_in()
    assert (await api.outcome({"charging": {"immediate": True}}))[0] == "Success"
    assert api.car.is_charging
    assert (await api.outcome({"charging": {"immediate": False}}))[0] == "Success"
    assert api.car.state.charging is not None
    assert api.car.state.charging.status == "Stopped"
    assert (await api.outcome({"charging": {"schedule": {"immediate": True}}}))[0] == "Success"
    assert (await api.outcome({"charging": {"schedule": {"immediate": False}}}))[0] == "Success"
    assert (await api.outcome({"preconditioning": {"airConditioning": {"immediate": False}}}))[0] == "AlreadyDone"


REFUSED: list[Any] = [
    {},
    {"door": {"state": "Locked"}, "horn": {"state": "Activated"}},
    {"door": {"state": "Ajar"}},
    {"door": "Locked"},
    {"label": 3, "door": {"state": "Locked"}},
    {"horn": {"state": "on"}},
    {"lights": {"on": "yes"}},
    {"wakeUp": {"action": "Sleep"}},
    {"navigation": {"positions": []}},
    {"navigation": {"positions": [{"type": "Point", "coordinates": [2.3, "48"]}]}},
    {"navigation": {"positions": [{"type": "Line", "coordinates": [2.3, 48]}]}},
    {"navigation": {"positions": ["here"]}},
    {"charging": {}},
    {"charging": {"immediate": 1}},
    {"charging": {"immediate": True, "preferences": {"level": "Level1"}}},
    {"charging": {"preferences": {}}},
    {"charging": {"preferences": {"level": "Level9"}}},
    {"charging": {"schedule": {}}},
    {"charging": {"schedule": 3}},
    {"charging": {"schedule": {"nextDelayedTime": "PT22H"}}},
    {"charging": {"schedule": {"nextDelayedTime": "2030-01-01T22:00:00Z", "immediate": True}}},
    {"charging": {"schedule": {"immediate": "now"}}},
    {"charging": {"schedule": {"chargingEndTimeEnabled": "no"}}},
    {"charging": {"schedule": {"chargingEndTimeEnabled": True}}},
    {"charging": {"schedule": {"programs": [{"start": "PT25H", "occurence": {"day": []}}]}}},
    {"charging": {"schedule": {"programs": ["PT22H"]}}},
    {"preconditioning": {"airConditioning": {}}},
    {"preconditioning": {"airConditioning": {"immediate": "now"}}},
    {"preconditioning": {"airConditioning": {"programs": [{"slot": 7}]}}},
    {"preconditioning": {"airConditioning": {"programs": [{"slot": 1, "actionsType": "Change"}]}}},
    {"preconditioning": {"airConditioning": {"programs": [{"slot": 1, "actionsType": "Delete"}] * 2}}},
    {"immobilization": {"activate": True}},
    {"stolen": {"stolen": True}},
]
FLEET_REFUSED: list[Any] = [
    {"immobilization": {"activate": "yes"}},
    {"stolen": {}},
    {"stolen": {"stolen": "yes"}},
    {"stolen": {"stolen": True, "immobilization": {"activate": True}}},
    {"stolen": {"immobilization": {}}},
    {"stolen": {"trackingPeriod": 5}},
    {"stolen": {"trackingPeriod": {"running": 1}}},
    {"stolen": {"trackingPeriod": {"shutdown": "60"}}},
]


@pytest.mark.parametrize("body", FLEET_REFUSED)
def test_bodies_of_fleet_owners_are_checked_too(body: Any) -> None:
    with pytest.raises(Refusal):
        check_remote(body, is_fleet=True)
    assert check_remote({"stolen": {"trackingPeriod": {"running": 5}}}, is_fleet=True) == "stolen"


@pytest.mark.parametrize("body", REFUSED)
async def test_bodies_off_the_specification_are_refused(body: Any) -> None:
    api = Api()
    await api.register()
    status, answer = await api.send("POST", api.path, body)
    assert (status, answer["code"]) == (400, 40000)
    assert api.simulator.remotes.commands == ()


async def test_other_refusals_of_a_post() -> None:
    api = Api()
    assert (await api.send("POST", api.path.replace("//", "/none/"), LOCK))[0] == 404
    await api.register(type=["Monitor"])
    assert (await api.send("POST", api.path, LOCK))[0] == 400
    await api.register(type=["Remote"])
    id_ = await api.post(LOCK)
    assert (await api.send("GET", f"{api.path}/none"))[0] == 404
    assert (await api.send("DELETE", f"{api.path}/{id_}"))[0] == 405
    limited = Api(scope=("data:telemetry", "remote:horn:write"))
    await limited.register()
    assert (await limited.send("POST", limited.path, LOCK))[0] == 403
    assert (await limited.send("POST", limited.path, {"horn": {"state": "Activated"}}))[0] == 202


async def test_causes_come_from_the_state_of_the_car() -> None:
    api = Api()
    await api.register()
    api.car.open_door()
    assert await api.outcome(LOCK) == ("Failed", "DoorsOpen")
    api.car.close_doors()
    api.car.set_privacy("Full")
    assert await api.outcome(LOCK) == ("Failed", "NotPossibleDueToVehiclePrivacyLevel")
    api.car.set_privacy("None")
    await anyio.sleep(600)
    api.car.set_reachable(False)
    assert await api.outcome(LOCK) == ("Failed", "VehicleConnectionTimeout")
    api.car.set_reachable(True)
    api.car.set_battery(20)
    assert await api.outcome(LOCK) == ("VehicleBatteryChargeTooLow", None)
    api.car.set_battery(90)
    api.car.wake_ups_per_month = api.car.wake_ups
    assert await api.outcome(LOCK) == ("Failed", "TooManyWakeUpsOverMonth")
    api.simulator.remotes.order(CommandCourseDeviation(blocks=True))
    assert await api.outcome(LOCK) == ("TooManyWakeUpsOverMonth", None)


async def test_a_value_that_the_car_does_not_take_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: CarActions) -> bool:
        raise ValueError("no such lock")

    api = Api()
    await api.register()
    monkeypatch.setattr(CarActions, "lock", refuse)
    assert await api.outcome(LOCK) == ("Failed", "WrongCommand")


async def test_the_same_action_is_refused_while_one_is_under_way() -> None:
    api = Api()
    await api.register()
    first, second = await api.post(LOCK), await api.post(UNLOCK)
    await anyio.sleep(60)
    assert (await api.read(first))["status"] == "AlreadyDone"
    assert (await api.read(second))["failureCause"] == "SameActionInProgress"


async def test_courses_to_order() -> None:
    api = Api()
    await api.register()
    remotes = api.simulator.remotes
    remotes.order(CommandCourseDeviation(stops_at="Accepted"))
    assert await api.outcome({"horn": {"state": "Activated"}}) == ("Accepted", None)
    assert remotes.next_due is None
    remotes.order(
        CommandCourseDeviation(failure="GeneralError"),
        CommandCourseDeviation(before="Teleporting", skips=("Accepted",)),
    )
    assert await api.outcome(UNLOCK) == ("Failed", "GeneralError")
    before = len(api.events())
    assert await api.outcome(LOCK) == ("AlreadyDone", None)
    statuses = [event["status"] for event in api.events()[before:]]
    assert statuses == ["Teleporting", "WakingUpVehicle", "SentToVehicle", "AlreadyDone"]
    for events, expected in (("reversed", ["AlreadyDone", "SentToVehicle", "Accepted"]), ("none", [])):
        before = len(api.events())
        remotes.order(CommandCourseDeviation(events=events))
        assert (await api.outcome(LOCK))[0] == "AlreadyDone"
        assert [event["status"] for event in api.events()[before:]] == expected
    before = len(api.events())
    remotes.order(CommandCourseDeviation(events="doubled"))
    await api.outcome(LOCK)
    assert len(api.events()) - before == 6
    assert remotes.commands[0].type == "Horn"
    assert remotes.commands[1].is_done
    assert remotes.commands[2].label == "a"
