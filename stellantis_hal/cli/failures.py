"""Failures of commands: one line on standard error, and an exit status by kind."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, Final, TypeVar

import click
from click.core import ParameterSource

from stellantis_hal.cli.common_options import Invocation, current
from stellantis_hal.errors import (
    AuthError,
    ConfigurationError,
    ForbiddenError,
    NetworkError,
    NotFoundError,
    OutcomeUnknownError,
    QuotaError,
    ServerError,
    StellantisError,
    TokenStoreError,
    UnauthorizedError,
)
from stellantis_hal.hal.redaction import one_line
from stellantis_hal.storage.advice import describe

__all__ = [
    "CLOSED_PIPE",
    "INTERRUPTED",
    "SOME_FAILED",
    "UNKNOWN_OUTCOME",
    "Failure",
    "exit_status",
    "failure_of",
    "failure_of_usage",
    "first_of",
    "run_command",
]

T = TypeVar("T")

SOME_FAILED: Final = 3
"""The exit status where some cars failed and the rest is printed."""
UNKNOWN_OUTCOME: Final = 9
"""The exit status where the outcome of a command to a car is unknown."""
INTERRUPTED: Final = 130
"""The exit status after Ctrl+C, as shells have it."""
CLOSED_PIPE: Final = 141
"""The exit status where the reader of standard output has gone, as shells have it."""
_STATUSES: Final[tuple[tuple[type[BaseException], int], ...]] = (
    (OutcomeUnknownError, UNKNOWN_OUTCOME),
    (TokenStoreError, 8),
    (ConfigurationError, 8),
    (QuotaError, 6),
    (UnauthorizedError, 4),
    (AuthError, 4),
    (NotFoundError, 5),
    (NetworkError, 7),
    (ServerError, 7),
)
_LOG_IN: Final = "log in with: stellantis-hal login"
_SCOPE: Final = "ask for a scope with: stellantis-hal login --scope"


class Failure(click.ClickException):
    """A command failed.

    Args:
        message: what happened, and what to do.
        exit_status: the exit status.
        options: the common options; None: those of the command that runs.
        facts: more about it, for ``--json`` and ``-v``.
    """

    def __init__(
        self, message: str, exit_status: int = 1, /, *, options: Invocation | None = None, **facts: Any
    ) -> None:
        super().__init__(message)
        vars(self)["exit_code"] = exit_status  # click declares it for the class only
        self.facts = facts
        self._options = options or current()  # there is no context any more where it is shown

    def show(self, file: Any = None) -> None:
        """Print the failure to standard error: a line, or a JSON object with ``--json``."""
        options = self._options
        if options.as_json:
            document = {"error": self.message, "exit_status": self.exit_code, **self.facts}
            click.echo(json.dumps(document, ensure_ascii=True), file=file, err=True)
            return
        click.echo(f"error: {one_line(self.message)}", file=file, err=True)
        if options.verbose:
            for name, value in self.facts.items():
                click.echo(f"  {name.replace('_', ' ')}: {one_line(str(value))}", file=file, err=True)


def exit_status(error: BaseException) -> int:
    """Return the exit status of an error."""
    return next((status for kind, status in _STATUSES if isinstance(error, kind)), 1)


def failure_of(error: StellantisError | OSError, *, has_account: bool = True) -> Failure:
    """Return an error of the library, or of the system, as a failure of the command.

    Args:
        error: the error.
        has_account: whether the command acts for an account holder, who can log in.
    """
    status = exit_status(error)
    names = ("status", "code", "uuid", "transaction_id", "retry_after")
    facts = {name: value for name in names if (value := getattr(error, name, None)) is not None}
    hint = _LOG_IN if status == 4 else _SCOPE if isinstance(error, ForbiddenError) and error.scopes else ""
    message = str(error)
    if isinstance(error, OSError) and error.filename is not None:
        message = describe(error)
    return Failure(
        f"{message} ({hint})" if hint and has_account else message, status, kind=type(error).__name__, **facts
    )


def failure_of_usage(error: click.ClickException, options: Invocation) -> Failure:
    """Return an error of click as a failure: with the place of a wrong value, and the help that says what is right.

    Args:
        error: the error.
        options: the common options.
    """
    message = error.format_message().strip()
    if not isinstance(error, click.UsageError):
        return Failure(message, error.exit_code, options=options)
    context, status = error.ctx, error.exit_code
    parameter = getattr(error, "param", None)
    if context is not None and parameter is not None:
        source = context.get_parameter_source(parameter.name)
        if source is ParameterSource.DEFAULT_MAP and options.profile is not None:
            message = f"{options.profile.path}: profiles.{options.profile.name}.{parameter.name}: {message}"
            status = 8
        elif source is ParameterSource.ENVIRONMENT:
            message = f"{message} (from the variable {parameter.envvar})"
    if context is not None and status == 2:
        message = f"{message}{'' if message.endswith(('.', '?')) else '.'} See `{context.command_path} --help`."
    return Failure(message, status, options=options)


def run_command(function: Callable[..., T], *arguments: Any) -> T:
    """Return the result of a call; raise its errors as failures of the command."""
    try:
        return function(*arguments)
    except BrokenPipeError:  # of standard output
        raise
    except (StellantisError, OSError) as error:
        raise failure_of(error) from error
    except BaseExceptionGroup as group:  # of a task group
        first = first_of(group, StellantisError, OSError)
        if isinstance(first, StellantisError | OSError) and not isinstance(first, BrokenPipeError):
            raise failure_of(first) from group
        raise


def first_of(group: BaseExceptionGroup[Any], *kinds: type[BaseException]) -> BaseException | None:
    """Return the first exception of a group where all are of these kinds; None where another is among them."""
    if group.split(kinds)[1] is not None:
        return None
    first: BaseException = group
    while isinstance(first, BaseExceptionGroup):
        first = first.exceptions[0]
    return first
