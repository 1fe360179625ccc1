"""Runs as files for others: JUnit, Markdown, one HTML page, tables, Inspect logs, lm-eval samples.

Values in, bytes out: who writes them where is not decided here.
"""
