"""Logs: what their lines begin with, which templates they are made of."""
