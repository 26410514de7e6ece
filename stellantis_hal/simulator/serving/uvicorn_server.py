"""uvicorn server for the simulator; uvicorn is an extra and imported on use."""

from __future__ import annotations

import logging
import socket
import ssl
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, Any

import anyio
import anyio.lowlevel
import attrs

from stellantis_hal.simulator.serving.control import ControlApplication, TwoPortApplication

if TYPE_CHECKING:
    import uvicorn

    from stellantis_hal.simulator.simulator import Simulator

__all__ = ["TlsFiles", "controlled", "serve", "served", "server"]

_GRACE = 1  # seconds that responses in progress have to end
_LOGGERS = ("uvicorn.error", "uvicorn.access", "uvicorn.asgi")
_PATIENCE = 10.0  # seconds for the server to start, or to stop


@attrs.frozen(kw_only=True)
class TlsFiles:
    """TLS files in PEM format: certificate, key, and the authority that must have issued client certificates.

    With an ``authority`` the server requires a client certificate, as the vendor's newer host does.
    """

    certificate: str
    key: str
    authority: str | None = None


def server(
    simulator: Simulator, host: str = "127.0.0.1", port: int = 0, *, tls: TlsFiles | None = None
) -> tuple[uvicorn.Server, socket.socket]:
    """Return a uvicorn server and its listening socket; port 0 selects a free port.

    Sets the simulator's ``url``. Run the server with ``server.run(sockets=[socket])``, in a thread if
    needed; ``server.should_exit = True`` stops it. Raises OSError if the port is in use, ImportError without uvicorn.
    """
    import uvicorn  # an extra

    listening = _listen(host, port)
    simulator.set_origin(_origin(host, listening, tls))
    settings = _clock_settings(simulator) | _settings(tls)
    return uvicorn.Server(uvicorn.Config(simulator.asgi, **settings)), listening


def controlled(simulator: Simulator, host: str, port: int, control: int) -> tuple[uvicorn.Server, list[socket.socket]]:
    """Return a server as :func:`server` does, with its sockets: the API's, and the control address on a port.

    Sets the simulator's ``control_url`` too.
    """
    import uvicorn  # an extra

    listening = [_listen(host, port)]
    try:
        listening.append(_listen(host, control))
    except OSError:
        listening[0].close()
        raise
    simulator.set_origin(_origin(host, listening[0], None))
    simulator.control_url = _origin(host, listening[1], None)
    settings = _clock_settings(simulator) | _settings(None)
    return uvicorn.Server(uvicorn.Config(_application(simulator, listening), **settings)), listening


def _clock_settings(simulator: Simulator) -> dict[str, Any]:
    """Return the setting with which the clock starts as the server does; else it would at the first request."""

    async def read_clock() -> None:
        simulator.now()

    return {"callback_notify": read_clock}


def _application(simulator: Simulator, listening: list[socket.socket]) -> Any:
    if len(listening) == 1:
        return simulator.asgi
    return TwoPortApplication(simulator.asgi, ControlApplication(simulator), listening[1].getsockname()[1])


@asynccontextmanager
async def served(
    simulator: Simulator,
    host: str = "127.0.0.1",
    port: int = 0,
    *,
    tls: TlsFiles | None = None,
    control: bool = False,
) -> AsyncGenerator[str]:
    """Serve in the running asyncio loop within the block; see :meth:`Simulator.served`."""
    if not anyio.get_cancelled_exc_class().__module__.startswith("asyncio"):
        raise RuntimeError(
            "served() needs asyncio, and this event loop is not asyncio's: uvicorn runs on asyncio only. On trio, pass "
            "transport=simulator.transport() to the client, or run server(simulator) in a thread."
        )
    import uvicorn  # an extra

    class Server(uvicorn.Server):
        """A server that leaves the signals to the program it runs in."""

        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            started.set()

        @contextmanager
        def capture_signals(self) -> Generator[None]:
            yield

    started = anyio.Event()
    listening = [_listen(host, port)]
    url = simulator.url
    simulator.set_origin(_origin(host, listening[0], tls))
    if control:
        listening.append(_listen(host, 0))
        simulator.control_url = _origin(host, listening[1], tls)
    levels = {name: logging.getLogger(name).level for name in _LOGGERS}  # uvicorn's configuration changes them
    settings: dict[str, Any] = _settings(tls) | {"log_config": None, "access_log": True}
    running = Server(uvicorn.Config(_application(simulator, listening), timeout_graceful_shutdown=_GRACE, **settings))
    failure: BaseException | None = None
    try:
        async with anyio.create_task_group() as group:
            group.start_soon(_run, running, listening)
            try:
                with anyio.fail_after(_PATIENCE, shield=True):  # a server that is stopped while it starts stays open
                    await started.wait()
                yield simulator.url
            except anyio.get_cancelled_exc_class():
                raise
            except BaseException as error:  # noqa: BLE001 - raised below, outside the task group, which would wrap it
                failure = error
            finally:
                running.should_exit = True
    finally:
        for each in listening:
            each.close()
        simulator.url, simulator.control_url = url, None
        for name, level in levels.items():
            logging.getLogger(name).setLevel(level)
    if failure is not None:
        raise failure


async def _run(running: uvicorn.Server, listening: list[socket.socket]) -> None:
    """Run a server until it should exit; it is stopped by that alone, because a cancelled one leaves sockets open."""
    with anyio.CancelScope(shield=True):
        await running.serve(sockets=listening)
        with anyio.move_on_after(_PATIENCE):
            while running.server_state.tasks:  # cancelled by uvicorn, which does not wait for their end
                await anyio.lowlevel.checkpoint()


def _origin(host: str, listening: socket.socket, tls: TlsFiles | None) -> str:
    name = f"[{host}]" if ":" in host else host
    return f"{'https' if tls else 'http'}://{name}:{listening.getsockname()[1]}"


def _settings(tls: TlsFiles | None) -> dict[str, Any]:
    """Return uvicorn's settings: simulated faults break off responses, and uvicorn would log each of them."""
    return {
        "log_level": "critical",
        "access_log": False,
        "date_header": False,
        "server_header": False,
        "lifespan": "off",
        "ssl_certfile": tls.certificate if tls else None,
        "ssl_keyfile": tls.key if tls else None,
        "ssl_ca_certs": tls.authority if tls else None,
        "ssl_cert_reqs": ssl.CERT_REQUIRED if tls and tls.authority else ssl.CERT_NONE,
    }


def _listen(host: str, port: int) -> socket.socket:
    # asyncio disables Nagle's algorithm only for sockets with an explicit protocol; with it responses take 40 ms more.
    family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    listening = socket.socket(family, kind, protocol)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(address)
        listening.listen(2048)
    except OSError:
        listening.close()
        raise
    return listening


def serve(simulator: Simulator, host: str = "127.0.0.1", port: int = 8000) -> None:
    """Serve until interrupted. Raises OSError if the port is in use, ImportError without uvicorn."""
    running, listening = server(simulator, host, port)
    with listening:
        running.run(sockets=[listening])
