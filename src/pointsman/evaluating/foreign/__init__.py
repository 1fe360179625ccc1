"""Runs of other harnesses as runs of ours: compared, shown and exported like any other."""
