"""Collections of objects that are found by their label: read, created, and made sure of."""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Final, Generic, Protocol, Self, TypeAlias, TypeVar

import attrs

from stellantis_hal.errors import ApiError, HalError, StellantisError
from stellantis_hal.hal.redaction import mask_repr
from stellantis_hal.hal.uri import join_segment
from stellantis_hal.navigation.no_truth_value import NoTruthValue
from stellantis_hal.navigation.pagination.paginator import Paginator
from stellantis_hal.resources import filters
from stellantis_hal.resources.control.control_dependencies import services_of
from stellantis_hal.resources.control.control_page_source import ControlPageSource
from stellantis_hal.resources.control.json_writes import is_unknown_outcome, send_json
from stellantis_hal.resources.typed_requests import index_ranges

if TYPE_CHECKING:
    from stellantis_hal.navigation.resource import HalResource

__all__ = ["CollectionAdapter", "LabelledCollection", "Locate"]

_ATTEMPTS: Final = 2
_HALTED: Final = frozenset(("Paused", "Failed"))
_log = logging.getLogger("stellantis_hal")

Locate: TypeAlias = Callable[[], Awaitable[tuple["HalResource", str]]]


class _Labelled(Protocol):
    @property
    def id(self) -> str | None: ...
    @property
    def label(self) -> str | None: ...
    @property
    def status(self) -> str | None: ...
    @property
    def address(self) -> str: ...
    def require_resource(self) -> HalResource: ...
    async def resume(self) -> Self: ...


T = TypeVar("T", bound=_Labelled)


@attrs.frozen
class CollectionAdapter(Generic[T]):
    """What sets callbacks and monitors apart.

    Attributes:
        noun: one of them; also the relation of its own link, and with an s that of a page's items.
        type: the class that one is read as.
        set_address: sets the URL of one that was just read of a resource, or created; returns it.
        as_sent: returns one as it was sent: from the response, the body, and the one before.
        new: makes one that has only a resource of the client.
        is_as: whether one is what a body asks for.
    """

    noun: str
    type: type[T]
    set_address: Callable[[T, str | None], T]
    as_sent: Callable[[HalResource, dict[str, Any], T], T]
    new: Callable[[HalResource], T]
    is_as: Callable[[T, dict[str, Any]], bool]

    def read(self, resource: HalResource) -> T:
        """Return the object of a resource. Its address is its own link, else its id below the page's."""
        found = resource.as_(self.type)
        address = resource.self_url or (None if resource.is_embedded else resource.url)
        if address is None and found.id:
            address = join_segment(resource.base, found.id)
        return self.set_address(found, address)

    def paginate(
        self,
        locate: Locate,
        *,
        index_range: tuple[int, int | None] | None = None,
        page_size: int | None = None,
        **params: Any,
    ) -> Paginator[T]:
        """Paginate a collection; an absent one is empty.

        Args:
            locate: returns a resource of the client, and the URL of the collection.
            index_range: first and last index, both included; None: open.
            page_size: 1 to 60.
            params: other query parameters.

        Raises:
            ValueError: an argument is out of its bounds.
        """
        params["indexRange"] = filters.index_range(index_range)
        params["pageSize"] = filters.page_size(page_size)
        collection = ControlPageSource(locate, params)
        pages = Paginator.over(
            collection,
            f"{self.noun}s",
            absent=collection.is_empty,
            ranges=index_ranges(index_range, page_size),
            on_invalid=self._report_invalid_items,
            typed=True,
        )
        return pages.map(self.read)

    def _report_invalid_items(self, page: HalResource, values: Mapping[str, Any]) -> None:
        page.require_context().converter.report_invalid_items(page, values, self.type)


class LabelledCollection(NoTruthValue, Generic[T]):
    """Objects of one kind that share an address."""

    def __init__(self, kind: CollectionAdapter[T], locate: Locate) -> None:
        """Make the collection.

        Args:
            kind: what they are.
            locate: returns a resource of the client, and the URL of the collection.
        """
        self._kind = kind
        self._locate = locate

    def __repr__(self) -> str:
        return f"<{type(self).__name__}>"

    async def _get(self, id_: str) -> T:
        resource, url = await self._locate()
        headers = resource.require_context().reload_fields
        return self._registered(self._kind.read(await resource.fetch_url(join_segment(url, id_), headers=headers)))

    def _all(
        self, *, index_range: tuple[int, int | None] | None = None, page_size: int | None = None, **params: Any
    ) -> Paginator[T]:
        items = self._kind.paginate(self._locate, index_range=index_range, page_size=page_size, **params)
        return items.map(self._registered)

    def _registered(self, found: T) -> T:
        """Return what was read or created, once other parts of the client know it."""
        return found

    async def _create(self, body: dict[str, Any]) -> T:
        noun = self._kind.noun
        resource, url = await self._locate()
        created = await self._post(resource, url, body)
        if created is None:
            raise HalError(
                f"the response to the new {noun} has no id: look for its label among the {noun}s, or use ensure()",
                url=url,
            )
        return created

    async def _ensure(self, body: dict[str, Any]) -> T:
        """Return the running one of a label: the one that exists, brought up to date, or a new one."""
        async with self._exclusive():
            found = await self._find(body["label"])
            return await self._make(body) if found is None else await self._bring_up_to_date(found, body)

    @asynccontextmanager
    async def _exclusive(self) -> AsyncGenerator[None]:
        """Keep other tasks of the client away: two that miss one label at the same time would make two of it."""
        resource, url = await self._locate()
        context = resource.require_context()
        async with services_of(context).exclusive(f"{context.principal} {url}"):
            yield

    async def _make(self, body: dict[str, Any]) -> T:
        """Create one; a POST of unknown outcome is resolved by looking for its label."""
        noun = self._kind.noun
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
                failure = HalError(f"the responses to the new {noun} had no id, and its label is not found", url=url)
            _log.warning("whether a %s was created is unknown: looking for its label", noun)
            found = await self._find(body["label"])
            if found is not None:
                return await self._bring_up_to_date(found, body)
        assert failure is not None  # noqa: S101 - every attempt failed
        raise failure

    async def _find(self, label: str) -> T | None:
        found = [each async for each in self._all() if each.label == label]
        if len(found) > 1:
            text = "%d %ss have the label %s: the first is used, delete the others"
            _log.warning(text, len(found), self._kind.noun, mask_repr(label))
        return found[0] if found else None

    async def _bring_up_to_date(self, found: T, body: dict[str, Any]) -> T:
        """Replace one where it differs from a body, and let it run."""
        if not self._kind.is_as(found, body):
            response = await send_json(found.require_resource(), "PUT", found.address, body)
            found = self._kind.as_sent(response, body, found)
        return await _resumed(found)

    async def _post(self, resource: HalResource, url: str, body: dict[str, Any]) -> T | None:
        """Create one; None where the response has no id."""
        try:
            response = await send_json(resource, "POST", url, body)
        except ApiError as error:
            await self._explain(error)
            raise
        created = self._kind.as_sent(response, body, self._kind.new(resource))
        if not created.id:
            return None
        rel = self._kind.noun
        own = response.expand(rel) if response.can(rel) else join_segment(url, created.id)
        return self._registered(self._kind.set_address(created, own))

    async def _explain(self, error: ApiError) -> None:
        """Raise a clearer error in place of a refusal, if there is one."""


async def _resumed(found: T) -> T:
    return await found.resume() if found.status in _HALTED else found
