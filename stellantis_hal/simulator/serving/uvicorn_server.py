"""uvicorn server for the simulator; uvicorn is an extra and imported on use."""

from __future__ import annotations

import socket
import ssl
from typing import TYPE_CHECKING

import attrs

from stellantis_hal.simulator.simulator import Simulator

if TYPE_CHECKING:
    import uvicorn

__all__ = ["ServerTls", "serve", "server"]


@attrs.frozen(kw_only=True)
class ServerTls:
    """TLS files in PEM format: certificate, key, and the authority that must have issued client certificates.

    With an ``authority`` the server requires a client certificate, as the vendor's newer host does.
    """

    certificate: str
    key: str
    authority: str | None = None


def server(
    simulator: Simulator, host: str = "127.0.0.1", port: int = 0, *, tls: ServerTls | None = None
) -> tuple[uvicorn.Server, socket.socket]:
    """Return a uvicorn server and its listening socket; port 0 selects a free port.

    Sets the simulator's :attr:`~Simulator.url`. Run the server with ``server.run(sockets=[socket])``, in a thread if
    needed; ``server.should_exit = True`` stops it. Raises OSError if the port is in use, ImportError without uvicorn.
    """
    import uvicorn  # noqa: PLC0415 - an extra

    listening = _listen(host, port)
    name = f"[{host}]" if ":" in host else host
    simulator.set_origin(f"{'https' if tls else 'http'}://{name}:{listening.getsockname()[1]}")
    config = uvicorn.Config(  # simulated faults break off responses, and uvicorn would log each of them
        simulator.asgi,
        log_level="critical",
        access_log=False,
        date_header=False,
        server_header=False,
        lifespan="off",
        ssl_certfile=tls.certificate if tls else None,
        ssl_keyfile=tls.key if tls else None,
        ssl_ca_certs=tls.authority if tls else None,
        ssl_cert_reqs=ssl.CERT_REQUIRED if tls and tls.authority else ssl.CERT_NONE,
    )
    return uvicorn.Server(config), listening


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
