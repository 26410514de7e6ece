"""Commands against the vendor's OpenAPI files, and against a server that resets connections.

Prism judges each body that the client sends (422 for one off the specification), for account holders and for fleet
owners; hypothesis makes bodies of the schemas of operations, which have to be read. A server of raw sockets reads each
command and resets the connection at every stage of its answer.
"""

from __future__ import annotations

import json
import socket
import struct
import threading
from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime, time, timedelta
from typing import Any

import anyio
import pytest
from hypothesis import HealthCheck, given, settings

from stellantis_hal import (
    Account,
    Application,
    Brand,
    ChargingProgram,
    FleetOwnerClient,
    OutcomeUnknownError,
    Partner,
    Program,
    Remote,
    RemotePolicy,
    StellantisClient,
    StellantisError,
    Token,
    Vehicle,
)
from stellantis_hal.navigation.context import ResourceContext
from stellantis_hal.navigation.entry_point import EntryPoint
from stellantis_hal.navigation.resource import HalResource
from stellantis_hal.resources.control.operation_step import OperationStatus
from stellantis_hal.resources.control.step_history import read_step
from tests.conformance.processes import fleet_specification, free_port, prism, running, specification
from tests.conformance.test_specification_bodies import bodies_of
from tests.resources.derive_facts import load
from tests.resources.served import Served
from tests.support.responses import make_response

NOW = datetime(2026, 1, 1, tzinfo=UTC)
VIN = "VF3ABCDE0FG123456"
EAGER = RemotePolicy(cooldown=timedelta(0), wake_up_spacing=timedelta(0), under_way=timedelta(0))
"""Every command may follow at once, because a mock never ends one."""


def vehicle_of(entry: EntryPoint, url: str) -> Vehicle:
    """Return a vehicle as if it had been read; the links of the mock's own bodies are placeholders."""
    body = {"id": "7", "vin": VIN, "_links": {"self": {"href": url}}}
    read = HalResource.of(make_response(body, url=url), ResourceContext(fetch=Served({})))
    return entry.resume(read).as_(Vehicle)


def later() -> datetime:
    return datetime.now(UTC) + timedelta(hours=5)


COMMON: list[Callable[[Remote], Any]] = [
    lambda remote: remote.doors.lock(label="evening"),
    lambda remote: remote.doors.unlock(),
    lambda remote: remote.horn(),
    lambda remote: remote.horn(on=False),
    lambda remote: remote.lights(on=False),
    lambda remote: remote.wake_up(),
    lambda remote: remote.navigate([(48.86, 2.33), (45.0, -4.5)]),
    lambda remote: remote.charging.start(),
    lambda remote: remote.charging.stop(),
    lambda remote: remote.charging.at(later()),
    lambda remote: remote.charging.until(later()),
    lambda remote: remote.charging.until(None),
    lambda remote: remote.charging.programs([ChargingProgram(start=time(22), end=time(6), days="Mon-Fri")]),
    lambda remote: remote.charging.programs([]),
    lambda remote: remote.charging.prefer(level=5, type="Full"),
    lambda remote: remote.climate.start(),
    lambda remote: remote.climate.stop(),
    lambda remote: remote.climate.set(
        Program(slot=1, at=time(7, 30), days="Mon-Fri"), Program(slot=4, at=time(0), daily=False, enabled=False)
    ),
    lambda remote: remote.climate.delete(1, 2),
]
OF_FLEETS: list[Callable[[Remote], Any]] = [
    lambda remote: remote.immobilize(confirm=VIN),
    lambda remote: remote.stolen.declare(confirm=VIN),
    lambda remote: remote.stolen.clear(confirm=VIN),
    lambda remote: remote.stolen.immobilize(active=False, confirm=VIN),
    lambda remote: remote.stolen.track(running=timedelta(seconds=5), shutdown=timedelta(minutes=1), confirm=VIN),
    lambda remote: remote.charging.programs([ChargingProgram(start=time(22), slot=4)]),
]


@contextmanager
def mock_of(path: str) -> Generator[str]:
    port = free_port()
    with running([prism(), "mock", "-h", "127.0.0.1", "-p", str(port), path], port) as address:
        yield address


@pytest.fixture(scope="module")
def vendor() -> Generator[str]:
    with mock_of(specification()) as address:
        yield address


@pytest.fixture(scope="module")
def fleet_vendor(tmp_path_factory: pytest.TempPathFactory) -> Generator[str]:
    """The file wants a start of programs that are to be deleted, and its text says that the slot is enough."""
    document = load(fleet_specification())
    document["components"]["schemas"]["Program"].pop("required")
    path = tmp_path_factory.mktemp("specification") / "fleets.json"
    path.write_text(json.dumps(document, default=str))
    with mock_of(str(path)) as address:
        yield address


@pytest.mark.anyio
@pytest.mark.wall_clock
async def test_every_body_of_an_account_is_accepted(vendor: str) -> None:
    async with StellantisClient(Application("my-client-id"), base_url=vendor, policy=EAGER) as client:
        account = client.account(Token("my-token"), brand=Brand.PEUGEOT)
        remote = vehicle_of(account, f"{vendor}/user/vehicles/7").remote("a1b2")
        for send in COMMON:
            assert (await send(remote)).id
        assert isinstance([each async for each in remote.operations()], list)
        operation = await remote.doors.lock()
        await operation.read_once()
        assert operation.steps[0].status.is_known


