"""Knows how to put the simulated vendor together, and what tests and demonstrations need of it.

Must not know anything about the client that will talk to it.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from urllib.parse import urlsplit

import httpx

from stellantis_hal.simulator.api.dialect import BackendVariant
from stellantis_hal.simulator.api.gateway import Gateway, Statistics
from stellantis_hal.simulator.api.identity import Identity, IssuedToken
from stellantis_hal.simulator.api.messages import Request, Response
from stellantis_hal.simulator.api.rate_limits import HasRateLimits, Subscription
from stellantis_hal.simulator.api.routes import Routes
from stellantis_hal.simulator.clock import Clock
from stellantis_hal.simulator.faults.fault_plan import NO_FAULTS, FaultInjector, Faults, ScriptedFault
from stellantis_hal.simulator.faults.kinds import Fault
from stellantis_hal.simulator.serving.asgi import Application
from stellantis_hal.simulator.serving.transport import SimulatorTransport
from stellantis_hal.simulator.world.entities import SCOPES, Account
from stellantis_hal.simulator.world.world import World

__all__ = ["Simulator"]

_PATH = "/connectedcar/v4"
_PARTNER_PATH = "/connectedcar/v3"


class Simulator:
    """The vendor, imitated: a world behind the API's addresses, its identity server, its rate limits, its bad days.

    Args:
        world: what there is to be read.
        rate_limits: the subscription (``per_second``, ``per_day``), enforced by strict sliding windows.
        faults: what goes wrong.
        clock: the wall clock, an aware UTC instant; None: one that starts at ``epoch`` (None: the real time) and goes
            with the backend's clock, jumped time included. :meth:`now` reads it.
        token_lifetime: seconds an access token lives.
        rotates_tokens: whether a renewal hands out a new refresh token and retires the old one.
        manners: what differs between back ends of different ages.

    Example:
        >>> simulator = Simulator(World(seed=7, accounts=1, vehicles=1, trips=3))
        >>> simulator.url
        'https://api.simulator.test/connectedcar/v4'
    """

    def __init__(
        self,
        world: World,
        *,
        rate_limits: HasRateLimits = Subscription(),  # noqa: B008 - frozen
        faults: Faults = NO_FAULTS,
        clock: Callable[[], datetime] | None = None,
        epoch: datetime | None = None,
        client_id: str = "simulated-client",
        client_secret: str = "simulated-secret",  # noqa: S107 - nothing to protect
        token_lifetime: float = 3599.0,
        rotates_tokens: bool = True,
        manners: BackendVariant = BackendVariant(),  # noqa: B008 - frozen
    ) -> None:
        self.world = world
        self.client_id = client_id
        self.client_secret = client_secret
        self.url = f"https://api.simulator.test{_PATH}"
        self._clock = Clock(clock, epoch=epoch)
        self._plan = FaultInjector(faults)
        self.vendor: Gateway = Gateway(
            routes=Routes(world, manners),
            identity=Identity(
                world,
                client_id=client_id,
                client_secret=client_secret,
                lifetime=token_lifetime,
                rotates=rotates_tokens,
            ),
            limits=rate_limits,
            client_id=client_id,
            path=_PATH,
            partner_path=_PARTNER_PATH,
            seed=world.seed,
            skew=faults.skew,
            compresses=manners.compresses,
        )
        if manners.relative_links:
            self.vendor.link_base = _PATH
        self.asgi: Application = Application(self)

    # ------------------------------------------------------------------ how to reach it

    def transport(self) -> httpx.AsyncBaseTransport:
        """Give a transport that reaches the simulator without a socket, on any backend."""
        return SimulatorTransport(self)

    def served_at(self, origin: str) -> None:
        """Note that the simulator is reached at ``http://host:port``: :attr:`url` and :attr:`identity_url` follow."""
        self.url = f"{origin}{_PATH}"

    def published_at(self, url: str) -> None:
        """Note that readers know the API's base as ``url``, by way of a proxy: links begin with it."""
        self.vendor.link_base = url.rstrip("/")

    @property
    def identity_url(self) -> str:
        """The OAuth2 addresses' base; ``{domain}`` in it is to be filled with the brand's domain."""
        parts = urlsplit(self.url)
        if parts.hostname == "api.simulator.test":
            return "https://idpcvs.{domain}.simulator.test/am/oauth2"
        return f"{parts.scheme}://{parts.netloc}/am/oauth2"

    @property
    def partner_url(self) -> str:
        """The base that partners know, for ``vehicles/{vin}``: HTTP Basic with the application's name and secret."""
        return f"{self.url.removesuffix(_PATH)}{_PARTNER_PATH}"

    def serves(self, host: str) -> bool:
        """Say whether a host is the simulator's."""
        names = (urlsplit(self.url).hostname, "simulator.test")
        # The brands' own identity hosts too, so that a client needs no other address for them than its default.
        return host in names or host.endswith(".simulator.test") or host.startswith("idpcvs.")

    # ------------------------------------------------------------------ tokens and time

    def token_for(self, account: Account | str, *, scope: tuple[str, ...] = SCOPES) -> IssuedToken:
        """Give tokens of an account, as if its owner had just consented. Raises KeyError."""
        key = account if isinstance(account, str) else account.key
        return self.vendor.identity.grant(key, self._clock.now(), scope=scope)

    def expire_tokens(self) -> None:
        """Make every access token useless; refresh tokens stay good."""
        self.vendor.identity.expire_all()

    def now(self) -> datetime:
        """Read the simulator's wall clock: also what to give a client, so that both agree."""
        return self._clock.now().wall

    # ------------------------------------------------------------------ what the edges ask

    def meet(self, call: Request) -> tuple[Fault | None, float]:
        """Say which fault a request meets, and how many seconds its answer takes."""
        return self._plan.draw(call, self._clock.now().tick), self._plan.latency()

    def answer(self, call: Request, fault: Fault | None = None) -> Response:
        """Answer a request now."""
        return self.vendor.answer(call, self._clock.now(), fault)

    def script(self, *steps: ScriptedFault) -> None:
        """Put more steps at the end of the faults' script."""
        self._plan.add(steps)

    @property
    def statistics(self) -> Statistics:
        """What was seen so far."""
        return self.vendor.statistics

    @property
    def remaining(self) -> tuple[int, int]:
        """What is left of the day and of the second."""
        return self.vendor.remaining(self._clock.now())
