"""All benchmarks in one run: ``python -m benchmarks [--brief | --full] [--only requests,pages] [--against CHECKOUT]``.

``--brief`` measures the rows that have a target, within five minutes of two cores; the usual run takes about a quarter
of an hour, ``--full`` three quarters. ``--against`` measures the package of another checkout in the same rounds. Each
concern runs in its own process; references that are not installed (``pip install -e '.[bench]'``) are left out. Prints
a table and writes a file in ``benchmarks/results``; ``--write`` puts the tables into the README and the page about
performance, unless a concern has failed. The exit status is 1 if one has, and with ``--strict`` if a target was missed.
"""

from __future__ import annotations

import argparse
import os
import resource
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console

from benchmarks.harness.in_tree import HERE
from benchmarks.harness.markdown import write_pages
from benchmarks.harness.registry import CONCERNS, JUDGED
from benchmarks.harness.results import load, machine, save, to_json
from benchmarks.harness.rows import Row
from benchmarks.harness.runner import WorkerError, run_trees
from benchmarks.harness.scale import Size
from benchmarks.harness.table import show

__all__ = ["main"]

_WIDTH = 160


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=(__doc__ or "").partition("\n")[0])
    sizes = parser.add_mutually_exclusive_group()
    sizes.add_argument(
        "--brief", action="store_const", dest="size", const="brief", help="the judged rows: five minutes"
    )
    sizes.add_argument("--full", action="store_const", dest="size", const="full", help="all rows, more rounds")
    sizes.add_argument("--tiny", action="store_const", dest="size", const="tiny", help=argparse.SUPPRESS)
    parser.add_argument("--only", help=f"concerns: {', '.join(CONCERNS)}")
    parser.add_argument("--against", type=Path, help="checkout whose package is measured in the same rounds")
    parser.add_argument("--compare", type=Path, help="file of an earlier run")
    parser.add_argument("--results", type=Path, default=Path(__file__).parent / "results", help="folder of the file")
    parser.add_argument("--write", action="store_true", help="rewrite the tables of README.md and docs")
    parser.add_argument("--strict", action="store_true", help="exit with 1 if a target is missed")
    options = parser.parse_args(arguments)
    options.size = options.size or "usual"
    everything = JUDGED if options.size == "brief" else tuple(CONCERNS)
    options.concerns = everything if options.only is None else [name.strip() for name in options.only.split(",")]
    unknown = [name for name in options.concerns if name not in CONCERNS]
    if unknown:
        parser.error(f"{', '.join(unknown)}: --only must be names of {', '.join(CONCERNS)}")
    if options.against is not None and not (options.against / "stellantis_hal" / "__init__.py").exists():
        parser.error(f"{options.against} has no package stellantis_hal: --against must be a checkout")
    if options.write and options.only is not None:
        parser.error("--write needs all rows: leave out --only")
    return options


def _cpu_of_children() -> float:
    """Return the CPU seconds of all processes that have been started and have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the concerns, print the table and write the file; return the exit status."""
    options = _parse(arguments)
    size: Size = options.size
    earlier = None if options.compare is None else load(options.compare)
    console = Console()
    if not console.is_terminal:
        console = Console(width=_WIDTH)
    trees = [HERE] if options.against is None else [HERE, options.against.resolve()]
    found = [list[Row]() for _ in trees]
    failed: list[str] = []
    start, busy = time.perf_counter(), os.getloadavg()[0]
    for name in options.concerns:
        begun, used = time.perf_counter(), _cpu_of_children()
        with console.status(f"{name}: {CONCERNS[name]}"):
            try:
                for known, rows in zip(found, run_trees(name, size, trees), strict=True):
                    known.extend(rows)
            except WorkerError as error:
                failed.append(f"{name}: {error}")
        spent = f"{time.perf_counter() - begun:.0f} s, CPU {_cpu_of_children() - used:.0f} s"
        print(f"{name}: {spent}", file=sys.stderr, flush=True)
    seconds = time.perf_counter() - start
    rows, *others = found
    before = {(row.concern, row.what): row for row in others[0]} if others else None
    show(rows, console, before=before, earlier=earlier)
    path = save(to_json(list(zip(trees, found, strict=True)), size=size, seconds=seconds, load=busy), options.results)
    if options.write and not failed:
        write_pages(HERE, rows, f"{datetime.now(UTC):%Y-%m-%d}, {machine()}:", before)
    console.print(f"{seconds:.0f} s, load of the machine before {busy:.1f}, written to {path}")
    for text in failed:
        console.print(f"[red]failed[/]: {text}", highlight=False)
    return int(bool(failed) or (options.strict and any(row.is_met is False for row in rows)))


if __name__ == "__main__":
    sys.exit(main())
