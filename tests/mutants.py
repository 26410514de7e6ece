"""A random sample of the mutants of each layer, and the share of them that the tests kill.

mutmut makes the mutants. A first child process runs all selected tests and records which functions each reaches; after
that a child for each mutant runs those tests: first those of its layer, then the others, of both the cheapest first.
Children are forked when the tests are collected and none has run. Run it by ``python -P``: the tests have to be
imported from the folder of the mutants.
"""

import argparse
import gc
import json
import math
import os
import random
import resource
import sys
import time
import tomllib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any, Final, NamedTuple

import pytest

PACKAGE: Final = Path("stellantis_hal")
FOLDER: Final = Path("mutants")


class Layer(NamedTuple):
    """A folder of the package, and the tests that are run first against its mutants."""

    folder: str
    tests: tuple[str, ...]


LAYERS: Final = {
    "notifications": Layer("notifications", ("tests/notifications",)),
    "structuring": Layer(
        "structuring", ("tests/structuring", "tests/resources", "tests/integrations/test_pydantic.py")
    ),
    "rate_limit": Layer("transport/rate_limit", ("tests/transport",)),
    "transport": Layer("transport", ("tests/transport",)),
    "navigation": Layer("navigation", ("tests/navigation",)),
    "hal": Layer("hal", ("tests/hal", "tests/navigation")),
}
OF_ALL_LAYERS: Final = (  # run after those of the layer itself
    *dict.fromkeys(tests for layer in LAYERS.values() for tests in layer.tests),
    "tests/client",
    "tests/credentials",
    "tests/auth",
)

_KILLED, _SURVIVED, _TIMED_OUT, _NO_TESTS = "killed", "survived", "timed out", "no tests"
_95_PERCENT: Final = 1.96
_LEAST_CPU: Final = 5.0  # seconds that a child may use, beside twice what its tests took
_SILENCE: Final = 12.0  # seconds without any use of the processor, after which a child waits for what never comes
_TICK: Final = 0.02

Verdict = str


# ------------------------------------------------------------------------------------------- the sample


def names_of(layer: str) -> list[str]:
    """Return the names of a layer's mutants; those of ``rate_limit`` are not counted in ``transport``."""
    within = FOLDER / PACKAGE / LAYERS[layer].folder
    inner = [folder for other in LAYERS.values() if within in (folder := FOLDER / PACKAGE / other.folder).parents]
    names: list[str] = []
    for meta in within.rglob("*.meta"):
        if not any(folder in meta.parents for folder in inner):
            names += json.loads(meta.read_text(encoding="utf-8"))["exit_code_by_key"]
    return sorted(names)


def interval(killed: int, run: int, mutants: int) -> tuple[float, float]:
    """Return the 95 % interval of the share killed (Wilson's), of a sample drawn without replacement."""
    if run == mutants:
        return killed / run, killed / run
    size = run * (mutants - 1) / (mutants - run)  # the larger a part of all mutants is run, the more it says
    share, square = killed / run, _95_PERCENT**2 / size
    middle = (share + square / 2) / (1 + square)
    half = math.sqrt(share * (1 - share) * square + square**2 / 4) / (1 + square)
    return max(0.0, middle - half), min(1.0, middle + half)


def report(layer: str, mutants: int, verdicts: Mapping[str, Verdict]) -> None:
    """Print the figures of a layer, and the names of the mutants that were not killed."""
    count, run = Counter(verdicts.values()), len(verdicts)
    killed = count[_KILLED] + count[_TIMED_OUT]
    low, high = interval(killed, run, mutants)
    parts = ", ".join(f"{count[verdict]} {verdict}" for verdict in (_KILLED, _TIMED_OUT, _SURVIVED, _NO_TESTS))
    print(f"{layer}: {mutants} mutants, {run} run: {parts}; {killed / run:.1%} ({low:.1%} to {high:.1%})")
    for name, verdict in verdicts.items():
        if verdict in (_SURVIVED, _NO_TESTS):
            print(f"    {verdict}: {name}")


# ------------------------------------------------------------------------------------------- the runs


def generate() -> None:
    """Write the mutants of all layers, of modules that have changed, and copy the tests beside them."""
    mutmut = import_module("mutmut.__main__")
    FOLDER.mkdir(exist_ok=True)
    mutmut.set_mutant_under_test("mutant_generation")
    with mutmut.CatchOutput(spinner_title="Generating mutants"):
        mutmut.copy_src_dir()
        mutmut.copy_also_copy_files()
        mutmut.setup_source_paths()
        mutmut.create_mutants(1)
    mutmut.set_mutant_under_test("")


