"""Terminals of tmux, in which programs run and keys are typed."""

import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

__all__ = ["Terminal", "opened", "program_folder"]

_TIMEOUT = 60.0
_ROOT = Path(__file__).parent.parent.parent


class Terminal:
    """A terminal; each has a server of its own.

    Args:
        socket: the path of the server's socket.
        width: columns.
    """

    def __init__(self, socket: Path, width: int) -> None:
        self.width = width
        self._tmux = [shutil.which("tmux") or "tmux", "-S", str(socket), "-f", "/dev/null"]

    def start(self, command: list[str], environment: dict[str, str]) -> None:
        """Start a program in the terminal."""
        variables = [f"{name}={value}" for name, value in environment.items()]
        line = shlex.join(["env", "-i", *variables, *command])  # COLUMNS of the tests would be wrong here
        self._run("new-session", "-d", "-x", str(self.width), "-y", "30", line)

    def type(self, *keys: str) -> None:
        """Type keys, as tmux names them: ``Tab``, ``C-c``, ``Enter``; others are typed as they are."""
        self._run("send-keys", *keys)

    def screen(self) -> str:
        """Return what the terminal shows."""
        return self._run("capture-pane", "-p")

    def wait_for(self, text: str) -> str:
        """Wait until the terminal shows a text, and return all that it shows.

        Raises:
            AssertionError: it does not within a minute.
        """
        deadline = time.monotonic() + _TIMEOUT
        while text not in (shown := self.screen()):
            assert time.monotonic() < deadline, f"no {text!r} in:\n{shown}"
            time.sleep(0.2)
        return shown

    def end(self) -> None:
        """End the server, and all that runs in it."""
        subprocess.run([*self._tmux, "kill-server"], check=False, capture_output=True, timeout=10)

    def _run(self, *arguments: str) -> str:
        ran = subprocess.run([*self._tmux, *arguments], check=True, capture_output=True, text=True, timeout=10)
        return ran.stdout


@contextmanager
def opened(
    folder: Path, command: list[str], environment: dict[str, str], *, width: int = 100
) -> Generator[Terminal, None, None]:
    """Start a program in a terminal; both end with the block."""
    terminal = Terminal(folder / "tmux", width)
    try:
        terminal.start(command, environment)
        yield terminal
    finally:
        terminal.end()


def program_folder(folder: Path) -> Path:
    """Return a folder with the program ``stellantis-hal``, as an installation has it."""
    place = folder / "bin"
    place.mkdir()
    program = place / "stellantis-hal"
    program.write_text(
        f"#!/bin/sh\nPYTHONPATH={shlex.quote(str(_ROOT))} exec {shlex.quote(sys.executable)} "
        '-c "from stellantis_hal.cli import main; main()" "$@"\n'
    )
    program.chmod(0o755)
    return place
