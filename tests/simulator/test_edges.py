"""The simulator served as an ASGI application and over a socket, and its clock."""

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
    CutBody,
    Delay,
    Fault,
    Faults,
    Latency,
    Refused,
    Reset,
    ScriptedFault,
    ServerTls,
    Simulator,
    SlowBody,
    World,
    WrongLength,
    serve,
    server,
)
from stellantis_hal.simulator.clock import Clock
from tests.simulator.reader import Reader


def simulated(*faults: Fault, latency: float = 0.0, **options: Any) -> Simulator:
    plan = Faults(script=[ScriptedFault(fault=fault) for fault in faults], latency=Latency(fixed=latency))
    return Simulator(World(seed=3, vehicles=2, trips=200), faults=plan, **options)


def asking(simulator: Simulator, url: str, method: str = "GET") -> httpx.Request:
    return httpx.Request(method, f"{url}?client_id={simulator.client_id}", headers=Reader(simulator).headers)


async def asgi(simulator: Simulator, *, method: str = "GET") -> httpx.Response:
    """Ask through httpx's own ASGI transport, for a host of our own."""
    transport = httpx.ASGITransport(app=simulator.asgi)
    request = asking(simulator, "http://host.test:81/connectedcar/v4/user", method)
    response = await transport.handle_async_request(request)
    await response.aread()
    return response


@contextmanager
def served(simulator: Simulator, tls: ServerTls | None = None) -> Generator[str]:
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
async def test_asgi_answers_as_the_transport_does() -> None:
    simulator = simulated()
    response = await asgi(simulator)
    expected = await Reader(simulator).body("/user")
    assert response.json()["email"] == expected["email"]
    assert response.headers["X-RateLimit-Limit-2"] == "100"


@pytest.mark.anyio
async def test_links_follow_the_host_by_which_asgi_was_reached() -> None:
    links = (await asgi(simulated())).json()["_links"]
    assert links["self"]["href"] == "http://host.test:81/connectedcar/v4/user"


@pytest.mark.anyio
@pytest.mark.parametrize("method", ["HEAD"])
async def test_a_head_has_no_body(method: str) -> None:
    response = await asgi(simulated(), method=method)
    assert (response.content, int(response.headers["Content-Length"]) > 0) == (b"", True)
    reader = Reader(simulated())
    assert (await reader.get("/user", method=method)).content == b""


@pytest.mark.anyio
async def test_latency_and_lateness_delay_asgi_too() -> None:
    began = anyio.current_time()
    await asgi(simulated(Delay(2.0), latency=3.0))
    assert 5.0 <= anyio.current_time() - began < 5.5


@pytest.mark.anyio
async def test_a_slow_body_delays_asgi_too() -> None:
    began = anyio.current_time()
    assert (await asgi(simulated(SlowBody(seconds=2.0, pieces=2)))).json()["email"]
    assert anyio.current_time() - began >= 4.0


