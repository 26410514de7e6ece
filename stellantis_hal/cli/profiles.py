"""Profiles: named defaults of the command line's options, in the user's configuration file."""

from __future__ import annotations

import difflib
import os
import re
import tomllib
from collections.abc import Generator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final
from zoneinfo import ZoneInfo

import attrs
import tomlkit

from stellantis_hal.errors import ConfigurationError
from stellantis_hal.storage.replaced_file import replaced_file

__all__ = ["KEYS", "SettingsProfile", "add_profile", "read_profile"]

KEYS: Final = frozenset(
    {
        "account",
        "aliases",
        "base_url",
        "brand",
        "car",
        "certificate",
        "certificate_key",
        "client_id",
        "client_secret_env",
        "client_secret_file",
        "identity_url",
        "proxy",
        "realm",
        "store",
        "timezone",
    }
)
"""Keys that a profile may have."""
_PATHS: Final = ("certificate", "certificate_key", "client_secret_file", "store")
_FILE_NAME: Final = re.compile(r"\w[\w .@+-]*")


@attrs.frozen(kw_only=True)
class SettingsProfile:
    """A profile as it was read.

    Attributes:
        name: its name.
        path: the file.
        options: values of options, by the names of their parameters; paths are absolute. Without the secret.
        secret: the client secret; None where the profile names none.
        aliases: names of cars that the user chose, with the VIN or id that each stands for.
        car: the car that is meant where a command names none.
        timezone: the zone in which instants are shown, as ``Europe/Paris``; None: that of the machine.
        warnings: what is wrong and does no harm, as an unknown key.
    """

    name: str
    path: Path
    options: Mapping[str, str] = attrs.field(factory=dict)
    secret: str | None = attrs.field(default=None, repr=False)
    aliases: Mapping[str, str] = attrs.field(factory=dict)
    car: str | None = None
    timezone: str | None = None
    warnings: tuple[str, ...] = ()


def read_profile(path: Path | None, name: str | None, environment: Mapping[str, str]) -> SettingsProfile | None:
    """Return a profile; None where there is no file and none was asked for by name.

    Args:
        path: the configuration file.
        name: the profile's name; None: the one that the file names as ``default``, or its only one.
        environment: the variables that ``client_secret_env`` refers to.

    Raises:
        ConfigurationError: the file, or a value in it, cannot be used; the profile is not there.
    """
    document = _read(path)
    if not isinstance(document.get("default", ""), str):
        raise ConfigurationError(f"{path}: default must be the name of a profile, not {document['default']!r}")
    profiles = document.get("profiles", {})
    if not isinstance(profiles, dict) or not all(isinstance(each, dict) for each in profiles.values()):
        raise ConfigurationError(f"{path}: profiles must be tables, as [profiles.family]")
    if name is None:
        name = document.get("default") or (next(iter(profiles)) if len(profiles) == 1 else None)
        if name is None:
            return None
    if path is None or name not in profiles:
        known = ", ".join(profiles) or "none"
        raise ConfigurationError(f"no profile {name!r} in {path}: there is {known}; `stellantis-hal login` makes one")
    return _parse(str(name), path, profiles[name], environment)


def _read(path: Path | None) -> dict[str, Any]:
    if path is None:
        return {}
    try:
        return tomllib.loads(_text(path))
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise ConfigurationError(f"the configuration file {path} cannot be read: {reason}") from error


