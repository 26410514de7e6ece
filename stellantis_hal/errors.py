"""The errors of this library, all under :class:`StellantisError`.

::

    StellantisError
    ├── NetworkError                   no complete response was received
    │   ├── TooManyRedirectsError
    │   └── BodyTooLargeError
    ├── ApiError                       the response is an error
    │   ├── BadRequestError            400
    │   ├── UnauthorizedError          401
    │   ├── ForbiddenError             403
    │   ├── NotFoundError              404
    │   ├── PreconditionFailedError    412
    │   ├── PreconditionRequiredError  428
    │   ├── TooManyMonitorsError       400 or 409 on a new monitor
    │   ├── ServerError                5xx
    │   └── RateLimitedError           429 (a QuotaError too)
    ├── QuotaError                     the subscription's rate limits are exhausted
    │   ├── RateLimitedError           according to the server (429)
    │   ├── BudgetExhaustedError       according to the limiter; nothing was sent
    │   └── LimiterSlotExpiredError    a limiter's slot expired before it was used; nothing was sent
    ├── AuthError                      credentials
    │   ├── ConsentRequiredError       the account holder must log in again
    │   ├── LoginRedirectError         a log-in's redirect was not found, or belongs to another log-in
    │   ├── ConfigurationError         the application's registration or settings are wrong
    │   └── TokenStoreError            tokens could not be loaded or saved
    ├── HalError                       documents and links
    │   ├── NotHalError
    │   ├── TooManyValuesError
    │   ├── InvalidLinkError
    │   ├── LinkNotFoundError
    │   ├── AmbiguousLinkError
    │   ├── TemplateError
    │   ├── FormError
    │   ├── PaginationError            a collection cannot be read to its end
    │   │   ├── PaginationLoopError
    │   │   └── IncompleteCollectionError
    │   ├── UntrustedOriginError
    │   └── DetachedResourceError
    ├── StructureError                 values that strict mode rejects
    ├── OutcomeUnknownError            whether the server has taken a command is unknown
    ├── RemoteRefusedError             a command was refused before it was sent
    ├── RemoteFailedError              a command was taken, and failed
    ├── ClosedClientError              the client was closed; nothing was sent
    ├── WrongLoopError                 the client belongs to another event loop, thread or process; nothing was sent
    ├── LeaseStoreError                a lease could not be taken, kept or given up
    ├── LeaseLostError                 another process owns the lease; nothing was written
    ├── CheckpointError                checkpoints could not be loaded or saved (``stellantis_hal.fleet``)
    │   ├── CheckpointsInUseError      another watch or backfill has the name
    │   └── DamagedCheckpointError     that of one vehicle cannot be read
    ├── InboxError                     events could not be stored or read (``stellantis_hal.notifications``)
    └── TripFileError                  a file has content that would be lost (``stellantis_hal.fleet.export``)
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

__all__ = [
    "AmbiguousLinkError",
    "ApiError",
    "AuthError",
    "BadRequestError",
    "BodyTooLargeError",
    "BudgetExhaustedError",
    "ClosedClientError",
    "ConfigurationError",
    "ConsentRequiredError",
    "DetachedResourceError",
    "ForbiddenError",
    "FormError",
    "HalError",
    "IncompleteCollectionError",
    "InvalidLinkError",
    "LeaseLostError",
    "LeaseStoreError",
    "LimiterSlotExpiredError",
    "LinkNotFoundError",
    "LoginRedirectError",
    "NetworkError",
    "NotFoundError",
    "NotHalError",
    "OutcomeUnknownError",
    "PaginationError",
    "PaginationLoopError",
    "PreconditionFailedError",
    "PreconditionRequiredError",
    "QuotaError",
    "RateLimitedError",
    "RemoteFailedError",
    "RemoteRefusedError",
    "ServerError",
    "StellantisError",
    "StructureError",
    "TemplateError",
    "TokenStoreError",
    "TooManyMonitorsError",
    "TooManyRedirectsError",
    "TooManyValuesError",
    "UnauthorizedError",
    "UntrustedOriginError",
    "WrongLoopError",
]


class StellantisError(Exception):
    """The base class: ``except StellantisError`` catches every error of this library.

    Attributes:
        resume_token: the token with which ``pages(token=…)`` resumes the iteration that failed; None elsewhere.
        identity_server: the host (and port) of the identity server that did not renew the account's token; None
            elsewhere. Unless it is an :class:`AuthError`, the failure is the server's and may pass.
    """

    resume_token: str | None = None
    identity_server: str | None = None

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        """Support pickle and copy, with every attribute and without calling the constructor."""
        return _rebuild, (type(self), self.args, dict(self.__dict__))


def _rebuild(kind: type[StellantisError], args: tuple[Any, ...], attributes: dict[str, Any]) -> StellantisError:
    error = kind.__new__(kind, *args)
    error.args = args
    error.__dict__.update(attributes)
    return error


# ------------------------------------------------------------------------------------------------- network


class NetworkError(StellantisError):
    """No complete response was received: connection, TLS or timeout failed, or the body was incomplete.

    Attributes:
        url: the URL of the request, without what identifies the application.
        sent: whether the request may have reached the server.
        is_transient: whether a retry may help; False where TLS failed or the request cannot be sent.
    """

    def __init__(self, message: str, *, url: str = "", sent: bool = False, is_transient: bool = True) -> None:
        super().__init__(message)
        self.url = url
        self.sent = sent
        self.is_transient = is_transient


class TooManyRedirectsError(NetworkError):
    """The response was a redirect, and the limit of redirects was reached."""


class BodyTooLargeError(NetworkError):
    """The decompressed body is larger than the limit."""


# ------------------------------------------------------------------------------------------------- responses


class _ResponseParts:
    """What the server sent with an error: unmasked, so that it shows nothing of it itself."""

    __slots__ = ("detail", "document", "errors", "headers", "problem_type")

    def __init__(
        self,
        detail: str | None,
        errors: Mapping[str, tuple[str, ...]],
        problem_type: str | None,
        document: Any,
        headers: Mapping[str, str],
    ) -> None:
        self.detail = detail
        self.errors = errors
        self.problem_type = problem_type
        self.document = document
        self.headers = headers

    def __repr__(self) -> str:
        return "<the response>"


class ApiError(StellantisError):
    """The server returned an error.

    The API's support asks for ``uuid``, ``code``, ``timestamp`` and ``transaction_id``.

    ``detail``, ``errors``, ``document`` and ``headers`` are what the server sent, unmasked; ``str()``, ``repr()`` and
    ``vars()`` show masked excerpts only.

    Attributes:
        status: the HTTP status.
        url: the URL of the response, without what identifies the application.
        code: the API's own code (40400, 50038, …) as an int; None where the body has none.
        uuid: the server's id of this error.
        timestamp: the time of the error by the server, aware, UTC.
        transaction_id: the server's id of the request, from the header that the API's conventions name.
        retry_after: seconds until a retry is allowed, by the server; None where it does not say.
        is_transient: whether the same request may succeed later.
        oauth_error: the ``error`` of an identity server's body (``invalid_grant``, …); None where there is none.
        description: the server's own words, masked and cut; empty where it has none.
        resource: the response as a :class:`~stellantis_hal.HalResource` with its links and forms, where the body is
            JSON or the header has links, and the request was made through a client's resources; else None.
    """

    resource: Any = None

    def __init__(
        self,
        message: str,
        *,
        status: int,
        url: str = "",
        code: int | None = None,
        uuid: str | None = None,
        timestamp: datetime | None = None,
        transaction_id: str | None = None,
        retry_after: float | None = None,
        is_transient: bool = False,
        oauth_error: str | None = None,
        description: str = "",
        detail: str | None = None,
        errors: Mapping[str, tuple[str, ...]] | None = None,
        problem_type: str | None = None,
        document: Any = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.url = url
        self.code = code
        self.uuid = uuid
        self.timestamp = timestamp
        self.transaction_id = transaction_id
        self.retry_after = retry_after
        self.is_transient = is_transient
        self.oauth_error = oauth_error
        self.description = description
        self._response = _ResponseParts(detail, errors or {}, problem_type, document, headers or {})

    @property
    def detail(self) -> str | None:
        """The server's own words, as they are, in at most 1,000 characters; None where it has none."""
        return self._response.detail

    @property
    def errors(self) -> Mapping[str, tuple[str, ...]]:
        """Messages by field (``address.zip``, ``items[0].price``); ``""`` is the whole."""
        return self._response.errors

    @property
    def problem_type(self) -> str | None:
        """The URI of the kind of problem (RFC 9457); None where the body is no problem document."""
        return self._response.problem_type

    @property
    def document(self) -> Any:
        """The decoded body; None where it is not JSON, or nested more than a hundred levels deep."""
        return self._response.document

    @property
    def headers(self) -> Mapping[str, str]:
        """The header fields of the response."""
        return self._response.headers


