"""PostgreSQL server of its own for a test: made in a folder, started on a free port, stopped, killed, started again."""

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path

import pytest

from tests.conformance.processes import free_port

__all__ = ["PostgresServer"]


def _programs() -> Path:
    found = shutil.which("initdb")
    folders = [
        *([Path(found).parent] if found else []),
        *sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True),
    ]
    for folder in folders:
        if (folder / "initdb").is_file() and (folder / "postgres").is_file():
            return folder
    pytest.skip("PostgreSQL is not installed")


class PostgresServer:
    """A ``postgres`` process, ended by its id. It is run by another user than root, which it refuses."""

    def __init__(self) -> None:
        pytest.importorskip("psycopg", reason="psycopg is not installed: pip install 'stellantis-hal[postgres]'")
        self._programs = _programs()
        self.port = free_port()
        self.folder = Path(tempfile.mkdtemp(prefix="hal-postgres-"))  # not pytest's, which others may not enter
        self._user: int | None = None
        if os.geteuid() == 0:
            try:
                entry = pwd.getpwnam("postgres")
            except KeyError:
                pytest.skip("PostgreSQL runs by no root, and there is no user postgres")
            self._user = entry.pw_uid
            os.chown(self.folder, entry.pw_uid, entry.pw_gid)
        self.process: subprocess.Popen[bytes] | None = None
        self._run("initdb", "-D", str(self.folder / "data"), "-A", "trust", "-U", "test", "--no-sync", "-E", "UTF8")

    @property
    def dsn(self) -> str:
        return f"postgresql://test@127.0.0.1:{self.port}/postgres"

    def _run(self, program: str, *arguments: str) -> None:
        subprocess.run(
            [self._programs / program, *arguments], check=True, user=self._user, capture_output=True, cwd=self.folder
        )

    def start(self) -> None:
        """Start it and wait until it accepts connections."""
        options = f"-p {self.port} -c listen_addresses=127.0.0.1 -k {self.folder} -c fsync=off -c max_connections=60"
        self._run(
            "pg_ctl",
            "-D",
            str(self.folder / "data"),
            "-w",
            "-t",
            "60",
            "-l",
            str(self.folder / "log"),
            "-o",
            options,
            "start",
        )

    def empty(self) -> None:
        """Drop the tables of the package, which another test may have filled."""
        import psycopg  # an extra

        with psycopg.connect(self.dsn, autocommit=True) as connection:
            connection.execute("DROP SCHEMA IF EXISTS stellantis_hal CASCADE")

    def end(self) -> None:
        """End it at once: connections are cut, and committed data stay."""
        self._run("pg_ctl", "-D", str(self.folder / "data"), "-w", "-m", "immediate", "stop")

    def _pids(self) -> list[int]:
        main = int((self.folder / "data" / "postmaster.pid").read_text().splitlines()[0])
        children = Path(f"/proc/{main}/task/{main}/children").read_text().split()
        return [main, *map(int, children)]

    def pause(self) -> None:
        """Stop its processes, which keep their connections and answer nothing."""
        for pid in self._pids():
            os.kill(pid, signal.SIGSTOP)

    def go_on(self) -> None:
        """Let stopped processes go on."""
        for pid in self._pids():
            os.kill(pid, signal.SIGCONT)

    def remove(self) -> None:
        """End it, and remove its folder."""
        if (self.folder / "data" / "postmaster.pid").exists():
            self.end()
        shutil.rmtree(self.folder, ignore_errors=True)
