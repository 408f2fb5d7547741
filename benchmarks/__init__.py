"""Measurements of this project; run one as `python -m benchmarks.NAME` from the repository's root."""
