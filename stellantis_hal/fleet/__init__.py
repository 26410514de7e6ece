"""Fleets: many vehicles of many accounts, one budget, for months.

Knows what services need on top of the client. Must not be known by anything but the command line.
"""

from stellantis_hal.fleet.checkpoints import CheckpointError, CheckpointStore, MemoryCheckpoints, SQLiteCheckpoints
from stellantis_hal.fleet.events import AccountLost, Change, Event, Outage, Recovered, Update, VehicleUnavailable
from stellantis_hal.fleet.export import CsvTrips, GeoJsonTrips, JsonLinesTrips, TripWriter, trip_writer
from stellantis_hal.fleet.history import Backfill, Progress, backfill
from stellantis_hal.fleet.members import Left
from stellantis_hal.fleet.schedule import Budget, Plan, quiet
from stellantis_hal.fleet.statistics import FleetStatistics
from stellantis_hal.fleet.watching import BudgetWarning, Watch, by_activity, watch

__all__ = [
    "AccountLost",
    "Backfill",
    "Budget",
    "BudgetWarning",
    "Change",
    "CheckpointError",
    "CheckpointStore",
    "CsvTrips",
    "Event",
    "FleetStatistics",
    "GeoJsonTrips",
    "JsonLinesTrips",
    "Left",
    "MemoryCheckpoints",
    "Outage",
    "Plan",
    "Progress",
    "Recovered",
    "SQLiteCheckpoints",
    "TripWriter",
    "Update",
    "VehicleUnavailable",
    "Watch",
    "backfill",
    "by_activity",
    "quiet",
    "trip_writer",
    "watch",
]
