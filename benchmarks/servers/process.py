"""A program of a server within a block."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager

from benchmarks.harness.in_tree import HERE

__all__ = ["serve"]


@contextmanager
def serve(module: str, **options: object) -> Generator[str]:
    """Run a module of this tree as a program until the end of the block; yield its first line.

    Options that are None or False are left out; a True is passed without a value.
    """
    words = [
        f"--{name}" if value is True else f"--{name}={value}"
        for name, value in options.items()
        if value is not None and value is not False
    ]
    with subprocess.Popen(
        [sys.executable, "-m", module, *words], stdout=subprocess.PIPE, text=True, cwd=HERE
    ) as process:
        try:
            assert process.stdout is not None
            yield process.stdout.readline().strip()
        finally:
            process.kill()