@pytest.mark.anyio
async def test_forms_reach_the_identity_server_by_asgi() -> None:
    simulator = simulated()
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
async def test_the_application_follows_the_servers_life() -> None:
    arriving = iter([{"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}])
    sent: list[str] = []

    async def receive() -> Any:
        return next(arriving)

    async def send(message: Any) -> None:
        sent.append(message["type"])

    await simulated().asgi({"type": "lifespan"}, receive, send)
    assert sent == ["lifespan.startup.complete", "lifespan.shutdown.complete"]


@pytest.mark.anyio
async def test_other_protocols_are_refused() -> None:
    async def never(*_: Any) -> Any:
        raise AssertionError

    with pytest.raises(ValueError, match="websocket"):
        await simulated().asgi({"type": "websocket"}, never, never)


# ---------------------------------------------------------------------- sockets


def test_it_serves_over_a_socket_and_its_url_follows() -> None:
    simulator = simulated(latency=0.001)
    with served(simulator) as url, httpx.Client() as client:
        response = client.send(asking(simulator, f"{url}/user"))
        again = response.json()["_links"]["self"]["href"]
        assert again == f"{url}/user"
        assert client.send(asking(simulator, again)).status_code == 200
        assert response.headers.get_list("Date") != []
        assert simulator.identity_url == url.replace("/connectedcar/v4", "/am/oauth2")


@pytest.mark.parametrize("fault", [Refused(), Reset(), Reset(counted=False), CutBody(), WrongLength(7)], ids=repr)
def test_over_a_socket_broken_connections_break_off_within_the_answer(fault: Fault) -> None:
    simulator = simulated(fault)
    with served(simulator) as url, httpx.Client() as client:
        with pytest.raises(httpx.RemoteProtocolError):
            client.send(asking(simulator, f"{url}/user"))
        assert client.send(asking(simulator, f"{url}/user")).status_code == 200


def test_over_a_socket_a_length_too_small_truncates_the_body() -> None:
    simulator = simulated(WrongLength(-9))
    with served(simulator) as url, httpx.Client() as client:
        response = client.send(asking(simulator, f"{url}/user"))
        assert len(response.content) == int(response.headers["Content-Length"])


def test_page_tokens_survive_a_socket() -> None:
    simulator = simulated(variant=BackendVariant())
    car = simulator.world.vehicles[0].id
    with served(simulator) as url, httpx.Client() as client:
        links = client.send(asking(simulator, f"{url}/user/vehicles/{car}/trips")).json()["_links"]
        following = httpx.Request(
            "GET", f"{links['next']['href']}&client_id={simulator.client_id}", headers=Reader(simulator).headers
        )
        assert client.send(following).json()["currentPage"] == 2


@pytest.fixture
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def pem(authority: trustme.CA, tmp_path: Path) -> ServerTls:
    files = ServerTls(certificate=f"{tmp_path}/own.pem", key=f"{tmp_path}/own.key", authority=f"{tmp_path}/ca.pem")
    own = authority.issue_cert("127.0.0.1")
    own.cert_chain_pems[0].write_to_path(files.certificate)
    own.private_key_pem.write_to_path(files.key)
    authority.cert_pem.write_to_path(f"{tmp_path}/ca.pem")
    return files


def trusting(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.create_default_context()
    authority.configure_trust(context)
    return context


def test_over_tls_its_url_is_https(authority: trustme.CA, pem: ServerTls) -> None:
    simulator = simulated()
    with (
        served(simulator, attrs.evolve(pem, authority=None)) as url,
        httpx.Client(verify=trusting(authority)) as client,
    ):
        links = client.send(asking(simulator, f"{url}/user")).json()["_links"]
    assert links["self"]["href"] == f"{url}/user"
    assert url.startswith("https://127.0.0.1:")


def test_mutual_tls_wants_a_client_certificate(authority: trustme.CA, pem: ServerTls) -> None:
    simulator = simulated()
    known = trusting(authority)
    authority.issue_cert("client.test").configure_cert(known)
    with served(simulator, pem) as url:
        with httpx.Client(verify=known) as client:
            assert client.send(asking(simulator, f"{url}/user")).status_code == 200
        with httpx.Client(verify=trusting(authority)) as client, pytest.raises(httpx.TransportError):
            client.send(asking(simulator, f"{url}/user"))


def test_small_answers_are_not_held_back_by_the_socket() -> None:
    _, listening = server(simulated())
    with listening:
        assert listening.proto == socket.IPPROTO_TCP


def test_a_taken_port_is_an_os_error() -> None:
    simulator = simulated()
    _, listening = server(simulator)
    with listening, pytest.raises(OSError, match=r"."):
        serve(simulated(), port=listening.getsockname()[1])


def test_serving_lasts_until_the_server_is_told_to_exit(monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[int] = []

    def run(_: Any, sockets: list[Any]) -> None:
        ran.append(sockets[0].getsockname()[1])

    monkeypatch.setattr("uvicorn.Server.run", run)
    simulator = simulated()
    serve(simulator, port=0)
    assert simulator.url == f"http://127.0.0.1:{ran[0]}/connectedcar/v4"


@pytest.mark.anyio
@pytest.mark.parametrize(("accepted", "encoding"), [("br, gzip", "gzip"), ("identity", None)])
async def test_bodies_are_compressed_for_readers_that_accept_it(accepted: str, encoding: str | None) -> None:
    reader = Reader(simulated(variant=BackendVariant(compresses=True)))
    response = await reader.get("/user", accept_encoding=accepted)
    assert response.headers.get("Content-Encoding") == encoding
    assert response.json()["email"] == reader.account.email


# ---------------------------------------------------------------------- clocks


@pytest.mark.anyio
async def test_the_wall_clock_goes_with_the_backends() -> None:
    epoch = datetime(2026, 5, 1, tzinfo=UTC)
    clock = Clock(epoch=epoch)
    assert clock.now().wall == epoch
    await anyio.sleep(3600)
    now = clock.now()
    assert now.wall - epoch == timedelta(seconds=now.tick)
    assert 3600 <= now.tick < 3601


def test_outside_a_loop_time_stands_still() -> None:
    clock = Clock()
    assert clock.now() == clock.now()


@pytest.mark.anyio
async def test_a_wall_clock_of_ones_own_is_taken_as_it_is() -> None:
    noon = datetime(2030, 1, 1, 12, tzinfo=UTC)
    simulator = simulated(clock=lambda: noon)
    await anyio.sleep(60)
    assert simulator.now() == noon


def test_the_real_time_is_where_it_starts() -> None:
    assert abs((simulated().now() - datetime.now(UTC)).total_seconds()) < 60
