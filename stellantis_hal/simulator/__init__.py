"""The vendor, imitated: a seeded world of accounts, vehicles and trips behind the API's addresses.

Knows what the vendor documents and what was seen in the field. Must not know the client: it shares no parsing and no
modelling with it, so that a misreading cannot cancel out.
"""

from __future__ import annotations

from stellantis_hal.simulator.api.dialect import BackendVariant
from stellantis_hal.simulator.api.gateway import Statistics
from stellantis_hal.simulator.api.identity import IssuedToken
from stellantis_hal.simulator.api.messages import Moment, Request, Response
from stellantis_hal.simulator.api.rate_limits import Subscription
from stellantis_hal.simulator.faults.fault_plan import Faults, FaultWindow, Latency, RandomFault, ScriptedFault
from stellantis_hal.simulator.faults.kinds import (
    ClockSkew,
    CutBody,
    Delay,
    ExpiredToken,
    Fault,
    ForeignLink,
    HtmlError,
    LoopingLink,
    OAuthFault,
    Refused,
    Reset,
    ServerFault,
    SlowBody,
    TooManyRequests,
    VanishedFields,
    WrongLength,
)
from stellantis_hal.simulator.serving.uvicorn_server import Tls, serve, server
from stellantis_hal.simulator.simulator import Simulator
from stellantis_hal.simulator.world.entities import SCOPES, Account, Trip, Vehicle
from stellantis_hal.simulator.world.world import World

__all__ = [
    "SCOPES",
    "Account",
    "BackendVariant",
    "ClockSkew",
    "CutBody",
    "Delay",
    "ExpiredToken",
    "Fault",
    "FaultWindow",
    "Faults",
    "ForeignLink",
    "HtmlError",
    "IssuedToken",
    "Latency",
    "LoopingLink",
    "Moment",
    "OAuthFault",
    "RandomFault",
    "Refused",
    "Request",
    "Reset",
    "Response",
    "ScriptedFault",
    "ServerFault",
    "Simulator",
    "SlowBody",
    "Statistics",
    "Subscription",
    "Tls",
    "TooManyRequests",
    "Trip",
    "VanishedFields",
    "Vehicle",
    "World",
    "WrongLength",
    "serve",
    "server",
]
