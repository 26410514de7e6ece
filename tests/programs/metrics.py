"""A job that polls once and leaves figures for Prometheus, in a file of the node exporter's textfile collector."""

import anyio
import anyio.to_thread
from prometheus_client import CollectorRegistry, Counter, Gauge, write_to_textfile

from stellantis_hal import (
    Application,
    CallFailureRecord,
    FileTokenStore,
    Hooks,
    ResponseRecord,
    StellantisClient,
    StellantisError,
)

registry = CollectorRegistry()
responses = Counter("stellantis_responses", "Responses", ["route", "status"], registry=registry)
failures = Counter("stellantis_failures", "Failed calls", ["error"], registry=registry)
levels = Gauge("stellantis_battery_percent", "Charge of a car", ["car"], registry=registry)


def on_response(record: ResponseRecord) -> None:
    """Count a response."""
    responses.labels(record.route, record.status).inc()


def on_failure(record: CallFailureRecord) -> None:
    """Count a failed call."""
    failures.labels(type(record.error).__name__).inc()


async def main() -> None:
    """Read each car once; one that cannot be read stops no other."""
    hooks = Hooks(on_response=on_response, on_failure=on_failure)
    async with StellantisClient(Application("my-client-id", "my-client-secret"), hooks=hooks) as client:
        account = client.account(FileTokenStore("tokens.json"), brand="peugeot", key="alice")
        async for vehicle in account.vehicles():
            try:
                status = await vehicle.status()
            except StellantisError:
                continue
            if status is not None and status.electric is not None and status.electric.level is not None:
                levels.labels(vehicle.display_name).set(status.electric.level)
    await anyio.to_thread.run_sync(write_to_textfile, "stellantis.prom", registry)


if __name__ == "__main__":
    anyio.run(main)
