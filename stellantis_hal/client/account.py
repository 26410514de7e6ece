"""Accounts: the API on behalf of one account holder."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING

from stellantis_hal.errors import ApiError
from stellantis_hal.hal.redaction import mask_repr
from stellantis_hal.hal.uri import append_query, join_segment
from stellantis_hal.navigation.context import ResourceContext
from stellantis_hal.navigation.entry_point import EntryPoint
from stellantis_hal.navigation.follow import Follow
from stellantis_hal.navigation.link_selection import Params, encode_params
from stellantis_hal.navigation.pagination.paginator import Paginator
from stellantis_hal.navigation.resource import HalResource
from stellantis_hal.resources.control.control_dependencies import ControlDependencies
from stellantis_hal.resources.filters import choices
from stellantis_hal.resources.filters import index_range as checked_range
from stellantis_hal.resources.filters import page_size as checked_size
from stellantis_hal.resources.typed_requests import index_ranges, is_absent
from stellantis_hal.transport.credentials import Credentials
from stellantis_hal.transport.rate_limit.protocol import Priority
from stellantis_hal.validation import require_request_options, require_type

if TYPE_CHECKING:
    from stellantis_hal.resources.control.callbacks import Callbacks
    from stellantis_hal.resources.control.operation import Operation
    from stellantis_hal.resources.user import User
    from stellantis_hal.resources.vehicle import Vehicle
    from stellantis_hal.structuring.converter import TypedConverter
    from stellantis_hal.transport.rate_limit.protocol import RateLimiter
    from stellantis_hal.transport.rate_limit.quota_headers import ReportedQuota
    from stellantis_hal.transport.session import Session


__all__ = ["Account"]


class Account(EntryPoint):
    """The API on behalf of one account holder. Made by :meth:`StellantisClient.account`."""

    def __init__(
        self,
        session: Session,
        credentials: Credentials,
        converter: TypedConverter,
        url: str,
        *,
        key: str,
        priority: Priority = "interactive",
        max_wait: float = 60.0,
        partition: str | None = None,
        headers: Mapping[str, str] | None = None,
        services: ControlDependencies | None = None,
    ) -> None:
        fetch = session.fetch(
            credentials=credentials, priority=priority, max_wait=max_wait, partition=partition, account=key
        )
        services = ControlDependencies() if services is None else services
        context = ResourceContext(
            fetch, converter.clock, converter, principal=key, headers=headers or {}, services=services
        )
        super().__init__(url, context)
        self._services = services
        self._session = session
        self._headers = headers
        self._credentials = credentials
        self._converter = converter
        self._priority: Priority = priority
        self._max_wait = max_wait
        self._partition = partition
        self.key = key

    def __repr__(self) -> str:
        return f"<Account {mask_repr(self.key)} {self._priority}>"

    @property
    def limiter(self) -> RateLimiter:
        """The limiter that the requests of this account pass; all accounts of a client share it."""
        return self._session.limiter

    @property
    def quota(self) -> ReportedQuota:
        """The quota that the server stated last, to any account of the client."""
        return self._session.quota

    @property
    def credentials(self) -> Credentials:
        """What the requests of this account are sent with; its token is not shown."""
        return self._credentials

    @property
    def identity_server(self) -> str | None:
        """The host that renews this account's token, its port included where one is given; None where none does."""
        server: str | None = getattr(self._credentials, "identity_server", None)
        return server

    @property
    def clock(self) -> Callable[[], datetime]:
        """The client's wall clock."""
        return self._converter.clock

    def shares_client(self, other: Account) -> bool:
        """Return whether both accounts belong to the same client, and so share its limiter and connections."""
        return self._session is other._session

    def shares_credentials(self, other: Account) -> bool:
        """Return whether both accounts send the same credentials: one account, maybe with different options."""
        return self._credentials is other._credentials

    def with_options(self, *, priority: Priority | None = None, max_wait: float | None = None) -> Account:
        """Return this account with another priority, or another bound on waiting for the limits.

        Args:
            priority: "background" leaves a share of the limits to "interactive".
            max_wait: seconds that one call may wait; a longer wait raises ``BudgetExhaustedError`` at once.

        Raises:
            ValueError: the priority is unknown, or the wait is not a number of seconds.
        """
        require_request_options(priority, max_wait)
        other = Account(
            self._session,
            self._credentials,
            self._converter,
            self._url,
            key=self.key,
            priority=self._priority if priority is None else priority,
            max_wait=self._max_wait if max_wait is None else max_wait,
            partition=self._partition,
            headers=self._headers,
            services=self._services,
        )
        other.adopt(self)
        return other

    async def user(self) -> User:
        """Read the account holder's own resource again."""
        from stellantis_hal.resources.user import User

        return self._converter.structure(await self.reread(), User)

    def vehicles(
        self,
        *,
        locale: str | None = None,
        extensions: Iterable[str] | str = (),
        vin_prefix: str | None = None,
        country: str | None = None,
        index_range: tuple[int, int | None] | None = None,
        page_size: int | None = None,
    ) -> Paginator[Vehicle]:
        """Paginate the account's vehicles.

        Args:
            locale: the language of labels (``fr-FR``).
            extensions: more data of each vehicle: ``onboardCapabilities``, ``branding``, ``pictures``.
            vin_prefix: only vehicles whose VIN begins with this.
            country: CL, BR or AR, which have servers of their own.
            index_range: first and last index, both included; None: open.
            page_size: 1 to 60.

        Raises:
            ValueError: an argument is out of its bounds; nothing was sent.
        """
        from stellantis_hal.resources.vehicle import Vehicle

        params: Params = {
            "locale": locale,
            "extension": choices("extensions", extensions or None),
            "vinPrefix": vin_prefix,
            "country": country,
            "indexRange": checked_range(index_range),
            "pageSize": checked_size(page_size),
        }
        walk = Paginator.over(
            _VehicleCollection(self, params),
            "vehicles",
            absent=self._has_no_vehicles,
            ranges=index_ranges(index_range, page_size),
            on_invalid=partial(self._converter.report_invalid_items, kind=Vehicle),
            typed=True,
        )
        return walk.map(partial(self._converter.structure, kind=Vehicle))

    async def vehicle(
        self,
        id_: str | None = None,
        *,
        vin: str | None = None,
        locale: str | None = None,
        extensions: Iterable[str] | str = (),
        country: str | None = None,
    ) -> Vehicle:
        """Read one vehicle by the API's own id, or by its VIN: ``await account.vehicle(vin="VF3…")``.

        Args:
            id_: the API's id, which is not the VIN.
            vin: the whole VIN, in any case. It is looked for in the list of vehicles, by ``vinPrefix`` where the back
                end filters by it.
            locale: the language of labels (``fr-FR``).
            extensions: more data of the vehicle: ``onboardCapabilities``, ``branding``, ``pictures``.
            country: CL, BR or AR, which have servers of their own.

        Raises:
            NotFoundError: there is no such vehicle; now and then the API says so of an existing id.
            ValueError: not exactly one of ``id_`` and ``vin`` was passed, the VIN has a wrong form (nothing was sent),
                or the id cannot stand in a path.
        """
        from stellantis_hal.resources.by_vin import find_by_vin, require_vin, vin_hint
        from stellantis_hal.resources.vehicle import Vehicle

        if id_ is None or vin is not None:
            vin = require_vin(vin, id_=id_)
            list_vehicles = partial(self.vehicles, locale=locale, extensions=extensions, country=country)
            return await find_by_vin(vin, list_vehicles(vin_prefix=vin), list_vehicles())
        collection = await _VehicleCollection(self, {}).resolve_url({})
        params = {"locale": locale, "extension": choices("extensions", extensions or None), "country": country}
        with vin_hint(id_):
            resource = await self.get(append_query(join_segment(collection, id_), encode_params(params)))
        return self._converter.structure(resource, Vehicle)

    def operation(self, token: str) -> Operation:
        """Return the operation of a token, as another process saved it; nothing is sent.

        Args:
            token: ``operation.token`` of an operation of this account.

        Raises:
            ValueError: it is not the token of an operation.
        """
        from stellantis_hal.resources.control.operation import Operation
        from stellantis_hal.resources.control.operation_record import OperationRecord

        require_type("token", token, str, instead="operation.token")
        return Operation(OperationRecord.of_token(token), self._context)

    @property
    def callbacks(self) -> Callbacks:
        """Where events of this account's vehicles are delivered to: ``account.callbacks()`` lists them."""
        from stellantis_hal.resources.control.callbacks import Callbacks

        return Callbacks(self._locate_callbacks)

    async def _locate_callbacks(self) -> tuple[HalResource, str]:
        from stellantis_hal.resources.control.callbacks import callbacks_url

        root = await self.root()
        return root, callbacks_url(root, "callbacks")

    def _has_no_vehicles(self, error: ApiError) -> bool:
        # A 404 of the entry resource does not mean that there are no vehicles.
        return is_absent(error) and error.url.partition("?")[0] != self._url


class _VehicleCollection:
    """The collection behind the entry's link to vehicles, which generations of the API name differently."""

    def __init__(self, account: Account, params: Params) -> None:
        self._account = account
        self._params = params

    async def _follow_link(self) -> Follow[HalResource]:
        root = await self._account.root_with("vehicles", "vehicle")
        rel = "vehicle" if "vehicle" in root.links and "vehicles" not in root.links else "vehicles"
        return root.follow(rel, params=self._params, embedded="never")

    async def first_page(self) -> HalResource:
        return await (await self._follow_link()).first_page()

    async def resolve_url(self, params: Params) -> str:
        return await (await self._follow_link()).resolve_url(params)

    async def fetch_url(self, url: str) -> HalResource:
        return await self._account.get(url)
