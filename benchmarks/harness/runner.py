"""Workers of one concern, one for each tree, that alternate round by round.

Workers set themselves up at the same time; a round runs while every other worker waits.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

import attrs

from benchmarks.harness.in_tree import HERE, command
from benchmarks.harness.rows import Row
from benchmarks.harness.scale import Size
from benchmarks.harness.worker import to_rows

__all__ = ["WorkerError", "run_trees"]


class WorkerError(Exception):
    """A worker has failed."""


@attrs.define
class _Worker:
    process: subprocess.Popen[str]
    rows: list[Row] | None = None

    def read(self) -> None:
        """Wait until the worker is ready for a round, or has its rows."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        answer = json.loads(line) if line else None
        if answer is None:
            raise WorkerError(f"{self.process.args!r} has failed: its error is above")
        if isinstance(answer, dict):
            self.rows = to_rows(answer.get("rows", []))
            if "absent" in answer:
                print(f"rows are left out, a tree has no such feature: {answer['absent']}", file=sys.stderr)

    def go(self) -> None:
        """Let the worker run one round."""
        assert self.process.stdin is not None
        self.process.stdin.write("go\n")
        self.process.stdin.flush()
        self.read()


def run_trees(name: str, size: Size, trees: Sequence[Path]) -> list[list[Row]]:
    """Run a concern with the package of each tree, in interleaved rounds; return the rows of each.

    A tree without the feature has no rows.

    Raises:
        WorkerError: a worker has failed.
    """
    with ExitStack() as stack:
        workers = [_Worker(_start(stack, name, size, tree)) for tree in trees]
        for worker in workers:
            worker.read()
        turn = 0
        while waiting := [worker for worker in workers if worker.rows is None]:
            for worker in waiting if turn % 2 else waiting[::-1]:
                worker.go()
            turn += 1
    return [worker.rows or [] for worker in workers]


def _start(stack: ExitStack, name: str, size: Size, tree: Path) -> subprocess.Popen[str]:
    process = stack.enter_context(
        subprocess.Popen(
            command(tree, "benchmarks.harness.worker", name, size),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=HERE,
        )
    )
    stack.callback(process.kill)
    return process
