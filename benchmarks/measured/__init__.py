"""The package under measurement, by names that are the same for this tree and for an older one.

Benchmarks use what is public where it is enough; what is not, or was called otherwise, is in `package`.
"""

from importlib.util import find_spec
from typing import TYPE_CHECKING

if TYPE_CHECKING or find_spec("stellantis_hal.structuring") is not None:
    from benchmarks.measured import current as package
else:
    from benchmarks.measured import e0f4d8e as package

__all__ = ["package"]
