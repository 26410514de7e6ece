"""Simulated vendor API: a seeded world of accounts, vehicles and trips, with rate limits, tokens and faults.

The simulator shares no parsing and no models with the client, so that an error in one is not hidden by the same
error in the other.
"""

from __future__ import annotations

from stellantis_hal.simulator.api.dialect import BackendVariant
from stellantis_hal.simulator.api.gateway import Statistics
from stellantis_hal.simulator.api.http_messages import ClockReading, Request, Response
from stellantis_hal.simulator.api.identity import IssuedToken
from stellantis_hal.simulator.api.rate_limits import HasRateLimits, SubscriptionLimits
from stellantis_hal.simulator.api.remotes import CommandCourseDeviation
from stellantis_hal.simulator.faults.fault_plan import Faults, FaultWindow, Latency, RandomFault, ScriptedFault
from stellantis_hal.simulator.faults.kinds import (
    ClockSkew,
    ConnectionRefused,
    CutBody,
    Delay,
    ExpiredToken,
    Fault,
    ForeignLink,
    HtmlError,
    LoopingLink,
    OAuthFault,
    Reset,
    ServerFault,
    SlowBody,
    TooManyRequests,
    VanishedFields,
    WrongLength,
)
from stellantis_hal.simulator.faults.named import FAULTS, parse_duration, parse_fault
from stellantis_hal.simulator.notifications.deliveries import (
    Deliveries,
    DeliveryFault,
    DeliveryFaults,
    DeliveryStatistics,
)
from stellantis_hal.simulator.serving.uvicorn_server import TlsFiles, controlled, serve, server
from stellantis_hal.simulator.simulator import Simulator
from stellantis_hal.simulator.world.car_actions import CarActions, CarRefusal
from stellantis_hal.simulator.world.car_control_state import CarControlState, ChargeProgram, ClimateProgram
from stellantis_hal.simulator.world.entities import (
    SCOPES,
    Account,
    Alarm,
    Alert,
    Collision,
    Energy,
    GeoPoint,
    Trip,
    Vehicle,
    VehicleState,
)
from stellantis_hal.simulator.world.world import World

__all__ = [
    "FAULTS",
    "SCOPES",
    "Account",
    "Alarm",
    "Alert",
    "BackendVariant",
    "CarActions",
    "CarControlState",
    "CarRefusal",
    "ChargeProgram",
    "ClimateProgram",
    "ClockReading",
    "ClockSkew",
    "Collision",
    "CommandCourseDeviation",
    "ConnectionRefused",
    "CutBody",
    "Delay",
    "Deliveries",
    "DeliveryFault",
    "DeliveryFaults",
    "DeliveryStatistics",
    "Energy",
    "ExpiredToken",
    "Fault",
    "FaultWindow",
    "Faults",
    "ForeignLink",
    "GeoPoint",
    "HasRateLimits",
    "HtmlError",
    "IssuedToken",
    "Latency",
    "LoopingLink",
    "OAuthFault",
    "RandomFault",
    "Request",
    "Reset",
    "Response",
    "ScriptedFault",
    "ServerFault",
    "Simulator",
    "SlowBody",
    "Statistics",
    "SubscriptionLimits",
    "TlsFiles",
    "TooManyRequests",
    "Trip",
    "VanishedFields",
    "Vehicle",
    "VehicleState",
    "World",
    "WrongLength",
    "controlled",
    "parse_duration",
    "parse_fault",
    "serve",
    "server",
]
