"""Knows how to serve a simulator over a socket with uvicorn, which is imported only here, only when used.

Must not know what is answered.
"""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

from stellantis_hal.simulator.simulator import Simulator

if TYPE_CHECKING:
    import uvicorn

__all__ = ["serve", "server"]


def server(simulator: Simulator, host: str = "127.0.0.1", port: int = 0) -> tuple[uvicorn.Server, socket.socket]:
    """Prepare a uvicorn server on a socket that is bound and listening already (0: any free port).

    The simulator's :attr:`~Simulator.url` follows. Run it with ``server.run(sockets=[socket])``, in a thread if wished;
    ``server.should_exit = True`` ends it. Raises OSError when the port is taken, ImportError without uvicorn.
    """
    import uvicorn  # noqa: PLC0415 - an extra

    listening = socket.create_server((host, port), backlog=2048)
    simulator.served_at(f"http://{host}:{listening.getsockname()[1]}")
    config = uvicorn.Config(  # answers that break off are meant to: uvicorn's complaints are noise
        simulator.asgi, log_level="critical", access_log=False, date_header=False, server_header=False, lifespan="off"
    )
    return uvicorn.Server(config), listening


def serve(simulator: Simulator, host: str = "127.0.0.1", port: int = 8000) -> None:
    """Serve until interrupted. Raises OSError when the port is taken, ImportError without uvicorn."""
    running, listening = server(simulator, host, port)
    with listening:
        running.run(sockets=[listening])
