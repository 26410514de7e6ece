"""The command line in real shells and terminals: completions, screens of 100 and 40 columns, Ctrl+C."""

import os
import shutil
from pathlib import Path

import pytest

from tests.conformance.terminal import opened, program_folder

pytestmark = [
    pytest.mark.conformance,
    pytest.mark.wall_clock,
    pytest.mark.skipif(shutil.which("tmux") is None, reason="tmux is not installed"),
]

SHELLS = {
    "bash": (["bash", "--norc", "-i"], 'eval "$(stellantis-hal completion bash)"'),
    "zsh": (["zsh", "-f", "-i"], 'autoload -U compinit; compinit -u; eval "$(stellantis-hal completion zsh)"'),
    "fish": (["fish", "--private"], "stellantis-hal completion fish | source"),
}


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    path = f"{program_folder(tmp_path)}{os.pathsep}{os.environ['PATH']}"
    home = tmp_path / "home"
    home.mkdir()
    return {"PATH": path, "HOME": str(home), "PS1": "$ ", "LC_ALL": "C.UTF-8", "TERM": "screen-256color"}


@pytest.mark.parametrize("shell", SHELLS)
def test_a_shell_completes_commands_and_options(shell: str, environment: dict[str, str], tmp_path: Path) -> None:
    command, load = SHELLS[shell]
    if shutil.which(command[0]) is None:
        pytest.skip(f"{shell} is not installed")
    with opened(tmp_path, command, environment) as terminal:
        terminal.type(
            f"{load}; echo loaded-$((40+2))" if shell != "fish" else f"{load}; echo loaded-(math 40+2)", "Enter"
        )
        terminal.wait_for("loaded-42")
        terminal.type("stellantis-hal maint", "Tab")
        terminal.wait_for("stellantis-hal maintenance")
        terminal.type("C-u")
        terminal.type("stellantis-hal trips --geo", "Tab")
        terminal.wait_for("stellantis-hal trips --geojson")


@pytest.mark.parametrize("width", [100, 40])
@pytest.mark.parametrize(
    ("arguments", "shown"),
    [
        ("vehicles", "2008"),
        ("status 0000", "locked"),
        ("trips 0000 --limit 3", "3 of "),
        ("doctor", "simulator: there"),
        ("export -o trips.csv", "200 trips written"),
    ],
)
def test_screens_fit_their_terminal(
    width: int, arguments: str, shown: str, environment: dict[str, str], tmp_path: Path
) -> None:
    with opened(tmp_path, ["sh"], environment, width=width) as terminal:
        terminal.type(
            f"cd {environment['HOME']}; clear; stellantis-hal {arguments} --simulate; echo status=$?", "Enter"
        )
        screen = terminal.wait_for("status=0")
    assert shown in screen
    assert "Traceback" not in screen


@pytest.mark.parametrize("width", [100, 40])
def test_a_watch_is_a_live_table_until_ctrl_c(width: int, environment: dict[str, str], tmp_path: Path) -> None:
    with opened(tmp_path, ["sh"], environment, width=width) as terminal:
        terminal.type("clear; stellantis-hal watch --simulate; echo status=$?", "Enter")
        terminal.wait_for("…0001")
        terminal.wait_for("…0000")
        terminal.type("C-c")
        screen = terminal.wait_for("status=130")
        assert screen.count("requests left today") == 1, "the table is drawn in its place"
        assert "Battery" in screen
        assert "Traceback" not in screen


@pytest.mark.parametrize("width", [100, 40])
def test_the_browser_opens_and_ends(width: int, environment: dict[str, str], tmp_path: Path) -> None:
    pytest.importorskip("textual")
    with opened(tmp_path, ["sh"], environment, width=width) as terminal:
        terminal.type("clear; stellantis-hal browse --simulate; echo status=$?", "Enter")
        terminal.wait_for("vehicles")
        terminal.type("q")
        assert "Traceback" not in terminal.wait_for("status=0")