class BadRequestError(ApiError):
    """400: the API does not accept a parameter or the body."""


class UnauthorizedError(ApiError):
    """401: the token is missing, expired or revoked, and renewing it did not help."""


class ForbiddenError(ApiError):
    """403: access to the resource is denied, or a scope was not granted.

    Attributes:
        scopes: the scopes that the API documents for this URL; empty where none are known.
    """

    scopes: tuple[str, ...] = ()


class NotFoundError(ApiError):
    """404: the resource does not exist; with an API code 404xx often just "no data yet"."""


class PreconditionFailedError(ApiError):
    """412: the resource was changed since it was read, or its state is not the one that was asked for."""


class PreconditionRequiredError(ApiError):
    """428: the server takes no write without a condition; read the resource first."""


class TooManyMonitorsError(ApiError):
    """400 or 409 on a new monitor: the vehicle has as many monitors as it may have."""


class ServerError(ApiError):
    """5xx: the server failed, or one that it depends on."""


# ------------------------------------------------------------------------------------------------- quota


class QuotaError(StellantisError):
    """The subscription's rate limits are exhausted.

    Attributes:
        retry_after: seconds until a request is possible again; None where that is unknown.
    """

    retry_after: float | None


class RateLimitedError(QuotaError, ApiError):
    """429, and the wait until the server's instant is longer than ``max_wait`` allows."""


