"""A service with several workers: each answers requests, and one of them watches the account.

Run it by ``uvicorn fastapi_service:app --workers 2``.
"""

import os
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import timedelta

import anyio
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse

from stellantis_hal import (
    Account,
    Application,
    BudgetExhaustedError,
    CheckpointsInUseError,
    FileTokenStore,
    SQLiteCheckpoints,
    StellantisClient,
    StellantisError,
    Trip,
    watch,
)

RETRY = 1.0


async def follow(account: Account) -> None:
    """Watch the account as soon as no other worker does."""
    while True:
        try:
            async with (
                SQLiteCheckpoints("fleet.db") as checkpoints,
                watch(account, every=timedelta(minutes=5), checkpoints=checkpoints, name="service") as updates,
            ):
                print(os.getpid(), "watches", flush=True)
                async for event in updates:
                    print(os.getpid(), "saw", type(event).__name__, flush=True)
        except CheckpointsInUseError:
            print(os.getpid(), "waits", flush=True)
            await anyio.sleep(RETRY)


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncGenerator[None, None]:
    """Open the client of this worker; at the end, within uvicorn's time for it, end the watch."""
    async with StellantisClient(Application("my-client-id", "my-client-secret")) as client:
        app.state.account = client.account(FileTokenStore("tokens.json"), brand="peugeot", key="alice")
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(follow, app.state.account)
            yield
            tasks.cancel_scope.cancel()


app = FastAPI(lifespan=lifespan)


@app.exception_handler(StellantisError)
async def failed(request: Request, error: StellantisError) -> JSONResponse:
    """Answer 503 with the time to wait where the subscription is used up, 502 otherwise."""
    if isinstance(error, BudgetExhaustedError):
        return JSONResponse({"detail": str(error)}, 503, {"Retry-After": str(round(error.retry_after or 60))})
    return JSONResponse({"detail": str(error)}, 502)


@app.get("/vehicles/{vin}/trips")
async def trips(request: Request, vin: str, limit: int = 10) -> list[Trip]:
    """Return the latest trips of a vehicle."""
    vehicle = await request.app.state.account.vehicle(vin=vin)
    latest: list[Trip] = await vehicle.trips(newest_first=True).take(limit).collect()
    return latest


@app.get("/worker")
async def worker() -> int:
    """Return the process that answered."""
    return os.getpid()
