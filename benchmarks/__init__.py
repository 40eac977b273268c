"""Ours and theirs, measured side by side: ``python -m benchmarks --help``, or ``make bench``."""
