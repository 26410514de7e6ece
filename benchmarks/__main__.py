"""Every benchmark in one run: ``python -m benchmarks [--quick | --full] [--only a,b] [--compare FILE]``.

Takes about four minutes (``--quick``: one; ``--full``, with 10,000 trips a walk and a walk of a million: a
quarter of an hour). Each concern runs in a process of its own, prints nothing, and hands back rows; references that are
not installed (``pip install -e '.[bench]'``) are left out. Prints a table and writes a file below
``benchmarks/results``. The status is 1 where a figure was missed and ``--strict`` was asked for.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

from rich.console import Console

from benchmarks.concerns import CONCERNS, alone
from benchmarks.measuring import Row, Size
from benchmarks.report import as_json, in_brief, load, saved, show

__all__ = ["main"]

_WIDTH = 140


def main() -> int:
    """Run, print, write."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=(__doc__ or "").partition("\n")[0])
    sizes = parser.add_mutually_exclusive_group()
    sizes.add_argument("--quick", action="store_const", dest="size", const="quick", help="a minute")
    sizes.add_argument("--full", action="store_const", dest="size", const="full", help="a quarter of an hour")
    sizes.add_argument("--tiny", action="store_const", dest="size", const="tiny", help=argparse.SUPPRESS)
    parser.add_argument("--only", default=",".join(CONCERNS), help="concerns, by letter: a,b")
    parser.add_argument("--compare", type=Path, help="a file of an earlier run")
    parser.add_argument("--results", type=Path, default=Path(__file__).parent / "results", help="where the file goes")
    parser.add_argument("--brief", action="store_true", help="print the README's table, too")
    parser.add_argument("--strict", action="store_true", help="fail where a figure is missed")
    options = parser.parse_args()
    letters = [letter.strip() for letter in options.only.split(",")]
    if not set(letters) <= set(CONCERNS):
        parser.error(f"concerns are {', '.join(CONCERNS)}")
    earlier = None if options.compare is None else load(options.compare)
    console = Console()
    if not console.is_terminal:
        console = Console(width=_WIDTH)
    size: Size = options.size or "usual"
    rows: list[Row] = []
    start = time.perf_counter()
    for letter in letters:
        with console.status(f"({letter}) {CONCERNS[letter]}"):
            rows += alone(letter, size)
    seconds = time.perf_counter() - start
    show(rows, console, earlier)
    run = as_json(rows, size=size, seconds=seconds)
    path = saved(run, options.results)
    if options.brief:
        print(in_brief(run))
    console.print(f"{seconds:.0f} s, written to {path}")
    return int(options.strict and any(row.is_met is False for row in rows))


if __name__ == "__main__":
    sys.exit(main())
