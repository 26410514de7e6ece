"""Protocol of what is served: requests in, faults and responses out."""

from typing import Protocol

from stellantis_hal.simulator.api.gateway import Gateway
from stellantis_hal.simulator.api.http_messages import Request, Response
from stellantis_hal.simulator.faults.kinds import Fault

__all__ = ["ServableSimulator"]


class ServableSimulator(Protocol):
    """What the transport and the ASGI application need of a simulator."""

    @property
    def gateway(self) -> Gateway:
        """The gateway, which counts the requests in flight."""
        ...

    def serves(self, host: str) -> bool:
        """Return whether the host is the API's or an identity server's."""
        ...

    def draw_fault(self, request: Request) -> tuple[Fault | None, float]:
        """Return the fault of a request, if it has one, and its latency in seconds."""
        ...

    def respond(self, request: Request, fault: Fault | None) -> Response:
        """Return the response to a request."""
        ...