class MutantRuns:
    """A pytest plugin that runs the collected tests against mutants, instead of running them.

    Attributes:
        verdicts: by the name of the mutant.
        failures: ids of tests that failed without any mutant.
    """

    def __init__(self, mutants: Mapping[str, Layer], seconds: float) -> None:
        self._mutants = mutants
        self._seconds = seconds
        self._trampoline: Any = import_module("mutmut.mutation.trampoline")
        self._ends_at_failure = False
        self.verdicts: dict[str, Verdict] = {}
        self.failures: list[str] = []

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_makereport(self, call: pytest.CallInfo[None]) -> None:
        """End before pytest parses a mutated file for its traceback, which takes longer than the test."""
        outcomes = (pytest.skip.Exception, pytest.xfail.Exception)
        if self._ends_at_failure and call.excinfo is not None and not call.excinfo.errisinstance(outcomes):
            os._exit(1)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            self.failures.append(report.nodeid)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        if session.testsfailed:
            return True  # they cannot be collected
        gc.collect()
        gc.freeze()  # so that children copy no memory to collect garbage
        seconds, reached = self._measure(session.items)
        failing = set(self.failures)
        items = sorted(session.items, key=lambda item: seconds[item.nodeid])
        for done, (mutant, layer) in enumerate(self._mutants.items()):
            tests = set(reached.get(mutant.partition("__mutmut_")[0], ())) - failing
            chosen, total = list[pytest.Item](), 0.0
            for item in sorted(items, key=lambda item: not item.nodeid.startswith(layer.tests)):
                if item.nodeid in tests and total <= self._seconds:
                    chosen.append(item)
                    total += seconds[item.nodeid]
            self.verdicts[mutant] = self._judge(mutant, chosen, total)
            if sys.stderr.isatty():
                print(f"\r{done + 1} of {len(self._mutants)}", end="", file=sys.stderr, flush=True)
        return True

    def _measure(self, items: Sequence[pytest.Item]) -> tuple[dict[str, float], dict[str, list[str]]]:
        """Run all tests in a child; return the processor's seconds of each, and which tests reach each function."""
        found = Path("reached.json")
        child = os.fork()
        if child == 0:
            seconds: dict[str, float] = {}
            reached: dict[str, list[str]] = {}
            hits: set[str] = set()

            def record(name: str, caller: str | None = None) -> None:
                hits.add(name)

            self._trampoline.record_trampoline_hit = record
            self._trampoline.set_mutant_under_test("stats")
            _silence(items[0].config)
            for item, following in zip(items, [*items[1:], None], strict=True):
                hits.clear()
                start = time.process_time()
                item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
                seconds[item.nodeid] = time.process_time() - start
                for name in hits:
                    reached.setdefault(name, []).append(item.nodeid)
            found.write_text(json.dumps([seconds, reached, self.failures]), encoding="utf-8")
            os._exit(0)
        os.waitpid(child, 0)
        seconds, reached, self.failures = json.loads(found.read_text(encoding="utf-8"))
        return seconds, reached

    def _judge(self, mutant: str, items: Sequence[pytest.Item], seconds: float) -> Verdict:
        if not items:
            return _NO_TESTS
        limit = math.ceil(_LEAST_CPU + 2 * seconds)
        child = os.fork()
        if child == 0:
            self._ends_at_failure = True
            _silence(items[0].config)
            resource.setrlimit(resource.RLIMIT_CPU, (limit, limit + 1))
            self._trampoline.set_mutant_under_test(mutant)
            try:
                for item, following in zip(items, [*items[1:], None], strict=True):
                    item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
            except BaseException:  # noqa: BLE001 - a mutant may make pytest itself fail
                os._exit(1)
            os._exit(0)
        return _wait_for(child)


def _silence(config: pytest.Config) -> None:
    """Print nothing from this process."""
    config.pluginmanager.unregister(name="terminalreporter")
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 1)
    os.dup2(null, 2)


def _wait_for(child: int) -> Verdict:
    """Wait for a child; end one that uses no processor any more."""
    used, changed_at = 0, time.monotonic()
    while True:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            code = os.waitstatus_to_exitcode(status)
            return _TIMED_OUT if code < 0 else _KILLED if code else _SURVIVED
        fields = Path(f"/proc/{child}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
        ticks, now = int(fields[11]) + int(fields[12]), time.monotonic()
        if ticks > used:
            used, changed_at = ticks, now
        elif now - changed_at > _SILENCE:
            os.kill(child, 9)
            os.waitpid(child, 0)
            return _TIMED_OUT
        time.sleep(_TICK)


# ------------------------------------------------------------------------------------------- the command


def main(arguments: Iterable[str]) -> int:
    """Draw a sample of each layer, run it and print the figures."""
    parser = argparse.ArgumentParser(prog="poe mutants", description=str(__doc__).partition("\n")[0])
    parser.add_argument("layers", nargs="*", metavar="layer", help=f"of {', '.join(LAYERS)}; without any: all")
    parser.add_argument("--sample", type=int, default=300, help="mutants of each layer; 300")
    parser.add_argument("--seed", type=int, default=26, help="of the draw; 26")
    parser.add_argument(
        "--seconds",
        type=float,
        default=15.0,
        help="of the processor, for the tests of a mutant; the others are left out",
    )
    parser.add_argument("--names", type=Path, help="a file with names of mutants to run instead of a sample")
    options = parser.parse_args(list(arguments))
    if unknown := set(options.layers) - set(LAYERS):
        parser.error(f"there is no layer {', '.join(sorted(unknown))}")
    config = tomllib.loads(Path("pyproject.toml").read_text(encoding="utf-8"))["tool"]["mutmut"]
    generate()
    names = {layer: names_of(layer) for layer in options.layers or LAYERS}
    chosen = {
        layer: random.Random(options.seed).sample(found, min(options.sample, len(found)))
        for layer, found in names.items()
    }
    if options.names is not None:
        wanted = set(options.names.read_text(encoding="utf-8").split())
        chosen = {layer: [name for name in found if name in wanted] for layer, found in names.items()}
    os.chdir(FOLDER)
    runs = MutantRuns({name: LAYERS[layer] for layer in chosen for name in chosen[layer]}, options.seconds)
    status = pytest.main(["--rootdir=.", *config["pytest_add_cli_args"], *OF_ALL_LAYERS], plugins=[runs])
    for layer, sample in chosen.items():
        verdicts = {name: runs.verdicts[name] for name in sample if name in runs.verdicts}
        if verdicts:
            report(layer, len(names[layer]), verdicts)
    for failure in runs.failures:
        print(f"failed without a mutant: {failure}")
    return int(status)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
