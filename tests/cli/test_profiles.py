"""Profiles of the configuration file."""

import errno
import os
import stat
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import pytest

from stellantis_hal import ConfigurationError
from stellantis_hal.cli.profiles import add_profile, read_profile
from stellantis_hal.cli.settings_folder import config_path
from stellantis_hal.storage.replaced_file import replaced_file

FAMILY = """
default = "family"  # ours

[profiles.family]
brand = "peugeot"
client_id = "my-client-id"
client_secret_file = "secret"
certificate = "cert.pem"
store = "tokens"
account = "alice"
car = "VF3"
timezone = "Europe/Paris"
aliases = { mum = "VR3" }
braand = "opel"
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    file = tmp_path / "config.toml"
    file.write_text(FAMILY)
    (tmp_path / "secret").write_text("s3cr3t\n")
    return file


def test_a_profile_has_paths_beside_its_file(path: Path) -> None:
    profile = read_profile(path, None, {})
    assert profile is not None
    assert profile.options == {
        "brand": "peugeot",
        "client_id": "my-client-id",
        "certificate": str(path.parent / "cert.pem"),
        "store": str(path.parent / "tokens"),
        "account": "alice",
    }
    assert (profile.secret, profile.car, profile.timezone) == ("s3cr3t", "VF3", "Europe/Paris")
    assert profile.aliases == {"mum": "VR3"}
    assert "s3cr3t" not in repr(profile)
    assert profile.warnings == (f"{path}: profiles.family.braand is unknown and not used; did you mean brand?",)


def test_an_unknown_key_without_a_neighbour_is_told(path: Path) -> None:
    path.write_text('[profiles.a]\nzzzzzz = "1"\n')
    profile = read_profile(path, None, {})
    assert profile is not None
    assert profile.warnings == (f"{path}: profiles.a.zzzzzz is unknown and not used",)


def test_no_file_means_no_profile(tmp_path: Path) -> None:
    assert read_profile(tmp_path / "none.toml", None, {}) is None
    assert read_profile(None, None, {}) is None
    with pytest.raises(ConfigurationError, match=r"no profile 'work' in .*: there is none; `stellantis-hal login`"):
        read_profile(tmp_path / "none.toml", "work", {})


def test_several_profiles_need_a_name(path: Path) -> None:
    path.write_text('[profiles.a]\nbrand = "ds"\n[profiles.b]\nbrand = "opel"\n')
    assert read_profile(path, None, {}) is None
    profile = read_profile(path, "b", {})
    assert profile is not None
    assert profile.options == {"brand": "opel"}
    with pytest.raises(ConfigurationError, match=r"no profile 'c' in .*: there is a, b"):
        read_profile(path, "c", {})


def test_a_secret_is_taken_from_a_variable(path: Path) -> None:
    path.write_text('[profiles.a]\nclient_secret_env = "MY_SECRET"\n')
    profile = read_profile(path, None, {"MY_SECRET": "x"})
    assert profile is not None
    assert profile.secret == "x"
    with pytest.raises(ConfigurationError, match="client_secret_env names MY_SECRET, which is not set"):
        read_profile(path, None, {})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("default = ", "cannot be read: "),
        ("profiles = 3", "profiles must be tables"),
        ("[profiles]\na = 3", "profiles must be tables"),
        ("[profiles.a]\nbrand = 3", "profiles.a.brand must be a text, not 3"),
        ('[profiles.a]\nbrand = ""', "profiles.a.brand must be a text, not ''"),
        ("[profiles.a]\naliases = 3", "profiles.a.aliases must be a table of texts"),
        ("[profiles.a.aliases]\nmum = 3", "profiles.a.aliases must be a table of texts"),
        ('[profiles.a]\nclient_secret_file = "none"', "client_secret_file .*none cannot be read: No such file"),
    ],
)
def test_what_cannot_be_used_is_named(path: Path, text: str, message: str) -> None:
    path.write_text(text)
    with pytest.raises(ConfigurationError, match=message):
        read_profile(path, None, {})


def test_files_that_are_no_text_are_named(path: Path) -> None:
    path.write_bytes(b"\xff")
    with pytest.raises(ConfigurationError, match="cannot be read: 'utf-8' codec"):
        read_profile(path, None, {})
    path.write_text('[profiles.a]\nclient_secret_file = "secret"')
    (path.parent / "secret").write_bytes(b"\xff")
    with pytest.raises(ConfigurationError, match="cannot be read: 'utf-8' codec"):
        read_profile(path, None, {})


def test_a_profile_is_added_and_the_rest_stays(path: Path) -> None:
    add_profile(path, "work", {"brand": "opel", "client_id": "x"}, secret="geheim")
    text = path.read_text()
    assert text.startswith(FAMILY)
    profile = read_profile(path, "work", {})
    assert profile is not None
    assert (profile.options, profile.secret) == ({"brand": "opel", "client_id": "x"}, "geheim")
    add_profile(path, "family", {"brand": "ds"}, secret=None)
    changed = read_profile(path, None, {})
    assert changed is not None
    assert (changed.options["brand"], changed.options["account"], changed.secret) == ("ds", "alice", "s3cr3t")
    assert "# ours" in path.read_text()


@pytest.mark.parametrize("before", [None, "old\n"])
def test_a_secret_is_not_replaced_without_its_profile(
    path: Path, before: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The new secret would be sent with the old client id."""
    secret = path.with_name("work.secret")
    if before is not None:
        add_profile(path, "work", {"client_id": "x"}, secret="old")
    there = path.read_text()

    @contextmanager
    def full(file: Path, *, private: bool) -> Generator[BinaryIO]:
        if file == path:
            raise OSError(errno.ENOSPC, "No space left on device", str(file))
        with replaced_file(file, private=private) as opened:
            yield opened

    monkeypatch.setattr("stellantis_hal.cli.profiles.replaced_file", full)
    with pytest.raises(OSError, match="No space left"):
        add_profile(path, "work", {"client_id": "y"}, secret="new")
    assert path.read_text() == there
    assert (secret.read_text() if secret.exists() else None) == before


