"""Runs of suites: asked, kept on disk, read again."""
