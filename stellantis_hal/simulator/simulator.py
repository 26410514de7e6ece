"""The simulator: a world, its API, its identity server and its faults in one object."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import datetime, timedelta
from typing import Literal
from urllib.parse import urlsplit

import anyio
import httpx

from stellantis_hal.simulator.api.callbacks import CallbackRegistry
from stellantis_hal.simulator.api.dialect import BackendVariant
from stellantis_hal.simulator.api.fleet_routes import FleetRoutes
from stellantis_hal.simulator.api.gateway import Gateway, Statistics
from stellantis_hal.simulator.api.http_messages import Request, Response
from stellantis_hal.simulator.api.identity import IdentityServer, IssuedToken
from stellantis_hal.simulator.api.monitors import MonitorRegistry
from stellantis_hal.simulator.api.partner_basic_auth import PartnerBasicAuth
from stellantis_hal.simulator.api.rate_limits import HasRateLimits, SubscriptionLimits
from stellantis_hal.simulator.api.remotes import RemoteRegistry
from stellantis_hal.simulator.api.routes import Routes
from stellantis_hal.simulator.clock import Clock
from stellantis_hal.simulator.faults.fault_plan import (
    NO_FAULTS,
    FaultInjector,
    Faults,
    Latency,
    RandomFault,
    ScriptedFault,
)
from stellantis_hal.simulator.faults.kinds import Fault
from stellantis_hal.simulator.faults.named import fault_name
from stellantis_hal.simulator.flag_checks import require_flags
from stellantis_hal.simulator.notifications.deliveries import Deliveries, DeliveryFaults
from stellantis_hal.simulator.notifications.outbox import Outbox
from stellantis_hal.simulator.serving.asgi import AsgiApplication
from stellantis_hal.simulator.serving.transport import SimulatorTransport
from stellantis_hal.simulator.serving.uvicorn_server import TlsFiles, served
from stellantis_hal.simulator.world.entities import SCOPES, Account
from stellantis_hal.simulator.world.world import World

__all__ = ["Simulator"]

_PATH = "/connectedcar/v4"
_PARTNER_PATH = "/connectedcar/v3"


class Simulator:
    """A simulated vendor API: a world, its HTTP API, identity server, rate limits and faults.

    Args:
        world: the accounts, vehicles and trips that the API serves.
        rate_limits: the subscription (``per_second``, ``per_day``), enforced by strict sliding windows.
        faults: the faults and the latency of responses.
        clock: returns the wall time as an aware UTC datetime. None: a clock that starts at ``epoch`` and advances with
            the event loop's clock, including jumped time. See :meth:`now`.
        epoch: the wall time at the start, aware; None: the current time.
        speed: seconds of wall time that pass per second. Rate limits, tokens and commands keep the real pace.
        client_id: the application's id, which end users and partners send.
        client_secret: the application's secret, for the identity server.
        partner_login: the login of the partner that owns the fleets; another name than the client id.
        partner_password: its password.
        token_lifetime: lifetime of an access token in seconds.
        rotates_tokens: whether a refresh issues a new refresh token and retires the old one.
        variant: the server to imitate.

    Raises:
        ValueError: the speed is out of bounds, it or ``epoch`` stands beside ``clock``, or ``epoch`` is naive.
        TypeError: the world, the faults or ``rotates_tokens`` are of another class.

    Example:
        >>> simulator = Simulator(World(seed=7, accounts=1, vehicles=1, trips=3))
        >>> simulator.url
        'https://api.simulator.test/connectedcar/v4'
    """

    def __init__(
        self,
        world: World,
        *,
        rate_limits: HasRateLimits = SubscriptionLimits(),  # noqa: B008 - frozen
        faults: Faults = NO_FAULTS,
        clock: Callable[[], datetime] | None = None,
        epoch: datetime | None = None,
        speed: float = 1.0,
        client_id: str = "simulated-client",
        client_secret: str = "simulated-secret",  # noqa: S107 - nothing to protect
        partner_login: str = "MZP000001",
        partner_password: str = "simulated-password",  # noqa: S107 - nothing to protect
        token_lifetime: float = 3599.0,
        rotates_tokens: bool = True,
        variant: BackendVariant = BackendVariant(),  # noqa: B008 - frozen
    ) -> None:
        if not isinstance(world, World):
            raise TypeError(f"world must be a World, as World(vehicles=2), not {world!r}")
        if not isinstance(faults, Faults):
            raise TypeError(f"faults must be Faults(script=…, random=…), not {faults!r}")
        require_flags(rotates_tokens=rotates_tokens)
        if epoch is not None and epoch.tzinfo is None:
            raise ValueError(f"epoch must be aware, as datetime(2026, 1, 1, tzinfo=UTC), not {epoch}")
        self.world = world
        self.outbox: Outbox = Outbox()
        self.client_id = client_id
        self.client_secret = client_secret
        self.partner_login = partner_login
        self.partner_password = partner_password
        self.url = f"https://api.simulator.test{_PATH}"
        self._clock = Clock(clock, epoch=epoch, speed=speed)
        self.control_url: str | None = None
        world.follow(self.now)
        routes = Routes(world, variant, self.outbox, self._clock.now)
        self.callbacks: CallbackRegistry = routes.callbacks
        self.remotes: RemoteRegistry = routes.remotes
        self.monitors: MonitorRegistry = routes.monitors
        self._fault_injector = FaultInjector(faults)
        self.gateway: Gateway = Gateway(
            routes=routes,
            fleets=FleetRoutes(world, routes),
            partner=PartnerBasicAuth(partner_login, partner_password),
            identity=IdentityServer(
                world,
                client_id=client_id,
                client_secret=client_secret,
                lifetime=token_lifetime,
                rotates=rotates_tokens,
                errors_have_state=variant.errors_have_state,
            ),
            limits=rate_limits,
            client_id=client_id,
            path=_PATH,
            partner_path=_PARTNER_PATH,
            seed=world.seed,
            skew=faults.skew,
            compresses=variant.compresses,
        )
        if variant.relative_links:
            self.gateway.link_base, self.gateway.partner_link_base = _PATH, _PARTNER_PATH
        self.asgi: AsgiApplication = AsgiApplication(self)

    # ------------------------------------------------------------------ addresses and transports

    def transport(self) -> httpx.AsyncBaseTransport:
        """Return an httpx transport that reaches the simulator without a socket, on asyncio and trio."""
        return SimulatorTransport(self)

    def served(
        self, host: str = "127.0.0.1", port: int = 0, *, tls: TlsFiles | None = None, control: bool = False
    ) -> AbstractAsyncContextManager[str]:
        """Serve over a socket while the block runs, in the running asyncio loop; yield the API's base URL.

        Port 0 selects a free port. ``url`` and ``identity_url`` are those of the server within the block. At
        its end, by cancellation too, the port is closed and responses in progress have a second to end. The server
        needs real time: a jumping clock does not wait for sockets. With ``control``, ``control_url`` is the control
        address within the block: an HTTP API that shows and changes the simulator (docs/howto/simulator.md).

        Raises:
            RuntimeError: the event loop is not asyncio's (uvicorn has no trio support).
            OSError: the port is in use.
            ImportError: uvicorn is not installed (extra ``simulator``).
            TypeError: ``control`` is no bool.
        """
        require_flags(control=control)
        return served(self, host, port, tls=tls, control=control)

    @asynccontextmanager
    async def delivering(
        self,
        *,
        transport: httpx.AsyncBaseTransport | None = None,
        timeout: float | None = 30.0,
        faults: DeliveryFaults = DeliveryFaults(),  # noqa: B008 - frozen
    ) -> AsyncGenerator[Deliveries, None]:
        """Deliver events to the webhooks of callbacks while the block runs, as the vendor does; yield the deliveries.

        A delivery that is not answered by 2xx is repeated every 10 s for 72 h by the simulator's clock, and those that
        wait are sent in shuffled batches of 100 after the first success. Fleet owners' callbacks have their own
        policies. Steps of commands are taken at their times, without a poll.

        Args:
            transport: the way to the receiver, such as ``httpx.ASGITransport(receiver)``; None: the network.
            timeout: seconds to wait for a response; None: without limit, for a receiver that waits for a thread while
                the clock jumps.
            faults: the probabilities of faults.
        """
        way = httpx.AsyncHTTPTransport() if transport is None else transport
        deliveries = Deliveries(
            self.outbox,
            self.callbacks.get,
            self._clock.now,
            transport=way,
            timeout=timeout,
            faults=faults,
            seed=self.world.seed,
        )
        try:
            async with deliveries.running((self.remotes, self.monitors)):
                yield deliveries
        finally:
            if transport is None:
                with anyio.CancelScope(shield=True):  # closing sockets, which does not wait
                    await way.aclose()

    def set_origin(self, origin: str) -> None:
        """Set the origin (``http://host:port``) of ``url`` and ``identity_url``."""
        self.url = f"{origin}{_PATH}"

    def set_link_base(self, url: str, *, of: Literal["accounts", "fleets"] = "accounts") -> None:
        """Set the base URL of all links, for use behind a proxy: of the API of accounts, or of fleets."""
        if of == "fleets":
            self.gateway.partner_link_base = url.rstrip("/")
        else:
            self.gateway.link_base = url.rstrip("/")

    @property
    def identity_url(self) -> str:
        """The base URL of the OAuth2 endpoints; replace ``{domain}`` in it by the brand's domain."""
        parts = urlsplit(self.url)
        if parts.hostname == "api.simulator.test":
            return "https://idpcvs.{domain}.simulator.test/am/oauth2"
        return f"{parts.scheme}://{parts.netloc}/am/oauth2"

    @property
    def partner_url(self) -> str:
        """The base URL for partners (``fleets``, ``vehicles/{vin}``): HTTP Basic with their login and password."""
        return f"{self.url.removesuffix(_PATH)}{_PARTNER_PATH}"

    def serves(self, host: str) -> bool:
        """Return whether a host belongs to the simulator."""
        names = (urlsplit(self.url).hostname, "simulator.test")
        # The brands' identity hosts are served too, so that a client can keep its default identity URL.
        return host in names or host.endswith(".simulator.test") or host.startswith("idpcvs.")

    # ------------------------------------------------------------------ tokens and time

    def token_for(self, account: Account | str, *, scope: tuple[str, ...] = SCOPES) -> IssuedToken:
        """Issue tokens for an account, as after its owner's consent. Raises KeyError."""
        key = account if isinstance(account, str) else account.key
        return self.gateway.identity.grant(key, self._clock.now(), scope=scope)

    def expire_tokens(self) -> None:
        """Expire every access token; refresh tokens stay valid."""
        self.gateway.identity.expire_all()

    def now(self) -> datetime:
        """Return the simulator's wall time; pass it to a client as ``clock=``, so that both agree."""
        return self._clock.now().wall

    def advance(self, by: timedelta) -> None:
        """Advance the simulator's clock: what would have happened by then has happened. Raises ValueError."""
        self._clock.advance(by)
        self.remotes.advance()
        self.monitors.advance()

    @property
    def speed(self) -> float:
        """How many seconds of wall time pass per second."""
        return self._clock.speed

    def set_speed(self, speed: float) -> None:
        """Let wall time pass faster or slower from now on. Raises ValueError."""
        self._clock.set_speed(speed)

    # ------------------------------------------------------------------ requests

    def draw_fault(self, request: Request) -> tuple[Fault | None, float]:
        """Return the fault for a request, if any, and the latency of its response in seconds."""
        return self._fault_injector.draw(request, self._clock.now().tick), self._fault_injector.latency()

    def respond(self, request: Request, fault: Fault | None = None) -> Response:
        """Return the response to a request, received now."""
        return self.gateway.respond(request, self._clock.now(), fault)

    def script(self, *steps: ScriptedFault) -> None:
        """Append steps to the script of faults. Raises TypeError for what is no step."""
        self._fault_injector.add(steps)

    def set_faults(self, *, random: Sequence[RandomFault] | None = None, latency: Latency | None = None) -> None:
        """Replace the random faults, the latency, or both; None leaves them."""
        self._fault_injector.replace(random=random, latency=latency)

    @property
    def random_faults(self) -> dict[str, float]:
        """The rates of the random faults by name."""
        return {fault_name(each.fault): each.rate for each in self._fault_injector.random}

    @property
    def statistics(self) -> Statistics:
        """Counters of the requests so far."""
        return self.gateway.statistics

    @property
    def remaining(self) -> tuple[int, int]:
        """The requests left in the day window and in the second window."""
        return self.gateway.remaining(self._clock.now())
