"""The group whose commands are imported when they are called."""

import sys

import click
import pytest

from stellantis_hal.cli import main
from stellantis_hal.cli.lazy_group import LazyCommandSpec, LazyGroup
from stellantis_hal.cli.root_group import commands


def context() -> click.Context:
    return click.Context(commands, info_name="stellantis-hal")


@pytest.mark.parametrize("width", [40, 80, 200])
def test_help_of_the_group_says_what_each_command_says(width: int) -> None:
    lazy, loaded = click.HelpFormatter(width=width), click.HelpFormatter(width=width)
    commands.format_commands(context(), lazy)
    click.Group(commands=dict(commands.commands)).format_commands(context(), loaded)
    assert lazy.getvalue() == loaded.getvalue()


@pytest.mark.parametrize("typed", ["", "t", "token", "--", "nothing"])
def test_completion_offers_what_loaded_commands_would(typed: str) -> None:
    lazy = commands.shell_complete(context(), typed)
    loaded = click.Group.shell_complete(commands, context(), typed)
    assert [vars(each) for each in lazy] == [vars(each) for each in loaded]


def test_no_command_is_hidden() -> None:
    """The help of the group could not tell without importing it."""
    assert not [name for name, command in commands.commands.items() if command.hidden]
    assert [name for name, command in commands.commands.items() if command.name != name] == []


def test_a_group_takes_and_loses_commands() -> None:
    group = LazyGroup("group", lazy={"demo": LazyCommandSpec("demo_command", "Poll.")})
    group.add_command(click.Command("other"))
    assert "demo" in group.commands
    assert [*group.commands] == ["demo", "other"]
    del group.commands["demo"]
    assert [*group.commands] == ["other"]
    assert len(group.commands) == 1
    assert group.commands.get("demo") is None


def test_an_extra_missing_in_a_command_names_its_installation(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["stellantis-hal", "other"])
    monkeypatch.setitem(sys.modules, "stellantis_hal.cli.not_loaded", None)
    lazy = LazyGroup("group", lazy={"other": LazyCommandSpec("not_loaded", "Do.")})
    monkeypatch.setattr("stellantis_hal.cli.root_group.commands", lazy)
    with pytest.raises(ModuleNotFoundError, match="not_loaded"):
        main()
    monkeypatch.setitem(sys.modules, "rich", None)

    def import_rich(context: click.Context) -> None:
        __import__("rich")

    monkeypatch.setattr(lazy, "invoke", import_rich)
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 8
    assert "pip install 'stellantis-hal[cli]'" in capsys.readouterr().err
