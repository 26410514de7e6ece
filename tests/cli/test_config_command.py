"""The commands ``config`` and ``completion``."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from stellantis_hal.cli.root_group import commands
from tests.support.functions import returns

PROFILE = """
[profiles.family]
brand = "opel"
client_id = "my-client-id"
client_secret_env = "MY_SECRET"
proxy = "http://ann:pw@proxy.example:3128"
car = "0000"
"""


def test_each_value_has_its_origin(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text(PROFILE)
    environment = {
        "STELLANTIS_HAL_CONFIG": str(path),
        "STELLANTIS_HAL_ACCOUNT": "bob",
        "STELLANTIS_HAL_REALM": "clientsB2COpel",
        "MY_SECRET": "geheim",
    }
    ran = CliRunner().invoke(commands, ["config", "--json", "--client-id", "other"], env=environment)
    document = json.loads(ran.stdout)
    values = {each["name"]: (each["value"], each["origin"]) for each in document["values"]}
    assert (document["file"], document["profile"]) == (str(path), "family")
    assert values["client_id"] == ("other", "option")
    assert values["account"] == ("bob", "variable")
    assert values["brand"] == ("opel", "profile")
    assert values["car"] == ("0000", "profile")
    assert values["client_secret"] == ("***", "profile")
    assert values["certificate"] == (None, "default")
    text = CliRunner().invoke(commands, ["config"], env=environment).stdout
    for secret in ("geheim", "pw@"):
        assert secret not in ran.stdout + text
    assert f"file      {path}\nprofile   family\n" in text


def test_without_a_file_that_is_said(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    environment = {"STELLANTIS_HAL_CONFIG": str(path), "STELLANTIS_HAL_CLIENT_SECRET": "geheim"}
    text = CliRunner().invoke(commands, ["config"], env=environment).stdout
    assert text.startswith(f"file      {path} (not there)\nprofile   none\n")
    assert "geheim" not in text


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completions_are_printed(shell: str) -> None:
    assert "_STELLANTIS_HAL_COMPLETE" in CliRunner().invoke(commands, ["completion", shell]).stdout


def test_a_shell_without_completions_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stellantis_hal.cli.completion.get_completion_class", returns(None))
    ran = CliRunner().invoke(commands, ["completion", "fish"])
    assert (ran.exit_code, "no completions for fish" in ran.stderr) == (1, True)
