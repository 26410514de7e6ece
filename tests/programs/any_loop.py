"""One program for asyncio, uvloop and trio: it reads all cars at once."""

import sys

import anyio

from stellantis_hal import Application, FileTokenStore, Status, StellantisClient, Vehicle

LOOPS = {"asyncio": ("asyncio", {}), "uvloop": ("asyncio", {"use_uvloop": True}), "trio": ("trio", {})}


async def main() -> None:
    """Print the mileage of each car; if one cannot be read within 30 seconds, all tasks end."""
    found: dict[str, Status | None] = {}

    async def read(vehicle: Vehicle) -> None:
        found[vehicle.display_name] = await vehicle.status()

    async with StellantisClient(Application("my-client-id", "my-client-secret")) as client:
        account = client.account(FileTokenStore("tokens.json"), brand="peugeot", key="alice")
        with anyio.fail_after(30):
            async with anyio.create_task_group() as tasks:
                async for vehicle in account.vehicles():
                    tasks.start_soon(read, vehicle)
    for name, status in sorted(found.items()):
        print(name, status and status.mileage)


if __name__ == "__main__":
    backend, options = LOOPS[sys.argv[1]]
    anyio.run(main, backend=backend, backend_options=options)
