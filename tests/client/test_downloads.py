"""Pictures of vehicles: foreign hosts, where nothing that identifies the caller is sent."""

import httpx
import pytest

from stellantis_hal import UntrustedOriginError
from stellantis_hal.simulator import Simulator
from tests.support.simulated import account_of, client_of, world

pytestmark = pytest.mark.anyio


class WithPictures(httpx.AsyncBaseTransport):
    """Responds for every host but the simulator's with a picture, and records those requests."""

    def __init__(self, inner: httpx.AsyncBaseTransport) -> None:
        self.inner = inner
        self.requests: list[httpx.Request] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if request.url.host.endswith("simulator.test"):
            return await self.inner.handle_async_request(request)
        self.requests.append(request)
        return httpx.Response(200, content=b"PNG", headers={"content-type": "image/png"})


async def test_pictures_are_downloaded_without_credentials() -> None:
    simulator = Simulator(world())
    transport = WithPictures(simulator.transport())
    async with client_of(simulator, transport=transport) as client:
        account = account_of(client, simulator)
        vehicle = await account.vehicles().first()
        assert vehicle is not None
        resource = vehicle.require_resource()
        url = "https://pictures.example/3d/front.png?view=1"
        for opened in (
            account.download(url, credentials=False),
            resource.download(url=url, credentials=False, limit=10),
        ):
            async with opened as chunks:
                assert (await chunks.read(), chunks.media_type) == (b"PNG", "image/png")
        with pytest.raises(UntrustedOriginError):
            async with account.download(url):
                pass
    assert len(transport.requests) == 2
    for request in transport.requests:
        assert str(request.url) == url
        assert set(request.headers) <= {"host", "accept", "accept-encoding", "user-agent"}
