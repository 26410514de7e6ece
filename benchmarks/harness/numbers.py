"""Numbers as the tables show them."""

from __future__ import annotations

from benchmarks.harness.rows import Row

__all__ = ["number", "reached"]


def number(value: float) -> str:
    """Return a number with three digits, or whole if it is large or whole."""
    return f"{value:,.0f}" if abs(value) >= 1000 or value == int(value) else f"{value:.3g}"


def reached(row: Row) -> str:
    """Return what a row has reached: a ratio with two decimals, or a value with its unit."""
    return f"{row.reached:.2f}" if row.is_ratio else f"{number(row.reached)} {row.unit}".strip()
