"""The FastAPI service of the programs, with the simulator in place of the vendor, by variables of the environment."""

import os
from functools import partial

import stellantis_hal

stellantis_hal.StellantisClient = partial(  # type: ignore[misc,assignment]  # before the service imports it
    stellantis_hal.StellantisClient,
    base_url=os.environ["SIMULATOR_API"],
    identity_url=os.environ["SIMULATOR_IDENTITY"],
)

from tests.programs.fastapi_service import app  # noqa: E402

__all__ = ["app"]
