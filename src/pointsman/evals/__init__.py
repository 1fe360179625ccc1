"""Suites, samples, scores and what may be concluded of them; nothing here asks, reads or writes."""
