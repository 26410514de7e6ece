"""Common options, before or after the command."""

from zoneinfo import ZoneInfo

import click
import pytest

from stellantis_hal.cli.common_options import Invocation, current, to_front
from stellantis_hal.cli.profiles import SettingsProfile
from stellantis_hal.cli.root_group import commands

CASES = [
    (["status", "--json"], ["--json", "status"]),
    (["--utc", "status", "0000", "--simulate"], ["--utc", "--simulate", "status", "0000"]),
    (["--profile", "a", "status"], ["--profile", "a", "status"]),
    (["status", "--profile", "a", "x"], ["--profile", "a", "status", "x"]),
    (["status", "--profile=a"], ["--profile=a", "status"]),
    (["status", "-vv"], ["-vv", "status"]),
    (["status", "-qvv", "0000"], ["-qvv", "status", "0000"]),
    (["trips", "-vo", "x"], ["trips", "-vo", "x"]),
    (["trips", "-"], ["trips", "-"]),
    (["status", "-v", "-v"], ["-v", "-v", "status"]),
    (["trips", "-o", "--json"], ["trips", "-o", "--json"]),
    (["login", "--client-secret", "--json"], ["--json", "login", "--client-secret"]),
    (["login", "--client-secret", "a", "--json"], ["--json", "login", "--client-secret", "a"]),
    (["trips", "--", "--json"], ["trips", "--", "--json"]),
    (["whoami", "--json"], ["--json", "whoami"]),
    (["remote", "lock", "--json", "--utc"], ["--json", "--utc", "remote", "lock"]),
    (["remote", "--utc"], ["--utc", "remote"]),
    (["--version"], ["--version"]),
    (["unknown", "--json"], ["--json", "unknown"]),
    ([], []),
]


@pytest.mark.parametrize(("typed", "parsed"), CASES)
def test_common_options_may_stand_after_the_command(typed: list[str], parsed: list[str]) -> None:
    assert to_front(typed, commands.params, commands.commands) == parsed


def test_times_are_shown_in_the_zone_of_the_profile(capsys: pytest.CaptureFixture[str], tmp_path: object) -> None:
    profile = SettingsProfile(name="a", path=__file__, timezone="Europe/Paris")  # type: ignore[arg-type]  # not read
    assert Invocation(profile=profile).zone == ZoneInfo("Europe/Paris")
    assert str(Invocation(profile=profile, utc=True).zone) == "UTC"
    assert Invocation().zone is None
    Invocation().warn("a")
    Invocation(quiet=True).warn("b")
    assert capsys.readouterr().err == "warning: a\n"


def test_without_a_command_there_are_defaults() -> None:
    assert current() == Invocation()
    with click.Context(click.Command("x")):
        assert current() == Invocation()
