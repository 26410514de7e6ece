"""Two processes that share a token file."""

# ruff: noqa: ASYNC240 - a few empty files in a temporary folder

import sys
from pathlib import Path
from subprocess import PIPE

import anyio
import pytest

from stellantis_hal import FileTokenStore, Token
from tests.support.profiles import deep

pytestmark = [pytest.mark.anyio, pytest.mark.wall_clock]

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("others", ["trio", deep("asyncio")])
@pytest.mark.parametrize("rounds", [2, deep(5)])
async def test_two_processes_never_spend_a_refresh_token_twice(
    tmp_path: Path, anyio_backend_name: str, others: str, rounds: int
) -> None:
    (tmp_path / "refresh-0").touch()
    store = FileTokenStore(tmp_path / "tokens")
    await store.save("alice", Token("access-0", "refresh-0"))
    command = [sys.executable, "-m", "tests.credentials.renewing_process", str(tmp_path), str(rounds)]
    processes = [
        await anyio.open_process([*command, backend], cwd=ROOT, stdout=PIPE, stderr=PIPE)
        for backend in (anyio_backend_name, others)
    ]
    try:
        with anyio.fail_after(30):
            while len(list(tmp_path.glob("ready-*"))) < 2:  # noqa: ASYNC110 - other processes set no event
                await anyio.sleep(0.005)
            (tmp_path / "go").touch()
            for process in processes:
                assert process.stderr is not None
                complaint = b"".join([part async for part in process.stderr])
                assert await process.wait() == 0, complaint.decode()
    finally:
        for process in processes:
            if process.returncode is None:
                process.kill()
            await process.aclose()
    stored = await store.load("alice")
    assert stored is not None
    assert stored.refresh_token is not None
    left = sorted(path.name for path in tmp_path.iterdir())
    assert left == sorted(["go", stored.refresh_token, "tokens"]), (
        "one refresh token lives, and it is the one that is kept"
    )
    assert rounds <= int(stored.refresh_token.rpartition("-")[2]) <= 2 * rounds
