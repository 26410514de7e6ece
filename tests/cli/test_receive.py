"""The command ``receive``: a receiver under uvicorn, whose events are printed."""

import errno
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from click.testing import CliRunner

from stellantis_hal import parse_notification
from stellantis_hal.cli.receive import _print_events, describe_event, event_to_json
from stellantis_hal.cli.root_group import commands
from stellantis_hal.notifications import MemoryInbox, Notification, Receiver
from tests.notifications import receiving
from tests.notifications.bodies import VIN, body, monitor_message, remote_message

pytestmark = pytest.mark.wall_clock
SECRETS = {"STELLANTIS_HAL_WEBHOOK_PATH": "/st/k3Jx0v", "STELLANTIS_HAL_WEBHOOK_TOKEN": "s3cr3t"}


class Running:
    """The command in a process of its own."""

    def __init__(self, folder: Path, *arguments: str) -> None:
        program = "from stellantis_hal.cli import main; main()"
        command = [sys.executable, "-c", program, "receive", "--port", "0", "--inbox", str(folder / "i.db")]
        self.process = subprocess.Popen(
            [*command, *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, **SECRETS},
        )
        assert self.process.stderr is not None
        line = self.process.stderr.readline()
        found = re.search(r"listening on (http://127\.0\.0\.1:\d+)", line)
        assert found is not None, line
        self.address = found[1]

    def end(self) -> tuple[list[str], str]:
        """Wait for its end; return the lines that it printed, and its errors."""
        output, errors = self.process.communicate(timeout=30)
        return output.splitlines(), errors


def post(address: str, content: bytes, path: str = SECRETS["STELLANTIS_HAL_WEBHOOK_PATH"]) -> int:
    for _ in range(100):
        try:
            return httpx.post(f"{address}{path}", content=content, trust_env=False).status_code
        except httpx.ConnectError:
            time.sleep(0.05)
    raise AssertionError("it does not listen")


@pytest.mark.unmeasured
def test_events_are_printed_and_the_command_ends(tmp_path: Path) -> None:
    running = Running(tmp_path, "--count", "3")
    assert post(running.address, body([monitor_message(), remote_message()])) == 200
    assert post(running.address, b"{", "/other") == 404
    assert post(running.address, b"{") == 200
    (first, second, third), errors = running.end()
    assert first == "2026-03-01T00:00:00+00:00 monitor VF3*** vehicle.energy.electric.level=19"
    assert second == "2026-03-01T12:00:00+00:00 remote VF3*** Doors Success (not verified)"
    assert "unreadable - 1 bytes no JSON" in third
    assert errors == ""


def test_it_ends_in_the_time_that_it_has(tmp_path: Path) -> None:
    arguments = ["receive", "--port", "0", "--inbox", str(tmp_path / "i.db"), "--timeout", "0.1"]
    ran = CliRunner().invoke(commands, arguments, env=SECRETS)
    assert ran.exit_code == 7
    assert "did not end within 0.1 s of --timeout" in ran.stderr


def test_what_was_not_printed_comes_at_the_next_start(tmp_path: Path) -> None:
    running = Running(tmp_path, "--count", "1", "--json")
    assert post(running.address, body([monitor_message(1), monitor_message(2)])) == 200
    assert len(running.end()[0]) == 1
    arguments = ["receive", "--port", "0", "--inbox", str(tmp_path / "i.db"), "--count", "1", "--json"]
    result = CliRunner().invoke(commands, arguments, env=SECRETS)
    assert result.exit_code == 0, result.output
    shown = json.loads(result.stdout)
    assert (shown["vin"], shown["verified"], shown["at"]) == (VIN, True, "2026-03-01T00:00:02+00:00")


@pytest.mark.parametrize("sent", [signal.SIGTERM, signal.SIGINT])
def test_signal_ends_the_command(tmp_path: Path, sent: signal.Signals) -> None:
    running = Running(tmp_path)
    assert post(running.address, b"{", "/") == 404
    running.process.send_signal(sent)
    assert "Traceback" not in running.end()[1]


