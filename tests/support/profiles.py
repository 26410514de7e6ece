"""Hypothesis profiles, and the parameters that ``poe check`` leaves to ``poe scenarios`` and ``poe deep``."""

from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings

__all__ = ["deep", "few_examples", "load_profiles", "scenario"]

_EXAMPLES = 100  # per property, in `poe check`
_FEW_EXAMPLES = 30  # of a property whose examples take long
_TIMED = [HealthCheck.too_slow]
"""Checks of Hypothesis that fail where the machine is busy: they compare wall time with a bound."""


def load_profiles() -> None:
    """Register the profiles, and load the one of ``poe check``."""
    # The same examples in each run, so that each run reaches the same lines; `poe deep` and `poe fuzz` draw new ones.
    settings.register_profile(
        "default", deadline=None, suppress_health_check=_TIMED, max_examples=_EXAMPLES, derandomize=True
    )
    settings.register_profile("deep", deadline=None, suppress_health_check=_TIMED, max_examples=2_000)
    settings.register_profile("exhaustive", deadline=None, suppress_health_check=_TIMED, max_examples=20_000)
    settings.register_profile(
        "mutants",
        deadline=None,
        suppress_health_check=_TIMED,
        max_examples=15,
        derandomize=True,
        database=None,
        phases=(Phase.explicit, Phase.generate),
    )
    settings.load_profile("default")


def deep(*values: Any) -> Any:
    """Return parameters of a test that ``poe check`` leaves to ``poe deep``."""
    return pytest.param(*values, marks=pytest.mark.deep)


def few_examples() -> settings:
    """Return settings of a property whose examples take long: fewer of them in the default profile."""
    examples = settings().max_examples
    return settings(max_examples=_FEW_EXAMPLES if examples == _EXAMPLES else examples)


def scenario(*values: Any) -> Any:
    """Return parameters of a test that ``poe check`` leaves to ``poe scenarios``."""
    return pytest.param(*values, marks=pytest.mark.scenario)
