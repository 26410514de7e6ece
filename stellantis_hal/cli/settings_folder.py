"""The user's folder of settings: the configuration file, and tokens."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import click

__all__ = ["config_path", "default_store"]


def _folder() -> Path | None:
    """Return the folder; None where the user has no home. An empty or relative XDG_CONFIG_HOME is ignored."""
    for folder in (click.get_app_dir("stellantis-hal"), os.path.expanduser("~/.config/stellantis-hal")):
        if os.path.isabs(folder):
            return Path(folder)
    return None


def config_path(environment: Mapping[str, str]) -> Path | None:
    """Return the configuration file: of STELLANTIS_HAL_CONFIG, or in the folder of settings; None without a home."""
    if chosen := environment.get("STELLANTIS_HAL_CONFIG"):
        return Path(chosen)
    folder = _folder()
    return None if folder is None else folder / "config.toml"


def default_store() -> Path | None:
    """Return the token file in the folder of settings; None without a home.

    A file that an earlier version has made, ``tokens``, is used where it is; a new one is an SQLite file.
    """
    folder = _folder()
    if folder is None:
        return None
    earlier = folder / "tokens"
    return earlier if earlier.exists() else folder / "tokens.db"
