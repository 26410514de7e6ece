"""Lines of a file with their places, of which the last may have been written in part."""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO

__all__ = ["ScannedLine", "is_beginning", "read_lines"]


class ScannedLine:
    """A line of a file.

    Attributes:
        number: counted from 1.
        start: byte at which it begins.
        raw: its bytes with its end.
        is_last: whether the file ends with it.
    """

    __slots__ = ("is_last", "number", "raw", "start")

    def __init__(self, number: int, start: int, raw: bytes, *, is_last: bool) -> None:
        self.number: int = number
        self.start: int = start
        self.raw: bytes = raw
        self.is_last: bool = is_last

    @property
    def end(self) -> int:
        return self.start + len(self.raw)

    def is_torn(self, beginning: bytes) -> bool:
        """Return whether it is the last line and a part of a record that begins so.

        One with a carriage return inside is none: those are lines that another program ends so.
        """
        kept = self.raw.rstrip(b"\0\r\n")  # a power cut may leave zeros
        return self.is_last and b"\r" not in kept and kept[: len(beginning)] == beginning[: len(kept)]


def read_lines(file: BinaryIO) -> Iterator[ScannedLine]:
    start, number = 0, 1
    raw = file.readline()
    while raw:
        following = file.readline()
        yield ScannedLine(number, start, raw, is_last=not following)
        start, number, raw = start + len(raw), number + 1, following


def is_beginning(file: BinaryIO, text: bytes) -> bool:
    """Return whether a file has nothing but the beginning of a text, or nothing."""
    file.seek(0)
    begun = file.read(len(text) + 1)
    file.seek(0)
    return text.startswith(begun)
