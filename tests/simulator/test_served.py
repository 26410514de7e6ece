"""The simulator behind a socket, in the loop of the program that uses it."""

import asyncio
import logging
import signal
import socket
from pathlib import Path
from urllib.parse import urlsplit

import anyio
import httpx
import pytest
import trustme

from stellantis_hal import StellantisClient
from stellantis_hal.simulator import Delay, ScriptedFault, Simulator, TlsFiles, World
from tests.support.simulated import account_of, application_of

pytestmark = [pytest.mark.anyio, pytest.mark.wall_clock]
ASYNCIO = pytest.mark.parametrize("anyio_backend", ["asyncio"], indirect=True)


def make_simulator() -> Simulator:
    return Simulator(World(seed=7, trips=3))


def is_open(url: str) -> bool:
    parts = urlsplit(url)
    with socket.socket() as probe:
        return probe.connect_ex((parts.hostname, parts.port)) == 0


@ASYNCIO
async def test_served_answers_a_client_with_its_defaults() -> None:
    simulator = make_simulator()
    async with simulator.served() as url:
        assert url == simulator.url
        assert url.startswith("http://127.0.0.1:")
        async with StellantisClient(
            application_of(simulator), base_url=url, identity_url=simulator.identity_url, clock=simulator.now
        ) as client:
            vehicles = [vehicle.id async for vehicle in account_of(client, simulator).vehicles()]
    assert vehicles == [simulator.world.vehicles[0].id]
    assert not is_open(url)
    assert simulator.url == "https://api.simulator.test/connectedcar/v4"


@ASYNCIO
async def test_served_twice_at_once_has_two_ports() -> None:
    async with make_simulator().served() as one, make_simulator().served() as other:
        assert one != other
        assert is_open(one)
        assert is_open(other)


@ASYNCIO
async def test_served_raises_the_errors_of_the_block_as_they_are() -> None:
    url = ""
    with pytest.raises(KeyError, match="mine"):
        async with make_simulator().served() as url:
            raise KeyError("mine")
    assert not is_open(url)


@ASYNCIO
@pytest.mark.parametrize("natively", [False, True])
async def test_cancelled_server_closes_its_port(natively: bool) -> None:
    """A request in progress is cancelled, and no task stays."""
    simulator = make_simulator()
    simulator.script(ScriptedFault(fault=Delay(seconds=3_600)))
    url = ""
    before = asyncio.all_tasks()

    async def use(started: anyio.Event) -> None:
        nonlocal url
        async with simulator.served() as url, httpx.AsyncClient(trust_env=False) as http:
            started.set()
            await http.get(f"{url}/user", timeout=None)

    started = anyio.Event()
    if natively:
        task = asyncio.create_task(use(started))
        await started.wait()
        await anyio.sleep(0.05)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    else:
        async with anyio.create_task_group() as group:
            group.start_soon(use, started)
            await started.wait()
            await anyio.sleep(0.05)
            group.cancel_scope.cancel()
    assert not is_open(url)
    assert asyncio.all_tasks() == before
    assert simulator.url == "https://api.simulator.test/connectedcar/v4"


@ASYNCIO
async def test_a_request_in_progress_ends_with_the_server() -> None:
    """A slow response that outlives the block does not keep it, and its task ends with it."""
    simulator = make_simulator()
    simulator.script(ScriptedFault(fault=Delay(seconds=3_600)))
    before = asyncio.all_tasks()
    statuses = list[int]()
    async with (
        httpx.AsyncClient(trust_env=False) as http,
        anyio.create_task_group() as group,
        simulator.served() as url,
    ):

        async def request() -> None:
            statuses.append((await http.get(f"{url}/user", timeout=30)).status_code)

        group.start_soon(request)
        while not simulator.statistics.peak:  # noqa: ASYNC110
            await anyio.sleep(0.01)
    assert statuses == [500]
    assert asyncio.all_tasks() == before


@ASYNCIO
async def test_signals_and_loggers_stay_those_of_the_program() -> None:
    handler, level = signal.getsignal(signal.SIGINT), logging.getLogger("uvicorn.error").level
    async with make_simulator().served():
        assert signal.getsignal(signal.SIGINT) is handler
    assert logging.getLogger("uvicorn.error").level == level


@ASYNCIO
async def test_served_over_tls(tmp_path: Path) -> None:
    authority = trustme.CA()
    issued = authority.issue_cert("127.0.0.1")
    issued.private_key_pem.write_to_path(tmp_path / "key.pem")
    issued.cert_chain_pems[0].write_to_path(tmp_path / "certificate.pem")
    tls = TlsFiles(certificate=str(tmp_path / "certificate.pem"), key=str(tmp_path / "key.pem"))
    async with make_simulator().served(tls=tls) as url:
        assert url.startswith("https://127.0.0.1:")


@ASYNCIO
async def test_served_at_a_used_port_raises_os_error() -> None:
    async with make_simulator().served() as url:
        with pytest.raises(OSError, match="in use"):
            async with make_simulator().served(port=urlsplit(url).port or 0):
                raise AssertionError("not reached")


@pytest.mark.both_loops_measured
@pytest.mark.parametrize("anyio_backend", ["trio"], indirect=True)
async def test_served_on_trio_says_that_uvicorn_cannot() -> None:
    with pytest.raises(RuntimeError, match=r"transport=simulator\.transport"):
        async with make_simulator().served():
            raise AssertionError("not reached")
