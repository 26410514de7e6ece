"""The monitors of a vehicle or a fleet: list, create, make sure of one, reconcile them all."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

import attrs

from stellantis_hal.errors import ApiError, NotFoundError, StellantisError, TooManyMonitorsError
from stellantis_hal.hal.redaction import mask_repr
from stellantis_hal.navigation.pagination.paginator import Paginator
from stellantis_hal.resources.control.callback import Callback, CallbackReference, CallbackType, callback_id
from stellantis_hal.resources.control.callback_targets import CallbackAttribute, Webhook
from stellantis_hal.resources.control.callbacks import Callbacks
from stellantis_hal.resources.control.control_dependencies import services_of
from stellantis_hal.resources.control.control_page_source import url_below_callback
from stellantis_hal.resources.control.delivery_policy import Batch, DeliveryRetry
from stellantis_hal.resources.control.expressions import Expression
from stellantis_hal.resources.control.labelled_collection import CollectionAdapter, LabelledCollection, Locate
from stellantis_hal.resources.control.monitor import (
    Monitor,
    MonitorSpec,
    monitor_body,
    sent_monitor,
    set_monitor_address,
)
from stellantis_hal.resources.control.monitor_plan import ReconciliationPlan, is_as, plan
from stellantis_hal.validation import require_flags, require_type

if TYPE_CHECKING:
    from stellantis_hal.navigation.resource import HalResource

__all__ = ["FleetMonitors", "MonitorCollection", "MonitorIterator", "VehicleMonitors"]

_MOST: Final = 5
_REFUSALS: Final = frozenset((400, 409))


class MonitorCollection(LabelledCollection[Monitor]):
    """Monitors that share an address."""

    def __init__(self, locate: Locate, *, for_fleets: bool) -> None:
        """Make the collection.

        Args:
            locate: returns a resource of the client, and the URL of the collection.
            for_fleets: whether they watch a fleet.
        """
        super().__init__(_KIND, locate)
        self._for_fleets = for_fleets

    async def get(self, id_: str) -> Monitor:
        """Read one monitor by its id.

        Raises:
            NotFoundError: there is none.
        """
        return await self._get(id_)

    async def reconcile(
        self,
        specs: Iterable[MonitorSpec],
        *,
        dry_run: bool = False,
        keep_others: bool = False,
        allow_http_loopback: bool = False,
    ) -> ReconciliationPlan:
        """Make the monitors of this collection those that are wanted, matched by their labels.

        What differs is replaced, what is missing is created, what is paused or failed is resumed, and what is not
        wanted is deleted. Where a request fails, those before it are done: call it again.

        Args:
            specs: the monitors that are wanted, each label once.
            dry_run: whether to return the plan only.
            keep_others: whether monitors of other labels are left alone.
            allow_http_loopback: whether a webhook on this machine may have no TLS, for tests.

        Returns:
            The plan: what was done, or with ``dry_run`` what would be. ``print(plan)`` shows it.

        Raises:
            ValueError: the API would refuse one of the monitors, or two have one label; nothing was sent.
            StellantisError: a request failed.
        """
        require_flags(dry_run=dry_run, keep_others=keep_others)
        bodies: dict[str, dict[str, Any]] = {}
        for spec in specs:
            require_type("a wanted monitor", spec, MonitorSpec)
            if spec.label in bodies:
                raise ValueError(f"two of the wanted monitors have the label {mask_repr(spec.label)}")
            bodies[spec.label] = monitor_body(
                spec, for_fleets=self._for_fleets, allow_http_loopback=allow_http_loopback
            )
        async with self._exclusive():
            found = [monitor async for monitor in self._all()]
            planned = plan(found, bodies, keep_others=keep_others)
            if not dry_run:
                for step in planned.steps:
                    if step.monitor is None:
                        await self._make(bodies[step.label])
                    elif step.action == "delete":
                        await step.monitor.delete()
                    else:
                        await self._bring_up_to_date(step.monitor, bodies[step.label])
        return planned


class VehicleMonitors(MonitorCollection):
    """The monitors of one vehicle; ``async for monitor in vehicle.monitors()`` reads those of all callbacks.

    Made by :meth:`Vehicle.monitors`.
    """

    def __init__(
        self,
        vehicle: HalResource,
        *,
        vehicle_id: str,
        vin: str | None,
        callback: Callback | CallbackReference | str | None,
    ) -> None:
        """Make the collection.

        Args:
            vehicle: the vehicle's resource.
            vehicle_id: the API's id of the vehicle.
            vin: of the vehicle.
            callback: the callback that events go to; None: all callbacks, for reading only.

        Raises:
            ValueError: the callback has no id, or is for commands only.
        """
        super().__init__(self._locate_own, for_fleets=False)
        if isinstance(callback, Callback) and not callback.accepts(CallbackType.MONITOR):
            raise ValueError(
                "this callback is for commands only: use one for monitors, or update(types=('Monitor', 'Remote'))"
            )
        self._vehicle = vehicle
        self._vehicle_id = vehicle_id
        self._vin = vin
        self._callback_id = None if callback is None else callback_id(callback)

    def __aiter__(self) -> AsyncIterator[Monitor]:
        """Read the monitors: one request for each callback that may have some."""
        if self._callback_id is not None:
            return aiter(self._all())
        return MonitorIterator(self._callbacks(), self._of_callback)

    async def create(
        self,
        label: str,
        *,
        when: Expression,
        include: Iterable[str] | str = (),
        refresh: timedelta | float | None = None,
        attributes: Iterable[CallbackAttribute] = (),
    ) -> Monitor:
        """Create a monitor. :meth:`ensure` does the same without making a second one of the same label.

        Args:
            label: its name.
            when: the condition: triggers, joined by ``& | ~``.
            include: data of the car in each event: ``status``, ``position``, ``telemetry``, ….
            refresh: at least how long after an event another one comes, as long as the condition holds: 60 s or more.
            attributes: what travels with its events, besides that of its callback.

        Raises:
            ValueError: the API would refuse it; nothing was sent.
            TooManyMonitorsError: the vehicle has as many monitors as it may have.
            NetworkError: with ``sent``: it may have been created; :meth:`ensure` finds out.
        """
        spec = MonitorSpec(label=label, when=when, include=include, refresh=refresh, attributes=attributes)
        return await self._create(monitor_body(spec))

    async def ensure(
        self,
        label: str,
        *,
        when: Expression,
        include: Iterable[str] | str = (),
        refresh: timedelta | float | None = None,
        attributes: Iterable[CallbackAttribute] = (),
    ) -> Monitor:
        """Return the running monitor of a label: the one that exists, brought up to date, or a new one.

        A POST whose outcome is unknown is resolved by looking for the label again.

        Args:
            label: its name, by which it is found.
            when: the condition: triggers, joined by ``& | ~``.
            include: data of the car in each event.
            refresh: at least how long after an event another one comes, as long as the condition holds: 60 s or more.
            attributes: what travels with its events, besides that of its callback.

        Raises:
            ValueError: the API would refuse it; nothing was sent.
            TooManyMonitorsError: the vehicle has as many monitors as it may have.
            StellantisError: a request failed.
        """
        spec = MonitorSpec(label=label, when=when, include=include, refresh=refresh, attributes=attributes)
        return await self._ensure(monitor_body(spec))

    def _registered(self, found: Monitor) -> Monitor:
        feed = services_of(self._vehicle.require_context()).feed
        if feed is not None and found.id:
            feed.register(found.id, vin=self._vin, vehicle_id=self._vehicle_id)
        return found

    async def _locate_own(self) -> tuple[HalResource, str]:
        if self._callback_id is None:
            raise ValueError("monitors are below a callback: pass one, as in vehicle.monitors(callback)")
        return self._vehicle, url_below_callback(self._vehicle, self._callback_id, "monitors")

    def _callbacks(self) -> AsyncIterator[Callback]:
        return aiter(Callbacks(self._locate_callbacks)())

    async def _locate_callbacks(self) -> tuple[HalResource, str]:
        return self._vehicle, f"{self._vehicle.expand('user').partition('?')[0].rstrip('/')}/callbacks"

    def _of_callback(self, callback: Callback) -> AsyncIterator[Monitor] | None:
        if not callback.accepts(CallbackType.MONITOR) or not callback.id:
            return None
        id_ = callback.id

        async def locate() -> tuple[HalResource, str]:
            return self._vehicle, url_below_callback(self._vehicle, id_, "monitors")

        return aiter(_KIND.paginate(locate).map(self._registered))

    async def _explain(self, error: ApiError) -> None:
        if error.status not in _REFUSALS:
            return
        try:
            number = len([monitor async for monitor in MonitorIterator(self._callbacks(), self._of_callback)])
        except StellantisError:
            return  # the refusal itself says more
        if number >= _MOST:
            raise TooManyMonitorsError(
                f"this vehicle has {number} monitors of this application already, and at most {_MOST} are allowed: "
                "delete one, or join conditions by |",
                status=error.status,
                url=error.url,
                code=error.code,
                uuid=error.uuid,
                timestamp=error.timestamp,
                transaction_id=error.transaction_id,
            ) from error


class MonitorIterator(AsyncIterator[Monitor]):
    """The monitors of several callbacks, one callback after another."""

    def __init__(
        self, callbacks: AsyncIterator[Callback], of_callback: Callable[[Callback], AsyncIterator[Monitor] | None]
    ) -> None:
        self._callbacks = callbacks
        self._of_callback = of_callback
        self._current: AsyncIterator[Monitor] | None = None

    def __aiter__(self) -> MonitorIterator:
        return self

    async def __anext__(self) -> Monitor:
        """Return the next monitor.

        Raises:
            StopAsyncIteration: there are no more.
        """
        while True:
            if self._current is not None:
                try:
                    return await anext(self._current)
                except StopAsyncIteration:
                    self._current = None
                except NotFoundError:  # a callback that was deleted meanwhile, whose monitors went with it
                    self._current = None
            self._current = self._of_callback(await anext(self._callbacks))


class FleetMonitors(MonitorCollection):
    """The monitors of a fleet: each watches every vehicle, and delivers to a webhook of its own."""

    def __call__(
        self, *, index_range: tuple[int, int | None] | None = None, page_size: int | None = None
    ) -> Paginator[Monitor]:
        """Paginate the monitors.

        Args:
            index_range: first and last index, both included; None: open.
            page_size: 1 to 60.

        Raises:
            ValueError: an argument is out of its bounds; nothing was sent.
        """
        return self._all(index_range=index_range, page_size=page_size)

    def __aiter__(self) -> AsyncIterator[Monitor]:
        return aiter(self._all())

    async def create(
        self,
        label: str,
        *,
        when: Expression,
        deliver: Webhook,
        include: Iterable[str] | str = (),
        refresh: timedelta | float | None = None,
        retry: DeliveryRetry | None = None,
        batch: Batch | None = None,
        allow_http_loopback: bool = False,
    ) -> Monitor:
        """Create a monitor. :meth:`ensure` does the same without making a second one of the same label.

        Args:
            label: its name.
            when: the condition: triggers, joined by ``& | ~``.
            deliver: where its events go.
            include: data of the car in each event: ``status``, ``position``, ``stolen``, ….
            refresh: at least how long after an event another one comes, as long as the condition holds: 60 s or more.
            retry: how a delivery is repeated; None: as the API does.
            batch: whether events are delivered together; None: each alone.
            allow_http_loopback: whether a webhook on this machine may have no TLS, for tests.

        Raises:
            ValueError: the API would refuse it; nothing was sent.
            NetworkError: with ``sent``: it may have been created; :meth:`ensure` finds out.
        """
        spec = MonitorSpec(
            label=label, when=when, include=include, refresh=refresh, deliver=deliver, retry=retry, batch=batch
        )
        return await self._create(monitor_body(spec, for_fleets=True, allow_http_loopback=allow_http_loopback))

    async def ensure(
        self,
        label: str,
        *,
        when: Expression,
        deliver: Webhook,
        include: Iterable[str] | str = (),
        refresh: timedelta | float | None = None,
        retry: DeliveryRetry | None = None,
        batch: Batch | None = None,
        allow_http_loopback: bool = False,
    ) -> Monitor:
        """Return the running monitor of a label: the one that exists, brought up to date, or a new one.

        A POST whose outcome is unknown is resolved by looking for the label again.

        Args:
            label: its name, by which it is found.
            when: the condition: triggers, joined by ``& | ~``.
            deliver: where its events go.
            include: data of the car in each event.
            refresh: at least how long after an event another one comes, as long as the condition holds: 60 s or more.
            retry: how a delivery is repeated; None: as the API does.
            batch: whether events are delivered together; None: each alone.
            allow_http_loopback: whether a webhook on this machine may have no TLS, for tests.

        Raises:
            ValueError: the API would refuse it; nothing was sent.
            StellantisError: a request failed.
        """
        spec = MonitorSpec(
            label=label, when=when, include=include, refresh=refresh, deliver=deliver, retry=retry, batch=batch
        )
        return await self._ensure(monitor_body(spec, for_fleets=True, allow_http_loopback=allow_http_loopback))


# ------------------------------------------------------------------------------------------------- parts


_KIND: Final = CollectionAdapter(
    noun="monitor",
    type=Monitor,
    set_address=set_monitor_address,
    as_sent=sent_monitor,
    new=lambda resource: attrs.evolve(Monitor(), resource=resource),
    is_as=is_as,
)
