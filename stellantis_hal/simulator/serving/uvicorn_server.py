"""Knows how to serve a simulator over a socket with uvicorn, which is imported only here, only when used.

Must not know what is answered.
"""

from __future__ import annotations

import socket
import ssl
from typing import TYPE_CHECKING

import attrs

from stellantis_hal.simulator.simulator import Simulator

if TYPE_CHECKING:
    import uvicorn

__all__ = ["Tls", "serve", "server"]


@attrs.frozen(kw_only=True)
class Tls:
    """What TLS needs, as PEM files: a certificate, its key, the authority that clients' certificates must come from.

    With an ``authority`` the server wants a client certificate, as the vendor's newer host does.
    """

    certificate: str
    key: str
    authority: str | None = None


def server(
    simulator: Simulator, host: str = "127.0.0.1", port: int = 0, *, tls: Tls | None = None
) -> tuple[uvicorn.Server, socket.socket]:
    """Prepare a uvicorn server on a socket that is bound and listening already (0: any free port).

    The simulator's :attr:`~Simulator.url` follows. Run it with ``server.run(sockets=[socket])``, in a thread if wished;
    ``server.should_exit = True`` ends it. Raises OSError when the port is taken, ImportError without uvicorn.
    """
    import uvicorn  # noqa: PLC0415 - an extra

    listening = _listen(host, port)
    name = f"[{host}]" if ":" in host else host
    simulator.served_at(f"{'https' if tls else 'http'}://{name}:{listening.getsockname()[1]}")
    config = uvicorn.Config(  # answers that break off are meant to: uvicorn's complaints are noise
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
    # asyncio switches Nagle's algorithm off only where the protocol is named (as here); else answers take 40 ms more
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
    """Serve until interrupted. Raises OSError when the port is taken, ImportError without uvicorn."""
    running, listening = server(simulator, host, port)
    with listening:
        running.run(sockets=[listening])