class BudgetExhaustedError(QuotaError):
    """The limiter would have to wait longer than ``max_wait`` allows; nothing was sent."""

    def __init__(self, message: str, *, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class LimiterSlotExpiredError(QuotaError):
    """A limiter's slot expired before its request was sent; nothing was sent, and a new slot may be taken at once."""

    def __init__(
        self, message: str = "the slot expired before the request was sent: take a new one", *, retry_after: float = 0.0
    ) -> None:
        super().__init__(message)
        self.retry_after: float | None = retry_after


# ------------------------------------------------------------------------------------------------- credentials


class AuthError(StellantisError):
    """Credentials are missing or rejected, or could not be saved.

    Attributes:
        key: the account's key in its token store; None where there is none.
    """

    def __init__(self, message: str, *, key: str | None = None) -> None:
        super().__init__(message)
        self.key = key


class ConsentRequiredError(AuthError):
    """The refresh token is no longer accepted: the account holder must log in and consent again."""


class LoginRedirectError(AuthError):
    """A text has no redirect URL of this log-in, or a part of one: ask for it again."""


class ConfigurationError(AuthError):
    """The application's registration, secret, certificate, realm or host is wrong: retrying cannot help.

    Attributes:
        more_information: the gateway's explanation; None where there is none.
    """

    def __init__(self, message: str, *, key: str | None = None, more_information: str | None = None) -> None:
        super().__init__(message, key=key)
        self.more_information = more_information


class TokenStoreError(AuthError):
    """A token store could not be read, written or locked."""


# ------------------------------------------------------------------------------------------------- HAL


class HalError(StellantisError):
    """A document or a link cannot be used as requested.

    Attributes:
        url: the URL of the document.
    """

    def __init__(self, message: str, *, url: str = "") -> None:
        super().__init__(message)
        self.url = url


class NotHalError(HalError):
    """The body is not a JSON object.

    Attributes:
        content_type: the media type of the response.
        excerpt: the beginning of the body, masked.
    """

    def __init__(self, message: str, *, url: str = "", content_type: str = "", excerpt: str = "") -> None:
        super().__init__(message, url=url)
        self.content_type = content_type
        self.excerpt = excerpt


class TooManyValuesError(HalError):
    """The body has more values than are decoded, or a page more items than are read: ask for smaller pages.

    Attributes:
        values: about how many there are.
    """

    def __init__(self, message: str, *, url: str = "", values: int = 0) -> None:
        super().__init__(message, url=url)
        self.values = values


class InvalidLinkError(HalError):
    """The link exists, but its href is missing, or is not a string."""


class LinkNotFoundError(HalError):
    """The document has no such link.

    Attributes:
        rel: the relation asked for.
        available: the relations of the document.
    """

    def __init__(self, message: str, *, rel: str, available: Sequence[str] = (), url: str = "") -> None:
        super().__init__(message, url=url)
        self.rel = rel
        self.available: tuple[str, ...] = tuple(available)


class AmbiguousLinkError(HalError):
    """Several links match: choose one by ``name=``, ``index=`` or ``where=``.

    Attributes:
        rel: the relation asked for.
        candidates: the hrefs that match.
    """

    def __init__(self, message: str, *, rel: str, candidates: Sequence[str] = (), url: str = "") -> None:
        super().__init__(message, url=url)
        self.rel = rel
        self.candidates: tuple[str, ...] = tuple(candidates)


class TemplateError(HalError):
    """A URI template cannot be parsed, or the variables do not fit it."""


class FormError(HalError):
    """Values do not fit the fields of a form, or the form cannot be sent as it is stated; nothing was sent.

    Attributes:
        errors: the faults by field; those of the whole form under "".
    """

    def __init__(self, message: str, *, errors: Mapping[str, Sequence[str]] | None = None, url: str = "") -> None:
        super().__init__(message, url=url)
        self.errors: Mapping[str, tuple[str, ...]] = {name: tuple(found) for name, found in (errors or {}).items()}


class PaginationError(HalError):
    """A collection cannot be read to its end.

    Attributes:
        items: the number of items that this iteration returned.
        pages: the number of pages before the error, those before a page token included.
        total: the number of items that the latest page stated; None where it stated none.
    """

    items: int = 0
    pages: int = 0
    total: int | None = None

    def __str__(self) -> str:
        """Return what happened, and how far the iteration came."""
        stated = "no total stated" if self.total is None else f"{self.total} stated"
        return f"{super().__str__()} (returned: {self.items} items on {self.pages} pages; {stated})"


class PaginationLoopError(PaginationError):
    """A page's ``next`` leads to a page that this iteration has read before."""


class IncompleteCollectionError(PaginationError):
    """There are more items, as the total or a link says, and no way to read them."""


class UntrustedOriginError(HalError):
    """The URL is not on an origin that may receive credentials; nothing was sent."""


class DetachedResourceError(HalError):
    """The resource was unpickled or loaded without a client: bind it with ``client.resume(dump)`` first."""


# ------------------------------------------------------------------------------------------------- structuring


class StructureError(StellantisError):
    """Strict mode found values that do not fit their type.

    Attributes:
        problems: a record of each value, with its JSON path.
    """

    def __init__(self, message: str, *, problems: Sequence[Any] = ()) -> None:
        super().__init__(message)
        self.problems: tuple[Any, ...] = tuple(problems)


# ------------------------------------------------------------------------------------------------- commands


class OutcomeUnknownError(StellantisError):
    """The server may have taken a command or not: the response was lost. Nothing repeats it; look for it first.

    It is no :class:`NetworkError`, so that no code repeats the command by habit.

    Attributes:
        label: the label that the command was sent with; operations keep theirs.
        kind: the kind of the action (``door``).
        url: the collection that the command was sent to.
    """

    _find: Callable[[float], Awaitable[Any]] | None = None

    def __init__(self, message: str, *, label: str = "", kind: str = "", url: str = "") -> None:
        super().__init__(message)
        self.label = label
        self.kind = kind
        self.url = url

    def search_with(self, find: Callable[[float], Awaitable[Any]]) -> None:
        """Set how :meth:`find` searches; it is no part of a pickled error."""
        self._find = find

    async def find(self, *, within: float = 30.0) -> Any:
        """Look for the command by its label among the operations that the server lists.

        Args:
            within: seconds to look for it, at least once.

        Returns:
            The ``Operation``; None where it is not listed yet: the outcome is still unknown.

        Raises:
            DetachedResourceError: the error was unpickled: use ``vehicle.remote(callback).find(error.label)``.
            StellantisError: the server could not be asked.
        """
        if self._find is None:
            raise DetachedResourceError(
                "this error was made or unpickled without a client: use vehicle.remote(callback).find(error.label)"
            )
        return await self._find(within)

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        """Support pickle and copy, without the client."""
        attributes = {name: value for name, value in self.__dict__.items() if name != "_find"}
        return _rebuild, (type(self), self.args, attributes)


class RemoteRefusedError(StellantisError):
    """A command was refused by the client's own policy; nothing was sent.

    Attributes:
        reason: why: ``capability``, ``same_action``, ``cooldown``, ``wake_up_spacing``, ``wake_up_budget`` or
            ``wake_ups_over``.
        again_at: from when the same command is accepted, aware; None where waiting does not help.
    """

    def __init__(self, message: str, *, reason: str = "", again_at: datetime | None = None) -> None:
        super().__init__(message)
        self.reason = reason
        self.again_at = again_at


class RemoteFailedError(StellantisError):
    """The server took a command, and the car did not execute it.

    Attributes:
        cause: the API's cause (a ``FailureCause``); None where it named none.
        advice: what to do, in one sentence.
        is_retryable: whether the same command may succeed later without a change of the car or its rights.
        status: the last status of the operation.
    """

    def __init__(
        self,
        message: str,
        *,
        cause: str | None = None,
        advice: str = "",
        is_retryable: bool = False,
        status: str = "",
    ) -> None:
        super().__init__(message)
        self.cause = cause
        self.advice = advice
        self.is_retryable = is_retryable
        self.status = status


# ------------------------------------------------------------------------------------------------- use of a client


class ClosedClientError(StellantisError):
    """The client was closed before the request: make a new client. Nothing was sent."""


class WrongLoopError(StellantisError):
    """The client was used before in another event loop, thread or process: make one client for each of them."""


# ------------------------------------------------------------------------------------------------- several processes


class LeaseStoreError(StellantisError):
    """A lease could not be taken, kept or given up: its store failed, or cannot hold leases."""


class LeaseLostError(StellantisError):
    """This process does not own a lease (any more), so its store refused to read or write. Start again, to take part.

    Attributes:
        scope: the lease and its shard, as ``fleet/3``.
    """

    def __init__(self, message: str, *, scope: str = "") -> None:
        super().__init__(message)
        self.scope = scope
