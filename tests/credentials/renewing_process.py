"""A process that renews a token; ``test_processes`` runs two of them at once."""

import os
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import anyio
import anyio.to_thread

from stellantis_hal import FileTokenStore, RenewingBearerCredentials
from stellantis_hal.errors import BadRequestError
from stellantis_hal.hal.header_mapping import Headers
from stellantis_hal.hal.json import encode
from stellantis_hal.navigation.fetch_protocol import Request, Response
from tests.credentials.doubles import CLIENT, NOON, form_of


class SharedServer:
    """An identity server whose memory is a folder: each refresh token is a file, which a renewal removes."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    async def __call__(self, request: Request, /) -> Response:
        return await anyio.to_thread.run_sync(self._renew, form_of(request)["refresh_token"])

    def _renew(self, refresh_token: str) -> Response:
        number = int(refresh_token.rpartition("-")[2])
        try:
            (self.folder / refresh_token).unlink()
        except FileNotFoundError:
            (self.folder / "killed").touch()
            raise BadRequestError("400", status=400, oauth_error="invalid_grant") from None
        time.sleep(0.02)
        (self.folder / f"refresh-{number + 1}").touch()
        body = {
            "access_token": f"access-{number + 1}",
            "refresh_token": f"refresh-{number + 1}",
            "expires_in": 3600,
        }
        return Response(url=request_url, status=200, headers=Headers(), content=encode(body), received_at=NOON)


request_url = "http://identity.test/"


def wait_for_the_start(folder: Path) -> None:
    ready = folder / f"ready-{os.getpid()}"
    ready.touch()
    while not (folder / "go").exists():
        time.sleep(0.001)
    ready.unlink()


async def main(folder: Path, rounds: int) -> None:
    credentials = RenewingBearerCredentials(
        CLIENT,
        FileTokenStore(folder / "tokens"),
        fetch=SharedServer(folder),
        key="alice",
    )
    refusal = Response(url=request_url, status=401, headers=Headers(), content=b"", received_at=NOON)
    await anyio.to_thread.run_sync(wait_for_the_start, folder)
    for _ in range(rounds):
        sent: Mapping[str, str] = await credentials.headers()
        await credentials.refused(refusal, sent)
    print((await credentials.headers())["Authorization"])


if __name__ == "__main__":
    anyio.run(main, Path(sys.argv[1]), int(sys.argv[2]), backend=sys.argv[3])
