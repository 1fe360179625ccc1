"""Immutable prompt versions and their rendering into a request."""
