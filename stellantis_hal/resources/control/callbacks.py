"""The callbacks of an account: list, create, and make sure of one."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Final

import attrs

from stellantis_hal.navigation.pagination.paginator import Paginator
from stellantis_hal.resources import filters
from stellantis_hal.resources.control.callback import (
    PATHS,
    Callback,
    CallbackType,
    RemoteType,
    as_sent,
    callback_body,
    callback_types,
    fleet_callback_body,
    sent_callback,
    set_address,
)
from stellantis_hal.resources.control.callback_targets import PushDevices, Target, Webhook
from stellantis_hal.resources.control.delivery_policy import Batch, DeliveryRetry
from stellantis_hal.resources.control.labelled_collection import CollectionAdapter, LabelledCollection, Locate
from stellantis_hal.resources.control.unread_parts import unread_parts

if TYPE_CHECKING:
    from stellantis_hal.navigation.resource import HalResource

__all__ = ["Callbacks", "FleetCallbacks", "callbacks_url"]


class _CallbackCollection(LabelledCollection[Callback]):
    """The callbacks of an account or of a fleet."""

    def __init__(self, locate: Locate) -> None:
        super().__init__(_KIND, locate)

    async def get(self, id_: str) -> Callback:
        """Read one callback by its id.

        Raises:
            NotFoundError: there is none, or it belongs to another application or user.
        """
        return await self._get(id_)


class Callbacks(_CallbackCollection):
    """The callbacks of an account: ``account.callbacks()`` lists them, ``account.callbacks.ensure(…)`` makes one."""

    def __call__(
        self,
        *,
        types: Iterable[CallbackType | str] | CallbackType | str | None = None,
        index_range: tuple[int, int | None] | None = None,
        page_size: int | None = None,
    ) -> Paginator[Callback]:
        """Paginate the callbacks that this application registered.

        Args:
            types: only those for these: ``Monitor``, ``Remote``; None: all.
            index_range: first and last index, both included; None: open.
            page_size: 1 to 60.

        Raises:
            ValueError: an argument is out of its bounds; nothing was sent.
        """
        found = None if types is None else filters.choices("types", [str(each) for each in callback_types(types)])
        return self._all(types=found, index_range=index_range, page_size=page_size)

    async def create(
        self,
        target: Target,
        *,
        label: str,
        types: Iterable[CallbackType | str] | CallbackType | str | None = None,
        allow_http_loopback: bool = False,
    ) -> Callback:
        """Register a callback. :meth:`ensure` does the same without making a second one of the same label.

        The VIN of the car is added to the body of each event.

        Args:
            target: where to deliver to.
            label: its name.
            types: what it is for; None: monitors and commands.
            allow_http_loopback: whether a webhook on this machine may have no TLS, for tests.

        Raises:
            ValueError: the target has no TLS, or cannot be sent; nothing was sent.
            NetworkError: with ``sent``: it may have been registered; :meth:`ensure` finds out.
        """
        body = callback_body(
            target,
            label=label,
            types=() if types is None else callback_types(types),
            allow_http_loopback=allow_http_loopback,
        )
        return await self._create(body)

    async def ensure(
        self,
        target: Target,
        *,
        label: str,
        types: Iterable[CallbackType | str] | CallbackType | str | None = None,
        allow_http_loopback: bool = False,
    ) -> Callback:
        """Return the running callback of a label: the one that exists, brought up to date, or a new one.

        Where target, attributes or types differ, the whole object is replaced; where it is paused or failed, it is
        resumed. A POST whose outcome is unknown is resolved by looking for the label again.

        Args:
            target: where to deliver to.
            label: its name, by which it is found.
            types: what it is for; None: monitors and commands.
            allow_http_loopback: whether a webhook on this machine may have no TLS, for tests.

        Raises:
            ValueError: the target has no TLS, or cannot be sent; nothing was sent.
            StellantisError: a request failed.
        """
        body = callback_body(
            target,
            label=label,
            types=() if types is None else callback_types(types),
            allow_http_loopback=allow_http_loopback,
        )
        return await self._ensure(body)


class FleetCallbacks(_CallbackCollection):
    """The callbacks of a fleet, for steps of commands: ``fleet.callbacks()`` lists them."""

    def __call__(
        self,
        *,
        actions: Iterable[RemoteType | str] | RemoteType | str | None = None,
        index_range: tuple[int, int | None] | None = None,
        page_size: int | None = None,
    ) -> Paginator[Callback]:
        """Paginate the callbacks of the fleet.

        Args:
            actions: only those for these commands, as ``Doors``; None: all.
            index_range: first and last index, both included; None: open.
            page_size: 1 to 60.

        Raises:
            ValueError: an argument is out of its bounds; nothing was sent.
        """
        found = filters.choices("actions", actions)
        return self._all(types=found, index_range=index_range, page_size=page_size)

    async def create(
        self,
        target: Webhook,
        *,
        label: str,
        actions: Iterable[RemoteType | str] | RemoteType | str,
        retry: DeliveryRetry | None = None,
        batch: Batch | None = None,
        allow_http_loopback: bool = False,
    ) -> Callback:
        """Register a callback. :meth:`ensure` does the same without making a second one of the same label.

        The VIN of the car is added to the body of each event.

        Args:
            target: where to deliver to.
            label: its name.
            actions: the commands that it is for, as ``Doors``.
            retry: how a delivery is repeated; None: as the API does.
            batch: whether events are delivered together; None: each alone.
            allow_http_loopback: whether a webhook on this machine may have no TLS, for tests.

        Raises:
            ValueError: the target has no TLS, or cannot be sent; nothing was sent.
            NetworkError: with ``sent``: it may have been registered; :meth:`ensure` finds out.
        """
        body = fleet_callback_body(
            target,
            label=label,
            actions=actions,
            retry=retry,
            batch=batch,
            allow_http_loopback=allow_http_loopback,
        )
        return await self._create(body)

    async def ensure(
        self,
        target: Webhook,
        *,
        label: str,
        actions: Iterable[RemoteType | str] | RemoteType | str,
        retry: DeliveryRetry | None = None,
        batch: Batch | None = None,
        allow_http_loopback: bool = False,
    ) -> Callback:
        """Return the running callback of a label: the one that exists, brought up to date, or a new one.

        Where target, attributes or policies differ, the whole object is replaced; where it is paused or failed, it is
        resumed. A POST whose outcome is unknown is resolved by looking for the label again.

        Args:
            target: where to deliver to.
            label: its name, by which it is found.
            actions: the commands that it is for, as ``Doors``.
            retry: how a delivery is repeated; None: as the API does.
            batch: whether events are delivered together; None: each alone.
            allow_http_loopback: whether a webhook on this machine may have no TLS, for tests.

        Raises:
            ValueError: the target has no TLS, or cannot be sent; nothing was sent.
            StellantisError: a request failed.
        """
        body = fleet_callback_body(
            target,
            label=label,
            actions=actions,
            retry=retry,
            batch=batch,
            allow_http_loopback=allow_http_loopback,
        )
        return await self._ensure(body)


def _is_as(callback: Callback, body: dict[str, Any]) -> bool:
    """Return whether a callback is what a body asks for; the order of attributes and types does not matter.

    One of which something could not be read is not.
    """
    wanted = sent_callback(body)
    return _terms(callback) == _terms(wanted) and not unread_parts(callback.problems, PATHS)


def _terms(callback: Callback) -> object:
    actions = frozenset(callback.actions)
    targets = (callback.webhook, callback.push_notification, callback.web_socket)
    return callback.accepted, actions, callback.retry, callback.batch, tuple(map(_place, targets))


def _place(target: Target | None) -> object:
    attributes = frozenset((each.part, each.key, each.value) for each in (() if target is None else target.attributes))
    if isinstance(target, Webhook):
        return target.url, target.name, attributes
    if isinstance(target, PushDevices):
        return frozenset(target.devices), attributes
    return None if target is None else target.url


_KIND: Final = CollectionAdapter(
    noun="callback",
    type=Callback,
    set_address=set_address,
    as_sent=as_sent,
    new=lambda resource: attrs.evolve(Callback(), resource=resource),
    is_as=_is_as,
)


def callbacks_url(parent: HalResource, *segments: str) -> str:
    """Return the URL of the callbacks of a resource: behind its link, else below it."""
    if parent.can("callbacks"):
        return parent.expand("callbacks")
    return f"{parent.url.partition('?')[0].rstrip('/')}/{'/'.join(segments)}"
