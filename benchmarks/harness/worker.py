"""One concern in a process of its own, started by ``benchmarks.harness.in_tree``.

The protocol is one JSON value per line. Before each round the worker writes ``"ready"`` and reads a line, so that the
runner can let workers of several trees alternate; at the end it writes ``{"rows": …}``, or ``{"absent": …}`` where the
tree has no such feature. Everything else that is printed goes to standard error.
"""

from __future__ import annotations

import json
import os
import sys

import cattrs

from benchmarks.harness.in_tree import HERE, current_tree
from benchmarks.harness.registry import run_concern
from benchmarks.harness.rounds import take_turns
from benchmarks.harness.rows import Row
from benchmarks.harness.scale import SIZES

__all__ = ["main", "to_rows"]


def to_rows(values: object) -> list[Row]:
    """Return the rows of a worker's answer."""
    return cattrs.structure(values, list[Row])


def main(name: str, size: str) -> None:
    """Run a concern and write its rows."""
    with os.fdopen(os.dup(1), "w") as answers:
        os.dup2(2, 1)

        def write(answer: object) -> None:
            answers.write(json.dumps(answer) + "\n")
            answers.flush()

        def wait() -> None:
            write("ready")
            if not sys.stdin.readline():
                sys.exit("the runner has ended")

        take_turns(wait)
        try:
            rows = run_concern(name, next(known for known in SIZES if known == size))
        except (ImportError, AttributeError) as error:
            if current_tree() == HERE:
                raise
            write({"absent": f"{type(error).__name__}: {error}"})
        else:
            write({"rows": cattrs.unstructure(rows)})


if __name__ == "__main__":
    main(*sys.argv[1:])