@pytest.mark.anyio
@pytest.mark.wall_clock
async def test_every_body_of_a_fleet_owner_is_accepted(fleet_vendor: str) -> None:
    partner = Partner("my-client-id", login="MZP123456", password="secret")
    async with FleetOwnerClient(partner, base_url=fleet_vendor, policy=EAGER) as client:
        remote = vehicle_of(client, f"{fleet_vendor}/fleets/9/vehicles/7").remote("a1b2")
        for send in (*COMMON, *OF_FLEETS):
            assert (await send(remote)).id


@pytest.mark.anyio
@pytest.mark.wall_clock
@pytest.mark.parametrize(
    "body",
    [
        {"door": {"state": "Ajar"}},
        {"lights": {"on": "yes"}},
        {"navigation": {"positions": []}},
        {"charging": {"preferences": {"level": "Level9"}}},
        {"preconditioning": {"airConditioning": {"programs": [{"slot": 7, "actionsType": "Delete"}]}}},
    ],
)
async def test_bodies_off_the_specification_are_refused(vendor: str, fleet_vendor: str, body: Any) -> None:
    """Without this, a mock that judges nothing would pass the tests above."""
    async with StellantisClient(Application("my-client-id"), base_url=vendor) as client:
        account = client.account(Token("my-token"), brand=Brand.PEUGEOT)
        with pytest.raises(StellantisError, match="422"):
            await account.request("POST", f"{vendor}/user/vehicles/7/callbacks/a1/remotes", json=body)
    partner = Partner("my-client-id", login="MZP123456", password="secret")
    async with FleetOwnerClient(partner, base_url=fleet_vendor) as owner:
        with pytest.raises(StellantisError, match="422"):
            await owner.request("POST", f"{fleet_vendor}/fleets/9/vehicles/7/callbacks/a1/remotes", json=body)


# ------------------------------------------------------------------------------------------------- reading


@pytest.mark.parametrize("find", [specification, fleet_specification])
def test_operations_made_from_the_schema_are_read(find: Callable[[], str]) -> None:
    @settings(
        max_examples=100,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
    )
    @given(bodies_of(load(find()), "RemoteAction"))
    def check(body: Any) -> None:
        step = read_step(body, source="poll", at=NOW)
        assert (step is None) == ("status" not in body)
        if step is not None:
            assert step.status in tuple(OperationStatus)
            assert step.cause is None or step.cause.is_known

    check()


# ------------------------------------------------------------------------------------------------- resets

ANSWER_BODY = b'{"remoteActionId":"a1b2","type":"Doors","_links":{"remote":{"href":"/r/a1b2"}}}'
ANSWER = b"HTTP/1.1 202 Accepted\r\nContent-Type: application/hal+json\r\nContent-Length: %d\r\n\r\n%b" % (
    len(ANSWER_BODY),
    ANSWER_BODY,
)


class ResettingServer:
    """A server that reads each request to its end, sends a part of the answer, and resets the connection.

    Attributes:
        kept: bytes of the answer that are sent.
        received: the requests.
    """

    def __init__(self) -> None:
        self.kept = 0
        self.received: list[bytes] = []
        self._listening = socket.create_server(("127.0.0.1", 0))
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._listening.getsockname()[1]}"

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listening.accept()
            except OSError:
                return
            with connection:
                self.received.append(self._read(connection))
                connection.sendall(ANSWER[: self.kept])
                linger = struct.pack("ii", 1, 0)  # close() resets
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)

    @staticmethod
    def _read(connection: socket.socket) -> bytes:
        data = b""
        while b"\r\n\r\n" not in data:
            data += connection.recv(65_536)
        head, _, body = data.partition(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length:")[2].split()[0])
        while len(body) < length:
            body += connection.recv(65_536)
        return body

    def close(self) -> None:
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        self._thread.join(10)


@pytest.fixture(scope="module")
def resetting() -> Generator[ResettingServer]:
    server = ResettingServer()
    yield server
    server.close()


@asynccontextmanager
async def account_at(address: str) -> AsyncGenerator[Account]:
    async with StellantisClient(Application("my-client-id"), base_url=address, policy=EAGER) as client:
        yield client.account(Token("my-token"), brand=Brand.PEUGEOT)


@pytest.mark.anyio
@pytest.mark.wall_clock
async def test_an_answer_cut_at_every_byte_is_unknown_and_sent_once(resetting: ResettingServer) -> None:
    async with account_at(resetting.url) as account:
        remote = vehicle_of(account, f"{resetting.url}/user/vehicles/7").remote("a1b2")
        for kept in range(len(ANSWER)):
            resetting.kept = kept
            before = len(resetting.received)
            with anyio.fail_after(20):
                with pytest.raises(OutcomeUnknownError) as caught:
                    await remote.doors.lock()
            assert len(resetting.received) == before + 1, kept
            assert caught.value.label.encode() in resetting.received[-1]
