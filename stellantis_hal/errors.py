"""Every error that this library raises on purpose.

Knows nothing but facts handed to it. Nothing else may escape to a caller: errors of other libraries are translated
where they arise, with ``raise … from``.

::

    StellantisError
    ├── NetworkError                 no complete answer arrived
    │   ├── TooManyRedirectsError
    │   └── BodyTooLargeError
    ├── ApiError                     an answer arrived, and it says no
    │   ├── BadRequestError          400
    │   ├── UnauthorizedError        401
    │   ├── ForbiddenError           403
    │   ├── NotFoundError            404
    │   ├── ServerError              5xx
    │   └── RateLimitedError         429 (a QuotaError too)
    ├── QuotaError                   the subscription's budget is spent
    │   ├── RateLimitedError         the server said so
    │   ├── BudgetExhaustedError     our own books said so; nothing was sent
    │   └── StaleSlotError           a limiter's slot expired before it was used; nothing was sent
    ├── AuthError                    credentials
    │   ├── ConsentRequiredError     the account holder has to log in again
    │   ├── ConfigurationError       the application's registration or settings are wrong
    │   └── TokenStoreError          tokens could not be read or kept
    ├── HalError                     documents and links
    │   ├── NotHalError
    │   ├── InvalidLinkError
    │   ├── LinkNotFoundError
    │   ├── AmbiguousLinkError
    │   ├── TemplateError
    │   ├── PaginationLoopError
    │   ├── UntrustedOriginError
    │   └── DetachedResourceError
    ├── StructureError               a body that strict reading refuses
    └── CheckpointError              where a fleet stands could not be kept (in ``stellantis_hal.fleet``)
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

__all__ = [
    "AmbiguousLinkError",
    "ApiError",
    "AuthError",
    "BadRequestError",
    "BodyTooLargeError",
    "BudgetExhaustedError",
    "ConfigurationError",
    "ConsentRequiredError",
    "DetachedResourceError",
    "ForbiddenError",
    "HalError",
    "InvalidLinkError",
    "LinkNotFoundError",
    "NetworkError",
    "NotFoundError",
    "NotHalError",
    "PaginationLoopError",
    "QuotaError",
    "RateLimitedError",
    "ServerError",
    "StaleSlotError",
    "StellantisError",
    "StructureError",
    "TemplateError",
    "TokenStoreError",
    "TooManyRedirectsError",
    "UnauthorizedError",
    "UntrustedOriginError",
]


class StellantisError(Exception):
    """The root: ``except StellantisError`` catches whatever this library raises on purpose.

    Attributes:
        resume_token: where ``pages(token=…)`` takes up the walk that this error ended; None outside a walk.
    """

    resume_token: str | None = None

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        """Pickle and copy with every attribute, past constructors that want keywords."""
        return _rebuilt, (type(self), self.args, dict(self.__dict__))


def _rebuilt(kind: type[StellantisError], args: tuple[Any, ...], facts: dict[str, Any]) -> StellantisError:
    error = kind.__new__(kind, *args)
    error.args = args
    error.__dict__.update(facts)
    return error


# ------------------------------------------------------------------------------------------------- network


class NetworkError(StellantisError):
    """No complete answer arrived: connection, TLS, time-out, or a body that broke off.

    Attributes:
        url: the address asked for, without what identifies the application.
        sent: whether the request may have reached the server.
        is_transient: whether trying again may help; not where TLS said no, or the request itself cannot be sent.
    """

    def __init__(self, message: str, *, url: str = "", sent: bool = False, is_transient: bool = True) -> None:
        super().__init__(message)
        self.url = url
        self.sent = sent
        self.is_transient = is_transient


class TooManyRedirectsError(NetworkError):
    """The answer was one redirect more than the session follows."""


class BodyTooLargeError(NetworkError):
    """The body, once decompressed, is larger than the session reads."""


# ------------------------------------------------------------------------------------------------- answers


class ApiError(StellantisError):
    """The server answered, and the answer is an error.

    The vendor's support asks for ``uuid``, ``code``, ``timestamp`` and ``transaction_id``.

    Attributes:
        status: the HTTP status.
        url: the address that answered, without what identifies the application.
        code: the API's own code (40400, 50038, …) as an int; None where the body has none.
        uuid: the server's id of this error.
        timestamp: when the server says it happened, aware, UTC.
        transaction_id: the ``X-Global-Transaction-ID`` header.
        retry_after: seconds until the server wants to be asked again; None where it does not say.
        is_transient: whether the same request may well succeed later.
        oauth_error: the ``error`` of an identity server's body (``invalid_grant``, …); None where there is none.
    """

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


class BadRequestError(ApiError):
    """400: a parameter or a body that the API does not accept."""


class UnauthorizedError(ApiError):
    """401: the token is missing, expired or revoked, and renewing it did not help."""


class ForbiddenError(ApiError):
    """403: no access to this car (often a wrong vehicle id), or a scope that was not granted.

    Attributes:
        scopes: the scopes that the vendor documents for this address; empty where none are known.
    """

    scopes: tuple[str, ...] = ()


class NotFoundError(ApiError):
    """404: nothing there; with an API code 404xx often just "no data yet"."""


class ServerError(ApiError):
    """5xx: the server, or one behind it, failed."""


# ------------------------------------------------------------------------------------------------- quota


class QuotaError(StellantisError):
    """The subscription's budget is spent.

    Attributes:
        retry_after: seconds until a request is possible again; None where nobody knows.
    """

    retry_after: float | None


class RateLimitedError(QuotaError, ApiError):
    """429, and waiting for the server's instant was not possible within the wait allowed."""


