"""Benchmarks: what Ego costs beside what a user would do otherwise, side by side in one run."""