def test_port_in_use_is_an_error(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        arguments = ["receive", "--port", port, "--inbox", str(tmp_path / "i.db")]
        result = CliRunner().invoke(commands, arguments, env=SECRETS)
    assert result.exit_code == 1
    assert f"cannot listen on 127.0.0.1:{port}" in result.output


@pytest.mark.parametrize(
    ("arguments", "env", "message"),
    [
        ([], {}, "Missing option '--path'"),
        (["--path", "st"], {}, "must begin with a slash"),
        (["--key", __file__], SECRETS, "--key needs the --certificate"),
    ],
)
def test_wrong_options_are_errors(arguments: list[str], env: dict[str, str], message: str) -> None:
    result = CliRunner().invoke(commands, ["receive", *arguments], env=env)
    assert result.exit_code != 0
    assert message in result.output


@pytest.mark.parametrize("place", ["missing/i.db", "folder", "text"])
def test_an_inbox_that_cannot_be_used_is_one_line(tmp_path: Path, place: str) -> None:
    """Before the server starts: its address is not printed."""
    (tmp_path / "folder").mkdir()
    (tmp_path / "text").write_text("no database" * 100)
    arguments = ["receive", "--port", "0", "--inbox", str(tmp_path / place)]
    result = CliRunner().invoke(commands, arguments, env=SECRETS)
    assert (result.exit_code, result.stdout) == (1, "")
    assert re.fullmatch(r"error: the inbox cannot be used: .+\n", result.stderr)


def test_an_inbox_that_cannot_be_locked_ends_the_server(tmp_path: Path) -> None:
    (tmp_path / ".i.db.consumer.lock").mkdir()
    arguments = ["receive", "--port", "0", "--inbox", str(tmp_path / "i.db"), "-q"]
    result = CliRunner().invoke(commands, arguments, env=SECRETS)
    assert (result.exit_code, result.stdout) == (1, "")
    assert re.fullmatch(r"error: the consumer of .+i\.db cannot be locked: .+\n", result.stderr)


def test_a_server_that_cannot_start_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.EINVAL, "Invalid argument")

    monkeypatch.setattr("uvicorn.Server.startup", refuse)
    arguments = ["receive", "--port", "0", "--inbox", str(tmp_path / "i.db"), "-q"]
    result = CliRunner().invoke(commands, arguments, env=SECRETS)
    assert (result.exit_code, result.output) == (1, "error: [Errno 22] Invalid argument\n")


def test_a_wrong_certificate_is_one_line(tmp_path: Path) -> None:
    path = tmp_path / "cert.pem"
    path.write_text("no certificate")
    arguments = ["receive", "--port", "0", "--inbox", str(tmp_path / "i.db"), "--certificate", str(path)]
    result = CliRunner().invoke(commands, arguments, env=SECRETS)
    assert (result.exit_code, result.stdout) == (8, "")
    assert re.fullmatch(rf"error: the certificate {path} cannot be used: .+\n", result.stderr)
    assert not (tmp_path / "i.db").exists()


def test_uvicorn_is_an_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    result = CliRunner().invoke(commands, ["receive"], env=SECRETS)
    assert "stellantis-hal[receiver]" in result.output


def test_events_are_described_without_instants_and_vins() -> None:
    [event] = parse_notification(b'{"type": "Monitor", "monitorEvent": {"refresh": true}}')
    assert describe_event(event) == "- monitor - (reminder) (not verified)"
    [event] = parse_notification(b"\xff")
    assert "unreadable - 1 bytes" in describe_event(event)
    shown = event_to_json(event)
    assert (shown["kind"], shown["content"], shown["at"]) == ("unreadable", "\ufffd", None)
    [failed] = parse_notification(body(remote_message("Failed", date=datetime.now(UTC).isoformat())))
    assert "remote VF3*** Doors Failed" in describe_event(failed)
    attributes = [{"key": "token", "value": "s3cr3t"}]
    [verified] = parse_notification(body(monitor_message(attributes=attributes)), token="s3cr3t")
    assert "not verified" not in describe_event(verified)
    assert event_to_json(verified)["kind"] == "monitor"
    assert describe_event(Notification(id="1", received_at=datetime(2026, 1, 1, tzinfo=UTC))).startswith("2026-01-01")


@pytest.mark.anyio
@pytest.mark.parametrize("as_json", [True, False])
async def test_so_many_events_are_printed(as_json: bool, capsys: pytest.CaptureFixture[str]) -> None:
    receiver = Receiver(MemoryInbox(), path="/st/k3Jx0v")
    await receiving.post(receiver, body([monitor_message(number) for number in range(3)]), path="/st/k3Jx0v")
    server = SimpleNamespace(should_exit=False)
    options: Any = SimpleNamespace(as_json=as_json, count=2)
    await _print_events(receiver, options, server)
    assert len(capsys.readouterr().out.splitlines()) == 2
    assert server.should_exit
