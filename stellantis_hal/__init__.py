"""Async client for the connected-car web APIs of Stellantis' ex-PSA brands, on a generic HAL navigator.

Everything public is imported from here, and loaded when it is first used.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from stellantis_hal.__version__ import __version__

if TYPE_CHECKING:
    from stellantis_hal.auth import Application, Enrolment, PartnerCredentials
    from stellantis_hal.client import Account, StellantisClient
    from stellantis_hal.credentials.bearer import BearerCredentials
    from stellantis_hal.credentials.oauth2 import AuthorizationRequest
    from stellantis_hal.credentials.stores.file import FileTokenStore
    from stellantis_hal.credentials.stores.memory import MemoryTokenStore
    from stellantis_hal.credentials.stores.protocol import TokenStore
    from stellantis_hal.credentials.token import Token
    from stellantis_hal.errors import (
        AmbiguousLinkError,
        ApiError,
        AuthError,
        BadRequestError,
        BodyTooLargeError,
        BudgetExhaustedError,
        ConfigurationError,
        ConsentRequiredError,
        DetachedResourceError,
        ForbiddenError,
        HalError,
        InvalidLinkError,
        LinkNotFoundError,
        NetworkError,
        NotFoundError,
        NotHalError,
        PaginationLoopError,
        QuotaError,
        RateLimitedError,
        ServerError,
        StellantisError,
        StructureError,
        TemplateError,
        TokenStoreError,
        TooManyRedirectsError,
        UnauthorizedError,
        UntrustedOriginError,
    )
    from stellantis_hal.fleet import (
        AccountLost,
        BudgetWarning,
        Change,
        CheckpointError,
        CheckpointStore,
        FleetStatistics,
        MemoryCheckpoints,
        Outage,
        Progress,
        Recovered,
        Removed,
        SQLiteCheckpoints,
        Update,
        VehicleUnavailable,
        Watch,
        backfill,
        by_activity,
        quiet,
        trip_writer,
        watch,
    )
    from stellantis_hal.hal.document import (
        Diagnostic,
        HalDocument,
    )
    from stellantis_hal.hal.link import (
        Link,
    )
    from stellantis_hal.hal_client import HalClient
    from stellantis_hal.navigation import (
        Follow,
        FollowResult,
        HalDeprecationWarning,
        HalResource,
        IndexRanges,
        Page,
        Pages,
        Paginator,
        Rel,
    )
    from stellantis_hal.resources.alarm import (
        Alarm,
    )
    from stellantis_hal.resources.alert import (
        Alert,
    )
    from stellantis_hal.resources.blocks.capabilities import (
        Capabilities,
    )
    from stellantis_hal.resources.blocks.consumption import (
        TripConsumption,
    )
    from stellantis_hal.resources.blocks.energy import (
        ChargingStatus,
        Energy,
        EnergyType,
    )
    from stellantis_hal.resources.collision import (
        Collision,
    )
    from stellantis_hal.resources.filters import (
        AlarmType,
        TelemetryType,
        TripState,
    )
    from stellantis_hal.resources.maintenance import (
        Maintenance,
    )
    from stellantis_hal.resources.position import (
        Position,
    )
    from stellantis_hal.resources.status import (
        Status,
    )
    from stellantis_hal.resources.telemetry import (
        Telemetry,
    )
    from stellantis_hal.resources.time_range import (
        TimeRange,
    )
    from stellantis_hal.resources.trip import (
        Trip,
    )
    from stellantis_hal.resources.user import (
        User,
    )
    from stellantis_hal.resources.vehicle import (
        Vehicle,
    )
    from stellantis_hal.structuring.converter import (
        TypedConverter,
    )
    from stellantis_hal.structuring.open_enum import (
        OpenEnum,
    )
    from stellantis_hal.structuring.problems import (
        Problem,
    )
    from stellantis_hal.transport.credentials import (
        Credentials,
    )
    from stellantis_hal.transport.exchange import (
        Timeouts,
    )
    from stellantis_hal.transport.hooks import (
        Hooks,
        ResponseRecord,
        RetryRecord,
        WaitRecord,
    )
    from stellantis_hal.transport.rate_limit.limiter import (
        TokenBucketLimiter,
    )
    from stellantis_hal.transport.rate_limit.persistence import (
        FileLimiterStore,
        LimiterStore,
    )
    from stellantis_hal.transport.rate_limit.protocol import (
        LimiterStatistics,
        RateLimiter,
        RateLimits,
    )
    from stellantis_hal.transport.rate_limit.quota import (
        Quota,
        Window,
    )
    from stellantis_hal.transport.retry import (
        RetryPolicy,
    )
    from stellantis_hal.transport.tls import (
        Tls,
    )
    from stellantis_hal.vendor.brands import Brand
    from stellantis_hal.vendor.scopes import Scope


__all__ = [
    "Account",
    "AccountLost",
    "Alarm",
    "AlarmType",
    "Alert",
    "AmbiguousLinkError",
    "ApiError",
    "Application",
    "AuthError",
    "AuthorizationRequest",
    "BadRequestError",
    "BearerCredentials",
    "BodyTooLargeError",
    "Brand",
    "BudgetExhaustedError",
    "BudgetWarning",
    "Capabilities",
    "Change",
    "ChargingStatus",
    "CheckpointError",
    "CheckpointStore",
    "Collision",
    "ConfigurationError",
    "ConsentRequiredError",
    "Credentials",
    "DetachedResourceError",
    "Diagnostic",
    "Energy",
    "EnergyType",
    "Enrolment",
    "FileLimiterStore",
    "FileTokenStore",
    "FleetStatistics",
    "Follow",
    "FollowResult",
    "ForbiddenError",
    "HalClient",
    "HalDeprecationWarning",
    "HalDocument",
    "HalError",
    "HalResource",
    "Hooks",
    "IndexRanges",
    "InvalidLinkError",
    "LimiterStatistics",
    "LimiterStore",
    "Link",
    "LinkNotFoundError",
    "Maintenance",
    "MemoryCheckpoints",
    "MemoryTokenStore",
    "NetworkError",
    "NotFoundError",
    "NotHalError",
    "OpenEnum",
    "Outage",
    "Page",
    "Pages",
    "PaginationLoopError",
    "Paginator",
    "PartnerCredentials",
    "Position",
    "Problem",
    "Progress",
    "Quota",
    "QuotaError",
    "RateLimitedError",
    "RateLimiter",
    "RateLimits",
    "Recovered",
    "Rel",
    "Removed",
    "ResponseRecord",
    "RetryPolicy",
    "RetryRecord",
    "SQLiteCheckpoints",
    "Scope",
    "ServerError",
    "Status",
    "StellantisClient",
    "StellantisError",
    "StructureError",
    "Telemetry",
    "TelemetryType",
    "TemplateError",
    "TimeRange",
    "Timeouts",
    "Tls",
    "Token",
    "TokenBucketLimiter",
    "TokenStore",
    "TokenStoreError",
    "TooManyRedirectsError",
    "Trip",
    "TripConsumption",
    "TripState",
    "TypedConverter",
    "UnauthorizedError",
    "UntrustedOriginError",
    "Update",
    "User",
    "Vehicle",
    "VehicleUnavailable",
    "WaitRecord",
    "Watch",
    "Window",
    "__version__",
    "backfill",
    "by_activity",
    "quiet",
    "trip_writer",
    "watch",
]

_HOMES = {
    "stellantis_hal.auth": "Application Enrolment PartnerCredentials",
    "stellantis_hal.client": "Account StellantisClient",
    "stellantis_hal.vendor.brands": "Brand",
    "stellantis_hal.vendor.scopes": "Scope",
    "stellantis_hal.credentials.token": "Token",
    "stellantis_hal.credentials.stores.protocol": "TokenStore",
    "stellantis_hal.credentials.stores.memory": "MemoryTokenStore",
    "stellantis_hal.credentials.stores.file": "FileTokenStore",
    "stellantis_hal.credentials.bearer": "BearerCredentials",
    "stellantis_hal.credentials.oauth2": "AuthorizationRequest",
    "stellantis_hal.hal_client": "HalClient",
    "stellantis_hal.errors": (
        "AmbiguousLinkError ApiError AuthError BadRequestError BodyTooLargeError BudgetExhaustedError "
        "ConfigurationError ConsentRequiredError DetachedResourceError ForbiddenError HalError "
        "InvalidLinkError LinkNotFoundError NetworkError NotFoundError NotHalError PaginationLoopError "
        "QuotaError RateLimitedError ServerError StellantisError StructureError TemplateError TokenStoreError "
        "TooManyRedirectsError UnauthorizedError UntrustedOriginError"
    ),
    "stellantis_hal.fleet": (
        "AccountLost BudgetWarning Change CheckpointError CheckpointStore FleetStatistics "
        "MemoryCheckpoints Outage Progress Recovered Removed SQLiteCheckpoints Update VehicleUnavailable Watch "
        "backfill by_activity quiet trip_writer watch"
    ),
    "stellantis_hal.hal.document": "Diagnostic HalDocument",
    "stellantis_hal.hal.link": "Link",
    "stellantis_hal.navigation": (
        "Follow FollowResult HalDeprecationWarning HalResource IndexRanges Page Pages Paginator Rel"
    ),
    "stellantis_hal.resources.alarm": "Alarm",
    "stellantis_hal.resources.alert": "Alert",
    "stellantis_hal.resources.blocks.capabilities": "Capabilities",
    "stellantis_hal.resources.collision": "Collision",
    "stellantis_hal.resources.blocks.consumption": "TripConsumption",
    "stellantis_hal.resources.blocks.energy": "ChargingStatus Energy EnergyType",
    "stellantis_hal.structuring.open_enum": "OpenEnum",
    "stellantis_hal.resources.filters": "AlarmType TelemetryType TripState",
    "stellantis_hal.resources.time_range": "TimeRange",
    "stellantis_hal.resources.maintenance": "Maintenance",
    "stellantis_hal.resources.position": "Position",
    "stellantis_hal.structuring.problems": "Problem",
    "stellantis_hal.structuring.converter": "TypedConverter",
    "stellantis_hal.resources.status": "Status",
    "stellantis_hal.resources.telemetry": "Telemetry",
    "stellantis_hal.resources.trip": "Trip",
    "stellantis_hal.resources.user": "User",
    "stellantis_hal.resources.vehicle": "Vehicle",
    "stellantis_hal.transport.rate_limit.persistence": "FileLimiterStore LimiterStore",
    "stellantis_hal.transport.credentials": "Credentials",
    "stellantis_hal.transport.exchange": "Timeouts",
    "stellantis_hal.transport.hooks": "Hooks ResponseRecord RetryRecord WaitRecord",
    "stellantis_hal.transport.rate_limit.limiter": "TokenBucketLimiter",
    "stellantis_hal.transport.rate_limit.protocol": "LimiterStatistics RateLimiter RateLimits",
    "stellantis_hal.transport.rate_limit.quota": "Quota Window",
    "stellantis_hal.transport.retry": "RetryPolicy",
    "stellantis_hal.transport.tls": "Tls",
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names.split()}


def __getattr__(name: str) -> Any:
    """Load a public name when it is first asked for (PEP 562)."""
    home = _HOME_OF.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(home), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
