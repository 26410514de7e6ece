"""Corpus of fuzzing: files by target, each an input that reached far or once broke a law."""

from __future__ import annotations

from pathlib import Path

__all__ = ["FOLDER", "inputs_of"]

FOLDER = Path(__file__).parent / "corpus"


def inputs_of(target: str) -> list[Path]:
    """Return the files of a target's corpus, sorted."""
    folder = FOLDER / target
    return sorted(path for path in folder.iterdir() if path.is_file()) if folder.is_dir() else []