class BudgetExhaustedError(QuotaError):
    """Our own books say that the wait would be longer than allowed; nothing was sent."""

    def __init__(self, message: str, *, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class StaleSlotError(QuotaError):
    """A limiter's slot expired before its request was sent; nothing was sent, and a new slot may be taken at once."""

    def __init__(
        self, message: str = "the slot expired before the request was sent: take a new one", *, retry_after: float = 0.0
    ) -> None:
        super().__init__(message)
        self.retry_after = retry_after


# ------------------------------------------------------------------------------------------------- credentials


class AuthError(StellantisError):
    """Credentials are missing, refused or could not be kept.

    Attributes:
        key: the account's key in its token store, where there is one.
    """

    def __init__(self, message: str, *, key: str | None = None) -> None:
        super().__init__(message)
        self.key = key


class ConsentRequiredError(AuthError):
    """The refresh token is no longer accepted: the account holder has to log in and consent again."""


class ConfigurationError(AuthError):
    """The application's registration, secret, certificate, realm or host is wrong: retrying cannot help.

    Attributes:
        more_information: the gateway's own words, where it gave any.
    """

    def __init__(self, message: str, *, key: str | None = None, more_information: str | None = None) -> None:
        super().__init__(message, key=key)
        self.more_information = more_information


class TokenStoreError(AuthError):
    """A token store could not be read, written or locked."""


# ------------------------------------------------------------------------------------------------- HAL


class HalError(StellantisError):
    """A document or a link is not what following it needs.

    Attributes:
        url: the document's address.
    """

    def __init__(self, message: str, *, url: str = "") -> None:
        super().__init__(message)
        self.url = url


class NotHalError(HalError):
    """The body is no JSON object, so there is nothing to navigate.

    Attributes:
        content_type: what the server called it.
        excerpt: its first bytes, readable.
    """

    def __init__(self, message: str, *, url: str = "", content_type: str = "", excerpt: str = "") -> None:
        super().__init__(message, url=url)
        self.content_type = content_type
        self.excerpt = excerpt


class InvalidLinkError(HalError):
    """The link is there but its href is missing, or is no string, or no URL."""


class LinkNotFoundError(HalError):
    """The document has no such link.

    Attributes:
        rel: what was asked for.
        available: the relations that the document does have.
    """

    def __init__(self, message: str, *, rel: str, available: Sequence[str] = (), url: str = "") -> None:
        super().__init__(message, url=url)
        self.rel = rel
        self.available: tuple[str, ...] = tuple(available)


class AmbiguousLinkError(HalError):
    """Several links match and nothing says which one is meant: pass ``name=``, ``index=`` or ``where=``.

    Attributes:
        rel: what was asked for.
        candidates: the hrefs that match.
    """

    def __init__(self, message: str, *, rel: str, candidates: Sequence[str] = (), url: str = "") -> None:
        super().__init__(message, url=url)
        self.rel = rel
        self.candidates: tuple[str, ...] = tuple(candidates)


class TemplateError(HalError):
    """A URI template that cannot be parsed, or variables that do not fit it."""


class PaginationLoopError(HalError):
    """A page's ``next`` leads to a page that this walk has been on."""


class UntrustedOriginError(HalError):
    """The address is not on an origin that may see credentials; nothing was sent."""


class DetachedResourceError(HalError):
    """The resource was unpickled or loaded without a client: bind it with ``client.resume(dump)`` first."""


# ------------------------------------------------------------------------------------------------- reading


class StructureError(StellantisError):
    """Strict reading found values that do not fit their type.

    Attributes:
        problems: a record for each, with its JSON path.
    """

    def __init__(self, message: str, *, problems: Sequence[Any] = ()) -> None:
        super().__init__(message)
        self.problems: tuple[Any, ...] = tuple(problems)
