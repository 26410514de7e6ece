"""Async client for the connected-car web APIs of Peugeot, Citroën, DS, Opel and Vauxhall, on a generic HAL navigator.

The public names of the package; each is loaded when it is first used.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from stellantis_hal.__version__ import __version__

if TYPE_CHECKING:
    from stellantis_hal.auth.application import Application
    from stellantis_hal.auth.enrolment import EnrolmentFlow
    from stellantis_hal.auth.partner import Partner
    from stellantis_hal.client.account import Account
    from stellantis_hal.client.fleet_owner_client import FleetOwnerClient
    from stellantis_hal.client.stellantis_client import StellantisClient
    from stellantis_hal.credentials.basic import Basic
    from stellantis_hal.credentials.flows import OAuth2AuthorizationCode, OAuth2ClientCredentials
    from stellantis_hal.credentials.oauth2_messages import (
        AuthorizationRequest,
        AuthorizationResponse,
        OAuth2Registration,
    )
    from stellantis_hal.credentials.renewing_bearer import RenewingBearerCredentials
    from stellantis_hal.credentials.static import Bearer
    from stellantis_hal.credentials.stores.callbacks import CallbackTokenStore
    from stellantis_hal.credentials.stores.file import FileTokenStore
    from stellantis_hal.credentials.stores.memory import MemoryTokenStore
    from stellantis_hal.credentials.stores.postgres import PostgresTokenStore
    from stellantis_hal.credentials.stores.protocol import TokenStore
    from stellantis_hal.credentials.stores.redis import RedisTokenStore
    from stellantis_hal.credentials.stores.sqlite import SQLiteTokenStore
    from stellantis_hal.credentials.token import Token, TokenLike
    from stellantis_hal.errors import (
        AmbiguousLinkError,
        ApiError,
        AuthError,
        BadRequestError,
        BodyTooLargeError,
        BudgetExhaustedError,
        ClosedClientError,
        ConfigurationError,
        ConsentRequiredError,
        DetachedResourceError,
        ForbiddenError,
        FormError,
        HalError,
        IncompleteCollectionError,
        InvalidLinkError,
        LeaseLostError,
        LeaseStoreError,
        LimiterSlotExpiredError,
        LinkNotFoundError,
        LoginRedirectError,
        NetworkError,
        NotFoundError,
        NotHalError,
        OutcomeUnknownError,
        PaginationError,
        PaginationLoopError,
        PreconditionFailedError,
        PreconditionRequiredError,
        QuotaError,
        RateLimitedError,
        RemoteFailedError,
        RemoteRefusedError,
        ServerError,
        StellantisError,
        StructureError,
        TemplateError,
        TokenStoreError,
        TooManyMonitorsError,
        TooManyRedirectsError,
        TooManyValuesError,
        UnauthorizedError,
        UntrustedOriginError,
        WrongLoopError,
    )
    from stellantis_hal.fleet.backfilling import Backfill, BackfillSource, Progress, backfill
    from stellantis_hal.fleet.checkpoints.postgres import PostgresCheckpoints
    from stellantis_hal.fleet.checkpoints.redis import RedisCheckpoints
    from stellantis_hal.fleet.checkpoints.sqlite import SQLiteCheckpoints
    from stellantis_hal.fleet.checkpoints.store import (
        CheckpointError,
        CheckpointsInUseError,
        CheckpointStore,
        DamagedCheckpointError,
        MemoryCheckpoints,
    )
    from stellantis_hal.fleet.events import (
        AccountEmpty,
        AccountLost,
        CallbackFailed,
        Outage,
        Recovered,
        Update,
        VehicleRemoved,
        VehicleUnavailable,
        WatchEvent,
    )
    from stellantis_hal.fleet.export.destination import TripFileError
    from stellantis_hal.fleet.export.writer import TripWriter, trip_writer
    from stellantis_hal.fleet.leases.lease import Lease
    from stellantis_hal.fleet.leases.leased_account_source import LeasedAccounts
    from stellantis_hal.fleet.leases.postgres import PostgresLease
    from stellantis_hal.fleet.leases.redis import RedisLease
    from stellantis_hal.fleet.leases.sqlite import SQLiteLease
    from stellantis_hal.fleet.poll import Poll, poll
    from stellantis_hal.fleet.snapshot_diff import ValueChange
    from stellantis_hal.fleet.target_sources import Removed
    from stellantis_hal.fleet.watching.intervals import by_activity, quiet
    from stellantis_hal.fleet.watching.pacing_budget import Budget, CapacityPlan
    from stellantis_hal.fleet.watching.push_feed import NotificationSource
    from stellantis_hal.fleet.watching.statistics import FleetStatistics
    from stellantis_hal.fleet.watching.watch import BudgetWarning, Watch, WatchSource, watch
    from stellantis_hal.hal.document import Diagnostic, HalDocument
    from stellantis_hal.hal.forms import Choice, FieldOptions
    from stellantis_hal.hal.header_mapping import Headers
    from stellantis_hal.hal.link import Link
    from stellantis_hal.hal_client import HalClient
    from stellantis_hal.integrations.dataframe import to_arrow, to_pandas, to_polars
    from stellantis_hal.integrations.otel import otel_hooks
    from stellantis_hal.navigation.cache.memory import MemoryCache
    from stellantis_hal.navigation.cache.partition import Partition
    from stellantis_hal.navigation.cache.sqlite import SQLiteCache
    from stellantis_hal.navigation.cache.store import CacheStore, StoredVariants
    from stellantis_hal.navigation.cache.stored_response import StoredResponse
    from stellantis_hal.navigation.call_site_warnings import IncompleteCollectionWarning
    from stellantis_hal.navigation.context import HalDeprecationWarning
    from stellantis_hal.navigation.download import Download
    from stellantis_hal.navigation.fetch_protocol import Fetch, Request, Response, StreamedResponse, StreamingFetch
    from stellantis_hal.navigation.follow import Follow
    from stellantis_hal.navigation.follow_all import FollowResult, FollowResults
    from stellantis_hal.navigation.forms import Form, FormField, FormPreview, Forms
    from stellantis_hal.navigation.link_selection import FollowOptions
    from stellantis_hal.navigation.pagination.paginator import ItemIterator, Page, PageIterator, Pages, Paginator
    from stellantis_hal.navigation.pagination.range_syntax import IndexRangeSyntax
    from stellantis_hal.navigation.resource import HalResource
    from stellantis_hal.navigation.typed_rel import Rel
    from stellantis_hal.navigation.writes import RequestOptions, WriteOptions
    from stellantis_hal.notifications.events import EventValue, MonitorEvent, Notification, RemoteEvent, UnreadableEvent
    from stellantis_hal.notifications.inbox import (
        EventVehicle,
        Inbox,
        InboxError,
        InboxStatistics,
        IncomingEvent,
        StoredEvent,
    )
    from stellantis_hal.notifications.memory_inbox import MemoryInbox
    from stellantis_hal.notifications.parsing import parse_notification, parse_push
    from stellantis_hal.notifications.receiver import Receiver
    from stellantis_hal.notifications.sqlite_inbox import SQLiteInbox
    from stellantis_hal.notifications.stream import EventStream
    from stellantis_hal.report.car_history import CarHistory
    from stellantis_hal.report.history_reader import read_car_history
    from stellantis_hal.report.report import Report
    from stellantis_hal.resources.alarm import (
        Alarm,
        AlarmActivation,
        AlarmState,
        AlarmStatus,
        AlarmTrigger,
        AlarmTriggerType,
    )
    from stellantis_hal.resources.alert import Alert, AlertSeverity, AlertType
    from stellantis_hal.resources.blocks.adas import (
        Adas,
        AdasState,
        CruiseControl,
        EmergencyBraking,
        GearIndication,
        LaneDeparture,
        LaneKeeping,
        ParkAssist,
        ParkAssistState,
        SpeedRegulation,
        TimeGap,
    )
    from stellantis_hal.resources.blocks.capabilities import (
        Branding,
        Capabilities,
        ChargingCapability,
        ChargingImmediate,
        ChargingParameters,
        ChargingPreferences,
        ChargingPrograms,
        ChargingScheduling,
        PreconditioningCapability,
        PreconditioningParameters,
        ProgramSlots,
        RemoteCapabilities,
        RemoteCapability,
        RemoteDetails,
        VehicleExtension,
    )
    from stellantis_hal.resources.blocks.consumption import EnergyConsumption, TripConsumption
    from stellantis_hal.resources.blocks.energy import (
        BatteryHealth,
        BatteryLoad,
        ChargeProgram,
        Charging,
        ChargingMode,
        ChargingPowerLevel,
        ChargingSchedule,
        ChargingStatus,
        ChargingType,
        Consumption,
        Day,
        ElectricExtension,
        Energy,
        EnergyBattery,
        EnergyExtension,
        EnergySubType,
        EnergyType,
        FuelConsumptions,
        FuelExtension,
        Occurrence,
        StopChargeStatus,
    )
    from stellantis_hal.resources.blocks.environment import Air, Environment, Luminosity
    from stellantis_hal.resources.blocks.equipment import (
        Belt,
        BeltState,
        DoorLock,
        DoorOpening,
        Doors,
        DoorState,
        ECallTriggering,
        Light,
        LightDirection,
        Lighting,
        LightPosition,
        LightStatus,
        LightSwitches,
        Opening,
        Privacy,
        PrivacyState,
        Safety,
        Seat,
        Service,
        ServiceKind,
        StarterBattery,
        WipingBlades,
        WipingSpeed,
    )
    from stellantis_hal.resources.blocks.powertrain import (
        DrivingBehavior,
        DrivingMode,
        Engine,
        EngineAir,
        EngineExtension,
        EngineLiquid,
        EngineOil,
        EngineThermic,
        EngineType,
        Gear,
        Gearbox,
        GearboxMode,
        Ignition,
        IgnitionType,
        Kinetic,
        Odometer,
        Powertrain,
        PowertrainStatus,
        Transmission,
    )
    from stellantis_hal.resources.call_center import CallCenter, CallCenterCountryCode, StolenCallCenter
    from stellantis_hal.resources.collision import Collision, CollisionDetail, CollisionSeverity, CollisionSide
    from stellantis_hal.resources.control.callback import (
        Callback,
        CallbackReference,
        CallbackStatus,
        CallbackType,
        RemoteType,
    )
    from stellantis_hal.resources.control.callback_targets import (
        AttributePlacement,
        CallbackAttribute,
        PushDevices,
        SecretNotInBatchWarning,
        Webhook,
        WebSocket,
    )
    from stellantis_hal.resources.control.callbacks import Callbacks, FleetCallbacks
    from stellantis_hal.resources.control.conditions import MonitorCondition
    from stellantis_hal.resources.control.data_items import DataItem, Electric, Fuel, Operator, Stolen
    from stellantis_hal.resources.control.data_triggers import DataOperand, DataTrigger, Previous, data
    from stellantis_hal.resources.control.delivery_policy import Batch, DeliveryRetry, RetryRule
    from stellantis_hal.resources.control.expressions import Expression
    from stellantis_hal.resources.control.failure_causes import FailureCause
    from stellantis_hal.resources.control.monitor import Monitor, MonitorSpec, MonitorStatus
    from stellantis_hal.resources.control.monitor_plan import PlanStep, ReconciliationPlan
    from stellantis_hal.resources.control.monitors import FleetMonitors, VehicleMonitors
    from stellantis_hal.resources.control.operation import Operation, OperationOutcome, OperationSteps
    from stellantis_hal.resources.control.operation_step import OperationStatus, OperationStep
    from stellantis_hal.resources.control.receiver_protocol import EventReceiver
    from stellantis_hal.resources.control.remote import Remote
    from stellantis_hal.resources.control.remote_actions import ActionKind, ChargingProgram, Program
    from stellantis_hal.resources.control.remote_command_groups import (
        RemoteCharging,
        RemoteClimate,
        RemoteDoors,
        RemoteStolen,
    )
    from stellantis_hal.resources.control.remote_policy import PolicyRefusalReason, RemotePolicy
    from stellantis_hal.resources.control.time_triggers import TimeEntry, TimeTrigger, times
    from stellantis_hal.resources.control.trigger import Trigger
    from stellantis_hal.resources.control.zone_triggers import Zone, ZoneTrigger, zone
    from stellantis_hal.resources.filters import AlarmEventType, TelemetryType, TripState
    from stellantis_hal.resources.fleet import Fleet
    from stellantis_hal.resources.maintenance import Maintenance
    from stellantis_hal.resources.position import FixStatus, Position, PositionType
    from stellantis_hal.resources.profile_parameter import Profile
    from stellantis_hal.resources.status import (
        AirConditioning,
        Preconditioning,
        PreconditioningFailure,
        PreconditioningProgram,
        PreconditioningStartingCause,
        PreconditioningStatus,
        Recurrence,
        Status,
    )
    from stellantis_hal.resources.telemetry import Telemetry, TelemetryExtension, VehicleTelemetry
    from stellantis_hal.resources.theft import Theft
    from stellantis_hal.resources.time_range import TimeRange
    from stellantis_hal.resources.trip import (
        Propulsion,
        Trip,
        TripFault,
        TripFaultCause,
        TripFaultKind,
        TripKinetic,
        TripSegment,
    )
    from stellantis_hal.resources.user import User
    from stellantis_hal.resources.vehicle import Motorization, Vehicle
    from stellantis_hal.resources.vehicle_capabilities import VehicleCapabilities
    from stellantis_hal.resources.vehicle_identity import VehicleIdentity
    from stellantis_hal.storage.fencing import FenceToken, FencingLease
    from stellantis_hal.storage.key_value_store import MemoryState, SQLiteState, StateStore
    from stellantis_hal.structuring.converter import TypedConverter
    from stellantis_hal.structuring.hooks import make_converter
    from stellantis_hal.structuring.model import Model
    from stellantis_hal.structuring.open_enum import OpenEnum
    from stellantis_hal.structuring.problems import Problem
    from stellantis_hal.structuring.typed_resource import TypedResource
    from stellantis_hal.structuring.units import convert_unit, unit_of, units_of
    from stellantis_hal.transport.bounded_backend import Timeouts
    from stellantis_hal.transport.conventions import ApiConventions
    from stellantis_hal.transport.credentials import Credentials
    from stellantis_hal.transport.hooks import (
        BaseCallRecord,
        CallFailureRecord,
        EndRecord,
        Hooks,
        RequestRecord,
        ResponseRecord,
        RetryRecord,
        TokenRecord,
        WaitRecord,
    )
    from stellantis_hal.transport.rate_limit.limiter import TokenBucketLimiter
    from stellantis_hal.transport.rate_limit.persistence import FileLimiterStore, LimiterStore
    from stellantis_hal.transport.rate_limit.protocol import (
        Capacity,
        LimiterStatistics,
        Priority,
        RateLimiter,
        RateLimits,
        Slot,
    )
    from stellantis_hal.transport.rate_limit.quota_headers import QuotaHeaderNames, ReportedQuota, ReportedWindow
    from stellantis_hal.transport.rate_limit.redis import RedisLimiter
    from stellantis_hal.transport.rate_limit.sqlite import SQLiteLimiter
    from stellantis_hal.transport.retry import RetryPolicy
    from stellantis_hal.transport.tls import Tls
    from stellantis_hal.vendor.brands import Brand
    from stellantis_hal.vendor.scopes import Scope

__all__ = [
    "Account",
    "AccountEmpty",
    "AccountLost",
    "ActionKind",
    "Adas",
    "AdasState",
    "Air",
    "AirConditioning",
    "Alarm",
    "AlarmActivation",
    "AlarmEventType",
    "AlarmState",
    "AlarmStatus",
    "AlarmTrigger",
    "AlarmTriggerType",
    "Alert",
    "AlertSeverity",
    "AlertType",
    "AmbiguousLinkError",
    "ApiConventions",
    "ApiError",
    "Application",
    "AttributePlacement",
    "AuthError",
    "AuthorizationRequest",
    "AuthorizationResponse",
    "Backfill",
    "BackfillSource",
    "BadRequestError",
    "BaseCallRecord",
    "Basic",
    "Batch",
    "BatteryHealth",
    "BatteryLoad",
    "Bearer",
    "Belt",
    "BeltState",
    "BodyTooLargeError",
    "Brand",
    "Branding",
    "Budget",
    "BudgetExhaustedError",
    "BudgetWarning",
    "CacheStore",
    "CallCenter",
    "CallCenterCountryCode",
    "CallFailureRecord",
    "Callback",
    "CallbackAttribute",
    "CallbackFailed",
    "CallbackReference",
    "CallbackStatus",
    "CallbackTokenStore",
    "CallbackType",
    "Callbacks",
    "Capabilities",
    "Capacity",
    "CapacityPlan",
    "CarHistory",
    "ChargeProgram",
    "Charging",
    "ChargingCapability",
    "ChargingImmediate",
    "ChargingMode",
    "ChargingParameters",
    "ChargingPowerLevel",
    "ChargingPreferences",
    "ChargingProgram",
    "ChargingPrograms",
    "ChargingSchedule",
    "ChargingScheduling",
    "ChargingStatus",
    "ChargingType",
    "CheckpointError",
    "CheckpointStore",
    "CheckpointsInUseError",
    "Choice",
    "ClosedClientError",
    "Collision",
    "CollisionDetail",
    "CollisionSeverity",
    "CollisionSide",
    "ConfigurationError",
    "ConsentRequiredError",
    "Consumption",
    "Credentials",
    "CruiseControl",
    "DamagedCheckpointError",
    "DataItem",
    "DataOperand",
    "DataTrigger",
    "Day",
    "DeliveryRetry",
    "DetachedResourceError",
    "Diagnostic",
    "DoorLock",
    "DoorOpening",
    "DoorState",
    "Doors",
    "Download",
    "DrivingBehavior",
    "DrivingMode",
    "ECallTriggering",
    "Electric",
    "ElectricExtension",
    "EmergencyBraking",
    "EndRecord",
    "Energy",
    "EnergyBattery",
    "EnergyConsumption",
    "EnergyExtension",
    "EnergySubType",
    "EnergyType",
    "Engine",
    "EngineAir",
    "EngineExtension",
    "EngineLiquid",
    "EngineOil",
    "EngineThermic",
    "EngineType",
    "EnrolmentFlow",
    "Environment",
    "EventReceiver",
    "EventStream",
    "EventValue",
    "EventVehicle",
    "Expression",
    "FailureCause",
    "FenceToken",
    "FencingLease",
    "Fetch",
    "FieldOptions",
    "FileLimiterStore",
    "FileTokenStore",
    "FixStatus",
    "Fleet",
    "FleetCallbacks",
    "FleetMonitors",
    "FleetOwnerClient",
    "FleetStatistics",
    "Follow",
    "FollowOptions",
    "FollowResult",
    "FollowResults",
    "ForbiddenError",
    "Form",
    "FormError",
    "FormField",
    "FormPreview",
    "Forms",
    "Fuel",
    "FuelConsumptions",
    "FuelExtension",
    "Gear",
    "GearIndication",
    "Gearbox",
    "GearboxMode",
    "HalClient",
    "HalDeprecationWarning",
    "HalDocument",
    "HalError",
    "HalResource",
    "Headers",
    "Hooks",
    "Ignition",
    "IgnitionType",
    "Inbox",
    "InboxError",
    "InboxStatistics",
    "IncomingEvent",
    "IncompleteCollectionError",
    "IncompleteCollectionWarning",
    "IndexRangeSyntax",
    "InvalidLinkError",
    "ItemIterator",
    "Kinetic",
    "LaneDeparture",
    "LaneKeeping",
    "Lease",
    "LeaseLostError",
    "LeaseStoreError",
    "LeasedAccounts",
    "Light",
    "LightDirection",
    "LightPosition",
    "LightStatus",
    "LightSwitches",
    "Lighting",
    "LimiterSlotExpiredError",
    "LimiterStatistics",
    "LimiterStore",
    "Link",
    "LinkNotFoundError",
    "LoginRedirectError",
    "Luminosity",
    "Maintenance",
    "MemoryCache",
    "MemoryCheckpoints",
    "MemoryInbox",
    "MemoryState",
    "MemoryTokenStore",
    "Model",
    "Monitor",
    "MonitorCondition",
    "MonitorEvent",
    "MonitorSpec",
    "MonitorStatus",
    "Motorization",
    "NetworkError",
    "NotFoundError",
    "NotHalError",
    "Notification",
    "NotificationSource",
    "OAuth2AuthorizationCode",
    "OAuth2ClientCredentials",
    "OAuth2Registration",
    "Occurrence",
    "Odometer",
    "OpenEnum",
    "Opening",
    "Operation",
    "OperationOutcome",
    "OperationStatus",
    "OperationStep",
    "OperationSteps",
    "Operator",
    "Outage",
    "OutcomeUnknownError",
    "Page",
    "PageIterator",
    "Pages",
    "PaginationError",
    "PaginationLoopError",
    "Paginator",
    "ParkAssist",
    "ParkAssistState",
    "Partition",
    "Partner",
    "PlanStep",
    "PolicyRefusalReason",
    "Poll",
    "Position",
    "PositionType",
    "PostgresCheckpoints",
    "PostgresLease",
    "PostgresTokenStore",
    "Powertrain",
    "PowertrainStatus",
    "PreconditionFailedError",
    "PreconditionRequiredError",
    "Preconditioning",
    "PreconditioningCapability",
    "PreconditioningFailure",
    "PreconditioningParameters",
    "PreconditioningProgram",
    "PreconditioningStartingCause",
    "PreconditioningStatus",
    "Previous",
    "Priority",
    "Privacy",
    "PrivacyState",
    "Problem",
    "Profile",
    "Program",
    "ProgramSlots",
    "Progress",
    "Propulsion",
    "PushDevices",
    "QuotaError",
    "QuotaHeaderNames",
    "RateLimitedError",
    "RateLimiter",
    "RateLimits",
    "Receiver",
    "ReconciliationPlan",
    "Recovered",
    "Recurrence",
    "RedisCheckpoints",
    "RedisLease",
    "RedisLimiter",
    "RedisTokenStore",
    "Rel",
    "Remote",
    "RemoteCapabilities",
    "RemoteCapability",
    "RemoteCharging",
    "RemoteClimate",
    "RemoteDetails",
    "RemoteDoors",
    "RemoteEvent",
    "RemoteFailedError",
    "RemotePolicy",
    "RemoteRefusedError",
    "RemoteStolen",
    "RemoteType",
    "Removed",
    "RenewingBearerCredentials",
    "Report",
    "ReportedQuota",
    "ReportedWindow",
    "Request",
    "RequestOptions",
    "RequestRecord",
    "Response",
    "ResponseRecord",
    "RetryPolicy",
    "RetryRecord",
    "RetryRule",
    "SQLiteCache",
    "SQLiteCheckpoints",
    "SQLiteInbox",
    "SQLiteLease",
    "SQLiteLimiter",
    "SQLiteState",
    "SQLiteTokenStore",
    "Safety",
    "Scope",
    "Seat",
    "SecretNotInBatchWarning",
    "ServerError",
    "Service",
    "ServiceKind",
    "Slot",
    "SpeedRegulation",
    "StarterBattery",
    "StateStore",
    "Status",
    "StellantisClient",
    "StellantisError",
    "Stolen",
    "StolenCallCenter",
    "StopChargeStatus",
    "StoredEvent",
    "StoredResponse",
    "StoredVariants",
    "StreamedResponse",
    "StreamingFetch",
    "StructureError",
    "Telemetry",
    "TelemetryExtension",
    "TelemetryType",
    "TemplateError",
    "Theft",
    "TimeEntry",
    "TimeGap",
    "TimeRange",
    "TimeTrigger",
    "Timeouts",
    "Tls",
    "Token",
    "TokenBucketLimiter",
    "TokenLike",
    "TokenRecord",
    "TokenStore",
    "TokenStoreError",
    "TooManyMonitorsError",
    "TooManyRedirectsError",
    "TooManyValuesError",
    "Transmission",
    "Trigger",
    "Trip",
    "TripConsumption",
    "TripFault",
    "TripFaultCause",
    "TripFaultKind",
    "TripFileError",
    "TripKinetic",
    "TripSegment",
    "TripState",
    "TripWriter",
    "TypedConverter",
    "TypedResource",
    "UnauthorizedError",
    "UnreadableEvent",
    "UntrustedOriginError",
    "Update",
    "User",
    "ValueChange",
    "Vehicle",
    "VehicleCapabilities",
    "VehicleExtension",
    "VehicleIdentity",
    "VehicleMonitors",
    "VehicleRemoved",
    "VehicleTelemetry",
    "VehicleUnavailable",
    "WaitRecord",
    "Watch",
    "WatchEvent",
    "WatchSource",
    "WebSocket",
    "Webhook",
    "WipingBlades",
    "WipingSpeed",
    "WriteOptions",
    "WrongLoopError",
    "Zone",
    "ZoneTrigger",
    "__version__",
    "backfill",
    "by_activity",
    "convert_unit",
    "data",
    "make_converter",
    "otel_hooks",
    "parse_notification",
    "parse_push",
    "poll",
    "quiet",
    "read_car_history",
    "times",
    "to_arrow",
    "to_pandas",
    "to_polars",
    "trip_writer",
    "unit_of",
    "units_of",
    "watch",
    "zone",
]

_MODULES = {
    "auth.application": "Application",
    "auth.enrolment": "EnrolmentFlow",
    "auth.partner": "Partner",
    "client.account": "Account",
    "client.fleet_owner_client": "FleetOwnerClient",
    "client.stellantis_client": "StellantisClient",
    "credentials.basic": "Basic",
    "credentials.renewing_bearer": "RenewingBearerCredentials",
    "credentials.flows": "OAuth2AuthorizationCode OAuth2ClientCredentials",
    "credentials.oauth2_messages": "AuthorizationRequest AuthorizationResponse OAuth2Registration",
    "credentials.static": "Bearer",
    "credentials.stores.callbacks": "CallbackTokenStore",
    "credentials.stores.file": "FileTokenStore",
    "credentials.stores.memory": "MemoryTokenStore",
    "credentials.stores.postgres": "PostgresTokenStore",
    "credentials.stores.protocol": "TokenStore",
    "credentials.stores.redis": "RedisTokenStore",
    "credentials.stores.sqlite": "SQLiteTokenStore",
    "credentials.token": "Token TokenLike",
    "errors": (
        "AmbiguousLinkError ApiError AuthError BadRequestError BodyTooLargeError BudgetExhaustedError "
        "ClosedClientError ConfigurationError ConsentRequiredError DetachedResourceError ForbiddenError FormError "
        "HalError IncompleteCollectionError InvalidLinkError LeaseStoreError LeaseLostError LinkNotFoundError "
        "NetworkError NotFoundError NotHalError OutcomeUnknownError PaginationError PaginationLoopError "
        "PreconditionFailedError PreconditionRequiredError QuotaError RateLimitedError LoginRedirectError "
        "RemoteFailedError RemoteRefusedError ServerError LimiterSlotExpiredError StellantisError StructureError "
        "TemplateError TokenStoreError TooManyMonitorsError TooManyRedirectsError TooManyValuesError "
        "UnauthorizedError UntrustedOriginError WrongLoopError"
    ),
    "fleet.backfilling": "Backfill BackfillSource Progress backfill",
    "fleet.snapshot_diff": "ValueChange",
    "fleet.checkpoints.postgres": "PostgresCheckpoints",
    "fleet.checkpoints.redis": "RedisCheckpoints",
    "fleet.checkpoints.sqlite": "SQLiteCheckpoints",
    "fleet.checkpoints.store": (
        "CheckpointError CheckpointStore CheckpointsInUseError DamagedCheckpointError MemoryCheckpoints"
    ),
    "fleet.events": (
        "AccountEmpty AccountLost CallbackFailed Outage Recovered Update VehicleRemoved VehicleUnavailable WatchEvent"
    ),
    "fleet.export.destination": "TripFileError",
    "fleet.export.writer": "TripWriter trip_writer",
    "fleet.leases.lease": "Lease",
    "fleet.leases.leased_account_source": "LeasedAccounts",
    "fleet.leases.postgres": "PostgresLease",
    "fleet.leases.redis": "RedisLease",
    "fleet.leases.sqlite": "SQLiteLease",
    "fleet.poll": "Poll poll",
    "fleet.target_sources": "Removed",
    "fleet.watching.intervals": "by_activity quiet",
    "fleet.watching.pacing_budget": "Budget CapacityPlan",
    "fleet.watching.push_feed": "NotificationSource",
    "fleet.watching.statistics": "FleetStatistics",
    "fleet.watching.watch": "BudgetWarning Watch WatchSource watch",
    "hal.document": "Diagnostic HalDocument",
    "hal.forms": "Choice FieldOptions",
    "hal.header_mapping": "Headers",
    "hal.link": "Link",
    "hal_client": "HalClient",
    "integrations.dataframe": "to_arrow to_pandas to_polars",
    "integrations.otel": "otel_hooks",
    "navigation.cache.memory": "MemoryCache",
    "navigation.cache.partition": "Partition",
    "navigation.cache.sqlite": "SQLiteCache",
    "navigation.cache.store": "CacheStore StoredVariants",
    "navigation.cache.stored_response": "StoredResponse",
    "navigation.context": "HalDeprecationWarning",
    "navigation.download": "Download",
    "navigation.fetch_protocol": "Fetch Request Response StreamedResponse StreamingFetch",
    "navigation.follow": "Follow",
    "navigation.follow_all": "FollowResult FollowResults",
    "navigation.forms": "Form FormField FormPreview Forms",
    "navigation.link_selection": "FollowOptions",
    "navigation.call_site_warnings": "IncompleteCollectionWarning",
    "navigation.pagination.paginator": "ItemIterator Page PageIterator Pages Paginator",
    "navigation.pagination.range_syntax": "IndexRangeSyntax",
    "navigation.typed_rel": "Rel",
    "navigation.resource": "HalResource",
    "navigation.writes": "RequestOptions WriteOptions",
    "notifications.events": "EventValue MonitorEvent Notification RemoteEvent UnreadableEvent",
    "notifications.inbox": "EventVehicle Inbox InboxError InboxStatistics IncomingEvent StoredEvent",
    "notifications.memory_inbox": "MemoryInbox",
    "notifications.parsing": "parse_notification parse_push",
    "notifications.receiver": "Receiver",
    "notifications.sqlite_inbox": "SQLiteInbox",
    "notifications.stream": "EventStream",
    "report.car_history": "CarHistory",
    "report.history_reader": "read_car_history",
    "report.report": "Report",
    "resources.alarm": "Alarm AlarmActivation AlarmState AlarmStatus AlarmTrigger AlarmTriggerType",
    "resources.alert": "Alert AlertSeverity AlertType",
    "resources.blocks.adas": (
        "Adas AdasState CruiseControl EmergencyBraking GearIndication LaneDeparture LaneKeeping ParkAssist "
        "ParkAssistState SpeedRegulation TimeGap"
    ),
    "resources.blocks.capabilities": (
        "Branding Capabilities ChargingCapability ChargingImmediate ChargingParameters ChargingPreferences "
        "ChargingPrograms ChargingScheduling PreconditioningCapability PreconditioningParameters ProgramSlots "
        "RemoteCapabilities RemoteCapability RemoteDetails VehicleExtension"
    ),
    "resources.blocks.consumption": "EnergyConsumption TripConsumption",
    "resources.blocks.energy": (
        "BatteryHealth BatteryLoad ChargeProgram Charging ChargingMode ChargingPowerLevel ChargingSchedule "
        "ChargingStatus ChargingType Consumption Day ElectricExtension Energy EnergyBattery EnergyExtension "
        "EnergySubType EnergyType FuelConsumptions FuelExtension Occurrence StopChargeStatus"
    ),
    "resources.blocks.equipment": (
        "Belt BeltState DoorLock DoorOpening DoorState Doors ECallTriggering Light LightDirection LightPosition "
        "LightStatus LightSwitches Lighting Opening Privacy PrivacyState Safety Seat Service ServiceKind "
        "StarterBattery WipingBlades WipingSpeed"
    ),
    "resources.blocks.environment": "Air Environment Luminosity",
    "resources.blocks.powertrain": (
        "DrivingBehavior DrivingMode Engine EngineAir EngineExtension EngineLiquid EngineOil EngineThermic "
        "EngineType Gear Gearbox GearboxMode Ignition IgnitionType Kinetic Odometer Powertrain PowertrainStatus "
        "Transmission"
    ),
    "resources.call_center": "CallCenter CallCenterCountryCode StolenCallCenter",
    "resources.collision": "Collision CollisionDetail CollisionSeverity CollisionSide",
    "resources.control.remote_actions": "ActionKind ChargingProgram Program",
    "resources.control.callback": "Callback CallbackReference CallbackStatus CallbackType RemoteType",
    "resources.control.callbacks": "Callbacks FleetCallbacks",
    "resources.control.conditions": "MonitorCondition",
    "resources.control.data_items": "DataItem Electric Fuel Operator Stolen",
    "resources.control.delivery_policy": "Batch DeliveryRetry RetryRule",
    "resources.control.receiver_protocol": "EventReceiver",
    "resources.control.expressions": "Expression",
    "resources.control.failure_causes": "FailureCause",
    "resources.control.monitor": "Monitor MonitorSpec MonitorStatus",
    "resources.control.monitors": "FleetMonitors VehicleMonitors",
    "resources.control.operation": "Operation OperationOutcome OperationSteps",
    "resources.control.operation_step": "OperationStatus OperationStep",
    "resources.control.monitor_plan": "ReconciliationPlan PlanStep",
    "resources.control.remote": "Remote",
    "resources.control.remote_command_groups": "RemoteCharging RemoteClimate RemoteDoors RemoteStolen",
    "resources.control.remote_policy": "PolicyRefusalReason RemotePolicy",
    "resources.control.callback_targets": (
        "AttributePlacement CallbackAttribute PushDevices SecretNotInBatchWarning WebSocket Webhook"
    ),
    "resources.control.data_triggers": "DataOperand DataTrigger Previous data",
    "resources.control.time_triggers": "TimeEntry TimeTrigger times",
    "resources.control.trigger": "Trigger",
    "resources.control.zone_triggers": "Zone ZoneTrigger zone",
    "resources.filters": "AlarmEventType TelemetryType TripState",
    "resources.fleet": "Fleet",
    "resources.maintenance": "Maintenance",
    "resources.position": "FixStatus Position PositionType",
    "resources.profile_parameter": "Profile",
    "resources.status": (
        "AirConditioning Preconditioning PreconditioningStartingCause PreconditioningFailure PreconditioningProgram "
        "PreconditioningStatus Recurrence Status"
    ),
    "resources.telemetry": "Telemetry TelemetryExtension VehicleTelemetry",
    "resources.theft": "Theft",
    "resources.time_range": "TimeRange",
    "resources.trip": "TripFaultCause TripFaultKind Propulsion Trip TripFault TripKinetic TripSegment",
    "resources.user": "User",
    "resources.vehicle": "Motorization Vehicle",
    "resources.vehicle_capabilities": "VehicleCapabilities",
    "resources.vehicle_identity": "VehicleIdentity",
    "storage.fencing": "FencingLease FenceToken",
    "storage.key_value_store": "MemoryState SQLiteState StateStore",
    "structuring.converter": "TypedConverter",
    "structuring.hooks": "make_converter",
    "structuring.model": "Model",
    "structuring.open_enum": "OpenEnum",
    "structuring.problems": "Problem",
    "structuring.typed_resource": "TypedResource",
    "structuring.units": "convert_unit unit_of units_of",
    "transport.conventions": "ApiConventions",
    "transport.credentials": "Credentials",
    "transport.bounded_backend": "Timeouts",
    "transport.hooks": (
        "BaseCallRecord CallFailureRecord EndRecord Hooks RequestRecord ResponseRecord RetryRecord "
        "TokenRecord WaitRecord"
    ),
    "transport.rate_limit.limiter": "TokenBucketLimiter",
    "transport.rate_limit.persistence": "FileLimiterStore LimiterStore",
    "transport.rate_limit.protocol": "Capacity LimiterStatistics Priority RateLimiter RateLimits Slot",
    "transport.rate_limit.quota_headers": "QuotaHeaderNames ReportedQuota ReportedWindow",
    "transport.rate_limit.redis": "RedisLimiter",
    "transport.rate_limit.sqlite": "SQLiteLimiter",
    "transport.retry": "RetryPolicy",
    "transport.tls": "Tls",
    "vendor.brands": "Brand",
    "vendor.scopes": "Scope",
}
"""Public names by the module that defines them."""

_MODULE_OF = {name: f"stellantis_hal.{module}" for module, names in _MODULES.items() for name in names.split()}


def __getattr__(name: str) -> Any:
    """Load a public name when it is first used (PEP 562)."""
    module = _MODULE_OF.get(name)
    if module is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(module), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
