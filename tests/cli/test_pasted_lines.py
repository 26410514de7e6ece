"""Text that is pasted into the terminal."""

import io
import os
import sys
from collections.abc import Generator
from typing import TextIO

import click
import pytest

from stellantis_hal.cli.pasted_lines import read_pasted

pytestmark = pytest.mark.wall_clock


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Generator[int, None, None]:
    """Make standard input a terminal, and return the end into which a person types."""
    keyboard, device = os.openpty()
    with open(device, encoding="utf-8") as stream:
        monkeypatch.setattr(sys, "stdin", stream)
        yield keyboard
    os.close(keyboard)


def test_all_lines_of_a_paste_are_read(terminal: int) -> None:
    os.write(terminal, b"one\ntwo\n")
    assert read_pasted("Paste") == "one\ntwo\n"
    os.write(terminal, b"three\n")
    assert read_pasted("Paste") == "three\n"


def test_the_end_of_the_input_ends_a_paste(monkeypatch: pytest.MonkeyPatch) -> None:
    reading, writing = os.pipe()
    os.write(writing, b"one\ntwo")
    os.close(writing)
    with open(reading, encoding="utf-8") as stream:
        monkeypatch.setattr(sys, "stdin", stream)
        assert read_pasted("Paste") == "one\ntwo"
        with pytest.raises(click.Abort):
            read_pasted("Paste")


def test_a_paste_has_a_largest_number_of_lines(
    monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("paste") / "lines"
    path.write_text("line\n" * 2_000)
    with path.open() as stream:
        monkeypatch.setattr(sys, "stdin", stream)
        assert read_pasted("Paste").count("\n") == 1_001


@pytest.mark.parametrize("stream", [io.StringIO("one\ntwo\n")])
def test_input_that_is_no_file_is_read_line_by_line(monkeypatch: pytest.MonkeyPatch, stream: TextIO) -> None:
    monkeypatch.setattr(sys, "stdin", stream)
    assert read_pasted("Paste") == "one\n"
    assert read_pasted("Paste") == "two\n"
