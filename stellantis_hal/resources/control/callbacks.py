"""The callbacks of an account: list, create, and make sure of one."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

import attrs

from stellantis_hal.errors import HalError, StellantisError
from stellantis_hal.hal.redaction import mask_repr
from stellantis_hal.hal.uri import join_segment
from stellantis_hal.navigation.pagination.paginator import Paginator
from stellantis_hal.resources import filters
from stellantis_hal.resources.control.callback import (
    Callback,
    CallbackStatus,
    CallbackType,
    RemoteType,
    as_sent,
    bind,
    callback_body,
    callback_types,
    fleet_callback_body,
    sent_callback,
)
from stellantis_hal.resources.control.collection import ControlCollection
from stellantis_hal.resources.control.delivery import Batch, DeliveryRetry
from stellantis_hal.resources.control.targets import PushNotification, Target, Webhook
from stellantis_hal.resources.control.writing import is_unknown_outcome, send_json
from stellantis_hal.resources.queries import index_ranges

if TYPE_CHECKING:
    from stellantis_hal.navigation.resource import HalResource

__all__ = ["Callbacks", "FleetCallbacks", "callbacks_url"]

_ATTEMPTS = 2
_log = logging.getLogger("stellantis_hal")


class CallbackCollection:
    """The callbacks of an account or of a fleet."""

    def __init__(self, locate: Callable[[], Awaitable[tuple[HalResource, str]]]) -> None:
        """Make the collection.

        Args:
            locate: returns a resource of the client, and the URL of the collection.
        """
        self._locate = locate

    def __repr__(self) -> str:
        return f"<{type(self).__name__}>"

    def _paginate(
        self, types: list[str] | None, index_range: tuple[int, int | None] | None, page_size: int | None
    ) -> Paginator[Callback]:
        params = {
            "types": types,
            "indexRange": filters.index_range(index_range),
            "pageSize": filters.page_size(page_size),
        }
        collection = ControlCollection(self._locate, params)
        pages = Paginator.over(
            collection,
            "callbacks",
            absent=collection.is_empty,
            ranges=index_ranges(index_range, page_size),
            on_invalid=_report_invalid_items,
            typed=True,
        )
        return pages.map(_read)

    async def get(self, id_: str) -> Callback:
        """Read one callback by its id.

        Raises:
            NotFoundError: there is none, or it belongs to another application or user.
        """
        resource, url = await self._locate()
        return _read(await resource.fetch_url(join_segment(url, id_), headers=resource.require_context().reload_fields))

    async def _create(self, body: dict[str, Any]) -> Callback:
        resource, url = await self._locate()
        created = await self._post(resource, url, body)
        if created is None:
            raise HalError(
                "the answer to the new callback has no id: look for its label among the callbacks, or use ensure()",
                url=url,
            )
        return created

    async def _ensure(self, body: dict[str, Any]) -> Callback:
        found = await self._find(body["label"])
        return await self._make(body) if found is None else await _bring_up_to_date(found, body)

    async def _make(self, body: dict[str, Any]) -> Callback:
        """Register a callback; a POST of unknown outcome is resolved by looking for its label."""
        failure: StellantisError | None = None
        for _ in range(_ATTEMPTS):
            resource, url = await self._locate()
            try:
                created = await self._post(resource, url, body)
            except StellantisError as error:
                if not is_unknown_outcome(error):
                    raise
                failure = error
            else:
                if created is not None:
                    return await _resumed(created)
                failure = HalError("the answers to the new callback had no id, and its label is not found", url=url)
            _log.warning("whether a callback was registered is unknown: looking for its label")
            found = await self._find(body["label"])
            if found is not None:
                return await _bring_up_to_date(found, body)
        assert failure is not None  # noqa: S101 - every attempt failed
        raise failure

    async def _find(self, label: str) -> Callback | None:
        found = [each async for each in self._paginate(None, None, None) if each.label == label]
        if len(found) > 1:
            _log.warning(
                "%d callbacks have the label %s: the first is used, delete the others", len(found), mask_repr(label)
            )
        return found[0] if found else None

    async def _post(self, resource: HalResource, url: str, body: dict[str, Any]) -> Callback | None:
        """Register a callback; None where the answer has no id."""
        answer = await send_json(resource, "POST", url, body)
        created = as_sent(answer, body, before=attrs.evolve(Callback(), resource=resource))
        if not created.id:
            return None
        own = answer.expand("callback") if answer.can("callback") else join_segment(url, created.id)
        return attrs.evolve(created, address=own)


class Callbacks(CallbackCollection):
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
        return self._paginate(found, index_range, page_size)

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


class FleetCallbacks(CallbackCollection):
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
        return self._paginate(found, index_range, page_size)

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


def _read(resource: HalResource) -> Callback:
    return bind(resource.as_(Callback), resource)


def _report_invalid_items(page: HalResource, values: Mapping[str, Any]) -> None:
    page.require_context().converter.report_invalid_items(page, values, Callback)


async def _bring_up_to_date(callback: Callback, body: dict[str, Any]) -> Callback:
    """Replace a callback where it differs from a body, and let it run."""
    if not _is_as(callback, body):
        answer = await send_json(callback.require_resource(), "PUT", callback.address, body)
        callback = as_sent(answer, body, before=callback)
    return await _resumed(callback)


async def _resumed(callback: Callback) -> Callback:
    halted = callback.status in (CallbackStatus.PAUSED, CallbackStatus.FAILED)
    return await callback.resume() if halted else callback


def _is_as(callback: Callback, body: dict[str, Any]) -> bool:
    """Return whether a callback is what a body asks for; the order of attributes and types does not matter."""
    wanted = sent_callback(body)
    return _terms(callback) == _terms(wanted)


def _terms(callback: Callback) -> object:
    actions = frozenset(callback.actions)
    return callback.accepted, actions, callback.retry, callback.batch, _place(callback.target)


def _place(target: Target | None) -> object:
    attributes = frozenset((each.part, each.key, each.value) for each in (() if target is None else target.attributes))
    if isinstance(target, Webhook):
        return target.url, target.name, attributes
    return (frozenset(target.devices), attributes) if isinstance(target, PushNotification) else None


def callbacks_url(parent: HalResource, *segments: str) -> str:
    """Return the URL of the callbacks of a resource: behind its link, else below it."""
    if parent.can("callbacks"):
        return parent.expand("callbacks")
    return f"{parent.url.partition('?')[0].rstrip('/')}/{'/'.join(segments)}"
