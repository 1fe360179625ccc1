"""Builders and running parts shared by tests."""
