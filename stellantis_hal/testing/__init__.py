"""Tools for tests of programs that use the library."""

from stellantis_hal.testing.recorder import Recorder
from stellantis_hal.testing.replay import ReplayTransport, UnrecordedRequestError

__all__ = ["Recorder", "ReplayTransport", "UnrecordedRequestError"]
