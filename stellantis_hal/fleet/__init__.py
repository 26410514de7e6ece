"""Fleets: watching and backfilling many vehicles of many accounts."""

from stellantis_hal.fleet.backfilling import Backfill, Progress, backfill
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
    ValueChange,
    VehicleRemoved,
    VehicleUnavailable,
    WatchEvent,
)
from stellantis_hal.fleet.export.destination import TripFileError
from stellantis_hal.fleet.export.writer import TripWriter, trip_writer
from stellantis_hal.fleet.poll import Poll, poll
from stellantis_hal.fleet.target_sources import Removed
from stellantis_hal.fleet.watching.intervals import by_activity, quiet
from stellantis_hal.fleet.watching.pacing_budget import Budget, CapacityPlan
from stellantis_hal.fleet.watching.statistics import FleetStatistics
from stellantis_hal.fleet.watching.watch import BudgetWarning, Watch, watch

__all__ = [
    "AccountEmpty",
    "AccountLost",
    "Backfill",
    "Budget",
    "BudgetWarning",
    "CallbackFailed",
    "CapacityPlan",
    "CheckpointError",
    "CheckpointStore",
    "CheckpointsInUseError",
    "DamagedCheckpointError",
    "FleetStatistics",
    "MemoryCheckpoints",
    "Outage",
    "Poll",
    "Progress",
    "Recovered",
    "Removed",
    "SQLiteCheckpoints",
    "TripFileError",
    "TripWriter",
    "Update",
    "ValueChange",
    "VehicleRemoved",
    "VehicleUnavailable",
    "Watch",
    "WatchEvent",
    "backfill",
    "by_activity",
    "poll",
    "quiet",
    "trip_writer",
    "watch",
]
