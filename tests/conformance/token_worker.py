"""A process that uses one account, whose token is renewed every few seconds; ``test_shared_tokens`` runs four."""

import json
import sys
from contextlib import AsyncExitStack
from typing import Any

import anyio

from stellantis_hal import Application, Brand, RetryPolicy, StellantisClient, StellantisError
from stellantis_hal.credentials.stores.opening import token_store


async def main(settings: dict[str, Any]) -> None:
    application = Application(settings["client_id"], settings["client_secret"])
    done, errors = 0, list[str]()
    async with AsyncExitStack() as stack:
        store = token_store(settings["place"])
        await stack.enter_async_context(store)  # type: ignore[arg-type]
        client = await stack.enter_async_context(
            StellantisClient(
                application,
                base_url=settings["url"],
                identity_url=settings["identity_url"],
                retry=RetryPolicy(attempts=3),
            )
        )
        account = client.account(store, brand=Brand[settings["brand"]], key=settings["key"])
        ends = anyio.current_time() + settings["seconds"]
        while anyio.current_time() < ends or done < settings["calls"]:
            try:
                await account.user()
                done += 1
            except StellantisError as error:
                errors.append(f"{type(error).__name__}: {error}")
            await anyio.sleep(0.02)
    print(json.dumps({"done": done, "errors": errors[:5], "failed": len(errors)}))


if __name__ == "__main__":
    anyio.run(main, json.loads(sys.argv[1]))
