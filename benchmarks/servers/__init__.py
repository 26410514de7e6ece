"""Servers that benchmarks send requests to, each a program in its own process, of this tree alone."""
