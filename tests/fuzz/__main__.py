"""Command ``python -m tests.fuzz``: searches for inputs that break a law, target by target.

An input that does is written into the corpus, where the test suite runs it from then on.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import traceback
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.fuzz.corpus import FOLDER
from tests.fuzz.engines import has_atheris, run_atheris, run_hypothesis


def main() -> int:
    """Run the targets one after the other; return 1 where one broke a law."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10.0, help="for all targets together (default: 10)")
    parser.add_argument("--target", action="append", help="only this one; may be repeated (default: all)")
    parser.add_argument("--engine", choices=["atheris", "hypothesis"], help="default: atheris where it is installed")
    parser.add_argument("--work", type=Path, help="folder of inputs that reached something new, kept for the next run")
    parser.add_argument("--findings", type=Path, default=FOLDER, help="folder of inputs that broke a law")
    parser.add_argument("--alone", type=int, metavar="SECONDS", help=argparse.SUPPRESS)
    options = parser.parse_args()
    engine = options.engine or ("atheris" if has_atheris() else "hypothesis")
    if options.alone is not None:
        run_atheris(options.target[0], options.alone, findings=options.findings, work=options.work)
    from tests.fuzz.targets import TARGETS

    names = options.target or list(TARGETS)
    if unknown := set(names) - TARGETS.keys():
        parser.error(f"no target {', '.join(sorted(unknown))}; there are {', '.join(TARGETS)}")
    seconds = max(1, round(options.minutes * 60 / len(names)))
    print(f"{len(names)} targets, {seconds} s each, by {engine}", flush=True)
    with TemporaryDirectory() as temporary:
        work = Path(temporary) if options.work is None else options.work
        broken = [name for name in names if not _run(name, engine, seconds, work=work, findings=options.findings)]
    print(f"laws broken: {', '.join(broken) or 'none'}")
    return 1 if broken else 0


def _run(name: str, engine: str, seconds: int, *, work: Path, findings: Path) -> bool:
    """Run a target; return whether its laws held."""
    if engine == "hypothesis":
        from tests.fuzz.targets import TARGETS

        try:
            count = run_hypothesis(name, TARGETS[name], seconds)
        except Exception:  # noqa: BLE001 - a broken law, of any kind
            traceback.print_exc()
            return False
        print(f"{name}: {count:,} inputs", flush=True)
        return True
    for folder in (work / name, findings / name):
        folder.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "tests.fuzz", "--target", name, "--alone", str(seconds)]
    ran = subprocess.run(
        [*command, "--work", str(work / name), "--findings", str(findings / name)],
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )
    counts = [line for line in ran.stderr.splitlines() if "number_of_executed_units" in line]
    print(f"{name}: {counts[-1].split()[-1] if counts else '?'} inputs", flush=True)
    if ran.returncode:
        print(ran.stdout[-4_000:], ran.stderr[-4_000:], sep="\n", flush=True)
    return not ran.returncode


if __name__ == "__main__":
    sys.exit(main())
