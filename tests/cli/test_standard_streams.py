"""Standard streams of the command line."""

import errno
import io
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner
from rich.console import Console

from stellantis_hal import NotFoundError
from stellantis_hal.cli import main
from stellantis_hal.cli.demo_screen import DemoOutput
from stellantis_hal.cli.failures import Failure, run_command
from stellantis_hal.cli.json_text import json_text
from stellantis_hal.cli.root_group import commands
from stellantis_hal.cli.standard_streams import OneLineErrorGroup, prepare_process
from tests.cli.test_demo import make_result

RUN = [sys.executable, "-W", "error", "-c", "from stellantis_hal.cli import main; main()"]
DEMO = [*RUN, "demo", "--accounts", "2", "--vehicles", "2", "--trips", "4", "--limit", "100"]
full_device = pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full on this system")


def run(*command: str, **options: Any) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(command, stderr=subprocess.PIPE, check=False, timeout=60, **options)


# ------------------------------------------------------------------------------------------------- real processes


@pytest.mark.wall_clock
def test_a_closed_pipe_ends_the_demo_quietly() -> None:
    """As ``demo | head -1``: other tools end by the signal SIGPIPE, too."""
    reading, writing = os.pipe()
    os.close(reading)
    ran = run(*DEMO, stdout=writing)
    os.close(writing)
    assert (ran.returncode, ran.stderr) == (-signal.SIGPIPE, b"")


@full_device
@pytest.mark.wall_clock
@pytest.mark.parametrize("command", [DEMO, [*RUN, "--help"]], ids=["demo", "help"])
def test_a_full_disk_is_one_line(command: list[str]) -> None:
    with open("/dev/full", "wb") as full:
        ran = run(*command, stdout=full)
    assert ran.returncode == 1
    assert ran.stderr == b"error: the output cannot be written: No space left on device\n"


@pytest.mark.wall_clock
def test_an_ascii_terminal_shows_similar_characters() -> None:
    environment = {**os.environ, "PYTHONIOENCODING": "ascii", "COLUMNS": "80"}
    ran = run(*DEMO, env=environment, stdout=subprocess.PIPE)
    assert (ran.returncode, ran.stderr) == (0, b"")
    assert b"Citroen" in ran.stdout
    assert ran.stdout.isascii()


