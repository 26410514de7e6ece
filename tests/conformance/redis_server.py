"""Redis server of its own for a test: started on a free port, stopped, continued, killed, started again."""

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import pytest

from tests.conformance.processes import free_port, wait_for

__all__ = ["APPEND_ONLY", "COREDIS_LEAVES_STREAMS", "REDIS", "RedisServer"]

REDIS = shutil.which("redis-server", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/bin")
COREDIS_LEAVES_STREAMS = pytest.mark.filterwarnings("ignore:Unclosed <MemoryObject:ResourceWarning")
"""coredis leaves the buffers of a connection unclosed that could not be made."""

APPEND_ONLY = ("--appendonly", "yes", "--appendfsync", "everysec")


class RedisServer:
    """A ``redis-server`` process, ended by its id.

    Args:
        folder: where it keeps its data.
        options: further arguments of the command, such as :data:`APPEND_ONLY`; without any it keeps nothing.
    """

    def __init__(self, folder: Path, options: Sequence[str] = ()) -> None:
        if REDIS is None:
            pytest.skip("redis-server is not installed")
        self.folder = folder
        self.options = tuple(options)
        self.port = free_port()
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def start(self) -> None:
        """Start it, with the data that an append-only file holds."""
        assert REDIS is not None
        command = [REDIS, "--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--dir", str(self.folder)]
        self._process = subprocess.Popen(
            [*command, *self.options], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        wait_for(self.port, self._process)
        self._wait_until_loaded()

    def _wait_until_loaded(self) -> None:
        """Wait while it listens and reads its data: it refuses commands meanwhile."""
        for _ in range(600):
            with suppress(OSError), socket.create_connection(("127.0.0.1", self.port), timeout=10) as connection:
                connection.sendall(b"PING\r\n")
                if not connection.recv(100).startswith(b"-LOADING"):
                    return
            time.sleep(0.1)
        raise RuntimeError("Redis did not read its data within 60 s")

    def stop(self) -> None:
        """Stop its process, which keeps its connections and answers nothing."""
        self._signal(signal.SIGSTOP)

    def go_on(self) -> None:
        """Let a stopped process go on."""
        self._signal(signal.SIGCONT)

    def kill(self) -> None:
        """Kill its process."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(10)
            self._process = None

    def _signal(self, number: signal.Signals) -> None:
        assert self._process is not None
        self._process.send_signal(number)
