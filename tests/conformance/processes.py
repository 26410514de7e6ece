"""Servers written by others, each in its own process within a block."""

import os
import random
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

__all__ = ["announced", "end", "fleet_specification", "free_port", "prism", "running", "specification", "wait_for"]

_SECONDS = 60
_PORTS = (15_000, 32_000)
_random = random.SystemRandom()


def free_port() -> int:
    """Return a free port below those that the system gives to connections, which could take it before a server does."""
    while True:
        port = _random.randrange(*_PORTS)
        with socket.socket() as listening, suppress(OSError):
            listening.bind(("127.0.0.1", port))
            return port


@contextmanager
def running(
    command: Sequence[str], port: int, *, environment: Mapping[str, str] | None = None, folder: Path | None = None
) -> Generator[str, None, None]:
    """Run a server; yield its URL once it listens, and terminate its process at the end."""
    process = subprocess.Popen(
        command,
        cwd=folder,
        env={**os.environ, **(environment or {})},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_for(port, process)
        yield f"http://127.0.0.1:{port}"
    finally:
        end(process)


@contextmanager
def announced(
    command: Sequence[str], *, environment: Mapping[str, str] | None = None, folder: Path | None = None
) -> Generator[str, None, None]:
    """Run a server that prints its port in its first line; yield its URL, and terminate it at the end."""
    with subprocess.Popen(
        command,
        cwd=folder,
        env={**os.environ, **(environment or {})},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        timeout = threading.Timer(_SECONDS, process.kill)
        timeout.start()
        try:
            port = process.stdout.readline().decode().strip()
            timeout.cancel()
            assert port.isdigit(), process.stderr.read().decode()
            yield f"http://127.0.0.1:{port}"
        finally:
            timeout.cancel()
            end(process)


def end(process: subprocess.Popen[bytes]) -> None:
    """Terminate a process, and kill it if that is not enough."""
    process.terminate()
    try:
        process.wait(_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(_SECONDS)


def wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    """Wait until a server listens."""
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
    """Return the path of the vendor's OpenAPI file for accounts (B2C), or skip the test."""
    return _openapi_file("STELLANTIS_HAL_SPECIFICATION")


def fleet_specification() -> str:
    """Return the path of the vendor's OpenAPI file for fleet owners (B2B), or skip the test."""
    return _openapi_file("STELLANTIS_HAL_FLEET_SPECIFICATION")


def _openapi_file(variable: str) -> str:
    path = os.environ.get(variable, "")
    if not Path(path).is_file():
        pytest.skip(f"{variable} must be the path of the vendor's OpenAPI file")
    return path


def prism() -> str:
    """Return the path of Prism, or skip the test."""
    path = os.environ.get("STELLANTIS_HAL_PRISM") or shutil.which("prism") or ""
    if not Path(path).is_file():
        pytest.skip("Prism is not installed: npm install @stoplight/prism-cli, then set STELLANTIS_HAL_PRISM")
    return str(Path(path).resolve())
