"""Advice for failures of files and databases: what an operator can change."""

from __future__ import annotations

import os
from typing import Final

__all__ = ["describe", "with_advice"]

_RUNNING: Final = "check that it runs, and its host and port"
_WRITABLE: Final = "let the user of this process read and write it, and its folder"
_ADVICE: Final = (
    ("unable to open database file", "it has to be a file in a folder that exists, and that this user may write"),
    ("no such file or directory", "create its folder, or correct the path"),
    ("not a directory", "correct the path"),
    ("is a directory", "correct the path"),
    ("permission denied for", "grant it to the role of the dsn"),
    ("permission denied", _WRITABLE),
    ("operation not permitted", _WRITABLE),
    ("readonly database", _WRITABLE),
    ("read-only file system", _WRITABLE),
    ("file is not a database", "correct the path, or restore the file from a backup"),
    ("malformed", "restore the file from a backup"),
    ("no space left", "free some space there"),
    ("disk is full", "free some space there"),
    ("quota exceeded", "free some space there"),
    ("already authenticated", "give the password in its URL: redis://user:password@host"),
    ("noauth", "give the password in its URL: redis://user:password@host"),
    ("wrongpass", "correct the user and the password in its URL"),
    ("invalid username-password", "correct the user and the password in its URL"),
    ("no permissions to", "allow it to the user of the URL (`ACL SETUSER`)"),
    ("can't run this command", "allow it to the user of the URL (`ACL SETUSER`)"),
    ("noperm", "allow it to the user of the URL (`ACL SETUSER`)"),
    ("unknown command", "use a server that has this command, and does not rename it"),
    ("read only replica", "use the address of the primary"),
    ("read-only transaction", "use the address of the primary, or target_session_attrs=read-write in the dsn"),
    ("password authentication failed", "correct the user and the password of the dsn"),
    ("no password supplied", "give the password in the dsn"),
    ("no pg_hba.conf entry", "allow this user, database and address in pg_hba.conf"),
    ("too many clients", "raise max_connections of the server, or run fewer processes"),
    ("connection slots", "raise max_connections of the server, or run fewer processes"),
    ("does not exist", "create it, or correct the dsn"),
    ("unable to establish a connection", _RUNNING),
    ("connection refused", _RUNNING),
    ("timeout expired", _RUNNING),
    ("could not translate host name", _RUNNING),
    ("failed to resolve host", _RUNNING),
)


def with_advice(text: str) -> str:
    """Return what a file system or a database said of a failure, with what to do where that is known."""
    said = text.lower()
    for phrase, advice in _ADVICE:
        if phrase in said:
            return f"{text.rstrip('.')}: {advice}"
    return text


def describe(error: OSError) -> str:
    """Return the path of an error of the system, what is wrong there and what to do; its type, where it has none."""
    reason = with_advice(error.strerror or type(error).__name__)
    return reason if error.filename is None else f"{os.fsdecode(error.filename)}: {reason}"
