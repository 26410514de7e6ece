"""Servers that others wrote, as processes of their own, for the length of a block."""

import os
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

__all__ = ["announced", "free_port", "prism", "running", "specification"]

_SECONDS = 60


def free_port() -> int:
    """Find a port that nobody listens on."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        port: int = listening.getsockname()[1]
        return port


@contextmanager
def running(
    command: Sequence[str], port: int, *, environment: Mapping[str, str] | None = None, folder: Path | None = None
) -> Generator[str, None, None]:
    """Run a server; give its address once it listens, and stop it by its own process id."""
    process = subprocess.Popen(
        command,
        cwd=folder,
        env={**os.environ, **(environment or {})},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        _wait_for(port, process)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(10)


@contextmanager
def announced(
    command: Sequence[str], *, environment: Mapping[str, str] | None = None, folder: Path | None = None
) -> Generator[str, None, None]:
    """Run a server that chooses its port and says it in its first line; give its address, and stop it likewise."""
    with subprocess.Popen(
        command,
        cwd=folder,
        env={**os.environ, **(environment or {})},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        impatience = threading.Timer(_SECONDS, process.kill)
        impatience.start()
        try:
            port = process.stdout.readline().decode().strip()
            impatience.cancel()
            assert port.isdigit(), process.stderr.read().decode()
            yield f"http://127.0.0.1:{port}"
        finally:
            impatience.cancel()
            process.terminate()
            process.wait(10)


def _wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    for _ in range(_SECONDS * 10):
        if process.poll() is not None:
            raise RuntimeError(f"{process.args!r} ended with {process.returncode} before it listened")
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.1)
        else:
            return
    raise RuntimeError(f"{process.args!r} did not listen within {_SECONDS} s")


def specification() -> str:
    """Give the path of the vendor's OpenAPI file, or skip the test."""
    path = os.environ.get("STELLANTIS_HAL_SPECIFICATION", "")
    if not Path(path).is_file():
        pytest.skip("STELLANTIS_HAL_SPECIFICATION names no file: the vendor's OpenAPI file is needed")
    return path


def prism() -> str:
    """Give the path of Prism, or skip the test."""
    path = os.environ.get("STELLANTIS_HAL_PRISM") or shutil.which("prism") or ""
    if not Path(path).is_file():
        pytest.skip("Prism is not installed: npm install @stoplight/prism-cli, then set STELLANTIS_HAL_PRISM")
    return str(Path(path).resolve())
