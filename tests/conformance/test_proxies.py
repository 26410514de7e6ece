"""Requests through pproxy, a proxy written by others, over sockets.

It needs, at ``STELLANTIS_HAL_PPROXY_PYTHON``, a Python that has ``pproxy``.
"""

import os
import sys
import threading
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

import pytest
import trustme

from stellantis_hal import HalClient, NetworkError, RetryPolicy, Tls
from stellantis_hal.simulator import Simulator, TlsFiles, server
from tests.conformance.processes import free_port, running
from tests.support.simulated import account_of, client_of, world
from tests.support.sockets import write_certificates

PYTHON = os.environ.get("STELLANTIS_HAL_PPROXY_PYTHON", "")
LOGIN = "driver:pa55word"
ONCE = RetryPolicy(attempts=1)

pytestmark = [pytest.mark.anyio, pytest.mark.wall_clock]
needs_socks = pytest.mark.skipif(find_spec("socksio") is None, reason="the extra `socks` is not installed")


@pytest.fixture(params=["default", "httpx"], autouse=True)
def library(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Use aiohttp where it can be used, then httpx alone."""
    if request.param == "httpx":
        monkeypatch.setitem(sys.modules, "stellantis_hal.transport.backends.aiohttp_client", None)


@contextmanager
def listening(scheme: str, login: str = "") -> Generator[str, None, None]:
    """Run a proxy; yield its host and port."""
    if not Path(PYTHON).is_file():
        pytest.skip("STELLANTIS_HAL_PPROXY_PYTHON must be a Python with pproxy (pip install pproxy)")
    port = free_port()
    command = [PYTHON, "-m", "pproxy", "-l", f"{scheme}://127.0.0.1:{port}{login and '#'}{login}"]
    with running(command, port) as url:
        yield url.partition("://")[2]


@pytest.fixture(scope="module")
def proxy() -> Iterator[str]:
    with listening("http", LOGIN) as address:
        yield address


@pytest.fixture(scope="module")
def socks() -> Iterator[str]:
    with listening("socks5", LOGIN) as address:
        yield address


@contextmanager
def simulated(tls: TlsFiles | None = None) -> Generator[Simulator, None, None]:
    simulator = Simulator(world())
    serving, listener = server(simulator, tls=tls)
    thread = threading.Thread(target=serving.run, kwargs={"sockets": [listener]})
    thread.start()
    try:
        yield simulator
    finally:
        serving.should_exit = True
        thread.join(60)
        listener.close()


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    authority = trustme.CA()
    folder = write_certificates(authority, tmp_path_factory.mktemp("tls"))
    own = authority.issue_cert("127.0.0.1")
    own.private_key_pem.write_to_path(str(folder / "own.key"))
    own.cert_chain_pems[0].write_to_path(str(folder / "own.pem"))
    return folder


@pytest.fixture(scope="module")
def secured(files: Path) -> Iterator[Simulator]:
    """Serve the simulated API with mutual TLS."""
    own = TlsFiles(certificate=str(files / "own.pem"), key=str(files / "own.key"), authority=str(files / "ca.pem"))
    with simulated(own) as simulator:
        yield simulator


@pytest.fixture(scope="module")
def plain() -> Iterator[Simulator]:
    with simulated() as simulator:
        yield simulator


@pytest.fixture
def tls(files: Path) -> Tls:
    return Tls(certificate=(files / "client.pem", files / "client.key"), authorities=files / "ca.pem")


async def read_trips(simulator: Simulator, proxy: str | None, tls: Tls | None = None) -> int:
    """Return the number of trips, all read through a proxy: tunnels and connections are reused."""
    count = 0
    async with client_of(simulator, transport=None, tls=tls, proxy=proxy) as client:
        async for vehicle in account_of(client, simulator).vehicles():
            async for _ in vehicle.trips():
                count += 1
    return count


async def test_a_tunnel_carries_mutual_tls(secured: Simulator, proxy: str, tls: Tls) -> None:
    assert await read_trips(secured, f"http://{LOGIN}@{proxy}", tls) == 3


async def test_http_is_forwarded(plain: Simulator, proxy: str) -> None:
    assert await read_trips(plain, f"http://{LOGIN}@{proxy}") == 3


async def test_the_environment_names_the_proxy(
    secured: Simulator, proxy: str, tls: Tls, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", f"http://{LOGIN}@{proxy}")
    assert await read_trips(secured, None, tls) == 3
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("NO_PROXY", "127.0.0.0/8")
    assert await read_trips(secured, None, tls) == 3


@needs_socks
async def test_socks_carries_mutual_tls(secured: Simulator, socks: str, tls: Tls) -> None:
    assert await read_trips(secured, f"socks5://{LOGIN}@{socks}", tls) == 3


@needs_socks
async def test_socks_carries_http(plain: Simulator, socks: str) -> None:
    assert await read_trips(plain, f"socks5h://{LOGIN}@{socks}") == 3


@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize("login", ["", "driver:no@"])
async def test_wrong_credentials_are_told(proxy: str, scheme: str, login: str) -> None:
    """This proxy closes the connection before its response is sent."""
    async with HalClient(f"{scheme}://127.0.0.1:1/", proxy=f"http://{login}{proxy}", retry=ONCE) as client:
        with pytest.raises(NetworkError, match="where a user name and a password are missing or wrong") as caught:
            await client.root()
    assert caught.value.sent == (scheme == "http")
    assert "driver" not in str(caught.value)


@needs_socks
async def test_wrong_credentials_for_socks_are_told(socks: str) -> None:
    async with HalClient("https://127.0.0.1:1/", proxy=f"socks5://driver:no@{socks}", retry=ONCE) as client:
        with pytest.raises(NetworkError) as caught:
            await client.root()
    assert f"the proxy socks5://***@{socks}" in str(caught.value)


async def test_a_server_that_is_not_there_is_told(proxy: str) -> None:
    async with HalClient("https://127.0.0.1:1/", proxy=f"http://{LOGIN}@{proxy}", retry=ONCE) as client:
        with pytest.raises(NetworkError) as caught:
            await client.root()
    assert f"the proxy http://***@{proxy}" in str(caught.value)
