"""Reservations of a store that processes share, which may be lost without the process."""

from collections.abc import AsyncGenerator, Collection, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import pytest

from stellantis_hal.errors import StellantisError
from stellantis_hal.fleet.checkpoints.fenced import SharedCheckpoints
from stellantis_hal.fleet.checkpoints.store import CheckpointError, CheckpointsInUseError
from stellantis_hal.storage.errors import StorageError
from stellantis_hal.storage.fencing import FenceToken

pytestmark = pytest.mark.anyio


class Engine(SharedCheckpoints):
    """Contents in a dict, and reservations whose loss a test decides."""

    def __init__(self) -> None:
        self.contents: dict[str, bytes] = {}
        self.renewed: list[str] = []
        self.failure: Exception | None = None

    async def _read(self, keys: Collection[str], token: FenceToken | None) -> Mapping[str, bytes]:
        return {key: self.contents[key] for key in keys if key in self.contents}

    async def _write(self, contents: Mapping[str, bytes], token: FenceToken | None) -> None:
        self.contents.update(contents)

    @asynccontextmanager
    async def _hold(self, name: str) -> AsyncGenerator[None, None]:
        async def renew() -> None:
            self.renewed.append(name)
            if self.failure is not None:
                raise self.failure

        with self._renewed(renew):
            yield

    def _reserve(self, name: str, *, shared: bool) -> AbstractAsyncContextManager[None]:
        return self._hold(name)


async def test_each_write_renews_the_reservations_of_now() -> None:
    engine = Engine()
    await engine.save("k", b"0")
    async with engine.reserve("a"):
        async with engine.reserve("b"):
            await engine.save("k", b"1")
            await engine.save_many({})
            await engine.load("k")
        await engine.save("k", b"2")
    await engine.save("k", b"3")
    assert engine.renewed == ["a", "b", "a"]


@pytest.mark.parametrize(
    ("failure", "kind"),
    [
        (CheckpointsInUseError("the name 'a' is used by another stream"), CheckpointsInUseError),
        (StorageError("the server is gone", path="here"), CheckpointError),
    ],
)
async def test_nothing_is_written_without_the_reservation(failure: Exception, kind: type[StellantisError]) -> None:
    engine = Engine()
    async with engine.reserve("a"):
        await engine.save("k", b"before")
        engine.failure = failure
        with pytest.raises(kind):
            await engine.save("k", b"late")
        assert await engine.load("k") == b"before"
        engine.failure = None
        await engine.save("k", b"after")
    assert await engine.load("k") == b"after"
