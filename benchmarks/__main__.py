"""All benchmarks in one run: ``python -m benchmarks [--quick | --full] [--only a,b] [--compare FILE]``.

Takes about four minutes (``--quick``: one; ``--full``, with 10,000 trips per pagination and a pagination of a
million: a quarter of an hour). Each concern runs in its own process, prints nothing and returns rows; references that
are not installed (``pip install -e '.[bench]'``) are left out. Prints a table and writes a file in
``benchmarks/results``. With ``--strict`` the exit status is 1 if a figure was missed.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

from rich.console import Console

from benchmarks.concerns import CONCERNS, run_isolated
from benchmarks.measuring import Row, Size
from benchmarks.report import load, readme_table, save, show, to_json

__all__ = ["main"]

_WIDTH = 140


def main() -> int:
    """Run the concerns, print the table and write the file; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=(__doc__ or "").partition("\n")[0])
    sizes = parser.add_mutually_exclusive_group()
    sizes.add_argument("--quick", action="store_const", dest="size", const="quick", help="a minute")
    sizes.add_argument("--full", action="store_const", dest="size", const="full", help="a quarter of an hour")
    sizes.add_argument("--tiny", action="store_const", dest="size", const="tiny", help=argparse.SUPPRESS)
    parser.add_argument("--only", default=",".join(CONCERNS), help="letters of the concerns, e.g. a,b")
    parser.add_argument("--compare", type=Path, help="file of an earlier run")
    parser.add_argument("--results", type=Path, default=Path(__file__).parent / "results", help="folder of the file")
    parser.add_argument("--brief", action="store_true", help="print the README's table")
    parser.add_argument("--strict", action="store_true", help="exit with 1 if a figure is missed")
    options = parser.parse_args()
    letters = [letter.strip() for letter in options.only.split(",")]
    if not set(letters) <= set(CONCERNS):
        parser.error(f"--only must be letters of {', '.join(CONCERNS)}")
    earlier = None if options.compare is None else load(options.compare)
    console = Console()
    if not console.is_terminal:
        console = Console(width=_WIDTH)
    size: Size = options.size or "usual"
    rows: list[Row] = []
    start = time.perf_counter()
    for letter in letters:
        with console.status(f"({letter}) {CONCERNS[letter]}"):
            rows += run_isolated(letter, size)
    seconds = time.perf_counter() - start
    show(rows, console, earlier)
    run = to_json(rows, size=size, seconds=seconds)
    path = save(run, options.results)
    if options.brief:
        print(readme_table(run))
    console.print(f"{seconds:.0f} s, written to {path}")
    return int(options.strict and any(row.is_met is False for row in rows))


if __name__ == "__main__":
    sys.exit(main())
