"""The simulator as ASGI application and over a socket; its clock."""

import asyncio
import socket
import ssl
import threading
from collections.abc import Generator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import anyio
import attrs
import httpx
import pytest
import trustme

from stellantis_hal.simulator import (
    BackendVariant,
    ConnectionRefused,
    CutBody,
    Delay,
    Fault,
    Faults,
    Latency,
    Reset,
    ScriptedFault,
    Simulator,
    SlowBody,
    TlsFiles,
    World,
    WrongLength,
    serve,
    server,
)
from stellantis_hal.simulator.clock import Clock
from tests.simulator.api_client import ApiClient


def make_simulator(*faults: Fault, latency: float = 0.0, **options: Any) -> Simulator:
    injector = Faults(script=[ScriptedFault(fault=fault) for fault in faults], latency=Latency(fixed=latency))
    return Simulator(World(seed=3, vehicles=2, trips=200), faults=injector, **options)


def build_request(simulator: Simulator, url: str, method: str = "GET") -> httpx.Request:
    return httpx.Request(method, f"{url}?client_id={simulator.client_id}", headers=ApiClient(simulator).headers)


async def asgi(simulator: Simulator, *, method: str = "GET") -> httpx.Response:
    """Send requests through httpx's ASGI transport."""
    transport = httpx.ASGITransport(app=simulator.asgi)
    request = build_request(simulator, "http://host.test:81/connectedcar/v4/user", method)
    response = await transport.handle_async_request(request)
    await response.aread()
    return response


@contextmanager
def serving(simulator: Simulator, tls: TlsFiles | None = None) -> Generator[str]:
    running, listening = server(simulator, tls=tls)
    thread = threading.Thread(target=running.run, kwargs={"sockets": [listening]})
    thread.start()
    try:
        yield simulator.url
    finally:
        running.should_exit = True
        thread.join(10)
        listening.close()


# ---------------------------------------------------------------------- ASGI


@pytest.mark.anyio
async def test_asgi_responds_as_the_transport_does() -> None:
    simulator = make_simulator()
    response = await asgi(simulator)
    expected = await ApiClient(simulator).body("/user")
    assert response.json()["email"] == expected["email"]
    assert response.headers["X-RateLimit-Limit-2"] == "100"


@pytest.mark.anyio
async def test_asgi_links_have_the_requests_host() -> None:
    links = (await asgi(make_simulator())).json()["_links"]
    assert links["self"]["href"] == "http://host.test:81/connectedcar/v4/user"


@pytest.mark.anyio
@pytest.mark.parametrize("method", ["HEAD"])
async def test_head_response_has_no_body(method: str) -> None:
    response = await asgi(make_simulator(), method=method)
    assert (response.content, int(response.headers["Content-Length"]) > 0) == (b"", True)
    api = ApiClient(make_simulator())
    assert (await api.get("/user", method=method)).content == b""


@pytest.mark.anyio
async def test_asgi_has_latency_and_delays() -> None:
    began = anyio.current_time()
    await asgi(make_simulator(Delay(2.0), latency=3.0))
    assert 5.0 <= anyio.current_time() - began < 5.5


@pytest.mark.anyio
async def test_asgi_has_slow_bodies() -> None:
    began = anyio.current_time()
    assert (await asgi(make_simulator(SlowBody(seconds=2.0, pieces=2)))).json()["email"]
    assert anyio.current_time() - began >= 4.0


@pytest.mark.anyio
async def test_asgi_passes_forms_to_the_identity_server() -> None:
    simulator = make_simulator()
    simulator.set_origin("http://host.test")
    token = simulator.token_for("account-0000")
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=simulator.asgi)) as client:
        response = await client.post(
            f"{simulator.identity_url}/access_token?realm=clientsB2CPeugeot",
            data={"grant_type": "refresh_token", "refresh_token": token.refresh_token},
            auth=(simulator.client_id, simulator.client_secret),
        )
    assert response.json()["token_type"] == "Bearer"


