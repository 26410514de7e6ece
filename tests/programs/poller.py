"""A poller inside a host such as Home Assistant: the host's session and loop, and a callback for each status."""

import asyncio
from collections.abc import Callable
from datetime import timedelta

import aiohttp

from stellantis_hal import AccountLost, Application, FileTokenStore, Status, StellantisClient, Update, watch


class Hub:
    """Follows an account; ``on_status`` and ``on_lost`` are called in the host's event loop."""

    def __init__(
        self,
        session: aiohttp.ClientSession,
        on_status: Callable[[str, Status], None],
        on_lost: Callable[[Exception], None],
    ) -> None:
        self._client = StellantisClient(Application("my-client-id", "my-client-secret"), session=session)
        account = self._client.account(FileTokenStore("tokens.json"), brand="peugeot", key="alice")
        self.updates = watch(account, every=timedelta(minutes=5), what="status")
        self._on_status, self._on_lost = on_status, on_lost

    async def run(self) -> None:
        """Deliver statuses until ``updates.stop()`` is called, from any callback of the host."""
        async with self._client, self.updates:
            async for event in self.updates:
                if isinstance(event, Update) and event.status is not None:
                    self._on_status(event.vehicle.display_name, event.status)
                elif isinstance(event, AccountLost):
                    self._on_lost(event.error)


async def main() -> None:
    """Print the statuses of three cars, then stop as a host's timer does."""
    loop = asyncio.get_running_loop()
    seen: dict[str, Status] = {}

    def show(name: str, status: Status) -> None:
        seen[name] = status
        print(name, status.mileage, "km")
        if len(seen) == 3:
            loop.call_soon(hub.updates.stop)

    async with aiohttp.ClientSession() as session:
        hub = Hub(session, show, print)
        await asyncio.create_task(hub.run())


if __name__ == "__main__":
    asyncio.run(main())
