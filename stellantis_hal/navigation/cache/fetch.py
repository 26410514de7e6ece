"""Fetch with an HTTP cache, private to one account (RFC 9111)."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import datetime
from functools import lru_cache, partial
from typing import Any, Final

import anyio.lowlevel
import attrs

from stellantis_hal.errors import ApiError, NetworkError, ServerError, StellantisError
from stellantis_hal.hal.link_header import parse_link_header
from stellantis_hal.hal.redaction import mask_url
from stellantis_hal.hal.uri import resolve, to_ascii
from stellantis_hal.navigation.cache.cache_control import request_directives
from stellantis_hal.navigation.cache.partition_responses import PartitionResponses
from stellantis_hal.navigation.cache.store import StoredVariants
from stellantis_hal.navigation.cache.stored_response import StoredResponse, select
from stellantis_hal.navigation.cache.validators import CONDITIONS, conditions_of, is_not_modified, is_of
from stellantis_hal.navigation.cache.variants import with_caller
from stellantis_hal.navigation.fetch_protocol import Fetch, PrioritizedFetch, Request, Response
from stellantis_hal.navigation.origins import Origins, origin_of
from stellantis_hal.navigation.single_flight import SingleFlight

__all__ = ["CachedFetch", "uncached"]

_SAFE = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})
_PASSED = frozenset({"range", "if-range", "if-match", "if-unmodified-since"})
"""Fields of requests that are neither answered from the cache nor stored."""
_GONE = frozenset({404, 410})
_LATER = frozenset({408, 425, 429})
_HITS_PER_CHECKPOINT = 16
_PREFIX: Final = re.compile(r"(?:[^:/?#]*://[^/?#]*)?")


@attrs.frozen(eq=False)
class _Answer:
    """A response, and whether others that asked for the same meanwhile may have it too."""

    response: Response
    is_shareable: bool
    asker: object


@attrs.frozen(eq=False)
class _Asking:
    """One read that the cache cannot answer.

    Attributes:
        request: what to send.
        fields: its header fields, by lower-case name, with its caller.
        key: of the stored responses.
        stored: the variants.
        copy: the one that the request selects.
        reloads: whether the caller wants the present state: what a new response says makes other variants doubtful.
    """

    request: Request
    fields: Mapping[str, str]
    key: str
    stored: StoredVariants
    copy: StoredResponse | None
    reloads: bool


class _Flights:
    """Single flights by key, each dropped with its last caller."""

    def __init__(self) -> None:
        self._flights: dict[object, tuple[SingleFlight[_Answer], set[object]]] = {}

    async def run(self, key: object, asker: object, execute: Callable[[], Any]) -> _Answer:
        flight, askers = self._flights.setdefault(key, (SingleFlight(), set()))
        askers.add(asker)
        try:
            return await flight.run(execute)
        finally:
            askers.discard(asker)
            if not askers:
                del self._flights[key]


class CachedFetch:
    """A :class:`~stellantis_hal.navigation.fetch_protocol.Fetch` that answers GET from stored responses where it may.

    A hit sends nothing, and costs no token of a limiter beneath. Stored responses are asked for again with their
    validators when they are stale; they are never served stale. Tasks that ask for the same at once share a request.

    Args:
        fetch: sends requests.
        copies: the stored responses of the account that ``fetch`` has the credentials of.
        origins: the trusted origins: what is stored of others is not served.
        clock: the wall clock, aware.
    """

    def __init__(
        self, fetch: Fetch, copies: PartitionResponses, origins: Origins, clock: Callable[[], datetime]
    ) -> None:
        self._fetch = fetch
        self._copies = copies
        self._origins = origins
        self._clock = clock
        self._flights = _Flights()
        self._hits = 0

    @property
    def inner(self) -> Fetch:
        """The fetch that sends."""
        return self._fetch

    def with_options(self, *, priority: Any = None, max_wait: float | None = None) -> CachedFetch:
        """Return a fetch with the same stored responses and other options of its requests."""
        if not isinstance(self._fetch, PrioritizedFetch):
            return self
        fetch = self._fetch.with_options(priority=priority, max_wait=max_wait)
        return CachedFetch(fetch, self._copies, self._origins, self._clock)

    async def __call__(self, request: Request, /) -> Response:
        """Return a stored response, or send the request and store its response.

        Raises:
            ServerError: the request says ``only-if-cached``, and there is no fresh copy: 504; nothing was sent.
            UntrustedOriginError: the origin is not trusted.
            StellantisError: sending failed.
        """
        if request.method != "GET":
            return await (self._fetch(request) if request.method in _SAFE else self._write(request))
        fields = with_caller({name.lower(): value for name, value in request.headers.items()})
        wishes = request_directives(fields)
        if request.content is not None or "no-store" in wishes or not _PASSED.isdisjoint(fields):
            return await self._fetch(request)
        self._origins.check(request.url)
        key = _key(request.url)
        stored = await self._copies.load(key)
        copy = select(stored.variants, fields)
        is_conditional = not CONDITIONS.isdisjoint(fields)
        if copy is not None:
            now = self._clock()
            if copy.may_serve(now, wishes):
                await self._yield()
                hit = copy.response(now)
                if is_conditional and is_not_modified(fields, copy.headers):
                    return attrs.evolve(hit, status=304, content=b"")
                return hit
        if "only-if-cached" in wishes:
            raise _not_cached(request)
        asking = _Asking(request, fields, key, stored, copy, "no-cache" in wishes)
        if is_conditional:
            return await self._pass_on(asking)
        if wishes or not stored.is_current:
            return (await self._ask(asking)).response
        asker = object()
        answer = await self._flights.run(
            (key, stored.version, *fields.items()), asker, partial(self._ask, asking, asker)
        )
        if answer.asker is asker or answer.is_shareable:
            return answer.response
        return (await self._ask(asking)).response

    async def _yield(self) -> None:
        """Let other tasks run now and then: a walk over stored pages must not keep the event loop to itself."""
        self._hits += 1
        if self._hits % _HITS_PER_CHECKPOINT:
            await anyio.lowlevel.checkpoint_if_cancelled()
        else:
            await anyio.lowlevel.checkpoint()

    # ---------------------------------------------------------------------------------------------- asking

    async def _ask(self, asking: _Asking, asker: object = None) -> _Answer:
        """Send a read, with the validators of the copy; store the response."""
        request, copy = asking.request, asking.copy
        conditions = {} if copy is None else conditions_of(copy.headers)
        if conditions:
            request = attrs.evolve(request, headers={**request.headers, **conditions})
        started = self._clock()
        response = await self._send(request, asking)
        delay = _delay(response, started)
        if response.status == 304 and copy is not None and conditions:
            if not is_of(copy.headers, response.headers):
                await self._store(asking, None)
                stored = await self._copies.load(asking.key)
                return await self._ask(attrs.evolve(asking, stored=stored, copy=None), asker)
            response = copy.merged(response)
        entry = _entry(response, asking, delay)
        await self._store(asking, entry)
        if entry is not None:
            response = attrs.evolve(response, initial_age=entry.initial_age)
        return _Answer(response, entry is not None and entry.may_serve(response.received_at, {}), asker)

    async def _pass_on(self, asking: _Asking) -> Response:
        """Send a read with the caller's own conditions; store what its response says of the copy."""
        started = self._clock()
        response = await self._send(asking.request, asking)
        delay, copy = _delay(response, started), asking.copy
        if response.status != 304:
            await self._store(asking, _entry(response, asking, delay))
        elif copy is not None and "etag" in response.headers.by_lower_name and "etag" in copy.headers.by_lower_name:
            is_copy = is_of(copy.headers, response.headers)
            await self._store(asking, _entry(copy.merged(response), asking, delay) if is_copy else None)
        return response

    async def _send(self, request: Request, asking: _Asking) -> Response:
        try:
            return await self._fetch(request)
        except ApiError as error:
            if error.status in _GONE:
                await self._copies.forget((asking.key,))
            elif 400 <= error.status < 500 and error.status not in _LATER:
                await self._store(asking, None)  # refused now: what was allowed before is not served any more
            raise

    async def _store(self, asking: _Asking, entry: StoredResponse | None) -> None:
        """Store a response in the place of the copy, or remove the copy."""
        if entry is None and not asking.stored.variants:
            return
        is_unchanged = entry is not None and asking.copy is not None and entry.content is asking.copy.content
        others = tuple(
            variant
            for variant in asking.stored.variants
            if variant is not asking.copy and (entry is None or variant.selection != entry.selection)
        )
        if asking.reloads and not is_unchanged:
            others = ()
        variants = others if entry is None else (*others, entry)
        await self._copies.save(asking.key, variants, asking.stored)

    # ---------------------------------------------------------------------------------------------- writing

    async def _write(self, request: Request) -> Response:
        """Send a write, and forget what it may have changed (RFC 9111 section 4.4)."""
        key = _key(request.url)
        with self._copies.writing(key):
            try:
                response = await self._fetch(request)
            except Exception as error:
                if _may_have_changed(error):
                    await self._copies.forget((key,))
                raise
            except BaseException:  # cancelled: the server may have received it
                self._copies.condemn((key,))
                raise
            self._copies.condemn((key, *_also_changed(request.url, response)))
            await self._copies.forget(())
        return response