def test_the_first_profile_becomes_the_default(tmp_path: Path) -> None:
    path = tmp_path / "folder" / "config.toml"
    add_profile(path, "work", {"brand": "opel"}, secret="geheim")
    assert path.read_text() == (
        'default = "work"\n\n[profiles.work]\nbrand = "opel"\nclient_secret_file = "work.secret"\n'
    )
    for file in (path, path.with_name("work.secret")):
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
    path.write_text("= broken")
    with pytest.raises(ConfigurationError):
        add_profile(path, "work", {}, secret=None)


def test_byte_order_marks_are_no_part_of_the_files(path: Path) -> None:
    """Editors of Windows write them."""
    path.write_text(FAMILY, encoding="utf-8-sig")
    (path.parent / "secret").write_text("s3cr3t\r\n", encoding="utf-8-sig")
    profile = read_profile(path, None, {})
    assert profile is not None
    assert profile.secret == "s3cr3t"
    add_profile(path, "work", {"brand": "opel"}, secret=None)
    assert path.read_text() == f'{FAMILY}\n[profiles.work]\nbrand = "opel"\n'


def test_a_tilde_is_the_home_of_the_user(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(path.parent / "home"))
    path.write_text('[profiles.a]\nstore = "~/tokens"\n')
    profile = read_profile(path, None, {})
    assert profile is not None
    assert profile.options == {"store": str(path.parent / "home" / "tokens")}


def test_a_new_secret_counts_before_the_one_of_a_variable(path: Path) -> None:
    path.write_text('[profiles.a]\nclient_secret_env = "MY_SECRET"\n')
    variables = {"MY_SECRET": "old"}
    add_profile(path, "a", {}, secret="old", environment=variables)
    assert not path.with_name("a.secret").exists()
    add_profile(path, "a", {}, secret="new", environment=variables)
    profile = read_profile(path, None, variables)
    assert profile is not None
    assert profile.secret == "new"


def test_a_profile_is_written_through_a_symbolic_link(tmp_path: Path) -> None:
    kept = tmp_path / "kept.toml"
    kept.write_text("# ours\n")
    path = tmp_path / "config.toml"
    path.symlink_to(kept)
    add_profile(path, "work", {"brand": "opel"}, secret=None)
    assert path.is_symlink()
    assert '[profiles.work]\nbrand = "opel"' in kept.read_text()
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert sorted(os.listdir(tmp_path)) == ["config.toml", "kept.toml"]


@pytest.mark.parametrize("name", ["a/b", "", "..", "a\0b"])
def test_a_name_that_no_file_can_have_is_refused(path: Path, name: str) -> None:
    with pytest.raises(ConfigurationError, match="cannot be saved"):
        add_profile(path, name, {}, secret="geheim")
    assert path.read_text() == FAMILY


def test_the_file_is_in_the_folder_of_the_user(monkeypatch: pytest.MonkeyPatch) -> None:
    assert config_path({"STELLANTIS_HAL_CONFIG": "/x.toml"}) == Path("/x.toml")
    monkeypatch.setenv("HOME", "/home/ann")
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    assert config_path({}) == Path("/home/ann/.config/stellantis-hal/config.toml")
    monkeypatch.setattr("click.get_app_dir", str)
    monkeypatch.setattr("os.path.expanduser", str)
    assert config_path({}) is None
