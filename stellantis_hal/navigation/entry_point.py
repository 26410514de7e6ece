"""Entry points: the one URL of an API that is known in advance."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from functools import partial
from typing import Any, TypeVar, Unpack, overload

from stellantis_hal.hal.uri import append_query, resolve, to_ascii
from stellantis_hal.navigation.context import ResourceContext
from stellantis_hal.navigation.download import MAX_DOWNLOAD, Download, download
from stellantis_hal.navigation.follow import Follow
from stellantis_hal.navigation.link_selection import FollowOptions, Params, encode_params
from stellantis_hal.navigation.option_checks import REQUEST_OPTIONS, check_option, check_options
from stellantis_hal.navigation.resource import HalResource
from stellantis_hal.navigation.single_flight import SingleFlight
from stellantis_hal.navigation.typed_rel import Rel
from stellantis_hal.navigation.writes import RequestOptions, write_request
from stellantis_hal.validation import require_type

__all__ = ["EntryPoint"]

T = TypeVar("T")
_RELATIVE = ("/", "./", "../", "?")


class EntryPoint:
    """The entry resource of an API, and what can be reached from it.

    Args:
        url: the URL of the entry resource.
        context: the client context of all resources that are reached from it.
    """

    def __init__(self, url: str, context: ResourceContext) -> None:
        self._url = url
        self._context = context
        self._root: HalResource | None = None
        self._flight: SingleFlight[HalResource] = SingleFlight()
        self._rereading: SingleFlight[HalResource] = SingleFlight()

    async def root(self) -> HalResource:
        """Return the entry resource; it is read once, by any number of tasks.

        Raises:
            StellantisError: fetching failed; the next call tries again.
        """
        return self._root if self._root is not None else await self._flight.run(self._read_root)

    @property
    def known_root(self) -> HalResource | None:
        """The entry resource if it was read before; None until then."""
        return self._root

    async def root_with(self, *rels: str) -> HalResource:
        """Return the entry resource, read again if the known one has none of these relations.

        Raises:
            StellantisError: fetching failed; the known entry resource stays.
        """
        root = self._root
        if root is None:
            root = await self.root()
            if not root.from_cache:
                return root
        return root if any(root.can(rel) for rel in rels) else await self.reread()

    async def reread(self) -> HalResource:
        """Read the entry resource again, from the server; later calls return this one."""
        return await self._rereading.run(partial(self._read_root, reload=True))

    def adopt(self, other: EntryPoint) -> None:
        """Take over the entry resource that another entry point has read, if any."""
        if (root := other.known_root) is not None:
            self._root = self.resume(root)

    async def _read_root(self, *, reload: bool = False) -> HalResource:
        self._root = await HalResource.from_url(self._url, self._context, reload=reload)
        return self._root

    @overload
    def follow(self, rel: Rel[T], **options: Unpack[FollowOptions]) -> Follow[T]: ...
    @overload
    def follow(self, rel: str, **options: Unpack[FollowOptions]) -> Follow[HalResource]: ...
    def follow(self, rel: str | Rel[Any], **options: Unpack[FollowOptions]) -> Follow[Any]:
        """Return a link of the entry resource; awaiting it follows it.

        If the known entry resource has no such link, it is read again, because the link may exist by now.

        Args:
            rel: the relation, as a string or a typed :class:`~stellantis_hal.Rel`.
            options: keyword arguments:

                - ``name``: the link's secondary key; default None: any.
                - ``index``: its index among the links that match; default None: there must be only one.
                - ``where``: a predicate that the link has to satisfy; default None: any.
                - ``variables``: values for its template; default None: none.
                - ``params``: query parameters to append; None values are left out, lists repeat the name; default None.
                - ``embedded``: whether an embedded copy may serve: "prefer" (default: where it is the link's target, or
                  where there is no link), "never", or "only".
                - ``accept``: the media type to ask for; default None: the type that the link hints at.
                - ``headers``: header fields to add; default None: none.

        Raises:
            TypeError: there is no such option, or one has another type.
        """
        return Follow.from_rel(partial(self.root_with, rel.name if isinstance(rel, Rel) else rel), rel, options)

    async def get(
        self,
        url: str,
        *,
        accept: str | None = None,
        headers: Mapping[str, str] | None = None,
        params: Params | None = None,
    ) -> HalResource:
        """Fetch a URL on a trusted origin.

        Args:
            url: absolute, or relative to the URL of the entry resource: ``"/orders"``, ``"./orders"``, ``"?page=2"``.
            accept: the media type to ask for; default None: the client's.
            headers: header fields to add; default None: none.
            params: query parameters to append; None values are left out, lists repeat the name; default None.

        Raises:
            UntrustedOriginError: the origin is not trusted; nothing was sent.
            StellantisError: fetching failed.
        """
        check_option("accept", accept)
        check_option("headers", headers)
        check_option("params", params)
        return await HalResource.from_url(self._absolute(url, params), self._context, accept, headers)

    async def request(self, method: str, url: str, **options: Unpack[RequestOptions]) -> HalResource:
        """Send a request of any method to a URL on a trusted origin, and return its response as a resource.

        Args:
            method: the HTTP method, in any case.
            url: absolute, or relative to the URL of the entry resource: ``"/orders/7"``, ``"./orders/7"``.
            options: keyword arguments:

                - ``json``: a value to send as JSON, for example the ``state`` of a resource; default None: none.
                - ``form``: fields to send urlencoded, or with ``files`` as multipart/form-data; default None: none.
                - ``files``: files by the name of their field: bytes, a Path, a file opened in binary mode, or
                  ``(name, content, media type)``; default None: none.
                - ``content``: a body as it is sent: bytes, a Path, a file opened in binary mode, or an asynchronous
                  iterable of bytes; default None: none.
                - ``content_type``: the media type of ``json`` or ``content``; default "application/json".
                - ``accept``: the media type to ask for; default None: the client's.
                - ``headers``: header fields to add; default None: none.
                - ``if_match``: an ETag to compare with, or "*"; default: unconditionally, because nothing was read.
                - ``if_none_match``: "*": only if there is no such resource yet; or an ETag; default None: neither.
                - ``idempotency_key``: a key with which the server tells repetitions of a request; True: a new one;
                  default None: none. With a key the request is repeated after failures of the network.
                - ``prefer``: a preference such as "return=representation"; default None: none.
                - ``params``: query parameters to append; None values are left out, lists repeat the name; default None.

        Raises:
            TypeError: there is no such option, one has another type, or there are two bodies.
            UntrustedOriginError: the origin is not trusted; nothing was sent.
            StellantisError: sending failed.
        """
        check_options("request", options, REQUEST_OPTIONS)
        target = self._absolute(url, options.get("params"))
        request = write_request(method, target, options, self._context)
        return await HalResource.answer_to(request, self._context, options.get("headers"))

    def _absolute(self, url: str, params: Params | None) -> str:
        require_type("url", url, str)
        url = to_ascii(url)
        if url.startswith(_RELATIVE):  # a bare name is more often a relation than a path
            url = resolve(self._url, url).partition("#")[0]
        return append_query(url, encode_params(params)) if params else url

    def download(
        self, url: str, *, credentials: bool = True, limit: int = MAX_DOWNLOAD, accept: str | None = None
    ) -> AbstractAsyncContextManager[Download]:
        """Return the body at a URL, of any media type, to be read piece by piece: ``async with … as chunks``.

        Args:
            url: the URL, resolved against that of the entry resource.
            credentials: False: nothing that identifies the caller is sent, and any host may be asked, as pictures on
                foreign hosts need; default True: trusted origins only.
            limit: bytes, decompressed, at most; default 64 MiB.
            accept: the media type to ask for; default None: any.

        Raises:
            BodyTooLargeError: while it is read: it is larger than the limit.
            UntrustedOriginError: on entering: the origin is not trusted; nothing was sent.
            StellantisError: on entering: the request failed.
        """
        target = resolve(self._url, to_ascii(url)).partition("#")[0]
        return download(self._context, target, accept=accept, limit=limit, credentials=credentials)

    def resume(self, dumped: Mapping[str, Any] | HalResource) -> HalResource:
        """Bind a resource that was dumped or unpickled to this client, so that it can be followed again.

        Raises:
            ValueError: the mapping is not a dump.
        """
        return HalResource.load(dumped.dump() if isinstance(dumped, HalResource) else dumped, self._context)