def _parse(name: str, path: Path, values: Mapping[str, Any], environment: Mapping[str, str]) -> SettingsProfile:
    warnings: list[str] = []
    options: dict[str, str] = {}
    aliases: dict[str, str] = {}
    for key, value in values.items():
        where = f"{path}: profiles.{name}.{key}"
        if key not in KEYS:
            nearest = difflib.get_close_matches(key, KEYS, 1)
            warnings.append(f"{where} is unknown and not used{f'; did you mean {nearest[0]}?' if nearest else ''}")
        elif key == "aliases":
            if not isinstance(value, dict) or not all(isinstance(each, str) for each in value.values()):
                raise ConfigurationError(f'{where} must be a table of texts, as {{ mum = "VR3…" }}')
            aliases = dict(value)
        elif not isinstance(value, str) or not value:
            raise ConfigurationError(f"{where} must be a text, not {value!r}")
        elif key == "timezone" and not _is_zone(value):
            raise ConfigurationError(f"{where} must be the name of a time zone, as Europe/Paris, not {value!r}")
        else:
            options[key] = str(path.parent.absolute() / os.path.expanduser(value)) if key in _PATHS else value
    return SettingsProfile(
        name=name,
        path=path,
        secret=_secret(options, f"{path}: profiles.{name}", environment),
        car=options.pop("car", None),
        timezone=options.pop("timezone", None),
        options=options,
        aliases=aliases,
        warnings=tuple(warnings),
    )


def _text(path: Path) -> str:
    """Return the text of a file; editors of Windows put a byte-order mark before it, which is left out."""
    return path.read_text(encoding="utf-8-sig")


def _is_zone(name: str) -> bool:
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):  # not found, no name, a folder of zones
        return False
    return True


def _secret(options: dict[str, str], where: str, environment: Mapping[str, str]) -> str | None:
    """Return the client secret, and remove the keys that name its place."""
    file, variable = options.pop("client_secret_file", None), options.pop("client_secret_env", None)
    if variable is not None:
        if variable not in environment:
            raise ConfigurationError(f"{where}.client_secret_env names {variable}, which is not set")
        return environment[variable]
    if file is None:
        return None
    try:
        return _text(Path(file)).strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise ConfigurationError(f"{where}.client_secret_file {file} cannot be read: {reason}") from error


def add_profile(
    path: Path,
    name: str,
    values: Mapping[str, str],
    *,
    secret: str | None,
    environment: Mapping[str, str] = MappingProxyType({}),
) -> None:
    """Write a profile into the configuration file; other profiles and comments stay as they are.

    Args:
        path: the file; it and its folder are made where they are missing, for the user alone.
        name: the profile; one of this name is updated.
        values: its keys.
        secret: the client secret, written into a file of its own beside the configuration; None: none.
        environment: the variables; a secret that ``client_secret_env`` refers to stays there, and is in no file.

    Raises:
        ConfigurationError: the file that is there cannot be read, or the name cannot be that of a file.
        OSError: it cannot be written; the configuration and the secret stay as they are.
    """
    _read(path)
    if secret is not None and not _FILE_NAME.fullmatch(name):
        raise ConfigurationError(
            f"the profile {name!r} cannot be saved: its secret is in a file of its name, "
            "so use letters, digits, spaces and . @ + - _"
        )
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    document = tomlkit.parse(_text(path)) if path.exists() else tomlkit.document()
    profiles = document.setdefault("profiles", tomlkit.table(is_super_table=True))
    profile = profiles.setdefault(name, tomlkit.table())
    for key, value in values.items():
        profile[key] = value
    with ExitStack() as stack:
        if secret is not None and secret != environment.get(profile.get("client_secret_env", "")):
            file = path.with_name(f"{name}.secret")
            stack.enter_context(_unchanged_on_failure(file))
            _write(file, f"{secret}\n".encode())
            profile["client_secret_file"] = file.name
            profile.pop("client_secret_env", None)  # it would count before the file
        first = "" if "default" in document else tomlkit.dumps({"default": name}) + "\n"
        _write(path, f"{first}{tomlkit.dumps(document)}".encode())


@contextmanager
def _unchanged_on_failure(path: Path) -> Generator[None]:
    """Put a file back as it was, where the block raises: a new secret is of no use to the old configuration."""
    before = path.read_bytes() if path.exists() else None
    try:
        yield
    except BaseException:
        if before is None:
            path.unlink(missing_ok=True)
        else:
            _write(path, before)
        raise


def _write(path: Path, content: bytes) -> None:
    with replaced_file(path, private=True) as file:
        file.write(content)
