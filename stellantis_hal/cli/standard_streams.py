"""Standard streams of the command line: encodings that lack characters, and output that cannot be written."""

from __future__ import annotations

import codecs
import os
import signal
import sys
import unicodedata
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Any, NoReturn, TextIO

import click

from stellantis_hal.cli.common_options import Invocation
from stellantis_hal.cli.failures import CLOSED_PIPE, INTERRUPTED, Failure, failure_of_usage, first_of
from stellantis_hal.cli.json_text import has_all_characters
from stellantis_hal.hal.redaction import one_line

__all__ = ["OneLineErrorGroup", "SafeTerminalWriter", "prepare_process"]

_SIMILAR = "stellantis_hal.similar"
_COMMON = "Common options, as --json, --simulate and --timeout: `stellantis-hal --help`."


_CAR = "CAR is the label of a car, its id or the end of its VIN."


def _epilog(command: click.Command) -> str:
    names_car = any(isinstance(each, click.Argument) and each.name in ("car", "cars") for each in command.params)
    return f"{_CAR}\n\n{_COMMON}" if names_car else _COMMON


class OneLineErrorGroup(click.Group):
    """A group whose commands end with one line where their output cannot be written, quietly where it is not read."""

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return a command, whose help names the common options."""
        found = super().get_command(ctx, cmd_name)
        for each in () if found is None else (found, *getattr(found, "commands", {}).values()):
            each.epilog = _epilog(each)
        return found

    def make_context(self, info_name: str | None, args: list[str], *rest: Any, **options: Any) -> click.Context:
        """Parse the arguments; ``--help`` and ``--version`` write from here."""
        invocation = Invocation(as_json="--json" in args)  # as far as it is known where they are wrong
        with _one_line(lambda: invocation), _output_errors():
            return super().make_context(info_name, args, *rest, **options)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command."""

        def invocation() -> Invocation:
            return ctx.obj if isinstance(ctx.obj, Invocation) else Invocation(as_json=bool(ctx.params.get("as_json")))

        with _one_line(invocation), _output_errors():
            return super().invoke(ctx)


@contextmanager
def _one_line(invocation: Callable[[], Invocation]) -> Generator[None, None, None]:
    """Raise the errors of click as failures, which are one line; end with 130 after Ctrl+C, at a question too."""
    try:
        yield
    except (Failure, _OutputError, click.exceptions.NoArgsIsHelpError):
        raise
    except click.ClickException as error:
        raise failure_of_usage(error, invocation()) from error
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
    except click.Abort as error:
        if isinstance(error.__context__, KeyboardInterrupt):
            sys.exit(INTERRUPTED)
        message = "the input ended before the question was answered: answer it on a terminal"
        raise Failure(message, options=invocation()) from error


class _OutputError(Failure):
    """Standard output cannot be written."""

    def __init__(self, error: OSError) -> None:
        super().__init__(f"the output cannot be written: {error.strerror or error}")
        self._is_pipe = isinstance(error, BrokenPipeError)
        if self._is_pipe:
            vars(self)["exit_code"] = CLOSED_PIPE

    def show(self, file: Any = None) -> None:
        """Print the reason; a pipe that was closed ends the process by its signal, as it ends other tools."""
        _discard_output()
        if not self._is_pipe:
            super().show(file)
        elif hasattr(signal, "SIGPIPE"):
            signal.signal(signal.SIGPIPE, signal.SIG_DFL)
            signal.raise_signal(signal.SIGPIPE)


@contextmanager
def _output_errors() -> Generator[None, None, None]:
    try:
        yield
        sys.stdout.flush()
    except OSError as error:
        raise _OutputError(error) from error
    except BaseExceptionGroup as group:
        for kind in (SystemExit, KeyboardInterrupt, click.ClickException, OSError):
            if (found := first_of(group, kind)) is not None:
                raise _OutputError(found) if isinstance(found, OSError) else found from None
        raise


def _discard_output() -> None:
    """Lead what is still in the buffer nowhere: the interpreter would try to write it at its end."""
    with suppress(OSError, ValueError, AttributeError):
        descriptor = sys.stdout.fileno()
        with open(os.devnull, "wb") as null:
            os.dup2(null.fileno(), descriptor)


def prepare_process() -> None:
    """Prepare the streams and signals of a process that runs one command.

    Characters that a stream's encoding lacks are replaced by similar ones, ``ë`` by ``e``, or by ``?``. A closed
    standard input is an empty one. SIGTERM ends the command as Ctrl+C does, so that a terminal is left as it was.
    """
    codecs.register_error(_SIMILAR, _similar)
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None and not has_all_characters(stream):
            reconfigure(errors=_SIMILAR)
    if sys.stdin is None:
        sys.stdin = open(os.devnull, encoding="utf-8")  # noqa: SIM115 - until the process ends
    if sys.stdout is None:
        sys.exit("error: the output cannot be written: standard output is closed")
    signal.signal(signal.SIGTERM, _terminate)


def _terminate(number: int, _: FrameType | None) -> NoReturn:
    sys.exit(128 + number)


def _similar(error: UnicodeError) -> tuple[str, int]:
    """Return what replaces characters that cannot be encoded, and where to go on."""
    assert isinstance(error, UnicodeEncodeError)  # noqa: S101 - the handler is used by streams that are written
    lacking = error.object[error.start : error.end]
    texts = (unicodedata.normalize("NFKD", char).encode("ascii", "ignore").decode() or "?" for char in lacking)
    return "".join(texts), error.end


class SafeTerminalWriter:
    """A text file that writes to a terminal, without characters that would drive it.

    Args:
        stream: standard output.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self.encoding: str = stream.encoding

    def write(self, text: str) -> int:
        """Write a text; control characters but line ends become U+FFFD or a space."""
        return self._stream.write("\n".join(map(one_line, text.split("\n"))))

    def flush(self) -> None:
        """Flush the stream."""
        self._stream.flush()
