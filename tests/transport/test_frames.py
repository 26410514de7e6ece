"""Frames of the package between the pipeline and the transport."""

import inspect
from pathlib import Path

import httpx
import pytest

import stellantis_hal
from tests.transport.doubles import Badge, get, session

pytestmark = pytest.mark.anyio
OK = httpx.Response(200, json={"vin": "x"})


async def test_few_frames_lie_between_fetch_and_the_transport() -> None:
    """Those of this package, from the coroutine of the pipeline's ``__call__`` on, with an injected transport."""
    package = str(Path(stellantis_hal.__file__).parent)
    frames: list[str] = []

    def record(request: httpx.Request) -> httpx.Response:
        frame = inspect.currentframe()
        while frame is not None:
            if frame.f_code.co_filename.startswith(package):
                frames.append(frame.f_code.co_qualname)
            frame = frame.f_back
        return OK

    opened, _ = session(record)
    async with opened:
        await get(opened.pipeline(credentials=Badge()))
    assert frames[-1] == "_Call.run"
    assert len(frames) <= 6, frames