def uncached(fetch: Fetch) -> Fetch:
    """Return the fetch that sends, without the cache around it."""
    return fetch.inner if isinstance(fetch, CachedFetch) else fetch


def _delay(response: Response, started: datetime) -> float:
    """Return the seconds from the sending to the receipt; where they were not measured, those since it was asked."""
    return (response.received_at - started).total_seconds() if response.delay is None else response.delay


def _entry(response: Response, asking: _Asking, delay: float) -> StoredResponse | None:
    """Return what is to be stored of a response; None for one of another URL, after a redirect."""
    if _without_fragment(response.url) != _without_fragment(asking.request.url):
        return None
    return StoredResponse.of(response, asking.fields, delay=delay)


def _may_have_changed(error: Exception) -> bool:
    """Return whether a write that failed may have been done: no refusal arrived, but the request was sent."""
    if isinstance(error, ApiError):
        return error.status >= 500
    if isinstance(error, NetworkError):
        return error.sent
    return not isinstance(error, StellantisError)


def _also_changed(url: str, response: Response) -> set[str]:
    """Return the keys of other resources, on the same origin, that the response to a write says it changed."""
    origin = origin_of(url)
    named = [response.url]
    fields = response.headers.by_lower_name
    named += [fields[name] for name in ("location", "content-location") if name in fields]
    links = parse_link_header(fields.get("link", ""), response.url)
    named += [link.href for link in links if link.rel == "invalidates" and link.href is not None]
    found = (resolve(response.url, to_ascii(reference)) for reference in named)
    return {_key(target) for target in found if origin_of(_without_fragment(target)) == origin}


def _not_cached(request: Request) -> ServerError:
    return ServerError(
        f"GET {mask_url(request.url)} says only-if-cached, and the cache has no fresh copy: nothing was sent",
        status=504,
        url=request.url,
    )


# ------------------------------------------------------------------------------------------------- keys


def _without_fragment(url: str) -> str:
    return url.partition("#")[0]


def _key(url: str) -> str:
    """Return the key of a URL, for every caller: a write of one changes what the others have read."""
    match = _PREFIX.match(url)
    assert match is not None  # noqa: S101 - it matches any text
    prefix = match[0]
    rest = _without_fragment(url[len(prefix) :])
    return f" {_origin_text(prefix)}{rest if rest.startswith('/') else f'/{rest}'}"


@lru_cache(maxsize=64)
def _origin_text(prefix: str) -> str:
    """Return scheme and authority in one spelling; as they are where they are no origin."""
    origin = origin_of(prefix)
    return prefix if origin is None else f"{origin[0]}://{origin[1]}:{origin[2]}"
