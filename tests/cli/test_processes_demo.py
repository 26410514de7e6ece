"""The command ``demo --processes``."""

import json
import sys
from io import StringIO
from pathlib import Path

import anyio
import anyio.lowlevel
import attrs
import pytest
from click.testing import CliRunner
from rich.console import Console

from stellantis_hal.cli import demo_command, processes_demo, processes_demo_worker
from stellantis_hal.cli.processes_demo import ProcessesDemoResult, ProcessesDemoSettings, ProcessTally, show_processes
from stellantis_hal.cli.processes_demo_worker import DemoWorkerSettings, work
from stellantis_hal.cli.processes_screen import ProcessesScreen
from stellantis_hal.cli.root_group import commands
from stellantis_hal.simulator import Simulator, SubscriptionLimits, World

SETTINGS = ProcessesDemoSettings(processes=2, per_second=20, seconds=2.0, seed=7)
RESULT = ProcessesDemoResult(
    store="sqlite",
    processes=(ProcessTally(20, 0, is_killed=True), ProcessTally(60, 0, error="no [answer]")),
    seconds=4.0,
    killed_at=2.0,
    after=40,
)


def screen(*, width: int = 40, terminal: bool = False) -> tuple[ProcessesScreen, StringIO]:
    output = StringIO()
    return ProcessesScreen(Console(file=output, width=width, force_terminal=terminal)), output


@pytest.mark.unmeasured
@pytest.mark.wall_clock
def test_processes_share_the_limit_and_one_is_killed() -> None:
    seconds: list[int] = []
    killed: list[int] = []
    result = show_processes(SETTINGS, lambda second, _: seconds.append(second), killed.append)
    assert (result.store, result.refused, killed) == ("sqlite", 0, [1])
    assert [each.is_killed for each in result.processes] == [True, False]
    assert result.responses > 0
    assert seconds == sorted(seconds)


@pytest.mark.unmeasured
@pytest.mark.anyio
@pytest.mark.wall_clock
@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_worker_reports_responses_and_errors(tmp_path: Path) -> None:
    simulator = Simulator(World(seed=7, accounts=1, vehicles=1, trips=0), rate_limits=SubscriptionLimits(per_second=50))
    reports: list[dict[str, int | str]] = []
    async with simulator.served() as url:
        holder = simulator.world.accounts[0]
        token = simulator.token_for(holder).access_token
        settings = DemoWorkerSettings(
            url=url,
            identity_url=simulator.identity_url,
            client_id=simulator.client_id,
            client_secret=simulator.client_secret,
            access_token=token,
            brand=holder.brand.upper().replace("Ë", "E"),
            store="sqlite",
            place=str(tmp_path / "limiter.sqlite"),
            per_second=50,
            processes=1,
            seconds=60.0,
        )
        for each in (settings, attrs.evolve(settings, access_token="wrong")):
            async with anyio.create_task_group() as group:

                def report(line: str, scope: anyio.CancelScope = group.cancel_scope) -> None:
                    reports.append(json.loads(line))
                    if reports[-1].get("responses") or "error" in reports[-1]:
                        scope.cancel()

                group.start_soon(work, each, report)
    counts = [each for each in reports if each.get("responses")]
    assert counts
    assert all(each["refused"] == 0 for each in counts)
    assert any("error" in each for each in reports)


def test_worker_reads_its_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    async def interrupted(settings: DemoWorkerSettings, report: object) -> None:
        await anyio.lowlevel.checkpoint()
        assert settings.client_secret == "s"
        raise BrokenPipeError

    text = json.dumps(
        dict.fromkeys(("url", "identity_url", "client_id", "access_token", "brand", "store", "place"), "x")
    )
    values = {**json.loads(text), "client_secret": "s", "per_second": 1, "processes": 1, "seconds": 1.0}
    monkeypatch.setattr(sys, "stdin", StringIO(json.dumps(values) + "\n"))
    monkeypatch.setattr(sys, "argv", ["worker", "asyncio"])
    monkeypatch.setattr(processes_demo_worker, "work", interrupted)
    with pytest.raises(SystemExit) as ended:
        processes_demo_worker.main()
    assert ended.value.code == 130


def test_seconds_are_lines_without_a_terminal() -> None:
    face, output = screen()
    with face.show_progress(SETTINGS):
        face.on_second(1, (ProcessTally(5), ProcessTally(7)))
        face.on_kill(1)
        face.on_second(2, (ProcessTally(6, is_killed=True), ProcessTally(9, 1)))
    face.show(SETTINGS, RESULT)
    assert output.getvalue().splitlines() == [
        "2 processes share 20 requests per second by an SQLite file for 2 s",
        "1 s: 5 + 7 = 12, 0 with 429",
        "process 1 is killed: what it held returns to the others within 5 s",
        "2 s: - + 2 = 3, 1 with 429",
        "80 responses in 4.0 s: 20.0 per second of 20, 0 with 429",
        "  process 1: 20, killed after 2.0 s",
        "  process 2: 60",
        "  process 2 failed: no [answer]",
        "after the kill, the others got 20.0 responses per second",
    ]


def test_seconds_are_a_table_on_a_terminal() -> None:
    face, output = screen(terminal=True)
    with face.show_progress(SETTINGS):
        face.on_second(1, (ProcessTally(5), ProcessTally(7, is_killed=True)))
    assert "killed" in output.getvalue()
    face.show(SETTINGS, ProcessesDemoResult(store="redis", processes=(), seconds=0.0, killed_at=None, after=0))


def test_silent_screen_prints_nothing() -> None:
    output = StringIO()
    face = ProcessesScreen(Console(file=output), silent=True)
    with face.show_progress(SETTINGS):
        face.on_second(1, (ProcessTally(), ProcessTally()))
        face.on_kill(1)
    assert output.getvalue() == ""


@pytest.mark.wall_clock
def test_command_prints_json(monkeypatch: pytest.MonkeyPatch) -> None:
    def shown(*_: object) -> ProcessesDemoResult:
        return RESULT

    monkeypatch.setattr(demo_command, "show_processes", shown)
    ran = CliRunner().invoke(commands, ["demo", "--processes", "2", "--store", "sqlite", "--json"])
    assert ran.exit_code == 0, ran.output
    assert json.loads(ran.output)["killed_at"] == 2.0
    ran = CliRunner().invoke(commands, ["demo", "--processes", "2"])
    assert "80 responses" in ran.output


def test_store_that_is_not_installed_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> None:
        assert name == "coredis"

    monkeypatch.setattr(processes_demo, "find_spec", missing)
    ran = CliRunner().invoke(commands, ["demo", "--processes", "2", "--store", "redis"])
    assert ran.exit_code == 8
    assert "redis-server" in ran.output
