"""What the package costs, beside what its peers cost, in one run: ``python -m benchmarks``."""