@contextmanager
def started(*arguments: str) -> Generator[subprocess.Popen[bytes], None, None]:
    """Start a command, and end it at the latest when the test ends."""
    with subprocess.Popen([*RUN, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        try:
            yield process
        finally:
            process.kill()  # nothing, where it has ended


@pytest.mark.wall_clock
@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, {0}), (signal.SIGTERM, {143, -signal.SIGTERM})])
def test_simulate_serves_until_a_signal(number: int, status: set[int]) -> None:
    with started("simulate", "--port", "0") as process:
        assert process.stdout is not None
        lines = list(iter(process.stdout.readline, b"Press Ctrl+C to stop.\n"))
        address = lines[0].split()[1].decode()
        host, _, port = address.removeprefix("http://").partition("/")[0].partition(":")
        with socket.create_connection((host, int(port)), 10.0) as client:
            client.sendall(b"GET /connectedcar/v4/user HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            assert client.recv(1_000).startswith(b"HTTP/1.1 401")
        process.send_signal(number)
        assert process.wait(20) in status
        assert process.stderr is not None
        assert process.stderr.read() == b""


@pytest.mark.wall_clock
def test_a_demo_is_ended_by_sigterm() -> None:
    """With a terminal's cursor shown again: the blocks that hide it are left."""
    with started("demo", "--limit", "1") as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline().startswith(b"Polling 40 cars")
        process.terminate()
        assert process.wait(20) == 128 + signal.SIGTERM
        assert process.stderr.read() == b""


# ------------------------------------------------------------------------------------------------- errors of writing


def failing(*errors: BaseException, written: str = "") -> click.Command:
    @click.group(cls=OneLineErrorGroup)
    def group() -> None: ...

    @group.command()
    def fail() -> None:
        sys.stdout.write(written)
        raise errors[0] if len(errors) == 1 else BaseExceptionGroup("of tasks", errors)

    return group


FULL = OSError(errno.ENOSPC, "No space left")
CLOSED = BrokenPipeError(errno.EPIPE, "Broken pipe")


@pytest.fixture
def signals(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Return the signals that the process sends to itself."""
    sent: list[int] = []
    monkeypatch.setattr(signal, "raise_signal", sent.append)

    def ignore(number: int, handler: object) -> None: ...

    monkeypatch.setattr(signal, "signal", ignore)
    return sent


@pytest.mark.parametrize("errors", [(FULL,), (FULL, FULL), (BaseExceptionGroup("inner", [FULL]), FULL)])
def test_errors_of_tasks_are_one_line(errors: tuple[BaseException, ...], signals: list[int]) -> None:
    ran = CliRunner().invoke(failing(*errors), ["fail"])
    assert (ran.exit_code, ran.output) == (1, "error: the output cannot be written: No space left\n")
    assert not signals


@pytest.mark.parametrize("errors", [(CLOSED,), (CLOSED, CLOSED)])
def test_a_closed_pipe_is_quiet(errors: tuple[BaseException, ...], signals: list[int]) -> None:
    ran = CliRunner().invoke(failing(*errors), ["fail"])
    assert (ran.exit_code, ran.output) == (141, "")
    assert signals == [signal.SIGPIPE]


def test_a_closed_pipe_is_quiet_without_the_signal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(signal, "SIGPIPE")
    ran = CliRunner().invoke(failing(CLOSED), ["fail"])
    assert (ran.exit_code, ran.output) == (141, "")


def test_what_was_not_written_is_discarded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The interpreter writes what is left in the buffer when it ends, and would print an error of its own."""
    with (tmp_path / "output").open("w") as stream:
        monkeypatch.setattr(sys, "stdout", stream)
        with pytest.raises(click.ClickException, match="cannot be written") as caught:
            failing(FULL, written="left").main(["fail"], standalone_mode=False)
        caught.value.show()
    assert (tmp_path / "output").read_text() == ""


def test_the_end_of_the_process_is_not_an_error() -> None:
    ran = CliRunner().invoke(failing(SystemExit(143), SystemExit(143)), ["fail"])
    assert (ran.exit_code, ran.output) == (143, "")
    ran = CliRunner().invoke(failing(KeyboardInterrupt(), KeyboardInterrupt()), ["fail"])
    assert (ran.exit_code, ran.output) == (130, "")


def test_ctrl_c_at_a_question_ends_as_shells_have_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(_: str) -> str:
        raise KeyboardInterrupt

    @click.command(cls=OneLineErrorGroup, invoke_without_command=True)
    def ask() -> None:
        click.prompt("Car")

    monkeypatch.setattr("click.termui.visible_prompt_func", interrupted)
    with pytest.raises(SystemExit) as ended:
        ask.main([])
    assert ended.value.code == 130


@pytest.mark.parametrize(
    "errors",
    [
        (NotFoundError("no such car", status=404), FULL),
        (BaseExceptionGroup("inner", [NotFoundError("no such car", status=404)]), NotFoundError("other", status=404)),
    ],
)
def test_the_first_error_of_a_run_is_its_failure(errors: tuple[BaseException, ...]) -> None:
    with pytest.raises(Failure, match="no such car") as caught:
        run_command(raising(BaseExceptionGroup("of tasks", errors)))
    assert (caught.value.exit_code, caught.value.facts["kind"]) == (5, "NotFoundError")


@pytest.mark.parametrize("error", [CLOSED, KeyboardInterrupt(), SystemExit(143), LookupError("a defect")])
def test_what_is_no_failure_of_a_run_is_raised(error: BaseException) -> None:
    """The group of commands ends by it: with 141, 130, 143; a defect has its traceback."""
    group = BaseExceptionGroup("of tasks", [error])
    for raised in (error, group):
        with pytest.raises(BaseException) as caught:  # noqa: PT011 - the very object
            run_command(raising(raised))
        assert caught.value is raised


def raising(error: BaseException) -> Callable[[], None]:
    def function() -> None:
        raise error

    return function


def test_other_errors_of_tasks_are_not_hidden() -> None:
    ran = CliRunner().invoke(failing(FULL, LookupError("a defect")), ["fail"])
    assert isinstance(ran.exception, BaseExceptionGroup)


# ------------------------------------------------------------------------------------------------- streams


@pytest.fixture
def process(monkeypatch: pytest.MonkeyPatch) -> Generator[Callable[..., None]]:
    """Prepare the process with other streams; SIGTERM gets its handler back."""
    before = signal.getsignal(signal.SIGTERM)

    def prepare(**streams: Any) -> None:
        for name, stream in streams.items():
            monkeypatch.setattr(sys, name, stream)
        prepare_process()

    yield prepare
    signal.signal(signal.SIGTERM, before)


def encoded(encoding: str) -> io.TextIOWrapper:
    return io.TextIOWrapper(io.BytesIO(), encoding=encoding)


@pytest.mark.parametrize(
    ("encoding", "written"),
    [("ascii", b"Citroen ?? ..."), ("latin-1", b"Citro\xebn ?? ..."), ("utf-8", "Citroën ─→ …".encode())],
)
def test_characters_are_replaced_by_similar_ones(encoding: str, written: bytes, process: Callable[..., None]) -> None:
    stream = encoded(encoding)
    process(stdout=stream, stderr=encoded(encoding))
    stream.write("Citroën ─→ …")
    stream.flush()
    assert stream.buffer.getvalue() == written  # type: ignore[attr-defined]


def test_json_is_escaped_where_characters_are_lacking(monkeypatch: pytest.MonkeyPatch) -> None:
    texts = []
    for encoding in ("ascii", "latin-1", "utf-8"):
        monkeypatch.setattr(sys, "stdout", encoded(encoding))
        texts.append(json_text({"brand": "Citroën"}))
    assert texts == [*['{\n  "brand": "Citro\\u00ebn"\n}'] * 2, '{\n  "brand": "Citroën"\n}']
    assert json.loads(texts[0]) == {"brand": "Citroën"}


def test_streams_that_are_closed(process: Callable[..., None]) -> None:
    process(stdin=None, stderr=None)
    assert sys.stdin.read() == ""
    sys.stdin.close()
    with pytest.raises(SystemExit, match="standard output is closed"):
        process(stdout=None)


def test_sigterm_ends_the_process_by_its_status(process: Callable[..., None]) -> None:
    process()
    handler = signal.getsignal(signal.SIGTERM)
    assert callable(handler)
    with pytest.raises(SystemExit) as ended:
        handler(signal.SIGTERM, None)
    assert ended.value.code == 143


def test_ctrl_c_while_starting_is_quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    class Interrupted:
        def find_spec(self, name: str, *_: Any) -> None:
            if name == "stellantis_hal.cli.root_group":
                raise KeyboardInterrupt

    monkeypatch.delitem(sys.modules, "stellantis_hal.cli.root_group")
    monkeypatch.setattr(sys, "meta_path", [Interrupted(), *sys.meta_path])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 130


# ------------------------------------------------------------------------------------------------- narrow terminals


@pytest.mark.parametrize("width", [20, 40, 60, 80, 120])
def test_no_width_drops_a_cell(width: int) -> None:
    page = io.StringIO()
    DemoOutput(Console(file=page, width=width)).show(make_result())
    for cell in (
        "VF3A",
        "VF3B",
        "Peugeot",
        "DS",
        "1200",
        "15,000",
        "48.8566, 2.3522",
        "42 %",
        "Last position",
        "Energy",
    ):
        assert cell in page.getvalue(), width
    assert "…" not in page.getvalue()


def test_a_pipe_closed_while_a_table_is_printed_is_raised(monkeypatch: pytest.MonkeyPatch) -> None:
    class Pipe(io.StringIO):
        def write(self, text: str) -> int:
            raise CLOSED

    monkeypatch.setattr(sys, "stdout", Pipe())
    with pytest.raises(BrokenPipeError):
        DemoOutput().show(make_result())


def test_the_group_has_every_command() -> None:
    assert set(commands.commands) >= {"demo", "login", "logout", "simulate", "token", "tokens", "whoami"}


def test_help_is_printed_for_every_command() -> None:
    for name in commands.commands:
        assert CliRunner().invoke(commands, [name, "--help"]).exit_code == 0


def test_a_folder_of_settings_is_absolute(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from stellantis_hal.cli.settings_folder import default_store

    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CONFIG_HOME", "")
    assert default_store() == tmp_path / ".config/stellantis-hal/tokens.db"
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "x"))
    assert default_store() == tmp_path / "x/stellantis-hal/tokens.db"
    monkeypatch.setenv("XDG_CONFIG_HOME", "relative")
    monkeypatch.setenv("HOME", "relative too")
    assert default_store() is None
