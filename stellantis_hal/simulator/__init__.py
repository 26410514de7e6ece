"""The vendor, imitated: a seeded world of accounts, vehicles and trips behind the API's addresses.

Knows what the vendor documents and what was seen in the field. Must not know the client: it shares no parsing and no
modelling with it, so that a misreading cannot cancel out.
"""

from __future__ import annotations

from stellantis_hal.simulator.api.dialect import Manners
from stellantis_hal.simulator.api.gateway import Statistics
from stellantis_hal.simulator.api.identity import IssuedToken
from stellantis_hal.simulator.api.messages import Call, Moment, Reply
from stellantis_hal.simulator.api.rate_limits import Subscription
from stellantis_hal.simulator.faults.fault_plan import Chance, Faults, Latency, Then, Wave
from stellantis_hal.simulator.faults.faults import (
    CutBody,
    ExpiredToken,
    Fault,
    ForeignLink,
    HtmlError,
    Late,
    LoopingLink,
    OAuthFault,
    Refused,
    Reset,
    ServerFault,
    Skewed,
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
    "Call",
    "Chance",
    "CutBody",
    "ExpiredToken",
    "Fault",
    "Faults",
    "ForeignLink",
    "HtmlError",
    "IssuedToken",
    "Late",
    "Latency",
    "LoopingLink",
    "Manners",
    "Moment",
    "OAuthFault",
    "Refused",
    "Reply",
    "Reset",
    "ServerFault",
    "Simulator",
    "Skewed",
    "SlowBody",
    "Statistics",
    "Subscription",
    "Then",
    "Tls",
    "TooManyRequests",
    "Trip",
    "VanishedFields",
    "Vehicle",
    "Wave",
    "World",
    "WrongLength",
    "serve",
    "server",
]