@pytest.mark.anyio
async def test_asgi_handles_the_lifespan() -> None:
    arriving = iter([{"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}])
    sent: list[str] = []

    async def receive() -> Any:
        return next(arriving)

    async def send(message: Any) -> None:
        sent.append(message["type"])

    await make_simulator().asgi({"type": "lifespan"}, receive, send)
    assert sent == ["lifespan.startup.complete", "lifespan.shutdown.complete"]


@pytest.mark.anyio
async def test_asgi_refuses_other_protocols() -> None:
    async def never(*_: Any) -> Any:
        raise AssertionError

    with pytest.raises(ValueError, match="websocket"):
        await make_simulator().asgi({"type": "websocket"}, never, never)


# ---------------------------------------------------------------------- sockets


def test_server_sets_the_simulators_url() -> None:
    simulator = make_simulator(latency=0.001)
    with serving(simulator) as url, httpx.Client() as client:
        response = client.send(build_request(simulator, f"{url}/user"))
        again = response.json()["_links"]["self"]["href"]
        assert again == f"{url}/user"
        assert client.send(build_request(simulator, again)).status_code == 200
        assert response.headers.get_list("Date") != []
        assert simulator.identity_url == url.replace("/connectedcar/v4", "/am/oauth2")


@pytest.mark.parametrize(
    "fault", [ConnectionRefused(), Reset(), Reset(counted=False), CutBody(), WrongLength(7)], ids=repr
)
def test_socket_connection_faults_break_off_the_response(fault: Fault) -> None:
    simulator = make_simulator(fault)
    with serving(simulator) as url, httpx.Client() as client:
        with pytest.raises(httpx.RemoteProtocolError):
            client.send(build_request(simulator, f"{url}/user"))
        assert client.send(build_request(simulator, f"{url}/user")).status_code == 200


def test_socket_wrong_length_truncates_the_body() -> None:
    simulator = make_simulator(WrongLength(-9))
    with serving(simulator) as url, httpx.Client() as client:
        response = client.send(build_request(simulator, f"{url}/user"))
        assert len(response.content) == int(response.headers["Content-Length"])


def test_socket_keeps_page_tokens_unchanged() -> None:
    simulator = make_simulator(variant=BackendVariant())
    car = simulator.world.vehicles[0].id
    with serving(simulator) as url, httpx.Client() as client:
        links = client.send(build_request(simulator, f"{url}/user/vehicles/{car}/trips")).json()["_links"]
        following = httpx.Request(
            "GET", f"{links['next']['href']}&client_id={simulator.client_id}", headers=ApiClient(simulator).headers
        )
        assert client.send(following).json()["currentPage"] == 2


@pytest.fixture
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def pem(authority: trustme.CA, tmp_path: Path) -> TlsFiles:
    files = TlsFiles(certificate=f"{tmp_path}/own.pem", key=f"{tmp_path}/own.key", authority=f"{tmp_path}/ca.pem")
    own = authority.issue_cert("127.0.0.1")
    own.cert_chain_pems[0].write_to_path(files.certificate)
    own.private_key_pem.write_to_path(files.key)
    authority.cert_pem.write_to_path(f"{tmp_path}/ca.pem")
    return files


def ssl_context(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.create_default_context()
    authority.configure_trust(context)
    return context


def test_tls_url_is_https(authority: trustme.CA, pem: TlsFiles) -> None:
    simulator = make_simulator()
    with (
        serving(simulator, attrs.evolve(pem, authority=None)) as url,
        httpx.Client(verify=ssl_context(authority)) as client,
    ):
        links = client.send(build_request(simulator, f"{url}/user")).json()["_links"]
    assert links["self"]["href"] == f"{url}/user"
    assert url.startswith("https://127.0.0.1:")


@pytest.mark.unmeasured
def test_mutual_tls_requires_a_client_certificate(authority: trustme.CA, pem: TlsFiles) -> None:
    simulator = make_simulator()
    known = ssl_context(authority)
    authority.issue_cert("client.test").configure_cert(known)
    with serving(simulator, pem) as url:
        with httpx.Client(verify=known) as client:
            assert client.send(build_request(simulator, f"{url}/user")).status_code == 200
        with httpx.Client(verify=ssl_context(authority)) as client, pytest.raises(httpx.TransportError):
            client.send(build_request(simulator, f"{url}/user"))


def test_the_clock_of_a_server_starts_without_a_request(monkeypatch: pytest.MonkeyPatch) -> None:
    read = threading.Event()
    simulator = make_simulator()
    monkeypatch.setattr(simulator, "now", read.set)
    with serving(simulator):
        assert read.wait(10)


def test_small_responses_are_sent_without_delay() -> None:
    _, listening = server(make_simulator())
    with listening:
        assert listening.proto == socket.IPPROTO_TCP


def test_port_in_use_raises_os_error() -> None:
    simulator = make_simulator()
    _, listening = server(simulator)
    with listening, pytest.raises(OSError, match=r"."):
        serve(make_simulator(), port=listening.getsockname()[1])


def test_serve_runs_until_the_server_should_exit(monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[int] = []

    def run(_: Any, sockets: list[Any]) -> None:
        ran.append(sockets[0].getsockname()[1])

    monkeypatch.setattr("uvicorn.Server.run", run)
    simulator = make_simulator()
    serve(simulator, port=0)
    assert simulator.url == f"http://127.0.0.1:{ran[0]}/connectedcar/v4"


@pytest.mark.anyio
@pytest.mark.parametrize(("accepted", "encoding"), [("br, gzip", "gzip"), ("identity", None)])
async def test_bodies_are_compressed_where_accepted(accepted: str, encoding: str | None) -> None:
    api = ApiClient(make_simulator(variant=BackendVariant(compresses=True)))
    response = await api.get("/user", accept_encoding=accepted)
    assert response.headers.get("Content-Encoding") == encoding
    assert response.json()["email"] == api.account.email


# ---------------------------------------------------------------------- clocks


@pytest.mark.anyio
async def test_wall_clock_advances_with_the_event_loop() -> None:
    epoch = datetime(2026, 5, 1, tzinfo=UTC)
    clock = Clock(epoch=epoch)
    assert clock.now().wall == epoch
    await anyio.sleep(3600)
    now = clock.now()
    assert now.wall - epoch == timedelta(seconds=now.tick)
    assert 3600 <= now.tick < 3601


def test_clock_stands_still_outside_an_event_loop() -> None:
    clock = Clock()
    assert clock.now() == clock.now()


@pytest.mark.anyio
async def test_given_wall_clock_is_used() -> None:
    noon = datetime(2030, 1, 1, 12, tzinfo=UTC)
    simulator = make_simulator(clock=lambda: noon)
    await anyio.sleep(60)
    assert simulator.now() == noon


def test_default_clock_starts_at_the_real_time() -> None:
    assert abs((make_simulator().now() - datetime.now(UTC)).total_seconds()) < 60


class ShiftedLoop(asyncio.SelectorEventLoop):
    """An event loop whose clock is ahead."""

    shift = 1e6

    def time(self) -> float:
        return super().time() + self.shift


def test_the_clock_goes_on_in_each_event_loop() -> None:
    """Each loop counts from an instant of its own: one that is far ahead stops no other."""
    clock = Clock()

    async def read() -> float:
        return clock.now().tick

    with asyncio.Runner(loop_factory=ShiftedLoop) as ahead, asyncio.Runner() as runner:
        assert ahead.run(read()) == 0.0
        assert runner.run(read()) < 1e5
        ShiftedLoop.shift += 1e5
        assert ahead.run(read()) >= 1e5
        with asyncio.Runner(loop_factory=ShiftedLoop) as newest:
            started = newest.run(read())
            ShiftedLoop.shift += 7.0
            assert newest.run(read()) >= started + 7.0
