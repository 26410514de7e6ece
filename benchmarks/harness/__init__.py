"""Rounds, rows and results: what all benchmarks share."""
