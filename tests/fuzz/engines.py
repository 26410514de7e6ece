"""Engines of fuzzing: libFuzzer by atheris where it is installed, else hypothesis guided by the lines that ran."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

from hypothesis import HealthCheck, given, settings, target
from hypothesis import strategies as st

from tests.fuzz.corpus import inputs_of

__all__ = ["has_atheris", "run_atheris", "run_hypothesis"]

_SLOW = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much, HealthCheck.large_base_example]
_EXAMPLES = 500  # between two looks at the time
_LONGEST = 4_096  # bytes of an input


def has_atheris() -> bool:
    """Return whether the engine that is guided by coverage is installed."""
    return find_spec("atheris") is not None


def run_atheris(name: str, seconds: int, *, findings: Path, work: Path) -> None:
    """Run a target by libFuzzer in this process, which it ends: with status 0 where no law was broken.

    Args:
        name: the target.
        seconds: how long.
        findings: folder into which an input that breaks a law is written.
        work: folder of inputs that reached something new; they are kept between two runs.
    """
    atheris: Any = import_module("atheris")
    with atheris.instrument_imports(include=["stellantis_hal"]):
        run = import_module("tests.fuzz.targets").TARGETS[name]
    seeds = work / "seeds"
    seeds.mkdir(exist_ok=True)
    for path in inputs_of(name):
        (seeds / path.name).write_bytes(path.read_bytes())
    options = [
        f"-max_total_time={seconds}",
        f"-max_len={_LONGEST}",
        "-timeout=10",
        "-rss_limit_mb=2048",
        "-print_final_stats=1",
        "-verbosity=0",
        f"-artifact_prefix={findings}/",
        str(work),
        str(seeds),
    ]
    atheris.Setup([sys.argv[0], *options], run)
    atheris.Fuzz()


def run_hypothesis(name: str, run: Callable[[bytes], None], seconds: float) -> int:
    """Run a target by hypothesis, guided by the number of lines that ran; return the number of inputs.

    Raises:
        Exception: the target's, for the smallest input that was found.
    """
    count = 0
    seeds = [path.read_bytes() for path in inputs_of(name)]

    @settings(max_examples=_EXAMPLES, deadline=None, suppress_health_check=_SLOW)
    @given(_inputs(seeds))
    def search(content: bytes) -> None:
        nonlocal count
        count += 1
        target(float(_lines_of(run, content)))

    end = time.monotonic() + seconds
    while time.monotonic() < end:
        search()
    return count


@st.composite
def _inputs(draw: st.DrawFn, seeds: list[bytes]) -> bytes:
    """Draw any bytes, or an input of the corpus of which a part is replaced."""
    if not seeds or draw(st.booleans()):
        return draw(st.binary(max_size=_LONGEST))
    seed = draw(st.sampled_from(seeds))
    start = draw(st.integers(0, len(seed)))
    end = draw(st.integers(start, min(len(seed), start + 16)))
    return seed[:start] + draw(st.binary(max_size=16) | st.sampled_from(seeds)) + seed[end:]


def _lines_of(run: Callable[[bytes], None], content: bytes) -> int:
    """Run a target; return how many different lines of the package ran."""
    lines: set[tuple[CodeType, int]] = set()

    def trace(frame: FrameType, event: str, _: object) -> Any:
        if "stellantis_hal" not in frame.f_code.co_filename:
            return None
        lines.add((frame.f_code, frame.f_lineno))
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        run(content)
    finally:
        sys.settrace(before)
    return len(lines)
