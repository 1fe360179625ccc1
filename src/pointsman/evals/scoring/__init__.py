"""Scorers: one kind a module, one protocol, one table."""
